//! Ledgers over restarts, reboots and doubts: what is written of an absence, and what corrects it afterwards.

use super::*;
use crate::domain::engine::tests::checks::restarted;

impl Fleet {
    /// Another collector goes on `away_ms` later from what this one has recorded. All sessions are gone with it.
    fn restart(&mut self, away_ms: i64) {
        let loaded = restarted(self);
        self.now += away_ms;
        let (engine, effects) = Engine::new(&loaded, Roster::default(), Timestamp::from_ms(self.now));
        self.engine = engine;
        self.looks.clear();
        self.carry_out(effects);
    }

    /// What stands in a host's ledger and is not empty: from and to after the start, in seconds, and what.
    fn standing(&self, no: i64) -> Vec<(i64, i64, Observed)> {
        let spans = self.spans(no);
        let replaced: Vec<i64> = spans.iter().filter_map(|span| span.replaces).collect();
        let mut standing: Vec<_> = spans.iter().filter(|span| !replaced.contains(&span.n)).collect();
        standing.sort_by_key(|span| span.from);
        let after_s = |at: Timestamp| (at.ms() - START) / 1_000;
        standing.iter().map(|span| (after_s(span.from), after_s(span.to), span.state)).collect()
    }

    fn comes_back(&mut self, boot: u8, lives: &[(u8, i64, i64)]) {
        let at = |seconds: i64| Timestamp::from_ms(START + seconds * 1_000);
        let alive = lives.iter().map(|(boot, from, to)| AliveProof {
            boot_id: [*boot; 16],
            from: at(*from),
            to: at(*to),
            clean_end: false,
        });
        self.connect_with(1, [boot; 16], alive.collect());
    }
}

const UP: Observed = Observed::Up;
const DOWN: Observed = Observed::Down;
const UNREACHABLE: Observed = Observed::Unreachable;
const AWAY: Observed = Observed::CollectorDown;

#[test]
fn an_outage_over_a_restart_of_the_collector_is_corrected_as_a_whole() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.now += 1_000;
    fleet.silent_from_now(1);
    fleet.until(20_000);
    fleet.restart(5_000);
    fleet.until(40_000);
    assert_eq!(fleet.standing(1), [(0, 1, UP), (1, 20, DOWN), (20, 25, AWAY)]);
    fleet.comes_back(1, &[(1, 0, 40)]);
    assert_eq!(fleet.standing(1), [(0, 1, UP), (1, 20, UNREACHABLE), (20, 25, AWAY), (25, 40, UNREACHABLE)]);
    // A second time there is nothing to correct.
    let entries = fleet.spans(1).len();
    fleet.until(41_000);
    fleet.restart(0);
    fleet.comes_back(1, &[(1, 40, 41)]);
    assert_eq!(fleet.spans(1).len(), entries + 1, "up until the restart: {:#?}", fleet.spans(1));
}

#[test]
fn a_reboot_behind_a_cut_is_an_outage_from_the_last_sign_of_life_to_the_first() {
    let mut fleet = Fleet::of(&[Watch::Normal; 5]);
    fleet.now += 1_000;
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    (1..=5).for_each(|no| fleet.host(no, HostEvent::Silent { session: SessionId(no), proof }));
    assert_eq!(fleet.state(1), State::Unreachable);
    fleet.until(60_000);
    fleet.comes_back(2, &[(1, 0, 30), (2, 45, 60)]);
    let told = [(0, 1, UP), (1, 30, UNREACHABLE), (30, 45, DOWN), (45, 60, UNREACHABLE)];
    assert_eq!(fleet.standing(1), told);
    let causes: Vec<&Cause> = fleet.spans(1).iter().map(|span| &span.cause).collect();
    assert_eq!(causes, [&Cause::Reporting, &Cause::AliveLog, &Cause::BootedAnew, &Cause::AliveLog]);
}

#[test]
fn the_collectors_own_absence_ends_when_it_runs_again() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.until(10_000);
    fleet.restart(60_000);
    fleet.until(85_000);
    assert_eq!(fleet.engine.snapshot().hosts[&HostNo(1)].observed.state, AWAY, "not heard of yet");
    fleet.comes_back(1, &[(1, 0, 85)]);
    fleet.until(86_000);
    fleet.restart(0);
    assert_eq!(fleet.standing(1), [(0, 10, UP), (10, 70, AWAY), (70, 85, UP), (85, 86, UP)]);
    let proven = fleet.spans(1)[2];
    assert_eq!(proven.evidence, "the host's own alive log: it ran, unseen from here");
}

#[test]
fn a_host_that_rebooted_while_the_collector_was_away_was_down_and_one_without_proof_stays_the_collectors() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.until(10_000);
    fleet.restart(60_000);
    fleet.until(75_000);
    fleet.comes_back(2, &[(1, 0, 20), (2, 50, 75)]);
    assert_eq!(fleet.standing(1), [(0, 10, UP), (10, 20, AWAY), (20, 50, DOWN), (50, 70, AWAY), (70, 75, UP)]);

    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.until(10_000);
    fleet.restart(60_000);
    fleet.until(75_000);
    fleet.comes_back(1, &[]);
    assert_eq!(fleet.standing(1), [(0, 10, UP), (10, 70, AWAY), (70, 75, AWAY)]);
}

#[test]
fn a_silence_in_which_the_collector_is_killed_keeps_its_beginning() {
    // Dead since the second second, suspect since the ninth, killed before anything was concluded.
    let silent = || {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        fleet.now += 2_000;
        fleet.silent_from_now(1);
        fleet.restart(1_000);
        fleet
    };
    let mut gone = silent();
    gone.until(120_000);
    assert_eq!(gone.state(1), State::Down);
    assert_eq!(gone.standing(1), [(0, 2, UP), (2, 9, DOWN), (9, 10, AWAY)]);
    assert_eq!(gone.engine.snapshot().hosts[&HostNo(1)].observed.from.ms(), START + 10_000);

    let mut back = silent();
    back.until(12_000);
    back.comes_back(1, &[(1, 0, 12)]);
    assert_eq!(back.standing(1), [(0, 2, UP), (2, 9, UP), (9, 10, AWAY), (10, 12, UP)]);

    let mut unproven = silent();
    unproven.until(12_000);
    unproven.comes_back(1, &[]);
    assert_eq!(unproven.standing(1)[1], (2, 9, Observed::Unknown), "never down");
}

#[test]
fn a_goodbye_before_the_first_readings_is_a_sign_of_life() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.until(10_000);
    fleet.restart(1_000);
    fleet.until(12_000);
    let (session, peer) = (SessionId(2), IpAddr::from([10, 0, 0, 1]));
    let (from, to) = (Timestamp::from_ms(START), Timestamp::from_ms(fleet.now));
    let alive = vec![AliveProof { boot_id: [1; 16], from, to, clean_end: false }];
    let opened =
        HostEvent::Opened { session, boot_id: [1; 16], peer, alive, facts: Box::default(), labels: Vec::new() };
    fleet.host(1, opened);
    fleet.until(13_000);
    let (how, proof) = (Ending::Goodbye(Why::Reboot), Timestamp::from_ms(fleet.now));
    fleet.host(1, HostEvent::Ended { session, how, proof });
    fleet.until(20_000);
    fleet.comes_back(2, &[(1, 0, 12), (2, 20, 20)]);
    assert_eq!(fleet.standing(1), [(0, 10, UP), (10, 11, AWAY), (11, 13, UP), (13, 20, DOWN)]);
    assert_eq!(fleet.spans(1).last().map(|span| &span.cause), Some(&Cause::Goodbye(Why::Reboot)));
}

#[test]
fn a_machine_that_is_back_from_a_crash_before_anybody_believed_it_gone_was_down_all_the_same() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.now += 1_000;
    fleet.silent_from_now(1);
    assert_eq!(fleet.state(1), State::Suspect);
    fleet.comes_back(2, &[(1, 0, 2), (2, 7, 8)]);
    assert_eq!(fleet.standing(1), [(0, 1, UP), (1, 2, UNREACHABLE), (2, 7, DOWN), (7, 8, UNREACHABLE)]);
    assert_eq!(fleet.told(), []);
}

#[test]
fn after_a_stall_a_session_that_never_ended_is_proof_of_the_time_since() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.until(5_000);
    let from = Timestamp::from_ms(fleet.now);
    fleet.now += 20_000;
    fleet.apply(Event::Stalled { from, to: Timestamp::from_ms(fleet.now) });
    fleet.until(28_000);
    fleet.host(1, HostEvent::Heard { session: SessionId(1) });
    fleet.until(30_000);
    fleet.restart(0);
    assert_eq!(fleet.standing(1), [(0, 5, UP), (5, 25, AWAY), (25, 30, UP)]);
}
