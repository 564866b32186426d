//! Two machines of which one is enough: the first that goes wakes nobody, the second is the page of the group.

use muster_tests::{Agent, Collector, Webhook, eventually, never};
use serde_json::Value;

use crate::s;

#[tokio::test]
async fn of_two_machines_the_first_that_dies_is_a_warning_and_the_second_breaks_the_group() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut first = Agent::up(&collector, "fast").await;
    let mut second = Agent::up(&collector, "fast").await;
    let group = |names: &str| {
        format!("{}\n[[redundancy]]\nname = \"pair\"\nmembers = [{names}]\nneeds = \"any\"\n", hook.receiver())
    };
    collector.configure(&group(&format!("\"{}\", \"nobody\"", first.name)));
    let said = crate::declared::check_config(&collector, &[]).await;
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(said.err.contains("redundancy[1].members = \"nobody\": expected the name of a host"), "{}", said.err);
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.configure(&group(&format!("\"{}\", \"{}\"", first.name, second.name)));
    collector.run().await;
    for agent in [&first, &second] {
        collector.host_is(&agent.host, "up", s(30)).await;
    }

    // Whatever else is wrong with this machine is another story.
    let told = |kind: &str, key: &str| hook.of(kind).into_iter().find(|message| message.key() == key);
    let (of_first, of_second) = (format!("liveness/{}/host", first.host), format!("liveness/{}/host", second.host));
    first.kill().await;
    let opened = eventually("a word of the first", s(20), || async { told("incident.opened", &of_first) }).await;
    let data = &opened.body["data"];
    assert_eq!((&data["severity"], &data["priority"]), (&Value::from("warning"), &Value::from("P4")), "{data}");
    assert_eq!(data["redundancy"], "pair: 1 of 2 up, needs 1, none to spare");
    let number = data["number"].to_string();
    let view = collector.get(&format!("/incidents/{number}")).await.body;
    assert!(view.contains("nobody is woken, a warning is all: redundancy group pair"), "{view}");
    collector.cli(&["incident", "priority", &number, "p3", "--note", "it is the fast one"]).await;
    assert_eq!(collector.get(&format!("/api/v1/incidents/{number}")).await.json()["priority"], "P3");

    let group = "redundancy/pair/group";
    second.kill().await;
    let broken = eventually("the group's page", s(20), || async { told("incident.opened", group) }).await;
    let data = &broken.body["data"];
    assert_eq!((&data["severity"], &data["priority"]), (&Value::from("critical"), &Value::from("P1")), "{data}");
    assert_eq!(data["title"], "redundancy group pair is broken: 0 of 2 up, needs 1");
    never("a page of its own", s(3), || async { told("incident.opened", &of_second) }).await;

    first.run();
    for key in [group, &of_first] {
        eventually(key, s(30), || async { told("incident.resolved", key) }).await;
    }
    second.run();
    collector.host_is(&second.host, "up", s(30)).await;
}
