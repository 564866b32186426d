//! Services of several members, instant by instant.

use super::{
    report::{basis, declared, known, row},
    *,
};
use crate::domain::{
    hold::Scope,
    host::Cause,
    ids::{HoldNo, HostId, HostNo},
    record::Observed,
    sla::{
        amendment::{Amended, Correction, Note},
        burn::Lately,
        history::{Observation, Planned},
        period::Period,
        report::{Known, Line, Report},
        service::{self, Needs, Service, combine},
        subject::Subject,
    },
};

/// A member that was this; the rest of the window is unknown.
fn member(rows: &[Stretch], until: i64) -> Vec<Stretch> {
    lattice::lay(rows.iter().copied(), window(0, until))
}

/// Up throughout but for these outages.
fn with_outages(until: i64, problems: &[(i64, i64)]) -> Vec<Stretch> {
    member(&with_problems(0, until, problems), until)
}

fn combined(members: &[Vec<Stretch>], needs: Needs, within: Span) -> Vec<Stretch> {
    let members: Vec<&[Stretch]> = members.iter().map(Vec::as_slice).collect();
    combine(&members, needs, within)
}

/// Checks what it comes to, in percent.
fn check_percent(members: &[Vec<Stretch>], needs: Needs, until: i64, expected: f64) {
    let over = window(0, until);
    let actual = availability(&agreement("99"), &combined(members, needs, over), over);
    assert!((actual - expected).abs() < 1e-7, "{actual} is not {expected}: {needs:?}");
}

#[test]
fn in_series_and_in_parallel_it_is_what_the_books_say() {
    // Independent members: each is down in its share of the time, whatever the others are. 99.9 % of a million.
    let million = 1_000_000;
    let every_thousandth: Vec<(i64, i64)> = (0..1_000).map(|at| (at * 1_000, at * 1_000 + 1)).collect();
    let pair = [with_outages(million, &[(0, 1_000)]), with_outages(million, &every_thousandth)];
    check_percent(&pair[..1], Needs::All, million, 99.9);
    check_percent(&pair[1..], Needs::Any, million, 99.9);
    check_percent(&pair, Needs::All, million, 99.8001);
    check_percent(&pair, Needs::Any, million, 99.9999);
    // Three at 99.9 in a thousand millions.
    let billion = 1_000_000_000;
    let shares = |length: i64| (0..million / length).map(move |at| (at * 1_000 * length, at * 1_000 * length + length));
    let outages = [vec![(0, million)], shares(1_000).collect::<Vec<_>>(), shares(1).collect::<Vec<_>>()];
    let three = outages.map(|outages| with_outages(billion, &outages));
    check_percent(&three, Needs::All, billion, 99.700_299_9);
    // Two of three: 3 p^2 (1 - p) + p^3 with p = 0.999.
    check_percent(&three, Needs::AtLeast(2), billion, 99.999_700_2);
}

/// What a service is of members that are these, each for one instant.
fn of(needs: Needs, members: &[Bucket]) -> Bucket {
    let members: Vec<Vec<Stretch>> = members.iter().map(|bucket| vec![stretch(0, 1, *bucket)]).collect();
    combined(&members, needs, window(0, 1))[0].bucket
}

#[test]
fn it_is_up_with_enough_down_with_too_few_and_else_as_much_in_doubt_as_what_it_depends_on() {
    use Bucket::{CleanStop, CollectorDown, Down, Unknown, Unreachable, Up};
    use Needs::{All, Any, AtLeast};
    for (needs, members, expected) in [
        (Any, &[Up, Down, Down][..], Up),
        (Any, &[Down, Unknown], Unknown),
        (Any, &[Down, Unknown, Unreachable], Unreachable),
        (Any, &[Down, Down], Down),
        (Any, &[Down, CleanStop], CleanStop),
        (All, &[Up, Up], Up),
        (All, &[Up, CleanStop], CleanStop),
        (All, &[CleanStop, Down], Down),
        (All, &[Up, Unreachable, Unknown], Unknown),
        (All, &[Unknown, Down], Down),
        (AtLeast(2), &[Up, Up, Down], Up),
        (AtLeast(2), &[Up, Unreachable, Down], Unreachable),
        (AtLeast(2), &[Up, CollectorDown, Unreachable], Unreachable),
        (AtLeast(2), &[Up, Down, Down], Down),
        (AtLeast(2), &[Unknown, Down, Down], Down),
        (AtLeast(2), &[Unknown, Unreachable, Down], Unknown),
    ] {
        assert_eq!(of(needs, members), expected, "{needs:?} of {members:?}");
    }
}

#[test]
fn only_planned_work_that_alone_takes_it_away_is_its_maintenance() {
    use Bucket::{Down, Maintenance, Unknown, Up};
    use Needs::{All, Any, AtLeast};
    for (needs, members, expected) in [
        (Any, &[Maintenance, Up][..], Up),
        (Any, &[Maintenance, Maintenance], Maintenance),
        (Any, &[Maintenance, Down], Down),
        (Any, &[Maintenance, Unknown], Unknown),
        (All, &[Maintenance, Up], Maintenance),
        (All, &[Maintenance, Down], Maintenance),
        (AtLeast(2), &[Maintenance, Up, Up], Up),
        (AtLeast(2), &[Maintenance, Up, Down], Down),
        (AtLeast(2), &[Maintenance, Up, Unknown], Unknown),
        (AtLeast(2), &[Maintenance, Maintenance, Up], Maintenance),
        (AtLeast(2), &[Maintenance, Maintenance, Down], Maintenance),
    ] {
        assert_eq!(of(needs, members), expected, "{needs:?} of {members:?}");
    }
}

#[test]
fn members_that_are_not_in_service_are_not_counted_and_too_few_make_no_service() {
    use Bucket::{Down, OutsideHours, Up};
    use Needs::{All, Any, AtLeast};
    for (needs, members, expected) in [
        (All, &[OutsideHours, Up][..], Up),
        (All, &[OutsideHours, Down], Down),
        (Any, &[OutsideHours, Down], Down),
        (All, &[OutsideHours, OutsideHours], OutsideHours),
        (AtLeast(2), &[OutsideHours, Up], OutsideHours),
        (AtLeast(2), &[OutsideHours, Up, Down], Down),
        (AtLeast(2), &[OutsideHours, OutsideHours], OutsideHours),
    ] {
        assert_eq!(of(needs, members), expected, "{needs:?} of {members:?}");
    }
    for needs in [All, Any, AtLeast(1)] {
        assert_eq!(combined(&[], needs, window(0, 9)), [stretch(0, 9, Bucket::Unknown)], "nobody knows of none");
    }
}

/// A host with an outage at each of these times, up to `now`.
fn host(no: i64, name: &str, outages: &[(i64, i64)], now: i64) -> Known {
    let mut rows = Vec::new();
    let mut last = 0;
    for (from, until) in outages {
        let n = i64::try_from(rows.len()).unwrap() + 1;
        rows.push(row(n, last, *from, Observed::Up, Cause::Reporting));
        rows.push(row(n + 1, *from, *until, Observed::Down, Cause::Silence));
        last = *until;
    }
    let id = HostId(uuid::Uuid::from_u128(u128::try_from(no).unwrap()));
    let subject = Subject::Host { no: HostNo(no), id, name: name.into() };
    Known { subject, basis: basis(name), ..known(name, &rows, last, window(0, now), now) }
}

fn shop(needs: Needs) -> Service {
    Service { name: "shop".into(), needs, scope: Scope::default(), checks: vec![], services: vec![] }
}

/// What is promised of a service, over a period of which so much is over.
fn promised(needs: Needs, members: Vec<Known>, period: i64, now: i64) -> Line {
    let over = (window(0, period), window(0, now));
    let known = service::known(&shop(needs), members, over, Default::default());
    let period = Period { name: "x".into(), span: over.0 };
    Report::of(&declared("99"), period, over.1, vec![known], ms(now)).lines.remove(0)
}

#[test]
fn an_outage_of_a_service_begins_with_the_last_proof_of_what_it_needs_and_names_who_was_down_and_why() {
    let pair = || vec![host(1, "web-1", &[(100, 400)], 1000), host(2, "web-2", &[(250, 600)], 1000)];
    let line = promised(Needs::Any, pair(), 1000, 1000);
    let [outage] = line.outages.as_slice() else { panic!("{:?}", line.outages) };
    assert_eq!(outage.span, window(250, 400), "the second one was proven up until then");
    assert_eq!(outage.cause, "0 of 2 up, needs 1: web-1 down, web-2 down");
    let silence = Cause::Silence.words();
    assert_eq!(outage.evidence, format!("web-1: {silence}; web-2: {silence}"));
    let both = promised(Needs::All, pair(), 1000, 1000);
    let [outage] = both.outages.as_slice() else { panic!("{:?}", both.outages) };
    assert_eq!((outage.span, outage.cause.as_str()), (window(100, 600), "1 of 2 up, needs 2: web-1 down"));
    assert_eq!(outage.evidence, format!("web-1: {silence}; web-2: {silence}"), "also who went down later in it");

    let crowd: Vec<Known> = (1..=13).map(|no| host(no, &format!("m{no}"), &[(5, 10)], 10)).collect();
    let told = &promised(Needs::Any, crowd, 10, 10).outages[0].cause;
    assert!(told.ends_with("m10 down, 3 more not up"), "{told}");
    let few = promised(Needs::AtLeast(2), vec![host(1, "web-1", &[], 10)], 20, 10);
    assert_eq!((few.outages.len(), few.known.observed[0].cause.as_str()), (0, "1 of its members in service, needs 2"));
}

#[test]
fn a_service_of_services_tells_of_each_of_them() {
    let over = (window(0, 100), window(0, 100));
    let web = Service { name: "web".into(), ..shop(Needs::Any) };
    let pair = vec![host(1, "web-1", &[(20, 60)], 100), host(2, "web-2", &[(30, 50)], 100)];
    let web = service::known(&web, pair, over, Default::default());
    let line = promised(Needs::All, vec![host(3, "db", &[(55, 65)], 100), web], 100, 100);
    let spans: Vec<Span> = line.outages.iter().map(|outage| outage.span).collect();
    assert_eq!(spans, [window(30, 50), window(55, 65)]);
    assert_eq!(line.outages[0].cause, "1 of 2 up, needs 2: web down");
    assert!(
        line.outages[0].evidence.starts_with("web: 0 of 2 up, needs 1: web-1 down, web-2 down"),
        "{:?}",
        line.outages
    );
    let leaves: Vec<String> = line.known.leaves().iter().map(|leaf| leaf.subject.name()).collect();
    assert_eq!(leaves, ["db", "web-1", "web-2"]);
}

fn planned(from: i64, until: i64, late: Option<i64>) -> Planned {
    let (reason, late) = (String::new(), late.map(ms));
    Planned {
        span: window(from, until),
        hold: HoldNo(3),
        window: "maintenance 3".into(),
        reason,
        late,
        disregarded: None,
    }
}

#[test]
fn planned_work_on_members_also_what_is_to_come_is_the_services_where_it_takes_it_away() {
    let pair = |late| {
        let with = |no, name: &str| {
            let maintenance = vec![planned(100, 200, late), planned(800, 900, None)];
            Known { maintenance, ..host(no, name, &[(120, 150)], 500) }
        };
        vec![with(1, "web-1"), Known { maintenance: vec![planned(150, 250, late)], ..host(2, "web-2", &[], 500) }]
    };
    let ms_of = |buckets: &Buckets| [Bucket::Up, Bucket::Down, Bucket::Maintenance].map(|bucket| buckets.ms(bucket));
    let any = promised(Needs::Any, pair(None), 1000, 500);
    assert_eq!(ms_of(&any.reckoning.buckets), [450, 0, 50], "both were worked on from 150 to 200");
    assert_eq!(any.at_best.agreed_ms, 950);
    let all = promised(Needs::All, pair(None), 1000, 500);
    assert_eq!((ms_of(&all.reckoning.buckets), all.at_best.agreed_ms), ([350, 0, 150], 750));
    assert!(all.agreed.is_none() && all.outages.is_empty());

    // Entered afterwards: an outage by what was measured, and none by what was agreed.
    let late = promised(Needs::All, pair(Some(400)), 1000, 500);
    assert_eq!(ms_of(&late.reckoning.buckets), [470, 30, 0]);
    let agreed = late.agreed.expect("a figure beside the measured one");
    assert_eq!((ms_of(&agreed.reckoning.buckets), agreed.at_best.agreed_ms), ([350, 0, 150], 750));
}

#[test]
fn what_people_say_of_members_afterwards_holds_for_the_service_too() {
    let corrected = |no, name: &str| {
        let correction = Correction {
            stretch: stretch(300, 320, Bucket::Down),
            source: "amendment 1".into(),
            reason: "users saw it (ann)".into(),
            made: ms(900),
        };
        let note = Note { at: ms(130), text: "a switch (ann)".into(), cause: None, disputed: Some(true) };
        let amended = Amended { corrections: vec![correction], notes: vec![note] };
        Known { amended, ..host(no, name, &[(100, 200)], 1000) }
    };
    let line = promised(Needs::Any, vec![corrected(1, "web-1"), corrected(2, "web-2")], 1000, 1000);
    assert_eq!((line.reckoning.buckets.ms(Bucket::Down), line.outages[0].disputed), (100, true));
    assert_eq!(line.outages[0].notes, ["web-1: a switch (ann)", "web-2: a switch (ann)"]);
    let agreed = line.agreed.expect("a figure beside the measured one");
    assert_eq!(agreed.reckoning.buckets.ms(Bucket::Down), 120);
    assert!(agreed.outages[1].evidence.contains("users saw it"), "{:?}", agreed.outages);
    // Of one of two nobody says anything, and one is enough.
    let line = promised(Needs::Any, vec![corrected(1, "web-1"), host(2, "web-2", &[(100, 200)], 1000)], 1000, 1000);
    assert!(line.agreed.is_none(), "{:?}", line.agreed);
}

#[test]
fn what_people_say_of_the_service_itself_counts_but_where_its_work_was_planned() {
    let over = (window(0, 1000), window(0, 1000));
    let says = |from, until, bucket| Correction {
        stretch: stretch(from, until, bucket),
        source: "amendment 1".into(),
        reason: "users saw it (ann)".into(),
        made: ms(900),
    };
    let note = Note { at: ms(250), text: "a switch (ann)".into(), cause: None, disputed: Some(true) };
    let corrections = vec![says(600, 900, Bucket::Down), says(220, 300, Bucket::Up)];
    let said = Amended { corrections, notes: vec![note] };
    let web = Known { maintenance: vec![planned(800, 1000, None)], ..host(1, "web-1", &[(200, 300)], 1000) };
    let known = service::known(&shop(Needs::All), vec![web], over, (said, vec![]));
    let whole = Period { name: "x".into(), span: over.0 };
    let line = Report::of(&declared("99"), whole, over.1, vec![known], ms(1000)).lines.remove(0);
    assert_eq!((line.reckoning.buckets.ms(Bucket::Down), line.outages[0].notes[0].as_str()), (100, "a switch (ann)"));
    let agreed = line.agreed.expect("a figure beside the measured one").reckoning.buckets;
    assert_eq!(
        (agreed.ms(Bucket::Down), agreed.ms(Bucket::Maintenance)),
        (220, 200),
        "20 are left, 600 to 800 are said"
    );
}

#[test]
fn the_burn_of_a_service_names_the_hosts_that_were_gone_in_it() {
    let over = (window(0, 1000), window(0, 1000));
    let outages: [&[(i64, i64)]; 3] = [&[(100, 200), (500, 600)], &[(150, 250)], &[(300, 310)]];
    let hosts = (1..).zip(outages).map(|(no, outages)| host(no, &format!("web-{no}"), outages, 1000)).collect();
    let known = service::known(&shop(Needs::AtLeast(2)), hosts, over, Default::default());
    let lately = Lately::of(&agreement("99"), &known, 0, over.1, &[]);
    assert_eq!(
        (lately.kind, lately.name.as_str(), lately.bad.as_slice()),
        ("service", "shop", &[window(150, 200)][..])
    );
    assert_eq!(lately.hosts_in(&lately.bad).collect::<Vec<_>>(), [HostNo(1), HostNo(2)]);
}

fn any_member() -> impl Strategy<Value = Vec<Stretch>> {
    // Also time in which it is not in service.
    (any_stretches(), 0_i64..1000).prop_map(|(mut rows, begins)| {
        rows.push(stretch(0, begins - 500, Bucket::OutsideHours));
        member(&rows, 1000)
    })
}

fn some_members() -> impl Strategy<Value = Vec<Vec<Stretch>>> {
    proptest::collection::vec(any_member(), 1..6)
}

fn any_needs() -> impl Strategy<Value = Needs> {
    prop_oneof![Just(Needs::All), Just(Needs::Any), (1_usize..6).prop_map(Needs::AtLeast)]
}

/// Only up or down.
fn plain_members() -> impl Strategy<Value = Vec<Vec<Stretch>>> {
    let problems = proptest::collection::vec((0_i64..1000, 1_i64..300), 0..6);
    let one = problems.prop_map(|problems| {
        let problems: Vec<(i64, i64)> = problems.into_iter().map(|(from, length)| (from, from + length)).collect();
        with_outages(1000, &problems)
    });
    proptest::collection::vec(one, 1..6)
}

/// The other way round: down where it was up.
fn upside_down(stretches: &[Stretch]) -> Vec<Stretch> {
    let turn = |bucket| if bucket == Bucket::Up { Bucket::Down } else { Bucket::Up };
    stretches.iter().map(|stretch| Stretch { bucket: turn(stretch.bucket), ..*stretch }).collect()
}

fn at(stretches: &[Stretch], instant: i64) -> Bucket {
    stretches.iter().find(|stretch| stretch.span.holds(ms(instant))).unwrap().bucket
}

/// How good it is to be this, for a service.
fn rank(bucket: Bucket) -> usize {
    use Bucket::{CleanStop, CollectorDown, Down, Maintenance, OutsideHours, Unknown, Unreachable, Up};
    let from_worst = [OutsideHours, Maintenance, Down, CleanStop, Unknown, CollectorDown, Unreachable, Up];
    from_worst.iter().position(|other| *other == bucket).unwrap()
}

proptest! {
    #[test]
    fn the_stretches_of_a_service_fill_the_window(members in some_members(), needs in any_needs()) {
        let laid = combined(&members, needs, window(0, 1000));
        let mut next = ms(0);
        for stretch in &laid {
            prop_assert_eq!(stretch.span.from, next);
            prop_assert!(stretch.span.from < stretch.span.until);
            next = stretch.span.until;
        }
        prop_assert_eq!((next, Buckets::of(&laid).window_ms()), (ms(1000), 1000));
    }

    #[test]
    fn a_service_of_one_member_is_that_member(only in any_member(), needs in any_needs(), count in 1_usize..6) {
        let needs = if matches!(needs, Needs::AtLeast(_)) { Needs::AtLeast(1) } else { needs };
        prop_assert_eq!(&combined(std::slice::from_ref(&only), needs, window(0, 1000)), &only);
        prop_assert_eq!(&combined(&vec![only.clone(); count], needs, window(0, 1000)), &only, "as are many that are alike");
    }

    #[test]
    fn the_order_of_members_does_not_matter(members in some_members(), needs in any_needs(), by in 0_usize..6) {
        let mut turned = members.clone();
        turned.rotate_left(by % members.len());
        turned.swap(0, by % members.len());
        prop_assert_eq!(combined(&members, needs, window(0, 1000)), combined(&turned, needs, window(0, 1000)));
    }

    #[test]
    fn a_services_window_may_be_split_anywhere(members in some_members(), needs in any_needs(), cut in 1_i64..999) {
        let part = |from, until| Buckets::of(&combined(&members, needs, window(from, until)));
        prop_assert_eq!(part(0, cut) + part(cut, 1000), part(0, 1000));
    }

    #[test]
    fn needing_all_is_needing_any_upside_down(members in plain_members()) {
        let turned: Vec<Vec<Stretch>> = members.iter().map(|member| upside_down(member)).collect();
        let whole = window(0, 1000);
        prop_assert_eq!(combined(&members, Needs::All, whole), upside_down(&combined(&turned, Needs::Any, whole)));
        let (count, down) = (members.len(), |needs| Buckets::of(&combined(&members, needs, whole)).ms(Bucket::Down));
        prop_assert_eq!(down(Needs::AtLeast(count)), down(Needs::All));
        prop_assert_eq!(down(Needs::AtLeast(1)), down(Needs::Any));
        // Each instant by hand.
        for instant in (0..1000).step_by(7) {
            let up = members.iter().filter(|member| at(member, instant) == Bucket::Up).count();
            for least in 1..=count {
                let expected = if up >= least { Bucket::Up } else { Bucket::Down };
                prop_assert_eq!(at(&combined(&members, Needs::AtLeast(least), whole), instant), expected);
            }
        }
    }

    #[test]
    fn a_member_that_gets_better_makes_nothing_worse(
        states in proptest::collection::vec(1_usize..Bucket::ALL.len(), 1..6), which in 0_usize..6, better in 1_usize..Bucket::ALL.len(),
        needs in any_needs(),
    ) {
        let before: Vec<Bucket> = states.iter().map(|state| Bucket::ALL[*state]).collect();
        let (which, better) = (which % before.len(), Bucket::ALL[better]);
        prop_assume!(rank(better) >= rank(before[which]));
        let mut after = before.clone();
        after[which] = better;
        prop_assert!(rank(of(needs, &after)) >= rank(of(needs, &before)), "{:?} {:?} {:?}", needs, before, after);
    }

    #[test]
    fn needing_more_never_helps(members in some_members(), least in 1_usize..5) {
        let buckets = |least| Buckets::of(&combined(&members, Needs::AtLeast(least), window(0, 1000)));
        let (few, more) = (buckets(least), buckets(least + 1));
        prop_assert!(more.ms(Bucket::Up) <= few.ms(Bucket::Up));
    }

    #[test]
    fn what_is_told_of_a_service_is_what_its_members_come_to(members in some_members(), needs in any_needs(), now in 1_i64..1000) {
        let known = |(no, rows): (i64, &Vec<Stretch>)| {
            let told = |stretch: &Stretch| Observation {
                stretch: *stretch, cause: stretch.bucket.word().into(), evidence: String::new(), learned: stretch.span.until,
                unattended: false,
            };
            let observed = lattice::lay(rows.iter().copied(), window(0, now)).iter().map(told).collect();
            Known { observed, ..host(no, "m", &[], now) }
        };
        let line = promised(needs, (1..).zip(&members).map(known).collect(), 1000, now);
        prop_assert_eq!(line.reckoning.stretches, combined(&members, needs, window(0, now)));
    }
}
