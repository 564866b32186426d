use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    plan::{is_circle, plan},
    table, *,
};
use crate::domain::{
    labels::{Admission, Class, Facts, Profile},
    layers::{Layer, Layers},
};

fn profile(no: i64, site: Option<&str>, class: Class) -> Profile {
    let says = site.map(|site| ("site".to_owned(), site.to_owned())).into_iter().collect();
    Profile {
        no: HostNo(no),
        id: format!("00000000-0000-7000-8000-{no:012}").parse().unwrap(),
        name: format!("h{no}"),
        class,
        site: site.map(str::to_owned),
        watch: Watch::Normal,
        labels: BTreeMap::new(),
        layers: Layers::default().with(Layer::Token, &says),
        admission: Admission::Active,
        facts: Facts::default(),
    }
}

fn device(no: i64) -> Device {
    Device { host: HostNo(no), address: "192.0.2.1".into(), probe: Probe::Icmp, watchers: Vec::new(), place: None }
}

fn said(there: Option<bool>, since: i64, output: &str) -> Said {
    let (since, at) = (Timestamp::from_ms(since), Timestamp::from_ms(since));
    Said { status: Status::Critical, attempt: (2, 2), since, output: output.into(), at, there }
}

#[test]
fn one_that_says_it_answers_is_enough_and_only_those_that_are_heard_count() {
    let (yes, no, later) = (said(Some(true), 1, "fine"), said(Some(false), 7, "no\nmore"), said(Some(false), 9, "no"));
    let cannot = said(None, 1, "no right");
    let silent = |name: &str, since| Word::Silent(Timestamp::from_ms(since), format!("{name} says: no"));
    let unheard = Word::Unheard(Cause::WatchersSilent);
    for (watchers, expected) in [
        (vec![("a", true, Some(&no)), ("b", true, Some(&yes))], Word::Answers),
        (vec![("a", true, Some(&later)), ("b", true, Some(&no))], silent("b", 7)),
        (vec![("a", true, Some(&later)), ("b", false, Some(&yes))], silent("a", 9)),
        (vec![("a", true, Some(&no)), ("b", true, Some(&cannot))], silent("a", 7)),
        (vec![("a", true, Some(&no)), ("b", true, None)], silent("a", 7)),
        (vec![("a", true, Some(&cannot)), ("b", true, None)], unheard.clone()),
        (vec![("a", false, Some(&no)), ("b", false, Some(&no))], unheard),
        (vec![], Word::Unheard(Cause::Unwatched)),
    ] {
        assert_eq!(word(watchers.clone().into_iter()), expected, "{watchers:?}");
    }
}

#[test]
fn what_a_watcher_says_counts_when_it_is_hard_and_since_it_began() {
    let mut before: Option<Said> = None;
    let mut says = |status, attempt, at| {
        let (check, at) = ("device.9".to_owned(), Timestamp::from_ms(at));
        let outcome =
            Outcome { check, status: Some(status), attempt, attempts: 2, ok_ago_ms: 0, output: String::new(), at };
        before = Some(Said::after(before.as_ref(), outcome, status));
        before.as_ref().map(|said| (said.there, said.since.ms())).unwrap()
    };
    assert_eq!(says(Status::Critical, 1, 5), (None, 5), "soft, and nothing known before");
    assert_eq!(says(Status::Ok, 1, 10), (Some(true), 10));
    assert_eq!(says(Status::Critical, 1, 20), (Some(true), 20), "soft: it is still taken for there");
    assert_eq!(says(Status::Critical, 2, 25), (Some(false), 20));
    assert_eq!(says(Status::Critical, 1, 90), (Some(false), 20), "a watcher that was restarted counts anew");
    assert_eq!(says(Status::Warning, 1, 95), (Some(true), 95), "slow, and there");
    assert_eq!(says(Status::Unknown, 2, 99), (None, 99), "it cannot tell");
}

#[test]
fn the_check_that_is_sent_is_one_that_an_agent_takes() {
    let lines = |address: &str, probe| {
        let device = Device { address: address.into(), probe, ..device(9) };
        device.part("printer", Watch::Fast).checks[0].lines.clone().unwrap()
    };
    let rest = "interval = \"2000ms\"\ntimeout = \"1000ms\"\nattempts = 2\nretry_interval = \"1000ms\"\n";
    let name = "name = \"device.9\"\n";
    assert_eq!(
        lines("192.0.2.1", Probe::Icmp),
        format!("{name}kind = \"icmp\"\naddress = \"192.0.2.1\"\ncount = 2\n{rest}")
    );
    assert_eq!(
        lines("2001:db8::1", Probe::Tcp(22)),
        format!("{name}kind = \"tcp\"\naddress = \"[2001:db8::1]:22\"\n{rest}")
    );
    assert_eq!(of_check("device.9"), Some(HostNo(9)));
    assert_eq!(of_check("device.x").or(of_check("ssh")), None);
    for words in ["icmp", "tcp:9100", "https://printer.example/status"] {
        assert_eq!(Probe::from_words(words).map(|probe| probe.words()).as_deref(), Some(words));
    }
    for wrong in ["", "ping", "tcp:0", "tcp:70000", "ftp://a/", "http://", "http://u@a/", "http://a/ b"] {
        assert_eq!(Probe::from_words(wrong), None, "{wrong:?}");
    }
}

#[test]
fn two_of_the_site_watch_what_names_nobody_servers_first_and_nobody_behind_it() {
    let hosts = [
        profile(1, Some("berlin"), Class::Workstation),
        profile(2, Some("berlin"), Class::Server),
        profile(3, Some("berlin"), Class::Server),
        profile(4, Some("paris"), Class::Server),
        Profile { admission: Admission::Suspended, ..profile(5, Some("berlin"), Class::Server) },
        profile(9, Some("berlin"), Class::Device),
        profile(10, Some("rome"), Class::Device),
    ];
    let devices = BTreeMap::from([(HostNo(9), device(9)), (HostNo(10), device(10))]);
    let watchers = |devices: &_, parents: &_| plan(hosts.iter(), devices, parents, |_| true).watchers;
    let mut chosen = watchers(&devices, &BTreeMap::new());
    chosen.values_mut().for_each(|of| of.sort_unstable());
    assert_eq!(chosen, [(HostNo(9), vec![HostNo(2), HostNo(3)]), (HostNo(10), vec![])].into());
    // 3 is behind 7, which is behind the device.
    let parents = BTreeMap::from([(HostNo(3), HostNo(7)), (HostNo(7), HostNo(9))]);
    let mut of = watchers(&devices, &parents)[&HostNo(9)].clone();
    of.sort_unstable();
    assert_eq!(of, [HostNo(1), HostNo(2)]);
    let named = Device { watchers: vec![hosts[3].id, hosts[4].id], ..device(9) };
    assert_eq!(
        watchers(&[(HostNo(9), named)].into(), &parents)[&HostNo(9)],
        [HostNo(4)],
        "one that may not report does not"
    );
    assert!(is_circle(HostNo(9), HostNo(3), &parents) && is_circle(HostNo(9), HostNo(9), &parents));
    assert!(!is_circle(HostNo(3), HostNo(9), &parents));
}

#[test]
fn a_table_is_read_with_its_lines_and_everything_wrong_with_its_form() {
    let columns = ["name", "address", "labels"];
    let text = "\u{feff}Name,labels, address\r\n\r\na,\"x=1, \"\"2\"\"\nand more\" , 192.0.2.1\r\n b ,,h.example\n";
    let rows = table::read(text, &columns).unwrap();
    let of =
        |row: &table::Row| (row.line, ["name", "address", "labels"].map(|column| row.get(column).map(str::to_owned)));
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(of(&rows[0]), (3, [text("a"), text("192.0.2.1"), text("x=1, \"2\"\nand more")]));
    assert_eq!(of(&rows[1]), (5, [text("b"), text("h.example"), None]));
    let wrong = |text: &str| -> Vec<String> {
        let mistakes = table::read(text, &columns).unwrap_err();
        mistakes.into_iter().map(|mistake| format!("{}: {}", mistake.line, mistake.text)).collect()
    };
    assert_eq!(wrong(" \n"), ["1: it is empty, expected a line of column names: name, address, labels"]);
    assert_eq!(
        wrong("name,colour,name\na,b,c,d\n"),
        [
            "1: no column is called \"colour\", known are: name, address, labels",
            "1: two columns are called \"name\"",
            "2: it has 4 values, expected at most 3 as in the first line",
        ]
    );
    assert_eq!(
        wrong("name\na\n\"b\nc\n"),
        ["3: a quote begins here and does not end: write two quotes for one inside a text"]
    );
}

proptest! {
    /// Whoever else comes or goes: of two that were chosen at most those that left are chosen anew.
    #[test]
    fn a_new_agent_takes_at_most_one_place(hosts in 2_i64..40, devices in 1_i64..10) {
        let profiles: Vec<Profile> = (1..=hosts + 1).map(|no| profile(no, None, Class::Server))
            .chain((100..100 + devices).map(|no| profile(no, None, Class::Device))).collect();
        let devices: BTreeMap<HostNo, Device> = (100..100 + devices).map(|no| (HostNo(no), device(no))).collect();
        let few = plan(profiles.iter().filter(|profile| profile.no.0 != hosts + 1), &devices, &BTreeMap::new(), |_| true);
        let more = plan(profiles.iter(), &devices, &BTreeMap::new(), |_| true);
        for (no, before) in &few.watchers {
            let after = &more.watchers[no];
            prop_assert_eq!(after.len(), 2);
            let left: Vec<_> = before.iter().filter(|watcher| !after.contains(watcher)).collect();
            prop_assert!(left.len() <= 1, "{:?} -> {:?}", before, after);
            prop_assert_eq!(left.is_empty(), !after.contains(&HostNo(hosts + 1)));
        }
    }
}
