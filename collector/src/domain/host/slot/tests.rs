use super::*;
use crate::domain::{
    finding::Verdict,
    host::slots::Slots,
    readings::{
        dictionary::{FamilyEntry, FamilyType, SeriesEntry, unit::Unit},
        source::SourceState,
    },
    severity::Severity,
};

const HOST: HostNo = HostNo(7);
const FIRST: SessionId = SessionId(1);
const SECOND: SessionId = SessionId(2);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(1_000_000 + ms)
}

fn family(id: u32, name: &str) -> FamilyEntry {
    FamilyEntry { id, name: name.into(), kind: FamilyType::Gauge, help: "Some help.".into(), unit: Unit::One }
}

fn series(id: u32, family: u32, labels: &[&str]) -> SeriesEntry {
    let labels = labels.iter().map(|text| (*text).to_owned()).collect();
    SeriesEntry { id, family, suffix: String::new(), labels }
}

/// `a` (id 0), `b{x="1"}` (id 1), `b{x="2"}` (id 2).
fn small() -> DictionaryUpdate {
    DictionaryUpdate {
        families: vec![family(0, "b"), family(1, "a")],
        series: vec![series(0, 1, &[]), series(1, 0, &["x", "1"]), series(2, 0, &["x", "2"])],
        ..DictionaryUpdate::default()
    }
}

fn wholes(gaps: &[u32], diffs: &[i64]) -> ReadingsUpdate {
    ReadingsUpdate { whole_gaps: gaps.into(), whole_diffs: diffs.into(), ..ReadingsUpdate::default() }
}

fn full(gaps: &[u32], diffs: &[i64]) -> ReadingsUpdate {
    ReadingsUpdate { full: true, ..wholes(gaps, diffs) }
}

fn page(slot: &Slot) -> String {
    let mut out = Vec::new();
    slot.render(Format::Text, &mut out);
    String::from_utf8(out).unwrap()
}

fn opened(slots: &Slots) -> Arc<Slot> {
    let slot = slots.open(HOST, FIRST, Watch::Normal, at(0));
    slot.grow(FIRST, small(), at(0)).unwrap();
    slot
}

#[test]
fn readings_become_text_in_order_of_family_names() {
    let slot = opened(&Slots::default());
    slot.apply(FIRST, &full(&[0, 1, 1], &[5, -3, 7]), at(1)).unwrap();
    let expected = "# HELP a Some help.\n# TYPE a gauge\na 5\n\
                    # HELP b Some help.\n# TYPE b gauge\nb{x=\"1\"} -3\nb{x=\"2\"} 7\n";
    assert_eq!(page(&slot), expected);
    assert_eq!(slot.value("b", &[("x", "2")]), Some(7.0));
    assert_eq!(slot.value("b", &[]), None);
    assert_eq!((slot.series(), slot.last_report()), (3, Some(at(1))));
}

#[test]
fn differences_add_to_the_last_whole_value_and_start_at_zero_after_another() {
    let slot = opened(&Slots::default());
    slot.apply(FIRST, &full(&[0, 1], &[5, 10]), at(1)).unwrap();
    let update = ReadingsUpdate { real_gaps: vec![1], reals: vec![2.5], ..wholes(&[0], &[-7]) };
    slot.apply(FIRST, &update, at(2)).unwrap();
    assert_eq!((slot.value("a", &[]), slot.value("b", &[("x", "1")])), (Some(-2.0), Some(2.5)));
    slot.apply(FIRST, &wholes(&[1], &[4]), at(3)).unwrap();
    assert_eq!(slot.value("b", &[("x", "1")]), Some(4.0));
}

#[test]
fn series_missing_from_a_full_set_have_no_value() {
    let slot = opened(&Slots::default());
    slot.apply(FIRST, &full(&[0, 1, 1], &[5, 6, 7]), at(1)).unwrap();
    slot.apply(FIRST, &full(&[1], &[1]), at(2)).unwrap();
    assert_eq!(page(&slot), "# HELP b Some help.\n# TYPE b gauge\nb{x=\"1\"} 1\n", "and it counts from nothing");
}

#[test]
fn malformed_updates_change_nothing() {
    let slot = opened(&Slots::default());
    slot.apply(FIRST, &full(&[0, 1, 1], &[5, 6, 7]), at(1)).unwrap();
    let before = page(&slot);
    let unequal = ReadingsUpdate { whole_gaps: vec![0, 1], whole_diffs: vec![1], ..ReadingsUpdate::default() };
    let bad = [
        unequal,
        wholes(&[0, 9], &[1, 1]),
        wholes(&[1, 0], &[1, 1]),
        wholes(&[1, u32::MAX], &[1, 1]),
        wholes(&[0, 1], &[1, i64::MAX]),
        wholes(&[0, 1], &[1, 1 << 53]),
        ReadingsUpdate { sources: (0..129).map(|n| (n.to_string(), 0, String::new())).collect(), ..wholes(&[0], &[1]) },
    ];
    for update in bad {
        let refused = slot.apply(FIRST, &update, at(2));
        assert!(matches!(refused, Err(SlotError::Malformed(_))), "{update:?}");
    }
    let bad = [
        DictionaryUpdate { retired: vec![0, 99], ..DictionaryUpdate::default() },
        DictionaryUpdate { families: vec![family(0, "other")], ..DictionaryUpdate::default() },
        DictionaryUpdate { series: vec![series(9, 1, &["x", "3"]), series(1, 1, &[])], ..DictionaryUpdate::default() },
        DictionaryUpdate { series: vec![series(9, 5, &[])], ..DictionaryUpdate::default() },
        DictionaryUpdate { series: vec![series(9, 1, &["x"])], ..DictionaryUpdate::default() },
    ];
    for update in bad {
        let refused = slot.grow(FIRST, update.clone(), at(2));
        assert!(matches!(refused, Err(SlotError::Malformed(_))), "{update:?}");
    }
    assert_eq!(page(&slot), before);
    slot.apply(FIRST, &ReadingsUpdate::default(), at(3)).unwrap();
    assert_eq!(page(&slot), before);
}

#[test]
fn a_dictionary_grows_and_shrinks_within_a_stream_and_values_stay() {
    let slot = opened(&Slots::default());
    slot.apply(FIRST, &full(&[0, 1, 1], &[5, 6, 7]), at(1)).unwrap();
    let update = DictionaryUpdate {
        families: vec![family(2, "aa")],
        series: vec![series(5, 2, &["y", "z"])],
        retired: vec![1],
        bytes: vec![],
    };
    slot.grow(FIRST, update, at(2)).unwrap();
    slot.apply(FIRST, &wholes(&[2, 3], &[1, 9]), at(3)).unwrap();
    let values: Vec<String> = page(&slot).lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect();
    assert_eq!(values, ["a 5", "aa{y=\"z\"} 9", "b{x=\"2\"} 8"]);
    assert!(matches!(slot.apply(FIRST, &wholes(&[1], &[1]), at(4)), Err(SlotError::Malformed(_))));
}

#[test]
fn alike_hosts_share_one_dictionary_and_unlike_ones_their_alike_families() {
    let slots = Slots::default();
    for host in 1..=50 {
        let slot = slots.open(HostNo(host), FIRST, Watch::Normal, at(0));
        slot.grow(FIRST, small(), at(0)).unwrap();
        slot.apply(FIRST, &full(&[0], &[host]), at(1)).unwrap();
    }
    assert_eq!(slots.distinct(), (1, 2));
    let slot = slots.open(HostNo(51), FIRST, Watch::Normal, at(0));
    let uname = DictionaryUpdate {
        families: vec![family(2, "node_uname_info")],
        series: vec![series(3, 2, &["nodename", "web1"])],
        retired: Vec::new(),
        bytes: vec![],
    };
    slot.grow(FIRST, small(), at(0)).unwrap();
    slot.grow(FIRST, uname, at(0)).unwrap();
    slot.apply(FIRST, &full(&[0], &[1]), at(1)).unwrap();
    assert_eq!(slots.distinct(), (2, 3));
}

#[test]
fn an_old_session_is_refused_and_the_new_one_starts_anew() {
    let slots = Slots::default();
    let slot = opened(&slots);
    slot.apply(FIRST, &full(&[0, 1, 1], &[5, 6, 7]), at(1)).unwrap();
    let before = page(&slot);
    slots.open(HOST, SECOND, Watch::Normal, at(2));
    assert_eq!(slot.grow(FIRST, small(), at(3)), Err(SlotError::Superseded));
    assert_eq!(slot.apply(FIRST, &wholes(&[0], &[1]), at(3)).unwrap_err(), SlotError::Superseded);
    assert!(!slot.heard(FIRST, at(3)));
    slots.close(HOST, FIRST);
    assert_eq!(page(&slot), before, "the last values stay until new ones come");
    slot.grow(SECOND, small(), at(4)).unwrap();
    assert!(slot.apply(SECOND, &full(&[0], &[1]), at(4)).unwrap().tell_heard);
    assert_eq!(slot.value("a", &[]), Some(1.0));
    assert_eq!(slot.value("b", &[("x", "1")]), None);
}

#[test]
fn a_silence_is_told_once_at_its_time_and_ends_with_any_message() {
    let slots = Slots::default();
    let slot = opened(&slots);
    assert!(slot.apply(FIRST, &full(&[0], &[5]), at(1_000)).unwrap().tell_heard);
    assert!(!slot.apply(FIRST, &wholes(&[0], &[5]), at(1_500)).unwrap().tell_heard);
    assert!(!slot.heard(FIRST, at(2_000)));
    assert_eq!(slots.sweep(at(8_999)), []);
    let silence = Silence { host: HOST, session: FIRST, proof: at(2_000) };
    assert_eq!(slots.sweep(at(9_000)), [silence]);
    assert_eq!(slots.sweep(at(60_000)), []);
    assert!(slot.heard(FIRST, at(60_000)), "the engine must be told");
    assert!(!slot.heard(FIRST, at(60_001)));
    slots.set_watch(HOST, Watch::Fast);
    assert_eq!(slots.sweep(at(60_501)).len(), 1);
    assert!(slot.apply(FIRST, &wholes(&[0], &[5]), at(60_600)).unwrap().tell_heard);
    slots.close(HOST, FIRST);
    assert_eq!(slots.sweep(at(9_000_000)), []);
}

#[test]
fn the_agents_clock_is_compared_at_each_report() {
    let slot = opened(&Slots::default());
    assert_eq!(slot.agent_clock_ahead_ms(), None);
    let update = ReadingsUpdate { agent_wall_ms: at(4_000).ms(), ..full(&[0], &[1]) };
    slot.apply(FIRST, &update, at(1_000)).unwrap();
    assert_eq!(slot.agent_clock_ahead_ms(), Some(3_000));
    assert_eq!(slot.report_interval_ms(), 15_000);
}

#[test]
fn sources_stand_until_they_change_or_a_full_set_is_silent_of_them() {
    let slot = opened(&Slots::default());
    let told = |name: &str, state, reason: &str| (name.to_owned(), state, reason.to_owned());
    let update = ReadingsUpdate { sources: vec![told("cpu", 0, ""), told("disk", 4, "slow")], ..full(&[0], &[1]) };
    slot.apply(FIRST, &update, at(1)).unwrap();
    let update = ReadingsUpdate { sources: vec![told("disk", 2, "no\0right")], ..wholes(&[0], &[1]) };
    slot.apply(FIRST, &update, at(2)).unwrap();
    let sources = slot.sources();
    assert_eq!((sources.len(), sources[1].state, &*sources[1].reason), (2, SourceState::Unreadable, "no\u{fffd}right"));
    slot.apply(FIRST, &full(&[0], &[1]), at(3)).unwrap();
    assert_eq!(slot.sources(), []);
}

#[test]
fn a_part_that_is_well_again_takes_no_room() {
    let slot = opened(&Slots::default());
    slot.apply(
        FIRST,
        &ReadingsUpdate { sources: vec![("cpu".to_owned(), 0, String::new())], ..full(&[0], &[1]) },
        at(1),
    )
    .unwrap();
    for n in 0..500 {
        let part = |state| vec![(format!("filesystem/mnt/{n}"), state, String::new())];
        slot.apply(FIRST, &ReadingsUpdate { sources: part(5), ..wholes(&[0], &[1]) }, at(2)).unwrap();
        assert_eq!(slot.sources().len(), 2);
        slot.apply(FIRST, &ReadingsUpdate { sources: part(0), ..wholes(&[0], &[1]) }, at(2)).unwrap();
    }
    assert_eq!(slot.sources().len(), 1);
}

#[test]
fn a_trouble_known_from_the_records_is_cleared_when_the_new_session_does_not_show_it() {
    let slot = opened(&Slots::default());
    let row = FindingRow {
        host: HOST,
        part: "/data".into(),
        rule: rules::FILESYSTEM_SPACE.name.into(),
        open: true,
        severity: Severity::Critical,
        since: at(0),
        evidence: String::new(),
        cause: None,
    };
    slot.adopt(&[row]);
    let judgements = slot.apply(FIRST, &full(&[0], &[1]), at(1)).unwrap().judgements;
    assert!(matches!(&judgements[..], [j] if j.part == "/data" && matches!(j.verdict, Verdict::Cleared { .. })));
    assert!(slot.apply(FIRST, &full(&[0], &[1]), at(2)).unwrap().judgements.is_empty());
}

#[test]
fn a_host_is_not_asked_again_at_once_by_any_session() {
    let slots = Slots::default();
    let slot = opened(&slots);
    assert!(slot.may_ask(60_000, at(0)));
    let slot = slots.open(HOST, SECOND, Watch::Normal, at(10_000));
    assert!(!slot.may_ask(60_000, at(59_999)));
    assert!(slot.may_ask(60_000, at(60_000)) && !slot.may_ask(60_000, at(60_000)));
    assert!(slot.may_ask(60_000, at(-1)), "the clock was set back");
}

#[test]
fn three_hundred_series_cost_three_kibibytes_beside_the_shared_dictionary() {
    let values = 300 * size_of::<f64>();
    let sources = 20 * (size_of::<Source>() + 16);
    let rules = size_of::<rules::Memory>();
    let slot = size_of::<Slot>() - rules;
    assert!(slot + values + sources <= 4 * 1_024, "{slot} + {values} + {sources}");
    assert!(rules <= 1_024, "{rules} for the rules' memory");
}
