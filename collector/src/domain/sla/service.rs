//! Services: what depends on several hosts, checks and other services, and is there while enough of them are.
//!
//! The members of an instant stand in order from the best to the worst that can be known of them ([`FROM_BEST`]), and the
//! service is what the last one is that it needs. So it is up if enough are proven up, and down if too few are left even with
//! all up of which nobody can say; else it is as much in doubt as the member on which it depends. Planned work is the worst:
//! a service is in maintenance only where that alone takes it away - where the rule could not be met without the members that
//! are being worked on, whatever the others did. A member that fails while its twin is being worked on is an outage.
//!
//! Members that are not in service - not enrolled yet, or retired - are not counted: of all, all that are left are needed.
//! The service is in service while as many of them are as it needs, so its life begins with that of its last needed member.
//! Of a service that has no member at all nobody knows anything.
//!
//! Nothing of it is stored: it is reckoned from the histories of its members whenever somebody asks.

use std::collections::BTreeSet;

use super::{
    account::InOrder,
    amendment::{Amended, Note},
    history::{Observation, Planned},
    inputs::{Basis, Version},
    lattice::{self, Bucket, Stretch},
    report::Known,
    subject::Subject,
};
use crate::domain::{calendar::Span, hold::Scope, time::Timestamp};

/// Members that are named in the cause or the evidence of an outage; more are counted.
const NAMED: usize = 10;
/// Reasons of one member that are told of one outage.
const REASONS: usize = 3;
/// A longer proof of a member's being gone is that of a service with many members; its cause says enough. In bytes.
const PROOF_BYTES: usize = 200;

/// From the best that can be known of a member to the worst. One that is not in service is no member.
const FROM_BEST: [Bucket; 7] = [
    Bucket::Up,
    Bucket::Unreachable,
    Bucket::CollectorDown,
    Bucket::Unknown,
    Bucket::CleanStop,
    Bucket::Down,
    Bucket::Maintenance,
];

/// A service, as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Its name.
    pub name: String,
    /// How many of its members it needs.
    pub needs: Needs,
    /// Hosts that are its members; empty: none.
    pub scope: Scope,
    /// Names of checks with `*` and `?`: these checks of those hosts are its members, instead of the hosts.
    pub checks: Vec<String>,
    /// Services that are its members.
    pub services: Vec<Self>,
}

impl Service {
    /// It and all that it is made of, each time that it is.
    #[must_use]
    pub fn whole(&self) -> Vec<&Self> {
        std::iter::once(self).chain(self.services.iter().flat_map(Self::whole)).collect()
    }

    /// It, with these in the place of those of the same names.
    #[must_use]
    pub fn with(&self, others: &[Self]) -> Self {
        let other = others.iter().find(|other| other.name == self.name);
        let services = self.services.iter().map(|service| service.with(others)).collect();
        other.cloned().unwrap_or_else(|| Self { services, ..self.clone() })
    }
}

/// How many members a service needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// All that are in service.
    All,
    /// One.
    Any,
    /// So many, 1 or more.
    AtLeast(usize),
}

impl Needs {
    /// How many that is where so many are in service.
    #[must_use]
    pub const fn of(self, members: usize) -> usize {
        match self {
            Self::All => members,
            Self::Any => 1,
            Self::AtLeast(least) => least,
        }
    }

    /// `needs all`, `needs any`, `needs at least 2`
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::All => "needs all".into(),
            Self::Any => "needs any".into(),
            Self::AtLeast(least) => format!("needs at least {least}"),
        }
    }
}

/// How many members are what, at an instant.
#[derive(Debug, Clone, Copy, Default)]
struct Tally([usize; Bucket::ALL.len()]);

impl Tally {
    const fn of(&self, bucket: Bucket) -> usize {
        self.0[bucket as usize]
    }

    fn in_service(&self) -> usize {
        FROM_BEST.into_iter().map(|bucket| self.of(bucket)).sum()
    }

    /// What a service of these is.
    fn service(&self, needs: Needs) -> Bucket {
        let in_service = self.in_service();
        let needed = needs.of(in_service);
        let mut enough = 0;
        let reached = FROM_BEST.into_iter().find(|bucket| {
            enough += self.of(*bucket);
            enough >= needed
        });
        reached.filter(|_| in_service > 0).unwrap_or(Bucket::OutsideHours)
    }
}

/// A stretch of a service, and its members that were in service but not up: those at its beginning, then those that followed.
struct Part {
    stretch: Stretch,
    lacking: Vec<usize>,
    /// How many of them there were at its beginning.
    at_first: usize,
    tally: Tally,
}

/// What a service of these members is: the window without gaps, in order. Each member is a window without gaps too.
#[must_use]
pub fn combine(members: &[&[Stretch]], needs: Needs, window: Span) -> Vec<Stretch> {
    parts(members, needs, window).into_iter().map(|part| part.stretch).collect()
}

fn parts(members: &[&[Stretch]], needs: Needs, window: Span) -> Vec<Part> {
    if members.is_empty() {
        let stretch = Stretch::new(window.from, window.until, Bucket::Unknown);
        return vec![Part { stretch, lacking: Vec::new(), at_first: 0, tally: Tally::default() }];
    }
    let mut changes: Vec<(Timestamp, usize, Bucket)> = Vec::new();
    for (at, member) in members.iter().enumerate() {
        let within = member.iter().filter(|stretch| stretch.span.until > window.from);
        changes.extend(within.map(|stretch| (stretch.span.from.max(window.from), at, stretch.bucket)));
    }
    changes.retain(|(at, ..)| *at < window.until);
    changes.sort_unstable();
    let mut now = Moment::of(members.len());
    let mut laid: Vec<Part> = Vec::new();
    for together in changes.chunk_by(|one, other| one.0 == other.0) {
        let (from, bucket) = (together[0].0, now.turn(together, needs));
        match laid.last_mut() {
            Some(last) if last.stretch.bucket == bucket => last.joined_by(&now, together),
            last => {
                last.into_iter().for_each(|last| last.stretch.span.until = from);
                laid.push(now.part(Stretch::new(from, window.until, bucket)));
            }
        }
    }
    laid
}

/// What each member is at an instant.
struct Moment {
    states: Vec<Bucket>,
    tally: Tally,
    /// Those that are in service but not up, by their place.
    lacking: BTreeSet<usize>,
}

impl Moment {
    /// Before anything is known.
    fn of(members: usize) -> Self {
        let mut tally = Tally::default();
        tally.0[Bucket::OutsideHours as usize] = members;
        Self { states: vec![Bucket::OutsideHours; members], tally, lacking: BTreeSet::new() }
    }

    /// Takes in what changes at once, and says what the service is from then on.
    fn turn(&mut self, changes: &[(Timestamp, usize, Bucket)], needs: Needs) -> Bucket {
        for (_, member, bucket) in changes {
            let old = std::mem::replace(&mut self.states[*member], *bucket);
            self.tally.0[old as usize] -= 1;
            self.tally.0[*bucket as usize] += 1;
            match bucket {
                Bucket::Up | Bucket::OutsideHours => self.lacking.remove(member),
                _ => self.lacking.insert(*member),
            };
        }
        self.tally.service(needs)
    }

    fn part(&self, stretch: Stretch) -> Part {
        let lacking: Vec<usize> = match stretch.bucket {
            Bucket::Up | Bucket::OutsideHours => Vec::new(),
            _ => self.lacking.iter().copied().take(NAMED).collect(),
        };
        Part { stretch, at_first: lacking.len(), lacking, tally: self.tally }
    }
}

impl Part {
    /// Goes on although something changed.
    fn joined_by(&mut self, now: &Moment, changes: &[(Timestamp, usize, Bucket)]) {
        if matches!(self.stretch.bucket, Bucket::Up | Bucket::OutsideHours) {
            return;
        }
        for (_, member, _) in changes {
            let is_new = now.lacking.contains(member) && !self.lacking.contains(member);
            if is_new && self.lacking.len() < NAMED {
                self.lacking.push(*member);
            }
        }
    }
}

/// One of two sides of what is known of a member.
struct Side<'a> {
    name: String,
    stretches: Vec<Stretch>,
    observed: Vec<Observation>,
    planned: Vec<&'a Planned>,
}

impl<'a> Side<'a> {
    fn measured(known: &'a Known, (period, now): (Span, Timestamp)) -> Self {
        let planned = known.maintenance.iter().filter(|planned| planned.is_measured()).collect();
        Self::of(known, known.as_measured(), known.observed.clone(), planned, (period, now))
    }

    fn agreed(known: &'a Known, (period, now): (Span, Timestamp)) -> Self {
        let planned = known.maintenance.iter().filter(|planned| planned.is_agreed()).collect();
        Self::of(known, known.as_agreed(), known.said(), planned, (period, now))
    }

    /// What is to come as if nothing happened but what is planned.
    fn of(
        known: &Known,
        rows: Vec<Stretch>,
        observed: Vec<Observation>,
        planned: Vec<&'a Planned>,
        (period, now): (Span, Timestamp),
    ) -> Self {
        let to_come = Stretch::new(now, period.until, Bucket::Up);
        let stretches = lattice::lay(rows.into_iter().chain([to_come]), period);
        Self { name: known.subject.name(), stretches, observed, planned }
    }

    fn bucket(&self, at: Timestamp) -> Bucket {
        let place = self.stretches.partition_point(|stretch| stretch.span.until <= at);
        self.stretches.get(place).map_or(Bucket::Unknown, |stretch| stretch.bucket)
    }

    /// Why it was not up in a stretch: which planned work there was and what was observed of it, each once.
    fn why(&self, observed: &InOrder<'_>, span: Span) -> Option<String> {
        let meets = |other: Span| other.from < span.until && other.until > span.from;
        let is_reason = |entry: &&Observation| !matches!(entry.stretch.bucket, Bucket::Up | Bucket::OutsideHours);
        let seen = observed.within(span).filter(is_reason).map(|entry| match entry.evidence.as_str() {
            proof if proof.is_empty() || proof == entry.cause || proof.len() > PROOF_BYTES => entry.cause.clone(),
            proof => format!("{} ({proof})", entry.cause),
        });
        let planned = self.planned.iter().filter(|planned| meets(planned.span)).map(|planned| planned.window.clone());
        let mut reasons: Vec<String> = Vec::new();
        for reason in planned.chain(seen) {
            if !reasons.contains(&reason) {
                reasons.push(reason);
            }
        }
        let more = reasons.len().saturating_sub(REASONS);
        reasons.truncate(REASONS);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        (!reasons.is_empty()).then(|| format!("{}: {}{more}", self.name, reasons.join(", ")))
    }
}

/// What is known of a service of these members, of which `window` is what of the period is over; what is planned beyond is
/// known too. `said` is what people said of it itself afterwards, and in which amendments.
#[must_use]
pub fn known(
    service: &Service,
    members: Vec<Known>,
    (period, window): (Span, Span),
    (said, amendments): (Amended, Vec<Version>),
) -> Known {
    let over = (period, window.until);
    let told = |sides: Vec<Side<'_>>| observations(&sides, service.needs, (period, window));
    let observed = told(members.iter().map(|member| Side::measured(member, over)).collect());
    let with_others = members
        .iter()
        .any(Known::is_amended)
        .then(|| told(members.iter().map(|member| Side::agreed(member, over)).collect()))
        .filter(|agreed| *agreed != observed);
    Known {
        subject: Subject::Service { name: service.name.clone(), needs: service.needs, of: members.len() },
        observed,
        with_others,
        maintenance: Vec::new(),
        amended: Amended { notes: notes(&members).into_iter().chain(said.notes).collect(), ..said },
        basis: Basis { amendments, ..Basis::of_members(&service.name) },
        members,
    }
}

/// What people say of outages of its members, they say of those of the service in which these lie; what they say of its own
/// counts more.
fn notes(members: &[Known]) -> Vec<Note> {
    let of_member = |member: &Known| {
        let name = member.subject.name();
        let named = move |note: &Note| Note { text: format!("{name}: {}", note.text), ..note.clone() };
        member.amended.notes.iter().map(named).collect::<Vec<_>>()
    };
    let mut notes: Vec<Note> = members.iter().flat_map(of_member).collect();
    notes.sort_by_key(|note| note.at);
    notes
}

fn observations(members: &[Side<'_>], needs: Needs, (period, window): (Span, Span)) -> Vec<Observation> {
    let stretches: Vec<&[Stretch]> = members.iter().map(|side| side.stretches.as_slice()).collect();
    let observed: Vec<InOrder<'_>> = members.iter().map(|side| InOrder::of(&side.observed)).collect();
    let told = |part: Part| {
        let mut stretch = part.stretch;
        if stretch.bucket != Bucket::Maintenance {
            stretch.span.until = stretch.span.until.min(window.until);
        }
        (stretch.span.from < stretch.span.until).then(|| {
            let (cause, evidence) = reasons((members, &observed), needs, &part);
            Observation { stretch, cause, evidence, learned: stretch.span.until, unattended: false }
        })
    };
    parts(&stretches, needs, period).into_iter().filter_map(told).collect()
}

/// Who was not up at a stretch's beginning, and why each was not that was not at some time in it.
fn reasons((members, observed): (&[Side<'_>], &[InOrder<'_>]), needs: Needs, part: &Part) -> (String, String) {
    let Part { stretch: Stretch { span, bucket }, lacking, at_first, tally } = part;
    let simply = |cause: &str| (cause.to_owned(), String::new());
    match bucket {
        _ if members.is_empty() => return simply("no member of it is known"),
        Bucket::OutsideHours => {
            let (there_are, needed) = (tally.in_service(), needs.of(tally.in_service()).max(1));
            return simply(&format!("{there_are} of its members in service, needs {needed}"));
        }
        Bucket::Up => return simply("enough of its members are up"),
        _ => {}
    }
    let (up, in_service) = (tally.of(Bucket::Up), tally.in_service());
    let needed = needs.of(in_service);
    let mut first: Vec<(Bucket, &str)> = lacking[..*at_first]
        .iter()
        .map(|place| (members[*place].bucket(span.from), members[*place].name.as_str()))
        .collect();
    // What it depends on comes first.
    first.sort_by_key(|(other, _)| (other != bucket, *other));
    let mut who: Vec<String> = first.into_iter().map(|(bucket, name)| format!("{name} {}", state(bucket))).collect();
    let unnamed = in_service - up - who.len();
    who.extend((unnamed > 0).then(|| format!("{unnamed} more not up")));
    let why: Vec<String> = lacking.iter().filter_map(|at| members[*at].why(&observed[*at], *span)).collect();
    (format!("{up} of {in_service} up, needs {needed}: {}", who.join(", ")), why.join("; "))
}

const fn state(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::OutsideHours => "not in service",
        Bucket::Maintenance => "in maintenance",
        Bucket::Down => "down",
        Bucket::CleanStop => "stopped on purpose",
        Bucket::Up => "up",
        Bucket::Unreachable => "unreachable",
        Bucket::CollectorDown => "not watched",
        Bucket::Unknown => "unknown",
    }
}
