//! A report of uptime that can be shown to somebody who doubts it, and promises that change over time.

use muster_tests::network::Network;
use muster_tests::process::Said;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::checks::{Service, check_is};
use crate::s;

/// All hosts are promised this much of a day, with more keys.
fn promise(target: &str, rest: &str) -> String {
    format!("[[agreement]]\nname = \"all hosts\"\ntarget = {target}\nhosts = [\"*\"]\nperiod = \"day\"\n{rest}\n")
}

/// The report of the present day, as JSON.
async fn report(collector: &Collector) -> String {
    collector.cli(&["sla", "report", "--agreement", "all hosts", "--format", "json"]).await
}

async fn verify(collector: &Collector, report: &str) -> Said {
    let file = collector.home().join("report.json");
    std::fs::write(&file, report).expect("a file in a directory of our own");
    collector.try_cli(&["sla", "verify", file.to_str().expect("a path")]).await
}

async fn verified(collector: &Collector, report: &str) {
    let said = verify(collector, report).await;
    assert!(said.code == 0 && said.out.contains("verified"), "{}\n{report}", said.all());
}

/// Waits until the only host has been up for some beats, and cuts it off.
async fn outage(collector: &Collector, network: &Network, agent: &Agent) {
    let some_beats = || async { parsed(&report(collector).await)["up_ms"].as_i64().filter(|ms| *ms > 3_000) };
    eventually("it has been up for a while", s(20), some_beats).await;
    network.cut().await;
    collector.host_is(&agent.host, "down", s(15)).await;
}

fn parsed(report: &str) -> Value {
    serde_json::from_str(report).expect("JSON")
}

#[tokio::test]
async fn a_report_stays_verified_while_life_goes_on_and_a_changed_digit_is_named() {
    let mut collector = Collector::start(&promise("99.9", "")).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    let window = ["maintenance", "add", "--now", "--for", "1h", "--host", &agent.name, "--reason", "new disks"];
    collector.cli(&window).await;
    let first = report(&collector).await;
    verified(&collector, &first).await;
    let inputs = &parsed(&first)["inputs"];
    assert_eq!(inputs["subjects"][0]["windows"], serde_json::json!([{ "number": 1, "version": 1 }]), "{inputs:#}");
    assert!(inputs["subjects"][0]["ledger"]["n"].as_i64() >= Some(1), "{inputs:#}");
    assert!(inputs["tzdata"].as_str().is_some_and(|version| version.starts_with("20")), "{inputs:#}");

    // An outage, the window called off and another entered, another promise, and a new life of the collector.
    network.cut().await;
    collector.host_is(&agent.host, "down", s(15)).await;
    let second = report(&collector).await;
    collector.cli(&["maintenance", "cancel", "1"]).await;
    collector.cli(&window).await;
    collector.stop().await;
    collector.configure(&promise("95", "max_outages = 0"));
    collector.run().await;
    network.heal().await;
    collector.host_is(&agent.host, "up", s(90)).await;
    let third = report(&collector).await;
    for report in [&first, &second, &third] {
        verified(&collector, report).await;
    }
    let versions = [&first, &third].map(|report| parsed(report)["inputs"]["definition"]["version"].clone());
    assert_eq!(versions, [1, 2]);

    let mut changed = parsed(&second);
    let agreed = changed["subjects"][0]["outside_hours_ms"].as_i64().expect("milliseconds");
    changed["subjects"][0]["outside_hours_ms"] = Value::from(agreed + 1);
    let said = verify(&collector, &changed.to_string()).await;
    let place = format!("subjects[0].outside_hours_ms ({})", agent.name);
    assert_eq!(said.code, 1, "{}", said.all());
    for part in [place, format!("is {} there", agreed + 1), format!("and {agreed} by the records"), "its digest".into()]
    {
        assert!(said.err.contains(&part), "{part} in {}", said.err);
    }
    let mut other = parsed(&second);
    other["inputs"]["subjects"][0]["ledger"]["hash"] = Value::from("00");
    let said = verify(&collector, &other.to_string()).await;
    assert!(said.code == 1 && said.err.contains("inputs.subjects[0].ledger.hash"), "{}", said.all());
}

#[tokio::test]
async fn a_report_of_a_check_stands_on_its_own_ledger_and_on_its_hosts() {
    let mut collector = Collector::start(&promise("99.9", "checks = [\"shop\"]")).await;
    let mut service = Service::start().await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure(&format!(
        "interval = \"1s\"\n[[check]]\nname = \"shop\"\nkind = \"tcp\"\naddress = \"127.0.0.1:{}\"\ninterval = \"1s\"\n\
         timeout = \"1s\"\nattempts = 1\n",
        service.port
    ));
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    check_is(&collector, &agent.host, "shop", "ok").await;
    let some_runs = || async { parsed(&report(&collector).await)["up_ms"].as_i64().filter(|ms| *ms > 3_000) };
    eventually("it has been ok for a while", s(20), some_runs).await;
    let young = report(&collector).await;
    assert_eq!(parsed(&young)["inputs"]["subjects"][0]["check"]["n"], 0, "{young}");
    service.stop().await;
    check_is(&collector, &agent.host, "shop", "critical").await;
    let failing = report(&collector).await;
    let basis = &parsed(&failing)["inputs"]["subjects"][0]["check"];
    assert_eq!((&basis["n"], &basis["open"]["status"]), (&Value::from(1), &Value::from("critical")), "{basis:#}");

    // Its host is said to have been up after all, it heals, the collector has another life, and so has the check.
    service.again().await;
    check_is(&collector, &agent.host, "shop", "ok").await;
    let as_of = |report: &str| parsed(report)["inputs"]["as_of"].as_str().expect("an instant").to_owned();
    let (from, until) = (as_of(&young), as_of(&failing));
    let words = ["--reason", "users saw it", "--ticket", "INC1"];
    let correction = ["sla", "correct", &agent.name, "--was", "down", "--from", &from, "--until", &until];
    collector.cli(&[&correction[..], &words[..]].concat()).await;
    let healed = report(&collector).await;
    let of_host = &parsed(&healed)["inputs"]["subjects"][0]["check"]["host_amendments"];
    assert_eq!(of_host, &serde_json::json!([{ "number": 1, "version": 1 }]), "{healed}");
    collector.stop().await;
    collector.run().await;
    collector.host_is(&agent.host, "up", s(30)).await;
    service.stop().await;
    check_is(&collector, &agent.host, "shop", "critical").await;
    for report in [&young, &failing, &healed] {
        verified(&collector, report).await;
    }

    let mut changed = parsed(&failing);
    changed["inputs"]["subjects"][0]["check"]["open"]["said"] = Value::from("all is well");
    let said = verify(&collector, &changed.to_string()).await;
    assert!(said.code == 1 && said.err.contains("all is well"), "{}", said.all());
    let store = rusqlite::Connection::open(collector.state().join("state.db")).expect("the store is a database");
    store.execute("UPDATE check_span SET said = 'x' WHERE n = 1", []).expect("a row is changed");
    let said = verify(&collector, &healed).await;
    let part = format!("the chain of {}/shop's ledger is broken at entry 1", agent.name);
    assert!(said.code == 1 && said.err.contains(&part), "{part} in {}", said.all());
}

#[tokio::test]
async fn what_is_changed_behind_the_collectors_back_is_found_and_named() {
    let collector = Collector::start(&promise("99.9", "")).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    network.cut().await;
    collector.host_is(&agent.host, "down", s(15)).await;
    let report = report(&collector).await;
    verified(&collector, &report).await;

    let store = rusqlite::Connection::open(collector.state().join("state.db")).expect("the store is a database");
    // It was unknown, then up, and is down now.
    let longer = |ms: i64| store.execute("UPDATE span SET to_ms = to_ms + ?1 WHERE n = 1", [ms]).expect("a row");
    assert_eq!(longer(60_000), 1);
    let said = verify(&collector, &report).await;
    let part = format!("the chain of {}'s ledger is broken at entry 1", agent.name);
    assert!(said.code == 1 && said.err.contains(&part), "{part} in {}", said.all());
    longer(-60_000);
    verified(&collector, &report).await;
    store.execute("UPDATE agreement SET definition = replace(definition, '99.9', '99')", []).expect("a row is changed");
    let said = verify(&collector, &report).await;
    assert!(said.code == 1 && said.err.contains("inputs.definition.sha256"), "{}", said.all());
}

#[tokio::test]
async fn what_is_no_report_is_refused_with_what_was_expected() {
    let collector = Collector::start(&promise("99.9", "")).await;
    for (text, code, part) in [
        ("{", 64, "expected a report as `sla report --format json` writes it"),
        ("{\"name\": \"all hosts\"}", 64, "it has no \"inputs\""),
        ("{\"inputs\": {\"as_of\": \"yesterday\"}}", 1, "yesterday"),
    ] {
        let said = verify(&collector, text).await;
        assert!(said.code == code && said.err.contains(part), "{part} in {}", said.all());
    }
    let mut stranger = parsed(&report(&collector).await);
    stranger["inputs"]["definition"]["version"] = Value::from(7);
    let said = verify(&collector, &stranger.to_string()).await;
    assert!(said.code == 1 && said.err.contains("version 7 of the agreement"), "{}", said.all());
}

#[tokio::test]
async fn a_promise_has_dates_and_a_number_of_outages_and_each_change_is_kept() {
    let earlier = promise("90", "until = \"2026-01-01\"");
    let later = promise("1", "from = \"2026-01-01\"\nmax_outages = 0\nmin_outage = \"100 ms\"");
    let mut collector = Collector::start(&format!("{earlier}{later}")).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    outage(&collector, &network, &agent).await;

    let today = parsed(&report(&collector).await);
    assert_eq!(
        (&today["target"], &today["in_force_from"]),
        (&Value::from(1.0), &Value::from("2026-01-01")),
        "{today:#}"
    );
    let of = |key: &str| today[key].as_str().unwrap_or_default().to_owned();
    assert_eq!([of("availability_verdict"), of("outage_count_verdict"), of("verdict")], ["met", "missed", "missed"]);
    assert_eq!(today["subjects"][0]["outage_count"]["at_least"], 1, "{today:#}");
    let view = collector.get("/service-levels/all%20hosts").await;
    assert!(
        view.body.contains("at most 0 outages of 100 ms or longer") && view.body.contains("from 2026-01-01 on"),
        "{}",
        view.body
    );

    let year = ["sla", "report", "--agreement", "all hosts", "--period", "2025-12-01..2026-01-31"];
    let said = collector.cli(&year).await;
    assert!(said.contains("target 90 %") && said.contains("also in force in this period: target 1"), "{said}");
    let said = collector.cli(&[&year[..], &["--on", "2026-01-31"]].concat()).await;
    assert!(said.contains("target 1 %") && said.contains("target 90 % until before 2026-01-01"), "{said}");

    collector.stop().await;
    collector.configure("");
    collector.run().await;
    let said = collector.cli(&["sla", "versions", "all hosts"]).await;
    for part in ["# version 1 since ", "target = \"90\"", "max_outages = 0", "# version 2 since ", "withdrawn"] {
        assert!(said.contains(part), "{part} in {said}");
    }
    let audit = collector.cli(&["audit", "--action", "agreement.withdraw"]).await;
    assert!(audit.contains("all hosts"), "{audit}");
    collector.configure(&format!("{earlier}{}", promise("99", "from = \"2025-12-31\"")));
    let code = collector.spawn().ended(s(20)).await;
    assert!(code == 64 && collector.log().contains("agreement[2].from = \"2025-12-31\""), "{code} {}", collector.log());
}

#[tokio::test]
async fn a_corrected_figure_stands_beside_the_old_one_with_what_changed() {
    let collector = Collector::start(&promise("99.9", "")).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    network.cut().await;
    collector.host_is(&agent.host, "down", s(15)).await;
    let cut_off = report(&collector).await;
    assert!(parsed(&cut_off)["down_ms"].as_i64() > Some(0), "{cut_off}");
    // Its own log is written each ten seconds while nobody listens.
    pass(s(12)).await;
    network.heal().await;
    collector.host_is(&agent.host, "up", s(90)).await;
    let window = ["maintenance", "add", "--now", "--for", "1h", "--host", &agent.name, "--reason", "new disks"];
    collector.cli(&window).await;

    verified(&collector, &cut_off).await;
    let file = collector.home().join("report.json");
    let compared = collector.cli(&["--json", "sla", "compare", file.to_str().expect("a path")]).await;
    let compared = parsed(&compared);
    let subject = &compared["subjects"][0];
    assert_eq!(subject["then"]["down_ms"], parsed(&cut_off)["down_ms"], "{compared:#}");
    assert_eq!(subject["now"]["down_ms"], 0, "{compared:#}");
    assert!(subject["now"]["unreachable_ms"].as_i64() >= Some(10_000), "{compared:#}");
    assert_eq!(subject["windows"][0]["says"], "entered since", "{compared:#}");
    let said = collector.cli(&["sla", "compare", file.to_str().expect("a path")]).await;
    for part in ["unreachable from", "the host's own alive log", "maintenance 1 entered since"] {
        assert!(said.contains(part), "{part} in {said}");
    }
}

#[tokio::test]
async fn what_would_have_been_is_told_beside_what_was_and_nothing_is_changed() {
    let collector = Collector::start(&promise("1", "")).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    outage(&collector, &network, &agent).await;
    let before = parsed(&report(&collector).await);
    assert_eq!(before["verdict"], "met", "{before:#}");
    let what_if = ["--json", "sla", "what-if", "--agreement", "all hosts"];
    let ask = async |more: &[&str]| parsed(&collector.cli(&[&what_if[..], more].concat()).await);

    let higher = ask(&["--target", "100"]).await;
    let subject = &higher["subjects"][0];
    assert_eq!([&subject["present"]["verdict"], &subject["what_if"]["verdict"]], ["met", "missed"], "{higher:#}");
    assert_eq!(higher["subjects_that_change_verdict"], 1, "{higher:#}");

    let today = ["2026-01-01T00:00:00Z..2099-01-01T00:00:00Z", "--host", &agent.name];
    let planned = ask(&[&["--target", "100", "--add-window"][..], &today].concat()).await;
    let (present, other) = (&planned["subjects"][0]["present"], &planned["subjects"][0]["what_if"]);
    assert!(present["down_ms"].as_i64() > Some(0) && other["down_ms"] == 0, "{planned:#}");
    assert_eq!(other["agreed_ms"], 0, "{planned:#}");

    let file = collector.home().join("proposed.toml");
    std::fs::write(&file, "name = \"proposed\"\ntarget = 1\nmax_outages = 0\n").expect("a file");
    let limited = ask(&["--definition", file.to_str().expect("a path")]).await;
    assert_eq!(limited["subjects"][0]["what_if"]["verdict"], "missed", "{limited:#}");
    assert_eq!(limited["subjects"][0]["what_if"]["outage_count"]["at_least"], 1, "{limited:#}");

    let said = collector.try_cli(&[&what_if[1..], &["--without-window", "7"]].concat()).await;
    assert!(said.code == 1 && said.err.contains("without_windows is \"7\""), "{}", said.all());
    let said = collector.try_cli(&what_if[1..]).await;
    assert!(said.code == 1 && said.err.contains("at least one of definition, target"), "{}", said.all());
    let table = collector.cli(&[&what_if[1..], &["--target", "100"]].concat()).await;
    assert!(table.contains("it would be missed") && table.contains("1 of 1 subjects"), "{table}");

    let after = parsed(&report(&collector).await);
    assert_eq!(
        (&after["verdict"], &after["target"], &after["maintenance_ms"]),
        (&"met".into(), &1.0.into(), &0.into())
    );
    assert_eq!(after["version"], 1);
}
