//! Labels as sources come and go: who wins, who is heard again, what the log says of it.

use super::*;
use crate::domain::{assets::Asset, label_rule::HostRule, layers::Says, relabelling, selection::Selection};

fn says(pairs: &[(&str, &str)]) -> Says {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

impl Fleet {
    fn site(&self, no: i64) -> String {
        let profile = &self.engine.hosts[&HostNo(no)].profile;
        let source = profile.layers.source("site").map_or("nobody", Layer::word);
        format!("{} by {source}", profile.site.as_deref().unwrap_or("-"))
    }

    fn id(&self, no: i64) -> HostId {
        self.engine.hosts[&HostNo(no)].profile.id
    }

    fn rule(&mut self, address: &str, site: &str) {
        let rule =
            HostRule { address: Some(address.parse().unwrap()), says: says(&[("site", site)]), ..HostRule::default() };
        let effects = self.engine.rule(vec![rule], Timestamp::from_ms(self.now));
        self.rows.extend(effects.into_iter().filter_map(|effect| match effect {
            Effect::Record(row) => Some(row),
            _ => None,
        }));
    }

    fn import(&mut self, host: &str, site: &str) {
        self.operator(Command::Assets { rows: vec![Asset { host: host.into(), says: says(&[("site", site)]) }] });
    }

    /// What the audit log has, without what is always the same.
    fn log(&mut self) -> Vec<String> {
        let lines = std::mem::take(&mut self.rows).into_iter().filter_map(|row| match row {
            Row::Audit(row) => Some(format!("{} {} {}: {}", row.who, row.from, row.action, row.detail)),
            _ => None,
        });
        lines.collect()
    }
}

#[test]
fn each_source_is_heard_again_when_the_one_above_falls_silent() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.rows.clear();
    fleet.rule("10.0.0.1", "by-rule");
    fleet.import("h1", "by-list");
    let id = fleet.id(1);
    fleet.operator(Command::Label { hosts: vec![id], says: says(&[("site", "by-hand"), ("owner", "ana")]) });
    assert_eq!(fleet.site(1), "by-hand by person");
    assert_eq!(
        fleet.log(),
        [
            "collector collector.toml host.label: rule: site=by-rule",
            "ana web asset.import: ",
            "ana web host.label: asset: site=by-list",
            "ana web host.label: person: owner=ana site=by-hand",
        ]
    );
    fleet.operator(Command::Label { hosts: vec![id], says: says(&[("site", "")]) });
    assert_eq!(fleet.site(1), "by-list by asset");
    fleet.import("another", "elsewhere");
    assert_eq!(fleet.site(1), "by-rule by rule");
    fleet.rule("10.99.0.0/16", "not here");
    assert_eq!(fleet.site(1), "- by nobody");
    assert_eq!(fleet.log().len(), 4);
}

#[test]
fn a_rule_by_address_follows_the_host_from_session_to_session() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.rule("10.0.0.2", "second");
    assert_eq!((fleet.site(1), fleet.site(2)), ("- by nobody".into(), "second by rule".into()));
    let opened = |peer: [u8; 4], labels| HostEvent::Opened {
        session: SessionId(9),
        boot_id: [1; 16],
        peer: IpAddr::from(peer),
        heard_before: None,
        alive: Vec::new(),
        facts: Box::default(),
        labels,
    };
    fleet.host(1, opened([10, 0, 0, 2], Vec::new()));
    assert_eq!(fleet.site(1), "second by rule");
    fleet.host(1, opened([10, 7, 7, 7], vec![("site".into(), "own".into())]));
    assert_eq!(fleet.site(1), "own by agent");
    fleet.host(1, opened([10, 0, 0, 2], vec![("site".into(), "own".into())]));
    assert_eq!(fleet.site(1), "second by rule");
}

#[test]
fn a_list_waits_for_hosts_that_enrol_later() {
    let mut fleet = Fleet::of(&[]);
    fleet.import("h7", "berlin");
    fleet.apply(Event::Enrolled(Box::new(profile(7, Watch::Normal))));
    assert_eq!(fleet.site(7), "berlin by asset");
    assert!(fleet.rows.iter().any(|row| matches!(row, Row::Host(host) if host.site.as_deref() == Some("berlin"))));
}

#[test]
fn a_hosts_own_word_is_shown_but_makes_it_no_part_of_a_site() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    let own = |site: &str| vec![("site".to_owned(), site.to_owned())];
    let opened = |labels| HostEvent::Opened {
        session: SessionId(1),
        boot_id: [1; 16],
        peer: IpAddr::from([10, 0, 0, 1]),
        heard_before: None,
        alive: Vec::new(),
        facts: Box::default(),
        labels,
    };
    fleet.host(1, opened(own("berlin")));
    assert_eq!(fleet.site(1), "berlin by agent");
    assert_eq!(fleet.engine.hosts[&HostNo(1)].profile.confirmed_site(), None);
    fleet.import("h1", "berlin");
    assert_eq!(fleet.engine.hosts[&HostNo(1)].profile.confirmed_site(), Some("berlin"));
}

#[test]
fn a_level_said_for_many_is_pushed_to_each_of_them_and_nothing_is_said_twice() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Fast, Watch::Normal]);
    let (hosts, fast) = (vec![fleet.id(1), fleet.id(2), fleet.id(3)], says(&[("watch", "fast")]));
    let by = Principal { name: "ana".into(), via: "web".into(), address: None };
    for expected in [3, 0] {
        let command = Command::Label { hosts: hosts.clone(), says: fast.clone() };
        let event = Event::Operator { by: by.clone(), command, reply: ReplyId(1) };
        let effects = fleet.engine.apply(event, Timestamp::from_ms(fleet.now));
        // The second was fast before: what it is told now has another source.
        let pushed = effects.iter().filter(|effect| matches!(effect, Effect::Settings(_)));
        assert_eq!(pushed.count(), expected);
    }
}

#[test]
fn what_cannot_be_said_is_refused_for_all_hosts_or_none() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.rows.clear();
    let many: Says = (0..31).map(|n| (format!("l{n}"), "x".to_owned())).collect();
    for wrong in [says(&[("class", "toaster")]), says(&[("host", "x")]), says(&[("site", "a\nb")]), many] {
        fleet.operator(Command::Label { hosts: vec![fleet.id(1), fleet.id(2)], says: wrong });
        assert_eq!(fleet.rows, []);
    }
    let unknown = HostId::from_str("00000000-0000-7000-8000-000000000099").unwrap();
    fleet.operator(Command::Label { hosts: vec![fleet.id(1), unknown], says: says(&[("site", "berlin")]) });
    assert_eq!((fleet.site(1), fleet.rows.len()), ("- by nobody".into(), 0));
}

#[test]
fn a_preview_names_exactly_the_hosts_that_the_change_then_touches() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal, Watch::Normal, Watch::Fast]);
    let second = fleet.id(2);
    fleet.operator(Command::Label { hosts: vec![second], says: says(&[("owner", "ana")]) });
    let mut selection = Selection::default();
    for (name, value) in [("unsorted", ""), ("name", "H?"), ("class", "server")] {
        selection.add(name, value).unwrap();
    }
    let change = says(&[("owner", "ana"), ("watch", "normal")]);
    let (meant, touched) = relabelling::of_selection(&fleet.engine.snapshot(), &selection, &change);
    let names: Vec<&str> = touched.iter().map(|planned| planned.name.as_str()).collect();
    // The second has the owner already; its level gets another source.
    assert_eq!((meant, names), (4, vec!["h1", "h2", "h3", "h4"]));
    assert_eq!(touched[1].difference, "person: watch=normal");
    let level = touched[3].labels.iter().find(|turned| turned.label == "watch").unwrap();
    assert_eq!(level.before, Some(("fast".into(), Layer::Token)));
    assert_eq!(level.after, Some(("normal".into(), Layer::Person)));
    fleet.rows.clear();
    fleet
        .operator(Command::Label { hosts: touched.iter().map(|planned| planned.host).collect(), says: change.clone() });
    let done: Vec<String> = fleet.log().into_iter().map(|line| line.replace("ana web host.label: ", "")).collect();
    assert_eq!(done, touched.iter().map(|planned| planned.difference.clone()).collect::<Vec<_>>());
    assert_eq!(relabelling::of_selection(&fleet.engine.snapshot(), &selection, &change), (4, vec![]));
}

#[test]
fn a_list_that_names_a_host_twice_is_refused_and_unknown_hosts_are_told() {
    let fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    let row = |host: &str| Asset { host: host.into(), says: says(&[("site", "ulm")]) };
    let snapshot = fleet.engine.snapshot();
    let (touched, waiting) = relabelling::of_assets(&snapshot, &[row("gone"), row("h2"), row("later")]).unwrap();
    assert_eq!((touched.len(), touched[0].name.as_str(), waiting), (1, "h2", vec![0, 2]));
    let twice = [row("h1"), row("gone"), row(&fleet.id(1).to_string())];
    assert_eq!(relabelling::of_assets(&snapshot, &twice), Err((0, 2)));
}
