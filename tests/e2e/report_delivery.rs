//! Reports that go where they are read by themselves: on their day, once, over crashes and servers that refuse.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use muster_tests::process::{Process, installed, program, run};
use muster_tests::smtp::MailServer;
use muster_tests::{Agent, Collector, eventually, never};
use serde_json::Value;
use tokio::process::Command;

use crate::s;

const DAY_S: u64 = 86_400;

/// An agreement with a name that no file could have, and a report of it with these keys.
fn tables(report: &str) -> String {
    format!(
        "[[agreement]]\nname = \"web/shop\"\ntarget = 99\nzone = \"UTC\"\nhosts = [\"*\"]\n[[report]]\nname = \"own\"\n{report}\n"
    )
}

/// A report each day to a directory and two people.
fn daily(directory: &Path) -> String {
    let path = directory.display();
    tables(&format!(
        "every = \"day\"\nat = \"00:00\"\nformats = [\"html\", \"csv\", \"xlsx\", \"json\"]\ndirectory = \"{path}\"\n\
         to = [\"it@example.org\", \"Chief <cfo@example.org>\"]"
    ))
}

fn folder(collector: &Collector) -> std::path::PathBuf {
    let folder = collector.home().join("reports");
    std::fs::create_dir_all(&folder).expect("a directory in one of our own");
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("the directory").flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Seconds since midnight in UTC.
#[expect(clippy::disallowed_methods, reason = "a story happens today")]
fn since_midnight_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() % DAY_S
}

/// The mails that are reports; the collector's own troubles are mailed too.
fn reports(server: &MailServer) -> Vec<String> {
    server.messages().into_iter().filter(|mail| mail.contains("Message-ID: <report-")).collect()
}

/// The same, once there are so many.
async fn so_many(server: &MailServer, count: usize) -> Vec<String> {
    let all = || async { Some(reports(server)).filter(|mails| mails.len() >= count) };
    eventually(&format!("{count} reports are mailed"), s(90), all).await
}

/// What stands in the list: period, state and what was said of each delivery, newest first.
async fn listed(collector: &Collector) -> Vec<(String, String, String)> {
    let list: Value = serde_json::from_str(&collector.cli(&["--json", "sla", "deliveries"]).await).expect("JSON");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = list.as_array().expect("a list").iter().flat_map(|issue| {
        let deliveries = issue["deliveries"].as_array().expect("a list");
        let left_out = (issue["state"] == "left_out")
            .then(|| (text(&issue["period"]), "left_out".to_owned(), text(&issue["why"])));
        let told = deliveries.iter().map(|one| (text(&issue["period"]), text(&one["state"]), text(&one["said"])));
        left_out.into_iter().chain(told).collect::<Vec<_>>()
    });
    rows.collect()
}

/// All cells of all sheets, as a reader of other people finds them.
pub(crate) async fn read_workbook(file: &Path) -> Value {
    let script = "import json, sys, openpyxl\nbook = openpyxl.load_workbook(sys.argv[1])\n\
                  print(json.dumps({sheet.title: [[cell.value for cell in row] for row in sheet.rows] for sheet in book}))";
    let mut command = Command::new(installed("python3", "python3-openpyxl"));
    let said = run(command.args(["-c", script]).arg(file)).await;
    assert_eq!(said.code, 0, "{}", said.all());
    serde_json::from_str(&said.out).expect("JSON")
}

fn states(rows: &[(String, String, String)]) -> Vec<&str> {
    rows.iter().map(|(_, state, _)| state.as_str()).collect()
}

/// The collector's own trouble with the report, while it is open.
async fn trouble(collector: &Collector) -> Option<String> {
    let incidents = collector.incidents().await;
    let own =
        incidents.into_iter().find(|one| one["key"] == "self/collector/report/own" && one["state"] != "resolved")?;
    Some(own["title"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn what_came_of_a_day_is_there_after_its_midnight_once_and_can_be_verified() {
    let server = MailServer::start().await;
    let mut collector = Collector::prepare("");
    let folder = folder(&collector);
    collector.configure(&format!("{}{}", server.receiver(), daily(&folder)));
    collector.clock = Some(format!("-{}", since_midnight_s() + 40));
    collector.run().await;
    let _agent = Agent::up(&collector, "fast").await;

    let mails = so_many(&server, 2).await;
    let to = |address: &str| mails.iter().filter(|mail| mail.contains(&format!("X-RcptTo: {address}"))).count();
    assert_eq!((to("it@example.org"), to("cfo@example.org")), (1, 1), "{mails:#?}");
    for part in ["Subject: web/shop, ", "filename=\"web-shop-", ".html\"", ".csv\"", ".xlsx\"", ".json\"", "sla verify"]
    {
        assert!(mails.iter().all(|mail| mail.contains(part)), "{part} in\n{}", mails[0]);
    }
    let files = names(&folder);
    let [csv, html, json, xlsx] = &files[..] else { panic!("{files:?}") };
    let day = html.trim_start_matches("web-shop-").trim_end_matches(".html").to_owned();
    let text = |name: &String| std::fs::read_to_string(folder.join(name)).expect("a report");
    assert!(text(html).starts_with("<!doctype html>") && text(html).contains("the schedule own"), "{}", text(html));
    assert!(text(csv).starts_with("subject,verdict,"), "{}", text(csv));
    let report: Value = serde_json::from_str(&text(json)).expect("JSON");
    assert_eq!((&report["period"], &report["complete"]), (&Value::from(day.as_str()), &Value::from(true)));
    assert_eq!(report["subject_count"], 1, "{report:#}");
    // The paper says which JSON it goes with, and what that was reckoned from.
    let (digest, tzdata) =
        (report["digest"].as_str().expect("text"), report["inputs"]["tzdata"].as_str().expect("text"));
    let version = format!("version {} (", report["inputs"]["definition"]["version"]);
    for part in [digest, tzdata, &version, "sla report --agreement web/shop --period"] {
        assert!(text(html).contains(part), "{part} in\n{}", text(html));
    }
    let book = read_workbook(&folder.join(xlsx)).await;
    let sheets = ["Outages", "Planned work", "Subjects", "Summary"];
    assert_eq!(book.as_object().map(|book| book.keys().map(String::as_str).collect()), Some(Vec::from(sheets)));
    assert_eq!(book["Summary"][1], serde_json::json!(["agreement", "web/shop"]));
    assert_eq!((&book["Subjects"][0][0], &book["Subjects"][0][5]), (&"subject".into(), &"agreed s".into()));
    let agreed_s = report["subjects"][0]["agreed_ms"].as_f64().map(|ms| (ms / 1_000.0).floor());
    assert_eq!(
        (book["Subjects"][1][5].as_f64(), &book["Subjects"][1][0]),
        (agreed_s, &report["subjects"][0]["subject"])
    );
    assert_eq!(book["Outages"][0].as_array().map(Vec::len), Some(9));

    let verified = collector.cli(&["sla", "verify", &folder.join(json).display().to_string()]).await;
    assert!(verified.contains("verified"), "{verified}");

    let rows = eventually("the list has all of it", s(10), || async {
        let rows = listed(&collector).await;
        (states(&rows) == ["delivered", "delivered", "delivered", "left_out"]).then_some(rows)
    });
    let rows = rows.await;
    assert!(rows[..3].iter().all(|(period, ..)| *period == day), "{rows:#?}");
    assert!(rows[0].2.contains(html.as_str()) && rows[1].2 == "OK", "{rows:#?}");
    assert!(rows[3].2.contains("before this report was configured"), "{rows:#?}");

    // A day is told of once, whoever starts the collector how often; people get another when they ask.
    assert_eq!(collector.stop().await, 0);
    collector.run().await;
    never("it is sent again", s(8), || async { Some(reports(&server).len()).filter(|count| *count != 2) }).await;
    let said = collector.cli(&["sla", "deliver", "--period", &day]).await;
    assert!(said.contains("web-shop-") && said.contains("-2.html"), "{said}");
    assert_eq!((so_many(&server, 4).await.len(), names(&folder).len()), (4, 8));
    assert_eq!(text(json), serde_json::to_string_pretty(&report).expect("JSON") + "\n", "the old one stays");
    let audit = collector.cli(&["audit", "--action", "report.deliver"]).await;
    assert!(audit.contains("own") && audit.contains(&day), "{audit}");
}

#[tokio::test]
async fn a_mail_that_a_crash_interrupts_is_not_sent_twice_and_the_list_says_that_nobody_knows() {
    let server = MailServer::start().await;
    let mut collector = Collector::prepare("");
    let folder = folder(&collector);
    let tables = format!("{}{}", server.receiver(), daily(&folder).replace(", \"Chief <cfo@example.org>\"", ""));
    collector.configure(&tables);
    collector.run().await;
    server.hold();
    let mut command = Command::new(program("muster-collector"));
    command.args(["sla", "deliver", "own", "--state"]).arg(collector.state());
    let asking = Process::start("sla deliver", &mut command, &collector.home().join("asking.log"));
    so_many(&server, 1).await;
    // The server has it and has not said so.
    collector.kill().await;
    asking.kill().await;
    server.accept();

    collector.run().await;
    let rows = eventually("it is listed", s(20), || async {
        let rows = listed(&collector).await;
        (states(&rows)[..2] == ["delivered", "unclear"]).then_some(rows)
    });
    let rows = rows.await;
    assert!(rows[1].2.contains("whether the mail server has it is not known"), "{rows:#?}");
    let told = eventually("the desk knows", s(20), || trouble(&collector)).await;
    assert!(told.contains("web/shop") && told.contains("perhaps not sent to it@example.org"), "{told}");
    never("it is sent twice", s(12), || async { Some(reports(&server).len()).filter(|count| *count != 1) }).await;

    let period = &rows[0].0;
    let again = ["sla", "deliver", "own", "--period", period, "--agreement", "web/shop"];
    assert!(told.contains(&format!("sla deliver own --period {period} --agreement 'web/shop'")), "{told}");
    collector.cli(&again).await;
    assert_eq!(so_many(&server, 2).await.len(), 2);
    let over = || async { trouble(&collector).await.is_none().then_some(()) };
    eventually("the trouble is over", s(15), over).await;
}

#[tokio::test]
async fn what_a_server_refuses_for_now_is_sent_later_and_what_it_refuses_for_good_is_told() {
    let server = MailServer::start().await;
    let mut collector = Collector::start(&format!("{}{}", server.receiver(), tables("receiver = \"mail\""))).await;
    server.refuse("451 4.3.0 the disk is full");
    let said = collector.try_cli(&["sla", "deliver"]).await;
    assert!(said.code == 1 && said.out.contains("waiting") && said.out.contains("the disk is full"), "{}", said.all());
    assert!(said.err.contains("sla deliveries"), "{}", said.all());
    // What was issued is kept: the collector may be gone meanwhile.
    collector.kill().await;
    server.accept();
    collector.run().await;
    let mails = so_many(&server, 1).await;
    assert!(mails[0].contains("X-RcptTo: oncall@example.org"), "those of the receiver: {}", mails[0]);
    let delivered = || async { (states(&listed(&collector).await)[0] == "delivered").then_some(()) };
    eventually("it is delivered", s(10), delivered).await;
    assert_eq!(trouble(&collector).await, None);

    server.refuse("550 5.1.1 there is no such mailbox");
    let said = collector.try_cli(&["sla", "deliver"]).await;
    assert!(said.code == 1 && said.out.contains("failed"), "{}", said.all());
    let told = eventually("the desk knows", s(20), || trouble(&collector)).await;
    assert!(told.contains("no such mailbox") && told.contains("sla deliver own"), "{told}");
    server.accept();
    collector.cli(&["sla", "deliver"]).await;
    let over = || async { trouble(&collector).await.is_none().then_some(()) };
    eventually("the trouble is over", s(15), over).await;
    assert_eq!(reports(&server).len(), 2);
}

#[tokio::test]
async fn after_a_long_absence_the_newest_month_is_delivered_and_older_ones_are_named() {
    let mut collector = Collector::prepare("");
    let folder = folder(&collector);
    collector.configure(&tables(&format!("directory = \"{}\"", folder.display())));
    collector.clock = Some("-100d".into());
    collector.run().await;
    let first = || async { Some(listed(&collector).await).filter(|rows| !rows.is_empty()) };
    let first = eventually("it looks", s(20), first).await;
    assert_eq!(states(&first), ["left_out"], "{first:#?}");
    assert_eq!(collector.stop().await, 0);

    collector.clock = None;
    collector.run().await;
    let told = || async { Some(listed(&collector).await).filter(|rows| rows[0].1 == "delivered") };
    never("hosts that come back now are not waited for", s(12), told).await;
    let rows = eventually("it catches up once hosts have had a minute", s(100), told).await;
    let (newest, older) = (&rows[0], &rows[1..rows.len() - 1]);
    assert!((2..=3).contains(&older.len()) && newest.0 > older[0].0, "{rows:#?}");
    for (_, state, why) in older {
        assert!(state == "left_out" && why.contains("did not run when it was due"), "{rows:#?}");
    }
    let stem = format!("web-shop-{}", newest.0);
    assert_eq!(names(&folder), [format!("{stem}.html"), format!("{stem}.json")]);
}

#[tokio::test]
async fn what_cannot_be_delivered_is_refused_by_line_and_key() {
    let check = async |collector: &Collector, file_only: bool| {
        let mut command = Command::new(program("muster-collector"));
        command.arg("check-config").arg("--config").arg(collector.config());
        run(if file_only { command.arg("--file-only") } else { &mut command }).await
    };
    let mut collector =
        Collector::prepare(&tables("agreements = [\"mail\"]\nevery = \"30d\"\nat = \"6\"\nto = [\"it@example.org\"]"));
    let said = check(&collector, true).await;
    for part in [
        "every = \"30d\": expected one of day, week, month",
        "at = \"6\": expected a time of the day",
        "receiver: expected whose mail server takes it",
    ] {
        assert!(said.code == 64 && said.err.contains(part), "{part} in {}", said.all());
    }
    collector.configure(&tables(""));
    let said = check(&collector, true).await;
    assert!(said.code == 64 && said.err.contains("expected somewhere to deliver it"), "{}", said.all());

    // A share that is not mounted is told by who checks, and keeps no collector from starting.
    let folder = collector.home().join("share");
    collector.configure(&tables(&format!("directory = \"{}\"", folder.display())));
    let said = check(&collector, false).await;
    assert!(said.code == 64 && said.err.contains("expected a directory that is there"), "{}", said.all());
    assert_eq!(check(&collector, true).await.code, 0);
    collector.run().await;
    assert!(collector.log().contains("expected a directory that is there"), "{}", collector.log());
    let said = collector.try_cli(&["sla", "deliver"]).await;
    assert!(said.code == 1 && said.out.contains("No such file or directory"), "{}", said.all());

    let would = collector.cli(&["sla", "deliver", "own", "--period", "2026-10", "--dry-run"]).await;
    assert!(would.contains("web/shop 2026-10 would go to") && would.contains("web-shop-2026-10.json"), "{would}");
    assert!(!folder.exists() && states(&listed(&collector).await).iter().all(|state| *state != "delivered"));
    for (arguments, part) in [
        (vec!["sla", "deliver", "other"], "there is no report \"other\""),
        (vec!["sla", "deliver", "--agreement", "mail"], "expected one that report own is about: web/shop"),
        (vec!["sla", "deliver", "--period", "2999-01"], "expected one that is over"),
        (vec!["sla", "deliver", "--period", "October"], "expected a year 2026"),
    ] {
        let said = collector.try_cli(&arguments).await;
        assert!(said.code == 1 && said.err.contains(part), "{part} in {}", said.all());
    }
}

#[tokio::test]
async fn an_agreement_that_the_api_declares_is_delivered_without_a_restart() {
    let mut collector = Collector::prepare("");
    let folder = folder(&collector);
    let directory = format!("agreements = [\"mail\"]\ndirectory = \"{}\"", folder.display());
    collector.configure(&tables(&directory));
    collector.run().await;
    assert!(collector.log().contains("there is no [[agreement]] \"mail\" here"), "{}", collector.log());
    let told = eventually("the desk knows", s(20), || trouble(&collector)).await;
    assert!(told.contains("report own is about what nobody has declared: mail"), "{told}");

    let file = collector.home().join("mail.toml");
    std::fs::write(&file, "[[agreement]]\nname = \"mail\"\ntarget = 99.5\nhosts = [\"*\"]\n").expect("a file");
    collector.cli(&["sla", "declare", &file.display().to_string()]).await;
    let over = || async { trouble(&collector).await.is_none().then_some(()) };
    eventually("the trouble is over", s(15), over).await;
    collector.cli(&["sla", "deliver", "--period", "2026-10"]).await;
    assert_eq!(names(&folder), ["mail-2026-10.html", "mail-2026-10.json"]);
}
