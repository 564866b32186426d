//! Identities in the wrong hands, names that are weapons, and tokens that nobody may see.

use muster_proto::v1::{self, agent_message::Body};
use muster_tests::process::{installed, run};
use muster_tests::raw::{Raw, Talk, facts, hello, now};
use muster_tests::{Agent, Collector, eventually, wait};
use tokio::process::Command;

use crate::s;

#[tokio::test]
async fn an_expired_token_is_refused_with_the_remedy_and_counted() {
    let collector = Collector::start("").await;
    let token = collector.cli(&["token", "create", "--kind", "single", "--ttl", "1s"]).await;
    wait::pass(s(1)).await;
    let said = Agent::new(None).enrol(&collector.address(), &token).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.err.contains("expired") && said.err.contains("token create"), "{}", said.err);
    assert!(collector.hosts().await.is_empty());
    assert_eq!(collector.metric("muster_enrolments_total{outcome=\"expired_token\"}").await, Some(1.0));
}

#[tokio::test]
async fn no_list_and_no_log_ever_shows_a_token() {
    let collector = Collector::start("[log]\nlevel = \"debug\"\n").await;
    let (used, unused) = (collector.token("fast").await, collector.token("fast").await);
    let mut agent = Agent::new(None);
    let mut shown = agent.enrol(&collector.address(), &used).await.all();
    shown += &agent.enrol(&collector.address(), &unused).await.all();
    shown += &Agent::new(None).enrol(&collector.address(), &used).await.all();
    agent.run();
    eventually("it is up", s(20), || async { collector.hosts().await.into_iter().find(|h| h["state"] == "up") }).await;
    for list in [&["token", "list"][..], &["token", "list", "--json"]] {
        let list = collector.cli(list).await;
        assert!(list.contains("single"), "{list}");
        shown += &list;
    }
    shown += &collector.get("/api/v1/hosts").await.body;
    shown += &collector.get("/metrics").await.body;
    shown += &collector.log();
    shown += &agent.log();
    for token in [&used, &unused] {
        // The last part is the secret; what is before names the token and its collector.
        let secret = token.rsplit(['.', '_', '-']).next().filter(|secret| secret.len() >= 20).expect("a secret");
        assert!(!shown.contains(token.as_str()) && !shown.contains(secret), "{shown}");
    }
    let state = std::fs::read(collector.state().join("state.db")).expect("the store");
    let kept = String::from_utf8_lossy(&state).contains(unused.as_str());
    assert!(!kept, "tokens are hashed at rest");
}

#[tokio::test]
async fn a_stolen_identity_is_refused_with_an_alarm_and_counted_and_the_first_stays() {
    let collector = Collector::start("").await;
    let agent = Agent::up(&collector, "fast").await;
    // Another machine has another boot; all that differs here.
    let raw = Raw::stolen_from(&agent, &collector);
    let refusal = raw.session(hello(7), false).await.expect_err("two machines with one identity");
    assert!(refusal.message().contains("enrol"), "{refusal:?}");
    let alarm = || async {
        let page = collector.get("/incidents").await.body;
        page.contains("two machines use the identity").then_some(())
    };
    eventually("an alarm", s(5), alarm).await;
    assert!(collector.metric("muster_reports_refused_total{reason=\"clone\"}").await >= Some(1.0));
    collector.host_is(&agent.host, "up", s(5)).await;
    let log = agent.log();
    assert_eq!(log.matches("the collector listens").count(), 1, "the first stays:\n{log}");
}

#[tokio::test]
async fn names_that_are_weapons_end_inert_in_metrics_discovery_and_pages() {
    const WEAPON: &str = "\"\n} 1\\</script><img src=x onerror=alert(1)>{{7*7}}";
    let collector = Collector::start("").await;
    let mut armed = facts(WEAPON);
    (armed.os_release, armed.kernel, armed.chassis) = (WEAPON.into(), WEAPON.into(), WEAPON.into());
    let raw = Raw::enrolled(&collector, armed.clone()).await;
    let hello = v1::Hello { facts: Some(armed), version: WEAPON.into(), ..hello(1) };
    let talk = raw.session(hello, false).await.expect("a welcome");
    reports_weapons(&talk, WEAPON).await;
    collector.host_is(&raw.host, "up", s(10)).await;

    for path in ["/metrics".to_owned(), format!("/hosts/{}/metrics", raw.host)] {
        let exposition = collector.get(&path).await.body;
        let file = collector.home().join("exposition");
        std::fs::write(&file, &exposition).expect("a file in a directory of our own");
        let mut check = Command::new("sh");
        check.arg("-c").arg(format!("{} check metrics < {}", promtool().display(), file.display()));
        let said = run(&mut check).await;
        // 3 = it parses, and lint has something to say of names.
        assert!(said.code == 0 || said.code == 3, "{path}: {}\n{exposition}", said.all());
        assert!(!said.all().contains("error while linting") && !exposition.contains("\n} 1"), "{path}:\n{exposition}");
    }
    let targets = collector.get("/prometheus/sd").await.json();
    assert_eq!(targets.as_array().map(Vec::len), Some(1), "{targets}");
    for page in ["/".to_owned(), format!("/hosts/{}", raw.host), "/incidents".to_owned()] {
        let page = collector.get(&page).await.body;
        assert!(!page.contains("<img") && !page.contains("</script><"), "{page}");
    }
    assert!(!collector.log().lines().any(|line| line.starts_with("} 1")), "{}", collector.log());
}

/// Readings whose labels, sources and help are weapons too.
async fn reports_weapons(talk: &Talk, weapon: &str) {
    let labels = vec!["mountpoint".into(), weapon.into()];
    let family = v1::Family { id: 1, name: "node_filesystem_files".into(), r#type: 2, help: weapon.into(), unit: 0 };
    let series = v1::Series { id: 1, family: 1, labels, ..v1::Series::default() };
    let dictionary = v1::Dictionary { families: vec![family], series: vec![series], ..v1::Dictionary::default() };
    talk.send(Body::Dictionary(dictionary)).await;
    let source = v1::SourceState { source: weapon.into(), state: 3, reason: weapon.into() };
    talk.send(Body::Readings(v1::Readings {
        clock: Some(now()),
        full: true,
        whole_gaps: vec![1],
        whole_diffs: vec![7],
        sources: vec![source],
        ..v1::Readings::default()
    }))
    .await;
}

fn promtool() -> std::path::PathBuf {
    installed("promtool", "prometheus")
}
