//! Heartbeats: read whole, and refused by line and key.

use super::*;
use crate::domain::heartbeat::expectation::Expectation;

#[test]
fn the_example_is_read_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let heartbeats = read(&example_switched_on(folder.path())).unwrap().heartbeats;
    let [backup, sync] = heartbeats.as_slice() else { panic!("{heartbeats:?}") };
    assert_eq!((backup.name.as_str(), backup.grace_ms, backup.severity), ("backup", 3_600_000, Severity::Critical));
    assert_eq!((backup.host.as_deref(), backup.labels.len()), (Some("db-1"), 1));
    assert_eq!(backup.expected.words(), "by 03:00 Europe/Berlin on mon, tue, wed, thu, fri");
    assert_eq!(sync.expected, Expectation::Every(600_000));
    assert_eq!((sync.grace_ms, sync.severity, &sync.host), (600_000, Severity::Warning, &None));
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
        "collector.toml:15: heartbeat[5].period: expected either period",
        "collector.toml:20: heartbeat[6].by = \"25:00\": expected a time of the day",
        "heartbeat[6].days = \"someday\": expected mon, tue",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    assert_eq!(said.len(), expected.len(), "{said:#?}");
}
