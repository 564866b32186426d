//! Machines whose clock is wrong. Needs libfaketime.

use std::path::Path;

use muster_tests::process::{Process, Said, run};
use muster_tests::{Agent, Collector, Webhook, eventually, faketime, never};
use tokio::process::Command;

use crate::s;

/// Its wall clock is `ahead`, such as `+365d`; time passes as always.
fn wrong(mut command: Command, ahead: &str) -> Command {
    faketime::set(&mut command, ahead);
    command
}

async fn enrol(agent: &Agent, collector: &Collector, ahead: &str) -> Said {
    let file = agent.home().join("token");
    std::fs::write(&file, collector.token("fast").await).expect("a file in a directory of our own");
    let mut command = wrong(agent.command(), ahead);
    command.args(["enrol", "--collector", &collector.address(), "--token-file"]).arg(&file);
    run(&mut command).await
}

fn start(agent: &Agent, ahead: &str, log: &Path) -> Process {
    let mut command = wrong(agent.command(), ahead);
    command.arg("run");
    Process::start("the agent with the wrong clock", &mut command, log)
}

#[tokio::test]
async fn a_clock_off_by_a_year_enrols_says_so_with_the_remedy_and_is_up_once_it_is_set() {
    let collector = Collector::start("").await;
    let bystander = Agent::up(&collector, "fast").await;
    for (ahead, seconds) in [("+365d", "by 315"), ("-365d", "by -315")] {
        let mut agent = Agent::new(None);
        let said = enrol(&agent, &collector, ahead).await;
        assert_eq!(said.code, 0, "{}", said.all());
        assert!(said.out.contains("clock differs") && said.out.contains(seconds), "{}", said.out);
        assert!(said.out.contains("timedatectl") && said.out.contains("cannot connect"), "{}", said.out);

        let process = start(&agent, ahead, &agent.home().join("wrong.log"));
        let told = || async { process.log().contains("clock is probably wrong").then_some(()) };
        eventually("it says why it does not connect", s(10), told).await;
        assert!(process.log().contains("timedatectl"), "{}", process.log());
        process.kill().await;
        assert!(collector.metric("muster_handshakes_total{outcome=\"failed\"}").await >= Some(1.0));

        agent.run();
        let host = said.out.split("(host ").nth(1).and_then(|rest| rest.split(')').next()).expect("its id");
        collector.host_is(host, "up", s(20)).await;
    }
    collector.host_is(&bystander.host, "up", s(5)).await;
}

#[tokio::test]
async fn a_clock_three_weeks_ahead_is_seen_and_its_certificate_renewed_at_once() {
    let collector = Collector::start("").await;
    let agent = Agent::enrolled(&collector, "fast", None).await;
    let before = std::fs::read(agent.state().join("identity.json")).expect("an identity");
    let process = start(&agent, "+21d", &agent.home().join("wrong.log"));
    collector.host_is(&agent.host, "up", s(20)).await;
    let series = format!("muster_host_clock_ahead_seconds{{host=\"{}\"}}", agent.name);
    let ahead = collector.metric(&series).await.expect("its clock is measured");
    assert!((ahead - 21.0 * 86_400.0).abs() < 60.0, "{ahead}");
    let page = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(page.contains("ahead of the collector"), "the view says so:\n{page}");

    // Past half of its life a certificate is renewed, tried on a new session, and only then the old one is void.
    let renewed = || async { process.log().contains("the renewed certificate is in use").then_some(()) };
    eventually("the certificate is renewed", s(20), renewed).await;
    assert_eq!(collector.metric("muster_enrolments_total{outcome=\"renewed\"}").await, Some(1.0));
    collector.host_is(&agent.host, "up", s(5)).await;
    assert_eq!(process.stop().await, 0);

    // Somebody who kept the old one is not let in.
    let after = std::fs::read(agent.state().join("identity.json")).expect("an identity");
    assert_ne!(before, after);
    std::fs::write(agent.state().join("identity.json"), before).expect("a file in a directory of our own");
    let old = start(&agent, "+0d", &agent.home().join("old.log"));
    let told = || async { old.log().contains("refuses this host").then_some(()) };
    eventually("the old certificate is refused", s(15), told).await;
    assert_eq!(collector.metric("muster_reports_refused_total{reason=\"unknown_certificate\"}").await, Some(1.0));
}

#[tokio::test]
async fn a_clock_set_back_an_hour_and_forward_a_day_while_it_runs_is_recorded_and_interrupts_nothing() {
    let collector = Collector::start("").await;
    let agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure("interval = \"1s\"");
    let clock = agent.home().join("clock");
    faketime::say(&clock, "+0");
    let mut command = wrong(agent.command(), &clock.display().to_string());
    command.arg("run");
    let process = Process::start("the agent whose clock is set", &mut command, &agent.home().join("agent.log"));
    collector.host_is(&agent.host, "up", s(20)).await;

    for (steps, offset, step_s) in [(1, "-3600", -3_600.0), (2, "+86400", 90_000.0)] {
        faketime::say(&clock, offset);
        let recorded = || async { collector.facts("clock_step").get(steps - 1).cloned() };
        let step = eventually("the step is recorded", s(20), recorded).await;
        let wall = |which: &str| step[which]["wall_ms"].as_f64().unwrap_or_else(|| panic!("{step}"));
        let by_s = (wall("after") - wall("before")) / 1_000.0;
        assert!((by_s - step_s).abs() < 2.0, "{by_s}: {step}");
        collector.host_is(&agent.host, "up", s(5)).await;
    }
    let log = process.log();
    assert_eq!(log.matches("the collector listens generation").count(), 1, "one session all along:\n{log}");
    assert_eq!(collector.facts("clock_step").len(), 2);
    assert!(collector.facts("gap").is_empty(), "nothing was missed: {:?}", collector.facts("gap"));
}

/// As where agent and collector keep the time of one kernel that says the last second of a day twice (adjtimex(2)).
#[tokio::test]
async fn a_leap_second_is_no_step_no_gap_and_no_incident_and_a_collector_started_again_in_it_tears_no_ledger() {
    let hook = Webhook::start().await;
    let mut collector = Collector::prepare(&hook.receiver());
    let clock = collector.home().join("clock");
    faketime::say(&clock, "+0");
    collector.clock = Some(clock.display().to_string());
    collector.run().await;
    let agent = Agent::enrolled(&collector, "fast", None).await;
    let mut command = wrong(agent.command(), &clock.display().to_string());
    let process = Process::start("the agent of a leap second", command.arg("run"), &agent.home().join("agent.log"));
    collector.host_is(&agent.host, "up", s(20)).await;

    faketime::say(&clock, "-1");
    // Longer than the agent's calm tick, and than the collector's beat.
    never("a step, a gap or a page", s(25), || async {
        let facts = [collector.facts("clock_step"), collector.facts("gap")].concat();
        let told = facts.into_iter().map(|fact| fact.to_string());
        let logged = [process.log(), collector.log()].into_iter().filter(|log| log.contains("clock was set"));
        told.chain(logged).chain(hook.messages().iter().map(|message| format!("{message:?}"))).next()
    })
    .await;
    assert_eq!(process.log().matches("the collector listens generation").count(), 1, "{}", process.log());

    // Once more, and its collector is killed in the second that comes again.
    faketime::say(&clock, "-2");
    collector.kill().await;
    collector.run().await;
    collector.host_is(&agent.host, "up", s(20)).await;
    never("a page", s(15), || async { hook.messages().pop() }).await;
    let ledger = collector.ledger(&agent.host);
    assert!(ledger.iter().all(|entry| entry.from_ms <= entry.to_ms && entry.state != "down"), "{ledger:#?}");
    assert!(ledger.windows(2).all(|pair| pair[0].to_ms == pair[1].from_ms), "torn: {ledger:#?}");
    assert!(collector.facts("clock_step").is_empty(), "{:?}", collector.facts("clock_step"));
}

#[tokio::test]
async fn a_machine_that_was_away_for_a_hundred_days_is_back_by_its_key_without_a_person() {
    let mut collector = Collector::prepare("");
    collector.clock = Some("-100d".into());
    collector.run().await;
    let mut agent = Agent::new(None);
    let said = enrol(&agent, &collector, "-100d").await;
    assert_eq!(said.code, 0, "{}", said.all());
    let host = said.out.split("(host ").nth(1).and_then(|rest| rest.split(')').next()).expect("its id").to_owned();
    let then = start(&agent, "-100d", &agent.home().join("then.log"));
    collector.host_is(&host, "up", s(20)).await;
    assert_eq!((then.stop().await, collector.stop().await), (0, 0));
    let before = std::fs::read(agent.state().join("identity.json")).expect("an identity");

    // Its certificate ended seventy days ago.
    collector.clock = None;
    collector.run().await;
    agent.run();
    collector.host_is(&host, "up", s(30)).await;
    assert!(agent.log().contains("certificate has ended while it was away"), "{}", agent.log());
    assert_eq!(collector.metric("muster_enrolments_total{outcome=\"recovered\"}").await, Some(1.0));
    assert_eq!(collector.hosts().await.len(), 1, "it is the host that it was");
    let in_use = || async {
        let now = std::fs::read(agent.state().join("identity.json")).ok()?;
        (now != before && !agent.state().join("identity.next.json").exists()).then_some(())
    };
    eventually("the new certificate is in use", s(10), in_use).await;
}
