//! Who is called, and who after them, with a real mail server and a webhook that is gone.

use muster_tests::smtp::MailServer;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, Webhook, eventually, http, never};
use serde_json::Value;

use crate::s;

/// Ann has it; she is called through a webhook first, then by mail. Bob comes eight seconds later.
const ON_CALL: &str = r#"
[[person]]
name = "ann"
contact = [{ receiver = "mail", to = "ann@example.org" }]
important = [{ receiver = "hook" }, { receiver = "mail", to = "Ann <ann@example.org>", after = "10 min" }]
[[person]]
name = "bob"
contact = [{ receiver = "mail", to = "bob@example.org" }]
[[rotation]]
name = "ops"
zone = "Europe/Berlin"
[[rotation.layer]]
people = ["ann"]
from = "2026-01-05"
handoff = "09:00"
every = "7 d"
[[policy]]
name = "night"
[[policy.step]]
notify = ["rotation:ops"]
[[policy.step]]
after = "8 s"
notify = ["person:bob"]
[[route]]
severity = "critical"
what = "liveness/*"
policy = "night"
"#;

/// To which people so many mails have gone, in the order of their addresses. That the webhook is gone is told to others.
async fn people_told(server: &MailServer, count: usize) -> Vec<&'static str> {
    let people = ["ann@example.org", "bob@example.org"];
    let told = || async {
        let mails = server.messages();
        let to = |mail: &String| people.into_iter().find(|to| mail.contains(&format!("X-RcptTo: {to}")));
        let mut all: Vec<&str> = mails.iter().filter_map(to).collect();
        all.sort_unstable();
        (all.len() >= count).then_some(all)
    };
    eventually(&format!("{count} mails to people"), s(40), told).await
}

#[tokio::test]
async fn who_cannot_be_reached_is_passed_over_the_next_person_is_called_and_both_hear_who_has_it() {
    let (hook, server) = (Webhook::start().await, MailServer::start().await);
    let mut collector = Collector::start(&format!("{}{}{ON_CALL}", hook.receiver(), server.receiver())).await;
    let mut agent = Agent::up(&collector, "fast").await;

    let said = collector.cli(&["route", "test", "--host", &agent.name]).await;
    assert!(
        said.contains("fits: policy night") && said.contains("ann") && said.contains("mail (bob@example.org)"),
        "{said}"
    );
    let shown = collector.cli(&["on-call", "show"]).await;
    assert!(shown.contains("ops") && shown.contains("ann"), "{shown}");

    let window = ["maintenance", "add", "--for", "2h", "--host", &agent.name, "--reason", "disks", "--dry-run"];
    let planned = collector.cli(&window).await;
    assert!(planned.contains("person=ann  rotation=ops"), "who is on call then\n{planned}");
    let look = format!("/maintenance?kind=maintenance&host={}&lasts=7200&reason=disks&look=yes", agent.name);
    let page = collector.get(&look).await;
    assert!(page.body.contains("on call then: ops: ann"), "{}", page.body);

    // 410: this receiver is gone.
    hook.answer(&[410; 50]);
    agent.kill().await;
    assert_eq!(people_told(&server, 2).await, ["ann@example.org", "bob@example.org"]);
    // The machine that the tests run on may have an incident of its own.
    let outage = async || {
        let all = collector.incidents().await;
        let own = all.into_iter().find(|one| one["key"].as_str().is_some_and(|key| key.starts_with("liveness/")));
        own.expect("an outage")["number"].to_string()
    };
    let number = outage().await;
    let incident: Value =
        serde_json::from_str(&collector.cli(&["--json", "incident", "show", &number]).await).expect("JSON");
    let texts: Vec<&str> =
        incident["timeline"].as_array().into_iter().flatten().filter_map(|line| line["text"].as_str()).collect();
    assert!(
        texts.iter().any(|text| text.contains("ann was not reached through hook") && text.contains("mail is tried")),
        "{texts:#?}"
    );
    assert!(texts.iter().any(|text| text.contains("policy night, step 2: bob")), "{texts:#?}");

    collector.cli(&["incident", "ack", &number, "--note", "on my way"]).await;
    let both_twice = ["ann@example.org", "ann@example.org", "bob@example.org", "bob@example.org"];
    assert_eq!(people_told(&server, 4).await, both_twice);

    // What people were called is counted: ann by webhook and mail, bob by mail, and somebody has it.
    let figures = collector.get("/api/v1/on-call/figures").await.json();
    let names: Vec<&Value> =
        figures["people"].as_array().into_iter().flatten().map(|person| &person["person"]).collect();
    assert_eq!(names, ["ann", "bob"], "{figures:#}");
    let answers = &figures["answers"];
    assert_eq!((&answers["acknowledged"], &answers["nobody"]), (&1.into(), &0.into()), "{figures:#}");
    assert!(answers["median_seconds"].as_i64().is_some_and(|seconds| seconds < 60), "{figures:#}");
    let shown = collector.cli(&["on-call", "figures", "--per", "week"]).await;
    assert!(shown.contains("bob") && shown.contains("median_seconds"), "{shown}");

    // Somebody stands in from now on, and the next outage is theirs.
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    collector.cli(&["on-call", "override", "ops", "bob", "--for", "8h"]).await;
    let on_call = || async { Some(collector.cli(&["on-call", "show"]).await).filter(|said| said.contains("bob")) };
    eventually("bob has it", s(5), on_call).await;
    let page = collector.get("/on-call").await;
    assert!(page.body.contains("standing in"), "{}", page.body);

    // Whoever comes on is told so, by mail, and a collector that starts again does not say it twice.
    let told = || server.messages().iter().filter(|mail| mail.contains("You are on call for ops until")).count();
    eventually("bob is told that he has it", s(10), || async { (told() > 0).then_some(()) }).await;
    // What the server has taken is written down in a moment; killed before that, it would be sent again.
    pass(s(2)).await;
    collector.kill().await;
    collector.run().await;
    never("a second notice", s(3), || async { (told() > 1).then_some(()) }).await;
}

#[tokio::test]
async fn the_link_in_a_page_takes_it_by_its_button_and_not_by_being_opened() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    let opened = hook.wait("incident.opened", s(10)).await;
    let url = opened.body["data"]["act_url"].as_str().expect("a link").to_owned();
    let incident = || async {
        let all = collector.incidents().await;
        all.into_iter().find(|one| one["number"] == opened.body["data"]["number"]).expect("the incident of the page")
    };
    let state = || async { incident().await["state"].clone() };

    // What mail scanners and previews of chats do, with and without the headers of a browser.
    let path =
        url.strip_prefix(&collector.url("")).map(|rest| format!("/{}", rest.trim_start_matches('/'))).expect("ours");
    let shown = collector.get(&path).await;
    assert!(
        shown.status == 200 && shown.body.contains("I have it") && shown.body.contains(&agent.name),
        "{}",
        shown.body
    );
    let scanned = http::client().head(&url).send().await.expect("an answer");
    assert_eq!(scanned.status(), 200);
    let posted = http::client().post(&url).send().await.expect("an answer");
    assert_eq!(posted.status(), 403, "a request from no page of ours");
    assert_eq!(state().await, "open");

    let origin = collector.url("");
    let origin = origin.trim_end_matches('/');
    let taken = http::client().post(&url).header("Origin", origin).header("Sec-Fetch-Site", "same-origin").send().await;
    let taken = taken.expect("an answer");
    let (status, body) = (taken.status(), taken.text().await.expect("text"));
    assert!(status == 200 && body.contains("You have it"), "{status} {body}");
    assert_eq!(incident().await["acknowledged_by"], "hook");
    hook.wait("incident.acknowledged", s(10)).await;
    let told = || async {
        let page = collector.get("/deliveries").await.body;
        (page.contains(" accepted") && page.contains("acknowledged") && page.contains("hook")).then_some(())
    };
    eventually("both pages stand in the list of deliveries", s(5), told).await;

    let (says, tag) = path.rsplit_once('.').expect("signed");
    let forged = collector.get(&format!("{says}A.{tag}")).await;
    assert_eq!(forged.status, 404, "{}", forged.body);
}

#[tokio::test]
async fn a_test_page_is_confirmed_by_its_button_and_not_by_being_opened_and_a_crash_forgets_nothing_of_it() {
    let hook = Webhook::start().await;
    let person = "[[person]]\nname = \"ann\"\ncontact = [{ receiver = \"hook\" }]\n\
                  zone = \"Europe/Berlin\"\ntest_page = \"mon 10:00\"\n";
    let mut collector = Collector::start(&format!("{}{person}", hook.receiver())).await;
    let state = async |collector: &Collector| collector.get("/api/v1/on-call/tests").await.json()["items"][0].clone();
    let before = state(&collector).await;
    assert_eq!((&before["schedule"], &before["sent"]), (&"at mon 10:00 Europe/Berlin".into(), &Value::Null));
    assert!(before["due"].as_str().is_some_and(|due| due.ends_with("08:00:00.000Z") || due.ends_with("09:00:00.000Z")));

    collector.cli(&["on-call", "test", "ann"]).await;
    let page = hook.wait("test", s(10)).await;
    assert_eq!(page.body["data"]["person"], "ann");
    let url = page.body["data"]["act_url"].as_str().expect("a link").to_owned();
    collector.kill().await;
    collector.run().await;
    let shown = http::client().get(&url).send().await.expect("an answer").text().await.expect("text");
    assert!(shown.contains("It came") && shown.contains("Test page to ann"), "{shown}");
    assert_eq!(http::client().post(&url).send().await.expect("an answer").status(), 403, "from no page of ours");
    let waits = state(&collector).await;
    assert!(waits["waits_until"].is_string() && waits["confirmed"].is_null(), "{waits:#}");
    assert!(collector.get("/on-call").await.body.contains("waits until"));

    let origin = collector.url("");
    let origin = origin.trim_end_matches('/');
    let said = http::client().post(&url).header("Origin", origin).header("Sec-Fetch-Site", "same-origin").send().await;
    let said = said.expect("an answer").text().await.expect("text");
    assert!(said.contains("the one through hook came"), "{said}");
    let confirmed = state(&collector).await;
    assert_eq!((&confirmed["through"], &confirmed["waits_until"]), (&"hook".into(), &Value::Null), "{confirmed:#}");
    assert!(collector.get("/on-call").await.body.contains("through hook"));
    let act = url.replace("/confirm/", "/act/");
    assert_eq!(http::client().get(&act).send().await.expect("an answer").status(), 404, "it takes no incident");
}
