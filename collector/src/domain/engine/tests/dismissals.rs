//! What people say was no problem, and that it is in the audit log with who and through which door, as all they do is.

use super::*;
use crate::domain::{
    calendar::{Recurring, Span},
    dismissal::{Asked, AskedChoice, Choice, Dismissal, past::Tally},
    hold::{Hold, Kind, Scope, When},
    ids::{DismissalNo, HoldNo},
    page::Past,
    record::AuditRow,
};

const MINUTE: i64 = 60_000;

fn at(ms: i64) -> Timestamp {
    Timestamp::from_ms(START + ms)
}

fn hold(kind: Kind, when: When) -> Hold {
    let scope = Scope { hosts: vec!["h1".into()], what: Some("liveness/host".into()), ..Scope::default() };
    let (reason, change, by) = ("tests".into(), String::new(), String::new());
    let (no, version, made) = (HoldNo(0), 0, at(5 * MINUTE));
    Hold { no, version, kind, scope, when, reason, change, by, made, ended: None, outcome: None, own: None }
}

fn never() -> AskedChoice {
    let span = Span { from: at(5 * MINUTE), until: at(600 * MINUTE) };
    AskedChoice::Never { hold: Box::new(hold(Kind::Silence, When::Once(span))), owner: "bea".into() }
}

fn dismiss(choice: AskedChoice) -> Command {
    let tally = Tally { pages: 3, spared: 2, ..Tally::default() };
    Command::Dismiss(Box::new(Asked { incident: IncidentNo(1), choice, reason: "the sensor lies".into(), tally }))
}

fn take_back(dismissal: i64) -> Command {
    Command::TakeBack { incident: IncidentNo(1), dismissal: DismissalNo(dismissal) }
}

impl Fleet {
    /// Its first host has been down for long enough for a page.
    fn paged() -> Self {
        let mut fleet = Self::of(&[Watch::Normal]);
        fleet.silent_from_now(1);
        fleet.until(5 * MINUTE);
        assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
        fleet
    }

    fn said(&self) -> Vec<Dismissal> {
        self.engine.snapshot().dismissals.to_vec()
    }

    fn audited(&self) -> Vec<&AuditRow> {
        self.rows.iter().filter_map(|row| if let Row::Audit(row) = row { Some(row) } else { None }).collect()
    }

    fn asks(&mut self, command: Command) -> Answer {
        let by = Principal { name: "ana".into(), via: "web".into(), address: Some([10, 0, 0, 7].into()) };
        let event = Event::Operator { by, command, reply: ReplyId(1) };
        let effects = self.engine.apply(event, Timestamp::from_ms(self.now));
        let mut answer = None;
        for effect in effects {
            match effect {
                Effect::Record(row) => self.rows.push(row),
                Effect::Notify(page) => self.pages.push(*page),
                Effect::Reply(_, given) => answer = Some(given),
                _ => {}
            }
        }
        answer.expect("a command is answered")
    }
}

#[test]
fn a_false_alarm_is_over_for_everybody_and_its_time_is_corrected() {
    let mut fleet = Fleet::paged();
    assert_eq!(fleet.asks(dismiss(AskedChoice::FalseAlarm)), Answer::Made(1));
    assert_eq!(fleet.pages.last().map(|page| page.kind), Some(PageKind::Resolved));
    let view = fleet.engine.snapshot().incidents[&IncidentNo(1)].clone();
    assert_eq!(view.row.state, IncidentState::Resolved);
    let line = view.events.iter().find(|event| event.kind == "not a problem").expect("it is in the timeline");
    assert!(line.text.ends_with("the sensor lies") && line.by.as_deref() == Some("ana"), "{}", line.text);
    let said = fleet.said();
    assert_eq!(said[0].corrects(), Some((view.row.since, at(5 * MINUTE))));
    assert_eq!((said[0].host, said[0].tally.spared, said[0].via.as_str()), (Some(HostNo(1)), 2, "web"));
    fleet.until(60 * MINUTE);
    assert_eq!(fleet.pages.len(), 2, "it stays quiet while the host is as it was");
}

#[test]
fn a_false_alarm_that_is_taken_back_opens_again_what_is_still_wrong() {
    let mut fleet = Fleet::paged();
    fleet.asks(dismiss(AskedChoice::FalseAlarm));
    assert_eq!(fleet.asks(take_back(1)), Answer::Done);
    fleet.until(10 * MINUTE);
    let last = fleet.pages.last().unwrap();
    assert_eq!((last.kind, last.incident, &*last.title), (PageKind::Opened, Some(IncidentNo(2)), "h1 is down"));
    let before = last.facts.last.as_ref().map(Past::ended);
    assert_eq!(before.as_deref(), Some("closed by ana, the monitor was wrong: the sensor lies"));
    assert_eq!(fleet.said()[0].corrects(), None);
    let versions = fleet.rows.iter().filter(|row| matches!(row, Row::Dismissal(_))).count();
    assert_eq!(versions, 2, "nothing is edited");
    assert!(matches!(fleet.asks(take_back(1)), Answer::Refused(why) if why.contains("ana took that back")));
    assert!(matches!(fleet.asks(take_back(9)), Answer::NotFound(_)));
}

#[test]
fn what_is_never_paged_for_is_seen_and_pages_when_that_ends_or_is_taken_back() {
    let mut fleet = Fleet::paged();
    assert_eq!(fleet.asks(dismiss(never())), Answer::Made(1));
    let Choice::Never { hold, owner, until } = fleet.said()[0].choice.clone() else { panic!("a silence") };
    assert_eq!((hold, &*owner, until), (HoldNo(1), "bea", at(600 * MINUTE)));
    fleet.connect(1);
    fleet.until(20 * MINUTE);
    fleet.silent_from_now(1);
    fleet.until(60 * MINUTE);
    assert_eq!(fleet.state(1), State::Down);
    assert_eq!(fleet.told().len(), 2, "opened and resolved of the first: {:?}", fleet.told());
    fleet.asks(take_back(1));
    fleet.until(61 * MINUTE);
    assert_eq!(
        fleet.pages.last().map(|page| (page.kind, page.incident)),
        Some((PageKind::Opened, Some(IncidentNo(2))))
    );
    let holds = fleet.engine.snapshot().holds.clone();
    assert_eq!(holds[0].ended.as_ref().map(|(_, by)| by.as_str()), Some("ana"));
}

#[test]
fn the_same_is_said_once_and_of_incidents_that_there_are() {
    let mut fleet = Fleet::paged();
    fleet.asks(dismiss(never()));
    assert!(matches!(fleet.asks(dismiss(never())), Answer::Refused(why) if why.contains("number 1")));
    assert_eq!(fleet.engine.snapshot().holds.len(), 1, "and makes no second silence");
    let Command::Dismiss(asked) = dismiss(AskedChoice::FalseAlarm) else { panic!("it is one") };
    let unknown = Asked { incident: IncidentNo(77), ..*asked };
    assert!(matches!(fleet.asks(Command::Dismiss(Box::new(unknown))), Answer::NotFound(_)));
}

#[test]
fn every_human_action_is_in_the_audit_log_with_who_through_which_door_and_on_what() {
    let mut fleet = Fleet::paged();
    let (start, end) = ("02:00".parse().unwrap(), "04:00".parse().unwrap());
    let (zone, month_days) = ("UTC".to_owned(), Vec::new());
    let sundays = When::Recurring(Recurring { zone, weekdays: vec![7], month_days, start, end });
    let line = "incident-1 = { rule = \"clock_off\", host = \"h1\" }".to_owned();
    let acknowledge = |for_ms| Command::Acknowledge { incident: IncidentNo(1), note: "mine".into(), for_ms };
    let span = Span { from: at(0), until: at(90 * MINUTE) };
    for command in [
        acknowledge(Some(90 * MINUTE)),
        Command::AddHold(Box::new(hold(Kind::Silence, When::Once(span)))),
        Command::AddHold(Box::new(hold(Kind::Maintenance, When::Once(span)))),
        Command::EndHold(HoldNo(1)),
        dismiss(AskedChoice::Threshold { name: "incident-1".into(), line }),
        dismiss(AskedChoice::Expected(Box::new(hold(Kind::Maintenance, sundays)))),
        dismiss(never()),
        dismiss(AskedChoice::FalseAlarm),
        take_back(4),
        Command::Resolve { incident: IncidentNo(2), note: "seen".into() },
    ] {
        let answer = fleet.asks(command);
        assert!(matches!(answer, Answer::Done | Answer::Made(_)), "{answer:?}");
    }
    let audited = fleet.audited();
    let lines: Vec<_> = audited.iter().map(|row| (row.action.as_str(), row.subject.as_str(), &*row.detail)).collect();
    let scope = "host h1, only liveness/host";
    let once = format!("{} to {}", span.from, span.until);
    let never =
        format!("never, bea answers for it, {} to {} ({scope}): the sensor lies", at(5 * MINUTE), at(600 * MINUTE));
    assert_eq!(
        lines,
        [
            ("incident.acknowledge", "#1", "for 90 min: mine"),
            ("silence.add", scope, &*format!("{once}: tests")),
            ("maintenance.add", scope, &*format!("{once}: tests")),
            ("hold.end", "1", ""),
            (
                "incident.not_a_problem",
                "#1",
                "threshold incident-1 = { rule = \"clock_off\", host = \"h1\" }: the sensor lies"
            ),
            ("incident.not_a_problem", "#1", &*format!("expected sun 02:00-04:00 UTC ({scope}): the sensor lies")),
            ("incident.not_a_problem", "#1", &*never),
            ("incident.not_a_problem", "#1", "false alarm: the sensor lies"),
            ("incident.take_back", "#1", "what was said, number 4"),
            ("incident.resolve", "#2", "seen"),
        ]
    );
    assert!(audited.iter().all(|row| row.who == "ana" && row.from == "web 10.0.0.7"));
}
