//! Error budgets that burn: figures on the page of metrics, and nobody called twice for one cause.

use muster_tests::network::Network;
use muster_tests::wait::pass;
use muster_tests::webhook::Message;
use muster_tests::{Agent, Collector, Webhook, eventually};
use serde_json::Value;

use crate::declared::check_config;
use crate::s;

const BURN: &str = "burn_rate/all hosts/budget";

fn tables(hook: &Webhook, alerts: &str) -> String {
    format!(
        "{}\n[[agreement]]\nname = \"all hosts\"\ntarget = 99.9\nhosts = [\"*\"]\nperiod = \"day\"\n\
         burn_alerts = \"{alerts}\"\n",
        hook.receiver()
    )
}

/// Whatever else is wrong with this machine is another story.
fn told(hook: &Webhook, kind: &str, key: &str) -> Vec<Message> {
    hook.of(kind).into_iter().filter(|message| message.key() == key).collect()
}

async fn metric(collector: &Collector, name: &str, labels: &str) -> Option<f64> {
    collector.metric(&format!("{name}{{agreement=\"all hosts\"{labels}}}")).await
}

/// Waits until the figures of a moment after now have been reckoned and told to the desk.
async fn rounds(collector: &Collector) {
    for _ in 0..2 {
        let at = metric(collector, "muster_sla_computed_timestamp_seconds", "").await.unwrap_or(0.0);
        let later = || async {
            metric(collector, "muster_sla_computed_timestamp_seconds", "").await.filter(|computed| *computed > at)
        };
        eventually("figures are reckoned anew", s(60), later).await;
    }
}

async fn incident(collector: &Collector, key: &str) -> Option<Value> {
    let row = collector.incidents().await.into_iter().find(|incident| incident["key"] == key)?;
    Some(collector.get(&format!("/api/v1/incidents/{}", row["number"])).await.json())
}

/// Its machine is gone: no agent that could prove anything afterwards, and nothing that answers.
async fn dies(network: &Network, agent: &mut Agent) {
    network.cut().await;
    agent.kill().await;
}

async fn comes_back(network: &Network, agent: &mut Agent) {
    network.heal().await;
    agent.boot_anew();
    agent.run();
}

#[tokio::test]
async fn an_outage_burns_the_budget_and_is_told_once() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&tables(&hook, "pages")).await;
    let network = Network::make().await;
    let mut agent = Agent::up_in(&network, &collector, "fast").await;
    rounds(&collector).await;
    assert_eq!(metric(&collector, "muster_slo_burn_rate", ",window=\"1h\"").await, Some(0.0));
    assert_eq!(metric(&collector, "muster_sla_availability_ratio", ",period=\"day\"").await, Some(1.0));
    assert_eq!(metric(&collector, "muster_sla_worst_error_budget_remaining_ratio", "").await, Some(1.0));

    dies(&network, &mut agent).await;
    collector.host_is(&agent.host, "down", s(20)).await;
    let burning = ",window=\"1h\",severity=\"critical\"";
    let burns = || async { metric(&collector, "muster_slo_burning", burning).await.filter(|burns| *burns == 1.0) };
    eventually("2 % of a day's budget are 1.7 s", s(60), burns).await;
    let limit = metric(&collector, "muster_slo_burn_rate_limit", burning).await.expect("a limit");
    for window in ["5m", "1h"] {
        let rate = metric(&collector, "muster_slo_burn_rate", &format!(",window=\"{window}\"")).await;
        assert!(rate.is_some_and(|rate| rate > limit && rate <= 1_000.0), "{window}: {rate:?} of {limit}");
    }

    let key = format!("liveness/{}/host", agent.host);
    let joined = || async {
        let incident = incident(&collector, &key).await?;
        let timeline = incident["timeline"].as_array()?.clone();
        timeline.into_iter().find(|event| {
            event["kind"] == "problem"
                && event["text"] == format!("all hosts: {} spends its error budget too fast", agent.name)
        })
    };
    eventually("the burn is in the host's incident", s(60), joined).await;
    rounds(&collector).await;
    let left = metric(&collector, "muster_sla_error_budget_remaining_ratio", "").await.expect("a budget");
    assert!(left < 1.0, "{left}");
    assert_eq!(metric(&collector, "muster_sla_outages", "").await, Some(1.0));

    comes_back(&network, &mut agent).await;
    collector.host_is(&agent.host, "up", s(90)).await;
    let over = || async { told(&hook, "incident.resolved", &key).pop() };
    eventually("its end is told though the budget still counts the outage", s(60), over).await;
    rounds(&collector).await;
    assert_eq!(metric(&collector, "muster_slo_burning", burning).await, Some(1.0));
    // A collector that is killed now reckons with all that it recorded when it began, and with nothing that it did not.
    collector.kill().await;
    collector.run().await;
    collector.host_is(&agent.host, "up", s(60)).await;
    rounds(&collector).await;
    assert_eq!(told(&hook, "incident.opened", &key).len(), 1);
    assert_eq!(incident(&collector, BURN).await, None, "one cause, one incident");
}

#[tokio::test]
async fn outages_that_nobody_heard_of_are_told_together_when_they_cost_too_much() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&tables(&hook, "pages")).await;
    let network = Network::make().await;
    let mut agent = Agent::up_in(&network, &collector, "normal").await;
    let liveness = format!("liveness/{}/host", agent.host);
    // A host that is gone is told of after 37 s at the earliest; twice 23 s are more than that, and each is less.
    for _ in 0..2 {
        dies(&network, &mut agent).await;
        let down = collector.host_is(&agent.host, "down", s(30)).await;
        assert_eq!(down["state"], "down");
        pass(s(18)).await;
        comes_back(&network, &mut agent).await;
        collector.host_is(&agent.host, "up", s(90)).await;
    }
    let opened = || async { told(&hook, "incident.opened", BURN).pop() };
    let opened = eventually("a call for the budget", s(60), opened).await;
    let data = &opened.body["data"];
    let title = format!("all hosts: {} spends its error budget too fast", agent.name);
    assert_eq!((&data["severity"], &data["title"]), (&Value::from("critical"), &Value::from(title)), "{data}");
    assert_eq!((&data["host"], &data["component"]), (&Value::from(&*agent.name), &Value::from("all hosts")), "{data}");
    assert_eq!(told(&hook, "incident.opened", &liveness).len(), 0, "no outage was long enough to be told");
    let burn = incident(&collector, BURN).await.expect("the incident");
    let evidence = burn["timeline"][0]["text"].as_str().expect("evidence").to_owned();
    for part in ["out of 86.4 s gone within 1h", "times within 5m; the limit is 0.5 times (2 % in 1h)", "the agreement"]
    {
        assert!(evidence.contains(part), "{part} in {evidence}");
    }
    let number = burn["number"].to_string();
    collector.cli(&["incident", "ack", &number, "--note", "the switch is being replaced"]).await;
    rounds(&collector).await;
    assert_eq!(told(&hook, "incident.opened", BURN).len(), 1);

    // Who wants it told no more has it over.
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.configure(&tables(&hook, "off"));
    collector.run().await;
    let over = || async { told(&hook, "incident.resolved", BURN).pop() };
    eventually("nothing is told of the budget any more", s(60), over).await;
    rounds(&collector).await;
    assert_eq!(metric(&collector, "muster_slo_burning", ",window=\"1h\",severity=\"critical\"").await, Some(1.0));
}

#[tokio::test]
async fn an_alert_that_can_never_come_is_refused() {
    let collector = Collector::prepare("");
    for (agreement, code, part) in [
        ("target = 100\nburn_alerts = \"tickets\"", 64, "burn_alerts = \"tickets\": expected off where target = 100"),
        ("target = 99\nburn_alerts = \"loud\"", 64, "burn_alerts = \"loud\": expected one of off, tickets, pages"),
        (
            "target = 90\nperiod = \"year\"\nburn_alerts = \"tickets\"",
            64,
            "expected off or a higher target: with target = 90 and period = \"year\" even a total outage",
        ),
        (
            "target = 93\nburn_alerts = \"pages\"",
            0,
            "even a total outage spends no more than 2 % in 1h: nobody is told",
        ),
        ("target = 100", 0, ""),
    ] {
        collector.configure(&format!("[[agreement]]\nname = \"a\"\nhosts = [\"*\"]\n{agreement}\n"));
        let said = check_config(&collector, &[]).await;
        assert!(said.code == code && said.all().contains(part), "{agreement}: {} {}", said.code, said.all());
    }
}
