//! The transition table, row by row, at its exact milliseconds.

use super::*;

#[test]
fn a_silent_host_at_the_normal_level_is_down_after_nine_seconds_and_paged_thirty_later() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(8_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(9_000);
    assert_eq!(fleet.state(1), State::Down);
    // 2 s fold for the cut that may explain it, then 30 s.
    fleet.until(40_999);
    assert_eq!(fleet.told(), []);
    fleet.until(41_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
    assert_eq!(fleet.liveness(1).since.ms(), START, "down since the last proof of life");
}

#[test]
fn at_the_fast_level_a_fin_is_paged_in_the_same_step() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.ends(1, Ending::Fin);
    assert_eq!(fleet.state(1), State::AgentLost);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 has lost its agent")]);
    assert_eq!(fleet.pages[0].severity, Severity::Critical);
}

#[test]
fn a_fast_host_that_falls_silent_is_paged_within_a_second_and_a_half() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.silent_from_now(1);
    fleet.until(1_299);
    assert_eq!(fleet.told(), []);
    fleet.until(1_300);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
}

#[test]
fn a_lost_stream_at_the_normal_level_is_a_warning_after_ten_seconds() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Reset);
    fleet.until(9_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(10_000);
    assert_eq!(fleet.state(1), State::AgentLost);
    fleet.until(60_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 has lost its agent")]);
    assert_eq!(fleet.pages[0].severity, Severity::Warning);
}

#[test]
fn a_lost_agent_whose_machine_stops_answering_twice_is_down_and_the_page_gets_worse() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Fin);
    fleet.until(50_000);
    fleet.answer = Look::Silent;
    fleet.until(150_000);
    assert_eq!(fleet.state(1), State::Down);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Updated]);
    assert_eq!(fleet.pages[1].severity, Severity::Critical);
}

#[test]
fn a_suspicion_that_comes_to_nothing_leaves_no_entry_and_while_it_lasts_its_proof_is_durable() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    let before = (fleet.spans(1).len(), fleet.liveness(1));
    fleet.now += 1_000;
    fleet.silent_from_now(1);
    let suspected = fleet.liveness(1);
    assert_eq!((suspected.state, suspected.proof.ms()), (State::Suspect, START + 1_000));
    assert_eq!((suspected.since, &suspected.cause), (before.1.since, &before.1.cause));
    fleet.until(8_500);
    fleet.host(1, HostEvent::Heard { session: SessionId(1) });
    assert_eq!(fleet.state(1), State::Up);
    assert_eq!(
        (fleet.spans(1).len(), fleet.liveness(1).state, fleet.liveness(1).since),
        (before.0, State::Up, before.1.since)
    );
    fleet.until(120_000);
    assert_eq!(fleet.told(), []);
}

#[test]
fn when_looks_cannot_tell_a_silent_host_is_down_after_its_hold() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::CannotTell;
    fleet.silent_from_now(1);
    fleet.until(9_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(10_000);
    assert_eq!(fleet.state(1), State::Down);
}

#[test]
fn a_workstation_that_falls_silent_becomes_unknown_and_nobody_is_told() {
    let mut fleet = Fleet::of(&[Watch::Relaxed]);
    fleet.silent_from_now(1);
    fleet.until(599_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.until(600_000);
    assert_eq!(fleet.state(1), State::Unknown);
    fleet.until(7_200_000);
    assert_eq!(fleet.told(), []);
    assert!(fleet.looks.is_empty());
}

#[test]
fn a_goodbye_is_no_outage_and_a_reboot_that_takes_too_long_is_one() {
    for why in [Why::Shutdown, Why::Sleep] {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        fleet.ends(1, Ending::Goodbye(why));
        fleet.until(3_600_000);
        assert_eq!(fleet.told(), [], "{why:?}");
    }
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.ends(1, Ending::Goodbye(Why::Reboot));
    fleet.until(599_999);
    assert_eq!(fleet.state(1), State::Rebooting);
    fleet.until(600_000);
    assert_eq!(fleet.state(1), State::Down);
    assert_eq!(fleet.liveness(1).since.ms(), START, "down since its goodbye");
}

#[test]
fn an_agent_that_restarts_within_a_minute_pages_nobody() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.ends(1, Ending::Goodbye(Why::AgentRestart));
    fleet.until(59_999);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.connect(1);
    fleet.until(600_000);
    assert_eq!(fleet.told(), []);
}

#[test]
fn that_a_machine_answers_without_its_agent_is_an_entry_of_its_own() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.answer = Look::Answers;
    fleet.until(5_000);
    fleet.ends(1, Ending::Fin);
    fleet.until(60_000);
    fleet.connect(1);
    let told: Vec<_> =
        fleet.spans(1).iter().map(|span| (span.state, span.cause.clone(), span.to.ms() - START)).collect();
    let lost = Cause::Stream(Ending::Fin);
    assert_eq!(
        told,
        [(Observed::Up, Cause::Reporting, 5_000), (Observed::Up, lost, 60_000)],
        "up throughout, by looks"
    );
}
