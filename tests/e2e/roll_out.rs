//! A roll-out as whoever does it sees it: machines from an image wait, others are refused, and both are said.

use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::s;

async fn progress(collector: &Collector) -> Value {
    serde_json::from_str(&collector.cli(&["--json", "token", "progress"]).await).expect("JSON")
}

#[tokio::test]
async fn a_machine_from_an_image_is_heard_when_a_person_has_let_it_in_and_not_before() {
    let collector = Collector::start("").await;
    let token = collector.cli(&["token", "create", "--kind", "image", "--uses", "1"]).await;
    let mut machine = Agent::new(None);
    let said = machine.enrol(&collector.address(), token.trim()).await;
    assert_eq!(said.code, 0, "{}", said.all());
    machine.run();
    let waits = || async {
        let log = machine.log();
        log.contains("host activate").then_some(())
    };
    eventually("its own log says what it waits for", s(30), waits).await;
    let all = progress(&collector).await;
    let [one] = &all["waiting"].as_array().expect("a list")[..] else { panic!("{all}") };
    let name = one["host"].as_str().expect("a name").to_owned();
    assert_eq!(
        (&all["tokens"], &all["unheard"], &all["refused"]),
        (&Value::Array(vec![]), &Value::Array(vec![]), &Value::Array(vec![]))
    );
    let text = collector.cli(&["token", "progress"]).await;
    assert!(text.contains("Waiting") && text.contains(&name), "{text}");
    assert_eq!(collector.hosts().await[0]["state"], "unknown");

    let other = Agent::new(None);
    let said = other.enrol(&collector.address(), token.trim()).await;
    assert!(said.code != 0 && said.all().contains("no uses left"), "{}", said.all());
    let refused = &progress(&collector).await["refused"][0];
    assert!(refused["why"].as_str().is_some_and(|why| why.contains("no uses left")), "{refused}");
    assert_eq!(refused["token"], token.split('_').nth(1).expect("its id"));

    collector.cli(&["host", "activate", &name]).await;
    let up = || async { (collector.hosts().await[0]["state"] == "up").then_some(()) };
    eventually("it is heard", s(90), up).await;
    assert_eq!(progress(&collector).await["waiting"], Value::Array(vec![]));
}
