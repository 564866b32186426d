//! Hardware that fails or is going to, of the whole fleet: which part, where, what it rests on and what to do.

pub(in crate::web) mod coverage;
pub(in crate::web) mod part;
pub(in crate::web) mod rules;

use askama::Template;
use axum::{Extension, extract::State as Given};

use super::{Badge, Frame, Shown, When, show};
use crate::{
    domain::{finding::FindingRow, rules::hardware::named, severity::Severity, snapshot::HostView},
    web::{Shared, Web, accepted::accepted, access::Caller, words},
};

/// Rows shown; the API lists all.
const ROWS: usize = 500;

struct Row {
    severity: Severity,
    badge: Badge,
    part: String,
    /// Model and slot, as far as they are known.
    what: String,
    /// Its own page.
    url: String,
    evidence: String,
    rule: String,
    host: String,
    host_id: String,
    /// Whose it is and where it stands, as far as anybody said.
    place: String,
    since: When,
    /// Until when, by whom and why somebody answers for it, so that it calls nobody.
    accepted: Option<String>,
}

#[derive(Template)]
#[template(path = "hardware.html")]
struct HardwarePage {
    frame: Frame,
    rows: Vec<Row>,
    left_out: usize,
    /// How many are critical, warnings, worth knowing.
    counts: [usize; 3],
}

/// The view.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    let snapshot = web.snapshot();
    let of_host = |host: &HostView| host.findings.iter().filter(|row| named(&row.rule).is_some()).cloned().collect();
    let mut rows: Vec<Row> = Vec::new();
    for host in snapshot.hosts.values() {
        let findings: Vec<FindingRow> = of_host(host);
        rows.extend(findings.into_iter().map(|finding| row(&web, host, finding)));
    }
    rows.sort_by(|one, other| {
        other.severity.cmp(&one.severity).then_with(|| (&one.host, &one.part).cmp(&(&other.host, &other.part)))
    });
    let count = |severity| rows.iter().filter(|row| row.severity == severity).count();
    let counts = [Severity::Critical, Severity::Warning, Severity::Info].map(count);
    let left_out = rows.len().saturating_sub(ROWS);
    rows.truncate(ROWS);
    show(&HardwarePage { frame: Frame::new(&web, &caller, "hardware", "Hardware"), rows, left_out, counts })
}

fn row(web: &Web, host: &HostView, finding: FindingRow) -> Row {
    let profile = &host.profile;
    let snapshot = web.snapshot();
    let accepted = accepted(&snapshot.holds, profile, &finding, web.now());
    let accepted = accepted.map(|(hold, until)| {
        format!("accepted until {} by {}: {}", words::clock_time(until, &web.zone), hold.by, hold.reason)
    });
    let board = web.context.board.of(profile.no);
    let part = board.as_ref().and_then(|board| board.part(&finding.part));
    let slot = part.map(|part| part.slot.as_str()).filter(|slot| !slot.is_empty()).map(|slot| format!("in {slot}"));
    let model = part.map(|part| part.model.clone()).filter(|model| !model.is_empty());
    let site = profile.site.iter().map(|site| format!("site {site}"));
    let said = ["owner", "department", "environment"].iter().filter_map(|label| {
        let value = profile.labels.get(*label)?;
        Some(format!("{label} {value}"))
    });
    Row {
        severity: finding.severity,
        badge: Badge::severity(finding.severity),
        url: part_url(&profile.id.to_string(), &finding.part),
        what: model.into_iter().chain(slot).collect::<Vec<_>>().join(", "),
        part: finding.part,
        evidence: finding.evidence,
        rule: finding.rule,
        host: profile.name.clone(),
        host_id: profile.id.to_string(),
        place: site.chain(said).collect::<Vec<_>>().join(", "),
        since: When::new(finding.since, web.now(), &web.zone),
        accepted,
    }
}

/// Where a part of a host has its page.
pub(in crate::web) fn part_url(host_id: &str, part: &str) -> String {
    format!("/hardware/{host_id}/{}", words::encode_part(part))
}
