//! When nobody is paged: maintenance windows and silences, and what their end brings.

use muster_tests::process::run;
use muster_tests::{Agent, Collector, Webhook, eventually, never};
use serde_json::Value;

use crate::s;

/// The one incident, once it is held back.
async fn held(collector: &Collector) -> Value {
    let held = || async { collector.incidents().await.into_iter().find(|incident| !incident["held_by"].is_null()) };
    eventually("the incident is held back", s(15), held).await
}

#[tokio::test]
async fn an_outage_in_maintenance_pages_nobody_over_a_crash_of_the_collector_and_pages_when_the_window_is_called_off() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;

    let window = [
        "maintenance",
        "add",
        "--now",
        "--for",
        "2h",
        "--host",
        &agent.name,
        "--change",
        "CHG123",
        "--reason",
        "new disks",
    ];
    let seen = collector.cli(&[&window[..], &["--dry-run"]].concat()).await;
    assert!(seen.contains(&agent.name) && seen.contains("new disks"), "{seen}");
    assert!(collector.cli(&["maintenance", "list"]).await.lines().count() <= 1, "a dry run saves nothing");
    collector.cli(&window).await;
    agent.kill().await;
    let incident = held(&collector).await;
    assert_eq!((&incident["state"], &incident["paged"]), (&Value::from("open"), &Value::from(false)));

    collector.kill().await;
    collector.run().await;
    never("a page in maintenance", s(12), || async { hook.messages().pop() }).await;
    let page = collector.get("/incidents").await;
    assert!(page.body.contains("Maintenance and silences"), "{}", page.body);

    collector.cli(&["maintenance", "cancel", "1"]).await;
    let opened = hook.wait("incident.opened", s(10)).await;
    assert_eq!(opened.body["data"]["host"], agent.name);
    let listed = collector.cli(&["maintenance", "list"]).await;
    assert!(listed.contains("over") && listed.contains("CHG123"), "{listed}");

    agent.run();
    let resolved = hook.wait("incident.resolved", s(30)).await;
    assert_eq!(resolved.key(), opened.key());
}

#[tokio::test]
async fn what_cannot_be_a_window_is_refused_with_the_field_and_what_was_expected() {
    let collector = Collector::start("").await;
    let refused = |arguments: &'static [&'static str]| {
        let collector = &collector;
        async move {
            let said = collector.try_cli(arguments).await;
            assert_ne!(said.code, 0, "{arguments:?}: {}", said.out);
            said.err
        }
    };
    let err = refused(&["maintenance", "add", "--for", "1h", "--reason", "x"]).await;
    assert!(err.contains("all: true for everything"), "{err}");
    let err = refused(&["maintenance", "add", "--for", "40d", "--all", "--reason", "x"]).await;
    assert!(err.contains("31 days"), "{err}");
    let err = refused(&["maintenance", "add", "--from", "22:00", "--until", "noon", "--all", "--reason", "x"]).await;
    assert!(err.contains("--until \"noon\""), "{err}");
    let err = refused(&[
        "maintenance",
        "add",
        "--every",
        "mon",
        "--at",
        "22:00-04:00",
        "--zone",
        "Berlin",
        "--all",
        "--reason",
        "x",
    ])
    .await;
    assert!(err.contains("Europe/Berlin"), "{err}");
    let err = refused(&["silence", "expire", "7"]).await;
    assert!(err.contains("silence 7"), "{err}");

    // A window that recurs says its next occurrences in the zone's own clock.
    let seen = collector
        .cli(&[
            "--json",
            "maintenance",
            "add",
            "--every",
            "sun",
            "--at",
            "01:00-05:00",
            "--zone",
            "Europe/Berlin",
            "--all",
            "--reason",
            "backups",
        ])
        .await;
    let seen: Value = serde_json::from_str(&seen).expect("JSON");
    assert_eq!(seen["occurrences"].as_array().map(Vec::len), Some(10), "{seen}");
    assert_eq!(seen["when"], "sun 01:00-05:00 Europe/Berlin");
}

#[tokio::test]
async fn a_machine_begins_and_ends_maintenance_of_itself_with_its_own_certificate_and_no_longer_than_it_may() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&format!("{}[agents]\nown_maintenance = \"2 h\"\n", hook.receiver())).await;
    let mut agent = Agent::up(&collector, "fast").await;
    let other = Agent::up(&collector, "fast").await;
    let ask = |agent: &Agent, arguments: &[&str]| {
        let mut command = agent.command();
        command.arg("maintenance").args(arguments);
        async move { run(&mut command).await }
    };

    let said = ask(&agent, &["--for", "3h"]).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.err.contains("a machine may take 2 h within 24 h") && said.err.contains("maintenance add"),
        "{}",
        said.err
    );
    let said = ask(&agent, &["--for", "2h", "--change", "CHG9", "--reason", "new kernel"]).await;
    assert!(said.code == 0 && said.out.starts_with("maintenance 1 lasts until 20"), "{}", said.all());

    let own = format!("host {} itself", agent.name);
    let listed = collector.get("/api/v1/maintenance").await.json();
    let window = &listed["items"][0];
    assert_eq!(
        (&window["by"], &window["change"], &window["state"]),
        (&own.clone().into(), &"CHG9".into(), &"lasting".into())
    );
    assert!(collector.get("/maintenance").await.body.contains(&own));
    assert_ne!(ask(&other, &["--end"]).await.code, 0, "it began none");
    agent.kill().await;
    let incident = held(&collector).await;
    assert_eq!(incident["paged"], false);

    // Nobody needs a running agent for it.
    let said = ask(&agent, &["--end"]).await;
    assert!(said.code == 0 && said.out.contains("pages again"), "{}", said.all());
    let opened = hook.wait("incident.opened", s(10)).await;
    assert_eq!(opened.body["data"]["host"], agent.name);

    // A window of an operator is not the machine's to end, and a machine that is nobody's host has none.
    collector.cli(&["maintenance", "add", "--for", "1h", "--host", &agent.name, "--reason", "disks"]).await;
    let said = ask(&agent, &["--end"]).await;
    assert!(said.code == 1 && said.err.contains("that this machine began itself"), "{}", said.all());
    let stranger = Agent::new(None);
    let said = ask(&stranger, &["--for", "1h"]).await;
    assert!(said.code == 1 && said.err.contains("not enrolled"), "{}", said.all());
    assert_eq!(ask(&stranger, &["--for", "soon"]).await.code, 64);
}

#[tokio::test]
async fn a_false_alarm_is_closed_and_taken_back_and_an_expected_outage_makes_a_window() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    let ours = |all: Vec<Value>| all.into_iter().find(|incident| incident["host"] == agent.name.as_str());
    let down = || async { ours(collector.incidents().await).filter(|incident| incident["paged"] == true) };
    let number = eventually("it is down and paged", s(30), down).await["number"].to_string();
    let no = ["incident", "not-a-problem", &number];
    let said = collector.try_cli(&[&no[..], &["threshold", "--reason", "x", "--info"]].concat()).await;
    assert!(said.code == 1 && said.err.contains("watch level"), "{}", said.all());
    let never = ["never", "--owner", "ana", "--for", "90d", "--reason", "x", "--dry-run"];
    let seen = collector.cli(&[&no[..], &never].concat()).await;
    assert!(seen.contains("would have spared 1 of 1 page"), "{seen}");

    collector.cli(&[&no[..], &["false-alarm", "--reason", "the cable was out"]].concat()).await;
    let resolved = hook.wait("incident.resolved", s(10)).await;
    assert_eq!(resolved.body["data"]["host"], agent.name);
    collector.kill().await;
    collector.run().await;
    let shown = collector.get(&format!("/api/v1/incidents/{number}")).await.json();
    assert_eq!((&shown["state"], &shown["not_a_problem"][0]["choice"]), (&"resolved".into(), &"false_alarm".into()));
    assert_eq!(shown["not_a_problem"][0]["reason"], "the cable was out");

    let expected =
        ["expected", "--every", "sun", "--at", "02:00-04:00", "--zone", "Europe/Berlin", "--reason", "backups"];
    collector.cli(&[&no[..], &expected].concat()).await;
    let listed = collector.cli(&["maintenance", "list"]).await;
    assert!(listed.contains("sun 02:00-04:00 Europe/Berlin") && listed.contains(&agent.name), "{listed}");

    collector.cli(&[&no[..], &["take-back", "1"]].concat()).await;
    let again = || async { ours(collector.incidents().await).filter(|incident| incident["state"] == "open") };
    let again = eventually("what is still wrong is open again", s(90), again).await;
    assert_ne!(again["number"].to_string(), number, "as an incident of its own");
    collector.cli(&[&no[..], &["take-back", "2"]].concat()).await;
    let listed = collector.cli(&["maintenance", "list"]).await;
    assert!(listed.contains("over"), "{listed}");
    let subject = format!("#{number}");
    let audit = collector.cli(&["--json", "audit", "--subject", &subject]).await;
    let audit: Value = serde_json::from_str(&audit).expect("it is JSON");
    let lines = audit.as_array().cloned().unwrap_or_default();
    let said: Vec<_> = lines.iter().map(|line| (line["action"].as_str(), line["from"].as_str())).collect();
    let [not, back] = ["incident.not_a_problem", "incident.take_back"].map(|action| (Some(action), Some("socket")));
    assert_eq!(said, [back, back, not, not], "newest first: {audit}");
    assert!(lines.iter().all(|line| line["who"].as_str().is_some_and(|who| who.starts_with("uid:"))), "{audit}");
    agent.run();
}
