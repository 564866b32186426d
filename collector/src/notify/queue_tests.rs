//! The order of pages, examples first, then any run of answers.

use proptest::prelude::*;

use super::*;
use crate::notify::outbox::tests::page;

const SECOND: i64 = 1_000;

fn accepted() -> Sent {
    Sent::Accepted { provider_id: None }
}

fn retry() -> Sent {
    Sent::Retry { error: "no answer".into(), after: None }
}

fn refused() -> Sent {
    Sent::Refused { error: "it answered 404".into() }
}

fn critical(id: i64, incident: i64, n: i64) -> Arc<Page> {
    let mut page = page(id, incident, n);
    page.severity = Severity::Critical;
    Arc::new(page)
}

fn warning(id: i64, incident: i64, n: i64) -> Arc<Page> {
    Arc::new(page(id, incident, n))
}

/// An instant after the test pages were decided.
fn at(ms: i64) -> Timestamp {
    page(1, 1, 1).decided.plus_ms(ms)
}

#[test]
fn the_pages_of_an_incident_go_one_after_the_other_in_their_order() {
    let mut queue = Queue::default();
    queue.push(warning(2, 1, 2));
    queue.push(warning(1, 1, 1));
    let first = queue.take(at(0)).unwrap();
    assert_eq!((first.n, queue.take(at(0))), (1, None));
    queue.settle(&first, accepted(), at(1), 0.5);
    assert_eq!(queue.take(at(1)).unwrap().n, 2);
}

#[test]
fn a_number_that_fails_holds_up_its_own_pages_and_nobody_elses() {
    let mut queue = Queue::default();
    let to = |id: i64, n: i64, to: &str| Arc::new(Page { to: Some(to.into()), ..page(id, 1, n) });
    for page in [to(1, 1, "+4911"), to(2, 2, "+4922"), to(3, 3, "+4911")] {
        queue.push(page);
    }
    let (ana, bob) = (queue.take(at(0)).unwrap(), queue.take(at(0)).unwrap());
    assert_eq!((ana.id.0, bob.id.0, queue.take(at(0))), (1, 2, None));
    queue.settle(&ana, retry(), at(0), 0.5);
    queue.settle(&bob, accepted(), at(0), 0.5);
    assert_eq!(queue.take(at(0)), None);
    assert_eq!(queue.take(at(SECOND)).unwrap().id.0, 1);
}

#[test]
fn critical_goes_before_warning_and_older_before_newer() {
    let mut queue = Queue::default();
    for id in 1..=2 {
        queue.push(warning(id, id, 1));
    }
    queue.push(critical(4, 4, 1));
    queue.push(critical(3, 3, 1));
    let order: Vec<i64> = std::iter::from_fn(|| queue.take(at(0))).map(|page| page.id.0).collect();
    assert_eq!(order, [3, 4, 1, 2]);
}

#[test]
fn a_failing_page_holds_its_own_incident_only_and_waits_longer_each_time() {
    let mut queue = Queue::default();
    queue.push(warning(1, 1, 1));
    queue.push(warning(2, 1, 2));
    queue.push(warning(3, 3, 1));
    let first = queue.take(at(0)).unwrap();
    queue.settle(&first, retry(), at(0), 0.5);
    let other = queue.take(at(0)).unwrap();
    assert_eq!((first.id.0, other.id.0), (1, 3));
    queue.settle(&other, accepted(), at(0), 0.5);
    let mut now = 0;
    for wait in [1, 2, 5, 10] {
        assert_eq!(queue.take(at(now + wait * SECOND - 1)), None);
        now += wait * SECOND;
        let page = queue.take(at(now)).unwrap();
        assert_eq!(page.id.0, 1);
        queue.settle(&page, retry(), at(now), 0.5);
        if wait == 2 {
            // Another incident is taken in between, so the receiver is not down.
            queue.push(warning(9, 9, 1));
            let other = queue.take(at(now)).unwrap();
            queue.settle(&other, accepted(), at(now), 0.5);
        }
    }
}

#[test]
fn a_refused_page_is_tried_for_a_day_and_then_given_up() {
    let mut queue = Queue::default();
    queue.push(warning(1, 1, 1));
    for minute in 0..24 * 60 {
        let now = at(minute * 72 * SECOND);
        let Some(page) = queue.take(now) else { panic!("no try in minute {minute}") };
        let outcome = queue.settle(&page, refused(), now, 0.5);
        let old = minute * 72 >= 24 * 3_600;
        assert_eq!(matches!(outcome, Outcome::Failed { .. }), old, "{outcome:?}");
        if old {
            assert_eq!(queue.len(), 0);
            return;
        }
    }
    panic!("it was never given up");
}

#[test]
fn a_page_that_is_refused_again_and_again_delays_no_other() {
    let mut queue = Queue::default();
    queue.push(critical(1, 1, 1));
    let mut now = 0;
    for _ in 0..20 {
        let page = queue.take(at(now)).unwrap();
        queue.settle(&page, refused(), at(now), 0.5);
        now += 60 * SECOND;
    }
    queue.push(warning(2, 2, 1));
    assert_eq!(queue.take(at(now - 60 * SECOND)).map(|page| page.id.0), Some(2));
}

#[test]
fn a_receiver_that_refuses_one_page_after_the_other_is_only_probed() {
    let mut queue = Queue::default();
    (1..=20).for_each(|id| {
        queue.push(warning(id, id, 1));
    });
    for _ in 0..5 {
        let page = queue.take(at(0)).unwrap();
        queue.settle(&page, refused(), at(0), 0.5);
    }
    assert_eq!((queue.take(at(SECOND - 1)), queue.next_due()), (None, Some(at(SECOND))));
}

#[test]
fn probes_ask_for_each_incident_in_turn() {
    let mut queue = Queue::default();
    queue.push(critical(1, 1, 1));
    let (mut now, mut seen) = (0, BTreeSet::new());
    for round in 0..20 {
        let page = queue.take(at(now)).unwrap();
        seen.insert(page.id.0);
        queue.settle(&page, retry(), at(now), 0.5);
        if round == 10 {
            (2..=5).for_each(|id| {
                queue.push(warning(id, id, 1));
            });
        }
        now += 60 * SECOND;
    }
    assert_eq!(seen, BTreeSet::from([1, 2, 3, 4, 5]));
}

#[test]
fn a_receiver_that_says_it_is_gone_loses_that_page_only_and_is_probed() {
    let mut queue = Queue::default();
    (1..=3).for_each(|id| {
        queue.push(warning(id, id, 1));
    });
    let gone = || Sent::Gone { error: "410".into() };
    let first = queue.take(at(0)).unwrap();
    assert!(matches!(queue.settle(&first, gone(), at(0), 0.5), Outcome::Failed { .. }));
    assert_eq!((queue.take(at(SECOND - 1)), queue.next_due()), (None, Some(at(SECOND))));
    let second = queue.take(at(SECOND)).unwrap();
    queue.settle(&second, gone(), at(SECOND), 0.5);
    assert_eq!(queue.next_due(), Some(at(3 * SECOND)));
    let third = queue.take(at(3 * SECOND)).unwrap();
    queue.settle(&third, accepted(), at(3 * SECOND), 0.5);
    queue.push(warning(4, 4, 1));
    assert_eq!(queue.take(at(3 * SECOND)).map(|page| page.id.0), Some(4));
}

#[test]
fn a_page_is_given_up_at_its_first_failure_after_a_day() {
    let day = 24 * 3_600 * SECOND;
    let mut queue = Queue::default();
    queue.push(warning(1, 1, 1));
    let page = queue.take(at(day - 1)).unwrap();
    assert!(matches!(queue.settle(&page, retry(), at(day - 1), 0.5), Outcome::Retrying { .. }));
    let page = queue.take(at(day + 60 * SECOND)).unwrap();
    assert!(matches!(queue.settle(&page, retry(), at(day + 60 * SECOND), 0.5), Outcome::Failed { .. }));
}

#[test]
fn a_receiver_that_failed_five_times_is_probed_by_one_page_at_a_time() {
    let mut queue = Queue::default();
    for id in 1..=20 {
        queue.push(warning(id, id, 1));
    }
    for _ in 0..5 {
        let page = queue.take(at(0)).unwrap();
        queue.settle(&page, retry(), at(0), 0.5);
    }
    assert_eq!(queue.take(at(SECOND - 1)), None);
    assert_eq!(queue.next_due(), Some(at(SECOND)));
    let probe = queue.take(at(SECOND)).unwrap();
    assert_eq!(queue.take(at(SECOND)), None);
    queue.settle(&probe, accepted(), at(SECOND), 0.5);
    assert_eq!(std::iter::from_fn(|| queue.take(at(SECOND))).count(), IN_FLIGHT);
}

#[test]
fn retry_after_holds_the_whole_receiver() {
    let mut queue = Queue::default();
    queue.push(warning(1, 1, 1));
    queue.push(critical(2, 2, 1));
    let page = queue.take(at(0)).unwrap();
    queue.settle(&page, Sent::Retry { error: "429".into(), after: Some(Duration::from_secs(30)) }, at(0), 0.5);
    assert_eq!(queue.take(at(30 * SECOND - 1)), None);
    assert_eq!(queue.take(at(30 * SECOND)).unwrap().id.0, 2);
}

#[test]
fn what_a_receiver_asked_for_is_told_with_the_outcome_and_holds_a_queue_that_begins_anew() {
    let mut queue = Queue::default();
    queue.push(warning(1, 1, 1));
    let page = queue.take(at(0)).unwrap();
    let asked = Sent::Retry { error: "it answered 429".into(), after: Some(Duration::from_secs(90)) };
    let outcome = queue.settle(&page, asked, at(1_000), 0.5);
    assert_eq!(outcome, Outcome::Retrying { error: "it answered 429".into(), not_before: Some(at(91_000)) });

    let mut queue = Queue::default();
    queue.leave_alone(at(91_000));
    queue.push(critical(1, 1, 1));
    assert_eq!((queue.take(at(90_999)), queue.next_due()), (None, Some(at(91_000))));
    assert!(queue.take(at(91_000)).is_some());
}

#[test]
fn what_does_not_fit_is_fetched_again_and_critical_still_fits() {
    let mut queue = Queue::default();
    let all = PAGES_QUEUED as i64 + 500;
    let spilled = (1..=all).filter(|id| queue.push(warning(*id, *id, 1)) == Pushed::Spilled).count();
    assert_eq!(spilled, 500 + KEPT_FOR_CRITICAL);
    assert_eq!(queue.push(critical(all + 1, all + 1, 1)), Pushed::Held);
    assert_eq!(queue.push(warning(1, 1, 1)), Pushed::Known);
    assert_eq!(queue.len() as i64, all + 1);
    let mut sent = BTreeSet::new();
    while queue.len() > 0 {
        for (lane, at) in queue.wanted() {
            queue.refill(lane, at, Some(warning(at.1.0, at.1.0, 1)));
        }
        let page = queue.take(at(0)).unwrap();
        queue.settle(&page, accepted(), at(0), 0.5);
        assert!(sent.insert(page.id));
    }
    assert_eq!(sent.len() as i64, all + 1);
}

proptest! {
    /// Whatever the receiver answers, nothing is lost, nothing sent twice after it was taken, and no recovery overtakes.
    #[test]
    fn any_run_of_answers_loses_nothing_and_keeps_each_incidents_order(
        pages in prop::collection::vec((0_i64..5, any::<bool>()), 1..40),
        answers in prop::collection::vec(0_u8..6, 0..60),
        jitter in 0.0_f64..1.0,
    ) {
        let mut queue = Queue::default();
        let (mut counts, mut all) = ([0_i64; 5], BTreeSet::new());
        for (at, (incident, urgent)) in pages.into_iter().enumerate() {
            counts[incident as usize] += 1;
            let (id, n) = (at as i64 + 1, counts[incident as usize]);
            queue.push(if urgent { critical(id, incident, n) } else { warning(id, incident, n) });
            all.insert(id);
        }
        let (mut now, mut answers, mut told, mut last) = (0, answers.into_iter(), BTreeSet::new(), [0_i64; 5]);
        while queue.len() > 0 {
            let batch: Vec<_> = std::iter::from_fn(|| queue.take(at(now))).collect();
            if batch.is_empty() {
                let due = queue.next_due().expect("something waits");
                prop_assert!(due > at(now));
                now += due.since_ms(at(now));
            }
            for page in batch {
                let incident = page.incident.unwrap().0 as usize;
                prop_assert_eq!(page.n, last[incident] + 1);
                let sent = match answers.next() {
                    Some(1) => retry(),
                    Some(2) => Sent::Retry { error: "busy".into(), after: Some(Duration::from_secs(7)) },
                    Some(3) => refused(),
                    Some(5) => Sent::Rejected { error: "422".into() },
                    Some(4) => Sent::Gone { error: "410".into() },
                    _ => accepted(),
                };
                if !matches!(queue.settle(&page, sent, at(now), jitter), Outcome::Retrying { .. }) {
                    prop_assert!(told.insert(page.id.0));
                    last[incident] = page.n;
                }
            }
        }
        prop_assert_eq!(told, all);
    }
}
