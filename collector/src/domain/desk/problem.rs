//! Problems: anything wrong that the desk knows, from whatever source, with the key that is the same everywhere.

use crate::domain::{
    alert::Alert,
    finding::FindingRow,
    host::{Cause, State, checks::CheckRow},
    ids::HostNo,
    labels::Profile,
    record::ProblemRow,
    redundancy::{Count, Group},
    severity::Severity,
    time::Timestamp,
    watch::Watch,
};

/// One problem.
#[derive(Debug, Clone)]
pub struct Problem {
    /// As stored.
    pub row: ProblemRow,
    /// When it is over unless it is said again. What is stored of that may be a little older.
    pub until: Option<Timestamp>,
}

/// How far the stored end of an alert may lag behind: not every repetition is written down, and after a start senders
/// are given time anyway.
const UNTIL_LAG_MS: i64 = 3_600_000;

impl Problem {
    /// As loaded.
    #[must_use]
    pub fn loaded(row: ProblemRow) -> Self {
        Self { until: row.alert.as_ref().map(|alert| alert.until), row }
    }

    /// Takes over severity, summary and evidence; true when something changed.
    pub fn become_like(&mut self, other: Self) -> bool {
        let before = self.row.clone();
        let until = |row: &ProblemRow| row.alert.as_ref().map_or(0, |alert| alert.until.ms());
        if until(&other.row) - until(&self.row) >= UNTIL_LAG_MS {
            self.row.alert = other.row.alert;
        }
        self.row.hosts = other.row.hosts;
        self.row.severity = other.row.severity;
        self.row.summary = other.row.summary;
        self.row.evidence = other.row.evidence;
        self.row.cause = other.row.cause;
        self.row.since = self.row.since.min(other.row.since);
        self.until = other.until;
        self.row != before
    }
}

/// `liveness/<host id>/host`
#[must_use]
pub fn liveness_key(profile: &Profile) -> String {
    format!("liveness/{}/host", profile.id)
}

/// `finding/<host id>/<rule>:<part>`
#[must_use]
pub fn finding_key(profile: &Profile, finding: &FindingRow) -> String {
    format!("finding/{}/{}:{}", profile.id, finding.rule, finding.part)
}

/// `check/<host id>/<check>`
#[must_use]
pub fn check_key(profile: &Profile, row: &CheckRow) -> String {
    format!("check/{}/{}", profile.id, row.check)
}

/// `self/collector/<what>`
#[must_use]
pub fn self_key(what: &str) -> String {
    format!("self/collector/{what}")
}

/// The problem that a liveness is, if it is one.
#[must_use]
pub fn of_liveness(
    profile: &Profile,
    state: State,
    cause: &Cause,
    since: Timestamp,
    now: Timestamp,
) -> Option<Problem> {
    let severity = match (state, profile.watch) {
        (_, Watch::None) => return None,
        // Only a device is ever down at this level: nobody is woken for a printer.
        (State::Down, Watch::Relaxed) => Severity::Info,
        (State::Down, _) | (State::AgentLost, Watch::Fast) => Severity::Critical,
        (State::AgentLost, _) => Severity::Warning,
        // Suspect and unknown change nothing: what was a problem before stays one until the host is seen up.
        _ => return None,
    };
    let what = if state == State::Down { "is down" } else { "has lost its agent" };
    Some(Problem {
        row: ProblemRow {
            key: liveness_key(profile),
            host: Some(profile.no),
            hosts: Vec::new(),
            kind: "liveness".into(),
            severity,
            since,
            summary: format!("{} {what}", profile.name),
            evidence: format!("{}; last heard {since}", cause.words()),
            cause: None,
            part_of: None,
            incident: None,
            fold_until: if profile.watch.timers().agent_hold_lost_ms == 0 && state == State::AgentLost {
                // The FIN of a living kernel is no cut: nothing to wait for.
                now
            } else {
                now.plus_ms(profile.watch.timers().fold_ms)
            },
            alert: None,
        },
        until: None,
    })
}

/// The problem that an open finding is.
#[must_use]
pub fn of_finding(profile: &Profile, finding: &FindingRow, now: Timestamp) -> Problem {
    Problem {
        row: ProblemRow {
            key: finding_key(profile, finding),
            host: Some(profile.no),
            hosts: Vec::new(),
            kind: "finding".into(),
            severity: if profile.watch == Watch::None { Severity::Info } else { finding.severity },
            since: finding.since,
            summary: format!("{}: {}", profile.name, finding.evidence),
            evidence: finding.evidence.clone(),
            cause: finding.cause.clone(),
            part_of: None,
            incident: None,
            fold_until: now,
            alert: None,
        },
        until: None,
    }
}

/// The problem that a check is, if it is one.
#[must_use]
pub fn of_check(profile: &Profile, row: &CheckRow, now: Timestamp) -> Option<Problem> {
    let severity = row.severity(profile)?;
    let said = if row.headline().is_empty() { "it said nothing" } else { row.headline() };
    Some(Problem {
        row: ProblemRow {
            key: check_key(profile, row),
            host: Some(profile.no),
            hosts: Vec::new(),
            kind: "check".into(),
            severity,
            since: row.since,
            summary: format!("{}: check {} is {}", profile.name, row.check, row.status.word()),
            evidence: said.to_owned(),
            cause: None,
            part_of: None,
            incident: None,
            fold_until: now,
            alert: None,
        },
        until: None,
    })
}

/// The problem that a trouble of the collector is.
#[must_use]
pub fn of_self(what: &str, severity: Severity, text: String, now: Timestamp) -> Problem {
    Problem {
        row: ProblemRow {
            key: self_key(what),
            host: None,
            hosts: Vec::new(),
            kind: "self".into(),
            severity,
            since: now,
            summary: format!("collector: {text}"),
            evidence: text,
            cause: None,
            part_of: None,
            incident: None,
            fold_until: now,
            alert: None,
        },
        until: None,
    }
}

/// The problem that an alert from elsewhere is.
#[must_use]
pub fn of_alert(alert: &Alert, host: Option<HostNo>, now: Timestamp) -> Problem {
    Problem {
        row: ProblemRow {
            key: alert.key(),
            host,
            hosts: Vec::new(),
            kind: "alert".into(),
            severity: alert.severity(),
            since: alert.starts.min(now),
            summary: alert.summary(),
            evidence: alert.evidence(),
            cause: None,
            part_of: None,
            incident: None,
            fold_until: now,
            alert: Some(Box::new(alert.row())),
        },
        until: Some(alert.until),
    }
}

/// The problem that a cut is.
#[must_use]
pub fn of_cut(scope: &str, names: usize, since: Timestamp, now: Timestamp, fold_ms: i64) -> Problem {
    Problem {
        row: ProblemRow {
            key: format!("liveness/{scope}/cut"),
            host: None,
            hosts: Vec::new(),
            kind: "liveness".into(),
            severity: Severity::Critical,
            since,
            summary: format!("{scope}: {names} hosts cut off from here"),
            evidence: format!("{names} hosts fell silent together; nothing answers for them"),
            cause: None,
            part_of: None,
            incident: None,
            fold_until: now.plus_ms(fold_ms),
            alert: None,
        },
        until: None,
    }
}

/// How many hosts a cut took with it, as [`of_cut`] has written it.
#[must_use]
pub fn hosts_of_cut(row: &ProblemRow) -> usize {
    row.evidence.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// The problem that a broken redundancy group is.
#[must_use]
pub fn of_group(group: &Group, count: &Count, now: Timestamp, fold_until: Timestamp) -> Problem {
    let (all, needs) = (group.members.len(), group.needs);
    Problem {
        row: ProblemRow {
            key: group.key(),
            host: None,
            hosts: Vec::new(),
            kind: "redundancy".into(),
            severity: group.severity,
            since: now,
            summary: format!("redundancy group {} is broken: {} of {all} up, needs {needs}", group.name, count.up),
            evidence: format!("not up: {}", count.lost.join(", ")),
            cause: None,
            part_of: None,
            incident: None,
            fold_until,
            alert: None,
        },
        until: None,
    }
}
