//! Settings from the collector: pushed while the agent runs, kept by it, refused by the machine in its own words.

use std::path::{Path, PathBuf};

use muster_tests::{Agent, Collector, Webhook, eventually};
use serde_json::Value;

use crate::checks::{Service, check, check_is, told};
use crate::s;

/// A document of settings in a file of the collector's.
fn document(collector: &Collector, text: &str) -> PathBuf {
    let file = collector.home().join("settings.toml");
    std::fs::write(&file, text).expect("a file in a directory of our own");
    file
}

async fn set(collector: &Collector, scope: &str, text: &str) {
    let file = document(collector, text);
    collector.cli(&["settings", "set", scope, &file.display().to_string()]).await;
}

/// Waits until a host stands so to its settings; what it says of them.
async fn settings_are(collector: &Collector, host: &str, state: &str) -> Value {
    let are = || async {
        let host = collector.get(&format!("/api/v1/hosts/{host}")).await.json();
        Some(host["settings"].clone()).filter(|settings| settings["state"] == state)
    };
    eventually(&format!("settings are {state}"), s(20), are).await
}

/// A check that runs each second, and counts at once.
fn quick(name: &str, lines: &str) -> String {
    format!("[[check]]\nname = \"{name}\"\n{lines}\ninterval = \"1s\"\ntimeout = \"2s\"\nattempts = 1\n")
}

#[tokio::test]
async fn a_check_set_for_a_class_by_command_runs_without_a_restart_pages_and_is_gone_with_its_scope() {
    let hook = Webhook::start().await;
    let collector = Collector::start(&hook.receiver()).await;
    let mut service = Service::start().await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure("interval = \"1s\"\n");
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    let before = settings_are(&collector, &agent.host, "applied").await;
    assert_eq!((&before["version"], &before["local"]), (&1.into(), &serde_json::json!(["interval"])));

    let address = format!("kind = \"tcp\"\naddress = \"127.0.0.1:{}\"", service.port);
    set(&collector, "class=server", &quick("shop", &address)).await;
    check_is(&collector, &agent.host, "shop", "ok").await;
    let after = settings_are(&collector, &agent.host, "applied").await;
    assert_eq!(after["version"], 2);
    let of: Value =
        serde_json::from_str(&collector.cli(&["--json", "settings", "of", &agent.name]).await).expect("JSON");
    let from =
        |key: &str| of["keys"].as_array()?.iter().find(|item| item["key"] == key)?["from"].as_str().map(str::to_owned);
    assert!(from("check.shop").is_some_and(|from| from.starts_with("settings of class=server, made by ")), "{of}");
    assert_eq!(from("report").as_deref(), Some("this machine's own agent.toml, which wins"));

    service.stop().await;
    let opened = hook.wait("incident.opened", s(20)).await;
    assert_eq!(opened.key(), format!("check/{}/shop", agent.host));

    // It is kept: a restart neither forgets the check nor tells that it is gone.
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    let again = || async { (told(&collector, "shop").len() >= 3).then_some(()) };
    eventually("it is run again", s(20), again).await;
    assert!(told(&collector, "shop").iter().all(|(status, _)| *status != 4), "{:?}", told(&collector, "shop"));
    assert_eq!(settings_are(&collector, &agent.host, "applied").await["version"], 2, "nothing has changed");
    assert_eq!(hook.of("incident.resolved").len(), 0);

    collector.cli(&["settings", "remove", "class=server"]).await;
    let gone = || async { check(&collector, &agent.host, "shop").await.is_none().then_some(()) };
    eventually("the check is gone", s(20), gone).await;
    let resolved = hook.wait("incident.resolved", s(20)).await;
    assert_eq!(resolved.key(), opened.key());
    let runs = agent.log().matches("the agent runs").count();
    assert_eq!(runs, 2, "no restart but ours: {}", agent.log());
    let store = rusqlite::Connection::open(collector.state().join("state.db")).expect("the store is a database");
    let lines = "SELECT count(*) FROM audit WHERE action LIKE 'settings.%' AND subject = 'class=server'";
    assert_eq!(store.query_row(lines, [], |row| row.get::<_, i64>(0)), Ok(2), "both are in the audit log");
}

#[tokio::test]
async fn what_a_machine_does_not_allow_it_refuses_in_its_own_words_and_keeps_the_last_good() {
    let collector = Collector::start("").await;
    let mut agent = Agent::enrolled(&collector, "fast", None).await;
    agent.configure(
        "interval = \"1s\"\nremote_checks = \"named_plugins\"\n[plugins.fine]\ncommand = [\"/bin/echo\", \"all is fine\"]\n",
    );
    agent.run();
    let host = agent.host.clone();
    let scope = format!("host={}", agent.name);
    let plugin = |name: &str| quick(name, &format!("kind = \"plugin\"\nplugin = \"{name}\""));
    set(&collector, &scope, &plugin("fine")).await;
    let fine = check_is(&collector, &host, "fine", "ok").await;
    assert_eq!(fine["output"], "all is fine");

    set(&collector, &scope, &(plugin("fine") + &plugin("sh"))).await;
    let refused = settings_are(&collector, &host, "refused").await;
    let says = refused["says"].as_str().unwrap_or_default().to_owned();
    let words = "check \"sh\".plugin = \"sh\": expected a plugin that this host defines in [plugins.NAME] or \
                 plugins.d/NAME.toml: \"fine\" are defined";
    assert!(says.contains(words), "{says}");
    let finding = format!(
        "muster_finding{{host=\"{}\",component=\"settings\",rule=\"settings_refused\",severity=\"warning\"}}",
        agent.name
    );
    let exposed = || async { collector.metric(&finding).await };
    assert_eq!(eventually("the refusal is a finding", s(10), exposed).await, 1.0);
    let view = collector.get(&format!("/hosts/{host}")).await.body;
    assert!(view.contains("a plugin that this host defines") && view.contains("refuses version"), "{view}");
    let checks = collector.get(&format!("/api/v1/hosts/{host}")).await.json()["checks"].clone();
    assert_eq!(checks.as_array().map(Vec::len), Some(1), "the last good ones hold: {checks}");

    set(&collector, &scope, &plugin("fine").replace("\"1s\"", "\"2s\"")).await;
    settings_are(&collector, &host, "applied").await;
    let over = || async { collector.metric(&finding).await.is_none().then_some(()) };
    eventually("the finding is over", s(10), over).await;

    // A machine that takes none at all: neither those that are kept from before nor new ones.
    agent.configure("interval = \"1s\"\nremote_checks = \"none\"\n");
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    let refused = settings_are(&collector, &host, "refused").await;
    let says = refused["says"].as_str().unwrap_or_default();
    assert!(says.contains("remote_checks = \"none\" in this machine's agent.toml"), "{says}");
    let gone = || async { check(&collector, &host, "fine").await.is_none().then_some(()) };
    eventually("its checks are gone", s(20), gone).await;
}

#[tokio::test]
async fn a_wrong_document_is_refused_with_everything_that_is_wrong_and_sent_to_nobody() {
    let collector = Collector::start("").await;
    let file = document(&collector, "[[check]]\nname = \"a\"\nkind = \"tcp\"\naddress = \"x\"\ninterval = \"1 day\"\n");
    let file = file.display().to_string();
    let said = collector.try_cli(&["settings", "set", "all", &file]).await;
    assert_eq!(said.code, 1, "{}", said.all());
    for part in ["settings:4: check[1].address = \"x\"", "settings:5: check[1].interval = \"1 day\""] {
        assert!(said.err.contains(part), "{part}\n{}", said.all());
    }
    let said = collector.try_cli(&["settings", "set", "everybody", &file]).await;
    assert!(said.code == 1 && said.err.contains("class=CLASS"), "{}", said.all());
    let said = collector.try_cli(&["settings", "remove", "site=nowhere"]).await;
    assert!(said.code == 1 && said.err.contains("muster-collector settings list"), "{}", said.all());
}

/// What the collector takes an agent takes, and what it refuses no agent would.
#[test]
fn both_ends_read_the_same_definitions() {
    use muster_collector::domain::settings::Scope;
    let at_agent = |lines: &str| muster_agent::config::Config::parse(Path::new("agent.toml"), lines).is_ok();
    let at_collector = |lines: &str| muster_collector::config::parse_settings(lines, Scope::All, String::new()).is_ok();
    let good = [
        "kind = \"tcp\"\naddress = \"[2001:db8::1]:22\"",
        "kind = \"http\"\nurl = \"https://a.example/x?y\"\nmethod = \"HEAD\"\nstatus = \"200-299,401\"\nredirects = 0",
        "kind = \"http\"\nurl = \"http://a/\"\nbody_contains = \"ok\"\nwarning_latency = \"500ms\"\ncritical_latency = \"5s\"",
        "kind = \"certificate\"\naddress = \"a:443\"\nserver_name = \"b.example\"\nwarning_days = 40\ncritical_days = 0",
        "kind = \"dns\"\nquery = \"a.example.\"\ntype = \"MX\"\nserver = \"192.0.2.1\"\nexpect = [\"192.0.2.2\"]",
        "kind = \"icmp\"\naddress = \"192.0.2.1\"\ncount = 20",
        "kind = \"unit\"\nunit = \"nginx.service\"",
        "kind = \"tcp\"\naddress = \"a:1\"\ninterval = \"24h\"\ntimeout = \"5m\"\nattempts = 100\nretry_interval = \"1s\"",
    ];
    let wrong = [
        "kind = \"tcp\"",
        "kind = \"ftp\"",
        "kind = \"tcp\"\naddress = \"a\"",
        "kind = \"tcp\"\naddress = \"a:0\"",
        "kind = \"tcp\"\naddress = \"a:1\"\nurl = \"http://a/\"",
        "kind = \"tcp\"\naddress = \"a:1\"\ninterval = \"25h\"",
        "kind = \"tcp\"\naddress = \"a:1\"\ntimeout = \"301s\"",
        "kind = \"tcp\"\naddress = \"a:1\"\nattempts = 0",
        "kind = \"tcp\"\naddress = \"a:1\"\ninterval = 60",
        "kind = \"http\"\nurl = \"file:///etc/shadow\"",
        "kind = \"http\"\nurl = \"http://user@a/\"",
        "kind = \"http\"\nurl = \"http://a/\"\nmethod = \"POST\"",
        "kind = \"http\"\nurl = \"http://a/\"\nstatus = \"299-200\"",
        "kind = \"certificate\"\naddress = \"a:443\"\nwarning_days = 4000",
        "kind = \"dns\"\nquery = \"a..b\"",
        "kind = \"dns\"\nquery = \"a\"\ntype = \"AXFR\"",
        "kind = \"dns\"\nquery = \"a\"\nserver = \"ns.example\"",
        "kind = \"icmp\"\naddress = \"a\"\ncount = 0",
        "kind = \"unit\"\nunit = \"/etc/a.service\"",
        "kind = \"plugin\"",
    ];
    for (lines, is_good) in good.iter().map(|lines| (lines, true)).chain(wrong.iter().map(|lines| (lines, false))) {
        let check = format!("[[check]]\nname = \"x\"\n{lines}\n");
        assert_eq!((at_agent(&check), at_collector(&check)), (is_good, is_good), "{lines}");
    }
}
