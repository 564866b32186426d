//! The command line is understood, refused and shown as an operator expects.

use clap::Parser;
use serde_json::json;

use super::{
    arguments::{Arguments, HostTask, Task, TokenTask},
    print,
};

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split(' '))
}

#[test]
fn a_token_is_asked_for_with_life_uses_and_labels() {
    let line = "muster-collector token create --kind batch --ttl 2d --uses 40 --label owner=web --label rack=a=1";
    let Task::Token(TokenTask::Create { kind, ttl, uses, labels, .. }) = parse(line).unwrap().task else {
        panic!("another task");
    };
    assert_eq!((kind.as_str(), ttl, uses), ("batch", Some(172_800), Some(40)));
    assert_eq!(labels, [("owner".into(), "web".into()), ("rack".into(), "a=1".into())]);
}

#[test]
fn the_place_may_stand_before_or_after_the_command() {
    for line in ["muster-collector --state /s host list", "muster-collector host list --only=up --config /c"] {
        let arguments = parse(line);
        assert!(arguments.is_ok(), "{line}: {:?}", arguments.err());
    }
}

#[test]
fn labels_are_removed_by_an_empty_value() {
    let Task::Host(HostTask::Label(asked)) = parse("muster-collector host label web-3 rack=").unwrap().task else {
        panic!("another task");
    };
    assert_eq!(asked.labels, [("rack".into(), String::new())]);
}

#[test]
fn nonsense_is_refused() {
    for line in [
        "muster-collector",
        "muster-collector host label",
        "muster-collector host label web-3 --where site=berlin --set owner=ann",
        "muster-collector host label --all --where site=berlin --set owner=ann",
        "muster-collector host label --where site=berlin --set owner",
        "muster-collector token create",
        "muster-collector token create --kind gold",
        "muster-collector token create --kind single --ttl 5",
        "muster-collector token create --kind single --ttl 0h",
        "muster-collector token create --kind single --ttl 99999999999999999d",
        "muster-collector host label web-3 rack",
        "muster-collector --url https://x host list",
        "muster-collector --ca root.der host list",
        "muster-collector backup",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn wrong_usage_ends_with_64() {
    let line = ["muster-collector", "frobnicate"].map(Into::into);
    assert_eq!(format!("{:?}", super::run(line)), format!("{:?}", std::process::ExitCode::from(64)));
}

#[test]
fn hostile_names_cannot_move_the_cursor() {
    let rows = [json!({ "name": "web\u{1b}[2J\n-1", "state": null })];
    let text = print::render(&[("name", "name"), ("state", "state")], &rows, true, None);
    assert_eq!(text, "NAME        STATE\nweb\u{fffd}[2J\u{fffd}-1  -\n");
}

#[test]
fn a_table_fits_its_terminal_by_cutting_the_widest_column() {
    let columns = [("name", "name"), ("since", "since"), ("why", "why")];
    let rows = [json!({ "name": "web-3", "since": "2026-11-21T21:44:21.510Z", "why": "no answer ".repeat(20) })];
    let text = print::render(&columns, &rows, true, Some(60));
    assert!(text.lines().all(|line| line.chars().count() <= 60), "{text}");
    assert!(text.contains("web-3  2026-11-21 21:44:21Z  no answer") && text.contains('…'), "{text}");
}

#[test]
fn what_goes_to_a_program_is_whole() {
    let rows = [json!({ "since": "2026-11-21T21:44:21.510Z", "why": "x".repeat(200) })];
    let text = print::render(&[("since", "since"), ("why", "why")], &rows, false, None);
    assert_eq!(text, format!("2026-11-21T21:44:21.510Z  {}\n", "x".repeat(200)));
}

#[test]
fn an_incident_reads_from_its_title_to_its_timeline() {
    let incident = json!({
        "key": "k", "number": 7, "title": "web-3 is down", "resolved": null,
        "timeline": [{ "n": 1, "at": "2026-11-21T21:44:21.510Z", "by": null, "kind": "opened", "text": "web-3 is down" }],
    });
    let text = print::describe(incident.as_object().unwrap(), Some(80));
    let expected = "number    7\ntitle     web-3 is down\nresolved  -\nkey       k\n\
                    timeline:\n  2026-11-21 21:44:21Z  opened  web-3 is down\n";
    assert_eq!(text, expected);
}
