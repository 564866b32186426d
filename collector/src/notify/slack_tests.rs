//! Slack against a server that answers as its references say.

use super::*;
use crate::{
    domain::severity::Severity,
    notify::{
        outbox::tests::page,
        receiver::{ReceiverConfig, ReceiverKind},
        sink::{Do, Sink, check_trouble_is_tried_again, life, word},
        template::Templates,
    },
};

fn slack(way: Way) -> Slack {
    let config = SlackConfig { way, ca: None, guard: Guard::default() };
    let receiver = ReceiverConfig {
        name: "chat".into(),
        severity: Severity::Warning,
        templates: Templates::default(),
        kind: ReceiverKind::Slack(config.clone()),
    };
    Slack::new("chat", config, Words::new(&receiver, "https://muster.example.org")).unwrap()
}

fn hook(sink: &Sink) -> Slack {
    slack(Way::Webhook(SecretUrl::new(sink.url("/services/T0/B0/hunter2"))))
}

fn bot(sink: &Sink) -> Slack {
    let token = Secret::new("xoxb-hunter2");
    slack(Way::Bot { url: sink.url("/api/chat.postMessage"), token, channel: "C012AB3CD".into() })
}

/// What Block Kit's reference says of every message.
fn check_contract(message: &Value) {
    assert!((1..=40_000).contains(&message["text"].as_str().unwrap().chars().count()));
    let blocks = message["blocks"].as_array().unwrap();
    assert!((1..=50).contains(&blocks.len()));
    for block in blocks {
        assert_eq!((&block["type"], &block["text"]["type"]), (&json!("section"), &json!("mrkdwn")));
        assert!((1..=3_000).contains(&block["text"]["text"].as_str().unwrap().chars().count()), "{block}");
    }
}

#[tokio::test]
async fn a_webhook_is_posted_blocks_with_a_link_and_a_text_for_notifications() {
    let sink = Sink::start(&[], Do::Answer(200, "ok")).await;
    let hook = hook(&sink);
    for page in life() {
        assert_eq!(word(&hook.send(&page).await), "accepted");
    }
    let heard = sink.heard();
    assert!(heard.iter().all(|request| request.line == "POST /services/T0/B0/hunter2"));
    assert!(heard.iter().all(|request| request.header("content-type") == "application/json; charset=utf-8"));
    let messages: Vec<Value> = heard.iter().map(|request| request.json()).collect();
    messages.iter().for_each(check_contract);
    let texts: Vec<&str> = messages.iter().map(|message| message["text"].as_str().unwrap()).collect();
    let expected = [
        ":warning: [warning] web-1 is down",
        ":warning: [warning, update] web-1 is down",
        ":eyes: [acknowledged] web-1 is down",
        ":white_check_mark: [resolved] web-1 is down",
        ":wrench: [test] web-1 is down",
    ];
    assert_eq!(texts, expected);
    assert_eq!(
        messages[0]["blocks"][0]["text"]["text"],
        ":warning: *<https://muster.example.org/incidents/1042|[warning] web-1 is down>*"
    );
    assert!(messages[2]["blocks"][1]["text"]["text"].as_str().unwrap().contains("Taken by   Ana"));
    assert!(!format!("{hook:?}").contains("hunter2"));
}

#[tokio::test]
async fn text_of_hosts_mentions_nobody_and_is_cut_between_characters() {
    let sink = Sink::start(&[], Do::Answer(200, "ok")).await;
    let title = "<!channel> & <http://evil|x>".to_owned();
    let details = "a < b ".repeat(160) + "\n";
    let hostile = Page { title, details: details.repeat(20), ..page(1, 1, 1) };
    hook(&sink).send(&hostile).await;
    let message = sink.heard()[0].json();
    check_contract(&message);
    assert_eq!(message["text"], ":warning: [warning] &lt;!channel&gt; &amp; &lt;http://evil|x&gt;");
    let section = message["blocks"][1]["text"]["text"].as_str().unwrap().to_owned();
    assert!(!section.contains('<') && section.ends_with("..."));
    let after = section.trim_end_matches("...").rsplit('&').next().unwrap().to_owned();
    assert!(after.contains(';'), "half an entity: {after}");
}

#[tokio::test]
async fn a_webhooks_refusals_are_told_apart() {
    let script = [
        Do::Answer(400, "invalid_payload"),
        Do::Answer(403, "invalid_token"),
        Do::Answer(404, "channel_not_found"),
        Do::Answer(410, "channel_is_archived"),
        Do::Answer(500, "rollup_error"),
        Do::Answer(404, "<html>who knows what</html>"),
    ];
    let sink = Sink::start(&script, Do::Answer(200, "ok")).await;
    let (hook, page) = (hook(&sink), page(1, 1, 1));
    let sent = hook.send(&page).await;
    let error = "it answered 400 (invalid_payload): it rejects this page for good".to_owned();
    assert_eq!(sent, Sent::Rejected { error });
    for expected in ["refused", "refused", "gone", "retry"] {
        assert_eq!(word(&hook.send(&page).await), expected);
    }
    assert_eq!(hook.send(&page).await, Sent::Refused { error: "it answered 404".into() });
    assert_eq!(word(&hook.send(&page).await), "accepted");
}

#[tokio::test]
async fn a_bot_posts_to_its_channel_and_the_body_says_what_became_of_it() {
    let script = [
        Do::Answer(200, r#"{"ok":true,"channel":"C012AB3CD","ts":"1503435956.000247"}"#),
        Do::Answer(200, r#"{"ok":false,"error":"not_in_channel"}"#),
        Do::Answer(200, r#"{"ok":false,"error":"invalid_auth"}"#),
        Do::Answer(200, r#"{"ok":false,"error":"is_archived"}"#),
        Do::Answer(200, r#"{"ok":false,"error":"invalid_blocks"}"#),
        Do::Answer(200, r#"{"ok":false,"error":"internal_error"}"#),
        Do::Answer(200, "<html>a portal</html>"),
        Do::Later(3),
    ];
    let sink = Sink::start(&script, Do::Answer(500, "")).await;
    let (bot, page) = (bot(&sink), page(1, 1, 1));
    assert_eq!(bot.send(&page).await, Sent::Accepted { provider_id: Some("1503435956.000247".into()) });
    for expected in ["refused", "refused", "gone", "rejected", "retry", "retry", "retry"] {
        assert_eq!(word(&bot.send(&page).await), expected);
    }
    let first = &sink.heard()[0];
    assert_eq!(
        (first.line.as_str(), first.header("authorization")),
        ("POST /api/chat.postMessage", "Bearer xoxb-hunter2")
    );
    check_contract(&first.json());
    assert_eq!(first.json()["channel"], "C012AB3CD");
    bot.send(&Page { to: Some("U9".into()), ..page.clone() }).await;
    assert_eq!(sink.heard()[8].json()["channel"], "U9", "a person's own");
    assert!(!format!("{bot:?}").contains("hunter2"));
}

#[tokio::test]
async fn overload_and_broken_ways_are_tried_again() {
    check_trouble_is_tried_again(hook).await;
    check_trouble_is_tried_again(bot).await;
}
