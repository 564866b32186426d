//! Whatever happens: no end is told without a beginning, and another collector finds the same incidents.

use proptest::prelude::*;

use super::{
    checks::{restarted, says},
    holds::window_of,
    *,
};
use crate::domain::{
    calendar::Span,
    ids::HoldNo,
    oncall::Destination,
    priority::Priority,
    redundancy::{Group, Member},
    snapshot::IncidentView,
};

#[derive(Debug, Clone)]
enum Step {
    Silent(i64),
    Ends(i64),
    Back(i64),
    Checked(i64, u32),
    Judged(i64, bool),
    Alert(usize, bool),
    Acknowledge(i64, bool),
    Resolve(i64),
    Prioritise(i64, usize),
    Window(i64, i64),
    EndWindow(i64),
    Delivered(usize, bool),
    Restart,
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (1_i64..=6).prop_map(Step::Silent),
        2 => (1_i64..=6).prop_map(Step::Ends),
        6 => (1_i64..=6).prop_map(Step::Back),
        4 => (1_i64..=6, 0_u32..=3).prop_map(|(no, status)| Step::Checked(no, status)),
        3 => (1_i64..=6, any::<bool>()).prop_map(|(no, holds)| Step::Judged(no, holds)),
        3 => (0_usize..3, any::<bool>()).prop_map(|(which, fires)| Step::Alert(which, fires)),
        2 => (1_i64..=8, any::<bool>()).prop_map(|(no, lasts)| Step::Acknowledge(no, lasts)),
        1 => (1_i64..=8).prop_map(Step::Resolve),
        1 => (1_i64..=8, 0_usize..6).prop_map(|(no, to)| Step::Prioritise(no, to)),
        1 => (1_i64..=6, 1_i64..=60).prop_map(|(no, minutes)| Step::Window(no, minutes)),
        1 => (1_i64..=3).prop_map(Step::EndWindow),
        2 => (0_usize..40, any::<bool>()).prop_map(|(page, taken)| Step::Delivered(page, taken)),
        1 => Just(Step::Restart),
        8 => (1_i64..=120_000).prop_map(Step::Pass),
        1 => (600_000_i64..=1_800_000).prop_map(Step::Pass),
    ]
}

/// The people of the on-call tests, and a redundancy group.
fn roster() -> Roster {
    let members = ["h1", "h2", "h3/web"].map(|text| Member::from_words(text).unwrap()).into();
    let (name, behind, severity) = ("web".to_owned(), vec!["h5".to_owned()], Severity::Critical);
    Roster { groups: vec![Group { name, members, needs: 2, behind, severity }], ..super::oncall::roster() }
}

const ALERTS: [&[(&str, &str)]; 3] = [
    &[("alertname", "Slow"), ("severity", "critical")],
    &[("alertname", "Slow"), ("instance", "h4:80")],
    &[("alertname", "Full"), ("host", "h1"), ("severity", "page")],
];

impl Fleet {
    fn take(&mut self, step: &Step) {
        let minute = 60_000;
        match *step {
            Step::Silent(no) if self.state(no) == State::Up => self.silent_from_now(no),
            Step::Ends(no) if self.state(no) == State::Up => self.ends(no, Ending::Fin),
            Step::Silent(_) | Step::Ends(_) => {}
            Step::Back(no) => self.connect(no),
            Step::Checked(no, status) => says(self, no, status, 3),
            Step::Judged(no, holds) => {
                let evidence = "of 100 GiB".to_owned();
                let severity = Severity::Warning;
                let verdict = if holds { Verdict::Holds { severity, evidence } } else { Verdict::Cleared { evidence } };
                let judgements = vec![Judgement { part: "/".into(), rule: "filesystem_space", verdict, cause: None }];
                self.host(no, HostEvent::Judged { through: None, judgements });
            }
            Step::Alert(which, fires) => self.says(ALERTS[which], if fires { 4 * minute } else { -1 }),
            Step::Acknowledge(no, lasts) => {
                let for_ms = lasts.then_some(10 * minute);
                self.operator(Command::Acknowledge { incident: IncidentNo(no), note: String::new(), for_ms });
            }
            Step::Resolve(no) => self.operator(Command::Resolve { incident: IncidentNo(no), note: String::new() }),
            Step::Prioritise(no, to) => {
                let (incident, priority) = (IncidentNo(no), Priority::ALL.get(to).copied());
                self.operator(Command::Prioritise { incident, priority, note: String::new() });
            }
            Step::Window(no, minutes) => {
                let now = Timestamp::from_ms(self.now);
                self.operator(window_of(&format!("h{no}"), Span { from: now, until: now.plus_ms(minutes * minute) }));
            }
            Step::EndWindow(no) => self.operator(Command::EndHold(HoldNo(no))),
            Step::Delivered(page, taken) => {
                let Some(page) = self.pages.get(page).map(|page| page.id) else { return };
                let failed = Outcome::Failed { error: "refused".into() };
                let outcome = if taken { Outcome::Accepted { provider_id: None } } else { failed };
                self.apply(Event::Delivered { page, outcome });
            }
            Step::Restart => {
                let (engine, effects) = Engine::new(&restarted(self), roster(), Timestamp::from_ms(self.now));
                self.engine = engine;
                self.looks.clear();
                self.carry_out(effects);
            }
            Step::Pass(ms) => {
                let at = self.now - self.start;
                self.until(at + ms);
            }
        }
    }
}

/// What is said of an incident wherever it is loaded: all that is stored.
fn stored(views: &BTreeMap<IncidentNo, std::sync::Arc<IncidentView>>) -> Vec<String> {
    views.values().map(|view| format!("{:#?}\n{:#?}\n{:#?}", view.row, view.events, view.pages)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// An end, or that somebody has it, is told to nobody who was not told of the trouble, and to each but once.
    #[test]
    fn no_end_is_told_without_a_beginning(steps in proptest::collection::vec(step(), 1..80)) {
        let mut fleet = Fleet::with(&[Watch::Normal; 6], roster(), START);
        steps.iter().for_each(|step| fleet.take(step));
        let mut told: BTreeMap<(Option<IncidentNo>, Destination), bool> = BTreeMap::new();
        for page in &fleet.pages {
            let open = told.entry((page.incident, page.destination())).or_insert(false);
            match page.kind {
                PageKind::Opened | PageKind::Updated => *open = true,
                PageKind::Acknowledged => prop_assert!(*open, "{page:#?}"),
                PageKind::Resolved => prop_assert!(std::mem::take(open), "{page:#?}"),
                PageKind::Test | PageKind::Notice => {}
            }
        }
        // And whoever was told of what is over was told of its end.
        let snapshot = fleet.engine.snapshot();
        for ((incident, destination), open) in told {
            let view = incident.and_then(|no| snapshot.incidents.get(&no));
            let is_over = view.is_some_and(|view| view.row.state == IncidentState::Resolved);
            prop_assert!(!(open && is_over), "{incident:?} {destination:?}");
        }
    }

    /// The rows recorded until any moment give another collector the incidents that this one has.
    #[test]
    fn the_rows_give_the_same_incidents_at_any_moment(steps in proptest::collection::vec(step(), 1..40)) {
        let mut fleet = Fleet::with(&[Watch::Normal; 6], roster(), START);
        for step in &steps {
            fleet.take(step);
            // What is due at this moment is done by now, as it is by the engine that takes over.
            fleet.apply(Event::Tick);
            let (other, _) = Engine::new(&restarted(&fleet), roster(), Timestamp::from_ms(fleet.now));
            let (here, there) = (stored(&fleet.engine.snapshot().incidents), stored(&other.snapshot().incidents));
            prop_assert_eq!(here, there, "after {:?}", step);
        }
    }
}
