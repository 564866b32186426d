//! Inputs of reports, their digest, and what a ledger has to be for a report to be reckoned again.

use serde_json::{Value, json};

use super::{report::basis, *};
use crate::domain::{
    event::Why,
    host::{Cause, ledger::OpenSpan},
    ids::HostNo,
    record::{Observed, SpanRow},
    sla::{
        comparison::changed,
        inputs::{About, Basis, Inputs, Open, Position, Version, fingerprint},
        verification::{Difference, Kept, Trouble, check, check_incident, first_difference},
    },
};

#[test]
fn the_digest_is_that_of_sorted_members_without_white_space() {
    // By Python: sha256(json.dumps(..., sort_keys=True, separators=(",", ":"), ensure_ascii=False)).
    let report: Value = serde_json::from_str(
        " { \"b\": [1, 0.5, null, \"ä\\\"\\n\"], \"digest\": 7, \"a\": {\"y\": true, \"x\": -3} }",
    )
    .unwrap();
    assert_eq!(fingerprint(&report), "60499f41535700441221f5dea93f6125cca2b5b9b24a3fc9490b0ec03f744150");
}

proptest! {
    #[test]
    fn a_report_that_was_printed_and_read_has_the_same_digest(part in 0_i64..10_000_000_000, more in 0_i64..10_000_000_000) {
        #[expect(clippy::cast_precision_loss, reason = "a ratio is what reports have")]
        let ratio = part as f64 / (part + more + 1) as f64;
        let report = json!({ "availability_ratio": ratio, "up_ms": part });
        let read: Value = serde_json::from_str(&format!("{report:#}")).unwrap();
        prop_assert_eq!(fingerprint(&read), fingerprint(&report));
        prop_assert_eq!(first_difference(&read, &report), None);
    }
}

#[test]
fn inputs_are_read_as_they_are_written_and_no_other() {
    let written = json!({
        "as_of": "2026-11-21T09:14:03.250Z", "program": "0.1.0", "tzdata": "2026e", "period": "2026-11",
        "definition": { "name": "web", "version": 3, "sha256": "ab", "in_force_from": null },
        "subjects": [{
            "subject": "web-1", "host": "00000000-0000-0000-0000-000000000001",
            "ledger": { "n": 4, "hash": "cd", "begun": "2026-11-01T00:00:00.000Z",
                        "open": { "from": "2026-11-02T00:00:00.000Z", "state": "down", "cause": Cause::Goodbye(Why::Reboot) } },
            "windows": [{ "number": 1, "version": 2 }], "amendments": [], "false_alarms": [],
        }],
        "incidents": [{
            "about": "liveness/1/host", "number": 7, "since": "2026-11-02T00:00:00.000Z",
            "opened": "2026-11-02T00:00:09.000Z", "resolved": null, "paged": null,
            "acknowledged": "2026-11-02T00:01:00.000Z", "acknowledged_by": "ann",
        }],
    });
    let inputs: Inputs = serde_json::from_value(written.clone()).unwrap();
    assert_eq!(inputs.as_of, ms(1_795_252_443_250));
    assert_eq!(serde_json::to_value(&inputs).unwrap(), written);
    for (place, wrong) in
        [("/as_of", json!("2026-11-21T09:14:03Z")), ("/subjects/0/host", json!("web-1")), ("/period", json!(1))]
    {
        let mut other = written.clone();
        *other.pointer_mut(place).unwrap() = wrong;
        assert!(serde_json::from_value::<Inputs>(other).is_err(), "{place}");
    }
}

#[test]
fn the_first_difference_is_named_by_its_place() {
    let one = json!({ "a": 1, "subjects": [{ "up_ms": 5 }, { "up_ms": 7 }] });
    let differs = |other: Value| {
        let Difference { path, stated, recomputed } = first_difference(&one, &other)?;
        Some((path, stated, recomputed))
    };
    assert_eq!(differs(one.clone()), None);
    let other = json!({ "a": 1, "subjects": [{ "up_ms": 5 }, { "up_ms": 8 }], "z": 1 });
    assert_eq!(differs(other), Some(("subjects[1].up_ms".into(), Some(json!(7)), Some(json!(8)))));
    let shorter = json!({ "a": 1, "subjects": [{ "up_ms": 5 }] });
    assert_eq!(differs(shorter), Some(("subjects[1]".into(), Some(json!({ "up_ms": 7 })), None)));
    let sealed = json!({ "a": 2, "digest": "x", "subjects": [{ "up_ms": 5 }, { "up_ms": 7 }] });
    assert_eq!(differs(sealed), Some(("a".into(), Some(json!(1)), Some(json!(2)))), "not the digest");
    assert_eq!(differs(json!({ "a": 1.0, "subjects": [] })), Some(("a".into(), Some(json!(1)), Some(json!(1.0)))));
}

/// A ledger of three entries until 300, and down since.
fn stated() -> Basis {
    let open = Open { from: ms(300), state: Observed::Down, cause: Cause::Silence };
    Basis { ledger: Some(Position { n: 3, hash: "ff".into(), begun: ms(100), open }), ..basis("web-1") }
}

fn kept() -> Kept {
    Kept { first: Some((1, ms(100))), last: Some((ms(300), "ff".into())), ..Kept::default() }
}

fn present(state: Observed, cause: Cause) -> OpenSpan {
    OpenSpan { after: 3, from: ms(300), state, cause }
}

fn next(state: Observed, cause: Cause) -> SpanRow {
    let (from, to, learned) = (ms(300), ms(400), ms(450));
    SpanRow { host: HostNo(1), n: 4, from, to, state, cause, evidence: String::new(), learned, replaces: None }
}

/// What is said of a ledger, some minutes after its last entry.
fn said(basis: &Basis, kept: &Kept, present: &OpenSpan) -> String {
    said_after(300_000, basis, kept, present)
}

fn said_after(later: i64, basis: &Basis, kept: &Kept, present: &OpenSpan) -> String {
    match check(("inputs.subjects[0]", basis), kept, present, window(0, 5_000), ms(300 + later)) {
        Ok(()) => "fine".into(),
        Err(Trouble::Cannot(why)) => why,
        Err(Trouble::Differs(Difference { path, stated, recomputed })) => {
            format!("{path} {} {}", stated.unwrap(), recomputed.unwrap())
        }
    }
}

#[test]
fn a_ledger_is_the_same_only_if_its_chain_and_both_its_ends_are() {
    let down = present(Observed::Down, Cause::Silence);
    assert_eq!(said(&stated(), &kept(), &down), "fine");
    let broken = said(&stated(), &Kept { broken: Some(2), ..kept() }, &down);
    assert!(broken.contains("the chain of web-1's ledger is broken at entry 2"), "{broken}");
    let gone = said(&stated(), &Kept { last: None, ..kept() }, &down);
    assert!(gone.contains("entry 3 of web-1's ledger") && gone.contains("not in the records"), "{gone}");
    let other = said(&stated(), &Kept { last: Some((ms(300), "fe".into())), ..kept() }, &down);
    assert_eq!(other, "inputs.subjects[0].ledger.hash \"ff\" \"fe\"");
    let begun = said(&stated(), &Kept { first: Some((1, ms(99))), ..kept() }, &down);
    assert!(begun.starts_with("inputs.subjects[0].ledger.begun"), "{begun}");
    let forgotten = said(&stated(), &Kept { first: Some((2, ms(150))), ..kept() }, &down);
    assert!(forgotten.contains("kept from entry 2 on") && forgotten.contains("forgotten"), "{forgotten}");
    let before = check(
        ("inputs.subjects[0]", &stated()),
        &Kept { first: Some((2, ms(150))), ..kept() },
        &down,
        window(150, 5_000),
        ms(900),
    );
    assert_eq!(before, Ok(()), "what is forgotten lies before the window");
    let end = said(&stated(), &Kept { last: Some((ms(299), "ff".into())), ..kept() }, &down);
    assert!(end.starts_with("inputs.subjects[0].ledger.open.from"), "{end}");
}

#[test]
fn an_open_end_is_what_came_of_it() {
    let now = present(Observed::Up, Cause::Reporting);
    let with = |row: SpanRow| Kept { next: Some(row), ..kept() };
    assert_eq!(said(&stated(), &with(next(Observed::Down, Cause::Silence)), &now), "fine");
    assert_eq!(said(&stated(), &with(next(Observed::Unreachable, Cause::AliveLog)), &now), "fine", "proven afterwards");
    let mut cut = stated();
    cut.ledger.as_mut().unwrap().open =
        Open { from: ms(300), state: Observed::Unreachable, cause: Cause::Cut("site a".into()) };
    assert_eq!(said(&cut, &with(next(Observed::Down, Cause::BootedAnew)), &now), "fine", "it was between two boots");
    let mut awaited = stated();
    awaited.ledger.as_mut().unwrap().open =
        Open { from: ms(300), state: Observed::CollectorDown, cause: Cause::Awaited };
    let down = with(next(Observed::Down, Cause::NotBack));
    assert_eq!(said_after(180_000, &awaited, &down, &now), "fine", "nobody could say yet");
    assert!(said_after(180_001, &awaited, &down, &now).contains("web-1 was unseen"), "it was known by then");
    let forged = said(&stated(), &with(next(Observed::Up, Cause::Reporting)), &now);
    assert!(forged.contains("web-1 was down") && forged.contains("the ledger has it up"), "{forged}");
    assert!(said(&stated(), &kept(), &now).contains("the ledger has it up"), "nothing is written of it yet");
    let other_cause = said(&stated(), &with(next(Observed::Down, Cause::Goodbye(Why::Shutdown))), &now);
    assert!(other_cause.contains("web-1 was down"), "{other_cause}");

    let away = with(next(Observed::CollectorDown, Cause::CollectorAway));
    assert_eq!(
        said_after(60_000, &stated(), &away, &now),
        "fine",
        "the collector ended at once and nothing was written"
    );
    assert!(said_after(60_001, &stated(), &away, &now).contains("web-1 was down"), "it would have written it down");

    let mut up = stated();
    up.ledger.as_mut().unwrap().open = Open { from: ms(300), state: Observed::Up, cause: Cause::Reporting };
    let other_word = next(Observed::Up, Cause::Silence);
    assert_eq!(said(&up, &with(other_word), &now), "fine", "what up is told by changes without an entry");
    assert!(said(&up, &with(next(Observed::Unreachable, Cause::AliveLog)), &now).contains("web-1 was up"));
}

#[test]
fn a_ledger_without_an_entry_begins_with_its_open_end() {
    let open = Open { from: ms(100), state: Observed::Up, cause: Cause::Reporting };
    let young = Basis { ledger: Some(Position { n: 0, hash: String::new(), begun: ms(100), open }), ..basis("web-1") };
    let up = OpenSpan { after: 0, from: ms(100), state: Observed::Up, cause: Cause::Reporting };
    assert_eq!(said(&young, &Kept::default(), &up), "fine");
    let older = Kept { first: Some((1, ms(90))), next: Some(next(Observed::Up, Cause::Reporting)), ..Kept::default() };
    assert!(said(&young, &older, &up).starts_with("inputs.subjects[0].ledger.begun"));
    let mut later = young.clone();
    later.ledger.as_mut().unwrap().open.from = ms(101);
    assert!(said(&later, &Kept::default(), &up).starts_with("inputs.subjects[0].ledger.open.from"));
}

#[test]
fn an_incident_is_what_the_records_say_it_was_by_then() {
    let stated = About {
        about: "liveness/1/host".into(),
        number: 7,
        since: ms(10),
        opened: ms(20),
        resolved: None,
        paged: Some(ms(30)),
        acknowledged: Some(ms(40)),
        acknowledged_by: Some("ann".into()),
    };
    let said = |kept: Option<&About>| match check_incident(0, &stated, kept, ms(100)) {
        Ok(()) => "fine".to_owned(),
        Err(Trouble::Cannot(why)) => why,
        Err(Trouble::Differs(difference)) => difference.path,
    };
    assert_eq!(said(Some(&stated)), "fine");
    assert_eq!(said(Some(&About { resolved: Some(ms(101)), ..stated.clone() })), "fine", "it was over later");
    let forgotten = About { paged: None, acknowledged: None, acknowledged_by: None, ..stated.clone() };
    assert_eq!(said(Some(&forgotten)), "fine", "after thirteen months nobody knows");
    assert!(said(None).contains("incident #7 is not in the records"));
    for (kept, key) in [
        (About { about: "liveness/2/host".into(), ..stated.clone() }, "about"),
        (About { opened: ms(21), ..stated.clone() }, "opened"),
        (About { resolved: Some(ms(100)), ..stated.clone() }, "resolved"),
        (About { paged: Some(ms(31)), ..stated.clone() }, "paged"),
        (About { acknowledged: Some(ms(41)), ..stated.clone() }, "acknowledged"),
        (About { acknowledged_by: Some("bob".into()), ..stated.clone() }, "acknowledged_by"),
    ] {
        assert_eq!(said(Some(&kept)), format!("inputs.incidents[0].{key}"));
    }
}

#[test]
fn what_came_changed_or_went_between_two_reports_is_named() {
    let version = |(number, version): &(i64, i64)| Version { number: *number, version: *version };
    let of = |versions: &[(i64, i64)]| versions.iter().map(version).collect::<Vec<_>>();
    let said = |then: &[(i64, i64)], now: &[(i64, i64)]| {
        changed(&of(then), &of(now))
            .iter()
            .map(|change| format!("{} {}", change.number, change.words()))
            .collect::<Vec<_>>()
    };
    assert!(said(&[(1, 1), (2, 1)], &[(2, 1), (1, 1)]).is_empty());
    let expected = ["1 does not count any more", "2 changed from version 1 to 3", "9 entered since"];
    assert_eq!(said(&[(1, 1), (2, 1), (3, 1)], &[(2, 3), (3, 1), (9, 1)]), expected);
}
