//! The tables of a report.

use jiff::tz::TimeZone;

use super::{
    Audience, Made, Piece, Timeline,
    sentence::{length, percent},
};
use crate::{
    domain::sla::{
        Reckoning,
        account::{Entry, entries},
        agreement::{Agreement, Policy},
        figures::Figures,
        handling::{Incident, of_span},
        lattice::Bucket,
        outages::Outage,
        reckon,
        report::{Known, Line, Report},
        target::Ratio,
    },
    web::{
        views::{
            Badge,
            service_levels::{Said, member_says, name, needs, said, verdict},
        },
        words,
    },
};

/// Decimals of a share of the window.
const SHARE_DECIMALS: usize = 4;

/// A figure or a fact with its name.
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) says: String,
}

impl Fact {
    pub(super) const fn new(name: &'static str, says: String) -> Self {
        Self { name, says }
    }
}

/// How long a bucket was, over all subjects.
pub(super) struct BucketRow {
    pub(super) name: &'static str,
    pub(super) length: String,
    pub(super) seconds: String,
    pub(super) share: String,
    pub(super) counts: &'static str,
}

/// Every bucket, those without any time too: they add up to the window.
pub(super) fn buckets(agreement: &Agreement, report: &Report) -> Vec<BucketRow> {
    let row = |bucket: Bucket| {
        let ms = report.total.buckets.ms(bucket);
        BucketRow {
            name: name(bucket),
            length: words::duration(ms),
            seconds: words::seconds(ms),
            share: Ratio::of(ms, report.total.buckets.window_ms())
                .map_or_else(|| "–".into(), |share| format!("{}\u{a0}%", share.percent(SHARE_DECIMALS))),
            counts: counts(agreement.policy(bucket)),
        }
    };
    Bucket::ALL.into_iter().map(row).collect()
}

/// As what time counts, in a table.
const fn counts(policy: Policy) -> &'static str {
    match policy {
        Policy::Exclude => "left out",
        Policy::AsUp => "up",
        Policy::AsDown => "outage",
    }
}

/// A subject's figures.
pub(super) struct Subject {
    pub(super) name: String,
    /// Where its account stands in the document.
    pub(super) anchor: Option<String>,
    pub(super) verdict: Badge,
    pub(super) availability: String,
    pub(super) down: String,
    pub(super) unproven: String,
    pub(super) maintenance: String,
    pub(super) outages: i64,
    pub(super) longest: String,
    pub(super) mtrs: String,
}

impl Subject {
    pub(super) fn of(line: &Line, has_account: bool) -> Self {
        let buckets = &line.reckoning.buckets;
        let or_none = |ms: i64| if ms == 0 { "–".to_owned() } else { words::duration(ms) };
        Self {
            name: line.known.subject.name(),
            anchor: has_account.then(|| anchor(line)),
            verdict: verdict(&line.reckoning.figures),
            availability: percent(line.reckoning.figures.availability),
            down: or_none(buckets.ms(Bucket::Down) + buckets.ms(Bucket::CleanStop)),
            unproven: or_none(buckets.unproven_ms()),
            maintenance: or_none(buckets.ms(Bucket::Maintenance)),
            outages: line.means.outages,
            longest: or_none(line.means.longest_ms),
            mtrs: line.means.mtrs_ms.map_or_else(|| "–".into(), words::duration),
        }
    }
}

/// Where a subject's account stands in the document.
fn anchor(line: &Line) -> String {
    words::encode(&line.known.subject.key())
}

/// All that was not simply up of a subject.
pub(super) struct Account {
    pub(super) name: String,
    pub(super) anchor: String,
    pub(super) verdict: Badge,
    pub(super) says: String,
    pub(super) timeline: Timeline,
    /// How many of them a service needs; empty of others.
    pub(super) needs: String,
    /// What a service is made of.
    pub(super) members: Vec<Member>,
    /// The same with what people said afterwards, where that makes a difference.
    pub(super) agreed: Option<(Badge, String, Timeline)>,
    pub(super) tables: Vec<Table>,
    /// What people said afterwards.
    pub(super) said: Vec<Said>,
}

/// What a service is made of, as it was measured in agreed time.
pub(super) struct Member {
    pub(super) name: String,
    /// How deep it lies: 1 for a member of the service, 2 for one of a service that is its member.
    pub(super) depth: usize,
    pub(super) says: String,
    /// Whether there is nothing else to tell.
    pub(super) was_up: bool,
    pub(super) pieces: Vec<Piece>,
    pub(super) now: i64,
}

fn members(agreement: &Agreement, of: &Known, report: &Report, zone: &TimeZone, depth: usize) -> Vec<Member> {
    let one = |member: &Known| {
        let reckoning = reckon(agreement, &member.as_measured(), report.window);
        let Timeline { pieces, now, .. } = Timeline::of(&reckoning.stretches, report, zone);
        let says = member_says(&member.subject, &reckoning.buckets);
        let stretches = reckoning.stretches.iter();
        let was_up =
            stretches.map(|stretch| stretch.bucket).all(|one| matches!(one, Bucket::Up | Bucket::OutsideHours));
        let row = Member { name: member.subject.name(), depth, says, was_up, pieces, now };
        std::iter::once(row).chain(members(agreement, member, report, zone, depth + 1)).collect::<Vec<_>>()
    };
    of.members.iter().flat_map(one).collect()
}

/// Entries of one kind.
pub(super) struct Table {
    pub(super) title: &'static str,
    /// What the last column tells, if there is one.
    pub(super) last: &'static str,
    pub(super) rows: Vec<Row>,
}

/// Whether it was up all the time, and nobody said otherwise, as far as can be told without its members.
pub(super) fn was_up(line: &Line) -> bool {
    let mut buckets = line.reckoning.stretches.iter().map(|stretch| stretch.bucket);
    let is_up = buckets.all(|one| matches!(one, Bucket::Up | Bucket::OutsideHours));
    is_up && line.known.members.is_empty() && !line.known.is_amended()
}

impl Account {
    /// None where it and all that it is made of was up all the time, and nobody said otherwise.
    pub(super) fn of(line: &Line, made: &Made<'_>, zone: &TimeZone) -> Option<Self> {
        let agreement = &made.declared.agreement;
        let entries = entries(agreement, line, made.report.window.until);
        let said: Vec<Said> = said(line, zone).into_iter().map(|said| for_audience(said, made.audience)).collect();
        let members = members(agreement, &line.known, made.report, zone, 1);
        if entries.is_empty() && said.is_empty() && members.iter().all(|member| member.was_up) {
            return None;
        }
        let staff = made.audience == Audience::Staff;
        let incidents = if staff { made.handling.of(&line.known) } else { Vec::new() };
        let of = Of { incidents: &incidents, outages: &line.outages, made, zone };
        let table = |title, last, wanted: fn(&Entry) -> bool| {
            let entries = entries.iter().filter(|entry| wanted(entry));
            Table { title, last, rows: entries.map(|entry| of.row(entry)).collect() }
        };
        let mut tables = vec![
            table("Not serving", if staff { "Incident" } else { "" }, |entry| {
                matches!(entry.bucket, Bucket::Down | Bucket::CleanStop)
            }),
            table("Not proven", "", Entry::is_unproven),
            table("Planned", "Window", |entry| entry.bucket == Bucket::Maintenance),
        ];
        tables.retain(|table| !table.rows.is_empty());
        let figures = &line.reckoning.figures;
        let timeline = |reckoning: &Reckoning| Timeline::of(&reckoning.stretches, made.report, zone);
        Some(Self {
            name: line.known.subject.name(),
            anchor: anchor(line),
            verdict: verdict(figures),
            says: says(figures),
            agreed: line.agreed.as_ref().map(|agreed| {
                let figures = &agreed.reckoning.figures;
                (verdict(figures), says(figures), timeline(&agreed.reckoning))
            }),
            timeline: timeline(&line.reckoning),
            needs: needs(&line.known.subject).unwrap_or_default(),
            members,
            tables,
            said,
        })
    }
}

/// What was said, without the words of whoever said it where these are not for everybody.
fn for_audience(said: Said, audience: Audience) -> Said {
    match audience {
        Audience::Staff => said,
        Audience::Department => Said { reason: String::new(), ..said },
    }
}

fn says(figures: &Figures) -> String {
    format!(
        "{} of {} agreed, {} missing; proven {}",
        percent(figures.availability),
        words::duration(figures.agreed_ms),
        length(figures.agreed_ms - figures.served_ms),
        percent(figures.coverage),
    )
}

/// An entry of an account.
pub(super) struct Row {
    pub(super) from: String,
    pub(super) until: String,
    pub(super) open: bool,
    pub(super) length: String,
    pub(super) seconds: String,
    pub(super) name: &'static str,
    pub(super) counts: &'static str,
    /// Windows of planned work over it.
    pub(super) windows: String,
    /// How much of planned work it was seen down in.
    pub(super) within: Option<String>,
    /// Cause and evidence.
    pub(super) reasons: Vec<(String, String)>,
    pub(super) more: usize,
    /// What people say of it.
    pub(super) notes: Vec<String>,
    pub(super) disputed: bool,
    pub(super) incidents: Vec<Told>,
}

/// An incident that told of an outage.
pub(super) struct Told {
    pub(super) number: String,
    pub(super) link: Option<String>,
    /// Who had it, and how soon.
    pub(super) taken: String,
}

/// What the rows of a subject are made with.
struct Of<'a> {
    incidents: &'a [Incident],
    outages: &'a [Outage],
    made: &'a Made<'a>,
    zone: &'a TimeZone,
}

impl Of<'_> {
    fn row(&self, entry: &Entry) -> Row {
        let down = matches!(entry.bucket, Bucket::Down | Bucket::CleanStop);
        let overlaps = |outage: &&Outage| outage.span.from < entry.span.until && outage.span.until > entry.span.from;
        let outage = self.outages.iter().find(overlaps).filter(|_| down);
        let told = of_span(entry.span, if down { self.incidents } else { &[] });
        let staff = self.made.audience == Audience::Staff;
        let reasons = entry.reasons.iter().filter(|_| staff).map(|reason| {
            let same = reason.evidence == reason.cause;
            (reason.cause.clone(), if same { String::new() } else { reason.evidence.clone() })
        });
        let within = (entry.bucket == Bucket::Maintenance && entry.down_within_ms > 0)
            .then(|| format!("seen down for {} of it", words::duration(entry.down_within_ms)));
        let category =
            outage.and_then(|outage| outage.category).map(|cause| format!("cause: {}", cause.word().replace('_', " ")));
        let notes = outage.filter(|_| staff).map(|outage| outage.notes.clone()).unwrap_or_default();
        Row {
            from: words::clock_time(entry.span.from, self.zone),
            until: words::clock_time(entry.span.until, self.zone),
            open: entry.open,
            length: words::duration(entry.length_ms()),
            seconds: words::seconds(entry.length_ms()),
            name: name(entry.bucket),
            counts: counts(entry.counts),
            windows: entry.windows.join("; "),
            within,
            reasons: reasons.collect(),
            more: if staff { entry.more } else { 0 },
            notes: category.into_iter().chain(notes).collect(),
            disputed: outage.is_some_and(|outage| outage.disputed),
            incidents: told.map(|one| Told::of(one, self.made, self.zone)).collect(),
        }
    }
}

impl Told {
    fn of(incident: &Incident, made: &Made<'_>, zone: &TimeZone) -> Self {
        let called = |taken| {
            let paged = incident.paged.filter(|paged| *paged <= taken);
            paged.map_or_else(String::new, |paged| {
                format!(", {} after the first page", words::duration(taken.since_ms(paged)))
            })
        };
        let taken = match &incident.acknowledged {
            Some((at, who)) => format!("{who} took it {}{}", words::clock_time(*at, zone), called(*at)),
            None => "nobody took it".to_owned(),
        };
        Self {
            number: format!("#{}", incident.no),
            link: made.address.map(|address| format!("{address}/incidents/{}", incident.no)),
            taken,
        }
    }
}
