//! Who has it when: two people by weeks over both changes of the clock, turns that they exchange, days on which they are away,
//! and all of it in calendars, which a real reader of calendars (python3-icalendar) reads and writes.

use muster_tests::process::{installed, run};
use muster_tests::smtp::MailServer;
use muster_tests::{Collector, eventually, http};
use serde_json::Value;
use tokio::process::Command;

use crate::s;

/// Ann and Bob by weeks from Monday 2026-10-19 on, 9:00 in Berlin; Bob's clock is that of Lisbon.
const ROTA: &str = r#"
[[person]]
name = "ann"
contact = [{ receiver = "mail", to = "ann@example.org" }]
[[person]]
name = "bob"
zone = "Europe/Lisbon"
contact = [{ receiver = "mail", to = "bob@example.org" }]
[[rotation]]
name = "ops"
zone = "Europe/Berlin"
[[rotation.layer]]
people = ["ann", "bob"]
from = "2026-10-19"
handoff = "09:00"
every = "7 d"
[[policy]]
name = "night"
[[policy.step]]
notify = ["rotation:ops"]
[[policy.step]]
after = "15 min"
notify = ["person:bob"]
[[route]]
policy = "night"
"#;

/// Reads a calendar with Python's icalendar: each entry's id, begin, end and name.
const READ: &str = "import icalendar, json, sys
calendar = icalendar.Calendar.from_ical(sys.stdin.buffer.read() if len(sys.argv) < 2 else open(sys.argv[1], 'rb').read())
assert calendar.get('VERSION') == '2.0' and calendar.get('PRODID'), 'no calendar'
told = lambda at: at.dt.strftime('%Y-%m-%dT%H:%M:%SZ') if at.dt.utcoffset().total_seconds() == 0 else 'not UTC'
print(json.dumps([{'uid': str(e['UID']), 'from': told(e['DTSTART']), 'until': told(e['DTEND']), 'summary': str(e['SUMMARY'])}
    for e in calendar.walk('VEVENT')]))";

/// Writes a calendar with it: two whole days, and hours in the zone of New York.
const WRITE: &str = "import datetime, icalendar, sys
calendar = icalendar.Calendar()
calendar.add('prodid', '-//test//'), calendar.add('version', '2.0')
def entry(uid, summary, start, end, **zone):
    event = icalendar.Event()
    event.add('uid', uid), event.add('summary', summary)
    event.add('dtstart', start, parameters=zone), event.add('dtend', end, parameters=zone)
    calendar.add_component(event)
year = int(sys.argv[2])
entry('holiday@example.org', 'Holiday; ' + 'far away, ' * 20, datetime.date(year, 7, 1), datetime.date(year, 7, 3))
entry('dentist@example.org', 'Dentist', datetime.datetime(year, 8, 1, 9), datetime.datetime(year, 8, 1, 11), TZID='America/New_York')
open(sys.argv[1], 'wb').write(calendar.to_ical())";

async fn python(script: &str, arguments: &[&str]) -> String {
    let said = run(Command::new(installed("python3", "python3-icalendar")).args(["-c", script]).args(arguments)).await;
    assert_eq!(said.code, 0, "python3-icalendar: {}", said.all());
    said.out
}

/// A calendar, read by a real reader.
async fn read_calendar(collector: &Collector, text: &str) -> Vec<Value> {
    let file = collector.home().join("read.ics");
    std::fs::write(&file, text).expect("a file in a directory of our own");
    let file = file.to_str().expect("a path of letters");
    serde_json::from_str(&python(READ, &[file]).await).expect("JSON")
}

#[tokio::test]
async fn a_weekly_rota_is_told_over_both_changes_of_the_clock() {
    let server = MailServer::start().await;
    let collector = Collector::start(&format!("{}{ROTA}", server.receiver())).await;
    for (at, first) in [
        ("2026-10-26T07:59:59Z", "ann"), // 8:59 in winter
        ("2026-10-26T08:00:00Z", "bob"),
        ("2027-03-29T06:59:59Z", "ann"), // 8:59 in summer, after 23 weeks
        ("2027-03-29T07:00:00Z", "bob"),
    ] {
        let told = collector.get(&format!("/api/v1/routes/test?at={at}")).await.json();
        let who: Vec<(&Value, &Value)> =
            told["told"].as_array().into_iter().flatten().map(|one| (&one["who"], &one["after_seconds"])).collect();
        assert_eq!(who, [(&first.into(), &0.into()), (&"bob".into(), &900.into())], "{at}: {told:#}");
    }
}

#[tokio::test]
async fn turns_are_exchanged_told_to_both_and_seen_in_calendars_that_need_no_sign_in() {
    let server = MailServer::start().await;
    let collector = Collector::start(&format!("{}{ROTA}", server.receiver())).await;
    let shifts = || async {
        let all = collector.get("/api/v1/on-call").await.json();
        all["items"][0]["shifts"].as_array().cloned().unwrap_or_default()
    };
    let planned = shifts().await;
    let person = |shift: &Value| shift["person"].as_str().unwrap_or_default().to_owned();
    let (now, next) = (person(&planned[0]), person(&planned[1]));
    collector.cli(&["on-call", "swap", "ops", &now, &next]).await;
    let exchanged = shifts().await;
    assert_eq!((person(&exchanged[0]), person(&exchanged[1])), (next.clone(), now.clone()), "{exchanged:#?}");
    assert_eq!(planned[2]["from"], exchanged[2]["from"], "and then as planned");
    let both = || async {
        let mails = server.messages();
        let told = |who: &str| {
            mails
                .iter()
                .any(|mail| mail.contains("exchange turns in ops") && mail.contains(&format!("X-RcptTo: {who}@")))
        };
        (told("ann") && told("bob")).then_some(())
    };
    eventually("both are told", s(10), both).await;
    let refused = collector.try_cli(&["on-call", "swap", "ops", "ann", "cleo"]).await;
    assert!(refused.code == 1 && refused.err.contains("cleo"), "{}", refused.all());

    let calendar = collector.get("/api/v1/on-call/ops.ics").await;
    assert_eq!(calendar.status, 200);
    let mut entries = read_calendar(&collector, &calendar.body).await;
    let known: Vec<(Value, String)> =
        entries.iter().map(|one| (one["from"].clone(), one["summary"].to_string())).collect();
    for shift in &exchanged[1..3] {
        let from = shift["from"].as_str().unwrap_or_default().replace(".000Z", "Z");
        let told = known.iter().find(|(begins, _)| *begins == from.as_str());
        assert!(told.is_some_and(|(_, summary)| summary.contains(&person(shift))), "{from}: {known:#?}");
    }
    // By the signed address, in another connection without any right; ids and times are the same.
    let url = collector.cli(&["on-call", "calendar", "--rotation", "ops"]).await;
    let again = http::get(&url).await.expect("an answer");
    let mut others = read_calendar(&collector, &again.body).await;
    // The last turn ends where the calendar does: so and so long from now.
    for all in [&mut others, &mut entries] {
        all.last_mut().expect("a turn")["until"] = Value::Null;
    }
    assert_eq!((again.status, others), (200, entries));
    let forged = http::get(&url.replace("/calendar/", "/calendar/x")).await.expect("an answer");
    assert_eq!(forged.status, 404);
    assert_eq!(collector.get("/api/v1/on-call/nobody.ics").await.status, 404);
}

#[tokio::test]
async fn absences_are_read_from_a_real_calendar_moved_refused_with_their_line_and_taken_back() {
    let server = MailServer::start().await;
    let collector = Collector::start(&format!("{}{ROTA}", server.receiver())).await;
    let file = collector.home().join("bob.ics");
    let file = file.to_str().expect("a path of letters");
    python(WRITE, &[file, "2031"]).await;
    let import = ["on-call", "absences", "import", file, "--person", "bob"];
    assert_eq!(collector.cli(&import).await, "2 added, 0 known already, 0 over");
    assert_eq!(collector.cli(&import).await, "0 added, 2 known already, 0 over");
    let listed = collector.get("/api/v1/on-call/absences").await.json();
    let times: Vec<(&Value, &Value)> =
        listed["items"].as_array().into_iter().flatten().map(|one| (&one["from"], &one["until"])).collect();
    // Whole days by Bob's clock: summer in Lisbon is an hour ahead of UTC.
    let holiday = ("2031-06-30T23:00:00.000Z".into(), "2031-07-02T23:00:00.000Z".into());
    let dentist = ("2031-08-01T13:00:00.000Z".into(), "2031-08-01T15:00:00.000Z".into());
    assert_eq!(times, [(&holiday.0, &holiday.1), (&dentist.0, &dentist.1)]);
    assert!(collector.get("/on-call").await.body.contains("Holiday; far away,"));

    let old = std::fs::read_to_string(file).expect("the calendar");
    std::fs::write(file, old.replacen("END:VEVENT", "RRULE:FREQ=WEEKLY\r\nEND:VEVENT", 1)).expect("a file");
    let refused = collector.try_cli(&import).await;
    assert!(refused.code == 1 && refused.err.contains("an entry that recurs is not understood"), "{}", refused.all());
    assert!(refused.err.contains("line "), "{}", refused.err);

    let away = |who: &'static str, more: &'static [&'static str]| {
        let days =
            ["on-call", "absences", "add", who, "--from", "2031-07-01T08:00:00Z", "--until", "2031-07-01T09:00:00Z"];
        [&days[..], more].concat()
    };
    let refused = collector.try_cli(&away("ann", &[])).await;
    let gap = "nobody would be on call in ops from 2031-07-01T08:00:00.000Z to 2031-07-01T09:00:00.000Z";
    assert!(refused.code == 1 && refused.err.contains(gap), "{}", refused.all());
    collector.cli(&away("ann", &["--confirm-gaps"])).await;
    collector.cli(&["on-call", "absences", "remove", "1"]).await;
    let left = collector.cli(&["on-call", "absences", "list"]).await;
    assert!(!left.contains("Holiday") && left.contains("Dentist"), "{left}");
}
