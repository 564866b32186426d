//! `[[settings]]`: scopes, checks, and everything that is wrong with them.

use super::*;
use crate::domain::settings::Scope;

#[test]
fn settings_are_for_one_scope_each_and_say_where_they_stand() {
    let text = "[[settings]]\ninterval = \"1m\"\n[[settings]]\nlabel = \"environment=dev\"\n\
                [[settings.check]]\nname = \"db\"\nkind = \"tcp\"\naddress = \"[::1]:5432\"\nattempts = 2\n\
                [[settings.check]]\nname = \"ssh\"\nenabled = false\n";
    let config = read(text).unwrap();
    let [all, dev] = &config.settings[..] else { panic!("{:?}", config.settings) };
    assert_eq!(
        (&all.scope, all.report_ms, all.origin.as_str()),
        (&Scope::All, Some(60_000), "[[settings]], collector.toml:1")
    );
    assert_eq!(dev.scope, Scope::Label("environment".into(), "dev".into()));
    let lines = "name = \"db\"\nkind = \"tcp\"\naddress = \"[::1]:5432\"\nattempts = 2\n";
    let checks: Vec<_> = dev.checks.iter().map(|check| (check.name.as_str(), check.lines.as_deref())).collect();
    assert_eq!(checks, [("db", Some(lines)), ("ssh", None)]);
}

#[test]
fn every_mistake_in_settings_is_told_with_its_line() {
    let text = r#"
[[settings]]
class = "router"
site = "berlin"
interval = "1h"
colour = "blue"
[[settings.check]]
name = "a"
kind = "tcp"
address = "nowhere"
interval = "0s"
attempts = 1.5
[[settings.check]]
name = "a"
kind = "file_age"
path = "/etc/shadow"
[[settings.check]]
name = "device.1"
kind = "http"
url = "ftp://a/"
ca = "/etc/shadow"
[[settings.check]]
kind = "plugin"
plugin = "disk"
arguments = ["-c", "id"]
[[settings.check]]
name = "c"
kind = "icmp"
count = 21
"#;
    let all = mistakes(text);
    let expected = [
        ("2: settings[1].", "one of class, site, label and host"),
        ("3: settings[1].class", "one of server, workstation, device"),
        ("5: settings[1].interval", "a time from 1s to 5m"),
        ("6: settings[1].colour", "known are: class, site, label, host, interval, check"),
        ("7: settings[1].check[1].attempts", "a whole number"),
        ("10: settings[1].check[1].address", "\"host:port\""),
        ("11: settings[1].check[1].interval", "a time from 1s to 24h"),
        ("14: settings[1].check[2].name", "a name that no other check here has"),
        ("15: settings[1].check[2].kind", "only its own agent.toml may ask for"),
        ("18: settings[1].check[3].name", "the checks of devices"),
        ("20: settings[1].check[3].url", "a URL that begins with http"),
        ("21: settings[1].check[3].ca", "the machine's own agent.toml only"),
        ("22: settings[1].check[4].name", "it is missing"),
        ("25: settings[1].check[4].arguments", "the machine's own agent.toml only"),
        ("26: settings[1].check[5].address", "it is missing"),
        ("29: settings[1].check[5].count", "a number from 1 to 20"),
    ];
    for (place, why) in expected {
        let found = all.iter().find(|line| line.starts_with(&format!("collector.toml:{place}")));
        assert!(found.is_some_and(|line| line.contains(why)), "{place} {why}\n{}", all.join("\n"));
    }
    assert_eq!(all.len(), expected.len(), "{}", all.join("\n"));
}
