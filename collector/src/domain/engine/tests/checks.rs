//! Service checks: when they count, whom they call, and that nothing is said twice.

use super::*;
use crate::domain::host::checks;

/// What an agent says of the check `web` at this moment: status, attempt of three.
pub(super) fn says(fleet: &mut Fleet, no: i64, status: u32, attempt: u32) {
    let body = format!(
        r#"{{"results":[{{"check":"web","status":{status},"attempt":{attempt},"attempts":3,"output":"says {status}\nmore","perfdata":[]}}]}}"#
    );
    let outcomes = checks::outcomes([(Timestamp::from_ms(fleet.now), body.as_str())]);
    fleet.host(no, HostEvent::Checked { outcomes });
    fleet.now += 1_000;
}

/// The engine as another collector would find it: everything from its rows.
pub(super) fn restarted(fleet: &Fleet) -> Loaded {
    let mut loaded = Loaded { last_ran: Some(Timestamp::from_ms(fleet.now)), ..Loaded::default() };
    for row in fleet.rows.clone() {
        match row {
            Row::Liveness(row) => {
                loaded.liveness.retain(|old| old.host != row.host);
                loaded.liveness.push(row);
            }
            Row::Span(row) => {
                if row.state == Observed::Up && row.replaces.is_none() && !row.cause.is_without_agent() {
                    loaded.last_spans.retain(|old| old.host != row.host);
                }
                loaded.last_spans.push(row);
            }
            Row::Check(row) => {
                loaded.checks.retain(|old| (old.host, &old.check) != (row.host, &row.check));
                loaded.checks.push(row);
            }
            Row::Device(device) => {
                loaded.devices.retain(|old| old.host != device.host);
                loaded.devices.push(*device);
            }
            Row::Parent(child, parent) => {
                loaded.parents.retain(|(old, _)| *old != child);
                loaded.parents.extend(parent.map(|parent| (child, parent)));
            }
            Row::Problem(row) => {
                loaded.problems.retain(|old| old.key != row.key);
                loaded.problems.push(row);
            }
            Row::ProblemCleared(key) => loaded.problems.retain(|old| old.key != key),
            Row::Incident(row) => {
                loaded.last_incident = loaded.last_incident.max(row.no.0);
                match loaded.incidents.iter_mut().find(|(old, _)| old.no == row.no) {
                    Some((old, _)) => *old = *row,
                    None => loaded.incidents.push((*row, Vec::new())),
                }
            }
            Row::IncidentEvent(event) => {
                let (_, events) = loaded.incidents.iter_mut().find(|(row, _)| row.no == event.incident).unwrap();
                events.push(event);
            }
            Row::Finding(row) => {
                loaded.findings.retain(|old| (old.host, &old.part, &old.rule) != (row.host, &row.part, &row.rule));
                loaded.findings.extend(Some(row).filter(|row| row.open));
            }
            Row::Hold(hold) => {
                loaded.last_hold = loaded.last_hold.max(hold.no.0);
                loaded.holds.retain(|old| old.no != hold.no);
                loaded.holds.push(*hold);
            }
            Row::Page(page) => {
                loaded.last_page = loaded.last_page.max(page.id.0);
                loaded.pages.retain(|old| old.id != page.id);
                loaded.pages.push(*page);
            }
            _ => {}
        }
    }
    loaded.last_spans.sort_by_key(|row| (row.host, row.n));
    loaded.hosts = fleet.engine.snapshot().hosts.values().map(|host| host.profile.clone()).collect();
    loaded
}

#[test]
fn a_check_counts_at_its_third_attempt_and_is_told_once_until_it_is_ok() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    says(&mut fleet, 1, 0, 1);
    says(&mut fleet, 1, 2, 1);
    says(&mut fleet, 1, 2, 2);
    fleet.until(60_000);
    assert_eq!(fleet.told(), [], "soft: it is still tried");
    says(&mut fleet, 1, 2, 3);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1: check web is critical")]);
    assert_eq!(fleet.pages[0].key, "check/00000000-0000-7000-8000-000000000001/web");
    assert_eq!((fleet.pages[0].severity, fleet.pages[0].component.as_str()), (Severity::Critical, "web"));
    assert_eq!(fleet.pages[0].since, Timestamp::from_ms(START + 1_000), "since it failed first");
    // The agent is restarted and counts anew; the collector hears everything twice.
    for (status, attempt) in [(2, 1), (2, 2), (2, 3), (2, 3)] {
        says(&mut fleet, 1, status, attempt);
    }
    fleet.until(120_000);
    assert_eq!(fleet.pages.len(), 1);
    says(&mut fleet, 1, 0, 1);
    says(&mut fleet, 1, 0, 1);
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Resolved]);
}

#[test]
fn a_failure_that_heals_before_it_counts_is_nobodys_business() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    for (status, attempt) in [(2, 1), (1, 2), (0, 1), (3, 1), (0, 1)] {
        says(&mut fleet, 1, status, attempt);
    }
    fleet.until(120_000);
    assert_eq!(fleet.told(), []);
    assert!(fleet.rows.iter().all(|row| !matches!(row, Row::Problem(_))));
}

#[test]
fn warning_and_unknown_are_warnings_and_a_workstation_wakes_nobody() {
    let mut fleet = Fleet::of(&[Watch::Fast, Watch::Fast, Watch::Fast]);
    let id = fleet.engine.snapshot().hosts[&HostNo(3)].profile.id;
    let workstation = [("class".to_owned(), "workstation".to_owned())].into();
    fleet.operator(Command::Label { hosts: vec![id], says: workstation });
    says(&mut fleet, 1, 1, 3);
    says(&mut fleet, 2, 3, 3);
    says(&mut fleet, 3, 2, 3);
    fleet.until(120_000);
    let severities: Vec<Severity> = fleet.pages.iter().map(|page| page.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Warning]);
    let problems: Vec<Severity> = fleet
        .rows
        .iter()
        .filter_map(|row| if let Row::Problem(row) = row { Some(row) } else { None })
        .filter(|row| row.host == Some(HostNo(3)))
        .map(|row| row.severity)
        .collect();
    assert_eq!(problems, [Severity::Info], "it is known all the same");
}

#[test]
fn a_restarted_collector_goes_on_with_what_counted_and_pages_nobody_again() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    says(&mut fleet, 1, 2, 3);
    assert_eq!(fleet.pages.len(), 1);
    let messengers = vec![Messenger { receiver: "ops".into(), least: Some(Severity::Warning) }];
    let routes = Roster { messengers, ..Roster::default() };
    let (engine, _) = Engine::new(&restarted(&fleet), routes, Timestamp::from_ms(fleet.now));
    fleet.engine = engine;
    fleet.connect(1);
    says(&mut fleet, 1, 2, 1);
    fleet.until(120_000);
    assert_eq!(fleet.pages.len(), 1, "{:?}", fleet.told());
    says(&mut fleet, 1, 0, 1);
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Resolved));
}

#[test]
fn a_host_that_is_down_opens_nothing_new_and_clears_nothing() {
    let mut fleet = Fleet::of(&[Watch::Fast, Watch::Fast]);
    says(&mut fleet, 2, 2, 3);
    assert_eq!(fleet.pages.len(), 1);
    for no in [1, 2] {
        fleet.silent_from_now(no);
    }
    fleet.until(30_000);
    assert_eq!((fleet.state(1), fleet.state(2)), (State::Down, State::Down));
    let open = |fleet: &Fleet| fleet.engine.snapshot().hosts[&HostNo(2)].checks[0].hard;
    assert!(open(&fleet), "what it said last stays");
    let before = fleet.pages.len();
    says(&mut fleet, 1, 2, 3);
    fleet.until(60_000);
    assert_eq!(fleet.pages.len(), before);
    fleet.connect(1);
    says(&mut fleet, 1, 2, 3);
    assert_eq!(fleet.pages.last().map(|page| page.title.as_str()), Some("h1: check web is critical"));
}

#[test]
fn a_check_that_is_gone_and_a_host_that_may_not_report_leave_no_problem() {
    let mut fleet = Fleet::of(&[Watch::Fast, Watch::Fast]);
    for no in [1, 2] {
        says(&mut fleet, no, 2, 3);
    }
    says(&mut fleet, 1, 4, 0);
    fleet.host(2, HostEvent::Admitted(Admission::Suspended));
    let snapshot = fleet.engine.snapshot();
    assert!(snapshot.hosts.values().all(|host| host.checks.is_empty()));
    let kinds: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
    assert_eq!(kinds, [PageKind::Opened, PageKind::Opened, PageKind::Resolved, PageKind::Resolved]);
    assert_eq!(fleet.rows.iter().filter(|row| matches!(row, Row::CheckGone(..))).count(), 2);
}

#[test]
fn of_a_backlog_only_the_last_word_counts_and_nonsense_is_passed_over() {
    let at = |ms| Timestamp::from_ms(START + ms);
    let said = |status, check: &str| {
        format!(r#"{{"results":[{{"check":"{check}","status":{status},"attempt":3,"attempts":3,"output":""}}]}}"#)
    };
    let records = [(at(0), said(2, "web")), (at(1), said(0, "web")), (at(2), said(9, "web")), (at(3), "[]".into())];
    let outcomes = checks::outcomes(records.iter().map(|(at, body)| (*at, body.as_str())));
    assert_eq!(outcomes.len(), 1);
    assert_eq!((outcomes[0].status, outcomes[0].at), (Some(checks::Status::Ok), at(1)));

    let mut fleet = Fleet::of(&[Watch::Normal]);
    let many: Vec<String> = (0..300).map(|n| said(0, &format!("c{n}"))).collect();
    let outcomes = checks::outcomes(many.iter().map(|body| (at(0), body.as_str())));
    fleet.host(1, HostEvent::Checked { outcomes });
    assert_eq!(fleet.engine.snapshot().hosts[&HostNo(1)].checks.len(), 256, "no host has more");
}

/// Entries of the check's ledger: status, from, to, and whether it was gone then.
fn entries(fleet: &Fleet) -> Vec<(&'static str, i64, i64, bool)> {
    let of = |row: &Row| match row {
        Row::CheckSpan(row) => Some((row.status.word(), row.from.ms() - START, row.to.ms() - START, row.gone)),
        _ => None,
    };
    fleet.rows.iter().filter_map(of).collect()
}

#[test]
fn each_change_that_counts_is_an_entry_of_the_ledger_over_restarts_and_gone_is_one_too() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    for (status, attempt) in [(0, 1), (2, 1), (0, 1), (2, 1)] {
        says(&mut fleet, 1, status, attempt);
    }
    assert_eq!(entries(&fleet), [], "soft");
    let mut loaded = restarted(&fleet);
    loaded.last_ran = Some(Timestamp::from_ms(fleet.now));
    fleet.engine = Engine::new(&loaded, Roster::default(), Timestamp::from_ms(fleet.now)).0;
    fleet.connect(1);
    says(&mut fleet, 1, 2, 2);
    says(&mut fleet, 1, 2, 3);
    assert_eq!(entries(&fleet), [("ok", 0, 3_000, false)], "it failed first at the fourth second");
    says(&mut fleet, 1, 0, 1);
    says(&mut fleet, 1, 4, 0);
    let all = [("ok", 0, 3_000, false), ("critical", 3_000, 6_000, false), ("ok", 6_000, 7_000, true)];
    assert_eq!(entries(&fleet), all);
    let said = fleet.rows.iter().find_map(|row| match row {
        Row::CheckSpan(row) if row.status == checks::Status::Critical => Some(row.said.as_str()),
        _ => None,
    });
    assert_eq!(said, Some("says 2"));
}

#[test]
fn a_check_of_before_there_were_ledgers_goes_on_from_where_it_stood() {
    let mut fleet = Fleet::of(&[Watch::Fast]);
    says(&mut fleet, 1, 2, 3);
    let mut loaded = restarted(&fleet);
    loaded.checks[0].ledger = crate::domain::host::check_ledger::CheckLedger::default();
    fleet.engine = Engine::new(&loaded, Roster::default(), Timestamp::from_ms(fleet.now)).0;
    fleet.connect(1);
    fleet.until(10_000);
    says(&mut fleet, 1, 0, 1);
    assert_eq!(entries(&fleet), [("critical", 0, 10_000, false)]);
}
