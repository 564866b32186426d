//! Collectors that are reached through an HTTP proxy alone. The stories of a real one need root and tinyproxy.

use muster_tests::network::Network;
use muster_tests::process::{Said, run};
use muster_tests::proxy::{Tinyproxy, answering, opening_tls};
use muster_tests::{Agent, Collector, eventually};
use rustix::process::Signal;

use crate::s;

const PASSWORD: &str = "secret-of.ours";

/// Tries to enrol with further arguments, at an address that only the proxy's machine can reach.
async fn enrol(agent: &Agent, collector: &Collector, arguments: &[&str]) -> Said {
    let file = agent.home().join("token");
    std::fs::write(&file, collector.token("fast").await).expect("a file in a directory of our own");
    let mut command = agent.command();
    command.args(["enrol", "--collector", &collector.address(), "--token-file"]).arg(&file).args(arguments);
    run(&mut command).await
}

fn password_file(agent: &Agent, password: &str) -> String {
    let file = agent.home().join("password");
    std::fs::write(&file, format!("{password}\n")).expect("a file in a directory of our own");
    file.display().to_string()
}

#[tokio::test]
async fn through_a_real_proxy_an_agent_enrols_streams_and_is_back_by_itself_with_all_records_when_the_proxy_was_gone() {
    let collector = Collector::start("").await;
    let network = Network::make().await;
    let mut proxy = Tinyproxy::start(PASSWORD, &[collector.grpc]).await;
    let mut agent = Agent::new(Some(&network));
    // The collector is at this machine's loopback, which is another one in the agent's network.
    let direct = enrol(&agent, &collector, &[]).await;
    assert!(direct.code == 1 && direct.err.contains("cannot be reached"), "{}", direct.all());

    let url = format!("http://me@{}", network.outside(proxy.port));
    let file = password_file(&agent, PASSWORD);
    let said = enrol(&agent, &collector, &["--proxy", &url, "--proxy-password-file", &file]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.all(), proxy.log());
    agent.host = said.out.split("(host ").nth(1).and_then(|rest| rest.split(')').next()).expect("its id").to_owned();
    let stated = std::fs::read_to_string(agent.home().join("agent.toml")).expect("its settings");
    assert!(stated.contains(&format!("proxy = \"{url}\"")), "{stated}");
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    let ordered = format!("CONNECT {} HTTP/1.1", collector.address());
    assert!(proxy.log().matches(&ordered).count() >= 2, "{}", proxy.log());
    assert_eq!(collector.facts("rollup").len(), 0);

    proxy.kill().await;
    let told = || async { agent.log().contains("the proxy cannot be reached").then_some(()) };
    eventually("the agent says that the proxy is away", s(20), told).await;
    // Seen from the collector the host is at the proxy's address, which answers.
    collector.host_is(&agent.host, "agent_lost", s(20)).await;
    proxy.run().await;
    collector.host_is(&agent.host, "up", s(60)).await;
    let kept = || async { collector.facts("rollup").first().cloned() };
    let rollup = eventually("what was read meanwhile is there", s(10), kept).await;
    assert!(rollup.to_string().contains("memory_available_bytes"), "{rollup}");

    let doctor = run(&mut agent.command_on_machine("doctor")).await;
    let way = format!("through the proxy {}", network.outside(proxy.port));
    assert!(doctor.out.contains(&way) && doctor.out.contains("is the one this host trusts"), "{}", doctor.all());
    for text in [agent.log(), doctor.all(), collector.log()] {
        assert!(!text.contains("secret"), "{text}");
    }

    // A machine that stands still keeps its connection to the proxy, which answers for itself and for nobody else.
    agent.process().signal(Signal::STOP);
    let host = collector.host_is(&agent.host, "down", s(20)).await;
    assert!(host["why"].as_str().is_some_and(|why| why.contains("cannot be looked at")), "{host}");
    agent.process().signal(Signal::CONT);
    collector.host_is(&agent.host, "up", s(60)).await;
}

#[tokio::test]
async fn through_a_real_proxy_a_wrong_password_none_and_another_port_are_told_apart() {
    let collector = Collector::start("").await;
    let proxy = Tinyproxy::start("right", &[collector.grpc]).await;
    let elsewhere = Tinyproxy::start("right", &[9]).await;
    for (port, user, password, told) in [
        (proxy.port, "me@", Some("wrong"), "does not take this user and password (401"),
        (proxy.port, "", None, "asks for a user and a password (407"),
        (elsewhere.port, "me@", Some("right"), "refuses (403"),
    ] {
        let agent = Agent::new(None);
        let url = format!("http://{user}127.0.0.1:{port}");
        let file = password_file(&agent, password.unwrap_or_default());
        let mut arguments = vec!["--proxy", &url];
        if password.is_some() {
            arguments.extend(["--proxy-password-file", &file]);
        }
        let said = enrol(&agent, &collector, &arguments).await;
        assert!(said.code == 1 && said.err.contains(told), "{told}: {}\n{}", said.all(), proxy.log());
        assert!(said.err.contains(&format!("127.0.0.1:{port}")), "{}", said.err);
        let stated = std::fs::read_to_string(agent.home().join("agent.toml")).expect("its settings");
        assert!(!stated.contains("proxy"), "nothing is written before it has worked: {stated}");
    }
}

#[tokio::test]
async fn a_proxy_that_answers_a_page_or_opens_tls_is_told_with_the_remedy_and_hears_no_token() {
    let collector = Collector::start("").await;
    let page = answering("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>Please sign in</html>");
    let no_http = answering("<html>It works!</html>");
    let opened = opening_tls("Corp TLS Inspection CA");
    for (proxy, told) in [
        (page, vec!["answers with a page of its own", "captive portal"]),
        (no_http, vec!["no HTTP proxy", "It works!", "[collector]"]),
        (opened, vec!["CN=Corp TLS Inspection CA", "seems to open TLS", "except 127.0.0.1"]),
    ] {
        let agent = Agent::new(None);
        let said = enrol(&agent, &collector, &["--proxy", &format!("http://{proxy}")]).await;
        assert_eq!(said.code, 1, "{}", said.all());
        assert!(told.iter().all(|words| said.err.contains(words)), "{told:?}: {}", said.err);
        assert_eq!(said.err.lines().filter(|line| line.starts_with("muster-agent:")).count(), 1, "{}", said.err);
    }

    // One that begins to open TLS later.
    let mut agent = Agent::up(&collector, "fast").await;
    assert_eq!(agent.stop().await, 0);
    agent.configure(&format!("[collector]\nproxy = \"http://me:secret@{opened}\"\n"));
    agent.run();
    let told = || async { agent.log().contains("seems to open TLS").then_some(()) };
    eventually("the agent says what is wrong", s(20), told).await;
    assert!(agent.log().contains("CN=Corp TLS Inspection CA"), "{}", agent.log());
    let doctor = run(&mut agent.command_on_machine("doctor")).await;
    assert!(doctor.out.contains("seems to open TLS") && doctor.out.contains("chmod 640"), "{}", doctor.all());
    assert_eq!(run(agent.command().arg("check-config")).await.out, "the configuration is fine\n");
    agent.configure("[collector]\nproxy = \"http://me:secret@nowhere\"\n");
    let wrong = run(agent.command().arg("check-config")).await;
    assert!(wrong.code == 64 && wrong.err.contains("collector.proxy: expected HOST:PORT"), "{}", wrong.all());
    for text in [agent.log(), doctor.all(), wrong.all()] {
        assert!(!text.contains("secret"), "{text}");
    }
}
