//! People, rotations, policies and routes: read whole, and refused by line and key.

use super::*;
use crate::domain::oncall::policy::Target;

const RECEIVER: &str = "[[receiver]]\nname = \"hook\"\nkind = \"webhook\"\nurl = \"http://127.0.0.1:9/\"\n";

fn with(text: &str) -> String {
    format!("{RECEIVER}[[person]]\nname = \"ann\"\ncontact = [{{ receiver = \"hook\" }}]\n{text}")
}

#[test]
fn the_example_is_read_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let roster = read(&example_switched_on(folder.path())).unwrap().roster;
    assert_eq!(roster.people.keys().collect::<Vec<_>>(), ["ann", "bob"]);
    let ways: Vec<(&str, i64)> =
        roster.people["ann"].important.iter().map(|way| (way.receiver.as_str(), way.after_ms)).collect();
    assert_eq!(ways, [("on-call", 0), ("mail", 300_000)]);
    let test_page = roster.people["ann"].test_page.as_ref().map(|schedule| schedule.words());
    assert_eq!(
        (test_page.as_deref(), roster.people["ann"].zone.as_deref()),
        (Some("at mon 10:00 Europe/Berlin"), Some("Europe/Berlin"))
    );
    assert_eq!(roster.people["bob"].test_page, None);
    let rotation = &roster.rotations["ops"];
    assert_eq!(
        (rotation.layers.len(), rotation.layers[1].hours.as_ref().map(|hours| hours.words())),
        (2, Some("sat, sun 12:00-14:00 Europe/Berlin".to_owned()))
    );
    let policy = &roster.policies["day-and-night"];
    assert_eq!((policy.repeat, policy.pause_ms, policy.steps[1].after_ms), (2, 1_800_000, 900_000));
    assert_eq!(policy.steps[0].targets, [Target::Rotation("ops".into())]);
    let route = &roster.routes[0];
    assert_eq!(
        (route.policy.as_deref(), route.receivers.len(), route.hours.is_some()),
        (Some("day-and-night"), 1, true)
    );
    assert!(route.place.starts_with("collector.toml:"), "{}", route.place);
    let runbook = &roster.runbooks[0];
    assert_eq!(
        (runbook.url.as_str(), runbook.scope.words().as_str()),
        (
            "https://wiki.example.org/disk-full",
            "host db-* or web-*, site berlin, class server, department=finance, only finding/filesystem_*"
        )
    );
}

#[test]
fn what_is_not_there_cannot_be_called() {
    let text = with(
        "important = [{ receiver = \"phone\" }]\n[[policy]]\nname = \"p\"\nstep = [{ notify = [\"person:bob\", \"rotation:x\", \"ann\"] }]\n\
         [[route]]\npolicy = \"q\"\n[[route]]\nsites = [\"Berlin\"]\n",
    );
    let said = mistakes(&text);
    let expected = [
        ":8: person[1].important[1].receiver = \"phone\": expected the name of a [[receiver]] that takes pages: hook",
        "policy[1].step[1].notify = \"person:bob\"",
        "policy[1].step[1].notify = \"rotation:x\": expected the name of a [[rotation]]: there is none",
        "policy[1].step[1].notify = \"ann\": expected person:NAME",
        "route[1].policy = \"q\": expected the name of a [[policy]]",
        "route[2].policy: expected policy or receivers",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part}\n{said:#?}");
    }
}

#[test]
fn a_rotation_with_a_gap_is_refused_with_the_gap_unless_it_is_meant() {
    let layer = "[[rotation.layer]]\npeople = [\"ann\"]\nfrom = \"2026-11-30\"\nhandoff = \"00:00\"\nevery = \"7 d\"\n\
                 hours = \"08:00-18:00\"\n";
    let rotation = |more: &str| with(&format!("[[rotation]]\nname = \"ops\"\nzone = \"Europe/Berlin\"\n{more}{layer}"));
    let said = mistakes(&rotation(""));
    assert!(said[0].contains(":8: rotation[1].layer"), "{said:?}");
    assert!(
        said[0].contains("from 2026-11-29T23:00:00.000Z to 2026-11-30T07:00:00.000Z nobody is on call"),
        "{said:?}"
    );
    assert!(read(&rotation("gaps_are_intended = true\n")).is_ok());
    let said = mistakes(&rotation("").replace("Europe/Berlin", "Berlin"));
    assert!(
        said.iter().any(|line| line.contains("rotation[1].zone = \"Berlin\": expected the name of a zone")),
        "{said:?}"
    );
}

#[test]
fn a_runbook_is_an_address_that_people_can_open() {
    let said = mistakes("[[runbook]]\nwhat = \"check/*\"\n[[runbook]]\nurl = \"javascript:alert(1)\"\n");
    assert!(said[0].contains(":1: runbook[1].url: expected the http or https address") && said.len() == 2, "{said:?}");
    assert!(said[1].contains(":4: runbook[2].url = \"javascript:alert(1)\""), "{said:?}");
    let all = read("[[runbook]]\nurl = \"https://wiki.example.org/\"\n").unwrap().roster.runbooks;
    assert!(all[0].scope.is_empty());
}

#[test]
fn where_alertmanager_pages_no_route_does() {
    let text = with("[[route]]\nreceivers = [\"hook\"]\n[paging]\nby = \"alertmanager\"\n");
    assert_eq!(read(&text).unwrap().roster.routes, []);
}

#[test]
fn test_pages_need_a_calendar_and_a_zone() {
    for (lines, part) in [
        ("test_page = \"mon 10:00\"", "person[1].test_page = \"mon 10:00\": expected a zone at its end"),
        (
            "test_page = \"moon 10:00\"\nzone = \"Europe/Berlin\"",
            "expected days of the week such as Mon..Fri,Sun, not \"moon\"",
        ),
        (
            "test_page = \"mon 10:00 Europe/Berlin\"\nzone = \"Berlin\"",
            "person[1].zone = \"Berlin\": expected the name of a zone",
        ),
    ] {
        let said = mistakes(&with(lines));
        assert!(said.len() == 1 && said[0].contains(part), "{lines}: {said:#?}");
    }
}
