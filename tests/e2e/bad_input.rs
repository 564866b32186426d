//! Bad input gets a clear error that names the thing, the limit and the remedy, a counter, and hurts nobody else.

use std::path::Path;

use muster_tests::process::{program, run};
use muster_tests::{Agent, Collector, eventually};
use tokio::process::Command;

use crate::s;

#[tokio::test]
async fn a_used_token_is_refused_with_the_remedy_and_counted() {
    let collector = Collector::start("").await;
    let token = collector.token("normal").await;
    let first = Agent::new(None).enrol(&collector.address(), &token).await;
    assert_eq!(first.code, 0, "{}", first.all());

    let again = Agent::new(None).enrol(&collector.address(), &token).await;
    assert_eq!(again.code, 1, "{}", again.all());
    assert!(again.err.contains("no uses left") && again.err.contains("token create"), "{}", again.err);
    assert_eq!(collector.hosts().await.len(), 1);
    assert!(collector.metric_sum("muster_enrolments_total", "").await >= 2.0);
}

#[tokio::test]
async fn a_revoked_token_is_refused_with_the_remedy() {
    let collector = Collector::start("").await;
    let token = collector.token("normal").await;
    let list: serde_json::Value =
        serde_json::from_str(&collector.cli(&["token", "list", "--json"]).await).expect("JSON");
    let id = list[0]["id"].as_str().expect("a token has an id").to_owned();
    collector.cli(&["token", "revoke", &id]).await;

    let said = Agent::new(None).enrol(&collector.address(), &token).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.err.contains("token") && said.err.contains("token create"), "{}", said.err);
    assert!(collector.hosts().await.is_empty());
}

#[tokio::test]
async fn a_wrong_token_is_refused_before_anything_is_sent() {
    let collector = Collector::start("").await;
    let said = Agent::new(None).enrol(&collector.address(), "not a token").await;
    assert_eq!(said.code, 64, "{}", said.all());
    assert!(said.err.contains("token"), "{}", said.err);
}

#[tokio::test]
async fn a_wrong_ca_pin_is_noticed_by_the_agent_and_the_token_is_not_sent() {
    let collector = Collector::start("").await;
    let other = Collector::start("").await;
    let token = other.token("normal").await;
    let said = Agent::new(None).enrol(&collector.address(), &token).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.err.contains("nothing was sent") && said.err.contains(&collector.address()), "{}", said.err);
}

#[tokio::test]
async fn a_configuration_with_five_mistakes_reports_all_five_and_exits_64() {
    let home = tempfile::TempDir::new().expect("a directory");
    let collector = "[http]\nlisten = \"here\"\ncolour = 1\n[grpc]\nlisten = 7460\n[log]\nlevel = \"loud\"\n[[receiver]]\nname = \"x\"\nkind = \"pigeon\"\n";
    let agent = "state = \"here\"\ninterval = \"2h\"\ncolour = 1\nremote_checks = \"all\"\n[log]\nlevel = \"loud\"\n";
    for (name, text, keys) in [
        ("muster-collector", collector, ["http.listen", "colour", "grpc.listen", "level", "kind"]),
        ("muster-agent", agent, ["state", "interval", "colour", "remote_checks", "level"]),
    ] {
        let file = home.path().join(format!("{name}.toml"));
        std::fs::write(&file, text).expect("a file in a directory of our own");
        let said = run(Command::new(program(name)).arg("check-config").arg("--config").arg(&file)).await;
        assert_eq!(said.code, 64, "{}", said.all());
        for key in keys {
            assert!(said.err.contains(key), "{name}: {key} is not reported:\n{}", said.err);
        }
        assert!(said.err.contains(&file.display().to_string()), "{}", said.err);
    }
}

#[tokio::test]
async fn a_state_directory_that_cannot_be_written_is_named_with_the_remedy() {
    let collector = Collector::start("").await;
    let token = collector.token("normal").await;
    let file = collector.home().join("token");
    std::fs::write(&file, token).expect("a file in a directory of our own");
    // Below /proc nobody can make a directory, root included.
    let state = Path::new("/proc/muster");
    let mut enrol = Command::new(program("muster-agent"));
    enrol.args(["enrol", "--collector", &collector.address(), "--token-file"]).arg(&file).arg("--state").arg(state);
    let mut serve = Command::new(program("muster-collector"));
    serve.arg("serve").arg("--state").arg(state);
    for command in [&mut enrol, &mut serve] {
        let said = run(command).await;
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(said.all().contains("/proc/muster"), "{}", said.all());
    }
    assert!(collector.hosts().await.is_empty());
}

#[tokio::test]
async fn a_taken_port_is_named_with_the_setting_that_changes_it() {
    let first = Collector::start("").await;
    let mut second = Collector::prepare("");
    second.http = first.http;
    second.configure("");
    let code = second.spawn().ended(s(20)).await;
    assert_eq!(code, 1, "{}", second.log());
    let log = second.log();
    assert!(log.contains(&first.http.to_string()) && log.contains("listen"), "{log}");
}

#[tokio::test]
async fn a_second_agent_on_one_state_directory_is_refused_and_names_the_first() {
    let collector = Collector::start("").await;
    let agent = Agent::up(&collector, "fast").await;
    let said = run(agent.command().arg("run")).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.all().contains("in use") && said.all().contains(&agent.process().pid().to_string()), "{}", said.all());
    collector.host_is(&agent.host, "up", s(5)).await;
}

#[tokio::test]
async fn a_second_collector_on_one_state_directory_is_refused() {
    let collector = Collector::start("").await;
    let second = Collector::prepare("");
    let mut serve = Command::new(program("muster-collector"));
    serve.arg("serve").arg("--config").arg(second.config()).arg("--state").arg(collector.state());
    let said = run(&mut serve).await;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.all().contains("another collector") || said.all().contains("in use"), "{}", said.all());
    assert_eq!(collector.get("/-/ready").await.status, 200);
}

#[tokio::test]
async fn a_corrupt_database_is_set_aside_reported_and_never_deleted() {
    let mut collector = Collector::start("").await;
    let agent = Agent::up(&collector, "fast").await;
    collector.stop().await;
    let file = collector.state().join("state.db");
    let garbage = b"this is no database".repeat(1000);
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(collector.state().join(name));
    }
    std::fs::write(&file, &garbage).expect("a file in a directory of our own");

    collector.run().await;
    let aside = std::fs::read_dir(collector.state()).expect("the state").flatten().map(|entry| entry.path());
    let aside: Vec<_> = aside.filter(|path| path.to_string_lossy().contains("state.db.corrupt")).collect();
    assert_eq!(aside.len(), 1, "{aside:?}");
    assert_eq!(std::fs::read(&aside[0]).expect("set aside"), garbage, "untouched");
    assert!(collector.log().contains("set aside"), "{}", collector.log());
    // Its certificate still proves who it is: known by certificate, records lost.
    collector.host_is(&agent.host, "up", s(30)).await;
}

#[tokio::test]
async fn a_corrupt_spool_is_set_aside_reported_and_the_agent_goes_on() {
    let collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.stop().await;
    let spool = agent.state().join("spool");
    let files: Vec<_> = std::fs::read_dir(&spool).expect("the spool").flatten().map(|entry| entry.path()).collect();
    assert!(!files.is_empty());
    for file in &files {
        std::fs::write(file, "this is no spool").expect("a file in a directory of our own");
    }
    agent.run();
    collector.host_is(&agent.host, "up", s(30)).await;
    let aside = || async {
        let names = std::fs::read_dir(&spool).ok()?.flatten().map(|entry| entry.file_name());
        names.filter(|name| name.to_string_lossy().contains("corrupt")).count().checked_sub(1)
    };
    eventually("the damaged file is set aside", s(5), aside).await;
    assert!(agent.log().contains("aside"), "{}", agent.log());
}

#[tokio::test]
async fn who_is_no_agent_is_refused_at_the_agents_door_and_others_do_not_notice() {
    let collector = Collector::start("").await;
    let agent = Agent::up(&collector, "fast").await;
    for hello in [&b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"[..], &[0_u8; 64_000], b""] {
        use tokio::io::AsyncWriteExt as _;
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", collector.grpc)).await.expect("the door is open");
        // It may hang up before all is written.
        let _ = stream.write_all(hello).await;
    }
    let counted = || async { Some(collector.metric_sum("muster_handshakes_total", "").await).filter(|n| *n >= 3.0) };
    eventually("the handshakes are counted", s(20), counted).await;
    collector.host_is(&agent.host, "up", s(5)).await;
}

#[tokio::test]
async fn a_request_with_a_strangers_host_header_is_misdirected() {
    let collector = Collector::start("").await;
    let client = muster_tests::http::client();
    let answer = client.get(collector.url("/")).header("Host", "evil.example").send().await.expect("it answers");
    assert_eq!(answer.status().as_u16(), 421);
    let changed =
        client.post(collector.url("/api/v1/tokens")).body(r#"{"kind":"single"}"#).send().await.expect("it answers");
    assert!(
        [401, 403].contains(&changed.status().as_u16()),
        "loopback without a token only looks: {}",
        changed.status()
    );
}
