//! Figures of the days on which clocks are set, and of a month that ends, by collectors whose clock says that it is then.
//! Needs libfaketime.

use muster_agent::clock::now;
use muster_collector::domain::{
    host::{Cause, State},
    ids::{HostId, HostNo},
    labels::{Admission, Class, Facts, Profile},
    record::{LivenessRow, Observed, Row, SpanRow},
    time::Timestamp,
    watch::Watch,
};
use muster_collector::store::Store;
use muster_tests::process::Process;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, eventually, faketime};
use serde_json::{Value, json};

use crate::s;

/// The same host by all clocks and by office hours.
const AGREEMENTS: &str = "[[agreement]]\nname = \"always\"\ntarget = 99.9\nzone = \"Europe/Berlin\"\nhosts = [\"*\"]\n\
     [[agreement]]\nname = \"office\"\ntarget = 99.9\nzone = \"Europe/Berlin\"\nhosts = [\"*\"]\n\
     service_hours = [{ days = [\"mon\", \"tue\", \"wed\", \"thu\", \"fri\"], from = \"08:00\", to = \"18:00\" }]\n";
/// From when the host is known, until the last collector was stopped, and when the next one starts.
const BEGUN: &str = "2026-02-01T00:00:00+01:00";
const STOPPED: &str = "2026-11-01T00:59:50+01:00";
const STARTED: &str = "@2026-10-31 23:59:55";
/// Outages, all told with the offset that the clocks of Berlin had.
const OUTAGES: [(&str, &str); 5] = [
    // Over the hour that the spring day lacks: one hour of time.
    ("2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"),
    // The first half hour of service after it: where hours step by fixed weeks, these begin at nine.
    ("2026-03-30T08:00:00+02:00", "2026-03-30T08:30:00+02:00"),
    // From half past two to half past two, in the hour that the autumn day has twice.
    ("2026-10-25T02:30:00+02:00", "2026-10-25T02:30:00+01:00"),
    ("2026-10-26T08:00:00+01:00", "2026-10-26T08:30:00+01:00"),
    // Over the end of the month.
    ("2026-10-31T23:30:00+01:00", "2026-11-01T00:30:00+01:00"),
];

/// As coreutils read it, which have calendar arithmetic of their own.
fn at(text: &str) -> Timestamp {
    let said = std::process::Command::new("date").args(["--date", text, "+%s"]).output().expect("coreutils are there");
    let seconds: i64 = String::from_utf8_lossy(&said.stdout).trim().parse().expect("seconds since 1970");
    Timestamp::from_ms(seconds * 1_000)
}

/// A store as a collector leaves it that watched one host all the time.
async fn fill(collector: &Collector) {
    let host = HostNo(1);
    let id: HostId = "01a20010-b3e9-7566-b91b-37403ca53dda".parse().expect("an id");
    let profile = Profile {
        no: host,
        id,
        name: "web-1".into(),
        class: Class::Server,
        site: None,
        watch: Watch::None,
        labels: Default::default(),
        layers: Default::default(),
        admission: Admission::Active,
        facts: Facts::default(),
    };
    let mut rows = vec![Row::Host(Box::new(profile))];
    let (mut n, mut from) = (0, at(BEGUN));
    let mut entry = |to: Timestamp, state: Observed, cause: Cause| {
        n += 1;
        let evidence = cause.words();
        rows.push(Row::Span(SpanRow { host, n, from, to, state, cause, evidence, learned: to, replaces: None }));
        from = to;
    };
    for (down, up) in OUTAGES {
        entry(at(down), Observed::Up, Cause::Reporting);
        entry(at(up), Observed::Down, Cause::Silence);
    }
    let (since, proof) = (at(OUTAGES[OUTAGES.len() - 1].1), at(STOPPED));
    let (state, cause) = (State::Up, Cause::Reporting);
    rows.push(Row::Liveness(LivenessRow {
        host,
        state,
        since,
        cause,
        boot_id: None,
        proof,
        peer: None,
        answered: None,
    }));
    let store = Store::open(&collector.state(), at(BEGUN)).expect("a store");
    store.commit(rows).await.expect("rows are stored");
    store.heartbeat(at(STOPPED)).await.expect("its run is noted");
}

async fn report(collector: &Collector, agreement: &str, period: &str) -> Value {
    let words = ["--json", "sla", "report", "--agreement", agreement, "--period", period];
    serde_json::from_str(&collector.cli(&words).await).expect("JSON")
}

#[tokio::test]
async fn months_and_the_days_on_which_clocks_are_set_are_as_long_as_they_are_in_berlin() {
    let mut collector = Collector::prepare(AGREEMENTS);
    fill(&collector).await;
    collector.clock = Some(STARTED.into());
    collector.run().await;
    // Agreement, period; seconds of the window, within service hours, and down. By hand: March is 31 days less the hour that
    // the 29th lacks, 31 x 86 400 - 3 600 = 2 674 800; October is 31 days and the hour that the 25th has twice, 2 682 000.
    // Each of the two months has 22 days from Monday to Friday, and each of these ten hours: 22 x 36 000 = 792 000. Both days
    // on which clocks are set are Sundays, and the 31st of October is a Saturday.
    let expected: [(&str, &str, i64, i64, i64); 9] = [
        ("always", "2026-03", 2_674_800, 2_674_800, 3_600 + 1_800),
        ("always", "2026-10", 2_682_000, 2_682_000, 3_600 + 1_800 + 1_800),
        ("always", "2026-03-29", 82_800, 82_800, 3_600),
        ("always", "2026-10-25", 90_000, 90_000, 3_600),
        ("office", "2026-03", 2_674_800, 792_000, 1_800),
        ("office", "2026-10", 2_682_000, 792_000, 1_800),
        ("office", "2026-03-30", 86_400, 36_000, 1_800),
        ("office", "2026-10-26", 86_400, 36_000, 1_800),
        ("office", "2026-10-25", 90_000, 0, 0),
    ];
    for (agreement, period, window_s, agreed_s, down_s) in expected {
        let told = report(&collector, agreement, period).await;
        let subject = &told["subjects"][0];
        assert_eq!(told["complete"], true, "{agreement} {period}: {told:#}");
        for (bucket, seconds) in [("window_ms", window_s), ("agreed_ms", agreed_s), ("down_ms", down_s)] {
            assert_eq!(subject[bucket], json!(seconds * 1_000), "{bucket} of {agreement} {period}: {subject:#}");
        }
        assert_eq!(subject["up_ms"], json!((agreed_s - down_s) * 1_000), "{agreement} {period}: {subject:#}");
        let expected = (agreed_s > 0).then(|| (agreed_s - down_s) as f64 / agreed_s as f64);
        let told = subject["availability_ratio"].as_f64();
        assert!(told == expected || (told.unwrap_or(-1.0) - expected.unwrap_or(1.0)).abs() < 1e-12, "{subject:#}");
    }
    let november = &report(&collector, "always", "2026-11").await;
    assert_eq!(
        (&november["complete"], &november["subjects"][0]["down_ms"]),
        (&json!(false), &json!(1_800_000)),
        "{november:#}"
    );
    // A thousandth of October is 2 682 s, and of its office hours 792 s: two hours and half an hour are more.
    for agreement in ["always", "office"] {
        assert_eq!(report(&collector, agreement, "2026-10").await["verdict"], "missed", "{agreement}");
    }
}

/// A collector and an agent whose clocks start at an instant of UTC.
async fn started_at(clock: &str, tables: &str) -> (Collector, Agent, Process) {
    let mut collector = Collector::prepare(tables);
    collector.clock = Some(clock.into());
    collector.run().await;
    let agent = Agent::new(None);
    let file = agent.home().join("token");
    std::fs::write(&file, collector.token("fast").await).expect("a file in a directory of our own");
    let told = |mut command: tokio::process::Command| {
        faketime::set(&mut command, clock);
        command
    };
    let mut enrol = told(agent.command());
    enrol.args(["enrol", "--collector", &collector.address(), "--token-file"]).arg(&file);
    let said = muster_tests::process::run(&mut enrol).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let mut run = told(agent.command());
    run.arg("run");
    let process = Process::start("the agent", &mut run, &agent.home().join("agent.log"));
    let up = || async { collector.hosts().await.pop().filter(|host| host["state"] == "up") };
    eventually("it is up", s(30), up).await;
    (collector, agent, process)
}

/// What the day's or month's report of the only host says, and how long the host was up in it.
async fn up_ms(collector: &Collector, agreement: &str, period: &str) -> (Value, i64) {
    let told = report(collector, agreement, period).await;
    let up = told["subjects"][0]["up_ms"].as_i64().unwrap_or_else(|| panic!("{told:#}"));
    (told, up)
}

#[tokio::test]
async fn a_collector_that_runs_while_clocks_are_set_loses_and_gains_no_second() {
    for (clock, day, from, until) in [
        ("@2026-03-29 00:59:45", "2026-03-29", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z"),
        ("@2026-10-25 00:59:45", "2026-10-25", "2026-10-24T22:00:00.000Z", "2026-10-25T23:00:00.000Z"),
    ] {
        let (collector, _agent, _process) = started_at(clock, AGREEMENTS).await;
        let (first, up_first) = up_ms(&collector, "always", day).await;
        let begun = now().boottime_ms;
        pass(s(20)).await;
        let (last, up_last) = up_ms(&collector, "always", day).await;
        let passed = i64::try_from(now().boottime_ms - begun).expect("a short time");
        assert!((20_000..=passed + 2_000).contains(&(up_last - up_first)), "{up_first} {up_last} {last:#}");
        assert_eq!((&last["period_from"], &last["period_to"]), (&json!(from), &json!(until)), "{last:#}");
        assert!(first["to"].as_str() < last["to"].as_str(), "{first:#}");
        for bucket in ["down_ms", "unknown_ms", "collector_down_ms"] {
            assert_eq!(last["subjects"][0][bucket], json!(0), "{last:#}");
        }
    }
}

#[tokio::test]
async fn at_the_end_of_a_month_the_next_one_begins_and_the_old_one_stays_as_it_was() {
    // 22:59:45 UTC is 23:59:45 in Berlin.
    let (collector, _agent, _process) = started_at("@2026-10-31 22:59:45", AGREEMENTS).await;
    let november = || async {
        let words = ["--json", "sla", "report", "--agreement", "always"];
        let told: Value = serde_json::from_str(&collector.cli(&words).await).expect("JSON");
        (told["period"] == "2026-11").then_some(told)
    };
    let told = eventually("it is November in Berlin", s(40), november).await;
    assert_eq!(told["period_from"], "2026-10-31T23:00:00.000Z", "{told:#}");
    let (october, up) = up_ms(&collector, "always", "2026-10").await;
    assert_eq!(october["complete"], true, "{october:#}");
    assert_eq!(october["subjects"][0]["window_ms"], json!(2_682_000_000_i64), "{october:#}");
    let outside = october["subjects"][0]["outside_hours_ms"].as_i64().expect("milliseconds");
    // Seconds before midnight it was enrolled: all of October before that is no service.
    assert_eq!(outside + up, 2_682_000_000, "{october:#}");
    assert!((1..=15_000).contains(&up), "{october:#}");
    pass(s(5)).await;
    assert_eq!(up_ms(&collector, "always", "2026-10").await.1, up, "what is over does not change");
}
