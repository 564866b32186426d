//! Who is paged answers where the page came, and nothing has to reach the collector from outside.

use muster_tests::ntfy::Ntfy;
use muster_tests::{Agent, Collector, Service, Webhook, eventually, http};
use serde_json::Value;

use crate::s;

const TOKEN: &str = "tk_hunter2";

/// Ann is paged through ntfy, everybody else hears of it by a webhook.
fn tables(ntfy: &Ntfy, hook: &Webhook) -> String {
    format!(
        "{}[[receiver]]\nname = \"phone\"\nkind = \"ntfy\"\nurl = \"{}\"\ntoken = \"{TOKEN}\"\nreply_topic = \"replies\"\n\
         reply_token = \"{TOKEN}\"\n[[person]]\nname = \"ann\"\ncontact = [{{ receiver = \"phone\", to = \"ann\" }}]\n\
         [[policy]]\nname = \"night\"\n[[policy.step]]\nnotify = [\"person:ann\"]\n[[route]]\nwhat = \"liveness/*\"\n\
         receivers = [\"hook\"]\npolicy = \"night\"\n",
        hook.receiver(),
        ntfy.url("/on-call"),
    )
}

/// The buttons of the first message in Ann's topic whose title begins so, once there are `count` of them.
async fn buttons(ntfy: &Ntfy, title: &str, count: usize) -> Value {
    let all = || async {
        let fits = |message: &Value| message["title"].as_str().is_some_and(|text| text.starts_with(title));
        let mut messages: Vec<Value> = ntfy.messages("ann").into_iter().filter(fits).collect();
        (messages.len() >= count).then(|| messages.remove(count - 1))
    };
    eventually(&format!("{count} messages {title}"), s(30), all).await["actions"].clone()
}

/// What a telephone does when a button is pressed.
async fn press(button: &Value) {
    let text = |name: &str| button[name].as_str().unwrap_or_else(|| panic!("{name} of {button}"));
    assert_eq!((text("action"), text("method"), text("label")), ("http", "POST", "I have it"));
    let request = http::client().post(text("url")).body(text("body").to_owned());
    let token = button["headers"]["Authorization"].as_str().expect("a token for the reply topic");
    let answer = request.header("Authorization", token).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn who_acknowledges_in_pagerduty_has_it_and_everybody_is_told() {
    let (hook, events) = (Webhook::start().await, Service::start(&[], (202, "{}")).await);
    // Whatever is asked: Ana took it long after it began, by the clock of this machine.
    let theirs = r#"{"incidents":[{"id":"Q1","status":"acknowledged","created_at":"2999-01-01T00:00:00Z","acknowledgements":
        [{"at":"2999-01-01T00:00:01Z","acknowledger":{"id":"P1","type":"user_reference","summary":"Ana"}}]}]}"#;
    let api = Service::start(&[503], (200, theirs)).await;
    let pagerduty = format!(
        "{}[[receiver]]\nname = \"pd\"\nkind = \"pagerduty\"\nrouting_key = \"0123456789abcdef0123456789abcdef\"\n\
         url = \"{}\"\napi_token = \"u+hunter2\"\napi_url = \"{}\"\n",
        hook.receiver(),
        events.url("/v2/enqueue"),
        api.url("/"),
    );
    let collector = Collector::start(&pagerduty).await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    let taken = hook.wait("incident.acknowledged", s(30)).await;
    assert_eq!(taken.body["data"]["acknowledged_by"], "Ana");
    let asked = api.taken(|_| true);
    assert!(asked[0].path.starts_with("/incidents?incident_key="), "{asked:#?}");
    assert_eq!(asked[0].authorization.as_deref(), Some("Token token=u+hunter2"));
    let shown = collector.cli(&["incident", "show", &taken.body["data"]["number"].to_string()]).await;
    assert!(shown.contains("Ana has it (PagerDuty)"), "{shown}");
    let log = collector.log();
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn the_button_of_a_push_message_takes_the_incident_also_while_the_collector_is_away() {
    let (ntfy, hook) = (Ntfy::start(TOKEN).await, Webhook::start().await);
    let mut collector = Collector::start(&tables(&ntfy, &hook)).await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    let first = buttons(&ntfy, "[critical]", 1).await;
    press(&first[0]).await;
    let taken = hook.wait("incident.acknowledged", s(10)).await;
    assert_eq!(taken.body["data"]["acknowledged_by"], "ann");
    let number = taken.body["data"]["number"].to_string();
    let shown = collector.cli(&["--json", "incident", "show", &number]).await;
    let shown: Value = serde_json::from_str(&shown).expect("JSON");
    let said = |text: &str| shown["timeline"].as_array().into_iter().flatten().any(|line| line["text"] == text);
    assert!(said("ann has it (ntfy)"), "{shown:#}");
    buttons(&ntfy, "[acknowledged]", 1).await;

    // The next outage, taken while no collector runs.
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    agent.kill().await;
    let second = buttons(&ntfy, "[critical]", 2).await;
    collector.stop().await;
    press(&second[0]).await;
    collector.run().await;
    let by_ann = || async {
        let incidents = collector.incidents().await;
        incidents.into_iter().find(|one| one["state"] == "acknowledged" && one["acknowledged_by"] == "ann")
    };
    let incident = eventually("ann has the second one", s(30), by_ann).await;
    assert_ne!(incident["number"].to_string(), number, "{incident:#}");
    // What was posted before is heard again and changes nothing.
    let twice: Vec<Value> = ntfy.messages("replies");
    assert_eq!(twice.len(), 2);
    assert_eq!(ntfy.asked().len(), 2, "one stream for each life of the collector: {:?}", ntfy.asked());
    let log = collector.log();
    assert!(!log.contains("hunter2"), "{log}");
}

#[tokio::test]
async fn a_text_message_that_does_not_arrive_is_passed_over_for_the_next_person() {
    // Twilio takes it, and says when asked that it did not arrive.
    let lost = r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"undelivered","error_code":30005}"#;
    let (hook, twilio) = (Webhook::start().await, Service::start(&[], (201, lost)).await);
    let tables = format!(
        "{}[[receiver]]\nname = \"sms\"\nkind = \"twilio\"\nurl = \"{}\"\naccount = \"AC0123456789abcdef0123456789abcdef\"\n\
         token = \"hunter2\"\nfrom = \"+4930111222\"\nto = [\"+4915112345678\"]\n\
         [[person]]\nname = \"ann\"\ncontact = [{{ receiver = \"sms\" }}]\n\
         [[person]]\nname = \"bob\"\ncontact = [{{ receiver = \"hook\" }}]\n\
         [[policy]]\nname = \"night\"\n[[policy.step]]\nnotify = [\"person:ann\"]\n\
         [[policy.step]]\nafter = \"1 h\"\nnotify = [\"person:bob\"]\n[[route]]\nwhat = \"liveness/*\"\npolicy = \"night\"\n",
        hook.receiver(),
        twilio.url("/"),
    );
    let collector = Collector::start(&tables).await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    let told = hook.wait("incident.opened", s(30)).await;
    assert_eq!(told.body["data"]["person"], "bob");
    let asked = twilio.taken(|heard| heard.path.ends_with("/Messages/SM0123456789abcdef0123456789abcdef.json"));
    assert!(!asked.is_empty(), "it was asked what became of it");
    let shown = collector.cli(&["incident", "show", &told.body["data"]["number"].to_string()]).await;
    assert!(shown.contains("lost by sms: undelivered, Twilio's error 30005"), "{shown}");
    assert!(shown.contains("ann was not reached through sms"), "{shown}");
}
