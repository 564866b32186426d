//! Cut off is told apart from dead, and a watchdog out of reach is a trouble after some rounds, once.

use std::sync::Arc;

use super::*;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_ms(1_795_252_440_000 + seconds * 1_000)
}

fn reach(last_ran: Option<Timestamp>) -> Reach {
    let snapshot = Snapshot { last_ran, started: at(0), ..Snapshot::default() };
    Reach::new("outside", "https://hc-ping.com", &snapshot)
}

/// The lines after the first, which says who speaks.
fn lines(reach: &Reach, health: &Health, snapshot: &Snapshot, others: &[(&str, Timestamp)]) -> Vec<String> {
    let others = others.iter().map(|(name, since)| ((*name).to_owned(), *since)).collect();
    let words = reach.words("https://muster.example.org", health, snapshot, &others);
    let mut lines = words.lines().map(str::to_owned);
    assert_eq!(lines.next().as_deref(), Some("muster-collector at https://muster.example.org"));
    lines.collect()
}

/// What a trouble says; empty where it is over.
fn text(event: Option<Event>) -> Option<String> {
    match event? {
        Event::SelfCheck { what, trouble } => {
            assert_eq!(what, "watchdog/outside");
            Some(trouble.map_or_else(String::new, |(severity, text)| format!("{}: {text}", severity.word())))
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_last_line_says_all_that_holds_now() {
    let cuts = [("berlin".to_owned(), at(-60))].into();
    let snapshot = Snapshot { cuts: Arc::new(cuts), ..Snapshot::default() };
    let (reach, well) = (reach(None), Health::Well);
    assert_eq!(lines(&reach, &well, &Snapshot::default(), &[]), ["well"]);
    let unwell = Health::Unwell { severity: Severity::Critical, why: "the store does not write: full".into() };
    let said = lines(&reach, &unwell, &snapshot, &[("partner", at(-30)), ("outside", at(-20))]);
    let expected = "not well: the store does not write: full; cut off from berlin since 2026-11-21T09:13:00.000Z; cut off \
                    from watchdog partner since 2026-11-21T09:13:30.000Z";
    assert_eq!(said, [expected], "of itself it is told in a line of its own");
}

#[test]
fn that_nobody_ran_and_that_it_was_only_cut_off_are_different_words_until_they_are_heard() {
    let mut reach = reach(Some(at(-300)));
    let died = "it did not run from 2026-11-21T09:09:00.000Z to 2026-11-21T09:14:00.000Z";
    assert_eq!(lines(&reach, &Health::Well, &Snapshot::default(), &[]), [died, "well"]);
    reach.unheard("connection refused", at(1));
    reach.unheard("connection refused", at(61));
    let cut = "it was cut off from here since 2026-11-21T09:14:01.000Z, and ran all the time";
    assert_eq!(lines(&reach, &Health::Well, &Snapshot::default(), &[]), [died, cut, "well"]);
    reach.heard();
    assert_eq!(lines(&reach, &Health::Well, &Snapshot::default(), &[]), ["well"]);
}

#[test]
fn the_third_round_in_a_row_without_an_ear_is_told_once_and_so_is_its_end() {
    let mut reach = reach(None);
    assert_eq!(text(reach.heard()).as_deref(), Some(""), "a trouble of an earlier life may be open");
    assert_eq!(text(reach.unheard("it answered 503", at(0))), None);
    assert_eq!(text(reach.unheard("it answered 503", at(60))), None);
    assert_eq!(text(reach.heard()), None, "two rounds end by themselves");
    for round in [100, 160] {
        assert_eq!(text(reach.unheard("it answered 404", at(round))), None);
    }
    assert_eq!(
        text(reach.unheard("it answered 404", at(220))).as_deref(),
        Some(
            "warning: watchdog outside at https://hc-ping.com is not reached since 2026-11-21T09:15:40.000Z: it answered \
             404; there this collector is taken for dead"
        )
    );
    assert_eq!(text(reach.unheard("it answered 404", at(280))), None);
    assert_eq!(reach.unreached_since(), Some(at(100)));
    assert_eq!((text(reach.heard()).as_deref(), reach.unreached_since()), (Some(""), None));
    assert_eq!(text(reach.heard()), None);
}

#[test]
fn what_the_desk_could_not_be_told_is_told_again() {
    let mut reach = reach(None);
    reach.heard();
    for round in 0..3 {
        reach.unheard("timed out", at(round));
    }
    reach.forgotten();
    assert!(
        text(reach.unheard("timed out", at(3))).is_some_and(|said| said.contains("since 2026-11-21T09:14:00.000Z"))
    );
}
