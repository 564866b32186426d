//! Uptime that can be put in a contract: figures from a table of any origin, by the program alone.

use std::path::Path;

use muster_tests::network::Network;
use muster_tests::process::{Said, program, run};
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::s;

/// `sla compute` over these spans by this agreement.
async fn compute(spans: &str, definition: &str, from: &str, to: &str) -> Said {
    let home = TempDir::new().expect("a directory");
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path
    };
    let (spans, definition) = (file("spans.csv", spans), file("agreement.toml", definition));
    let words = ["sla", "compute", "--from", from, "--to", to];
    let mut command = Command::new(program("muster-collector"));
    command.args(words).arg("--spans").arg(spans).arg("--definition").arg(definition);
    run(&mut command).await
}

async fn figures(spans: &str, definition: &str, from: &str, to: &str) -> Value {
    let said = compute(spans, definition, from, to).await;
    assert_eq!(said.code, 0, "{}", said.all());
    serde_json::from_str(&said.out).expect("JSON")
}

#[tokio::test]
async fn a_month_of_another_tool_is_reckoned_and_every_bucket_told() {
    // Berlin's October of 2026 has 745 hours: four of maintenance, half an hour down within and after it, ten minutes cut off.
    let spans = "subject,start,end,state\n\
                 web,2026-10-01T00:00:00+02:00,2026-11-01T00:00:00+01:00,up\n\
                 web,2026-10-10T02:00:00+02:00,2026-10-10T06:00:00+02:00,maintenance\n\
                 web,2026-10-10T05:45:00+02:00,2026-10-10T06:15:00+02:00,down\n\
                 web,2026-11-01T00:00:00+01:00,2026-11-02T00:00:00+01:00,down\n";
    let definition = "name = \"shop\"\ntarget = 99.9\nzone = \"Europe/Berlin\"\n";
    let month = figures(spans, definition, "2026-10-01", "2026-11-01").await;
    for (key, expected) in [
        ("subject", json!("web")),
        ("window_ms", json!(2_682_000_000_i64)),
        ("maintenance_ms", json!(14_400_000)),
        ("down_ms", json!(900_000)),
        ("up_ms", json!(2_666_700_000_i64)),
        ("outside_hours_ms", json!(0)),
        ("unknown_ms", json!(0)),
        ("agreed_ms", json!(2_667_600_000_i64)),
        ("coverage_ratio", json!(1.0)),
        ("verdict", json!("met")),
    ] {
        assert_eq!(month[key], expected, "{key}: {month:#}");
    }
    let ratio = month["availability_ratio"].as_f64().expect("a ratio");
    assert!((ratio - 2_666_700.0 / 2_667_600.0).abs() < 1e-12, "{ratio}");
}

#[tokio::test]
async fn several_subjects_come_in_their_order_and_none_is_all_unknown() {
    let definition = "name = \"x\"\ntarget = 99\n";
    let both = figures("subject,start,end,state\nb,0,1000,up\na,0,500,down\n", definition, "0", "1000").await;
    let told: Vec<_> = both.as_array().expect("a list").iter().map(|one| (&one["subject"], &one["verdict"])).collect();
    assert_eq!(told, [(&json!("b"), &json!("met")), (&json!("a"), &json!("missed"))]);

    let nothing = figures("subject,start,end,state\n", definition, "0", "1000").await;
    assert_eq!((&nothing["unknown_ms"], &nothing["verdict"]), (&json!(1000), &json!("undetermined")));
    assert_eq!((&nothing["availability_ratio"], &nothing["optimistic_ratio"]), (&json!(0.0), &json!(1.0)));

    let planned = figures("subject,start,end,state\na,0,1000,maintenance\n", definition, "0", "1000").await;
    assert_eq!((&planned["agreed_ms"], &planned["availability_ratio"]), (&json!(0), &Value::Null));
}

#[tokio::test]
async fn what_is_wrong_is_told_with_file_line_and_key() {
    let (fine, spans) = ("name = \"x\"\ntarget = 99\n", "subject,start,end,state\na,0,1000,up\n");
    let broken = "name = \"x\"\ntarget = 101\nzone = \"Berlin\"\n";
    for (given, from, to, parts) in [
        ((spans, broken), "0", "1", ["agreement.toml:2: target = 101", "agreement.toml:3: zone = \"Berlin\""]),
        ((spans, fine), "5", "5", ["--to 5 must come after --from 5", "ends before"]),
        ((spans, fine), "yesterday", "5", ["--from \"yesterday\"", "RFC 3339"]),
        (
            ("subject,start,end,state\na,9,1,up\n,1,2,up\n", fine),
            "0",
            "9",
            ["spans.csv:2: end: 1 lies", "spans.csv:3: subject"],
        ),
        (("a,0,1000,up\n", fine), "0", "9", ["spans.csv:1: the heading lacks", "subject, start, end, state"]),
    ] {
        let said = compute(given.0, given.1, from, to).await;
        assert_eq!(said.code, 64, "{}", said.all());
        assert!(said.out.is_empty() && parts.iter().all(|part| said.err.contains(part)), "{parts:?} in {}", said.err);
    }
    let mut command = Command::new(program("muster-collector"));
    command.args(["sla", "compute", "--from", "0", "--to", "1", "--spans", "/none.csv", "--definition", "/none.toml"]);
    let said = run(&mut command).await;
    assert!(said.code == 1 && said.err.contains("/none.toml cannot be read"), "{}", said.all());
    assert!(!Path::new("/none.toml").exists());
}

const AGREEMENT: &str = "[[agreement]]\nname = \"all hosts\"\ntarget = 99.9\nhosts = [\"*\"]\nperiod = \"day\"\n";

/// The only subject of the agreement, to date.
async fn subject(collector: &Collector) -> Value {
    let report = collector.cli(&["--json", "sla", "report", "--agreement", "all hosts"]).await;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let subjects = report["subjects"].as_array().expect("subjects");
    assert_eq!(subjects.len(), 1, "{report:#}");
    subjects[0].clone()
}

fn ms(subject: &Value, bucket: &str) -> i64 {
    subject[bucket].as_i64().expect("milliseconds")
}

#[tokio::test]
async fn the_collectors_own_absence_is_a_bucket_of_its_own_and_no_outage() {
    let mut collector = Collector::start(AGREEMENT).await;
    let agent = Agent::up(&collector, "fast").await;
    collector.kill().await;
    pass(s(6)).await;
    collector.run().await;
    collector.host_is(&agent.host, "up", s(30)).await;

    let subject = subject(&collector).await;
    assert!(ms(&subject, "collector_down_ms") >= 5_000, "{subject:#}");
    assert_eq!((ms(&subject, "down_ms"), ms(&subject["means"], "outages")), (0, 0), "{subject:#}");
    assert!(ms(&subject, "outside_hours_ms") > 0, "the day before it was enrolled: {subject:#}");
    assert_eq!(subject["availability_ratio"], json!(1.0), "{subject:#}");
    let list = collector.cli(&["sla", "list"]).await;
    assert!(list.contains("all hosts") && list.contains("99.9"), "{list}");
    let csv = collector.cli(&["sla", "report", "--agreement", "all hosts", "--format", "csv"]).await;
    assert!(csv.starts_with("subject,verdict,availability,") && csv.lines().count() == 2, "{csv}");
    let future = collector.try_cli(&["sla", "report", "--agreement", "all hosts", "--period", "2999"]).await;
    assert!(future.code == 1 && future.err.contains("nothing is known of the future"), "{}", future.all());
    let view = collector.get("/service-levels/all%20hosts").await;
    assert!(
        view.status == 200 && view.body.contains(&agent.name) && view.body.contains("Collector down"),
        "{}",
        view.body
    );
}

#[tokio::test]
async fn a_host_that_was_only_cut_off_was_up_all_the_time() {
    let collector = Collector::start(AGREEMENT).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    network.cut().await;
    collector.host_is(&agent.host, "down", s(15)).await;
    let before = subject(&collector).await;
    assert!(ms(&before, "down_ms") > 0 && before["outages"][0]["open"] == true, "{before:#}");
    // Its own log is written each ten seconds while nobody listens.
    pass(s(12)).await;
    network.heal().await;
    collector.host_is(&agent.host, "up", s(90)).await;

    let after = subject(&collector).await;
    assert!(ms(&after, "unreachable_ms") >= 10_000, "{after:#}");
    assert_eq!((ms(&after, "down_ms"), ms(&after["means"], "outages")), (0, 0), "{after:#}");
    assert_eq!(after["availability_ratio"], json!(1.0), "{after:#}");
    let incidents = collector.incidents().await;
    let ours = incidents.iter().find(|incident| incident["host"] == agent.name.as_str()).expect("it was down");
    let shown = collector.get(&format!("/api/v1/incidents/{}", ours["number"])).await.body;
    assert!(shown.contains("its own log proves that it ran, unseen from here"), "{shown}");
}

#[tokio::test]
async fn what_people_say_afterwards_stands_beside_what_was_measured() {
    let collector = Collector::start(AGREEMENT).await;
    let network = Network::make().await;
    let mut agent = Agent::up_in(&network, &collector, "fast").await;
    // A machine that is gone: neither does it answer, nor can its own log say later that it ran.
    network.cut().await;
    agent.kill().await;
    collector.host_is(&agent.host, "down", s(30)).await;
    network.heal().await;
    agent.boot_anew();
    agent.run();
    collector.host_is(&agent.host, "up", s(60)).await;
    let measured = subject(&collector).await;
    let outage = measured["outages"][0].clone();
    let (from, until) = (outage["from"].as_str().expect("a time"), outage["to"].as_str().expect("a time"));
    assert!(ms(&measured, "down_ms") > 0 && measured["agreed"].is_null(), "{measured:#}");

    // A dry run names the agreements and says nothing; then it is said, and both figures are there.
    let name = agent.name.as_str();
    // Until now: from its start to its first word its agent ran unseen, which is no proof either.
    let end = measured["to"].as_str().expect("a time");
    let up = ["sla", "correct", name, "--was", "up", "--from", from, "--until", end, "--reason", "a test"];
    let dry = collector.cli(&[&up[..], &["--dry-run"]].concat()).await;
    assert!(dry.contains("all hosts"), "{dry}");
    assert!(subject(&collector).await["agreed"].is_null(), "a dry run changes nothing");
    collector.cli(&[&up[..], &["--ticket", "INC7"]].concat()).await;
    let note = ["sla", "note", name, "--at", from, "--text", "somebody pulled the plug", "--cause", "human_error"];
    collector.cli(&[&note[..], &["--disputed"]].concat()).await;
    let both = subject(&collector).await;
    assert_eq!(ms(&both, "down_ms"), ms(&measured, "down_ms"), "{both:#}");
    assert_eq!((ms(&both["agreed"], "down_ms"), &both["agreed"]["verdict"]), (0, &json!("met")), "{both:#}");
    let told = &both["outages"][0];
    assert_eq!((&told["category"], &told["disputed"]), (&json!("human_error"), &json!(true)), "{both:#}");
    assert!(told["notes"][0].as_str().is_some_and(|note| note.contains("pulled the plug")), "{both:#}");
    let said = collector.cli(&["sla", "amendments"]).await;
    assert_eq!(said.matches(name).count(), 2, "{said}");
    let text = collector.cli(&["sla", "report", "--agreement", "all hosts"]).await;
    assert!(text.contains("With what people said afterwards: met with 100"), "{text}");
    let view = collector.get("/service-levels/all%20hosts").await.body;
    assert!(view.contains("Said afterwards") && view.contains("INC7") && view.contains("disputed"), "{view}");

    // A window entered afterwards counts for the agreed figure alone, and not even there when it is disregarded.
    let withdrawn = collector.cli(&["sla", "withdraw", "1", "--reason", "it was real"]).await;
    assert!(withdrawn.contains("done"), "{withdrawn}");
    let window = [
        "maintenance",
        "add",
        "--host",
        name,
        "--from",
        from,
        "--until",
        until,
        "--change",
        "CHG1",
        "--reason",
        "late",
    ];
    let entered = collector.cli(&window).await;
    assert!(entered.contains("all hosts") && entered.contains("retroactive"), "{entered}");
    let late = subject(&collector).await;
    assert_eq!((ms(&late, "maintenance_ms"), ms(&late["agreed"], "down_ms")), (0, 0), "{late:#}");
    assert!(ms(&late["agreed"], "maintenance_ms") > 0, "{late:#}");
    collector.cli(&["sla", "disregard", "1", "--reason", "not approved"]).await;
    assert!(subject(&collector).await["agreed"].is_null(), "both figures are the same again");
    let again = collector.try_cli(&["sla", "disregard", "1", "--reason", "not approved"]).await;
    assert!(again.code == 1 && again.err.contains("amendment 3"), "{}", again.all());

    refuses_what_is_wrong(&collector, name).await;
    let audit = collector.cli(&["audit"]).await;
    assert!(audit.contains("sla.amend") && audit.contains("sla.withdraw"), "{audit}");
}

async fn refuses_what_is_wrong(collector: &Collector, name: &str) {
    let span = |from: &'static str, until: &'static str, reason: &'static str| {
        vec!["sla", "correct", name, "--was", "down", "--from", from, "--until", until, "--reason", reason]
    };
    for (words, part) in [
        (span("2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z", "x"), "later than its beginning"),
        (span("2026-01-02T00:00:00Z", "2999-01-01T00:00:00Z", "x"), "nothing is known of the future"),
        (span("2026-01-02T00:00:00Z", "2026-01-03T00:00:00Z", ""), "why"),
        (vec!["sla", "disregard", "77", "--reason", "x"], "maintenance window 77"),
        (vec!["sla", "withdraw", "1", "--reason", "again"], "withdrew it"),
    ] {
        let said = collector.try_cli(&words).await;
        assert!(said.code == 1 && said.err.contains(part), "{part} in {}", said.all());
    }
}
