//! The document of a month in which much happened.

use std::collections::BTreeMap;

use super::*;
use crate::domain::{
    calendar::Span,
    hold::Scope,
    host::{Cause, ledger::OpenSpan},
    ids::{HoldNo, HostId, HostNo, IncidentNo},
    record::Observed,
    sla::{
        agreement::Agreement,
        amendment::{Amended, Category, Correction, Note},
        buckets::Buckets,
        burn::BurnAlerts,
        handling::Incident,
        history::{Observation, Planned},
        inputs::{Basis, Definition, Inputs, Position},
        lattice::{Bucket, Stretch},
        period::{Length, Period},
        report::Known,
        subject::Subject as Whom,
        target::Target,
    },
};

fn at(text: &str) -> Timestamp {
    Timestamp::from_ms(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

fn known(name: &str, no: u128, observed: &[(&str, &str, Bucket, &str, &str)]) -> Known {
    let entry = |(from, until, bucket, cause, evidence): &(&str, &str, Bucket, &str, &str)| Observation {
        stretch: Stretch::new(at(from), at(until), *bucket),
        cause: (*cause).to_owned(),
        evidence: (*evidence).to_owned(),
        learned: at(until),
        unattended: false,
    };
    Known {
        subject: Whom::Host { no: HostNo(1), id: HostId(uuid::Uuid::from_u128(no)), name: name.to_owned() },
        observed: observed.iter().map(entry).collect(),
        with_others: None,
        maintenance: Vec::new(),
        amended: Amended::default(),
        basis: basis(name, no),
        members: Vec::new(),
    }
}

fn basis(name: &str, no: u128) -> Basis {
    let open = OpenSpan { after: 0, from: at(BEGIN), state: Observed::Up, cause: Cause::Reporting };
    Basis::new(name, Some(HostId(uuid::Uuid::from_u128(no))), Position::at(&open, at(BEGIN)))
}

const BEGIN: &str = "2026-09-30T22:00:00Z";
const END: &str = "2026-10-31T23:00:00Z";

/// Berlin's October of 2026: 745 h, with 2 h of planned work, half an hour down, and ten minutes cut off.
fn subjects() -> Vec<Known> {
    let up = |from, until| (from, until, Bucket::Up, "it reports", "session");
    let mut web = known(
        "web-1",
        1,
        &[
            up(BEGIN, "2026-10-05T06:00:00Z"),
            ("2026-10-05T06:00:00Z", "2026-10-05T06:30:00.250Z", Bucket::Down, "it is silent", "<b>no</b> answer"),
            up("2026-10-05T06:30:00.250Z", "2026-10-20T10:00:00Z"),
            ("2026-10-20T10:00:00Z", "2026-10-20T10:10:00Z", Bucket::Unreachable, "cut off", "alive log"),
            up("2026-10-20T10:10:00Z", END),
        ],
    );
    let work = Span { from: at("2026-10-12T00:00:00Z"), until: at("2026-10-12T02:00:00Z") };
    web.maintenance = vec![Planned {
        span: work,
        hold: HoldNo(3),
        window: "maintenance 3 (CHG-77)".to_owned(),
        reason: "disks".to_owned(),
        late: None,
        disregarded: None,
    }];
    vec![web, known("web-2", 2, &[up(BEGIN, END)])]
}

fn declared(name: &str) -> Declared {
    let mut agreement = Agreement::new(name, Target::parse("99.9").unwrap());
    agreement.zone = "Europe/Berlin".to_owned();
    let scope = Scope { hosts: vec!["web-*".to_owned()], ..Scope::default() };
    Declared { agreement, period: Length::Month, scope, checks: vec![], services: vec![], burn_alerts: BurnAlerts::Off }
}

/// The document as of an instant.
fn document(name: &str, subjects: Vec<Known>, now: &str) -> String {
    document_for(Audience::Staff, name, subjects, now)
}

fn document_for(audience: Audience, name: &str, subjects: Vec<Known>, now: &str) -> String {
    let declared = declared(name);
    let zone = zone("Europe/Berlin").unwrap();
    let period = Period::parse("2026-10", &zone).unwrap();
    let window = period.until(at(now)).unwrap();
    let report = Report::of(&declared, period, window, subjects, at(now));
    let incident = Incident {
        no: IncidentNo(17),
        since: at("2026-10-05T06:00:00Z"),
        opened: at("2026-10-05T06:00:09Z"),
        resolved: Some(at("2026-10-05T06:30:01Z")),
        paged: Some(at("2026-10-05T06:00:40Z")),
        acknowledged: Some((at("2026-10-05T06:04:40Z"), "ann".to_owned())),
    };
    let key = format!("liveness/{}/host", uuid::Uuid::from_u128(1));
    let handling = Handling::new(BTreeMap::from([(key, vec![incident])]));
    let (by, address) = ("ann".to_owned(), Some("http://muster.example"));
    let whole = issued(name, &report, at(now));
    let (declared, report, handling, now) = (&declared, &report, &handling, at(now));
    let made = Made { declared, report, whole: &whole, handling, by, now, address, audience };
    made.document().unwrap()
}

/// The part of a report as it is issued that a document tells of.
fn issued(name: &str, report: &Report, as_of: Timestamp) -> Value {
    let definition = Definition {
        name: name.to_owned(),
        version: 4,
        sha256: "0123456789abcdef".repeat(4),
        in_force_from: Some("2026-01-01".to_owned()),
    };
    let subject = |line: &Line| {
        let mut basis = line.known.basis.clone();
        let ledger = basis.ledger.as_mut().unwrap();
        (ledger.n, ledger.hash) = (12, "fedcba9876543210".repeat(4));
        basis
    };
    let inputs = Inputs {
        as_of,
        program: "9.8.7".to_owned(),
        tzdata: "2026e".to_owned(),
        definition,
        period: report.period.name.clone(),
        subjects: report.lines.iter().map(subject).collect(),
        incidents: Vec::new(),
    };
    serde_json::json!({ "digest": "d1".repeat(32), "inputs": inputs, "others_in_force": [{}] })
}

/// The text of a document, without its marks.
fn text(document: &str) -> String {
    let body = document.split_once("<main>").unwrap().1;
    let texts = body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    texts.collect::<Vec<_>>().join("|")
}

#[test]
fn a_month_is_told_with_its_verdict_its_sums_and_every_minute_that_was_not_up() {
    let document = document("web shop", subjects(), "2026-11-02T08:00:00Z");
    // 745 h without 2 h and 10 min are 2 674 200 s, of which 1 800.25 s are missing; the other host has 2 682 000 s.
    // Were the ten minutes an outage too, web-1 had 99.91 %: it has kept it whatever became of them.
    assert!(
        document.contains(
            "In October 2026, web shop was available for 99.9663 % of the agreed time. Promised is 99.9 % for each of 2 \
             hosts: all kept it.</p>"
        ),
        "{document}"
    );
    let text = text(&document);
    for told in [
        "5\u{202f}356\u{202f}200.000\u{202f}s",
        "1\u{202f}800.250\u{202f}s",
        "7\u{202f}200.000\u{202f}s",
        "600.000\u{202f}s",
        "5\u{202f}364\u{202f}000.000\u{202f}s",
        "2026-10-05 08:00:00 +02:00",
        "maintenance 3 (CHG-77)",
        "#17",
        "ann took it 2026-10-05 08:04:40 +02:00, 4 min 0 s after the first page",
        "9 s (median 9 s, nine of ten 9 s; 1 incident)",
        "4 min 0 s (median 4 min 0 s, nine of ten 4 min 0 s; 1 incident)",
        "One host was up and proven so",
        "31 d 1 h",
    ] {
        assert!(text.contains(told), "{told:?} in\n{text}");
    }
    assert!(document.contains("href=\"http://muster.example/incidents/17\""));
}

#[test]
fn a_document_names_what_it_was_reckoned_from_and_how_that_is_verified() {
    let few = text(&document("web shop", subjects(), "2026-11-02T08:00:00Z"));
    for told in [
        "d1".repeat(32).as_str(),
        "2026-11-02T08:00:00.000Z",
        "version 4 (SHA-256 0123456789ab)",
        "web-1: entry 12 (fedcba987654); web-2: entry 12 (fedcba987654)",
        "tzdata 2026e",
        "Muster 9.8.7",
        "muster-collector sla report --agreement &#39;web shop&#39; --period 2026-10 --on 2026-01-01 --format json --output \
         report.json\nmuster-collector sla verify report.json",
    ] {
        assert!(few.contains(told), "{told:?} in\n{few}");
    }
    let many = (0..7).map(|no| known(&format!("web-{no}"), no, &[(BEGIN, END, Bucket::Up, "it reports", "session")]));
    let many = text(&document("web shop", many.collect(), "2026-11-02T08:00:00Z"));
    assert!(many.contains("7 with 84 entries together"), "{many}");
}

#[test]
fn a_department_is_told_when_and_how_long_and_not_why() {
    let mut subjects = subjects();
    let down = Span { from: at("2026-10-25T00:00:00Z"), until: at("2026-10-25T02:00:00Z") };
    subjects[1].amended.corrections.push(Correction {
        stretch: Stretch { span: down, bucket: Bucket::Down },
        source: "amendment 4".to_owned(),
        reason: "the shop sold nothing (ann, INC4711)".to_owned(),
        made: at("2026-10-26T08:00:00Z"),
    });
    subjects[0].amended.notes.push(Note {
        at: at("2026-10-05T06:10:00Z"),
        text: "the supplier says otherwise (bob)".to_owned(),
        cause: Some(Category::Power),
        disputed: Some(true),
    });
    let document = document_for(Audience::Department, "web shop", subjects, "2026-11-02T08:00:00Z");
    for told in ["2026-10-05 08:00:00 +02:00", "maintenance 3 (CHG-77)", "cause: power", "99.9663 %", "amendment 4"] {
        assert!(document.contains(told), "{told:?} in\n{document}");
    }
    let never = ["it is silent", "no&#60;/b&#62;", "answer", "#17:", "took it", "bob", "/incidents/", "muster.example"];
    for never in never.into_iter().chain(["alive log", "INC4711", "sla verify", "supplier"]) {
        assert!(!document.replace("Planned", "").contains(never), "{never:?} in\n{document}");
    }
}

/// What stands in the calendar at a day of October 2026: how it is drawn, and its number or sign.
fn days(now: &str, subjects: Vec<Known>, change: impl Fn(&mut Agreement)) -> Vec<(String, String)> {
    let mut declared = declared("web shop");
    change(&mut declared.agreement);
    let zone = zone("Europe/Berlin").unwrap();
    let period = Period::parse("2026-10", &zone).unwrap();
    let window = period.until(at(now)).unwrap();
    let report = Report::of(&declared, period, window, subjects, at(now));
    let each = crate::domain::sla::days::days(&declared.agreement, &report, &zone);
    let sum = each.iter().fold(Buckets::default(), |sum, day| sum + day.buckets);
    assert_eq!(sum, report.total.buckets, "no time is lost, and none is counted twice");
    let months = heat_map::months(&declared.agreement, &report, &zone);
    assert_eq!((months.len(), months[0].name.as_str()), (1, "October 2026"));
    // The first is a Thursday, the last a Saturday in the fifth week.
    let (first, last) = (&months[0].cells[0], &months[0].cells[30]);
    assert_eq!((first.x, first.y, last.x, last.y), (3 * 48, 18, 5 * 48, 18 + 4 * 34));
    months[0].cells.iter().map(|cell| (cell.class.to_owned(), cell.text.clone())).collect()
}

#[test]
fn each_day_is_told_with_its_own_availability_and_its_doubts() {
    let of = |class: &str, text: &str| (class.to_owned(), text.to_owned());
    let calendar = days("2026-11-02T08:00:00Z", subjects(), |_| ());
    assert_eq!(calendar.len(), 31);
    assert_eq!((&calendar[0], &calendar[24]), (&of("kept", "100"), &of("kept", "100")), "the 25th has 25 hours");
    // Of 172 800 s of both, 1 800.25 s are missing on the 5th; ten minutes of the 20th are left out and in doubt.
    assert_eq!(calendar[4], of("broken", "98.95"));
    assert_eq!(calendar[19], of("kept", "100?"));
    let alone = |name: &str, bucket| known(name, 1, &[(BEGIN, END, bucket, "why", "proof")]);
    let holiday = |agreement: &mut Agreement| {
        agreement.holidays.insert("2026-10-05".parse().unwrap());
    };
    let calendar = days("2026-10-05T22:00:00Z", vec![alone("web-1", Bucket::Unreachable)], holiday);
    assert_eq!(
        (&calendar[0], &calendar[4], &calendar[5]),
        (&of("unproven", "?"), &of("closed", "–"), &of("to-come", ""))
    );
    let calendar = days("2026-11-02T08:00:00Z", vec![alone("web-1", Bucket::Maintenance)], |_| ());
    assert_eq!(calendar[0], of("planned", "M"));
    let calendar = days("2026-11-02T08:00:00Z", vec![alone("web-1", Bucket::Down)], |_| ());
    assert_eq!(calendar[30], of("broken", "0.00"));
}

#[test]
fn the_document_needs_nothing_else_and_runs_nothing() {
    let mut subjects = subjects();
    let (no, id) = (HostNo(1), HostId(uuid::Uuid::from_u128(2)));
    subjects[1].subject = Whom::Host { no, id, name: "\"><img src=x onerror=alert(1)>".to_owned() };
    let document = document("<script>alert(1)</script> & co", subjects, "2026-11-02T08:00:00Z");
    assert!(document.contains("&#60;script&#62;") && document.contains("&#60;b&#62;no&#60;/b&#62;"), "{document}");
    for never in ["<script", "<img", "<b>", " style=", "<link", "@import", "url(http"] {
        assert!(!document.contains(never), "{never}");
    }
}

#[test]
fn what_people_said_afterwards_stands_beside_what_was_measured() {
    let mut subjects = subjects();
    let down = Span { from: at("2026-10-25T00:00:00Z"), until: at("2026-10-25T02:00:00Z") };
    subjects[1].amended.corrections.push(Correction {
        stretch: Stretch { span: down, bucket: Bucket::Down },
        source: "amendment 4".to_owned(),
        reason: "the shop sold nothing (ann, INC4711)".to_owned(),
        made: at("2026-10-26T08:00:00Z"),
    });
    subjects[0].amended.notes.push(Note {
        at: at("2026-10-05T06:10:00Z"),
        text: "the supplier says otherwise (bob)".to_owned(),
        cause: Some(Category::Power),
        disputed: Some(true),
    });
    let document = document("web shop", subjects, "2026-11-02T08:00:00Z");
    let text = text(&document);
    // Of 2 682 000 s the host was not there for 7 200 s: 99.73 %, which is less than promised.
    for told in [
        "With what people said afterwards: ",
        "99.7315",
        "down: 2026-10-25 02:00:00 +02:00 to 2026-10-25 03:00:00 +01:00",
        "the shop sold nothing (ann, INC4711)",
        "amendment 4",
        "disputed",
        "cause: power",
        "the supplier says otherwise (bob)",
    ] {
        assert!(text.contains(told), "{told:?} in\n{text}");
    }
    let said = "all kept it. That is what was measured; with what people said afterwards it is 99.8319\u{a0}%: broken.";
    assert!(document.contains(said), "{document}");
}

#[test]
fn a_period_that_goes_on_tells_both_to_date_and_what_may_become_of_it() {
    let document = document("web shop", subjects(), "2026-10-05T06:10:00Z");
    assert!(document.contains("So far in October 2026, web shop was available"), "{document}");
    assert!(document.contains("If nothing more happens, it will be"), "{document}");
    assert!(document.contains("goes on") && document.contains("At the end, if nothing more happens"), "{document}");
    let without = self::document("web shop", Vec::new(), "2026-10-05T06:10:00Z");
    assert!(without.contains("web shop applies to no host: nothing is promised in October 2026."), "{without}");
}

#[test]
fn periods_are_named_as_people_say_them() {
    let said = ["2026", "2026-Q4", "2026-10", "2026-W44", "2026-10-25", "2026-10-01..2026-10-15", "30d"].map(period);
    let expected = [
        "2026",
        "quarter 4 of 2026",
        "October 2026",
        "week 44 of 2026",
        "25 October 2026",
        "1 October 2026 to 15 October 2026",
        "the last 30 days",
    ];
    assert_eq!(said, expected);
}
