//! Which agents are chosen to watch: those that say that they take checks, and never one that refuses.

use super::{checks::restarted, *};
use crate::domain::{device::obstacle::Reply, labels::remote_checks::RemoteChecks};

impl Fleet {
    fn answers(&mut self, no: i64, remote_checks: RemoteChecks) {
        self.replies(no, Reply { remote_checks, refused: None, with_devices: false });
    }

    /// Refuses settings with checks of devices, or without.
    fn refuses(&mut self, no: i64, why: &str, with_devices: bool) {
        self.replies(no, Reply { remote_checks: RemoteChecks::Taken, refused: Some(why.into()), with_devices });
    }

    fn replies(&mut self, no: i64, reply: Reply) {
        self.host(no, HostEvent::Answered(reply));
        self.apply(Event::Tick);
    }

    /// Numbers of those that watch a device.
    fn watching(&self, device: i64) -> Vec<i64> {
        let view = self.engine.snapshot().hosts[&HostNo(device)].device.clone();
        let mut all: Vec<i64> = view.iter().flat_map(|view| &view.watchers).map(|watcher| watcher.host.0).collect();
        all.sort_unstable();
        all
    }

    fn cause(&self, no: i64) -> Cause {
        self.engine.snapshot().hosts[&HostNo(no)].cause.clone()
    }

    fn obstacle(&self, no: i64) -> Option<String> {
        self.engine.snapshot().hosts[&HostNo(no)].cannot_watch.as_ref().map(|obstacle| obstacle.words())
    }
}

#[test]
fn only_agents_that_say_that_they_take_checks_are_chosen_over_restarts_too() {
    let mut fleet = Fleet::of(&[Watch::Normal; 4]);
    fleet.device(5, &[], None);
    assert_eq!((fleet.watching(5), fleet.cause(5)), (vec![], Cause::Unwatched), "nothing is known of anybody");
    fleet.answers(1, RemoteChecks::SwitchedOff);
    fleet.answers(2, RemoteChecks::TooOld);
    assert_eq!(fleet.watching(5), [0_i64; 0]);
    for no in [3, 4] {
        fleet.answers(no, RemoteChecks::Taken);
    }
    assert_eq!(fleet.watching(5), [3, 4]);
    let loaded = restarted(&fleet);
    fleet.engine = Engine::new(&loaded, Default::default(), Timestamp::from_ms(fleet.now)).0;
    assert_eq!(fleet.watching(5), [3, 4], "what was said before is known still");
    fleet.connect(1);
    assert!(fleet.obstacle(1).is_some_and(|words| words.contains("set it to \"built_in\"")), "and shown");
    // Somebody wrote another agent.toml.
    fleet.answers(1, RemoteChecks::Taken);
    fleet.answers(4, RemoteChecks::SwitchedOff);
    assert_eq!((fleet.watching(5), fleet.obstacle(1)), (vec![1, 3], None));
}

#[test]
fn a_choice_that_is_refused_falls_on_the_next_and_not_back_when_it_takes_what_is_left() {
    let mut fleet = Fleet::of(&[Watch::Normal; 3]);
    fleet.device(4, &[], None);
    for no in 1..=3 {
        fleet.answers(no, RemoteChecks::Taken);
    }
    let [first, second] = fleet.watching(4)[..] else { panic!("{:?}", fleet.watching(4)) };
    let third = 6 - first - second;
    fleet.refuses(first, "no room for more", true);
    let mut others = vec![second, third];
    others.sort_unstable();
    assert_eq!(fleet.watching(4), others);
    fleet.answers(first, RemoteChecks::Taken);
    assert_eq!(fleet.watching(4), others, "it was the devices that it refused");
    assert!(fleet.obstacle(first).is_some_and(|words| words.ends_with("It says: no room for more")));
}

#[test]
fn an_agent_that_refused_something_else_is_chosen_again_once_that_is_put_right() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[], None);
    for no in [1, 2] {
        fleet.answers(no, RemoteChecks::Taken);
    }
    fleet.refuses(1, "no such plugin", true);
    fleet.refuses(1, "no such plugin", false);
    assert_eq!(fleet.watching(3), [2]);
    fleet.answers(1, RemoteChecks::Taken);
    assert_eq!((fleet.watching(3), fleet.obstacle(1)), (vec![1, 2], None));
}

#[test]
fn whoever_is_named_watches_and_what_keeps_it_from_that_is_told() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[1], None);
    fleet.answers(2, RemoteChecks::Taken);
    fleet.answers(1, RemoteChecks::TooOld);
    assert_eq!(fleet.watching(3), [1]);
    assert!(fleet.obstacle(1).is_some_and(|words| words.contains("bring it to a newer release")));
    // Asked again and again, as it is named: it takes the checks of devices at last.
    fleet.refuses(1, "too many", true);
    fleet.replies(1, Reply { remote_checks: RemoteChecks::Taken, refused: None, with_devices: true });
    assert_eq!((fleet.watching(3), fleet.obstacle(1)), (vec![1], None));
}
