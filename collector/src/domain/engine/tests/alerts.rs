//! Alerts from elsewhere: they are problems like others, and join what explains them.

use super::{checks::restarted, *};
use crate::domain::{
    alert::{Alert, Said, Source},
    hold::Scope,
    oncall::route::RouteRule,
};

const MINUTE: i64 = 60_000;

impl Fleet {
    fn alert(&self, labels: &[(&str, &str)], ends_ms: Option<i64>) -> Alert {
        let now = Timestamp::from_ms(self.now);
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let ends = ends_ms.map(|ms| now.plus_ms(ms));
        // Senders say when it began: a minute after the fleet's start.
        let starts = Some(Timestamp::from_ms(self.start + 1_000)).filter(|at| ends.is_none_or(|ends| ends >= *at));
        Alert::posted(Said { labels, starts, ends, ..Said::default() }, now).unwrap()
    }

    /// What Prometheus says of an alert: it ends in four minutes unless it is said again, or has ended.
    pub(super) fn says(&mut self, labels: &[(&str, &str)], ends_ms: i64) {
        let alert = self.alert(labels, Some(ends_ms));
        self.operator(Command::Alerts(vec![alert]));
    }

    fn kinds(&self) -> Vec<PageKind> {
        self.pages.iter().map(|page| page.kind).collect()
    }
}

const SLOW: [(&str, &str); 3] = [("alertname", "Slow"), ("severity", "critical"), ("job", "shop")];

#[test]
fn an_alert_that_is_said_again_is_one_page_and_its_end_one_recovery() {
    let mut fleet = Fleet::of(&[]);
    fleet.until(2_000);
    for minute in 1..=10 {
        fleet.says(&SLOW, 4 * MINUTE);
        fleet.until(minute * MINUTE);
    }
    assert_eq!(fleet.told(), [(PageKind::Opened, "Slow")]);
    assert_eq!((fleet.pages[0].component.as_str(), fleet.pages[0].severity), ("Slow", Severity::Critical));
    for _ in 0..3 {
        fleet.says(&SLOW, -1);
    }
    assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Resolved]);
    let audited = fleet.rows.iter().filter(|row| matches!(row, Row::Audit(_))).count();
    assert_eq!(audited, 0, "what is said each minute is no change that somebody made");
}

#[test]
fn what_is_not_said_again_is_over_at_its_end_and_not_before() {
    let mut fleet = Fleet::of(&[]);
    fleet.until(2_000);
    fleet.says(&SLOW, 4 * MINUTE);
    fleet.until(2_000 + 4 * MINUTE - 1);
    assert_eq!(fleet.kinds(), [PageKind::Opened]);
    fleet.until(2_000 + 4 * MINUTE + 1);
    assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Resolved]);
    // Without an end: Alertmanager's resolve time-out.
    let alert = fleet.alert(&SLOW, None);
    fleet.operator(Command::Alerts(vec![alert]));
    let at = fleet.now - START;
    fleet.until(at + 5 * MINUTE - 1);
    assert_eq!(fleet.kinds().len(), 3);
    fleet.until(at + 5 * MINUTE + 1);
    assert_eq!(fleet.kinds().len(), 4);
}

#[test]
fn what_is_forwarded_lasts_until_its_forwarder_says_that_it_is_over() {
    let mut fleet = Fleet::of(&[]);
    let said = |fleet: &Fleet| Said { labels: fleet.alert(&SLOW, None).labels, ..Said::default() };
    let forwarded = |fleet: &Fleet, is_over| {
        Alert::forwarded(Source::Alertmanager, said(fleet), is_over, Timestamp::from_ms(fleet.now)).unwrap()
    };
    fleet.operator(Command::Alerts(vec![forwarded(&fleet, false)]));
    fleet.until(24 * 60 * MINUTE);
    assert_eq!(fleet.kinds(), [PageKind::Opened]);
    fleet.operator(Command::Alerts(vec![forwarded(&fleet, true)]));
    assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn an_alert_about_a_host_that_is_down_joins_its_incident() {
    for labels in [[("alertname", "InstanceDown"), ("instance", "h1:9100")], [("alertname", "X"), ("host", "H1")]] {
        let mut fleet = Fleet::of(&[Watch::Normal]);
        fleet.silent_from_now(1);
        fleet.until(60_000);
        fleet.says(&labels, 4 * MINUTE);
        fleet.until(2 * MINUTE);
        assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
        let problem = |row: &Row| if let Row::Problem(row) = row { Some(row.clone()) } else { None };
        let last = fleet.rows.iter().filter_map(problem).rfind(|row| row.kind == "alert").unwrap();
        assert_eq!(last.incident, Some(IncidentNo(1)));
        assert!(last.part_of.is_some_and(|of| of.starts_with("liveness/")));
        fleet.connect(1);
        assert_eq!(fleet.kinds().len(), 1, "the alert still fires");
        fleet.says(&labels, -1);
        assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Resolved]);
    }
}

#[test]
fn an_alert_that_came_before_the_silence_was_seen_becomes_part_of_it() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.says(&[("alertname", "InstanceDown"), ("instance", "h1:9100"), ("severity", "critical")], 4 * MINUTE);
    fleet.silent_from_now(1);
    fleet.until(3 * MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
}

#[test]
fn alerts_about_hosts_of_a_cut_join_the_cut() {
    let mut fleet = Fleet::of(&[Watch::Normal; 6]);
    let proof = Timestamp::from_ms(fleet.now);
    fleet.now += 7_000;
    for no in 1..=6 {
        fleet.host(no, HostEvent::Silent { session: SessionId(no), proof });
    }
    fleet.until(30_000);
    for no in 1..=6 {
        let instance = format!("h{no}:9100");
        fleet.says(&[("alertname", "InstanceDown"), ("instance", &instance), ("severity", "page")], 4 * MINUTE);
    }
    fleet.until(120_000);
    assert_eq!(fleet.told(), [(PageKind::Opened, "the collector's network: 6 hosts cut off from here")]);
}

#[test]
fn an_alert_about_a_host_that_is_up_or_that_nobody_knows_opens_its_own() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.silent_from_now(1);
    fleet.until(60_000);
    fleet.says(&[("alertname", "Slow"), ("instance", "h2:80")], 4 * MINUTE);
    fleet.says(&[("alertname", "Slow"), ("instance", "nobody:80")], 4 * MINUTE);
    fleet.until(2 * MINUTE);
    let mut told = fleet.told();
    told.sort_by_key(|(_, title)| title.to_owned());
    let opened = ["Slow on h2:80", "Slow on nobody:80", "h1 is down"].map(|title| (PageKind::Opened, title));
    assert_eq!(told, opened);
    assert_eq!(fleet.pages.iter().find(|page| page.title.contains("h2")).unwrap().host, "h2");
}

#[test]
fn an_alert_that_is_only_info_opens_nothing_and_a_warning_does() {
    let mut fleet = Fleet::of(&[]);
    fleet.until(2_000);
    fleet.says(&[("alertname", "Chatter"), ("severity", "info")], 4 * MINUTE);
    assert_eq!(fleet.told(), []);
    fleet.says(&[("alertname", "Slow"), ("severity", "warning")], 4 * MINUTE);
    assert_eq!(fleet.pages.last().map(|page| page.severity), Some(Severity::Warning));
}

#[test]
fn what_was_closed_by_hand_pages_again_only_when_it_has_begun_anew() {
    let mut fleet = Fleet::of(&[]);
    fleet.until(2_000);
    fleet.says(&SLOW, 4 * MINUTE);
    fleet.operator(Command::Resolve { incident: IncidentNo(1), note: "known".into() });
    fleet.says(&SLOW, 4 * MINUTE);
    assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Resolved]);
    let mut anew = fleet.alert(&SLOW, Some(4 * MINUTE));
    anew.starts = Timestamp::from_ms(fleet.now);
    fleet.operator(Command::Alerts(vec![anew]));
    assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Resolved, PageKind::Opened]);
}

#[test]
fn nothing_is_over_because_the_collector_was_away() {
    let mut fleet = Fleet::of(&[]);
    fleet.until(2_000);
    fleet.says(&SLOW, 4 * MINUTE);
    let mut loaded = restarted(&fleet);
    for row in &fleet.rows {
        match row {
            Row::Problem(row) => loaded.problems.push(row.clone()),
            Row::Incident(row) => loaded.incidents = vec![((**row).clone(), Vec::new())],
            Row::Page(page) => loaded.pages = vec![(**page).clone()],
            _ => {}
        }
    }
    loaded.problems = loaded.problems.pop().into_iter().collect();
    (loaded.last_incident, loaded.last_page) = (1, 1);
    let roster = Roster {
        messengers: vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }],
        ..Roster::default()
    };
    fleet.now += 3_600_000;
    fleet.engine = Engine::new(&loaded, roster, Timestamp::from_ms(fleet.now)).0;
    let back = fleet.now - START;
    fleet.until(back + 5 * MINUTE - 1);
    assert_eq!(fleet.kinds(), [PageKind::Opened]);
    fleet.says(&SLOW, 4 * MINUTE);
    fleet.until(back + 8 * MINUTE);
    assert_eq!(fleet.kinds(), [PageKind::Opened], "it was said again: the same incident goes on");
    fleet.until(back + 10 * MINUTE);
    assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Resolved]);
    // The same when it was only suspended.
    fleet.says(&SLOW, 4 * MINUTE);
    let from = Timestamp::from_ms(fleet.now);
    fleet.now += 3_600_000;
    fleet.apply(Event::Stalled { from, to: Timestamp::from_ms(fleet.now) });
    let back = fleet.now - START;
    fleet.until(back + 5 * MINUTE - 1);
    assert_eq!(fleet.kinds().len(), 3);
}

#[test]
fn our_own_incident_that_comes_back_through_an_alertmanager_is_none() {
    let mut fleet = Fleet::of(&[]);
    fleet.until(2_000);
    fleet.says(&SLOW, 4 * MINUTE);
    let id = fleet.engine.snapshot().incidents[&IncidentNo(1)].row.id.clone();
    let mut own = fleet.alert(&[("alertname", "MusterAlert"), ("severity", "critical")], Some(4 * MINUTE));
    own.annotations.insert("muster_incident".into(), id);
    fleet.operator(Command::Alerts(vec![own.clone()]));
    assert_eq!(fleet.kinds(), [PageKind::Opened]);
    // Another collector's is no less news than anybody's.
    own.annotations.insert("muster_incident".into(), "another".into());
    fleet.operator(Command::Alerts(vec![own]));
    assert_eq!(fleet.kinds(), [PageKind::Opened, PageKind::Opened]);
}

#[test]
fn labels_of_what_others_say_lead_by_routes_and_are_silenced() {
    let route = |labels: &[(&str, &str)], sites: &[&str], receiver: &str| RouteRule {
        place: receiver.to_owned(),
        scope: Scope {
            labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            ..Scope::default()
        },
        least: Severity::Warning,
        urgent: None,
        hours: None,
        receivers: vec![receiver.to_owned()],
        policy: None,
        go_on: false,
    };
    let routes = vec![route(&[("team", "d*")], &[], "dba"), route(&[], &["Kiel"], "kiel"), route(&[], &[], "rest")];
    let mut fleet = Fleet::with(&[Watch::Normal], Roster { routes, ..Roster::default() }, START);
    fleet.until(2_000);
    let silenced = Scope { labels: vec![("alertname".into(), "Noise".into())], ..Scope::default() };
    fleet.operator(super::holds::silence_of(silenced, 60 * MINUTE));
    for labels in [
        &[("alertname", "Slow"), ("severity", "critical"), ("team", "db")][..],
        &[("alertname", "Slow"), ("site", "Kiel")],
        &[("alertname", "Slow"), ("instance", "h1:80"), ("team", "db")],
        &[("alertname", "Slow"), ("team", "web")],
        &[("alertname", "Noise"), ("team", "db")],
        &[("alertname", "Noise"), ("instance", "h1:80")],
    ] {
        fleet.says(labels, 4 * MINUTE);
    }
    fleet.until(2 * MINUTE);
    let mut told: Vec<(&str, &str)> =
        fleet.pages.iter().map(|page| (page.receiver.as_str(), page.title.as_str())).collect();
    told.sort_unstable();
    assert_eq!(told, [("dba", "Slow"), ("dba", "Slow on h1:80"), ("kiel", "Slow"), ("rest", "Slow")]);
    let held = fleet.engine.snapshot().incidents.values().filter(|view| view.held.is_some()).count();
    assert_eq!(held, 2);
}

#[test]
fn of_what_is_over_the_latest_thousand_stay_at_hand_and_all_of_the_last_twenty_minutes() {
    // Nobody is told, so that nothing waits to be sent.
    let mut fleet = Fleet::with(&[], Roster::default(), START);
    fleet.until(2_000);
    for n in 0..1_010_i64 {
        let n_text = n.to_string();
        let labels = [("alertname", "Slow"), ("severity", "critical"), ("n", n_text.as_str())];
        fleet.says(&labels, 2 * MINUTE + n);
    }
    let at_hand = |fleet: &Fleet| {
        let all = fleet.engine.snapshot().incidents;
        (all.len(), all.keys().next().map(|no| no.0), all.keys().last().map(|no| no.0))
    };
    fleet.until(19 * MINUTE);
    assert_eq!(at_hand(&fleet), (1_010, Some(1), Some(1_010)));
    assert!(fleet.engine.snapshot().incidents.values().all(|view| view.row.state == IncidentState::Resolved));
    fleet.says(&SLOW, 20 * MINUTE);
    fleet.until(30 * MINUTE);
    assert_eq!(at_hand(&fleet), (1_001, Some(11), Some(1_011)), "the oldest have gone, and what is open stays");
    fleet.until(26 * 60 * MINUTE);
    fleet.says(&SLOW, 20 * MINUTE);
    fleet.until(26 * 60 * MINUTE + 40_000);
    assert_eq!(at_hand(&fleet), (1, Some(1_012), Some(1_012)), "after a day none does");
}
