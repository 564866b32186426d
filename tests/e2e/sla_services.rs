//! What depends on several machines, what is promised of it, and what came of that.

use muster_tests::network::Network;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, eventually};
use serde_json::{Value, json};

use crate::s;

/// Services of these two hosts, of which one is enough and of which both are needed, and what is promised of each.
fn promised(first: &Agent, second: &Agent) -> String {
    let hosts = format!("hosts = [\"{}\", \"{}\"]", first.name, second.name);
    let service = |name: &str, needs: &str| {
        format!(
            "[[service]]\nname = \"{name}\"\nneeds = {needs}\n{hosts}\n\
             [[agreement]]\nname = \"{name}\"\ntarget = 99.9\nservices = [\"{name}\"]\nperiod = \"day\"\n"
        )
    };
    service("pair", "\"any\"") + &service("both", "2")
}

async fn report(collector: &Collector, agreement: &str) -> Value {
    let said = collector.cli(&["sla", "report", "--agreement", agreement, "--format", "json"]).await;
    serde_json::from_str(&said).expect("JSON")
}

/// The only subject of an agreement, to date.
async fn subject(collector: &Collector, agreement: &str) -> Value {
    let report = report(collector, agreement).await;
    assert_eq!(report["subject_count"], 1, "{report:#}");
    report["subjects"][0].clone()
}

fn ms(subject: &Value, bucket: &str) -> i64 {
    subject[bucket].as_i64().expect("milliseconds")
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What is told of a member's time in this bucket.
fn member_ms(service: &Value, member: &Agent, bucket: &str) -> i64 {
    let members = service["members"].as_array().cloned().unwrap_or_default();
    let found = members.iter().find(|known| known["subject"] == member.name.as_str());
    ms(found.unwrap_or_else(|| panic!("{} in {service:#}", member.name)), bucket)
}

/// The collector starts anew with these tables, and both have been up for some beats.
async fn begin(collector: &mut Collector, tables: &str, agents: [&Agent; 2]) {
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.configure(tables);
    collector.run().await;
    for agent in agents {
        collector.host_is(&agent.host, "up", s(30)).await;
    }
    let some_beats = || async {
        let pair = subject(collector, "pair").await;
        agents.iter().all(|agent| member_ms(&pair, agent, "up_ms") > 3_000).then_some(())
    };
    eventually("they have been up for a while", s(20), some_beats).await;
}

/// A machine that dies, as far as anybody sees: it says nothing any more, and nothing answers in its place.
async fn die(collector: &Collector, agent: &Agent, network: &Network) {
    network.cut().await;
    collector.host_is(&agent.host, "down", s(20)).await;
}

#[tokio::test]
async fn of_two_machines_one_may_die_where_one_is_enough_and_the_second_is_the_outage() {
    let mut collector = Collector::start("").await;
    let (here, there) = (Network::make().await, Network::make().await);
    let first = Agent::up_in(&here, &collector, "fast").await;
    let second = Agent::up_in(&there, &collector, "fast").await;
    begin(&mut collector, &promised(&first, &second), [&first, &second]).await;

    die(&collector, &first, &here).await;
    let pair = subject(&collector, "pair").await;
    let about = json!([pair["subject"], pair["kind"], pair["host"], pair["needs"]]);
    assert_eq!(about, json!(["pair", "service", null, "needs any"]));
    assert_eq!((ms(&pair, "down_ms"), &pair["availability_ratio"], &pair["outages"]), (0, &json!(1.0), &json!([])));
    assert!(member_ms(&pair, &first, "down_ms") > 0 && member_ms(&pair, &second, "down_ms") == 0, "{pair:#}");
    let outage = &subject(&collector, "both").await["outages"][0];
    assert_eq!(
        (&outage["open"], text(&outage["cause"])),
        (&json!(true), format!("1 of 2 up, needs 2: {} down", first.name))
    );
    let view = collector.get("/service-levels/pair").await.body;
    assert!(view.contains("needs any of 2") && view.contains(&format!("/hosts/{}\"", first.host)), "{view}");
    assert!(view.contains("down ") && view.contains(&second.name), "{view}");
    let paper = collector.cli(&["sla", "report", "--agreement", "pair", "--format", "html"]).await;
    assert!(paper.contains("by each service") && paper.contains(&first.name), "{paper}");

    die(&collector, &second, &there).await;
    let pair = subject(&collector, "pair").await;
    let of_both = &pair["outages"][0];
    let names = format!("0 of 2 up, needs 1: {} down, {} down", first.name, second.name);
    assert_eq!((&of_both["open"], text(&of_both["cause"])), (&json!(true), names), "{pair:#}");
    for agent in [&first, &second] {
        assert!(text(&of_both["evidence"]).contains(&format!("{}: ", agent.name)), "{of_both:#}");
    }
    // It begins with the last proof of the second one: what is down of the service is down of that.
    assert!(text(&of_both["from"]) > text(&outage["from"]), "{of_both:#} {outage:#}");
    assert_eq!(ms(&pair, "down_ms"), member_ms(&pair, &second, "down_ms"), "{pair:#}");
    let told = || async {
        let pair = subject(&collector, "pair").await;
        pair["outages"][0]["incidents"].as_array().filter(|incidents| incidents.len() == 2).map(drop)
    };
    eventually("the incidents of both members tell of it", s(20), told).await;
    let table = collector.cli(&["sla", "report", "--agreement", "pair"]).await;
    assert!(table.contains("pair") && table.contains("service"), "{table}");
    let series = "muster_sla_seconds{agreement=\"pair\",bucket=\"down\"}";
    let missed = || async { collector.metric(series).await.filter(|seconds| *seconds > 0.0) };
    eventually("the figures on /metrics", s(60), missed).await;
}

/// What users saw of the service both is laid over what was measured, and proven with its report.
async fn corrected_and_verified(collector: &Collector, issued: &str) {
    let outage = subject(collector, "both").await["outages"][0].clone();
    let (from, until) = (text(&outage["from"]), text(&outage["to"]));
    let view = collector.get(&format!("/service-levels/both/outage?subject=service/both&at={from}")).await;
    assert!(view.status == 200 && view.body.contains("Outage of both"), "{}", view.body);
    let note = ["sla", "note", "service/both", "--at", &from, "--cause", "network", "--text", "a cable"];
    collector.cli(&note).await;
    let correct = |name: &'static str| {
        vec!["sla", "correct", name, "--was", "up", "--from", &from, "--until", &until, "--reason", "the shop sold"]
    };
    let said = collector.try_cli(&correct("service/nowhere")).await;
    assert!(said.code == 1 && said.err.contains("service \"nowhere\" in any agreement"), "{}", said.all());
    collector.cli(&correct("service/both")).await;
    let report = report(collector, "both").await;
    let both = &report["subjects"][0];
    assert_eq!((&both["outages"][0]["category"], &both["corrections"][0]["state"]), (&json!("network"), &json!("up")));
    assert!(both["agreed"]["down_ms"].as_i64() < both["down_ms"].as_i64(), "{both:#}");
    std::fs::write(issued, report.to_string()).expect("a file of our own");
    let said = collector.cli(&["sla", "verify", issued]).await;
    assert!(said.contains("verified"), "{said}");
}

#[tokio::test]
async fn a_rule_is_kept_with_the_agreement_proven_with_its_report_and_tried_as_another() {
    let mut collector = Collector::start("").await;
    let network = Network::make().await;
    let first = Agent::up_in(&network, &collector, "fast").await;
    let second = Agent::up(&collector, "fast").await;
    begin(&mut collector, &promised(&first, &second), [&first, &second]).await;
    network.cut().await;
    collector.host_is(&first.host, "down", s(20)).await;

    let file = |name: &str| collector.home().join(name).to_str().expect("a path").to_owned();
    let (issued, definition) = (file("report.json"), file("all.toml"));
    for agreement in ["pair", "both"] {
        std::fs::write(&issued, report(&collector, agreement).await.to_string()).expect("a file of our own");
        let said = collector.cli(&["sla", "verify", &issued]).await;
        assert!(said.contains("verified"), "{said}");
    }
    let mut changed = report(&collector, "both").await;
    changed["inputs"]["subjects"][0]["members"][0]["ledger"]["hash"] = "00".into();
    std::fs::write(&issued, changed.to_string()).expect("a file of our own");
    let said = collector.try_cli(&["sla", "verify", &issued]).await;
    assert!(said.code == 1 && said.err.contains("inputs.subjects[0].members[0].ledger.hash"), "{}", said.all());
    corrected_and_verified(&collector, &issued).await;
    let versions = collector.cli(&["sla", "versions", "pair"]).await;
    assert!(versions.contains("[[service]]\nname = \"pair\"\nneeds = \"any\"\n"), "{versions}");

    let other = promised(&first, &second).replace("\"any\"", "\"all\"");
    let service = other.split("[[agreement]]").next().expect("a service");
    let text = format!("name = \"pair\"\ntarget = 99.9\nperiod = \"day\"\n{service}");
    std::fs::write(&definition, text).expect("a file of our own");
    let said = collector.cli(&["--json", "sla", "what-if", "--agreement", "pair", "--definition", &definition]).await;
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let down = |side: &str| said["subjects"][0][side]["down_ms"].as_i64().expect("milliseconds");
    assert!(down("present") == 0 && down("what_if") > 0 && said["notes"] == json!([]), "{said:#}");
}

#[tokio::test]
async fn a_service_is_reckoned_anew_from_what_is_learned_of_its_members_and_from_work_that_is_planned() {
    let mut collector = Collector::start("").await;
    let network = Network::make().await;
    let first = Agent::up_in(&network, &collector, "fast").await;
    let second = Agent::up(&collector, "fast").await;
    begin(&mut collector, &promised(&first, &second), [&first, &second]).await;

    network.cut().await;
    collector.host_is(&first.host, "down", s(15)).await;
    assert!(ms(&subject(&collector, "both").await, "down_ms") > 0);
    // It was there all the time, and so was what depends on it. Its own log is written each ten seconds while nobody listens.
    pass(s(12)).await;
    network.heal().await;
    collector.host_is(&first.host, "up", s(90)).await;
    let both = subject(&collector, "both").await;
    assert_eq!((ms(&both, "down_ms"), &both["availability_ratio"]), (0, &json!(1.0)), "{both:#}");
    assert!(ms(&both, "unreachable_ms") >= 10_000 && member_ms(&both, &first, "down_ms") == 0, "{both:#}");
    assert_eq!(ms(&subject(&collector, "pair").await, "unreachable_ms"), 0, "one is enough, and that was proven up");

    let window = ["maintenance", "add", "--now", "--for", "1h", "--host", &first.name, "--reason", "new disks"];
    collector.cli(&window).await;
    let planned = || async { Some(subject(&collector, "both").await).filter(|both| ms(both, "maintenance_ms") > 0) };
    let both = eventually("planned work", s(10), planned).await;
    assert_eq!(ms(&both, "down_ms"), 0, "{both:#}");
    assert_eq!(ms(&subject(&collector, "pair").await, "maintenance_ms"), 0, "its twin serves");
}

#[tokio::test]
async fn services_that_cannot_be_are_refused_with_file_line_and_key() {
    let collector = Collector::prepare("");
    let service = |name: &str, rest: &str| format!("[[service]]\nname = \"{name}\"\n{rest}\n");
    for (tables, expected) in [
        (service("pair", "hosts = [\"a\", \"b\"]\nneeds = 3"), "service[1].needs = 3: expected all, any, or how many"),
        (service("pair", "hosts = [\"a\", \"b\"]\nneeds = 0"), "service[1].needs = 0: expected all, any, or how many"),
        (service("pair", "needs = \"any\""), "service[1].hosts: expected hosts, sites, class or labels, or services"),
        (
            service("a", "hosts = [\"a\"]\nneeds = \"any\"").repeat(2),
            "service[2].name = \"a\": expected a name that no other has",
        ),
        (
            service("a", "services = [\"b\"]\nneeds = \"any\"") + &service("b", "services = [\"a\"]\nneeds = \"any\""),
            "service[2].services = \"a\": expected no circle: b is made of a is made of b",
        ),
        (
            "[[agreement]]\nname = \"a\"\ntarget = 99\nservices = [\"nowhere\"]\n".to_owned(),
            "agreement[1].services = \"nowhere\": expected the name of a [[service]] of this file",
        ),
    ] {
        collector.configure(&tables);
        let said = crate::declared::check_config(&collector, &[]).await;
        let line = said.err.lines().find(|line| line.contains(expected)).unwrap_or_default().to_owned();
        assert!(said.code == 64 && line.contains("/collector.toml:"), "{expected}\n{}", said.all());
    }
}
