use super::*;
use proptest::prelude::*;

const BOOT: [u8; 16] = [7; 16];
const HOUR_MS: u64 = 3_600_000;

fn at(boottime_ms: u64) -> Moment {
    Moment { wall_ms: 1_000_000 + i64::try_from(boottime_ms).unwrap(), boottime_ms }
}

fn shape(log: &AliveLog) -> Vec<(Moment, Moment, End)> {
    log.spans().map(|span| (span.from, span.to, span.end)).collect()
}

#[test]
fn entry_is_due_every_ten_seconds_alone_and_every_five_minutes_in_company() {
    let mut log = AliveLog::default();
    assert!(log.is_due(at(0), true));
    log.note(BOOT, at(0), true);
    assert!(!log.is_due(at(9_999), false) && log.is_due(at(10_000), false));
    assert!(!log.is_due(at(299_999), true) && log.is_due(at(300_000), true));
    log.note(BOOT, at(10_000), false);
    assert!(log.is_due(at(20_000), true), "what was promised is kept, or the span would end");
}

#[test]
fn killed_agent_leaves_an_unknown_end_and_a_stopped_one_a_clean_end() {
    let mut log = AliveLog::default();
    let mut text = log.note(BOOT, at(0), false) + &log.note(BOOT, at(10_000), false);
    assert_eq!(shape(&AliveLog::parse(&text)), [(at(0), at(10_000), End::Unknown)]);
    text += &log.finish(BOOT, at(12_000));
    assert_eq!(shape(&AliveLog::parse(&text)), [(at(0), at(12_000), End::Clean)]);
}

#[test]
fn an_agent_that_was_dead_for_a_minute_claims_nothing_of_it_ever_after() {
    let mut first = AliveLog::default();
    let mut text = first.note(BOOT, at(0), true);
    let mut second = AliveLog::parse(&text);
    text += &second.note(BOOT, at(60_000), true);
    let third = AliveLog::parse(&text);
    assert_eq!(shape(&third), [(at(0), at(0), End::Unknown), (at(60_000), at(60_000), End::Unknown)]);
}

#[test]
fn suspended_machine_and_new_boot_begin_new_spans() {
    for (acknowledged, longest_ms) in [(true, 320_000), (false, 30_000)] {
        let mut log = AliveLog::default();
        log.note(BOOT, at(0), acknowledged);
        log.note(BOOT, at(longest_ms), acknowledged);
        assert_eq!(log.spans().count(), 1);
        log.note(BOOT, at(2 * longest_ms + 1), acknowledged);
        assert_eq!(log.spans().count(), 2, "a millisecond more is another life");
        log.note(BOOT, at(8 * HOUR_MS), acknowledged);
        log.note([8; 16], at(8 * HOUR_MS + 1), acknowledged);
        assert_eq!(log.spans().count(), 4);
    }
}

#[test]
fn a_machine_that_slept_between_two_entries_claims_nothing_of_it_and_its_log_says_that_the_agent_is_the_same() {
    let mut log = AliveLog::default();
    let mut text = log.note(BOOT, at(0), true);
    // Of five minutes between two entries in company it slept three.
    text += &log.stood_still(BOOT, at(60_000), at(240_000));
    text += &log.note(BOOT, at(300_000), true);
    let lives = |log: &AliveLog| log.spans().map(|span| (span.from, span.to, span.resumed)).collect::<Vec<_>>();
    let expected = [(at(0), at(60_000), false), (at(240_000), at(300_000), true)];
    assert_eq!(lives(&log), expected);
    let mut later = AliveLog::parse(&text);
    assert_eq!(lives(&later), expected);
    later.note(BOOT, at(360_000), true);
    assert!(!later.spans().last().unwrap().resumed, "another run of the agent");
    let ends: Vec<End> =
        AliveLog::parse(&(text + &log.finish(BOOT, at(301_000)))).spans().map(|span| span.end).collect();
    assert_eq!(ends, [End::Unknown, End::Clean]);
    // An entry that comes too late is the same, noticed later.
    log = AliveLog::default();
    log.note(BOOT, at(0), false);
    log.note(BOOT, at(90_000), false);
    log.note([8; 16], at(95_000), false);
    assert_eq!(log.spans().map(|span| span.resumed).collect::<Vec<_>>(), [false, true, false]);
}

#[test]
fn what_is_told_is_forgotten_once_a_session_has_lasted_and_the_open_span_goes_on() {
    let mut log = AliveLog::parse(&AliveLog::default().finish([6; 16], at(5)));
    log.note(BOOT, at(20), false);
    log.note(BOOT, at(10_020), false);
    // A session begins, and another soon after: whoever hears it now may be the first to keep it.
    log.note(BOOT, at(15_000), true);
    log.note(BOOT, at(17_000), true);
    let whole = [(at(5), at(5), End::Clean), (at(20), at(17_000), End::Open)];
    assert_eq!(shape(&log), whole);
    log.note(BOOT, at(316_999), true);
    assert_eq!(shape(&log), [whole[0], (at(20), at(316_999), End::Open)], "a millisecond too soon");
    log.note(BOOT, at(616_999), true);
    assert_eq!(shape(&log), [(at(316_999), at(616_999), End::Open)]);
}

#[test]
fn file_stays_short_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("alive.log");
    let mut log = AliveLog::default();
    for n in 0..3_000 {
        let line = log.note(BOOT, at(n * 10_000), false);
        write(&path, &log, &line);
    }
    assert!(std::fs::metadata(&path).unwrap().len() < FILE_BYTES_MAX + 200);
    let read = AliveLog::parse(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(shape(&read), [(at(0), at(29_990_000), End::Unknown)]);
}

#[test]
fn a_day_without_a_collector_is_proved_whole_and_eight_hours_of_sleep_in_it_are_not() {
    let mut log = AliveLog::default();
    let (asleep, awake) = (10 * HOUR_MS, 18 * HOUR_MS);
    let mut now_ms = 0;
    while now_ms < 24 * HOUR_MS {
        if log.is_due(at(now_ms), false) {
            log.note(BOOT, at(now_ms), false);
        }
        now_ms += 1_000;
        now_ms = if (asleep + 1..awake).contains(&now_ms) { awake } else { now_ms };
    }
    let end = at(24 * HOUR_MS - 10_000);
    assert_eq!(shape(&log), [(at(0), at(asleep), End::Unknown), (at(awake), end, End::Open)]);
}

/// One run of an agent: when it begins after the one before, whether the machine booted between, and its notes: how long
/// after the last, and whether the collector acknowledges.
type Run = (u64, bool, Vec<(u64, bool)>);

fn run() -> impl Strategy<Value = Run> {
    let wait_ms = prop_oneof![8 => 1_000..40_000_u64, 2 => 200_000..400_000_u64, 1 => Just(8 * HOUR_MS)];
    (1..400_000_u64, any::<bool>(), prop::collection::vec((wait_ms, any::<bool>()), 1..12))
}

/// What a crash does to a file: its end is cut anywhere, and a piece before that was never written.
fn crash(text: &mut Vec<u8>, synced: usize, cut: prop::sample::Index, hole: prop::sample::Index) {
    let end = synced + cut.index(text.len() - synced + 1);
    text.truncate(end);
    if end > synced {
        let from = synced + hole.index(end - synced);
        let to = (from + 40).min(end);
        text[from..to].fill(0);
    }
}

#[test]
fn a_life_that_begins_when_another_ended_as_it_began_is_one_with_it_before_and_after_reading_it_back() {
    let mut log = AliveLog::default();
    log.finish([1; 16], at(5));
    log.note([1; 16], at(5), true);
    log.finish([1; 16], at(9_000));
    let spans: Vec<Span> = log.spans().copied().collect();
    assert_eq!(spans, [Span { boot_id: [1; 16], from: at(5), to: at(9_000), end: End::Clean, resumed: false }]);
    assert_eq!(AliveLog::parse(&log.render()).spans().copied().collect::<Vec<_>>(), spans);
}

proptest! {
    #[test]
    fn rendering_loses_nothing(steps in prop::collection::vec((0..900_000_u64, 0..3_u8, any::<bool>(), any::<bool>()), 0..100)) {
        let (mut log, mut now) = (AliveLog::default(), 0);
        for (step, boot, clean, acknowledged) in steps {
            now += step;
            if clean { log.finish([boot; 16], at(now)); } else { log.note([boot; 16], at(now), acknowledged); }
        }
        prop_assert!(log.spans().count() <= SPANS_MAX);
        let open = |span: &Span| Span { end: if span.end == End::Open { End::Unknown } else { span.end }, ..*span };
        let closed: Vec<Span> = log.spans().map(open).collect();
        prop_assert_eq!(AliveLog::parse(&log.render()).spans().copied().collect::<Vec<_>>(), closed);
    }

    #[test]
    fn nothing_is_claimed_that_was_not_lived_and_a_torn_end_takes_only_itself(
        runs in prop::collection::vec((run(), any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 1..6),
    ) {
        let (mut text, mut now_ms, mut boot) = (Vec::new(), 0, 0_u8);
        // Unbroken stretches that were lived, and the last moment of each that is safely written.
        let mut lived: Vec<([u8; 16], Vec<Moment>)> = Vec::new();
        let mut safe: Vec<([u8; 16], Moment)> = Vec::new();
        for ((pause_ms, reboots, notes), cut, hole, crashes) in runs {
            now_ms += pause_ms;
            boot += u8::from(reboots);
            let boot_id = [boot; 16];
            let mut log = AliveLog::parse(&String::from_utf8_lossy(&text));
            let (before, mut ends, mut longest_ms) = (text.len(), Vec::new(), 0);
            for (n, (wait_ms, acknowledged)) in notes.into_iter().enumerate() {
                now_ms += wait_ms;
                if n == 0 || wait_ms > longest_ms {
                    lived.push((boot_id, Vec::new()));
                }
                lived.last_mut().unwrap().1.push(at(now_ms));
                longest_ms = if acknowledged { 320_000 } else { 30_000 };
                text.extend(log.note(boot_id, at(now_ms), acknowledged).into_bytes());
                ends.push((text.len(), at(now_ms)));
            }
            if crashes {
                // The file system had committed what was there when this run began.
                crash(&mut text, before, cut, hole);
            } else {
                safe.extend(ends.last().map(|(_, moment)| (boot_id, *moment)));
            }
        }
        let read = AliveLog::parse(&String::from_utf8_lossy(&text));
        for span in read.spans() {
            let within = |(boot_id, moments): &([u8; 16], Vec<Moment>)| {
                *boot_id == span.boot_id && moments.contains(&span.from) && moments.contains(&span.to)
            };
            prop_assert!(lived.iter().any(within), "{:?} was not lived: {:?}", span, lived);
        }
        for (boot_id, moment) in safe {
            prop_assert!(read.spans().any(|span| span.boot_id == boot_id && span.to == moment), "{:?} is lost", moment);
        }
    }

    #[test]
    fn any_text_is_read_without_panic(text in "\\PC{0,200}") {
        prop_assert_eq!(AliveLog::parse(&text).spans().count(), 0);
    }
}
