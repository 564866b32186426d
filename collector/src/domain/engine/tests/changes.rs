//! What changed on a host in the day before an incident stays with it, over a restart of the collector too.

use super::{holds::window_of, *};
use crate::domain::{
    calendar::Span,
    changed::{Changed, ChangedRow, Kind as What},
};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

impl Fleet {
    /// A session of this boot, with these facts.
    fn session(&mut self, boot_id: [u8; 16], kernel: &str, agent: &str) {
        let (session, peer) = (SessionId(1), IpAddr::from([10, 0, 0, 1]));
        let facts = Facts { kernel: kernel.into(), agent_version: agent.into(), ..Facts::default() };
        let facts = Box::new(facts);
        self.host(
            1,
            HostEvent::Opened {
                session,
                boot_id,
                peer,
                heard_before: None,
                alive: Vec::new(),
                facts,
                labels: Vec::new(),
            },
        );
        self.host(1, HostEvent::Heard { session });
    }

    fn changes(&self, no: i64) -> Vec<(What, String)> {
        let row = self.engine.snapshot().incidents[&IncidentNo(no)].row.clone();
        row.changes.into_iter().map(|change| (change.kind, change.text)).collect()
    }

    fn finds(&mut self, rule: &'static str, severity: Severity) {
        let verdict = Verdict::Holds { severity, evidence: "bad".into() };
        let judgement = Judgement { part: "/var".into(), rule, verdict, cause: None };
        self.host(1, HostEvent::Judged { through: None, judgements: vec![judgement] });
    }
}

#[test]
fn an_incident_keeps_what_changed_on_its_host_in_the_day_before_and_says_so_in_its_page() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    fleet.session([1; 16], "6.1", "0.1");
    fleet.until(HOUR);
    fleet.session([2; 16], "6.2", "0.1");
    fleet.until(26 * HOUR);
    fleet.host(1, HostEvent::Ended { session: SessionId(1), how: Ending::Goodbye(Why::Reboot), proof: at(26 * HOUR) });
    fleet.session([3; 16], "6.2", "0.2");
    fleet.operator(window_of("h1", Span { from: at(20 * HOUR), until: at(25 * HOUR) }));
    fleet.host(1, HostEvent::Changed(vec![(What::Part, "disk sdb is gone".into())]));
    let label = Changed::new(at(27 * HOUR), What::Limit, "override small", Some("ana".into()));
    fleet.until(27 * HOUR);
    fleet.apply(Event::Changed { hosts: vec![HostNo(1)], changed: label });
    fleet.host(2, HostEvent::Changed(vec![(What::Part, "disk sdc is gone".into())]));
    fleet.until(27 * HOUR + 10 * MINUTE);
    fleet.finds("filesystem_space", Severity::Critical);
    let expected = [
        (What::Limit, "override small"),
        (What::Boot, "booted anew, as it had said"),
        (What::Agent, "agent 0.1 -> 0.2"),
        (What::Part, "disk sdb is gone"),
        (What::Maintenance, "maintenance 1 (CHG1) made: new disks"),
    ];
    assert_eq!(
        fleet.changes(1),
        expected.map(|(kind, text)| (kind, text.to_owned())),
        "the reboot of a day before is not"
    );
    fleet.until(27 * HOUR + 11 * MINUTE);
    let details = &fleet.pages.last().expect("it pages").details;
    let line =
        "changed in the 24 h before: override small by ana (10 min before); booted anew, as it had said (1 h before)";
    assert!(details.contains(line), "{details}");
}

#[test]
fn another_incident_of_the_host_and_what_people_did_about_it_are_among_what_changed() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.finds("filesystem_space", Severity::Warning);
    fleet.operator(Command::Acknowledge { incident: IncidentNo(1), note: "looking".into(), for_ms: None });
    fleet.until(5 * MINUTE);
    fleet.finds("filesystem_inodes", Severity::Warning);
    let changes = fleet.changes(2);
    assert_eq!(changes.len(), 2, "{changes:?}");
    assert!(changes.contains(&(What::Incident, "#1: h1: bad".into())), "{changes:?}");
    assert!(changes.contains(&(What::Person, "#1: ana has it: looking".into())), "{changes:?}");
    assert_eq!(fleet.changes(1), [], "not itself");
}

#[test]
fn a_crash_of_the_machine_is_told_apart_from_a_reboot_and_a_first_session_changes_nothing() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    assert!(!fleet.rows.iter().any(|row| matches!(row, Row::Changed(_))), "nothing was known before");
    fleet.silent_from_now(1);
    fleet.until(10 * MINUTE);
    fleet.session([9; 16], "6.1", "0.1");
    let told = fleet.rows.iter().filter_map(|row| if let Row::Changed(row) = row { Some(row) } else { None });
    let told: Vec<_> = told.map(|row| (row.host, row.changed.kind, row.changed.text.as_str())).collect();
    assert_eq!(told, [(HostNo(1), What::Boot, "booted anew without a word before: a crash, or its power was gone")]);
}

#[test]
fn what_was_recorded_of_the_last_day_is_known_after_a_restart() {
    let changed = |hours: i64, text: &str| ChangedRow {
        host: HostNo(1),
        changed: Changed::new(at(-hours * HOUR), What::System, text, None),
    };
    let mut profile = profile(1, Watch::Normal);
    profile.facts = Facts::default();
    let loaded = Loaded {
        hosts: vec![profile],
        changes: vec![changed(30, "kernel 6.0 -> 6.1"), changed(2, "kernel 6.1 -> 6.2")],
        ..Loaded::default()
    };
    let (engine, _) = Engine::new(&loaded, Roster::default(), at(0));
    let (rows, pages, looks) = (Vec::new(), Vec::new(), Vec::new());
    let mut fleet =
        Fleet { engine, start: START, now: START, rows, pages, looks, answer: Look::Silent, heard_before: None };
    fleet.finds("filesystem_space", Severity::Critical);
    assert_eq!(fleet.changes(1), [(What::System, "kernel 6.1 -> 6.2".to_owned())]);
}
