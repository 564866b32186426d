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

    /// The machine's agent is killed; the machine answers until `until`, and from then on nothing does.
    fn loses_its_agent(&mut self, until: i64) {
        self.ends(1, Ending::Fin);
        self.answer = Look::Answers;
        self.until(until);
        assert_eq!(self.state(1), State::AgentLost);
        self.answer = Look::Silent;
    }

    fn comes_back(&mut self, boot: u8, lives: &[(u8, i64, i64)]) {
        let at = |seconds: i64| Timestamp::from_ms(START + seconds * 1_000);
        let alive = lives.iter().map(|(boot, from, to)| AliveProof {
            boot_id: [*boot; 16],
            from: at(*from),
            to: at(*to),
            clean_end: false,
            resumed: true,
        });
        self.connect_with(1, [boot; 16], alive.collect());
    }

    /// Its agent was started in the same boot.
    fn comes_back_restarted(&mut self, boot: u8, from: i64, to: i64) {
        let at = |seconds: i64| Timestamp::from_ms(START + seconds * 1_000);
        let life = AliveProof { boot_id: [boot; 16], from: at(from), to: at(to), clean_end: false, resumed: false };
        self.connect_with(1, [boot; 16], vec![life]);
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
fn after_a_restore_hosts_are_given_five_minutes_to_find_the_collector() {
    for (moved, waits) in [(false, 70_000), (true, 300_000)] {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        fleet.until(10_000);
        fleet.restart(86_400_000);
        let back = fleet.now - START;
        fleet.engine.await_longer(moved, Timestamp::from_ms(fleet.now));
        fleet.until(back + waits - 1_000);
        assert_eq!(fleet.state(1), State::Unknown, "moved: {moved}");
        assert_eq!(fleet.told(), []);
        fleet.until(back + waits + 1_000);
        assert_ne!(fleet.state(1), State::Unknown, "moved: {moved}");
    }
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
    let alive = vec![AliveProof { boot_id: [1; 16], from, to, clean_end: false, resumed: true }];
    let opened = HostEvent::Opened {
        session,
        boot_id: [1; 16],
        peer,
        heard_before: None,
        alive,
        facts: Box::default(),
        labels: Vec::new(),
    };
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
fn a_machine_that_crashed_after_its_agent_was_lost_was_down_from_its_last_answer() {
    // Looked at when it was lost and a minute after that: it answers until the 80th second.
    let lost = || {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        fleet.until(10_000);
        fleet.loses_its_agent(90_000);
        fleet
    };
    let mut crashed = lost();
    crashed.until(100_000);
    crashed.comes_back(2, &[(2, 99, 100)]);
    assert_eq!(crashed.standing(1), [(0, 10, UP), (10, 80, UP), (80, 99, DOWN), (99, 100, UP)]);
    assert_eq!(crashed.spans(1)[2].cause, Cause::BootedAnew);

    let mut restarted = lost();
    restarted.restart(5_000);
    restarted.until(100_000);
    restarted.comes_back(2, &[(2, 99, 100)]);
    let told = [(0, 10, UP), (10, 80, UP), (80, 90, DOWN), (90, 95, DOWN), (95, 99, DOWN), (99, 100, UP)];
    assert_eq!(restarted.standing(1), told);

    // Seen to be gone: the outage began with the last answer all the same.
    let mut seen = lost();
    seen.until(300_000);
    assert_eq!(seen.state(1), State::Down);
    assert_eq!(seen.standing(1), [(0, 10, UP), (10, 80, UP)]);
    assert_eq!(seen.liveness(1).since.ms(), START + 80_000);
}

#[test]
fn a_host_whose_agent_was_lost_and_that_is_in_the_same_boot_was_not_down() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.until(10_000);
    fleet.loses_its_agent(30_000);
    fleet.until(300_000);
    assert_eq!(fleet.state(1), State::Down);
    fleet.comes_back_restarted(1, 290, 300);
    let unknown = Observed::Unknown;
    let lost = fleet.standing(1)[2].0;
    assert_eq!(fleet.standing(1)[2..], [(lost, 290, unknown), (290, 300, UNREACHABLE)]);
    assert_eq!(fleet.spans(1)[2].cause, Cause::SameBoot);
}

#[test]
fn a_reboot_before_anybody_missed_the_machine_is_an_outage_from_its_last_message_to_its_first() {
    let mut fleet = Fleet::of(&[Watch::Relaxed]);
    fleet.until(60_000);
    assert_eq!(fleet.state(1), State::Up);
    fleet.heard_before = Some(Timestamp::from_ms(START + 20_000));
    fleet.comes_back(2, &[(1, 0, 20), (2, 50, 60)]);
    assert_eq!(fleet.state(1), State::Up);
    assert_eq!(fleet.standing(1), [(0, 20, UP), (20, 50, DOWN), (50, 60, UNREACHABLE)]);
    // The same boot on another stream proves that nothing was.
    let entries = fleet.spans(1).len();
    fleet.until(90_000);
    fleet.comes_back(2, &[(2, 50, 90)]);
    assert_eq!(fleet.spans(1).len(), entries);
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
