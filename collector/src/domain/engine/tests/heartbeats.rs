//! Other people's jobs at the desk: their silence pages, whoever was told hears of the end, and windows hold it back.

use super::*;
use crate::domain::{
    heartbeat::{Heartbeat, HeartbeatRow, Ping, Signal, State as Job, expectation::Expectation},
    hold::{Hold, Kind, Scope, When},
    ids::HoldNo,
};

const MINUTE: i64 = 60_000;

fn job(host: Option<&str>) -> Heartbeat {
    Heartbeat {
        name: "backup".into(),
        expected: Expectation::Every(10 * MINUTE),
        grace_ms: MINUTE,
        severity: Severity::Critical,
        host: host.map(str::to_owned),
        site: Some("Berlin".into()),
        labels: Vec::new(),
    }
}

fn says(fleet: &mut Fleet, signal: Signal) {
    fleet.operator(Command::Ping(Box::new(Ping { name: "backup".into(), signal, said: String::new() })));
}

fn stands(fleet: &Fleet) -> Job {
    fleet.engine.snapshot().heartbeats[0].state
}

fn last_row(fleet: &Fleet) -> HeartbeatRow {
    let of = |row: &Row| if let Row::Heartbeat(row) = row { Some((**row).clone()) } else { None };
    fleet.rows.iter().rev().find_map(of).unwrap()
}

#[test]
fn a_job_that_is_not_heard_in_time_pages_once_and_its_next_success_is_told() {
    let mut fleet = Fleet::of(&[]);
    fleet.engine.expect(vec![job(None)], None, Timestamp::from_ms(START));
    fleet.until(60 * MINUTE);
    assert_eq!((fleet.told().len(), stands(&fleet)), (0, Job::New), "it has never said anything");
    says(&mut fleet, Signal::Success);
    fleet.until(71 * MINUTE - 1);
    assert_eq!((fleet.told().len(), stands(&fleet)), (0, Job::Up));
    fleet.until(90 * MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "backup has not said that it ran")]);
    let page = &fleet.pages[0];
    assert_eq!(
        (page.key.as_str(), page.component.as_str(), page.severity),
        ("heartbeat/backup/late", "backup", Severity::Critical)
    );
    assert_eq!(page.decided, Timestamp::from_ms(START + 71 * MINUTE));
    says(&mut fleet, Signal::Success);
    assert_eq!(fleet.pages.iter().map(|page| page.kind).collect::<Vec<_>>(), [PageKind::Opened, PageKind::Resolved]);
    assert!(!fleet.rows.iter().any(|row| matches!(row, Row::Audit(_))), "a word of a job is no change by a person");
}

#[test]
fn a_failure_pages_at_once_and_what_nobody_expects_is_not_found() {
    let mut fleet = Fleet::of(&[]);
    fleet.engine.expect(vec![job(None)], None, Timestamp::from_ms(START));
    says(&mut fleet, Signal::Fail(Some(3)));
    assert_eq!(fleet.told(), [(PageKind::Opened, "backup failed with exit status 3")]);
    fleet.engine.expect(Vec::new(), None, Timestamp::from_ms(START));
    let by = Principal { name: "x".into(), via: "ping".into(), address: None };
    let ping = Ping { name: "backup".into(), signal: Signal::Success, said: String::new() };
    let event = Event::Operator { by, command: Command::Ping(Box::new(ping)), reply: ReplyId(1) };
    let effects = fleet.engine.apply(event, Timestamp::from_ms(START));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Reply(_, Answer::NotFound(_)))));
}

#[test]
fn a_restart_forgets_nothing_and_holds_its_own_absence_against_nobody() {
    let mut fleet = Fleet::of(&[]);
    fleet.engine.expect(vec![job(None)], None, Timestamp::from_ms(START));
    says(&mut fleet, Signal::Success);
    let loaded = Loaded { heartbeats: vec![last_row(&fleet)], ..Loaded::default() };
    let restarted = |last_ran: i64, now: i64| {
        let (mut engine, _) = Engine::new(&loaded, Roster::default(), Timestamp::from_ms(START + now));
        engine.expect(vec![job(None)], Some(Timestamp::from_ms(START + last_ran)), Timestamp::from_ms(START + now));
        (engine.snapshot().heartbeats[0].state, engine.due().map(|due| due.ms() - START))
    };
    assert_eq!(restarted(2 * MINUTE, 3 * MINUTE), (Job::Up, Some(11 * MINUTE)), "nothing was to be heard in that time");
    assert_eq!(restarted(8 * MINUTE, 40 * MINUTE), (Job::Up, Some(51 * MINUTE)), "its word may have been lost");
    assert_eq!(restarted(20 * MINUTE, 21 * MINUTE).0, Job::Late, "it was late before");
}

#[test]
fn a_stalled_collector_holds_it_against_nobody_either() {
    let mut fleet = Fleet::of(&[]);
    fleet.engine.expect(vec![job(None)], None, Timestamp::from_ms(START));
    says(&mut fleet, Signal::Success);
    let (from, to) = (Timestamp::from_ms(START + 9 * MINUTE), Timestamp::from_ms(START + 30 * MINUTE));
    fleet.now = to.ms();
    fleet.apply(Event::Stalled { from, to });
    fleet.until(40 * MINUTE);
    assert_eq!((fleet.told().len(), stands(&fleet)), (0, Job::Up));
    fleet.until(41 * MINUTE);
    assert_eq!(fleet.told().len(), 1);
}

#[test]
fn a_window_for_its_site_holds_its_page_back_and_the_trouble_joins_that_of_its_host() {
    let mut fleet = Fleet::of(&[]);
    fleet.engine.expect(vec![job(None)], None, Timestamp::from_ms(START));
    let hold = Hold {
        no: HoldNo(0),
        version: 1,
        kind: Kind::Maintenance,
        scope: Scope { sites: vec!["Berlin".into()], ..Scope::default() },
        when: When::Once(crate::domain::calendar::Span {
            from: Timestamp::from_ms(START),
            until: Timestamp::from_ms(START + 60 * MINUTE),
        }),
        change: String::new(),
        reason: "disks".into(),
        by: String::new(),
        made: Timestamp::from_ms(START),
        ended: None,
        outcome: None,
        own: None,
    };
    fleet.operator(Command::AddHold(Box::new(hold)));
    says(&mut fleet, Signal::Fail(None));
    fleet.until(59 * MINUTE);
    assert_eq!(fleet.told(), []);
    fleet.until(60 * MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "backup failed")]);

    let mut fleet = Fleet::of(&[Watch::Fast]);
    fleet.engine.expect(vec![job(Some("h1"))], None, Timestamp::from_ms(START));
    fleet.silent_from_now(1);
    fleet.until(5_000);
    says(&mut fleet, Signal::Fail(None));
    fleet.until(10 * MINUTE);
    let incidents = fleet.engine.snapshot().incidents;
    assert_eq!(incidents.len(), 1, "one cause, one incident");
}
