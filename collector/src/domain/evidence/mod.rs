//! What a host found when it was asked for more than its readings.
//!
//! A rule names the source that shows who is to blame (`evidence` in the catalogue); the host is asked when a finding of
//! it opens or becomes worse, seldom enough that a finding that comes and goes costs the host nothing. Its answer is
//! a record like any other; which finding it belongs to is read off the time at which it was taken.

mod processes;

use super::{
    finding::{FindingRow, Judgement, Verdict},
    rules::Rule,
    time::Timestamp,
};

pub use self::processes::{Order, Process, Processes, Taken};

/// A host is asked at most once within this, in milliseconds.
pub const ASKED_EVERY_MS: i64 = 60_000;

/// The source to ask for now, if any: one that a finding names which is not `open` yet, or less severe there.
#[must_use]
pub fn wanted(judgements: &[Judgement], open: &[FindingRow]) -> Option<&'static str> {
    judgements.iter().find_map(|judgement| {
        let Verdict::Holds { severity, .. } = judgement.verdict else { return None };
        let known = open.iter().find(|row| row.open && row.rule == judgement.rule && row.part == judgement.part);
        let is_news = known.is_none_or(|known| known.severity < severity);
        Rule::named(judgement.rule)?.evidence.filter(|_| is_news)
    })
}

/// What was found about a finding's beginning: the nearest of what was taken last before it, when another finding's
/// asking may have kept this one's from being asked for, and first after it.
#[must_use]
pub fn nearest(since: Timestamp, before: Option<Taken>, after: Option<Taken>) -> Option<Taken> {
    before.into_iter().chain(after).min_by_key(|taken| taken.at.since_ms(since).abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ids::HostNo, severity::Severity};

    fn holds(rule: &'static str, severity: Severity) -> Judgement {
        Judgement {
            part: "memory".into(),
            rule,
            verdict: Verdict::Holds { severity, evidence: String::new() },
            cause: None,
        }
    }

    fn open(severity: Severity) -> [FindingRow; 1] {
        let (part, rule) = ("memory".to_owned(), "memory_exhausted".to_owned());
        let (since, evidence) = (Timestamp::from_ms(0), String::new());
        [FindingRow { host: HostNo(1), part, rule, open: true, severity, since, evidence, cause: None }]
    }

    #[test]
    fn a_host_is_asked_when_a_finding_about_memory_or_load_opens_or_becomes_worse() {
        let exhausted = |severity| [holds("memory_exhausted", severity)];
        assert_eq!(wanted(&exhausted(Severity::Warning), &[]), Some("processes"));
        assert_eq!(wanted(&exhausted(Severity::Critical), &open(Severity::Warning)), Some("processes"));
        assert_eq!(wanted(&exhausted(Severity::Warning), &open(Severity::Warning)), None, "it was in doubt");
        assert_eq!(wanted(&exhausted(Severity::Warning), &open(Severity::Critical)), None, "it is less bad");
        let cleared = Verdict::Cleared { evidence: String::new() };
        assert_eq!(wanted(&[Judgement { verdict: cleared, ..holds("memory_exhausted", Severity::Info) }], &[]), None);
        assert_eq!(wanted(&[holds("clock_off", Severity::Critical)], &[]), None);
        let both = [holds("clock_off", Severity::Critical), holds("io_pressure", Severity::Warning)];
        assert_eq!(wanted(&both, &open(Severity::Warning)), Some("processes"));
    }

    #[test]
    fn what_was_taken_nearest_to_a_beginning_is_of_it() {
        let taken = |ms| Some(Taken { at: Timestamp::from_ms(ms), found: Err(String::new()) });
        let nearest = |before, after| nearest(Timestamp::from_ms(1_000), before, after).map(|taken| taken.at.ms());
        assert_eq!(nearest(taken(500), taken(1_400)), Some(1_400));
        assert_eq!(nearest(taken(500), taken(1_600)), Some(500));
        assert_eq!(
            (nearest(None, taken(9_000)), nearest(taken(0), None), nearest(None, None)),
            (Some(9_000), Some(0), None)
        );
    }

    #[test]
    fn the_rules_about_memory_and_load_ask_for_processes_and_no_others() {
        let asking: Vec<_> = crate::domain::rules::RULES.iter().filter(|rule| rule.evidence.is_some()).collect();
        let names: Vec<_> = asking.iter().map(|rule| rule.name).collect();
        assert_eq!(names, ["memory_exhausted", "oom_kill", "swap_storm", "cpu_pressure", "io_pressure"]);
        assert!(asking.iter().all(|rule| rule.evidence == Some(crate::domain::rules::PROCESSES)));
    }
}
