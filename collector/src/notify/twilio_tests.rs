//! Twilio against a server that holds to the references of its messages and calls.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::*;
use crate::notify::{
    outbox::tests::words,
    sink::{Do, Request, Sink, check_trouble_is_tried_again, life, word},
};

const ACCOUNT: &str = "AC0123456789abcdef0123456789abcdef";
const TAKEN: Do =
    Do::Answer(201, r#"{"sid":"SM0123456789abcdef0123456789abcdef","status":"queued","error_code":null}"#);

fn account(sink: &Sink, way: Way, from: &str, to: &[&str]) -> Twilio {
    let config = TwilioConfig {
        url: sink.url("/"),
        account: ACCOUNT.into(),
        token: Secret::new("hunter2"),
        way,
        from: from.into(),
        to: to.iter().map(|to| (*to).to_owned()).collect(),
        ca: None,
        guard: Guard::default(),
    };
    Twilio::new("sms", config, words()).unwrap()
}

fn form(request: &Request) -> BTreeMap<String, String> {
    assert_eq!(request.header("content-type"), "application/x-www-form-urlencoded");
    let url = Url::parse(&format!("http://x/?{}", request.body)).unwrap();
    url.query_pairs().into_owned().collect()
}

/// What the references say of every request.
fn check_contract(request: &Request) {
    let resource = request.line.strip_prefix(&format!("POST /2010-04-01/Accounts/{ACCOUNT}/")).expect(&request.line);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{ACCOUNT}:hunter2"));
    assert_eq!(request.header("authorization"), format!("Basic {basic}"));
    let form = form(request);
    let keys: Vec<&str> = form.keys().map(String::as_str).collect();
    match resource {
        "Messages.json" if form.contains_key("From") => assert_eq!(keys, ["Body", "From", "To", "ValidityPeriod"]),
        "Messages.json" => assert_eq!(keys, ["Body", "MessagingServiceSid", "To", "ValidityPeriod"]),
        "Calls.json" => assert_eq!(keys, ["From", "To", "Twiml"]),
        other => panic!("{other}"),
    }
    assert!(form.get("Body").is_none_or(|body| (1..=160).contains(&body.chars().count())), "{form:?}");
    assert!(form.get("ValidityPeriod").is_none_or(|period| (1..=36_000).contains(&period.parse::<u32>().unwrap())));
    assert!(form.get("Twiml").is_none_or(|twiml| twiml.len() <= 4_000));
}

#[tokio::test]
async fn an_incidents_life_is_one_text_message_each() {
    let sink = Sink::start(&[], TAKEN).await;
    let account = account(&sink, Way::Sms, "+4930111", &["+4915112345678"]);
    for page in life() {
        let id = Some("SM0123456789abcdef0123456789abcdef".to_owned());
        assert_eq!(account.send(&page).await, Sent::Accepted { provider_id: id });
    }
    let heard = sink.heard();
    heard.iter().for_each(check_contract);
    let bodies: Vec<String> = heard.iter().map(|request| form(request)["Body"].clone()).collect();
    let expected = [
        "WARNING web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042",
        "WARNING (update) web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042",
        "TAKEN by Ana: web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042",
        "RESOLVED after 6 min: web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042",
        "TEST: web-1 is down, since 2026-11-21 09:14 UTC, berlin",
    ];
    assert_eq!(bodies, expected);
    assert_eq!(form(&heard[0])["To"], "+4915112345678");
    assert!(!format!("{account:?}").contains("hunter2"));
}

#[tokio::test]
async fn a_call_reads_the_problem_out_and_its_end_is_a_text_message() {
    let sink = Sink::start(&[], TAKEN).await;
    let account = account(&sink, Way::Call, "+4930111", &["+4915112345678"]);
    let [opened, _, taken, resolved, test] = life();
    let hostile = Page { title: "web-1 </Say><Dial>+1900</Dial> & more".into(), ..opened };
    for page in [&hostile, &taken, &resolved, &test] {
        assert_eq!(word(&account.send(page).await), "accepted");
    }
    let heard = sink.heard();
    heard.iter().for_each(check_contract);
    let kinds: Vec<bool> = heard.iter().map(|request| request.line.ends_with("Calls.json")).collect();
    assert_eq!(kinds, [true, false, false, true]);
    let expected = "<Response><Say loop=\"2\">WARNING web-1 &lt;/Say&gt;&lt;Dial&gt;+1900&lt;/Dial&gt; &amp; more, since \
                    2026-11-21 09:14 UTC, berlin, #1042.</Say></Response>";
    assert_eq!(form(&heard[0])["Twiml"], expected);
}

#[tokio::test]
async fn who_was_told_is_not_told_again_and_who_cannot_be_told_keeps_nobody_else_from_it() {
    let script = [TAKEN, Do::Answer(503, ""), Do::Answer(400, r#"{"code":21211,"message":"..."}"#)];
    let sink = Sink::start(&script, TAKEN).await;
    let account =
        account(&sink, Way::Sms, "MG0123456789abcdef0123456789abcdef", &["+4911111111", "+4922222222", "+4933333333"]);
    let [page, ..] = life();
    assert_eq!(word(&account.send(&page).await), "retry");
    assert_eq!(word(&account.send(&page).await), "accepted");
    let to: Vec<String> = sink.heard().iter().map(|request| form(request)["To"].clone()).collect();
    assert_eq!(to, ["+4911111111", "+4922222222", "+4933333333", "+4922222222", "+4933333333"]);
    sink.heard().iter().for_each(check_contract);
}

#[tokio::test]
async fn a_persons_own_number_takes_the_place_of_those_in_the_configuration() {
    let sink = Sink::start(&[], TAKEN).await;
    let account = account(&sink, Way::Sms, "+4930111", &["+4911111111", "+4922222222"]);
    let [page, ..] = life();
    assert_eq!(word(&account.send(&Page { to: Some("+4933333333".into()), ..page }).await), "accepted");
    let to: Vec<String> = sink.heard().iter().map(|request| form(request)["To"].clone()).collect();
    assert_eq!(to, ["+4933333333"]);
}

#[tokio::test]
async fn a_message_whose_answer_was_lost_is_looked_for_before_it_is_sent_again() {
    const SENT: &str = r#"{"messages":[{"sid":"SM1","direction":"outbound-api","body":"another"},{"sid":"SM2",
        "direction":"outbound-api","body":"WARNING web-1 is down, since 2026-11-21 09:14 UTC, berlin, #1042"}]}"#;
    let sink = Sink::start(&[Do::Reset, Do::Answer(200, SENT)], TAKEN).await;
    let account = account(&sink, Way::Sms, "+4930111", &["+4915112345678"]);
    let [page, ..] = life();
    assert_eq!(word(&account.send(&page).await), "retry");
    assert_eq!(account.send(&page).await, Sent::Accepted { provider_id: Some("SM2".into()) });
    let heard = sink.heard();
    let asked = format!(
        "GET /2010-04-01/Accounts/{ACCOUNT}/Messages.json?To=%2B4915112345678&DateSent%3E=2026-11-21&PageSize=50"
    );
    assert_eq!((heard.len(), heard[1].line.as_str()), (2, asked.as_str()));
}

#[tokio::test]
async fn a_message_that_is_not_found_is_sent_again() {
    let sink = Sink::start(&[Do::Reset, Do::Answer(200, r#"{"messages":[]}"#)], TAKEN).await;
    let account = account(&sink, Way::Sms, "+4930111", &["+4915112345678"]);
    let [page, ..] = life();
    assert_eq!(word(&account.send(&page).await), "retry");
    assert_eq!(word(&account.send(&page).await), "accepted");
    let bodies: Vec<String> = sink.heard().iter().map(|request| request.body.clone()).collect();
    assert!(bodies.len() == 3 && bodies[0] == bodies[2] && bodies[1].is_empty(), "{bodies:?}");
}

#[tokio::test]
async fn refusals_are_told_apart() {
    let script = [
        Do::Answer(400, r#"{"code":21211,"message":"hunter2","more_info":"x","status":400}"#),
        Do::Answer(401, r#"{"code":20003}"#),
        Do::Answer(404, r#"{"code":20404}"#),
        Do::Answer(429, r#"{"code":20429}"#),
        Do::Answer(410, ""),
    ];
    let sink = Sink::start(&script, TAKEN).await;
    let account = account(&sink, Way::Sms, "+4930111", &["+4915112345678"]);
    let [page, ..] = life();
    let error = "+4915112345678: it answered 400 (Twilio's error 21211): it rejects this page for good".to_owned();
    assert_eq!(account.send(&page).await, Sent::Rejected { error });
    for expected in ["refused", "refused", "retry", "refused", "accepted"] {
        assert_eq!(word(&account.send(&page).await), expected);
    }
}

#[tokio::test]
async fn overload_and_broken_ways_are_tried_again() {
    check_trouble_is_tried_again(|sink| account(sink, Way::Call, "+4930111", &["+4915112345678"])).await;
}

#[test]
fn a_text_message_keeps_to_its_alphabet_so_that_it_is_one() {
    assert_eq!(gsm("Köln – “ok” [1] 日本", 160), "Köln - \"ok\" [1] ??");
    assert_eq!(gsm("[]ab", 5), "[]a");
    assert_eq!(gsm(&"ü".repeat(200), 160).chars().count(), 160);
}

#[test]
fn numbers_and_ids_have_their_form() {
    assert!(is_number("+4930123456") && is_sid(ACCOUNT, "AC"));
    for wrong in ["030123456", "+0301234567", "+49 30 123456", "+49301234567890123", "+49\r\n301234567", ""] {
        assert!(!is_number(wrong), "{wrong}");
    }
    assert!(!is_sid("AC0123", "AC") && !is_sid(ACCOUNT, "MG"));
}
