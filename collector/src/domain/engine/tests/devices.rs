//! Hosts without an agent, what their watchers say, and what is behind them.

use proptest::prelude::*;

use super::{checks::restarted, *};
use crate::domain::{
    device::{Device, Probe},
    host::checks::{Outcome as Checked, Status},
};

impl Fleet {
    /// Adds a device that these hosts watch.
    pub(super) fn device(&mut self, no: i64, watchers: &[i64], parent: Option<i64>) {
        let known = Profile { class: Class::Device, ..profile(no, Watch::Normal) };
        let host = known.id;
        self.apply(Event::Enrolled(Box::new(known)));
        let watchers = watchers.iter().map(|no| profile(*no, Watch::Normal).id).collect();
        let device = Device { host: HostNo(0), address: "192.0.2.1".into(), probe: Probe::Icmp, watchers, place: None };
        let parent = parent.map(|no| profile(no, Watch::Normal).id);
        self.operator(Command::Device { host, device: Box::new(device), parent });
        self.apply(Event::Tick);
    }

    fn behind(&mut self, host: i64, device: i64) {
        let id = |no| profile(no, Watch::Normal).id;
        self.operator(Command::Parent { host: id(host), parent: Some(id(device)) });
        self.apply(Event::Tick);
    }

    /// A watcher's check of a device turned out so, as the first or the second in a row of two.
    pub(super) fn asked(&mut self, watcher: i64, device: i64, status: Status, attempt: u32) {
        let (check, at) = (format!("device.{device}"), Timestamp::from_ms(self.now));
        let output = format!("says {}", status.word());
        let outcome = Checked { check, status: Some(status), attempt, attempts: 2, ok_ago_ms: 0, output, at };
        self.host(watcher, HostEvent::Checked { outcomes: vec![outcome] });
    }

    pub(super) fn dead(&mut self, watcher: i64, device: i64) {
        self.asked(watcher, device, Status::Critical, 1);
        self.asked(watcher, device, Status::Critical, 2);
    }

    /// These hosts have not been heard since now.
    pub(super) fn silent_together(&mut self, hosts: &[i64]) {
        let proof = Timestamp::from_ms(self.now);
        self.now += 7_000;
        for no in hosts {
            self.host(*no, HostEvent::Silent { session: SessionId(*no), proof });
        }
    }

    pub(super) fn after(&mut self, ms: i64) {
        self.until(self.now - START + ms);
    }

    fn why(&self, no: i64) -> String {
        self.engine.snapshot().hosts[&HostNo(no)].cause.words()
    }
}

#[test]
fn a_device_is_up_when_any_watcher_says_so_and_down_when_all_say_hard_that_it_does_not_answer() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[1, 2], None);
    assert_eq!((fleet.state(3), fleet.why(3).as_str()), (State::Unknown, "none of its watchers is heard and can tell"));
    fleet.asked(1, 3, Status::Critical, 1);
    assert_eq!(fleet.state(3), State::Unknown, "soft: nobody can tell yet");
    fleet.asked(2, 3, Status::Ok, 1);
    assert_eq!(fleet.state(3), State::Up);
    fleet.asked(1, 3, Status::Critical, 2);
    fleet.asked(2, 3, Status::Critical, 1);
    fleet.after(60_000);
    assert_eq!((fleet.state(3), fleet.told()), (State::Up, vec![]));
    fleet.asked(2, 3, Status::Critical, 2);
    assert_eq!((fleet.state(3), fleet.why(3).as_str()), (State::Down, "it does not answer: h1 says: says critical"));
    fleet.after(20_000);
    assert_eq!(fleet.told(), [], "the page waits as for any host of its level");
    fleet.after(20_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h3 is down")]);
    assert_eq!((fleet.pages[0].severity, fleet.pages[0].host.as_str()), (Severity::Critical, "h3"));
    fleet.asked(1, 3, Status::Warning, 1);
    assert_eq!((fleet.state(3), fleet.pages.len()), (State::Up, 2), "slow, and there");
    assert_eq!(fleet.told()[1].0, PageKind::Resolved);
    let checks: Vec<usize> = fleet.engine.snapshot().hosts.values().map(|host| host.checks.len()).collect();
    assert_eq!(checks, [0, 0, 0], "what is said of a device is nobody's own check");
}

#[test]
fn with_all_watchers_silent_a_device_is_unknown_pages_nobody_and_what_was_wrong_stays_open() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[1, 2], None);
    fleet.device(4, &[1, 2], None);
    for watcher in [1, 2] {
        fleet.asked(watcher, 3, Status::Ok, 1);
        fleet.dead(watcher, 4);
    }
    fleet.after(60_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h4 is down")]);
    fleet.silent_together(&[1, 2]);
    fleet.after(60_000);
    assert_eq!((fleet.state(1), fleet.state(3), fleet.state(4)), (State::Down, State::Unknown, State::Unknown));
    assert_eq!(fleet.spans(3).last().map(|span| span.state), Some(Observed::Up), "it was up until then");
    let mut titles: Vec<_> = fleet.told();
    titles.sort_by_key(|(_, title)| *title);
    let opened = |title| (PageKind::Opened, title);
    assert_eq!(titles, [opened("h1 is down"), opened("h2 is down"), opened("h4 is down")]);
    fleet.connect(1);
    fleet.asked(1, 3, Status::Ok, 1);
    fleet.asked(1, 4, Status::Ok, 1);
    assert_eq!((fleet.state(3), fleet.state(4)), (State::Up, State::Up));
    let resolved: Vec<_> = fleet.told().into_iter().filter(|(kind, _)| *kind == PageKind::Resolved).collect();
    assert_eq!(resolved.len(), 2, "h1 and h4: {resolved:?}");
}

#[test]
fn a_device_that_nobody_can_watch_says_so_and_only_its_watchers_are_believed() {
    let mut fleet = Fleet::of(&[Watch::Normal; 3]);
    fleet.device(4, &[1], None);
    fleet.asked(2, 4, Status::Ok, 1);
    assert_eq!(fleet.state(4), State::Unknown, "2 does not watch it");
    fleet.asked(1, 4, Status::Unknown, 2);
    assert_eq!(fleet.state(4), State::Unknown, "it cannot tell");
    let admission = Admission::Retired;
    fleet.operator(Command::Admit { host: profile(1, Watch::Normal).id, admission });
    fleet.apply(Event::Tick);
    assert!(fleet.why(4).starts_with("nobody watches it"), "{}", fleet.why(4));
}

#[test]
fn a_switch_that_dies_with_three_hosts_behind_it_is_one_incident_one_page_and_one_recovery() {
    let mut fleet = Fleet::of(&[Watch::Normal; 4]);
    fleet.device(5, &[1], None);
    fleet.asked(1, 5, Status::Ok, 1);
    for no in 2..=4 {
        fleet.behind(no, 5);
    }
    fleet.silent_together(&[2, 3, 4]);
    fleet.after(5_000);
    assert_eq!([2, 3, 4].map(|no| fleet.state(no)), [State::Down; 3], "no cut: one device explains it");
    fleet.dead(1, 5);
    fleet.after(60_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h5 is down")]);
    let page = &fleet.pages[0];
    assert!(page.details.contains("hosts: h2, h3, h4, h5"), "{}", page.details);
    let snapshot = fleet.engine.snapshot();
    let open: Vec<_> = snapshot.incidents.values().map(|view| view.row.title.clone()).collect();
    assert_eq!(open, ["h5 is down"]);
    let parts: Vec<_> = fleet
        .rows
        .iter()
        .filter_map(|row| if let Row::Problem(row) = row { row.part_of.clone() } else { None })
        .collect();
    assert!(parts.iter().all(|key| key == "liveness/00000000-0000-7000-8000-000000000005/host") && parts.len() >= 3);

    fleet.after(600_000);
    fleet.asked(1, 5, Status::Ok, 1);
    for no in 2..=4 {
        fleet.after(10_000);
        fleet.connect(no);
    }
    fleet.after(300_000);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn a_host_that_is_not_back_with_its_switch_gets_an_incident_of_its_own() {
    let mut fleet = Fleet::of(&[Watch::Normal; 3]);
    fleet.device(4, &[1], None);
    fleet.asked(1, 4, Status::Ok, 1);
    fleet.behind(2, 4);
    fleet.behind(3, 4);
    fleet.silent_together(&[2, 3]);
    fleet.dead(1, 4);
    fleet.after(120_000);
    fleet.asked(1, 4, Status::Ok, 1);
    fleet.connect(2);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h4 is down"), (PageKind::Resolved, "h4 is down")]);
    fleet.after(60_000);
    assert_eq!(fleet.pages.len(), 2, "it is given time to come back");
    fleet.after(60_000);
    assert_eq!(fleet.told()[2..], [(PageKind::Opened, "h3 is down")]);
    fleet.connect(3);
    assert_eq!(fleet.told()[3..], [(PageKind::Resolved, "h3 is down")]);
}

#[test]
fn a_host_that_dies_behind_a_switch_that_lives_waits_until_that_is_known_and_is_paged() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[1], None);
    fleet.asked(1, 3, Status::Ok, 1);
    fleet.behind(2, 3);
    fleet.silent_together(&[2]);
    fleet.until(20_000);
    assert_eq!((fleet.state(2), fleet.engine.snapshot().incidents.len()), (State::Down, 0));
    // Asked every 10 s, twice, each within 3 s, with 3 s between, and 2 s on the way: 21 s after its last word.
    fleet.until(22_000);
    assert_eq!(fleet.engine.snapshot().incidents.len(), 1);
    fleet.until(52_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h2 is down")]);
    // What dies later explains nothing of it.
    fleet.until(3_600_000);
    fleet.dead(1, 3);
    fleet.after(60_000);
    assert_eq!(fleet.told()[1..], [(PageKind::Opened, "h3 is down")]);
}

#[test]
fn an_incident_that_was_opened_before_its_switch_was_known_to_be_dead_becomes_part_of_it() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[1], None);
    fleet.asked(1, 3, Status::Ok, 1);
    fleet.behind(2, 3);
    let proof = fleet.now;
    fleet.silent_together(&[2]);
    fleet.until(60_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h2 is down")]);
    // The watcher was slow to say what it saw at once.
    let (check, at) = ("device.3".to_owned(), Timestamp::from_ms(proof + 1_000));
    let (status, output) = (Some(Status::Critical), String::new());
    let outcome = Checked { check, status, attempt: 2, attempts: 2, ok_ago_ms: 0, output, at };
    fleet.host(1, HostEvent::Checked { outcomes: vec![outcome] });
    fleet.after(60_000);
    assert_eq!(fleet.told()[1..], [(PageKind::Updated, "h3 is down")], "whoever was called is not called again");
    fleet.asked(1, 3, Status::Ok, 1);
    fleet.connect(2);
    fleet.after(200_000);
    let kinds: Vec<PageKind> = fleet.pages[2..].iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Resolved]);
}

#[test]
fn the_first_of_a_chain_that_is_dead_is_the_cause() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[1], None);
    fleet.device(4, &[1], Some(3));
    fleet.behind(2, 4);
    for device in [3, 4] {
        fleet.asked(1, device, Status::Ok, 1);
    }
    fleet.silent_together(&[2]);
    // The nearer one is known first.
    fleet.dead(1, 4);
    fleet.after(8_000);
    fleet.dead(1, 3);
    fleet.after(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h3 is down")]);
    assert!(fleet.pages[0].details.contains("hosts: h2, h3, h4"), "{}", fleet.pages[0].details);
}

#[test]
fn a_whole_site_that_falls_silent_with_the_watchers_of_its_router_is_a_cut() {
    let mut fleet = Fleet::of(&[Watch::Normal; 5]);
    fleet.device(6, &[1, 2], None);
    fleet.asked(1, 6, Status::Ok, 1);
    for no in 3..=5 {
        fleet.behind(no, 6);
    }
    fleet.silent_together(&[3, 4, 5, 1, 2]);
    fleet.after(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "the collector's network: 5 hosts cut off from here")]);
    assert_eq!(fleet.state(6), State::Unknown);
}

#[test]
fn a_restart_of_the_collector_is_no_news_about_a_device_or_what_is_behind_it() {
    let mut fleet = Fleet::of(&[Watch::Normal; 3]);
    fleet.device(4, &[1], None);
    fleet.device(5, &[1], None);
    fleet.behind(2, 4);
    fleet.asked(1, 5, Status::Ok, 1);
    fleet.asked(1, 4, Status::Ok, 1);
    fleet.silent_together(&[2]);
    fleet.dead(1, 4);
    fleet.after(60_000);
    assert_eq!(fleet.pages.len(), 1);

    let loaded = restarted(&fleet);
    let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
    let routes = Roster { messengers, ..Roster::default() };
    fleet.now += 5_000;
    fleet.engine = Engine::new(&loaded, routes, Timestamp::from_ms(fleet.now)).0;
    assert_eq!((fleet.state(4), fleet.state(5)), (State::Down, State::Unknown));
    fleet.after(1_000);
    for no in [1, 3] {
        fleet.connect(no);
    }
    fleet.dead(1, 4);
    fleet.asked(1, 5, Status::Ok, 1);
    assert_eq!((fleet.state(4), fleet.state(5)), (State::Down, State::Up));
    fleet.after(120_000);
    assert_eq!(fleet.pages.len(), 1, "{:?}", fleet.told());
    fleet.asked(1, 4, Status::Ok, 1);
    fleet.connect(2);
    fleet.after(120_000);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn a_circle_of_parents_and_a_parent_with_an_agent_are_refused() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.device(3, &[1], None);
    fleet.device(4, &[1], Some(3));
    let id = |no| profile(no, Watch::Normal).id;
    let by = Principal { name: "ana".into(), via: "web".into(), address: None };
    let mut answer = |host, parent| {
        let command = Command::Parent { host: id(host), parent: Some(id(parent)) };
        let event = Event::Operator { by: by.clone(), command, reply: ReplyId(1) };
        let effects = fleet.engine.apply(event, Timestamp::from_ms(START));
        effects.into_iter().find_map(|effect| if let Effect::Reply(_, answer) = effect { Some(answer) } else { None })
    };
    let refused = |text: &str| Some(Answer::Refused(text.into()));
    assert_eq!(answer(3, 4), refused("h4 is behind h3 already: a circle of parents explains nothing"));
    assert_eq!(answer(3, 3), refused("h3 is behind h3 already: a circle of parents explains nothing"));
    assert_eq!(answer(2, 1), refused("h1 is no device: only devices have others behind them"));
    assert_eq!(answer(2, 4), Some(Answer::Done));
}

#[derive(Debug, Clone)]
enum Step {
    Said(i64, i64, u32, u32),
    Silent(i64),
    Back(i64),
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1_i64..=2, 5_i64..=6, 0_u32..=3, 1_u32..=2).prop_map(|(watcher, device, status, attempt)| Step::Said(watcher, device, status, attempt)),
        1 => (1_i64..=4).prop_map(Step::Silent),
        1 => (1_i64..=4).prop_map(Step::Back),
        2 => (1_i64..=90_000).prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever comes: nothing is down without somebody heard who says so, nor up or down against all that are heard; and
    /// in a world that is fine again no incident is open.
    #[test]
    fn a_device_is_what_those_that_are_heard_say_and_everything_ends(steps in proptest::collection::vec(step(), 1..60)) {
        let mut fleet = Fleet::of(&[Watch::Normal; 4]);
        fleet.device(5, &[1, 2], None);
        fleet.device(6, &[1, 2], Some(5));
        fleet.behind(3, 6);
        fleet.behind(4, 5);
        for step in steps {
            match step {
                Step::Said(watcher, device, status, attempt) if fleet.state(watcher) == State::Up => {
                    let all = [Status::Ok, Status::Warning, Status::Critical, Status::Unknown];
                    fleet.asked(watcher, device, all[status as usize], attempt);
                }
                Step::Silent(no) if fleet.state(no) == State::Up => fleet.silent_from_now(no),
                Step::Back(no) => fleet.connect(no),
                Step::Pass(ms) => fleet.after(ms),
                Step::Said(..) | Step::Silent(_) => {}
            }
            let snapshot = fleet.engine.snapshot();
            for no in [5, 6] {
                let host = &snapshot.hosts[&HostNo(no)];
                let said = host.device.iter().flat_map(|device| &device.watchers);
                let there: Vec<bool> = said.filter(|watcher| watcher.heard).filter_map(|watcher| watcher.said.as_ref()?.there).collect();
                let expected = match (there.contains(&true), there.contains(&false)) {
                    (true, _) => State::Up,
                    (false, true) => State::Down,
                    (false, false) => State::Unknown,
                };
                prop_assert_eq!(host.state, expected, "{:?}", there);
            }
        }
        for no in 1..=4 {
            fleet.connect(no);
        }
        for (watcher, device) in [(1, 5), (1, 6), (2, 5), (2, 6)] {
            fleet.asked(watcher, device, Status::Ok, 1);
        }
        // What flapped is over when it is stable.
        fleet.after(1_800_000);
        let snapshot = fleet.engine.snapshot();
        let open: Vec<_> = snapshot.incidents.values().filter(|view| view.row.state != IncidentState::Resolved).collect();
        prop_assert!(open.is_empty(), "{:#?}", open);
    }
}
