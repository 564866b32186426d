//! Error budgets that burn: nobody is called a second time for an outage that was told, and outages of which nobody heard
//! are told together once they cost too much.

use super::{
    checks::restarted,
    holds::{silence_of, window_of},
    *,
};
use crate::domain::{
    calendar::Span,
    hold::Scope,
    record::ProblemRow,
    redundancy::{Group, Member},
    sla::{
        agreement::Agreement,
        budget::Budget,
        burn::{Burn, BurnAlerts, Lately, Pace},
        target::Target,
    },
};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const KEY: &str = "burn_rate/web shop/budget";
const H1: &str = "web shop: h1 spends its error budget too fast";

impl Fleet {
    /// What the ledgers say is bad, of 99.9 % over 30 days.
    fn burn(&self, alerts: BurnAlerts) -> Burn {
        let month = Span { from: Timestamp::from_ms(0), until: Timestamp::from_ms(30 * 86_400_000) };
        let snapshot = self.engine.snapshot();
        let subjects = snapshot.hosts.values().map(|host| {
            let no = host.profile.no;
            let down = self.spans(no.0).into_iter().filter(|span| span.state == Observed::Down);
            let mut bad: Vec<Span> = down.map(|span| Span { from: span.from, until: span.to }).collect();
            if host.observed.state == Observed::Down {
                bad.push(Span { from: host.observed.from, until: Timestamp::from_ms(self.now) });
            }
            let least_ms = host.profile.watch.timers().told_after_ms();
            Lately::of_host(no, host.profile.name.clone(), least_ms, bad)
        });
        Burn {
            agreement: "web shop".into(),
            alerts,
            pace: Pace::of(&Agreement::new("web shop", Target::parse("99.9").unwrap()), month),
            at: Timestamp::from_ms(self.now),
            subjects: subjects.filter(|lately| !lately.bad.is_empty()).collect(),
            left: Some(Budget { whole_ms: 43 * MINUTE, left_ms: 40 * MINUTE }),
        }
    }

    /// Looks at the budget now.
    fn look(&mut self) {
        let burn = self.burn(BurnAlerts::Pages);
        self.apply(Event::Burn(vec![burn]));
    }

    /// Hosts are gone together for so long, and back; and looks at the budget each 15 s meanwhile.
    fn gone(&mut self, hosts: &[i64], ms: i64) {
        let end = self.now + ms;
        self.silent_together(hosts);
        while self.now + 15 * SECOND < end {
            self.after(15 * SECOND);
            self.look();
        }
        self.after(end - self.now);
        hosts.iter().for_each(|no| self.connect(*no));
    }

    /// Looks each 15 s for so long.
    fn looked(&mut self, ms: i64) {
        let end = self.now + ms;
        while self.now < end {
            self.after(15 * SECOND);
            self.look();
        }
    }

    /// The problem as last recorded, unless it is over.
    fn problem(&self) -> Option<ProblemRow> {
        restarted(self).problems.into_iter().find(|row| row.key == KEY)
    }

    fn open(&self) -> Vec<(i64, String)> {
        let snapshot = self.engine.snapshot();
        let open = snapshot.incidents.values().filter(|view| view.row.state != IncidentState::Resolved);
        open.map(|view| (view.row.no.0, view.row.key.clone())).collect()
    }

    fn begin_again(&mut self) {
        let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
        let roster = Roster { messengers, ..Roster::default() };
        let (engine, effects) = Engine::new(&restarted(self), roster, Timestamp::from_ms(self.now));
        self.engine = engine;
        self.carry_out(effects);
    }
}

#[test]
fn an_outage_that_was_told_is_told_once_and_its_burn_belongs_to_it() {
    use PageKind::{Opened, Resolved};
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.after(60 * SECOND);
    assert_eq!(fleet.told(), [(Opened, "h1 is down")]);
    fleet.look();
    assert_eq!(fleet.told().len(), 1, "the host's own incident took it");
    let problem = fleet.problem().unwrap();
    assert_eq!((problem.incident, problem.severity), (Some(IncidentNo(1)), Severity::Critical));
    assert!(problem.part_of.unwrap().starts_with("liveness/"));
    let incident = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    assert!(incident.events.iter().any(|event| event.kind == "problem" && event.text == H1), "{:?}", incident.events);
    assert_eq!(incident.hosts, ["h1"]);

    fleet.connect(1);
    assert_eq!(
        fleet.told(),
        [(Opened, "h1 is down"), (Resolved, "h1 is down")],
        "its end does not wait for the burn's"
    );
    fleet.look();
    let problem = fleet.problem().unwrap();
    assert_eq!((problem.incident, problem.severity), (None, Severity::Info), "it is seen, and no news");
    fleet.looked(10 * MINUTE);
    assert_eq!((fleet.problem(), fleet.told().len(), fleet.open()), (None, 2, vec![]));
}

#[test]
fn a_look_that_comes_after_the_end_calls_nobody_again() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.after(60 * SECOND);
    fleet.connect(1);
    fleet.look();
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down"), (PageKind::Resolved, "h1 is down")]);
    assert_eq!(fleet.problem().unwrap().severity, Severity::Info);
}

#[test]
fn outages_too_short_to_be_told_are_told_when_they_cost_too_much_and_all_in_one() {
    use PageKind::{Opened, Resolved};
    let mut fleet = Fleet::of(&[Watch::Normal; 4]);
    fleet.gone(&[1], 30 * SECOND);
    fleet.looked(MINUTE);
    assert_eq!(fleet.told(), [], "half a minute is less than may be lost in an hour");
    fleet.gone(&[1], 30 * SECOND);
    fleet.look();
    assert_eq!(fleet.told(), [(Opened, H1)]);
    let page = &fleet.pages[0];
    assert_eq!((page.key.as_str(), page.component.as_str(), page.host.as_str()), (KEY, "web shop", "h1"));
    assert_eq!(page.severity, Severity::Critical);
    let figures = "h1: 60.0 s out of 43.2 min gone within 1h, 16.7 times as fast as allowed, and 200.0 times within 5m; \
                   the limit is 14.4 times (2 % in 1h); the agreement has 40.0 min of 43.0 min left";
    assert!(page.details.contains(figures), "{}", page.details);

    // Another one does the same: no second call for one budget.
    fleet.gone(&[2], 30 * SECOND);
    fleet.looked(MINUTE);
    fleet.gone(&[2], 30 * SECOND);
    fleet.looked(30 * SECOND);
    let snapshot = fleet.engine.snapshot();
    let view = snapshot.incidents.values().find(|view| view.row.key == KEY).unwrap();
    assert_eq!(
        (view.row.title.as_str(), view.hosts.len()),
        ("web shop: 2 hosts spend their error budgets too fast", 2)
    );
    assert_eq!(fleet.told(), [(Opened, H1)]);
    assert_eq!(fleet.open().len(), 1);
    assert_eq!(snapshot.hosts[&HostNo(2)].incident, Some(view.row.no), "its page names the incident");
    fleet.looked(6 * MINUTE);
    assert_eq!(fleet.told().last().map(|(kind, _)| *kind), Some(Resolved));
    assert_eq!((fleet.told().len(), fleet.open()), (2, vec![]));
}

#[test]
fn a_host_that_goes_down_while_its_budget_burns_is_a_call_of_its_own() {
    use PageKind::{Opened, Resolved};
    let mut fleet = Fleet::of(&[Watch::Normal; 3]);
    fleet.gone(&[1], 30 * SECOND);
    fleet.looked(MINUTE);
    fleet.gone(&[1], 30 * SECOND);
    fleet.look();
    fleet.silent_from_now(2);
    fleet.looked(2 * MINUTE);
    assert_eq!(fleet.told(), [(Opened, H1), (Opened, "h2 is down")]);
    fleet.looked(4 * MINUTE);
    // What nobody had heard of is over; what is left is h2's, of which everybody knows.
    assert_eq!(fleet.told()[2..], [(Resolved, H1)]);
    let problem = fleet.problem().unwrap();
    assert!(problem.part_of.is_some() && problem.summary.contains("h2"), "{problem:?}");
    assert_eq!(fleet.open().len(), 1);
    fleet.connect(2);
    fleet.looked(MINUTE);
    assert_eq!(fleet.told()[3..], [(Resolved, "h2 is down")]);
}

#[test]
fn a_restart_changes_nothing_of_what_was_told() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.silent_from_now(1);
    fleet.after(60 * SECOND);
    fleet.look();
    fleet.begin_again();
    fleet.look();
    assert_eq!(fleet.problem().unwrap().incident, Some(IncidentNo(1)));
    fleet.connect(1);
    fleet.connect(2);
    fleet.after(SECOND);
    fleet.begin_again();
    fleet.connect(1);
    fleet.connect(2);
    fleet.looked(10 * MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down"), (PageKind::Resolved, "h1 is down")]);

    fleet.gone(&[2], 30 * SECOND);
    fleet.looked(MINUTE);
    fleet.gone(&[2], 30 * SECOND);
    fleet.look();
    fleet.begin_again();
    fleet.connect(1);
    fleet.connect(2);
    fleet.looked(MINUTE);
    let h2 = "web shop: h2 spends its error budget too fast";
    assert_eq!(fleet.told()[2..], [(PageKind::Opened, h2)]);
    fleet.looked(10 * MINUTE);
    assert_eq!(fleet.told()[3..], [(PageKind::Resolved, h2)]);
}

#[test]
fn maintenance_and_silence_of_all_its_hosts_hold_it_back_and_somebody_may_have_it() {
    let mut fleet = Fleet::of(&[Watch::Normal; 2]);
    fleet.operator(silence_of(Scope { hosts: vec!["h1".into()], ..Scope::default() }, 20 * MINUTE));
    fleet.gone(&[1], 30 * SECOND);
    fleet.looked(MINUTE);
    fleet.gone(&[1], 30 * SECOND);
    fleet.look();
    assert_eq!(fleet.told(), [], "h1 is silenced");
    let key = |fleet: &Fleet| fleet.engine.snapshot().incidents.values().find(|view| view.row.key == KEY).cloned();
    assert!(key(&fleet).unwrap().held.is_some());
    fleet.begin_again();
    fleet.connect(1);
    fleet.connect(2);
    fleet.after(MINUTE);
    assert_eq!(fleet.told(), [], "also after a restart, before anybody has looked");
    fleet.gone(&[2], 30 * SECOND);
    fleet.looked(MINUTE);
    fleet.gone(&[2], 30 * SECOND);
    fleet.look();
    assert_eq!(fleet.told(), [(PageKind::Opened, "web shop: 2 hosts spend their error budgets too fast")]);
    let no = key(&fleet).unwrap().row.no;
    fleet.operator(Command::Acknowledge { incident: no, for_ms: None, note: String::new() });
    assert_eq!(key(&fleet).unwrap().row.acknowledged_by.as_deref(), Some("ana"));
    let told = fleet.told().len();
    fleet.looked(MINUTE);
    assert_eq!(fleet.told().len(), told);
}

#[test]
fn planned_work_on_a_host_holds_back_what_its_outages_before_cost() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.gone(&[1], 30 * SECOND);
    fleet.after(MINUTE);
    fleet.silent_from_now(1);
    fleet.after(20 * SECOND);
    let now = Timestamp::from_ms(fleet.now);
    fleet.operator(window_of("h1", Span { from: now, until: now.plus_ms(30 * MINUTE) }));
    fleet.after(10 * MINUTE);
    fleet.look();
    assert_eq!(fleet.told(), []);
}

#[test]
fn a_member_of_a_group_that_holds_wakes_nobody() {
    let members = ["h1", "h2"].map(|text| Member::from_words(text).unwrap()).to_vec();
    let severity = Severity::Critical;
    let group = Group { name: "web".into(), members, needs: 1, behind: Vec::new(), severity };
    let messengers = vec![Messenger { receiver: "boss".into(), least: Some(Severity::Critical) }];
    let roster = Roster { messengers, groups: vec![group], ..Roster::default() };
    let mut fleet = Fleet::with(&[Watch::Normal; 3], roster, START);
    fleet.silent_from_now(1);
    fleet.looked(2 * MINUTE);
    assert_eq!(fleet.told(), [], "its loss is a warning, and its burn is no more");
    fleet.connect(1);
    fleet.looked(6 * MINUTE);
    fleet.gone(&[2], 30 * SECOND);
    fleet.looked(MINUTE);
    fleet.gone(&[2], 30 * SECOND);
    fleet.looked(MINUTE);
    assert_eq!(fleet.told(), []);
    assert_eq!(fleet.problem().map(|row| row.severity), Some(Severity::Warning));
    // Of the third host nobody takes the place.
    fleet.gone(&[3], 30 * SECOND);
    fleet.looked(MINUTE);
    fleet.gone(&[3], 30 * SECOND);
    fleet.looked(MINUTE);
    assert_eq!(fleet.told().len(), 1);
}

#[test]
fn the_burn_of_a_broken_group_ends_with_it() {
    let members = ["h1", "h2"].map(|text| Member::from_words(text).unwrap()).to_vec();
    let severity = Severity::Critical;
    let group = Group { name: "web".into(), members, needs: 2, behind: Vec::new(), severity };
    let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
    let roster = Roster { messengers, groups: vec![group], ..Roster::default() };
    let mut fleet = Fleet::with(&[Watch::Normal; 2], roster, START);
    fleet.silent_from_now(1);
    fleet.looked(2 * MINUTE);
    fleet.connect(1);
    fleet.looked(10 * MINUTE);
    let broken = "redundancy group web is broken: 1 of 2 up, needs 2";
    assert_eq!(fleet.told(), [(PageKind::Opened, broken), (PageKind::Resolved, broken)]);
}

#[test]
fn what_is_promised_no_more_is_nobodys_trouble_and_tickets_wake_nobody() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.gone(&[1], 30 * SECOND);
    fleet.after(MINUTE);
    fleet.gone(&[1], 30 * SECOND);
    let burn = fleet.burn(BurnAlerts::Tickets);
    fleet.apply(Event::Burn(vec![burn]));
    assert_eq!(fleet.told(), [], "a minute is not a tenth of the budget");
    fleet.look();
    assert_eq!(fleet.told().len(), 1);
    fleet.apply(Event::Burn(Vec::new()));
    assert_eq!(fleet.told()[1..], [(PageKind::Resolved, H1)]);
    assert_eq!(fleet.problem(), None);
}

#[test]
fn one_that_was_closed_by_hand_stays_closed_until_it_has_ended_and_begun_anew() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    let burst = |fleet: &mut Fleet| {
        fleet.gone(&[1], 30 * SECOND);
        fleet.looked(MINUTE);
        fleet.gone(&[1], 30 * SECOND);
        fleet.look();
    };
    burst(&mut fleet);
    let (no, _) = fleet.open()[0];
    fleet.operator(Command::Resolve { incident: IncidentNo(no), note: String::new() });
    let told = fleet.told().len();
    fleet.looked(2 * MINUTE);
    assert_eq!((fleet.told().len(), fleet.open()), (told, vec![]));
    fleet.looked(10 * MINUTE);
    assert_eq!(fleet.problem(), None);
}
