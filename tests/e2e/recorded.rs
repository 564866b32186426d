//! Agents and collectors of other versions: what was said once is understood for good, and what is said later is passed over
//! where it is not known. The sessions in `tests/fixtures/wire` are made by `tests/src/record.rs`.

mod later;

use std::collections::BTreeMap;
use std::path::PathBuf;

use muster_proto::v1::{self, agent_message, collector_message, record};
use muster_tests::process::root;
use muster_tests::raw::{Raw, facts};
use muster_tests::wire::{Door, Line, Recording, Side};
use muster_tests::{Agent, Collector, eventually};
use prost::Message as _;

use crate::s;

/// The versions whose sessions are kept.
const VERSIONS: [&str; 1] = ["0.1.0"];
/// What the recorded machine's own files said, as its exporter's page has it.
const READ: [&str; 3] =
    ["node_memory_MemTotal_bytes 2097152000", "node_load1 0.25", "node_context_switches_total 12345"];

fn recorded(version: &str) -> Recording {
    let file: PathBuf = root().join(format!("tests/fixtures/wire/{version}.session"));
    Recording::read(&file)
}

fn of_agent(bytes: &[u8]) -> agent_message::Body {
    let message = v1::AgentMessage::decode(bytes).expect("a message of the wire");
    message.body.expect("a message that is known")
}

fn of_collector(bytes: &[u8]) -> collector_message::Body {
    let message = v1::CollectorMessage::decode(bytes).expect("a message of the wire");
    message.body.expect("a message that is known")
}

fn hello_of(recording: &Recording) -> v1::Hello {
    match of_agent(&recording.of(Side::Agent)[0]) {
        agent_message::Body::Hello(hello) => hello,
        other => panic!("the first message is {other:?}"),
    }
}

/// How many records of each kind were told, under the names that the collector keeps them by, and the last one's number.
fn records(messages: &[Vec<u8>]) -> (BTreeMap<&'static str, usize>, u64) {
    let (mut kinds, mut last) = (BTreeMap::new(), 0);
    for bytes in messages {
        let agent_message::Body::Record(record) = of_agent(bytes) else { continue };
        last = last.max(record.sequence);
        let kind = match record.body.expect("a record that is known") {
            record::Body::Checks(_) => "checks",
            record::Body::Kernel(_) => "kernel",
            record::Body::Evidence(evidence) if evidence.source == "processes" => "evidence",
            record::Body::Evidence(_) => "hardware",
            record::Body::Inventory(_) => "inventory",
            record::Body::Rollup(_) => "rollup",
            record::Body::Gap(_) => "gap",
            record::Body::ClockStep(_) => "clock_step",
        };
        *kinds.entry(kind).or_default() += 1;
    }
    (kinds, last)
}

/// A host that says what the recorded one said, up to its goodbye; the collector has acknowledged its records.
async fn said_again(collector: &Collector, messages: &[Vec<u8>], last: u64) -> (Raw, Line) {
    let raw = Raw::enrolled(collector, facts("recorded")).await;
    let mut line = Line::open(raw.connect().await, messages[0].clone()).await.expect("it is let in");
    let welcome = line.next().await.expect("the session lives").expect("an answer");
    assert!(matches!(of_collector(&welcome), collector_message::Body::Welcome(_)));
    for message in &messages[1..] {
        line.say.send(message.clone()).await.expect("the session lives");
    }
    acknowledged(&mut line, last).await;
    (raw, line)
}

/// Listens until the collector acknowledges records through `last`; which it has put aside.
async fn acknowledged(line: &mut Line, last: u64) -> Vec<u64> {
    let mut refused = Vec::new();
    loop {
        let answer = line.next().await.expect("the session lives").expect("an answer");
        let collector_message::Body::Ack(ack) = of_collector(&answer) else { continue };
        refused.extend(ack.refused.iter().map(|refused| refused.sequence));
        if ack.through >= last {
            return refused;
        }
    }
}

/// The collector has what the recorded host said, and shows it.
async fn is_shown(collector: &Collector, raw: &Raw, version: &str, kinds: &BTreeMap<&'static str, usize>) {
    for (kind, count) in kinds.iter().filter(|(kind, _)| !["hardware", "inventory"].contains(*kind)) {
        assert_eq!(collector.facts(kind).len(), *count, "{kind}");
    }
    assert_eq!(collector.facts("refused").len(), 0, "{:?}", collector.facts("refused"));
    let gap = &collector.facts("gap")[0];
    assert!(gap["what"] == "readings" && gap["reason"].to_string().contains("the agent did not run for"), "{gap}");
    let step = &collector.facts("clock_step")[0];
    let wall = |which: &str| step[which]["wall_ms"].as_i64().expect("a number");
    assert!((3_598_000..3_602_000).contains(&(wall("after") - wall("before"))), "an hour: {step}");

    let host = collector.host_is(&raw.host, "up", s(20)).await;
    assert_eq!(host["facts"]["os_release"], "Example Linux 1", "{host:#}");
    let info = format!("muster_agent_info{{host=\"recorded\",version=\"{version}\"}}");
    assert_eq!(collector.metric(&info).await, Some(1.0));
    for (asked, count) in [(version, 1), ("*.*.*", 1), ("99.*", 0)] {
        let listed = collector.cli(&["host", "list", "--agent", asked]).await;
        assert_eq!(listed.lines().filter(|line| line.contains("recorded")).count(), count, "{asked}: {listed}");
    }
    let page = collector.get(&format!("/hosts/{}/metrics", raw.host)).await;
    for line in READ {
        assert!(page.body.contains(&format!("\n{line}\n")), "{line} is not on {}", page.body);
    }
    let checked = || async {
        let host = collector.host_is(&raw.host, "up", s(5)).await;
        let status = |name: &str| {
            let all = host["checks"].as_array().into_iter().flatten();
            all.filter(|check| check["name"] == name).map(|check| check["status"].clone()).next()
        };
        let mut findings = host["findings"].as_array().into_iter().flatten();
        let degraded = findings.any(|finding| finding["part"].to_string().contains("md0"));
        (status("job")? == "critical" && status("central")? == "critical" && degraded).then_some(())
    };
    eventually("both checks are critical, and its array lacks a half", s(20), checked).await;
    let found = collector.get(&format!("/api/v1/hosts/{}/evidence", raw.host)).await.json();
    let arrays = found["items"].as_array().into_iter().flatten().filter(|item| item["source"] == "mdstat").count();
    assert_eq!(arrays, 1, "{found:#}");
    let inventory = collector.get(&format!("/api/v1/hosts/{}/inventory", raw.host)).await.json();
    let column = |section: &str, field: &str| -> Vec<String> {
        let rows = inventory["sections"][section]["rows"].as_array().into_iter().flatten();
        rows.map(|row| row[field].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(column("packages", "version"), ["5.2.15-2", "3.0.11-1"], "bash and openssl: {inventory:#}");
    assert_eq!(column("users", "name"), ["ann", "root"]);
}

#[tokio::test]
async fn what_agents_of_earlier_versions_said_is_understood_and_shows_the_same() {
    for version in VERSIONS {
        let collector = Collector::start("").await;
        let messages = recorded(version).of(Side::Agent);
        let (goodbye, rest) = messages.split_last().expect("messages");
        let (kinds, last) = records(rest);
        let all = ["checks", "clock_step", "evidence", "gap", "hardware", "inventory", "rollup"];
        assert!(kinds.keys().eq(all.iter()), "every kind that agents tell: {kinds:?}");
        let (raw, mut line) = said_again(&collector, rest, last).await;
        is_shown(&collector, &raw, version, &kinds).await;
        line.say.send(goodbye.clone()).await.expect("the session lives");
        while line.next().await.expect("it ends in order").is_some() {}
    }
}

/// What a collector said, as said in a session with this agent: the life of its spool is told by 16 bytes, which are its own.
fn answered(recording: &Recording, to: &v1::Hello) -> Vec<Vec<u8>> {
    let then = hello_of(recording).epoch;
    let now = |bytes: Vec<u8>| {
        let at = bytes.windows(then.len()).position(|window| window == then);
        match at {
            Some(at) => [&bytes[..at], &to.epoch, &bytes[at + then.len()..]].concat(),
            None => bytes,
        }
    };
    recording.of(Side::Collector).into_iter().map(now).collect()
}

async fn greeting(line: &mut Line) -> v1::Hello {
    let first = line.next().await.expect("the session lives").expect("a message");
    match of_agent(&first) {
        agent_message::Body::Hello(hello) => hello,
        other => panic!("the first message is {other:?}"),
    }
}

/// Reads on until the agent has said what `wanted` wants.
async fn until<T>(line: &mut Line, wanted: impl Fn(agent_message::Body) -> Option<T>) -> T {
    loop {
        let bytes = line.next().await.expect("the session lives").expect("the agent stays");
        if let Some(found) = wanted(of_agent(&bytes)) {
            return found;
        }
    }
}

/// What the agent says of the settings of this version.
async fn applied(line: &mut Line, version: u64) -> String {
    let of = |body| match body {
        agent_message::Body::SettingsApplied(applied) if applied.version == version => Some(applied.error),
        _ => None,
    };
    until(line, of).await
}

/// What the agent answers to this question.
async fn answer(line: &mut Line, id: u64) -> String {
    let of = |body| match body {
        agent_message::Body::Answer(answer) if answer.id == id => Some(answer.error),
        _ => None,
    };
    until(line, of).await
}

/// Where the recorded collector stood: its count of sessions, and the version of its settings.
fn standing(answers: &[Vec<u8>]) -> (u64, u64) {
    match of_collector(&answers[0]) {
        collector_message::Body::Welcome(welcome) => {
            (welcome.generation, welcome.settings.map_or(0, |settings| settings.version))
        }
        other => panic!("the first answer is {other:?}"),
    }
}

/// An agent that knows the way to this door alone.
fn agent_of(door: &Door) -> Agent {
    let mut agent = Agent::new(None);
    door.enrol(&agent.state());
    agent.run();
    agent
}

#[tokio::test]
async fn what_collectors_of_earlier_versions_answered_is_understood_by_the_agent() {
    for version in VERSIONS {
        let recording = recorded(version);
        let mut door = Door::open().await;
        let agent = agent_of(&door);
        let mut line = door.call().await;
        let hello = greeting(&mut line).await;
        let answers = answered(&recording, &hello);
        let (generation, settings) = standing(&answers);
        let (drain, rest) = answers.split_last().expect("answers");
        for bytes in rest {
            line.say.send(bytes.clone()).await.expect("the session lives");
        }
        assert_eq!(applied(&mut line, settings).await, "");
        for id in [7, 8] {
            assert_eq!(answer(&mut line, id).await, "", "question {id}");
        }
        line.say.send(drain.clone()).await.expect("the session lives");
        // Asked to move it comes again, and knows what it was told.
        let again = greeting(&mut door.call().await).await;
        assert_eq!((again.generation, again.settings_version), (generation, settings));
        assert!(!agent.log().contains("the session is lost"), "{}", agent.log());
    }
}
