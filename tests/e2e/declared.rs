//! Devices that stand in collector.toml: there from the first start, changed and removed with the file, and nobody else's.

use muster_tests::process::{Said, program, run};
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;
use tokio::process::Command;

use crate::s;

async fn device(collector: &Collector, name: &str) -> Value {
    collector.get(&format!("/api/v1/devices/{name}")).await.json()
}

async fn names(collector: &Collector) -> Vec<String> {
    let all: Value = serde_json::from_str(&collector.cli(&["--json", "device", "list"]).await).expect("JSON");
    let names = all.as_array().into_iter().flatten().filter_map(|device| device["name"].as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

pub(crate) async fn check_config(collector: &Collector, more: &[&str]) -> Said {
    run(Command::new(program("muster-collector"))
        .arg("check-config")
        .arg("--config")
        .arg(collector.config())
        .args(more))
    .await
}

#[tokio::test]
async fn what_stands_in_the_file_is_there_changes_and_goes_with_it_and_no_person_removes_it() {
    let mut collector = Collector::prepare("");
    // The harness' own lines are six.
    let printer = |parent: &str, more: &str| {
        format!(
            "[[device]]\nname = \"printer-3\"\naddress = \"127.0.0.1\"\ncheck = \"tcp:{}\"\nparent = \"{parent}\"\n\
             watch = \"fast\"\nlabels = {{ rack = \"7\" }}\n{more}",
            collector.http
        )
    };
    let switch = "[[device]]\nname = \"switch-1\"\naddress = \"127.0.0.1\"\n";
    collector.configure(&printer("switch-1", switch));
    let (behind_switch, behind_other) = (printer("switch-1", ""), printer("switch-9", ""));
    let said = check_config(&collector, &[]).await;
    assert_eq!(said.code, 0, "{}", said.all());
    collector.run().await;
    let _watcher = Agent::up(&collector, "normal").await;
    collector.host_is("printer-3", "up", s(20)).await;
    let known = device(&collector, "printer-3").await;
    assert_eq!(
        (known["file"].as_str(), known["parent"].as_str(), known["labels"]["rack"].as_str()),
        (Some("collector.toml:7"), Some("switch-1"), Some("7"))
    );
    let listed = collector.cli(&["device", "list"]).await;
    assert!(listed.contains("collector.toml:7") && listed.contains("collector.toml:14"), "{listed}");
    let view = collector.get(&format!("/hosts/{}", known["id"].as_str().unwrap_or_default())).await.body;
    assert!(view.contains("collector.toml:7"), "{view}");
    let table = collector.home().join("devices.csv");
    std::fs::write(&table, "name,address\nswitch-1,10.9.9.9\n").expect("a file of our own");
    let table = table.display().to_string();
    for (arguments, why) in [
        (&["device", "remove", "switch-1"][..], "switch-1 stands in collector.toml:14: remove it there"),
        (&["host", "retire", "printer-3"], "printer-3 stands in collector.toml:7: remove it there"),
        (&["device", "add", "switch-1", "--address", "10.9.9.9"], "this device stands in collector.toml:14; change it"),
        (&["device", "import", &table], "line 2: name is \"switch-1\": this device stands in collector.toml:14"),
        (&["host", "parent", "switch-1"], "switch-1 stands in collector.toml:14: change it there"),
    ] {
        let said = collector.try_cli(arguments).await;
        assert!(said.code == 1 && said.err.contains(why), "{arguments:?}: {}", said.all());
    }

    // The file changes: what is gone from it goes, what a person added stays, and may be what others are behind.
    collector.cli(&["device", "add", "switch-9", "--address", "127.0.0.1"]).await;
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.configure(&behind_other);
    let said = check_config(&collector, &[]).await;
    assert_eq!(said.code, 0, "{}", said.all());
    collector.run().await;
    assert_eq!(names(&collector).await, ["printer-3", "switch-9"]);
    assert_eq!(device(&collector, "printer-3").await["parent"], "switch-9");
    collector.host_is("printer-3", "up", s(70)).await;

    // What the fleet contradicts is a mistake that check-config tells, and keeps nobody from watching.
    collector.cli(&["device", "add", "core-1", "--address", "127.0.0.1", "--parent", "printer-3"]).await;
    for (tables, why) in [
        (behind_other.replace("switch-9", "core-1"), "no circle: \"core-1\" is behind \"printer-3\" itself"),
        (behind_switch, "parent = \"switch-1\": expected a device of this file, or one that is known"),
    ] {
        assert_eq!(collector.stop().await, 0, "{}", collector.log());
        collector.configure(&tables);
        let said = check_config(&collector, &[]).await;
        assert!(said.code == 64 && said.err.contains("collector.toml:11: device[1].parent"), "{}", said.all());
        assert!(said.err.contains(why), "{}", said.all());
        assert_eq!(check_config(&collector, &["--file-only"]).await.code, 0);
        collector.run().await;
        assert!(collector.log().contains("collector.toml:7: device \"printer-3\": parent"), "{}", collector.log());
        collector.host_is("printer-3", "up", s(70)).await;
        assert_eq!(device(&collector, "printer-3").await["parent"], Value::Null);
    }
    let told = || async {
        let all = collector.incidents().await;
        all.into_iter().find(|incident| incident["title"].as_str().is_some_and(|title| title.contains("printer-3")))
    };
    eventually("it is a problem of the collector's", s(20), told).await;
}
