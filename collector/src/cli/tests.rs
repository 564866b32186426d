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

/// The words of a command line as a shell would split them, up to what is a shell's own.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(std::mem::take(&mut word)),
            '<' | '>' | '|' | '&' | '#' if !quoted => break,
            c => word.push(c),
        }
    }
    words.push(word);
    words.retain(|word| !word.is_empty());
    words
}

#[test]
fn every_command_of_the_collector_in_its_help_is_understood() {
    let mut seen = 0;
    for (name, text) in crate::web::HELP_PAGES {
        let mut fenced = false;
        for line in text.lines() {
            fenced ^= line.starts_with("```");
            if fenced && line.starts_with("muster-collector ") {
                let parsed = Arguments::try_parse_from(words(line));
                assert!(parsed.is_ok(), "{name}: {line}: {}", parsed.err().unwrap());
                seen += 1;
            }
        }
    }
    assert!(seen > 25, "{seen} commands");
}

#[test]
fn completions_and_man_pages_know_every_command() {
    use clap::CommandFactory;
    let directory = tempfile::tempdir().unwrap();
    super::manual::pages(Some(directory.path())).unwrap();
    let page = |name: &str| std::fs::read_to_string(directory.path().join(name)).unwrap();
    for command in Arguments::command().get_subcommands() {
        let page = page(&format!("muster-collector-{}.8", command.get_name()));
        assert!(page.starts_with(".ie") || page.contains(".TH"), "{}", command.get_name());
    }
    assert!(page("muster-collector-host-list.8").contains("unsorted"));
    let mut script = Vec::new();
    clap_complete::generate(clap_complete::Shell::Bash, &mut Arguments::command(), "muster-collector", &mut script);
    let script = String::from_utf8(script).unwrap();
    for command in Arguments::command().get_subcommands() {
        assert!(script.contains(command.get_name()), "{}", command.get_name());
    }
}
