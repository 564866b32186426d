use std::path::Path;
use std::time::Duration;

use super::*;
use crate::config::Config;

fn checks(text: &str) -> Result<Vec<Definition>, Vec<String>> {
    match Config::parse(Path::new("agent.toml"), text) {
        Ok(config) => Ok(config.checks),
        Err(error) => Err(error.mistakes.iter().map(ToString::to_string).collect()),
    }
}

fn one(text: &str) -> Definition {
    checks(&format!("[[check]]\nname = \"x\"\n{text}")).unwrap().remove(0)
}

fn mistake(text: &str) -> String {
    let mut told = checks(&format!("[[check]]\nname = \"x\"\n{text}")).unwrap_err();
    assert_eq!(told.len(), 1, "{told:#?}");
    told.remove(0)
}

#[test]
fn what_is_not_said_has_its_default() {
    let tcp = one("kind = \"tcp\"\naddress = \"127.0.0.1:80\"\n");
    assert_eq!(tcp.kind, Kind::Tcp("127.0.0.1:80".into()));
    let s = Duration::from_secs;
    assert_eq!((tcp.interval, tcp.timeout, tcp.attempts, tcp.retry_interval), (s(60), s(10), 3, s(15)));
    let quick = one("kind = \"tcp\"\naddress = \"[::1]:80\"\ninterval = \"5s\"\n");
    assert_eq!(quick.retry_interval, s(5), "never slower than the interval");
    let Kind::Http(http) = one("kind = \"http\"\nurl = \"http://a.example\"").kind else { panic!() };
    assert_eq!((http.status, http.redirects, http.head), (vec![(200, 399)], 5, false));
    let Kind::Certificate(certificate) = one("kind = \"certificate\"\naddress = \"a.example:443\"").kind else {
        panic!()
    };
    assert_eq!(
        (certificate.server_name.as_str(), certificate.warning_days, certificate.critical_days),
        ("a.example", 30, 7)
    );
    let Kind::Dns(dns) = one("kind = \"dns\"\nquery = \"a.example\"").kind else { panic!() };
    assert_eq!((dns.record, dns.server), (Record::A, None));
}

#[test]
fn every_kind_and_key_is_read() {
    let text = r#"
plugins.load = { command = ["/usr/lib/nagios/plugins/check_load", "-r"], user = "nobody" }
[[check]]
name = "web"
kind = "http"
url = "https://a.example:8443/health?x"
method = "GET"
status = "200,301-302"
body_contains = "fine"
redirects = 0
warning_latency = "200ms"
critical_latency = "2s"
ca = "/etc/ssl/own.pem"
[[check]]
name = "name"
kind = "dns"
query = "a.example"
type = "MX"
server = "192.0.2.1"
expect = ["10 mail.a.example"]
[[check]]
name = "gateway"
kind = "icmp"
address = "192.0.2.1"
count = 5
warning_latency = "50ms"
[[check]]
name = "ssh"
kind = "unit"
unit = "ssh.service"
[[check]]
name = "workers"
kind = "process"
process = "worker"
cmdline = "--queue"
min = 2
max = 8
[[check]]
name = "backup"
kind = "file_age"
path = "/var/backups/last"
warning_age = "26h"
critical_age = "50h"
[[check]]
name = "load"
kind = "plugin"
plugin = "load"
arguments = ["-w", "5,5,5"]
timeout = "30s"
attempts = 1
"#;
    let checks = checks(text).unwrap();
    let words: Vec<&str> = checks.iter().map(|check| check.kind.word()).collect();
    assert_eq!(words, ["http", "dns", "icmp", "unit", "process", "file_age", "plugin"]);
    let Kind::Http(http) = &checks[0].kind else { panic!() };
    assert_eq!((&http.status[..], http.head, http.redirects), (&[(200, 200), (301, 302)][..], false, 0));
    assert_eq!(http.latency.critical, Some(Duration::from_secs(2)));
    let Kind::Plugin(plugin) = &checks[6].kind else { panic!() };
    assert_eq!(plugin.command, ["/usr/lib/nagios/plugins/check_load", "-r", "-w", "5,5,5"]);
    assert_eq!(plugin.user.as_deref(), Some("nobody"));
}

#[test]
fn a_wrong_value_is_told_with_line_key_value_and_expectation() {
    let told = mistake("kind = \"tcp\"\naddress = \"localhost\"");
    assert_eq!(
        told,
        "agent.toml:4: check.address = \"localhost\": expected \"host:port\", for example \"127.0.0.1:5432\""
    );
    let told = mistake("kind = \"tcp\"\naddress = \"a:1\"\ninterval = \"10ms\"");
    assert_eq!(
        told,
        "agent.toml:5: check.interval = \"10ms\": expected a time from \"1s\" to \"24h\", as \"15s\", \"5m\" or \"2h\""
    );
    for (text, part) in [
        ("kind = \"ftp\"", "agent.toml:3: check.kind = \"ftp\": expected \"tcp\", "),
        ("kind = \"tcp\"", "agent.toml:1: check.address is missing: expected \"host:port\""),
        (
            "kind = \"tcp\"\naddress = \"a:1\"\nurl = \"x\"",
            "agent.toml:5: check.url is no key of this kind, expected one of name, interval",
        ),
        (
            "kind = \"tcp\"\naddress = \"a:1\"\nattempts = 0",
            "agent.toml:5: check.attempts = 0: expected a whole number from 1 to 100",
        ),
        ("kind = \"http\"\nurl = \"ftp://a\"", "agent.toml:4: check.url = "),
        ("kind = \"http\"\nurl = \"http://a\"\nstatus = \"99\"", "agent.toml:5: check.status = \"99\""),
        (
            "kind = \"http\"\nurl = \"http://a\"\nmethod = \"POST\"",
            "agent.toml:5: check.method = \"POST\": expected \"GET\" or",
        ),
        (
            "kind = \"http\"\nurl = \"http://a\"\nmethod = \"HEAD\"\nbody_contains = \"x\"",
            "agent.toml:1: check.body_contains = \"x\": expected none",
        ),
        ("kind = \"dns\"\nquery = \"a b\"", "agent.toml:4: check.query = \"a b\""),
        ("kind = \"dns\"\nquery = \"a\"\ntype = \"ANY\"", "agent.toml:5: check.type = \"ANY\": expected \"A\""),
        ("kind = \"unit\"\nunit = \"ssh\"", "agent.toml:4: check.unit = \"ssh\""),
        ("kind = \"process\"", "agent.toml:1: check.process is missing"),
        ("kind = \"process\"\nprocess = \"a\"\nmin = 3\nmax = 2", "agent.toml:1: check.max = 2: expected at least min"),
        ("kind = \"file_age\"\npath = \"x\"", "agent.toml:4: check.path = \"x\": expected an absolute path"),
        (
            "kind = \"plugin\"\nplugin = \"load\"",
            "agent.toml:4: check.plugin = \"load\": expected a plugin that this host defines",
        ),
    ] {
        let told = mistake(text);
        assert!(told.starts_with(part), "{text}: {told}");
    }
}

#[test]
fn mistakes_of_several_checks_and_plugins_are_told_together() {
    let text = "[[check]]\nname = \"a\"\nkind = \"tcp\"\naddress = \"a:1\"\n[[check]]\nname = \"a\"\nkind = \"unit\"\nunit = \"b.timer\"\n\
                [[check]]\nkind = \"tcp\"\naddress = 5\n[plugins.x]\ncommand = [\"check_x\"]\n[plugins.\"a/b\"]\ncommand = [\"/bin/true\"]\nshell = true\n";
    let told = checks(text).unwrap_err();
    let lines: Vec<&str> = told.iter().map(|line| line.split(": ").next().unwrap()).collect();
    assert_eq!(
        lines,
        ["agent.toml:6", "agent.toml:9", "agent.toml:11", "agent.toml:13", "agent.toml:14", "agent.toml:16"],
        "{told:#?}"
    );
    assert!(told[0].contains("a name that no other check has"), "{told:#?}");
}

#[test]
fn plugins_may_have_files_of_their_own_beside_the_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let (file, own) = (directory.path().join("agent.toml"), directory.path().join("plugins.d"));
    std::fs::create_dir(&own).unwrap();
    std::fs::write(own.join("load.toml"), "command = [\"/bin/check_load\"]\n").unwrap();
    std::fs::write(own.join("ignored.txt"), "command = 5").unwrap();
    std::fs::write(&file, "[[check]]\nname = \"l\"\nkind = \"plugin\"\nplugin = \"load\"\n").unwrap();
    let config = Config::load(Some(&file)).unwrap();
    assert!(matches!(&config.checks[0].kind, Kind::Plugin(plugin) if plugin.command == ["/bin/check_load"]));
    let twice = Config::load(Some(&file)).map(|_| ()).and_then(|()| {
        let text = std::fs::read_to_string(&file).unwrap() + "[plugins.load]\ncommand = [\"/bin/true\"]\n";
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file)).map(|_| ())
    });
    let told = twice.unwrap_err().to_string();
    assert!(
        told.ends_with("agent.toml:5: plugins.load is defined here and in plugins.d, expected one of both"),
        "{told}"
    );
    std::fs::write(own.join("load.toml"), "\ncommand = \"check_load\"\n").unwrap();
    let told = Config::load(Some(&file)).unwrap_err().to_string();
    assert!(told.contains("load.toml:2: plugin.command = \"check_load\": expected a list of texts"), "{told}");
}

#[test]
fn there_are_at_most_256_checks() {
    let many = |count: usize| {
        (0..count)
            .map(|n| format!("[[check]]\nname = \"c{n}\"\nkind = \"tcp\"\naddress = \"a:1\"\n"))
            .collect::<String>()
    };
    assert_eq!(checks(&many(256)).unwrap().len(), 256);
    let told = checks(&many(257)).unwrap_err();
    assert_eq!(told, ["agent.toml:1025: check: 257 are defined, expected at most 256"]);
}
