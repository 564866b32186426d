//! The default page, word for word.

use super::*;

fn page(kind: PageKind) -> Page {
    samples().into_iter().find(|page| page.kind == kind).expect("there is a sample of each kind")
}

#[test]
fn a_page_in_160_characters_says_how_bad_where_what_since_when_and_at_which_site() {
    let shorts: Vec<String> = samples().iter().map(short).collect();
    assert_eq!(
        shorts,
        [
            "CRITICAL web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042. service shop, 2 hosts behind it. \
             no answer to the look; last heard 2026-11-21T09:14:00.000Z",
            "CRITICAL (update) web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042. service shop, 2 hosts behind it. \
             Next: Bob 09:35",
            "TAKEN by Ana: web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042",
            "RESOLVED after 6 min: web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042",
            "TEST: web-1 is down, since 2026-11-21 09:14 UTC, berlin",
        ]
    );
    // What does not fit whole is left out; without impact there is room for who is next.
    let [opened, ..] = &samples()[..] else { panic!("there are samples") };
    let facts = PageFacts { impact: Vec::new(), ..opened.facts.clone() };
    assert_eq!(
        short(&Page { facts, ..opened.clone() }),
        "CRITICAL web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042. no answer to the look; last heard \
         2026-11-21T09:14:00.000Z. Next: Bob 09:35"
    );
}

#[test]
fn who_is_next_on_another_day_is_told_with_the_day() {
    let next = Some(Next { who: "Bob".into(), at: Timestamp::from_ms(1_795_312_800_000) });
    let facts = PageFacts { site: "berlin".into(), next, ..PageFacts::default() };
    let night = Page { facts, ..page(PageKind::Opened) };
    let expected = "CRITICAL web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042. Next: Bob 11-22 02:00";
    assert_eq!(short(&night), expected);
}

#[test]
fn a_page_in_full_says_all_that_is_known() {
    let opened = "web-1 is down

Severity   critical
State      open
Host       web-1
Component  host
Since      2026-11-21 09:14:00 UTC
Site       berlin
Impact     service shop; 2 hosts behind it
Paged      mail, on-call
Next       Bob at 2026-11-21 09:35 UTC
Last time  #977 of 2026-11-03 03:10 UTC, over after 42 min: Bob had it
Runbook    https://wiki.example.org/down
Incident   #1042

no answer to the look; last heard 2026-11-21T09:14:00.000Z
also: web-1: /var: 3 % free

https://muster.example.org/incidents/1042";
    assert_eq!(full(&page(PageKind::Opened), "https://muster.example.org"), opened);
    let resolved = "web-1 is down

Severity   critical
State      resolved
Host       web-1
Component  host
Since      2026-11-21 09:14:00 UTC
Lasted     6 min
Site       berlin
Impact     service shop; 2 hosts behind it
Paged      mail, on-call
Last time  #977 of 2026-11-03 03:10 UTC, over after 42 min: Bob had it
Runbook    https://wiki.example.org/down
Incident   #1042

web-1 is down: no answer to the look; last heard 2026-11-21T09:14:00.000Z

https://muster.example.org/incidents/1042";
    assert_eq!(full(&page(PageKind::Resolved), "https://muster.example.org"), resolved);
}

#[test]
fn many_hosts_and_pieces_of_evidence_are_told_by_the_first_and_counted() {
    let facts = PageFacts {
        hosts: 5_000,
        names: vec!["a".into(), "b".into()],
        evidence: vec!["x".into(), "y".into(), "z".into()],
        evidence_left: 4_997,
        ..PageFacts::default()
    };
    let storm = Page { host: String::new(), title: "berlin is cut off".into(), facts, ..page(PageKind::Opened) };
    let text = full(&storm, "http://x");
    let lines = ["\nImpact     5000 hosts\nHosts      a, b, and 4998 more\n", "\nx\ny\nz\nand 4997 more\n"];
    assert!(lines.iter().all(|line| text.contains(line)), "{text}");
    let over = Page { details: "hosts: a, b and 4998 more\nall are back".into(), ..storm.clone() };
    let over = Page { facts: PageFacts { evidence: Vec::new(), ..storm.facts }, ..over };
    assert_eq!(evidence(&over), ["all are back"], "the hosts have a line of their own");
}

#[test]
fn how_the_last_one_ended_is_told_in_words() {
    let ended = |taken_by: Option<&str>, closed: Option<&str>| {
        let past = page(PageKind::Opened).facts.last.unwrap();
        Past { taken_by: taken_by.map(str::to_owned), closed: closed.map(str::to_owned), ..past }.ended()
    };
    assert_eq!(ended(None, None), "it ended by itself");
    assert_eq!(ended(None, Some("closed by ann: new disk")), "closed by ann: new disk");
    assert_eq!(ended(Some("bob"), Some("closed by ann: new disk")), "bob had it; closed by ann: new disk");
}

#[test]
fn a_persons_own_page_says_where_they_take_it() {
    let own = Page { act: Some("/act/x".into()), ..page(PageKind::Opened) };
    let text = full(&own, "https://muster.example.org");
    let end = "\n\nTake it: https://muster.example.org/act/x\nhttps://muster.example.org/incidents/1042";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn what_is_not_known_has_no_line() {
    let cut = Page {
        host: String::new(),
        title: "berlin: 12 hosts cut off from here".into(),
        details: "hosts: a, b\n\nberlin: 12 hosts cut off from here".into(),
        facts: PageFacts { hosts: 12, ..PageFacts::default() },
        component: String::new(),
        incident: None,
        path: "/settings".into(),
        ..page(PageKind::Acknowledged)
    };
    let expected = "berlin: 12 hosts cut off from here

Severity   critical
State      acknowledged
Since      2026-11-21 09:14:00 UTC
Impact     12 hosts

hosts: a, b

http://x/settings";
    assert_eq!(full(&cut, "http://x"), expected);
    assert_eq!(short(&cut), "TAKEN: berlin: 12 hosts cut off from here, since 2026-11-21 09:14 UTC");
}

#[test]
fn a_host_that_the_title_does_not_name_is_named_before_it() {
    let facts = PageFacts { site: "berlin".into(), ..PageFacts::default() };
    let disk = Page { title: "/var has 3 % left".into(), facts, ..page(PageKind::Opened) };
    assert_eq!(short(&disk), "CRITICAL web-1: /var has 3 % left, since 2026-11-21 09:14 UTC, berlin, #1042");
}

#[test]
fn however_long_the_title_160_characters_hold_severity_time_and_site() {
    let long = Page { title: format!("web-1: {}", "ü".repeat(300)), ..page(PageKind::Opened) };
    let text = short(&long);
    assert_eq!(text.chars().count(), SHORT_CHARS);
    assert!(
        text.starts_with("CRITICAL web-1: üü") && text.ends_with("üü..., since 2026-11-21 09:14 UTC, berlin, #1042")
    );
    let facts = PageFacts { site: "x".repeat(500), acknowledged_by: Some("y".repeat(500)), ..PageFacts::default() };
    let hostile = Page { facts, host: "z".repeat(500), ..page(PageKind::Acknowledged) };
    assert!(short(&hostile).chars().count() <= SHORT_CHARS);
}

#[test]
fn no_line_can_be_smuggled_in_and_evidence_has_an_end() {
    let details: Vec<String> = (0..100).map(|n| format!("line {n}")).collect();
    let hostile =
        Page { title: "web\r\nBcc: all\u{1b}[2J".into(), details: details.join("\n"), ..page(PageKind::Opened) };
    let facts = PageFacts { next: Some(Next { who: "\r\n".into(), at: hostile.since }), ..PageFacts::default() };
    let hostile = Page { facts, ..hostile };
    assert_eq!(title(&hostile), "[critical] web  Bcc: all [2J");
    assert_eq!(evidence(&hostile).len(), 31);
    assert_eq!(evidence(&hostile)[30], "and 70 more");
    assert!(!short(&hostile).contains(char::is_control));
}

#[test]
fn cuts_keep_whole_characters() {
    assert_eq!(shortened("abcdef", 6), "abcdef");
    assert_eq!(shortened("abcdefg", 6), "abc...");
    assert_eq!(shortened_to_bytes("äää", 6), "äää");
    assert_eq!(shortened_to_bytes("ääää", 6), "ä...");
}

#[test]
fn durations_have_two_units_at_most() {
    let after = |seconds: i64| {
        let page = page(PageKind::Resolved);
        lasted(&Page { decided: page.since.plus_ms(seconds * 1_000), ..page })
    };
    assert_eq!([59, 60, 3_600, 90_000].map(after), ["59 s", "1 min", "1 h 0 min", "1 d 1 h"]);
}

#[test]
fn the_impact_is_how_many_hosts_and_what_redundancy_is_left() {
    let said = |hosts: usize, redundancy: &str| {
        let opened = page(PageKind::Opened);
        let facts = PageFacts { hosts, redundancy: redundancy.into(), ..PageFacts::default() };
        let page = Page { facts, ..opened };
        super::facts(&page).into_iter().find(|(name, _)| *name == "Impact").map(|(_, value)| value)
    };
    assert_eq!(said(1, ""), None);
    let left = "web: 2 of 3 up, needs 2, none to spare";
    assert_eq!(said(1, left).as_deref(), Some(left));
    assert_eq!(said(2, left), Some(format!("2 hosts; {left}")));
}
