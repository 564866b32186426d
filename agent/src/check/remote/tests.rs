use std::path::Path;

use super::*;
use crate::check::Kind;
use crate::config::Config;

/// What is taken of these checks by a machine with this file, and everything that is said against them.
fn sent(own: &str, checks: &str) -> (Vec<Definition>, String) {
    let local = Config::parse(Path::new("agent.toml"), own).unwrap().local();
    #[derive(serde::Deserialize)]
    struct Document {
        check: Vec<toml::Spanned<Table>>,
    }
    let document: Document = toml::from_str(checks).unwrap();
    let mut inspection = Inspection::of(Path::new("settings"), checks);
    let taken = super::checks(document.check, &local, &mut inspection);
    let said: Vec<&str> = inspection.mistakes.iter().map(|mistake| mistake.text.as_str()).collect();
    (taken, said.join("\n"))
}

fn check(lines: &str) -> String {
    format!("[[check]]\nname = \"x\"\n{lines}\n")
}

/// A machine that lets its plugins be named.
const NAMED: &str =
    "remote_checks = \"named_plugins\"\n[plugins.disk]\ncommand = [\"/usr/lib/check_disk\", \"-w\", \"5%\"]\n";

#[test]
fn built_in_kinds_that_look_outside_may_be_sent() {
    for lines in [
        "kind = \"tcp\"\naddress = \"10.0.0.1:22\"",
        "kind = \"http\"\nurl = \"https://intranet.example/\"",
        "kind = \"certificate\"\naddress = \"intranet.example:443\"",
        "kind = \"dns\"\nquery = \"intranet.example\"",
        "kind = \"icmp\"\naddress = \"10.0.0.1\"",
        "kind = \"unit\"\nunit = \"nginx.service\"",
    ] {
        let (taken, said) = sent("", &check(lines));
        assert_eq!((taken.len(), said.as_str()), (1, ""), "{lines}");
    }
}

#[test]
fn nothing_that_is_sent_opens_a_path_or_looks_into_the_machine() {
    for (lines, why) in [
        ("kind = \"file_age\"\npath = \"/etc/shadow\"", "this kind looks into the machine"),
        ("kind = \"process\"\nprocess = \"sshd\"", "this kind looks into the machine"),
        ("kind = \"http\"\nurl = \"https://a/\"\nca = \"/etc/shadow\"", "the path of a ca"),
        ("kind = \"unit\"\nunit = \"/tmp/evil.service\"", "expected a unit of systemd"),
        ("kind = \"http\"\nurl = \"file:///etc/shadow\"", ".url = \"file:///etc/shadow\": expected"),
        ("kind = \"tcp\"\naddress = \"/run/docker.sock\"", ".address = \"/run/docker.sock\": expected"),
        ("kind = \"tcp\"\naddress = \"a:1\"\ncommand = [\"/bin/sh\"]", ".command is no key of this kind"),
    ] {
        for own in ["", NAMED] {
            let (taken, said) = sent(own, &check(lines));
            assert_eq!(taken, [], "{lines}");
            assert!(said.starts_with("check \"x\"") && said.contains(why), "{lines}: {said}");
        }
    }
}

#[test]
fn a_plugin_comes_by_its_local_name_where_that_is_allowed_and_as_it_is_defined_here() {
    let disk = check("kind = \"plugin\"\nplugin = \"disk\"");
    let (taken, said) = sent(NAMED, &disk);
    assert_eq!(said, "");
    let Kind::Plugin(plugin) = &taken[0].kind else { panic!("{taken:?}") };
    assert_eq!(plugin.command, ["/usr/lib/check_disk", "-w", "5%"]);

    for (own, sent_check, why) in [
        (NAMED, disk.replace("\"disk\"", "\"sh\""), "expected a plugin that this host defines"),
        (NAMED, disk.replace("\"disk\"", "\"/bin/sh\""), "expected a plugin that this host defines"),
        (
            NAMED,
            format!("{disk}arguments = [\"-c\", \"id\"]\n"),
            "arguments of a plugin are taken from this machine's own",
        ),
        (NAMED, format!("{disk}user = \"root\"\n"), ".user is no key of this kind"),
        (&NAMED.replace("named_plugins", "built_in"), disk.clone(), "needs remote_checks = \"named_plugins\""),
    ] {
        let (taken, said) = sent(own, &sent_check);
        assert_eq!(taken, [], "{sent_check}");
        assert!(said.contains(why), "{said}");
    }
}

#[test]
fn a_machine_that_takes_none_says_so_whatever_is_sent() {
    let (taken, said) = sent("remote_checks = \"none\"\n", &check("kind = \"tcp\"\naddress = \"a:1\""));
    assert_eq!(taken, []);
    assert!(said.contains("remote_checks = \"none\" in this machine's agent.toml"), "{said}");
}

#[test]
fn its_own_checks_win_count_and_are_not_told_twice() {
    let own = "[[check]]\nname = \"x\"\nkind = \"tcp\"\naddress = \"own:1\"\n";
    let (taken, said) = sent(own, &check("kind = \"tcp\"\naddress = \"sent:1\""));
    assert_eq!((taken.len(), said.as_str()), (0, ""));
    let many: String =
        (0..256).map(|n| check("kind = \"tcp\"\naddress = \"a:1\"").replace("\"x\"", &format!("\"{n}\""))).collect();
    assert_eq!(sent("", &many).0.len(), 256);
    let (taken, said) = sent(own, &many);
    assert_eq!((taken.len(), said.as_str()), (0, "check: 257 with this machine's own, expected at most 256"));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let wrong = [
        ("x", "kind = \"file_age\"\npath = \"/a\""),
        ("y", "kind = \"tcp\"\ninterval = \"0s\""),
        ("z", "kind = \"ftp\""),
    ];
    let wrong: String = wrong.iter().map(|(name, lines)| check(lines).replace("\"x\"", &format!("{name:?}"))).collect();
    let said = sent("", &wrong).1;
    assert_eq!(said.lines().count(), 4, "{said}");
}
