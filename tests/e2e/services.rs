//! What depends on several machines and checks, and what is promised of it.

use muster_tests::visitor::Visitor;
use muster_tests::{Agent, Collector, eventually};
use serde_json::{Value, json};

use crate::checks::{Service, check_is};
use crate::s;

/// The subjects of an agreement, to date.
async fn subjects(collector: &Collector, agreement: &str) -> Vec<Value> {
    let report = collector.cli(&["--json", "sla", "report", "--agreement", agreement]).await;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    report["subjects"].as_array().cloned().unwrap_or_default()
}

fn ms(subject: &Value, bucket: &str) -> i64 {
    subject[bucket].as_i64().expect("milliseconds")
}

#[tokio::test]
async fn a_check_that_fails_counts_against_what_is_promised_of_it_from_the_last_proof_that_it_was_ok() {
    let promised =
        "[[agreement]]\nname = \"the shop\"\ntarget = 99.9\nhosts = [\"*\"]\nchecks = [\"sh*\"]\nperiod = \"day\"\n";
    let mut collector = Collector::start(promised).await;
    let mut service = Service::start().await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure(&format!(
        "interval = \"1s\"\n[[check]]\nname = \"shop\"\nkind = \"tcp\"\naddress = \"127.0.0.1:{}\"\ninterval = \"2s\"\n\
         timeout = \"2s\"\nattempts = 2\nretry_interval = \"1s\"\n",
        service.port
    ));
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    check_is(&collector, &agent.host, "shop", "ok").await;
    let well = subjects(&collector, "the shop").await;
    assert_eq!(well.len(), 1, "{well:#?}");
    assert_eq!((&well[0]["subject"], &well[0]["kind"]), (&json!(format!("{}/shop", agent.name)), &json!("check")));
    assert_eq!((ms(&well[0], "down_ms"), &well[0]["availability_ratio"]), (0, &json!(1.0)), "{well:#?}");

    service.stop().await;
    let failed = check_is(&collector, &agent.host, "shop", "critical").await;
    let broken = subjects(&collector, "the shop").await;
    let outage = &broken[0]["outages"][0];
    assert_eq!(outage["open"], true, "{broken:#?}");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert!(text(&outage["from"]) < text(&failed["since"]), "it was last ok before it first failed: {broken:#?}");
    let cause = text(&outage["cause"]);
    assert!(cause.starts_with("critical: ") && cause.contains("Connection refused"), "{broken:#?}");

    // The open end is in the store: of a collector that was killed the next one knows that the check fails still.
    collector.kill().await;
    collector.run().await;
    collector.host_is(&agent.host, "up", s(30)).await;
    let after = subjects(&collector, "the shop").await;
    let ongoing = after[0]["outages"].as_array().and_then(|outages| outages.last()).expect("an outage");
    assert_eq!((&ongoing["open"], &ongoing["cause"]), (&json!(true), &outage["cause"]), "{after:#?}");
    assert!(ms(&after[0], "up_ms") <= ms(&broken[0], "up_ms"), "{after:#?}");
    assert_eq!(ms(&after[0], "outside_hours_ms"), ms(&broken[0], "outside_hours_ms"));

    service.again().await;
    check_is(&collector, &agent.host, "shop", "ok").await;
    let over = || async {
        let subjects = subjects(&collector, "the shop").await;
        let outages = subjects[0]["outages"].as_array().cloned().unwrap_or_default();
        (!outages.is_empty() && outages.iter().all(|outage| outage["open"] == false)).then(|| subjects[0].clone())
    };
    let whole = eventually("the outage is over", s(20), over).await;
    assert!(ms(&whole, "down_ms") > 0 && whole["availability_ratio"].as_f64() < Some(1.0), "{whole:#}");
    corrected(&collector, &agent.name, &whole["outages"][0]).await;
    let table = collector.cli(&["sla", "report", "--agreement", "the shop"]).await;
    assert!(table.contains(&format!("{}/shop", agent.name)) && table.contains("check"), "{table}");
    let view = collector.get("/service-levels/the%20shop").await.body;
    assert!(view.contains("checks sh* of host *") && view.contains(&format!("/hosts/{}#checks", agent.host)), "{view}");
}

/// Somebody knows that the check was wrong, and says so.
async fn corrected(collector: &Collector, host: &str, outage: &Value) {
    let check = format!("{host}/shop");
    let at = |key: &str| outage[key].as_str().expect("an instant").to_owned();
    let (from, until) = (at("from"), at("to"));
    let words =
        ["--was", "up", "--from", &from, "--until", &until, "--reason", "the probe was wrong", "--ticket", "T1"];
    let said = collector.cli(&[&["sla", "correct", &check], &words[..], &["--dry-run"]].concat()).await;
    assert!(said.contains("the shop") && said.contains(&check), "{said}");
    collector.cli(&[&["sla", "correct", &check], &words[..]].concat()).await;
    collector.cli(&["sla", "note", &check, "--at", &from, "--text", "a wrong port", "--cause", "human_error"]).await;
    let corrected = &subjects(collector, "the shop").await[0];
    assert!(ms(&corrected["agreed"], "down_ms") < ms(corrected, "down_ms"), "{corrected:#}");
    said_in_the_view(collector, &check).await;
    let subjects = subjects(collector, "the shop").await;
    let measured = &subjects[0];
    assert!(measured["outages"][0]["notes"].to_string().contains("a wrong port"), "{subjects:#?}");
    assert!(measured["outages"][0]["disputed"] == true && measured["agreed"].is_null(), "{subjects:#?}");
    let unknown = ["sla", "correct", &format!("{host}/stop")];
    let said = collector.try_cli(&[&unknown, &words[..]].concat()).await;
    assert!(said.code == 1 && said.err.contains("it has shop"), "{}", said.all());
}

/// The outage has a view of its own, where an operator adds a note and an admin corrects what was measured.
async fn said_in_the_view(collector: &Collector, check: &str) {
    let admin = Visitor::admin(collector).await;
    let list = admin.read("/service-levels/the%20shop").await;
    let at = list.find("/service-levels/the%20shop/outage?").expect("a link to the outage");
    let path = list[at..].split_once('"').expect("an address").0.replace("&#38;", "&").replace("&amp;", "&");
    let to = path.split_once('?').expect("a question").0;
    let said = [("action", "note"), ("text", "the customer doubts it"), ("disputed", "yes"), ("cause", "software")];
    let back = admin.send(&path, to, &said).await;
    let view = admin.read(&back).await;
    assert!(view.contains(&format!("Outage of {check}")) && view.contains("the customer doubts it"), "{view}");
    assert!(view.contains("<b>disputed</b>") && view.contains("the probe was wrong"), "{view}");
    let field = |name: &str| {
        let text = view.split_once(&format!("name=\"{name}\" value=\"")).expect("a field").1;
        text.split_once('"').expect("its value").0.to_owned()
    };
    // Down after all.
    let (from, until) = (field("from"), field("until"));
    let words =
        [("action", "correct"), ("state", "down"), ("from", &*from), ("until", &*until), ("reason", "it was down")];
    let view = admin.read(&admin.send(&path, to, &words).await).await;
    assert!(view.contains("it was down"), "{view}");
    let anonymous = collector.get(&path).await;
    assert!(anonymous.status == 200 && !anonymous.body.contains("name=\"csrf\""), "{}", anonymous.body);
}
