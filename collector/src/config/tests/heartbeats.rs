//! Heartbeats: read whole, and refused by line and key.

use super::*;
use crate::domain::heartbeat::expectation::Expectation;

#[test]
fn the_example_is_read_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let heartbeats = read(&example_switched_on(folder.path())).unwrap().heartbeats;
    let [backup, sync, report, dump] = heartbeats.as_slice() else { panic!("{heartbeats:?}") };
    assert_eq!((backup.name.as_str(), backup.grace_ms, backup.severity), ("backup", 3_600_000, Severity::Critical));
    assert_eq!((backup.host.as_deref(), backup.labels.len()), (Some("db-1"), 1));
    assert_eq!(backup.expected.words(), "by 03:00 Europe/Berlin on mon, tue, wed, thu, fri");
    assert_eq!(sync.expected, Expectation::Every(600_000));
    assert_eq!((sync.grace_ms, sync.severity, &sync.host), (600_000, Severity::Warning, &None));
    assert_eq!((report.expected.words().as_str(), report.grace_ms), ("at 30 6 * * mon-fri Europe/Berlin", 3_600_000));
    assert_eq!(dump.expected.words(), "at Sun *-*-* 02:00 Europe/Berlin");
}

#[test]
fn what_cannot_be_expected_is_refused_by_line_and_key() {
    let text = "[[heartbeat]]\nname = \"a\"\nperiod = \"9 s\"\n\
                [[heartbeat]]\nname = \"b\"\nby = \"03:00\"\nzone = \"Berlin\"\n\
                [[heartbeat]]\nname = \"c\"\nperiod = \"1 d\"\n\
                [[heartbeat]]\nname = \"c\"\nperiod = \"1 d\"\nzone = \"UTC\"\n\
                [[heartbeat]]\nname = \"d\"\ngrace = \"1 h\"\n\
                [[heartbeat]]\nname = \"e\"\nby = \"25:00\"\ndays = [\"someday\"]\nzone = \"UTC\"\n";
    let said = mistakes(text);
    let expected = [
        "collector.toml:3: heartbeat[1].period = \"9 s\": expected a time from \"10 s\"",
        "collector.toml:7: heartbeat[2].zone = \"Berlin\": expected the name of a zone such as Europe/Berlin",
        "collector.toml:12: heartbeat[4].name = \"c\": expected a name that no other has",
        "collector.toml:14: heartbeat[4].zone = \"UTC\": expected no such key beside period",
        "collector.toml:15: heartbeat[5].period: expected one of period",
        "collector.toml:20: heartbeat[6].by = \"25:00\": expected a time of the day",
        "heartbeat[6].days = \"someday\": expected mon, tue",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}

#[test]
fn schedules_that_cannot_be_read_are_refused_with_what_is_wrong_in_them() {
    let refused = |line: &str, zone: &str| {
        let said = mistakes(&format!("[[heartbeat]]\nname = \"a\"\n{line}\n{zone}\n"));
        assert_eq!(said.len(), 1, "{line}: {said:#?}");
        said[0].clone()
    };
    let zone = "zone = \"Europe/Berlin\"";
    for (line, zone, part) in [
        ("cron = \"0 3 * *\"", zone, "collector.toml:3: heartbeat[1].cron = \"0 3 * *\": expected five fields"),
        ("cron = \"60 3 * * *\"", zone, "expected a minute from 0 to 59, not \"60\""),
        ("cron = \"0 3 * * fry\"", zone, "expected a day of the week from 0 to 7, not \"fry\""),
        ("cron = \"0 3 * * fri-mon\"", zone, "expected a range upwards, not \"fri-mon\""),
        ("cron = \"5/10 * * * *\"", zone, "expected a step after * or a range"),
        ("cron = \"0 3 30 2 *\"", zone, "expected days that come"),
        ("cron = \"@reboot\"", zone, "expected one of @yearly"),
        ("cron = \"0 3 L * *\"", zone, "expected a day of the month from 1 to 31, not \"L\""),
        ("cron = \"0 3 * * *\"", "", "heartbeat[1].zone: expected the name of a zone"),
        ("on_calendar = \"daily\"", "", "expected a zone at its end such as Europe/Berlin, or the key zone"),
        ("on_calendar = \"daily Europe/Rome\"", zone, "expected no zone here but that of the key zone, Europe/Berlin"),
        ("on_calendar = \"daily Europe/Atlantis\"", "", "expected the name of a zone"),
        ("on_calendar = \"*-*-* 24:00\"", zone, "expected an hour from 0 to 23, not \"24\""),
        ("on_calendar = \"*-*-* *:*:*\"", zone, "expected one second from 0 to 59, not \"*\""),
        ("on_calendar = \"Mon *-*-* 03:00 often\"", zone, "not \"often\" after them"),
        ("on_calendar = \"2020-01-01 03:00\"", zone, "expected days that come"),
        ("on_calendar = \"Someday 03:00\"", zone, "expected days of the week such as Mon..Fri,Sun, not \"Someday\""),
        ("cron = \"0 3 * * *\"\ndays = [\"mon\"]", zone, "days = [1 entries]: expected no such key here"),
    ] {
        let said = refused(line, zone);
        assert!(said.contains(part), "{line}: {said}");
    }
    let both = mistakes("[[heartbeat]]\nname = \"a\"\ncron = \"0 3 * * *\"\nperiod = \"1 d\"\nzone = \"UTC\"\n");
    assert!(both.iter().all(|line| line.contains("expected one of period")) && both.len() == 4, "{both:#?}");
}
