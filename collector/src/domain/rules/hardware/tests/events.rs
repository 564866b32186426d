//! The log of a management controller: what takes an entry back, and what was there before anybody looked.

use super::{
    super::{
        Verdict::{Failing, Healthy},
        Weight,
        sheet::{Told, named, sheets},
        standing::{Seen, differences, findings, history, understood},
    },
    WELL, check_cases, judged,
};
use crate::domain::{
    severity::Severity::{self, Info, Warning},
    time::Timestamp,
};

/// A log as `ipmitool sel elist` prints it.
fn sel(events: &[&str]) -> String {
    let line = |(n, event): (usize, &&str)| format!("{:4x} | 10/06/2026 | 19:47:{n:02} UTC | {event}\n", n + 1);
    events.iter().enumerate().map(line).collect()
}

#[test]
fn an_event_is_taken_back_by_the_same_event_of_the_same_sensor_or_by_a_sensor_that_is_well() {
    let failure = "Power Supply PS1 | Failure detected () | Asserted";
    let redundancy = "Power Supply PS Redundancy | Redundancy Lost | Asserted";
    let (event, none): (&[_], &[_]) = (&[("bmc-event", Warning)], &[]);
    let failed = super::super::Verdict::Failed;
    check_cases(
        "ipmi",
        &[
            (&sel(&[failure, "Power Supply PS1 | Failure detected () | Deasserted"]), WELL.0, WELL.1),
            // It was pulled, or another event of it ended.
            (&sel(&[failure, "Power Supply PS1 | Presence detected | Deasserted"]), failed, event),
            (&sel(&[failure, "Power Supply PS1 | Power Supply AC lost | Deasserted"]), failed, event),
            (&sel(&[failure, "Power Supply PS2 | Failure detected () | Deasserted"]), failed, event),
            // Before it, not after it.
            (&sel(&["Power Supply PS1 | Failure detected () | Deasserted", failure]), failed, event),
            (&sel(&[redundancy, "Power Supply PS Redundancy | Fully Redundant | Asserted"]), WELL.0, WELL.1),
            (&sel(&[redundancy, "Power Supply PS Redundancy | Fully Redundant | Deasserted"]), Failing, event),
            (
                &sel(&["Fan 1 | Lower Critical going low  | Asserted", "Fan 1 | Lower Critical going high | Asserted"]),
                Healthy,
                none,
            ),
            (
                &sel(&[
                    "Fan 1 | Lower Critical going low | Asserted",
                    "Fan 1 | Lower Non-critical going high | Asserted",
                ]),
                Failing,
                event,
            ),
        ],
    );
}

#[test]
fn free_ipmi_takes_an_event_back_by_rating_the_same_event_nominal() {
    let log = |events: &[(&str, &str)]| {
        let line = |(n, (state, event)): (usize, &(&str, &str))| {
            format!("{n} | Oct-06-2026 | 19:47:{n:02} | PS 1 | Power Supply | {state} | {event}\n")
        };
        let lines: String = events.iter().enumerate().map(line).collect();
        format!("ID | Date | Time | Name | Type | State | Event\n{lines}")
    };
    let failure = ("Critical", "Power Supply Failure detected");
    let event: &[_] = &[("bmc-event", Warning)];
    let failed = super::super::Verdict::Failed;
    check_cases(
        "ipmi",
        &[
            (&log(&[failure, ("Nominal", "Power Supply Failure detected ; OEM = 1")]), WELL.0, WELL.1),
            (&log(&[failure, ("Nominal", "Presence detected")]), failed, event),
        ],
    );
}

const OLD: &str = "Power Supply PS1 | Failure detected () | Asserted";
const NEW: &str = "Fan 1 | Lower Critical going low | Asserted";

fn seen(now: &[&str], first: Option<&[&str]>) -> Seen {
    let facts = |events: &[&str]| understood("ipmi", sel(events).as_bytes()).unwrap();
    Seen { device: "events".into(), facts: facts(now), before: first.map(facts), used: Vec::new() }
}

fn opened(seen: Seen) -> Vec<(String, &'static str)> {
    let judgements = differences(&findings(&[seen]), &[]);
    judgements.into_iter().map(|judgement| (judgement.part, judgement.rule)).collect()
}

#[test]
fn what_was_in_the_log_at_the_first_look_is_only_told_and_what_is_new_is_found() {
    assert_eq!(opened(seen(&[OLD], None)), [], "the first look");
    assert_eq!(opened(seen(&[OLD, NEW], Some(&[OLD]))), [("sensor Fan 1".to_owned(), "bmc-event")]);
    // The very same event comes again after it was taken back.
    let again = [OLD, "Power Supply PS1 | Failure detected () | Deasserted", OLD];
    assert_eq!(opened(seen(&again, Some(&[OLD]))), [("sensor Power Supply PS1".to_owned(), "bmc-event")]);
    // The log was empty, or was cleared since: what is in it now is new.
    let empty = Seen { before: understood("ipmi", b"SEL has no entries\n"), ..seen(&[OLD], None) };
    assert_eq!(opened(empty), [("sensor Power Supply PS1".to_owned(), "bmc-event")]);
    let told: Vec<(Severity, Weight)> =
        history(&[seen(&[OLD, NEW], Some(&[OLD]))]).map(|finding| (finding.severity, finding.weight)).collect();
    assert_eq!(told, [(Info, Weight::Told)]);
}

#[test]
fn sensors_are_what_they_are_now_whatever_they_were_at_the_first_look() {
    let facts = understood("ipmi", b"PS Redundancy,77h,ok,7.1,Redundancy Lost\n").unwrap();
    let seen = Seen { device: "sensors".into(), before: Some(facts.clone()), facts, used: Vec::new() };
    assert_eq!(opened(seen), [("sensor PS Redundancy".to_owned(), "bmc-sensor")]);
}

#[test]
fn an_old_entry_is_on_the_sheet_of_its_sensor_and_is_no_verdict() {
    let told = |before: Option<&[&str]>| Told {
        source: "ipmi".into(),
        device: "events".into(),
        outcome: "read".into(),
        at: Timestamp::from_ms(0),
        payload: sel(&[OLD, NEW]).into_bytes(),
        before: before.map(|events| sel(events).into_bytes()),
    };
    let sheet = |before, name: &str| named(sheets(&[told(before)]), name).unwrap();
    let old = sheet(Some(&[OLD]), "sensor Power Supply PS1");
    assert_eq!(old.verdict().0, super::super::Verdict::Unknown);
    let evidence = &old.findings[0].evidence;
    assert!(evidence.iter().any(|value| value.value == "1 10/06/2026 19:47:00 UTC"), "{evidence:?}");
    assert_eq!(sheet(Some(&[OLD]), "sensor Fan 1").verdict().0, Failing);
    assert_eq!(sheet(None, "sensor Fan 1").verdict().0, super::super::Verdict::Unknown);
}

#[test]
fn a_log_of_twenty_thousand_entries_of_one_sensor_is_judged_in_one_pass() {
    // Each looked for among all that follow it, with its words taken apart anew, took minutes.
    let line = |n: usize| {
        format!("{n:5} | 10/06/2026 | 19:47:00 UTC | Fan FAN{} | Lower Critical going low | Asserted\n", n % 2)
    };
    let text: String = (1..20_000).map(line).collect();
    assert_eq!(judged(&text).2.len(), 19_999, "nothing took one of them back");
    let well = format!("{text}20000 | 10/06/2026 | 19:48:00 UTC | Fan FAN1 | Transition to OK | Asserted\n");
    assert_eq!(judged(&well).2.len(), 9_999, "those of the other sensor are left");
}
