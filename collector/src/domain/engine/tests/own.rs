//! Maintenance that a machine begins for itself: over itself, for as long as it may, and seen as its own.

use super::{holds::window_of, *};
use crate::domain::{calendar::Span, hold::own::OwnWindow, ids::HoldNo};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

impl Fleet {
    /// What the machine itself is answered.
    fn itself(&mut self, no: i64, command: Command) -> Answer {
        let by = Principal { name: format!("host h{no} itself"), via: "agent".into(), address: None };
        let effects =
            self.engine.apply(Event::Operator { by, command, reply: ReplyId(9) }, Timestamp::from_ms(self.now));
        let mut answer = None;
        for effect in effects {
            match effect {
                Effect::Reply(_, given) => answer = Some(given),
                Effect::Record(row) => self.rows.push(row),
                Effect::Notify(page) => self.pages.push(*page),
                _ => {}
            }
        }
        answer.expect("an answer")
    }

    fn begins(&mut self, no: i64, lasts_ms: i64) -> Answer {
        let (reason, change) = ("updates".to_owned(), "CHG9".to_owned());
        let window = OwnWindow { host: HostNo(no), lasts_ms, reason, change, most_ms: 4 * HOUR };
        self.itself(no, Command::BeginOwn(window))
    }

    /// Who made each window, and whether it was ended.
    fn windows(&self) -> Vec<(String, bool)> {
        self.engine.snapshot().holds.iter().map(|hold| (hold.by.clone(), hold.ended.is_some())).collect()
    }
}

fn refusal(answer: &Answer) -> &str {
    match answer {
        Answer::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_machine_keeps_its_own_pages_back_and_nobody_elses_and_it_is_in_the_audit_log() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    assert_eq!(fleet.begins(1, HOUR), Answer::Made(1));
    fleet.silent_from_now(1);
    fleet.until(30 * MINUTE);
    assert_eq!(fleet.told(), []);
    fleet.silent_from_now(2);
    fleet.until(45 * MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h2 is down")]);
    let audits: Vec<(String, String)> = fleet
        .rows
        .iter()
        .filter_map(|row| if let Row::Audit(row) = row { Some((row.who.clone(), row.action.clone())) } else { None })
        .collect();
    assert_eq!(audits, [("host h1 itself".to_owned(), "maintenance.own".to_owned())]);
    assert_eq!(fleet.windows(), [("host h1 itself".to_owned(), false)]);
    assert_eq!(fleet.itself(1, Command::EndOwn(HostNo(1))), Answer::Done);
    fleet.until(46 * MINUTE);
    assert_eq!(fleet.told().len(), 2, "what is wrong pages when it has ended");
}

#[test]
fn a_machine_ends_what_it_began_and_nothing_that_others_began() {
    let mut fleet = Fleet::of(&[Watch::Normal, Watch::Normal]);
    let at = |ms| Timestamp::from_ms(START + ms);
    fleet.operator(window_of("h1", Span { from: at(0), until: at(5 * HOUR) }));
    assert!(matches!(fleet.itself(1, Command::EndOwn(HostNo(1))), Answer::NotFound(_)));
    assert_eq!(fleet.begins(2, HOUR), Answer::Made(2));
    assert!(matches!(fleet.itself(1, Command::EndOwn(HostNo(1))), Answer::NotFound(_)), "another machine's");
    assert_eq!(fleet.windows().iter().filter(|(_, ended)| *ended).count(), 0);
}

#[test]
fn however_often_it_asks_a_machine_gets_no_more_than_the_cap_of_a_day_and_no_page_slips_out_between() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    assert!(refusal(&fleet.begins(1, 4 * HOUR + 1)).contains("a machine may take 4 h within 24 h"));
    assert_eq!(fleet.begins(1, 3 * HOUR), Answer::Made(1));
    fleet.silent_from_now(1);
    fleet.until(2 * HOUR);
    assert!(refusal(&fleet.begins(1, 2 * HOUR + MINUTE)).contains("2 h are left"));
    assert_eq!(fleet.begins(1, HOUR), Answer::Made(2), "it takes the place of the first");
    assert_eq!(fleet.windows().iter().map(|(_, ended)| *ended).collect::<Vec<_>>(), [true, false]);
    fleet.until(3 * HOUR - 1);
    assert_eq!(fleet.told(), []);
    // An hour is left; then the pages come, and a day later it may again.
    assert_eq!(fleet.begins(1, HOUR), Answer::Made(3));
    fleet.until(4 * HOUR + MINUTE);
    assert_eq!(fleet.told(), [(PageKind::Opened, "h1 is down")]);
    assert!(matches!(fleet.begins(1, MINUTE), Answer::Refused(_)));
    fleet.until(25 * HOUR);
    assert_eq!(fleet.begins(1, HOUR), Answer::Made(4));
}

#[test]
fn the_cap_holds_over_a_start_of_the_collector() {
    let mut fleet = Fleet::of(&[Watch::Normal]);
    fleet.begins(1, 4 * HOUR);
    fleet.until(4 * HOUR + MINUTE);
    let mut holds: BTreeMap<HoldNo, crate::domain::hold::Hold> = BTreeMap::new();
    for row in &fleet.rows {
        if let Row::Hold(hold) = row {
            holds.insert(hold.no, (**hold).clone());
        }
    }
    let loaded = Loaded {
        hosts: vec![profile(1, Watch::Normal)],
        last_hold: 1,
        holds: holds.into_values().collect(),
        ..Loaded::default()
    };
    let (engine, _) = Engine::new(&loaded, Roster::default(), Timestamp::from_ms(fleet.now));
    fleet.engine = engine;
    assert!(matches!(fleet.begins(1, MINUTE), Answer::Refused(_)));
}
