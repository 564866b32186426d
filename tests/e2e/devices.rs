//! Things without an agent, in networks of their own: a switch that dies with what is behind it. Needs root.

use muster_tests::http::samples;
use muster_tests::network::Network;
use muster_tests::{Agent, Collector, Webhook, eventually, never};
use serde_json::Value;

use crate::s;

async fn device(collector: &Collector, name: &str) -> Value {
    collector.get(&format!("/api/v1/devices/{name}")).await.json()
}

#[tokio::test]
async fn a_switch_that_dies_with_three_hosts_behind_it_is_one_incident_that_names_it_one_page_and_one_recovery() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let switch = Network::make().await;
    let networks = [Network::behind(&switch).await, Network::behind(&switch).await, Network::behind(&switch).await];
    // What is on this side of it watches it; nobody is named.
    let _watcher = Agent::up(&collector, "fast").await;
    let address = switch.inside();
    collector.cli(&["device", "add", "switch-1", "--address", &address, "--watch", "fast"]).await;
    let mut agents = Vec::new();
    for network in &networks {
        let agent = Agent::up_in(network, &collector, "fast").await;
        collector.cli(&["host", "parent", &agent.name, "switch-1"]).await;
        agents.push(agent);
    }
    collector.host_is("switch-1", "up", s(20)).await;
    let known = device(&collector, "switch-1").await;
    assert_eq!(known["watchers"].as_array().map(Vec::len), Some(1), "nobody behind it watches it: {known}");
    assert_eq!(known["behind"].as_array().map(Vec::len), Some(3), "{known}");

    switch.cut().await;
    let opened = hook.wait("incident.opened", s(30)).await;
    assert_eq!(opened.body["data"]["title"], "switch-1 is down");
    assert_eq!(opened.body["data"]["severity"], "critical");
    for agent in &agents {
        collector.host_is(&agent.host, "down", s(10)).await;
    }
    let all = || async {
        let incident = collector.get("/api/v1/incidents/1").await.json();
        incident["hosts"].as_array().filter(|hosts| hosts.len() == 4).map(drop)
    };
    eventually("all four are in it", s(10), all).await;
    let incidents = collector.incidents().await;
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    never("another page", s(10), || async { (hook.messages().len() > 1).then(|| hook.messages()) }).await;
    let metrics = samples(&collector.get("/metrics").await.body);
    let up = |name: &str, class: &str| {
        metrics.get(&format!("muster_host_up{{host=\"{name}\",class=\"{class}\",site=\"\"}}")).copied()
    };
    assert_eq!((up("switch-1", "device"), up(&agents[0].name, "server")), (Some(0.0), Some(0.0)));
    let id = known["id"].as_str().unwrap_or_default();
    let view = collector.get(&format!("/hosts/{id}")).await.body;
    assert!(view.contains(&address) && view.contains("does not answer") && view.contains(&agents[2].name), "{view}");
    let discovered = collector.get("/prometheus/sd").await.body;
    assert!(!discovered.contains("switch-1") && discovered.contains(&agents[0].name), "{discovered}");

    switch.heal().await;
    let resolved = hook.wait("incident.resolved", s(30)).await;
    assert_eq!(resolved.key(), opened.key());
    for agent in &agents {
        collector.host_is(&agent.host, "up", s(90)).await;
    }
    never("anything more", s(5), || async { (hook.messages().len() > 2).then(|| hook.messages()) }).await;
    assert_eq!(collector.incidents().await.len(), 1);
}

#[tokio::test]
async fn a_device_none_of_whose_watchers_is_heard_is_unknown_and_pages_nobody_over_restarts_too() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let network = Network::make().await;
    let mut watcher = Agent::up(&collector, "normal").await;
    let add =
        ["device", "add", "ups-1", "--watch", "fast", "--check", "tcp:1", "--watcher", &watcher.name, "--address"];
    let address = network.inside();
    collector.cli(&[&add[..], &[&address]].concat()).await;
    // Nothing listens there: that it refuses is no answer of the service that was asked for.
    collector.host_is("ups-1", "down", s(30)).await;
    let opened = hook.wait("incident.opened", s(30)).await;
    assert_eq!(opened.body["data"]["title"], "ups-1 is down");
    // Asked in another way it answers. Adding it again is no second one.
    let again: Vec<&str> = add.iter().map(|word| if *word == "tcp:1" { "icmp" } else { word }).collect();
    collector.cli(&[&again[..], &[&address]].concat()).await;
    collector.host_is("ups-1", "up", s(30)).await;
    hook.wait("incident.resolved", s(10)).await;
    assert_eq!(collector.hosts().await.len(), 2);

    watcher.kill().await;
    collector.host_is("ups-1", "unknown", s(60)).await;
    let why = device(&collector, "ups-1").await;
    assert_eq!(
        (why["why"].as_str(), why["watchers"][0]["heard"].as_bool()),
        (Some("none of its watchers is heard and can tell"), Some(false))
    );
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.run().await;
    let about = || async { hook.of("incident.opened").into_iter().filter(|page| page.key() == opened.key()).nth(1) };
    never("a page about it", s(15), about).await;
    watcher.run();
    collector.host_is("ups-1", "up", s(40)).await;
    collector.cli(&["device", "remove", "ups-1"]).await;
    let left = collector.cli(&["--json", "device", "list"]).await;
    assert_eq!(left, "[]");
}

#[tokio::test]
async fn a_device_that_cannot_be_is_refused_with_the_field_and_what_was_expected() {
    let collector = Collector::start("").await;
    let watcher = Agent::up(&collector, "normal").await;
    collector.cli(&["device", "add", "a", "--address", "192.0.2.1"]).await;
    collector.cli(&["device", "add", "b", "--address", "192.0.2.2", "--parent", "a"]).await;
    for (arguments, why) in [
        (
            &["device", "add", "c", "--address", "not an address"][..],
            "address is \"not an address\", expected an address",
        ),
        (
            &["device", "add", "c", "--address", "192.0.2.3", "--check", "ping"],
            "check is \"ping\", expected icmp, tcp:PORT",
        ),
        (&["device", "add", "c", "--address", "192.0.2.3", "--parent", "x"], "there is no host \"x\""),
        (&["device", "add", "c", "--address", "192.0.2.3", "--watcher", "x"], "there is no host \"x\""),
        (&["device", "add", &watcher.name, "--address", "192.0.2.3"], "a host with an agent is called so"),
        (&["device", "add", "a", "--address", "192.0.2.1", "--parent", "b"], "a circle of parents"),
        (&["host", "parent", "b", &watcher.name], "there is no device"),
        (&["device", "remove", "c"], "muster-collector device list"),
    ] {
        let said = collector.try_cli(arguments).await;
        assert!(said.code == 1 && said.err.contains(why), "{arguments:?}: {}", said.all());
    }
    assert_eq!(collector.hosts().await.len(), 3, "nothing was made of what was refused");
}

/// Names of those that watch a device, in order.
async fn watchers(collector: &Collector, name: &str) -> Vec<String> {
    let known = device(collector, name).await;
    let names = known["watchers"].as_array().into_iter().flatten().filter_map(|watcher| watcher["name"].as_str());
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    names.sort_unstable();
    names
}

async fn watched_by(collector: &Collector, name: &str, expected: &[&Agent]) {
    let mut expected: Vec<&str> = expected.iter().map(|agent| agent.name.as_str()).collect();
    expected.sort_unstable();
    let are = || async { (watchers(collector, name).await == expected).then_some(()) };
    eventually(&format!("{name} is watched by {expected:?}"), s(20), are).await;
}

#[tokio::test]
async fn agents_that_take_no_checks_are_not_chosen_are_replaced_and_where_they_are_named_that_is_told() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut closed = Agent::enrolled(&collector, "normal", None).await;
    closed.configure("remote_checks = \"none\"");
    closed.run();
    collector.host_is(&closed.host, "up", s(20)).await;
    let mut first = Agent::up(&collector, "normal").await;
    let network = Network::make().await;
    let address = network.inside();
    collector.cli(&["device", "add", "switch-1", "--watch", "fast", "--address", &address]).await;
    watched_by(&collector, "switch-1", &[&first]).await;
    collector.host_is("switch-1", "up", s(20)).await;
    let second = Agent::up(&collector, "normal").await;
    watched_by(&collector, "switch-1", &[&first, &second]).await;

    // What it said is known over a restart, before it is heard again.
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.run().await;
    assert_eq!(watchers(&collector, "switch-1").await.len(), 2);
    collector.host_is(&closed.host, "up", s(70)).await;
    collector.host_is("switch-1", "up", s(70)).await;
    assert_eq!(collector.metric_sum("muster_finding", "settings_refused").await, 0.0);
    assert_eq!(hook.of("incident.opened").len(), 0, "nothing was asked that it refuses");

    // One that was chosen takes none any more: whoever else can does it.
    first.configure("remote_checks = \"none\"");
    assert_eq!(first.stop().await, 0, "{}", first.log());
    first.run();
    watched_by(&collector, "switch-1", &[&second]).await;
    collector.host_is("switch-1", "up", s(20)).await;

    // Whoever is named is meant, and what keeps it from watching is said at once and wherever the device is shown.
    let add = ["device", "add", "switch-1", "--watch", "fast", "--address", &address, "--watcher", &closed.name];
    let said = collector.try_cli(&add).await;
    let why = "remote_checks = \"none\": set it to \"built_in\" there and restart the agent";
    assert_eq!((said.code, said.out.trim()), (0, "done"), "{}", said.all());
    assert!(said.err.contains(&format!("{} cannot watch it", closed.name)) && said.err.contains(why), "{}", said.all());
    watched_by(&collector, "switch-1", &[&closed]).await;
    let shown = collector.cli(&["device", "show", "switch-1"]).await;
    assert!(shown.contains(why), "{shown}");
    let known = device(&collector, "switch-1").await;
    let view = collector.get(&format!("/hosts/{}", known["id"].as_str().unwrap_or_default())).await.body;
    assert!(view.contains("cannot watch") && view.contains("and restart the agent, or name another watcher"), "{view}");
    assert_eq!(said.err.lines().count(), 1, "{}", said.all());
}

/// Runs an import of this table, with these further words.
async fn import(collector: &Collector, table: &str, more: &[&str]) -> muster_tests::process::Said {
    let file = collector.home().join("devices.csv");
    std::fs::write(&file, table).expect("a file in a directory of our own");
    collector.try_cli(&[&["device", "import", &file.display().to_string()], more].concat()).await
}

#[tokio::test]
async fn a_table_of_devices_is_shown_before_it_is_done_and_done_with_parents_first() {
    let collector = Collector::start("").await;
    let table = "name,parent,address,check,site,watch,labels\n\
                 \"printer-3\",switch-1,10.0.0.40,tcp:9100,Berlin,relaxed,rack=7; owner=ann\n\
                 switch-1,,10.0.0.2,,Berlin,,\n";
    let said = import(&collector, table, &["--dry-run"]).await;
    assert_eq!((said.code, said.out.trim()), (0, "2  printer-3  adds it\n3  switch-1   adds it"), "{}", said.all());
    assert_eq!(collector.hosts().await.len(), 0, "nothing is done yet");
    assert_eq!(import(&collector, table, &[]).await.code, 0);
    let printer = device(&collector, "printer-3").await;
    assert_eq!((printer["parent"].as_str(), printer["check"].as_str()), (Some("switch-1"), Some("tcp:9100")));
    assert_eq!(
        (printer["watch"].as_str(), &printer["labels"]),
        (Some("relaxed"), &serde_json::json!({"owner": "ann", "rack": "7"}))
    );
    let said = import(&collector, &table.replace("10.0.0.2", "10.0.0.3"), &[]).await;
    assert_eq!(said.out.trim(), "2  printer-3  nothing, it is so already\n3  switch-1   changes it", "{}", said.all());
    assert_eq!(device(&collector, "switch-1").await["address"], "10.0.0.3");
    assert_eq!(collector.hosts().await.len(), 2);

    // The parents of what is not in the table count too: printer-3 is behind switch-1.
    let wrong = "name,address,parent,watchers\na,10.0.0.4,b,\nb,10.0.0.5,a,\na,10.0.0.6,,\nswitch-1,10.0.0.3,printer-3,\n\
                 c,no where,nothing,nobody\n,10.0.0.7,,\n";
    let said = import(&collector, wrong, &[]).await;
    assert_eq!(said.code, 1, "{}", said.all());
    for part in [
        "line 2: parent is \"b\", which is behind \"a\" itself: expected no circle",
        "line 3: parent is \"a\", which is behind \"b\" itself",
        "line 4: \"a\" stands on line 2 already, expected one row for each device",
        "line 5: parent is \"printer-3\", which is behind \"switch-1\" itself",
        "line 6: address is \"no where\"",
        "line 6: watchers names \"nobody\"",
        "line 6: parent is \"nothing\", expected a device that is known or stands in the table",
        "line 7: name is missing",
    ] {
        assert!(said.err.contains(part), "{part}\n{}", said.all());
    }
    assert_eq!(collector.hosts().await.len(), 2, "nothing of it is done");
}
