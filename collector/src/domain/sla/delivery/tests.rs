use super::*;
use crate::domain::{calendar::zone, time::Timestamp};

fn ms(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn plan(every: Length, at: &str) -> Plan {
    Plan {
        name: "monthly".into(),
        agreements: Vec::new(),
        every,
        at: at.parse().unwrap(),
        formats: vec![Format::Html],
        directory: Some("/srv/reports".into()),
        mail: Some(Post { receiver: "mail".into(), to: vec!["it@example.org".into(), "cfo@example.org".into()] }),
        place: "collector.toml:1".into(),
    }
}

fn told(closed: &Closed) -> (String, String) {
    (closed.period.name.clone(), closed.due.to_string())
}

#[test]
fn a_report_is_due_on_the_day_after_its_period_by_the_clocks_of_its_zone() {
    let berlin = zone("Europe/Berlin").unwrap();
    for (every, now, newest, next) in [
        // The millisecond before and the one at which it is due; summer time has ended in between.
        (
            Length::Month,
            "2026-11-01T04:59:59.999Z",
            ("2026-09", "2026-10-01T04:00:00.000Z"),
            ("2026-10", "2026-11-01T05:00:00.000Z"),
        ),
        (
            Length::Month,
            "2026-11-01T05:00:00Z",
            ("2026-10", "2026-11-01T05:00:00.000Z"),
            ("2026-11", "2026-12-01T05:00:00.000Z"),
        ),
        (
            Length::Quarter,
            "2027-01-01T12:00:00Z",
            ("2026-Q4", "2027-01-01T05:00:00.000Z"),
            ("2027-Q1", "2027-04-01T04:00:00.000Z"),
        ),
        (
            Length::Year,
            "2027-01-01T04:00:00Z",
            ("2025", "2026-01-01T05:00:00.000Z"),
            ("2026", "2027-01-01T05:00:00.000Z"),
        ),
        (
            Length::Week,
            "2026-10-26T05:00:00Z",
            ("2026-W43", "2026-10-26T05:00:00.000Z"),
            ("2026-W44", "2026-11-02T05:00:00.000Z"),
        ),
        (
            Length::Day,
            "2026-10-25T04:59:59Z",
            ("2026-10-23", "2026-10-24T04:00:00.000Z"),
            ("2026-10-24", "2026-10-25T05:00:00.000Z"),
        ),
    ] {
        let plan = plan(every, "06:00");
        let own = |(name, due): (&str, &str)| (name.to_owned(), due.to_owned());
        assert_eq!(told(&plan.newest(ms(now), &berlin)), own(newest), "{now}");
        assert_eq!(told(&plan.next(ms(now), &berlin)), own(next), "{now}");
    }
}

#[test]
fn a_time_that_the_clock_leaves_out_or_has_twice_is_one_time() {
    let berlin = zone("Europe/Berlin").unwrap();
    let daily = plan(Length::Day, "02:30");
    // Half past two does not come on 29 March: the first instant after the gap. On 25 October it comes twice: the first.
    assert_eq!(told(&daily.newest(ms("2026-03-29T10:00:00Z"), &berlin)).1, "2026-03-29T01:00:00.000Z");
    assert_eq!(told(&daily.newest(ms("2026-10-25T10:00:00Z"), &berlin)).1, "2026-10-25T00:30:00.000Z");
    // Midnight itself is missing where summer begins in Cairo: never before the period is over.
    let cairo = zone("Africa/Cairo").unwrap();
    let closed = plan(Length::Day, "00:00").newest(ms("2026-04-24T12:00:00Z"), &cairo);
    assert_eq!((closed.due, closed.period.name.as_str()), (closed.period.span.until, "2026-04-23"));
}

#[test]
fn each_period_is_told_of_once_and_after_an_absence_the_newest_alone() {
    let utc = zone("UTC").unwrap();
    let monthly = plan(Length::Month, "06:00");
    let now = ms("2026-11-15T12:00:00Z");
    let closed = monthly.newest(now, &utc);
    assert_eq!(monthly.due(None, now, &utc), Due::First(closed.clone()), "what was over before is not sent");
    assert_eq!(monthly.due(Some(closed.due), now, &utc), Due::Nothing);
    assert_eq!(
        monthly.due(Some(closed.due.plus_ms(1)), now, &utc),
        Due::Nothing,
        "its hour was changed to an earlier one"
    );

    let Due::Now { closed: due, skipped } = monthly.due(Some(ms("2026-08-01T06:00:00Z")), now, &utc) else {
        panic!("nothing is due")
    };
    assert_eq!(due, closed);
    let names: Vec<&str> = skipped.iter().map(|closed| closed.period.name.as_str()).collect();
    assert_eq!(names, ["2026-08", "2026-09"], "July was told of, October is told of now");
    // What was told of by the month is not told of again by the quarter.
    let quarterly = plan(Length::Quarter, "06:00");
    assert_eq!(quarterly.due(Some(ms("2026-10-01T06:00:00Z")), now, &utc), Due::Nothing);
}

#[test]
fn years_of_absence_are_not_told_of_day_by_day() {
    let utc = zone("UTC").unwrap();
    let Due::Now { skipped, .. } =
        plan(Length::Day, "06:00").due(Some(ms("2020-01-01T06:00:00Z")), ms("2026-11-15T12:00:00Z"), &utc)
    else {
        panic!("nothing is due")
    };
    assert_eq!((skipped.len(), skipped.last().unwrap().period.name.as_str()), (100, "2026-11-13"));
}

#[test]
fn files_have_names_that_no_file_system_minds_and_no_two_agreements_share() {
    assert_eq!(stem("web shop", "2026-10", &["web shop", "mail"]), "web-shop-2026-10");
    assert_eq!(stem("../../etc/passwd", "2026-10", &[]), "etc-passwd-2026-10");
    assert_eq!(stem("Büro (Süd)", "2026-Q4", &[]), "Büro-Süd-2026-Q4");
    assert_eq!(stem("//", "2026", &[]), "agreement-2026");
    assert_eq!(stem(&"x".repeat(300), "2026", &[]).len(), 85);
    let all = ["a/b", "a b"];
    let (one, other) = (stem("a/b", "2026", &all), stem("a b", "2026", &all));
    assert!(one != other && one.starts_with("a-b-") && other.ends_with("-2026"), "{one} {other}");
    assert_eq!(one, stem("a/b", "2026", &all), "the same tomorrow");
}

fn issue(no: i64, agreement: &str) -> Issue {
    let made = Made {
        version: 1,
        digest: "d".into(),
        verdict: "met".into(),
        title: String::new(),
        text: String::new(),
        stem: "office-2026-10".into(),
    };
    Issue {
        no,
        report: "monthly".into(),
        agreement: agreement.into(),
        period: "2026-10".into(),
        due: ms("2026-11-01T06:00:00Z"),
        asked_by: None,
        at: ms("2026-11-01T06:00:01Z"),
        made: Some(made),
        why: String::new(),
        deliveries: Vec::new(),
    }
    .to(plan(Length::Month, "06:00").destinations())
}

#[test]
fn what_is_not_taken_is_tried_again_for_a_day_and_then_given_up() {
    let mut issue = issue(1, "office");
    let (issued, mut now, mut waits) = (issue.at, issue.at, Vec::new());
    let mail = &mut issue.deliveries[1];
    assert_eq!((mail.destination.to.as_str(), mail.next), ("it@example.org", Some(issued)));
    while mail.state == State::Waiting {
        mail.begin(now);
        mail.end(Outcome::Later("451 try later".into()), issued, now);
        waits.extend(mail.next.map(|next| next.since_ms(now) / 1_000));
        now = mail.next.unwrap_or(now);
    }
    assert_eq!(waits[..6], [10, 30, 120, 600, 1_800, 1_800]);
    assert_eq!(mail.state, State::Failed);
    assert!((86_400_000..90_000_000).contains(&now.since_ms(issued)), "{}", now.since_ms(issued));
    assert!(mail.said.starts_with("451 try later; tried ") && mail.said.ends_with(" times in a day"), "{}", mail.said);

    let cfo = &mut issue.deliveries[2];
    cfo.begin(now);
    cfo.end(Outcome::Never("550 no such user".into()), issued, now);
    assert_eq!((cfo.state, cfo.tries), (State::Failed, 1));
    let told = trouble("monthly", &[issue.clone()]).unwrap();
    for part in ["office 2026-10 not taken by it@example.org (451", "cfo@example.org (550", &issue.again()] {
        assert!(told.contains(part), "{part} in {told}");
    }
}

#[test]
fn a_mail_that_was_being_sent_in_a_crash_is_not_sent_again_and_files_are() {
    let mut crashed = issue(1, "web 'shop'");
    let now = crashed.at;
    for delivery in &mut crashed.deliveries[..2] {
        delivery.begin(now);
    }
    let later = now.plus_ms(5_000);
    crashed.deliveries.iter_mut().for_each(|delivery| delivery.resume(later));
    let states: Vec<State> = crashed.deliveries.iter().map(|delivery| delivery.state).collect();
    assert_eq!(states, [State::Waiting, State::Unclear, State::Waiting]);
    assert_eq!((crashed.deliveries[0].next, crashed.deliveries[1].next), (Some(later), None));
    let told = trouble("monthly", &[crashed.clone()]).unwrap();
    let again = "muster-collector sla deliver monthly --period 2026-10 --agreement 'web '\\''shop'\\'''";
    assert!(told.contains("perhaps not sent to it@example.org") && told.contains(again), "{told}");

    // Once it was sent again all is well, whatever became of another report or of one that was left out since.
    let mut sent = issue(2, "web 'shop'");
    sent.deliveries.iter_mut().for_each(|one| one.end(Outcome::Taken("250 OK".into()), now, now));
    let left_out = Issue { no: 3, made: None, why: "nothing was promised".into(), ..issue(3, "web 'shop'") };
    assert_eq!(trouble("monthly", &[left_out, sent, crashed.clone()]), None);
    assert_eq!(trouble("weekly", &[crashed]), None);
}
