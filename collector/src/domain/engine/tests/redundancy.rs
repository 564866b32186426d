//! Redundancy groups: a member's loss wakes nobody while the group holds, and a broken group is one page.

use super::{
    checks::{restarted, says},
    holds::window_of,
    *,
};
use crate::domain::{
    calendar::Span,
    host::checks::Status,
    redundancy::{Group, Member},
};

const MINUTE: i64 = 60_000;

fn group(name: &str, members: &[&str], needs: usize, behind: &[&str]) -> Group {
    let members = members.iter().map(|text| Member::from_words(text).unwrap()).collect();
    let behind = behind.iter().map(|name| (*name).to_owned()).collect();
    Group { name: name.into(), members, needs, behind, severity: Severity::Critical }
}

/// `ops` hears of warnings, `boss` of what is critical only.
fn fleet(hosts: usize, groups: Vec<Group>) -> Fleet {
    let messenger = |name: &str, least| Messenger { receiver: name.into(), least: Some(least) };
    let messengers = vec![messenger("boss", Severity::Critical), messenger("ops", Severity::Warning)];
    Fleet::with(&vec![Watch::Normal; hosts], Roster { messengers, groups, ..Roster::default() }, START)
}

impl Fleet {
    /// Receiver, what it was told, and of what, from the nth page on.
    fn heard_from(&self, n: usize) -> Vec<(&str, PageKind, &str)> {
        self.pages[n..].iter().map(|page| (page.receiver.as_str(), page.kind, page.title.as_str())).collect()
    }
}

const BROKEN: &str = "redundancy group web is broken: 1 of 3 up, needs 2";

#[test]
fn a_members_loss_is_a_warning_and_the_one_that_breaks_the_group_is_one_page_for_all() {
    use PageKind::{Opened, Resolved};
    let mut fleet = fleet(3, vec![group("web", &["h1", "h2", "h3"], 2, &[])]);
    fleet.silent_from_now(1);
    fleet.after(10 * MINUTE);
    assert_eq!(fleet.heard_from(0), [("ops", Opened, "h1 is down")]);
    assert_eq!(fleet.pages[0].severity, Severity::Warning);
    assert_eq!(fleet.pages[0].facts.redundancy, "web: 2 of 3 up, needs 2, none to spare");
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    assert_eq!(view.redundancy, ["web: 2 of 3 up, needs 2, none to spare"]);
    let why = "nobody is woken, a warning is all: redundancy group web: 2 of 3 up, needs 2, none to spare";
    assert!(view.events.iter().any(|event| event.kind == "held" && event.text == why), "{:?}", view.events);

    fleet.silent_from_now(2);
    fleet.after(10 * MINUTE);
    assert_eq!(fleet.heard_from(1), [("boss", Opened, BROKEN), ("ops", Opened, BROKEN)]);
    assert_eq!((fleet.pages[1].severity, fleet.pages[1].facts.hosts), (Severity::Critical, 2));
    assert_eq!(fleet.pages[1].key, "redundancy/web/group");
    fleet.silent_from_now(3);
    fleet.after(10 * MINUTE);
    assert_eq!(fleet.pages.len(), 3, "it is broken already");
    fleet.connect(2);
    fleet.after(10 * MINUTE);
    assert_eq!(fleet.pages.len(), 3, "one of three is not enough");

    fleet.connect(1);
    fleet.after(10 * MINUTE);
    let ends = [("boss", Resolved, BROKEN), ("ops", Resolved, BROKEN), ("ops", Resolved, "h1 is down")];
    assert_eq!(fleet.heard_from(3), [&ends[..], &[("ops", Opened, "h3 is down")]].concat());
    fleet.connect(3);
    assert_eq!(fleet.heard_from(7), [("ops", Resolved, "h3 is down")]);
}

#[test]
fn members_that_die_together_are_one_page_and_a_host_of_no_group_is_its_own() {
    let mut fleet = fleet(4, vec![group("web", &["h1", "H2"], 1, &[])]);
    fleet.silent_together(&[1, 2]);
    fleet.after(20 * MINUTE);
    fleet.silent_from_now(4);
    fleet.after(2 * MINUTE);
    let broken = "redundancy group web is broken: 0 of 2 up, needs 1";
    let opened = |receiver, title| (receiver, PageKind::Opened, title);
    let ends = [opened("boss", "h4 is down"), opened("ops", "h4 is down")];
    assert_eq!(fleet.heard_from(0), [&[opened("boss", broken), opened("ops", broken)][..], &ends].concat());
}

#[test]
fn all_of_them_needed_makes_the_group_the_cause_of_each_loss() {
    let mut fleet = fleet(2, vec![group("pair", &["h1", "h2"], 2, &[])]);
    fleet.silent_from_now(1);
    fleet.after(2 * MINUTE);
    let broken = "redundancy group pair is broken: 1 of 2 up, needs 2";
    assert_eq!(fleet.told(), [(PageKind::Opened, broken), (PageKind::Opened, broken)]);
    fleet.connect(1);
    fleet.after(2 * MINUTE);
    assert_eq!(fleet.told()[2..], [(PageKind::Resolved, broken), (PageKind::Resolved, broken)]);
}

#[test]
fn checks_are_members_too_and_one_that_nobody_has_heard_of_spares_nobody() {
    let mut fleet = fleet(2, vec![group("shop", &["h1/web", "h2/web"], 1, &[])]);
    says(&mut fleet, 1, 0, 1);
    says(&mut fleet, 1, 2, 3);
    fleet.after(MINUTE);
    assert_eq!(fleet.pages[0].severity, Severity::Critical, "of the other nothing is known");
    says(&mut fleet, 1, 0, 1);
    says(&mut fleet, 2, 0, 1);
    let told = fleet.pages.len();
    says(&mut fleet, 2, 2, 3);
    fleet.after(MINUTE);
    assert_eq!(fleet.pages[told..].iter().map(|page| page.severity).collect::<Vec<_>>(), [Severity::Warning]);
    // Another thing about the same host is no member.
    let holds = Verdict::Holds { severity: Severity::Critical, evidence: "1 % free".into() };
    let full = Judgement { part: "/".into(), rule: "filesystem_space", verdict: holds, cause: None };
    fleet.host(1, HostEvent::Judged { through: None, judgements: vec![full] });
    fleet.after(MINUTE);
    assert_eq!(fleet.pages[told + 1..].iter().map(|page| page.severity).collect::<Vec<_>>(), [Severity::Critical; 2]);
    let told = fleet.pages.len();
    says(&mut fleet, 1, 2, 3);
    fleet.after(MINUTE);
    let broken = "redundancy group shop is broken: 0 of 2 up, needs 1";
    assert_eq!(fleet.heard_from(told), [("boss", PageKind::Opened, broken), ("ops", PageKind::Opened, broken)]);
}

#[test]
fn a_group_whose_lost_members_are_all_in_maintenance_waits_for_its_end() {
    let mut fleet = fleet(3, vec![group("web", &["h1", "h2", "h3"], 2, &[])]);
    let at = |ms| Timestamp::from_ms(START + ms);
    fleet.operator(window_of("h?", Span { from: at(0), until: at(60 * MINUTE) }));
    fleet.silent_from_now(1);
    fleet.silent_from_now(2);
    fleet.until(60 * MINUTE - 1);
    assert_eq!(fleet.told(), []);
    fleet.until(61 * MINUTE);
    let titles: Vec<(&str, PageKind, &str)> = fleet.heard_from(0).into_iter().filter(|one| one.0 == "boss").collect();
    assert_eq!(titles, [("boss", PageKind::Opened, BROKEN)]);
}

#[test]
fn a_cut_explains_that_a_group_is_broken() {
    let mut fleet = fleet(6, vec![group("web", &["h1", "h2", "h3"], 2, &[])]);
    fleet.silent_together(&[1, 2, 3, 4, 5, 6]);
    fleet.after(5 * MINUTE);
    let cut = "the collector's network: 6 hosts cut off from here";
    assert_eq!(fleet.heard_from(0), [("boss", PageKind::Opened, cut), ("ops", PageKind::Opened, cut)]);
    let is_over = |fleet: &Fleet| {
        fleet.rows.iter().any(|row| matches!(row, Row::ProblemCleared(key) if key == "redundancy/web/group"))
    };
    fleet.connect(1);
    assert!(!is_over(&fleet), "the one whose silence made it a cut is cut off too");
    fleet.connect(2);
    assert!(is_over(&fleet));
    for no in 3..=6 {
        fleet.connect(no);
    }
    fleet.after(5 * MINUTE);
    assert_eq!(fleet.pages.len(), 4, "{:?}", fleet.told());
}

#[test]
fn behind_two_routers_one_may_die_and_when_both_do_all_is_one_incident() {
    let mut fleet = fleet(5, vec![group("routers", &["h6", "h7"], 1, &["h3", "h4", "h5"])]);
    for device in [6, 7] {
        fleet.device(device, &[1, 2], None);
        for watcher in [1, 2] {
            fleet.asked(watcher, device, Status::Ok, 1);
        }
    }
    let die = |fleet: &mut Fleet, device| [1, 2].into_iter().for_each(|watcher| fleet.dead(watcher, device));
    die(&mut fleet, 6);
    fleet.after(5 * MINUTE);
    assert_eq!(fleet.heard_from(0), [("ops", PageKind::Opened, "h6 is down")]);
    // What dies while the other router is there died by itself.
    fleet.silent_from_now(3);
    fleet.after(5 * MINUTE);
    let own = [("boss", PageKind::Opened, "h3 is down"), ("ops", PageKind::Opened, "h3 is down")];
    assert_eq!(fleet.heard_from(1), own);
    fleet.connect(3);
    let told = fleet.pages.len();
    // All three fall silent first, and that is no cut: watchers of the routers are heard.
    fleet.silent_together(&[3, 4, 5]);
    fleet.after(5_000);
    die(&mut fleet, 7);
    fleet.after(20 * MINUTE);
    let broken = "redundancy group routers is broken: 0 of 2 up, needs 1";
    assert_eq!(fleet.heard_from(told), [("boss", PageKind::Opened, broken), ("ops", PageKind::Opened, broken)]);
    assert_eq!(fleet.engine.snapshot().incidents.values().filter(|view| view.hosts.len() == 5).count(), 1);
    for watcher in [1, 2] {
        fleet.asked(watcher, 6, Status::Ok, 1);
    }
    for no in [3, 4] {
        fleet.connect(no);
    }
    fleet.after(5 * MINUTE);
    let titles: Vec<(&str, PageKind, &str)> =
        fleet.heard_from(told + 2).into_iter().filter(|one| one.0 == "boss").collect();
    assert_eq!(titles, [("boss", PageKind::Resolved, broken), ("boss", PageKind::Opened, "h5 is down")]);
}

#[test]
fn a_group_that_the_configuration_has_no_more_is_over_and_its_members_are_on_their_own() {
    let mut fleet = fleet(2, vec![group("pair", &["h1", "h2"], 1, &[])]);
    fleet.silent_together(&[1, 2]);
    fleet.after(2 * MINUTE);
    assert_eq!(fleet.pages.len(), 2);
    let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
    let roster = Roster { messengers, ..Roster::default() };
    let (engine, effects) = Engine::new(&restarted(&fleet), roster, Timestamp::from_ms(fleet.now));
    fleet.engine = engine;
    fleet.carry_out(effects);
    fleet.after(2 * MINUTE);
    let broken = "redundancy group pair is broken: 0 of 2 up, needs 1";
    let mut told = fleet.heard_from(2);
    told.sort_by_key(|(receiver, _, title)| (*title, *receiver));
    let opened = |title| ("ops", PageKind::Opened, title);
    let over = |receiver| (receiver, PageKind::Resolved, broken);
    assert_eq!(told, [opened("h1 is down"), opened("h2 is down"), over("boss"), over("ops")]);
}
