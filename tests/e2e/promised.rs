//! Agreements that are declared while the collector runs.

use muster_tests::process::Said;
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::s;

/// An agreement of this name about all hosts.
fn shop(name: &str, target: &str) -> String {
    format!("[[agreement]]\nname = \"{name}\"\ntarget = {target}\nhosts = [\"*\"]\nperiod = \"day\"\n")
}

async fn declare(collector: &Collector, text: &str, more: &[&str]) -> Said {
    let file = collector.home().join("shop.toml");
    std::fs::write(&file, text).expect("a file in a directory of our own");
    let words = ["--json", "sla", "declare", file.to_str().expect("a path")];
    collector.try_cli(&[&words, more].concat()).await
}

/// What was done with the only agreement of a file.
fn done(said: &Said) -> Value {
    assert_eq!(said.code, 0, "{}", said.all());
    serde_json::from_str::<Value>(&said.out).expect("JSON")[0].take()
}

async fn list(collector: &Collector) -> Vec<Value> {
    let list: Value = serde_json::from_str(&collector.cli(&["--json", "sla", "list"]).await).expect("JSON");
    list.as_array().cloned().unwrap_or_default()
}

#[tokio::test]
async fn an_agreement_is_declared_changed_and_ended_without_a_restart() {
    let mut collector = Collector::start(&shop("office", "99")).await;
    let agent = Agent::up(&collector, "fast").await;
    let dry = done(&declare(&collector, &shop("shop", "99.9"), &["--dry-run"]).await);
    assert_eq!((&dry["did"], &dry["subject_count"], &dry["version"]), (&"nothing".into(), &1.into(), &1.into()));
    assert_eq!(list(&collector).await.len(), 1, "nothing was changed");

    let made = done(&declare(&collector, &shop("shop", "99.9"), &[]).await);
    assert_eq!((&made["did"], &made["declared_in"]), (&"declare".into(), &"api".into()), "{made:#}");
    let target = "muster_sla_target_ratio{agreement=\"shop\"}";
    eventually("it is among the figures", s(10), || async { collector.metric(target).await }).await;
    assert!(collector.get("/service-levels").await.body.contains("shop"));
    let report = collector.home().join("report.json");
    let report = report.to_str().expect("a path");
    let words = ["sla", "report", "--agreement", "shop", "--format", "json", "--output", report];
    collector.cli(&words).await;

    let changed = done(&declare(&collector, &shop("shop", "99.99"), &[]).await);
    assert_eq!((&changed["did"], &changed["version"]), (&"change".into(), &2.into()));
    let same = done(&declare(&collector, &shop("shop", "99.990"), &[]).await);
    assert_eq!((&same["did"], &same["version"]), (&"same".into(), &2.into()), "the same in other words");

    // It is kept, over a kill too, and so is what was issued of it.
    collector.kill().await;
    collector.run().await;
    collector.host_is(&agent.host, "up", s(30)).await;
    let targets = |list: &[Value]| list.iter().map(|one| one["target"].clone()).collect::<Vec<_>>();
    assert_eq!(targets(&list(&collector).await), [Value::from(99.0), Value::from(99.99)]);
    collector.cli(&["sla", "verify", report]).await;

    let no_reason = collector.try_cli(&["sla", "drop", "shop", "--reason", ""]).await;
    assert!(no_reason.code == 1 && no_reason.err.contains("reason"), "{}", no_reason.all());
    collector.cli(&["sla", "drop", "shop", "--reason", "the contract ended"]).await;
    assert_eq!(list(&collector).await.len(), 1);
    let gone = || async { collector.metric(target).await.is_none().then_some(()) };
    eventually("its figures end", s(10), gone).await;
    collector.cli(&["sla", "verify", report]).await;
    let again = collector.try_cli(&["sla", "drop", "shop", "--reason", "once more"]).await;
    assert!(again.code == 1 && again.err.contains("sla list"), "{}", again.all());
    let audit = collector.cli(&["audit"]).await;
    for action in ["agreement.declare", "agreement.change", "agreement.withdraw"] {
        assert!(audit.contains(action), "{action} in {audit}");
    }
}

#[tokio::test]
async fn what_cannot_be_declared_is_refused_with_file_line_and_key() {
    let collector = Collector::start(&shop("office", "99")).await;
    for (text, code, part) in [
        (shop("office", "95"), 1, "declared in collector.toml"),
        (shop("shop", "101"), 64, "shop.toml:3"),
        (shop("shop", "99") + "zone = \"Mars/Olympus\"\n", 64, "shop.toml:6: agreement[1].zone"),
        ("[http]\nlisten = \"x\"\n".to_owned(), 64, "http"),
        (String::new(), 64, "[[agreement]]"),
    ] {
        let said = declare(&collector, &text, &[]).await;
        assert!(said.code == code && said.err.contains(part), "{part} in {}", said.all());
    }
    let in_file = collector.try_cli(&["sla", "drop", "office", "--reason", "x"]).await;
    assert!(in_file.code == 1 && in_file.err.contains("collector.toml"), "{}", in_file.all());
    assert_eq!(list(&collector).await.len(), 1);
}
