//! Devices of the configuration: made, changed and removed as the file says, and only as far as the fleet allows.

use super::*;
use crate::domain::{
    device::{Probe, declared::Declared},
    snapshot::IncidentView,
};

fn declared(no: i64, parent: Option<i64>, watchers: &[&str]) -> Declared {
    let name = |no: i64| format!("h{no}");
    Declared {
        name: name(no),
        address: "192.0.2.1".into(),
        probe: Probe::Icmp,
        says: [("site".to_owned(), "berlin".to_owned())].into(),
        parent: parent.map(name),
        watchers: watchers.iter().map(|name| (*name).to_owned()).collect(),
        place: format!("collector.toml:{no}"),
    }
}

impl Fleet {
    /// A fleet of some hosts, and hosts of these numbers that have no agent.
    fn with_bare(levels: &[Watch], bare: std::ops::RangeInclusive<i64>) -> Self {
        let mut fleet = Self::of(levels);
        for no in bare {
            fleet.apply(Event::Enrolled(Box::new(Profile { class: Class::Device, ..profile(no, Watch::Normal) })));
        }
        fleet
    }

    /// Starts with these devices in the file; what cannot be, and the rows that were written.
    fn declare(&mut self, devices: Vec<Declared>) -> (Vec<String>, Vec<Row>) {
        let now = Timestamp::from_ms(self.now);
        let (mut effects, troubles) = self.engine.declare(devices, now);
        effects.extend(self.engine.rule(Vec::new(), now));
        let rows =
            effects.into_iter().filter_map(|effect| if let Effect::Record(row) = effect { Some(row) } else { None });
        (troubles, rows.collect())
    }

    fn answer(&mut self, command: Command) -> Answer {
        let by = Principal { name: "ana".into(), via: "web".into(), address: None };
        let event = Event::Operator { by, command, reply: ReplyId(1) };
        let effects = self.engine.apply(event, Timestamp::from_ms(self.now));
        let mut answers = effects
            .into_iter()
            .filter_map(|effect| if let Effect::Reply(_, answer) = effect { Some(answer) } else { None });
        answers.next().unwrap()
    }

    fn parent(&self, no: i64) -> Option<i64> {
        self.engine.snapshot().hosts[&HostNo(no)].parent.map(|parent| parent.0)
    }

    fn place(&self, no: i64) -> Option<String> {
        self.engine.snapshot().hosts[&HostNo(no)].device.as_ref()?.device.place.clone()
    }

    fn admission(&self, no: i64) -> Admission {
        self.engine.snapshot().hosts[&HostNo(no)].profile.admission
    }
}

fn id(no: i64) -> HostId {
    profile(no, Watch::Normal).id
}

fn audited(rows: &[Row]) -> Vec<String> {
    let line = |row: &Row| if let Row::Audit(row) = row { Some(format!("{} {}", row.from, row.action)) } else { None };
    rows.iter().filter_map(line).collect()
}

#[test]
fn what_stands_in_the_file_is_made_and_nothing_is_said_twice() {
    let mut fleet = Fleet::with_bare(&[Watch::Normal], 2..=3);
    let (troubles, rows) = fleet.declare(vec![declared(3, Some(2), &["h1"]), declared(2, None, &["h1"])]);
    assert_eq!(troubles, [""; 0]);
    let expected = ["collector.toml:2 device.set", "collector.toml:3 device.set", "collector.toml:3 host.parent"];
    assert_eq!(audited(&rows)[..3], expected);
    assert_eq!((fleet.parent(3), fleet.place(3).as_deref()), (Some(2), Some("collector.toml:3")));
    let site = fleet.engine.snapshot().hosts[&HostNo(3)].profile.layers.source("site");
    assert_eq!(site, Some(Layer::Rule));
    fleet.apply(Event::Tick);
    assert_eq!(fleet.engine.snapshot().hosts[&HostNo(2)].device.as_ref().map(|view| view.watchers.len()), Some(1));

    let (_, rows) = fleet.declare(vec![declared(3, Some(2), &["h1"]), declared(2, None, &["h1"])]);
    assert_eq!(rows, [], "all of it is so already");
    let moved = Declared { place: "collector.toml:99".into(), ..declared(2, None, &["h1"]) };
    let (_, rows) = fleet.declare(vec![declared(3, Some(2), &["h1"]), moved]);
    assert_eq!((rows.len(), audited(&rows).len(), fleet.place(2).as_deref()), (1, 0, Some("collector.toml:99")));
}

#[test]
fn parents_are_as_the_file_says_them_whatever_they_were() {
    let mut fleet = Fleet::with_bare(&[], 1..=3);
    fleet.declare(vec![declared(1, Some(2), &[]), declared(2, Some(3), &[]), declared(3, None, &[])]);
    assert_eq!([1, 2, 3].map(|no| fleet.parent(no)), [Some(2), Some(3), None]);
    let (troubles, _) =
        fleet.declare(vec![declared(1, None, &[]), declared(2, Some(1), &[]), declared(3, Some(2), &[])]);
    assert_eq!((troubles.len(), [1, 2, 3].map(|no| fleet.parent(no))), (0, [None, Some(1), Some(2)]));
}

#[test]
fn what_is_gone_from_the_file_goes_only_if_it_came_from_there_and_may_come_again() {
    let mut fleet = Fleet::with_bare(&[Watch::Normal], 2..=2);
    fleet.device(3, &[], None);
    fleet.declare(vec![declared(2, None, &[])]);
    let (_, rows) = fleet.declare(Vec::new());
    assert_eq!(audited(&rows)[0], "collector.toml device.remove");
    assert_eq!((fleet.admission(2), fleet.place(2), fleet.admission(3)), (Admission::Retired, None, Admission::Active));
    fleet.declare(vec![declared(2, None, &[])]);
    assert_eq!((fleet.admission(2), fleet.place(2).as_deref()), (Admission::Active, Some("collector.toml:2")));
}

#[test]
fn nobody_changes_what_stands_in_the_file_but_the_file() {
    let mut fleet = Fleet::with_bare(&[], 1..=2);
    fleet.declare(vec![declared(1, None, &[]), declared(2, None, &[])]);
    let device = Box::new(Device {
        host: HostNo(0),
        address: "192.0.2.9".into(),
        probe: Probe::Icmp,
        watchers: Vec::new(),
        place: None,
    });
    let there = |verb: &str| {
        Answer::Refused(format!("h1 stands in collector.toml:1: {verb} there and start the collector anew"))
    };
    let (remove, change) = (there("remove it"), there("change it"));
    let admit = |admission| Command::Admit { host: id(1), admission };
    assert_eq!(fleet.answer(admit(Admission::Retired)), remove);
    assert_eq!(fleet.answer(Command::Device { host: id(1), device, parent: None }), change);
    assert_eq!(fleet.answer(Command::Parent { host: id(1), parent: Some(id(2)) }), change);
    assert_eq!(fleet.answer(admit(Admission::Suspended)), Answer::Done, "for now is a person's business");
    fleet.declare(vec![declared(1, None, &[]), declared(2, None, &[])]);
    assert_eq!(fleet.admission(1), Admission::Suspended);
}

#[test]
fn what_the_fleet_contradicts_is_left_out_by_name_and_a_watcher_that_enrols_later_watches() {
    let mut fleet = Fleet::with_bare(&[Watch::Normal], 2..=5);
    fleet.device(6, &[], None);
    fleet.declare(vec![declared(2, None, &[])]);
    assert_eq!(fleet.answer(Command::Parent { host: id(6), parent: Some(id(2)) }), Answer::Done);
    let (troubles, _) = fleet.declare(vec![
        declared(1, None, &[]),
        declared(2, Some(6), &[]),
        declared(3, None, &["h9", "h6"]),
        declared(4, Some(77), &[]),
    ]);
    let expected = [
        "collector.toml:1: device \"h1\": name = \"h1\": expected another name: a host with an agent is called so",
        "collector.toml:2: device \"h2\": parent = \"h6\": expected no circle: \"h6\" is behind \"h2\" itself",
        "collector.toml:3: device \"h3\": watchers = \"h9\": expected the name of a host",
        "collector.toml:3: device \"h3\": watchers = \"h6\": expected a host with an agent",
        "collector.toml:4: device \"h4\": parent = \"h77\": expected a device of this file, or one that is known",
    ];
    assert_eq!(troubles.len(), expected.len(), "{troubles:#?}");
    for (trouble, start) in troubles.iter().zip(expected) {
        assert!(trouble.starts_with(start), "{trouble:?} instead of {start:?}");
    }
    assert_eq!((fleet.place(1), fleet.parent(2), fleet.parent(4)), (None, None, None));
    fleet.apply(Event::Enrolled(Box::new(profile(9, Watch::Normal))));
    let device = fleet.engine.snapshot().hosts[&HostNo(3)].device.clone().unwrap();
    assert_eq!(device.device.watchers, [id(9)]);
}

#[test]
fn what_cannot_be_is_a_problem_of_the_collectors_until_it_can() {
    let mut fleet = Fleet::with_bare(&[], 2..=3);
    fleet.declare(vec![declared(2, None, &["h9"]), declared(3, Some(7), &[])]);
    let problem = |fleet: &Fleet| -> Vec<String> {
        let open = |view: &&Arc<IncidentView>| view.row.state != IncidentState::Resolved;
        fleet.engine.snapshot().incidents.values().filter(open).map(|view| view.row.title.clone()).collect()
    };
    let said = problem(&fleet);
    assert!(said.len() == 1 && said[0].contains("watchers = \"h9\"") && said[0].contains("and 1 more"), "{said:?}");
    fleet.apply(Event::Enrolled(Box::new(profile(9, Watch::Normal))));
    fleet.declare(vec![declared(2, None, &["h9"]), declared(3, None, &[])]);
    assert_eq!(problem(&fleet), [""; 0]);
    fleet.declare(vec![declared(2, None, &["h8"])]);
    assert_eq!(problem(&fleet).len(), 1);
    fleet.apply(Event::Enrolled(Box::new(profile(8, Watch::Normal))));
    assert_eq!(problem(&fleet), [""; 0], "it may enrol later");
}
