//! Reports that are delivered: read whole, and refused by line and key.

use super::*;
use crate::domain::sla::{delivery::Format, period::Length};

const BASE: &str = "[[agreement]]\nname = \"web\"\ntarget = 99\nhosts = [\"*\"]\n";
const MAIL: &str = "[[receiver]]\nname = \"post\"\nkind = \"email\"\nserver = \"mx\"\nfrom = \"m@example.org\"\n\
                    to = [\"Ops <ops@example.org>\"]\n";

#[test]
fn the_example_is_read_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let reports = read(&example_switched_on(folder.path())).unwrap().reports;
    let [monthly] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(
        (monthly.name.as_str(), monthly.every, monthly.at.to_string().as_str()),
        ("monthly", Length::Month, "06:00:00")
    );
    assert_eq!((&monthly.agreements[..], &monthly.formats[..]), (&["web shop".to_owned()][..], &Format::ALL[..]));
    let places: Vec<String> = monthly.destinations().into_iter().map(|place| place.to).collect();
    assert_eq!(places, ["/srv/muster-reports", "it-managers@example.org", "Finance <finance@example.org>"]);
}

#[test]
fn what_is_left_out_has_a_default() {
    let reports = read(&format!("{BASE}{MAIL}[[report]]\nname = \"a\"\nreceiver = \"post\"\n")).unwrap().reports;
    let [plan] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!((plan.every, &plan.formats[..]), (Length::Month, &[Format::Html, Format::Json][..]));
    assert_eq!(plan.about(&["web", "mail"]), ["web", "mail"]);
    assert_eq!(plan.mail.as_ref().unwrap().to, ["Ops <ops@example.org>"]);
    let other =
        read(&format!("{BASE}{MAIL}[[report]]\nname = \"a\"\nagreements = [\"mail\"]\nreceiver = \"post\"\n")).unwrap();
    assert_eq!((other.reports[0].about(&["web", "mail"]), other.warnings.len()), (vec!["mail"], 1));
    assert!(
        other.warnings[0].contains(":13: report[1].agreements: there is no [[agreement]] \"mail\" here (one of web)")
    );
    let to = read(&format!("{BASE}{MAIL}[[report]]\nname = \"a\"\nto = [\"x@example.org\"]\n")).unwrap().reports;
    assert_eq!(to[0].mail.as_ref().unwrap().receiver, "post", "the only one");
}

#[test]
fn what_cannot_be_delivered_is_refused_by_line_and_key() {
    let refused = |keys: &str, part: &str| {
        let said = mistakes(&format!("{BASE}{MAIL}[[report]]\nname = \"a\"\n{keys}\n"));
        assert!(said.len() == 1 && said[0].contains(part), "{part} in {said:#?}");
    };
    let to = "to = [\"x@example.org\"]\n";
    refused("", "collector.toml:11: report[1].directory: expected somewhere to deliver it");
    refused(&format!("{to}every = \"30d\""), "collector.toml:14: report[1].every = \"30d\": expected one of day, week");
    refused(&format!("{to}at = \"24:00\""), "report[1].at = \"24:00\": expected a time of the day such as \"06:00\"");
    refused(&format!("{to}at = 6"), "report[1].at = 6: expected a time of the day");
    refused(&format!("{to}formats = [\"pdf\"]"), "report[1].formats = \"pdf\": expected one of html, csv, xlsx, json");
    refused(&format!("{to}formats = []"), "report[1].formats: expected a list of at least one");
    refused("directory = \"reports\"", "report[1].directory = \"reports\": expected the whole path of a directory");
    refused("to = [\"it\"]", "report[1].to = \"it\": expected a mail address");
    refused("to = []", "report[1].to: expected at least one address");
    refused(
        "receiver = \"pager\"",
        "report[1].receiver = \"pager\": expected the name of a [[receiver]] of kind email: one of post",
    );
    refused(&format!("{to}mail = true"), "report[1].mail = true: expected no such key here");
    let said = mistakes(&format!("{BASE}[[report]]\nname = \"a\"\n{to}"));
    assert!(
        said[0].contains("report[1].receiver: expected whose mail server takes it")
            && said[0].contains("there is none"),
        "{said:#?}"
    );
}

#[test]
fn a_directory_that_is_not_there_is_said_and_keeps_nothing_from_starting() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |path: &Path| {
        let text = format!("{BASE}[[report]]\nname = \"a\"\ndirectory = \"{}\"\n", path.display());
        read(&text).unwrap().reports.remove(0)
    };
    assert_eq!(directory_trouble(&plan(folder.path())), None);
    let said = directory_trouble(&plan(&folder.path().join("gone"))).unwrap();
    assert!(said.starts_with("collector.toml:5: report a: directory = ") && said.contains("No such file"), "{said}");
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(directory_trouble(&plan(&file)).unwrap().contains("this is something else"));
}
