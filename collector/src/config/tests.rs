//! Every mistake is named with line, key, value and expectation; the example documents what exists.

mod agreement_text;
mod agreements;
mod backup;
mod devices;
mod heartbeats;
mod inventory;
mod oncall;
mod receivers;
mod redundancy;
mod reports;
mod retention;
mod services;
mod settings;
mod watchdogs;

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::{domain::severity::Severity, notify::receiver::ReceiverKind};

const EXAMPLE: &str = include_str!("../../../deploy/collector.example.toml");

fn read(text: &str) -> Result<Config, ConfigErrors> {
    parse(text, Path::new("collector.toml"))
}

fn mistakes(text: &str) -> Vec<String> {
    read(text).expect_err(text).mistakes.iter().map(ToString::to_string).collect()
}

/// The example with all its settings switched on, and every file it names made in `folder`.
fn example_switched_on(folder: &Path) -> String {
    let ca = rcgen::generate_simple_self_signed(["example.org".to_owned()]).unwrap().cert.pem();
    let mut text = String::new();
    for line in EXAMPLE.lines() {
        let setting = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ') && !rest.is_empty());
        text.push_str(setting.unwrap_or(line));
        text.push('\n');
    }
    for (name, content) in [
        ("https.pem", ca.as_str()),
        ("https.key", "key"),
        ("internal-ca.pem", ca.as_str()),
        ("on-call.secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        ("mail.password", "hunter2\n"),
        ("pagerduty.key", "abcdef0123456789abcdef0123456789\n"),
        ("pagerduty-api.token", "u+hunter2"),
        ("phone.token", "tk_hunter2"),
        ("phone-reply.token", "tk_hunter2"),
        ("slack.url", "https://hooks.slack.com/services/T0/B0/hunter2"),
        ("slack.token", "xoxb-hunter2"),
        ("teams.url", "https://prod.westeurope.logic.azure.com/workflows/1/invoke?sig=hunter2"),
        ("twilio.token", "hunter2"),
        ("tools.token", "hunter2"),
        ("page.sh", "#!/bin/sh"),
        ("watchdog.url", "https://hc-ping.com/hunter2"),
        ("backup.passphrase", "correct horse battery\n"),
        ("os-support.csv", "dated,2026-11-20\nubuntu,24.04,,2029-05-31,2036-05-31,Ubuntu Pro\n"),
    ] {
        std::fs::write(folder.join(name), content).unwrap();
    }
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder.join("page.sh"), executable).unwrap();
    text.replace("/etc/muster/", &format!("{}/", folder.display()))
}

#[test]
fn the_example_is_all_defaults_as_shipped() {
    let (shipped, empty) = (read(EXAMPLE).unwrap(), read("").unwrap());
    assert_eq!(format!("{shipped:?}"), format!("{empty:?}"));
}

#[test]
fn the_example_documents_every_key_and_shows_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let config = read(&example_switched_on(folder.path())).unwrap();
    assert_eq!(config.state, Path::new("/var/lib/muster/collector"));
    assert_eq!(config.grpc.listen, "0.0.0.0:7460".parse().unwrap());
    assert_eq!((config.http.names.len(), config.http.certificate.is_some()), (1, true));
    assert_eq!(config.rules.lines().len(), 3);
    for line in &config.rules.lines()[..1] {
        for (place, amount) in &line.change.limits {
            assert_eq!(*amount, line.rule.limits[*place].default, "{}", line.rule.limits[*place].key);
        }
    }
    let rule = &config.host_rules[0];
    assert!(rule.name.is_some() && rule.address.is_some() && rule.os.is_some());
    let says: Vec<_> = rule.says.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let expected = ["class=workstation", "department=finance", "owner=it-workplace", "site=berlin", "watch=relaxed"];
    assert_eq!(says, expected);
    let names: Vec<_> = config.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
    let expected = [
        "on-call",
        "mail",
        "pagerduty",
        "phone",
        "chat",
        "chat-bot",
        "teams",
        "calls",
        "script",
        "tools",
        "alertmanager",
    ];
    assert_eq!(names, expected);
    assert_eq!(config.receivers[10].severity, Severity::Info);
    assert!(config.receivers[0].templates.title.is_some() && config.receivers[0].templates.body.is_some());
    assert_eq!(config.warnings, Vec::<String>::new());
    let ReceiverKind::Webhook(webhook) = &config.receivers[0].kind else { panic!("not a webhook") };
    assert!(webhook.key.is_some() && webhook.ca.is_some());
    let printed = format!("{config:?}");
    assert!(["hunter2", "MfKQ9r8", "abcdef0123456789abcdef0123456789"].iter().all(|secret| !printed.contains(secret)));
}

/// All kinds of receiver.
const KINDS: [&str; 10] = [
    "webhook",
    "email",
    "pagerduty",
    "ntfy",
    "slack",
    "teams",
    "twilio",
    "script",
    "alertmanager_webhook",
    "alertmanager",
];

/// Keys that are tables of their own.
const TABLES: [&str; 30] = [
    "backup",
    "retention",
    "inventory",
    "receiver",
    "person",
    "rotation",
    "layer",
    "policy",
    "step",
    "route",
    "runbook",
    "heartbeat",
    "agreement",
    "report",
    "watchdog",
    "host_rule",
    "rules",
    "grpc",
    "http",
    "log",
    "overrides",
    "paging",
    "incidents",
    "redundancy",
    "service",
    "settings",
    "check",
    "device",
    "trends",
    "agents",
];

#[test]
fn every_key_that_is_read_stands_in_the_example() {
    let unknown = "nothing_called_this = 1\n";
    let folders = [
        "",
        "[grpc]\n",
        "[http]\n",
        "[paging]\n",
        "[incidents]\n",
        "[[redundancy]]\n",
        "[[service]]\nname = \"x\"\n",
        "[rules.filesystem_space]\n",
        "[log]\n",
        "[trends]\n",
        "[[person]]\n",
        "[[person]]\n[[person.contact]]\n",
        "[[rotation]]\n",
        "[[rotation]]\n[[rotation.layer]]\n",
        "[[policy]]\n",
        "[[policy]]\n[[policy.step]]\n",
        "[[route]]\n",
        "[[agreement]]\nname = \"x\"\n",
        "[[report]]\nname = \"x\"\n",
        "[[runbook]]\n",
        "[[heartbeat]]\nname = \"x\"\n",
        "[[watchdog]]\nname = \"x\"\n",
        "[[host_rule]]\nname = \"x\"\n",
        "[[device]]\nname = \"x\"\naddress = \"y\"\n",
        "[[settings]]\n",
        "[[settings]]\n[[settings.check]]\nname = \"x\"\nkind = \"http\"\nurl = \"http://a/\"\n",
    ];
    let kinds = KINDS.map(|kind| format!("[[receiver]]\nname = \"x\"\nkind = \"{kind}\"\n"));
    for folder in folders.into_iter().map(str::to_owned).chain(kinds) {
        let all = mistakes(&format!("{folder}{unknown}"));
        let known = all.iter().find_map(|line| line.split("known are: ").nth(1)).expect("the known keys are listed");
        for key in known.split(", ") {
            let documented = TABLES.contains(&key)
                || EXAMPLE.contains(&format!("#{key} = "))
                || EXAMPLE.contains(&format!(" {key} = "));
            assert!(documented, "{key} is read but not in the example");
        }
    }
}

#[test]
fn the_quota_of_trends_is_an_amount_within_reason() {
    assert_eq!(read("").unwrap().trends_quota, 2_147_483_648);
    assert_eq!(read("[trends]\nquota = \"500 MiB\"").unwrap().trends_quota, 524_288_000);
    let own =
        |text: &str| read(&format!("[agents]\nown_maintenance = \"{text}\"")).map(|config| config.own_maintenance_ms);
    assert_eq!(
        (read("").unwrap().own_maintenance_ms, own("30 min").unwrap(), own("off").unwrap()),
        (14_400_000, 1_800_000, 0)
    );
    assert!(own("25 h").unwrap_err().to_string().contains("from 1 min to 24 h, or \"off\""));
    for wrong in ["\"2\"", "2", "\"63 MiB\"", "\"2000 TiB\"", "\"10 %\""] {
        let said = mistakes(&format!("[trends]\nquota = {wrong}"));
        assert!(said.len() == 1 && said[0].contains(":2: trends.quota = ") && said[0].contains("64 MiB"), "{said:?}");
    }
}

#[test]
fn all_mistakes_are_reported_at_once_in_the_order_of_the_file() {
    let text = r#"
state = 5
colour = "blue"
[grpc]
listen = "everywhere"
[http]
require_authentication = "yes"
names = ["good.example", "bad name"]
certificate_file = "/nonexistent.pem"
[rules.filesystem_space]
warning = "120 %"
[log]
level = "loud"
[[receiver]]
name = "a"
kind = "pigeon"
[[receiver]]
name = "b"
kind = "webhook"
url = "http://169.254.169.254/latest"
secret = ["hunter2"]
[[receiver]]
name = "b"
kind = "email"
tls = "maybe"
[[host_rule]]
class = "toaster"

[[host_rule]]
name = "db-*"
address = "10.1.0.0/33"
labels = { site = "berlin", "Bad Name" = "x" }
"#;
    let all = mistakes(text);
    let starts: Vec<String> =
        all.iter().map(|line| line.split(": expected ").next().unwrap().replace("collector.toml:", "")).collect();
    assert_eq!(
        starts,
        [
            "2: state = 5",
            "3: colour = \"blue\"",
            "5: grpc.listen = \"everywhere\"",
            "6: http.certificate_file",
            "7: http.require_authentication = \"yes\"",
            "8: http.names = \"bad name\"",
            "9: http.certificate_file = \"/nonexistent.pem\"",
            "11: rules.filesystem_space.warning = \"120 %\"",
            "13: log.level = \"loud\"",
            "16: receiver[1].kind = \"pigeon\"",
            "20: receiver[2].url = \"http://169.254.169.254/latest\"",
            "21: receiver[2].secret = (hidden)",
            "22: receiver[3].server",
            "22: receiver[3].from",
            "22: receiver[3].to",
            "25: receiver[3].tls = \"maybe\"",
            "26: host_rule[1].name",
            "27: host_rule[1].class = \"toaster\"",
            "31: host_rule[2].address = \"10.1.0.0/33\"",
            "32: host_rule[2].labels = \"x\"",
            "32: host_rule[2].labels = \"berlin\"",
        ],
        "{all:#?}"
    );
    assert!(!all.join("\n").contains("hunter2"));
    assert!(all[11].contains("set secret_file to the path of a file"), "{}", all[11]);
    assert!(all[1].contains("known are: state, grpc"), "{}", all[1]);
}

#[test]
fn rules_and_overrides_are_refused_by_line_and_key() {
    let text = r#"
[rules.filesystem_spaces]
warning = "10 %"
[rules.memory_exhausted]
warning = 10
critical = "5 GiB"
hysteresis = "60 %"
[rules.filesystem_space]
critical = "30 %"
[rules.oom_kill]
critical = "off"
quiet = "off"
[overrides]
a = { rule = "filesystem_spac", host = "db-*" }
b = { rule = "cpu_pressure", mount = "/x", host = "db-*" }
c = { rule = "filesystem_space", warning = "3 %" }
d = { rule = "filesystem_space", mount = "/x", warning = "3 %" }
e = 5
f = { host = "db-*" }
g = { rule = "clock_off", label = "nothing", severity = "loud" }
h = { rule = "clock_off", class = "toaster", warning = [1] }
"#;
    let all = mistakes(text);
    let expected = [
        ("2: rules.filesystem_spaces", "known are: filesystem_space, filesystem_inodes"),
        ("5: rules.memory_exhausted.warning = 10", "a percentage such as \"10 %\", from 0 % to 100 %"),
        ("6: rules.memory_exhausted.critical = \"5 GiB\"", "a percentage such as"),
        ("7: rules.memory_exhausted.hysteresis = \"60 %\"", "from 0 % to 50 %"),
        ("8: rules.filesystem_space.critical", "no more than warning (10 %)"),
        ("12: rules.oom_kill.quiet = \"off\"", "a time such as"),
        ("14: overrides.a.rule = \"filesystem_spac\"", "the name of a rule: filesystem_space,"),
        ("15: overrides.b.mount = \"/x\"", "known are: rule, host, label, site, class, enabled"),
        ("16: overrides.c.rule", "for all hosts write [rules.filesystem_space]"),
        ("16: overrides.c.critical", "no more than warning (3 %)"),
        ("17: overrides.d.critical", "no more than warning (3 %)"),
        ("18: overrides.e = 5", "rule ="),
        ("19: overrides.f.rule", "it is missing"),
        ("20: overrides.g.label = \"nothing\"", "a label such as"),
        ("20: overrides.g.severity = \"loud\"", "info, warning, critical"),
        ("21: overrides.h.class = \"toaster\"", "workstation"),
        ("21: overrides.h.warning = [1 entries]", "a time such as"),
    ];
    assert_eq!(all.len(), expected.len(), "{all:#?}");
    for (line, (start, words)) in all.iter().zip(expected) {
        assert!(line.starts_with(&format!("collector.toml:{start}")), "{line}");
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn receiver_names_are_unique_and_signing_keys_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (key, url) = (folder.path().join("key"), folder.path().join("url"));
    std::fs::write(&key, "whsec_c2hvcnQ=").unwrap();
    std::fs::write(&url, "https://hooks.example.org/T0/SECRET\n").unwrap();
    let hook = |name: &str, more: &str| format!("[[receiver]]\nname = \"{name}\"\nkind = \"webhook\"\n{more}\n");
    let all = mistakes(&(hook("a", "url = \"http://localhost\"") + &hook("a", "url = \"http://localhost\"")));
    assert!(all.len() == 1 && all[0].contains("a name that no other receiver has"), "{all:?}");
    let all = mistakes(&hook("a", &format!("url = \"http://localhost\"\nsecret_file = {key:?}")));
    assert!(all.len() == 1 && all[0].contains("whsec_"), "{all:?}");
    let all = mistakes(&hook("a", "url = \"http://localhost\"\nsecret_file = \"/nonexistent\""));
    assert!(all.len() == 1 && all[0].contains("cannot") | all[0].contains("No such file"), "{all:?}");
    let config = read(&hook("a", &format!("url_file = {url:?}"))).unwrap();
    let ReceiverKind::Webhook(webhook) = &config.receivers[0].kind else { panic!("not a webhook") };
    assert_eq!(webhook.url.path(), "/T0/SECRET");
    let all = mistakes(&hook("a", &format!("url_file = {url:?}\nurl = \"http://localhost\"")));
    assert!(all.len() == 1 && all[0].contains("url = (hidden)"), "{all:?}");
}

#[test]
fn a_password_never_crosses_the_network_in_the_clear() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("password");
    std::fs::write(&file, "hunter2").unwrap();
    let mail = |server: &str, tls: &str| {
        format!(
            "[[receiver]]\nname = \"m\"\nkind = \"email\"\nserver = \"{server}\"\ntls = \"{tls}\"\nuser = \"u\"\n\
             password_file = {file:?}\nfrom = \"m@example.org\"\nto = [\"a@example.org\"]\n"
        )
    };
    assert!(mistakes(&mail("mail.example.org", "none"))[0].contains("in the clear"));
    assert!(read(&mail("mail.example.org", "starttls")).is_ok());
    assert!(read(&mail("127.0.0.1", "none")).is_ok());
}

#[test]
fn one_pages_and_it_is_said_who() {
    let hook = |name: &str| {
        format!("[[receiver]]\nname = \"{name}\"\nkind = \"webhook\"\nurl = \"http://hook.example.org/\"\n")
    };
    let pager = |text: &str| read(text).unwrap().pager();
    assert_eq!(pager(""), "Muster pages, and no messenger is configured");
    assert_eq!(pager(&(hook("a") + &hook("b"))), "Muster pages: a, b");
    let by = "[paging]\nby = \"alertmanager\"\n";
    assert_eq!(pager(by), "Alertmanager pages; Muster itself does not");
    assert_eq!(pager(&format!("{by}{}", hook("a"))), "Alertmanager pages; Muster sends only test pages to a");
    let all = mistakes("[paging]\nby = \"both\"\n");
    assert_eq!(all, ["collector.toml:2: paging.by = \"both\": expected one of muster, alertmanager"]);
}

#[test]
fn a_syntax_error_does_not_hide_the_other_mistakes() {
    let all = mistakes("[grpc]\nlisten = \n[log]\nlevel = \"loud\"\n");
    assert_eq!(all.len(), 2, "{all:?}");
    assert!(all[0].starts_with("collector.toml:2: TOML: "), "{}", all[0]);
    assert!(all[1].starts_with("collector.toml:4: log.level = \"loud\": expected one of"), "{}", all[1]);
}

#[test]
fn no_file_at_the_default_place_means_all_defaults_but_a_named_one_must_be_there() {
    if !Path::new(DEFAULT_PATH).exists() {
        assert!(load(None).is_ok());
    }
    let errors = load(Some(Path::new("/nonexistent/collector.toml"))).unwrap_err();
    assert!(errors.to_string().starts_with("/nonexistent/collector.toml: cannot be read"), "{errors}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collector.toml");
    std::fs::write(&file, "[http]\nlisten = \"127.0.0.1:0\"\n").unwrap();
    let config = load(Some(&file)).unwrap();
    assert_eq!(config.http.url_when_bound("127.0.0.1:4711".parse().unwrap()), "http://127.0.0.1:4711");
    assert!(config.grpc.addresses_when_bound("0.0.0.0:1".parse().unwrap())[0].ends_with(":7460"));
    std::fs::write(&file, vec![b'#'; 2 << 20]).unwrap();
    assert!(load(Some(&file)).unwrap_err().to_string().contains("larger than 1 MiB"));
}

#[test]
fn outside_loopback_the_views_are_named_with_https() {
    let url = |text: &str| read(&format!("[http]\n{text}")).unwrap().http.url;
    assert_eq!(url(""), "http://127.0.0.1:7461");
    assert_eq!(url("listen = \"0.0.0.0:443\"\nnames = [\"Muster.example.org\"]"), "https://muster.example.org:443");
    assert_eq!(url("listen = \"10.0.0.7:7461\""), "https://10.0.0.7:7461");
    assert_eq!(url("url = \"https://ops.example.org/\""), "https://ops.example.org");
}

proptest! {
    #[test]
    fn random_text_never_panics(text in ".{0,400}") {
        let _ = read(&text).map_err(|errors| errors.to_string());
        prop_assert!(text.len() <= 1_600);
    }

    /// The example with bytes cut out and doubled: close enough to the real thing to get deep.
    #[test]
    fn damaged_examples_never_panic(cuts in prop::collection::vec((0_usize..5_000, 0_usize..40, any::<bool>()), 1..8)) {
        let mut text: Vec<char> = EXAMPLE.replace("\n#", "\n").chars().collect();
        for (at, length, double) in cuts {
            let at = at.min(text.len());
            let piece: Vec<char> = text[at..(at + length).min(text.len())].to_vec();
            if double { text.splice(at..at, piece); } else { text.drain(at..at + piece.len()); }
        }
        let text: String = text.into_iter().collect();
        let errors = read(&text).expect_err("comments are no settings");
        prop_assert!(errors.mistakes.iter().all(|mistake| !mistake.expected.is_empty()));
    }
}

#[test]
fn nesting_without_end_is_a_mistake_and_not_a_crash() {
    for text in ["[".repeat(100_000), format!("a = {}", "[".repeat(100_000)), format!("a = {}", "{b=".repeat(50_000))] {
        assert!(!mistakes(&text).is_empty());
    }
}
