use crate::hardware::prove::Plan;

use super::*;
use crate::inspection::is_address;
use crate::withheld::Family;

fn mistakes(text: &str) -> Vec<String> {
    Config::parse(Path::new("agent.toml"), text).unwrap_err().mistakes.iter().map(ToString::to_string).collect()
}

#[test]
fn five_mistakes_are_reported_at_once_with_file_line_key_value_and_expectation() {
    let told = mistakes(
        "state = \"here\"\ninterval = \"2h\"\ncolour = 1\nremote_checks = \"all\"\n[collector]\naddresses = [\"nowhere\"]\n",
    );
    assert_eq!(told.len(), 5, "{told:#?}");
    assert!(told[0].starts_with("agent.toml:1: state = \"here\": expected an absolute path"), "{told:#?}");
    assert!(told[1].contains("agent.toml:2: interval = \"2h\""), "{told:#?}");
    assert!(told[2].contains("agent.toml:3:") && told[2].contains("colour"), "{told:#?}");
    assert!(told[3].contains("agent.toml:4: remote_checks = \"all\""), "{told:#?}");
    assert!(told[4].contains("agent.toml:6: collector.addresses = \"nowhere\""), "{told:#?}");
}

#[test]
fn directories_of_scripts_are_absolute() {
    let text = "[textfile]\ndirectories = [\"/var/lib/a\",\n\"b\"]\n";
    let told = mistakes(text);
    assert_eq!(told, ["agent.toml:3: textfile.directories = \"b\": expected absolute paths"]);
    let config = Config::parse(Path::new("agent.toml"), "[textfile]\ndirectories = [\"/a\", \"/b/\"]\n").unwrap();
    assert_eq!(config.textfiles, ["/a", "/b/"]);
}

#[test]
fn the_exporter_listens_on_an_address_and_a_port() {
    for wrong in ["9100", ":9100", "localhost:9100", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1", "::1:9100"] {
        let told = mistakes(&format!("[exporter]\nlisten = \"{wrong}\"\n"));
        assert!(told.len() == 1 && told[0].starts_with("agent.toml:2: exporter.listen = "), "{told:?}");
    }
    for fine in ["127.0.0.1:9100", "0.0.0.0:9100", "[::1]:9100"] {
        let config = Config::parse(Path::new("agent.toml"), &format!("exporter.listen = \"{fine}\"")).unwrap();
        assert_eq!(config.exporter, Some(fine.parse().unwrap()));
    }
}

#[test]
fn limits_are_numbers_within_bounds() {
    let told = mistakes("[limits]\nseries = 99\ninterfaces_per_kind = 0\nmounts_per_type = \"many\"\n");
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(told[0], "agent.toml:2: limits.series = 99: expected a number from 100 to 20000");
    assert!(told[1].starts_with("agent.toml:3: limits.interfaces_per_kind = 0: expected a number from 1"), "{told:?}");
    assert!(told[2].starts_with("agent.toml:4:"), "{told:?}");
    let text = "[limits]\nseries = 100\ninterfaces_per_kind = 1\nmounts_per_type = 10000\n";
    let limits = Config::parse(Path::new("agent.toml"), text).unwrap().limits;
    assert_eq!((limits.series, limits.interfaces_per_kind, limits.mounts_per_type), (100, 1, 10_000));
}

#[test]
fn looking_at_the_hardware_has_an_interval_or_is_off() {
    let hardware =
        |lines: &str| Config::parse(Path::new("agent.toml"), &format!("[collect]\n{lines}\n")).unwrap().hardware;
    assert_eq!(hardware(""), Some(Duration::from_secs(1_800)));
    assert_eq!(hardware("hardware_interval = \"1m\""), Some(Duration::from_secs(60)));
    assert_eq!(hardware("hardware_interval = \"24h\""), Some(Duration::from_secs(86_400)));
    assert_eq!(hardware("hardware = false\nhardware_interval = \"1m\""), None);
    for wrong in ["59s", "25h", "often"] {
        let told = mistakes(&format!("[collect]\nhardware_interval = \"{wrong}\"\n"));
        assert!(told.len() == 1 && told[0].starts_with("agent.toml:2: collect.hardware_interval = "), "{told:?}");
    }
}

#[test]
fn tests_by_night_are_planned_by_this_file_and_off_without_it() {
    let plan = |lines: &str| Config::parse(Path::new("agent.toml"), &format!("[prove]\n{lines}\n")).unwrap().prove;
    assert_eq!(plan("at = \"01:30\"\nwithin = \"2h\""), None, "no test is named");
    let expected =
        Plan { at_minute: 90, within_minutes: 120, short_test: Some(6), long_test: Some(28), scrub: Some(1) };
    let lines = "at = \"01:30\"\nwithin = \"2h\"\nshort_test = \"sunday\"\nlong_test = 28\nscrub = 1";
    assert_eq!(plan(lines), Some(expected));
    assert_eq!(plan("scrub = 15"), Some(Plan { scrub: Some(15), ..Plan::default() }));
    let told = mistakes("[prove]\nat = \"24:00\"\nwithin = \"30m\"\nshort_test = \"Sun\"\nlong_test = 29\nscrub = 0\n");
    assert_eq!(told.len(), 5, "{told:#?}");
    assert_eq!(told[0], "agent.toml:2: prove.at = \"24:00\": expected a time of the day from \"00:00\" to \"23:59\"");
    assert_eq!(told[3], "agent.toml:5: prove.long_test = 29: expected a day of the month from 1 to 28");
}

#[test]
fn wrong_types_and_unknown_tables_are_told_together() {
    let told = mistakes("interval = 15\n[log]\nlevel = \"loud\"\n[labels]\nSite = \"x\"\nrack = 4\n");
    assert_eq!(told.len(), 4, "{told:#?}");
}

#[test]
fn text_that_is_not_toml_is_one_mistake_with_its_line() {
    let told = mistakes("interval = \"15s\"\nlabels = [\n");
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("agent.toml:"), "{told:?}");
}

#[test]
fn interval_is_taken_from_one_second_to_five_minutes() {
    let interval = |text: &str| {
        Config::parse(Path::new("agent.toml"), &format!("interval = {text:?}")).ok().and_then(|config| config.interval)
    };
    assert_eq!(interval("1s"), Some(INTERVAL_MIN));
    assert_eq!(interval("5m"), Some(INTERVAL_MAX));
    assert_eq!(interval("999ms"), None);
    assert_eq!(interval("301s"), None);
}

#[test]
fn absent_file_is_fine_unless_it_was_named() {
    assert!(Config::load(Some(Path::new("/nonexistent/agent.toml"))).is_err());
}

#[test]
fn example_file_is_loaded_and_names_every_key() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/agent.example.toml");
    let config = Config::load(Some(&path)).unwrap();
    assert_eq!(config, Config::default(), "the example states the defaults");
    let text = std::fs::read_to_string(path).unwrap();
    let stated: String = text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line).to_owned() + "\n").collect();
    let full = Config::parse(Path::new("agent.example.toml"), &stated).unwrap();
    assert!(full.interval.is_some() && !full.addresses.is_empty() && !full.labels.is_empty());
    assert!(!full.textfiles.is_empty());
    assert!(full.exporter.is_some());
    assert!(full.proxy.is_some_and(|proxy| proxy.password_file().is_some()));
    assert_eq!(full.checks.len(), 9, "every kind");
}

#[test]
fn addresses_are_host_and_port() {
    for fine in ["a.example.org:7460", "10.0.0.1:1", "[::1]:7460"] {
        assert!(is_address(fine), "{fine}");
    }
    for wrong in ["a.example.org", "http://a:7460", ":7460", "::1:7460", "a:0", "a:70000", "a b:1"] {
        assert!(!is_address(wrong), "{wrong}");
    }
}

#[test]
fn the_inventory_has_an_interval_and_sections_that_are_off_or_is_not_sent() {
    let config = |lines: &str| Config::parse(Path::new("agent.toml"), &format!("[inventory]\n{lines}\n")).unwrap();
    assert_eq!(config("").inventory, Some(Duration::from_secs(3_600)));
    assert_eq!(config("interval = \"1m\"").inventory, Some(Duration::from_secs(60)));
    assert_eq!(config("enabled = false").inventory, None);
    assert_eq!(config("off = [\"packages\"]").wanted.off, ["packages"]);
    let told = mistakes("[inventory]\ninterval = \"59s\"\noff = [\"system\",\n\"sistem\"]\n");
    assert_eq!(told.len(), 2, "{told:#?}");
    assert_eq!(told[0], "agent.toml:2: inventory.interval = \"59s\": expected a time from \"1m\" to \"24h\"");
    assert!(told[1].starts_with("agent.toml:4: inventory.off = \"sistem\": expected names of sections: system, "));
}

#[test]
fn a_proxy_is_stated_with_its_password_or_the_file_of_it_and_no_mistake_repeats_the_password() {
    let proxy = |lines: &str| Config::parse(Path::new("agent.toml"), &format!("[collector]\n{lines}\n")).unwrap().proxy;
    assert_eq!(proxy(""), None);
    assert_eq!(proxy("proxy = \"none\""), None);
    let stated = proxy("proxy = \"http://me:secret@proxy.example.org:3128\"").unwrap();
    assert_eq!((stated.address(), stated.states_password()), ("proxy.example.org:3128", true));
    let file = proxy("proxy = \"http://me@proxy:3128\"\nproxy_password_file = \"/etc/muster/proxy\"").unwrap();
    assert_eq!((file.password_file(), file.states_password()), (Some(Path::new("/etc/muster/proxy")), false));

    let both = "[collector]\nproxy = \"http://me:secret@a:1\"\nproxy_password_file = \"/p\"\n";
    let told = mistakes(both);
    assert_eq!(told, ["agent.toml:3: collector.proxy_password_file: expected no password in `proxy` beside it"]);
    for (lines, line, expected) in [
        ("proxy = \"https://me:secret@a:1\"", 2, "the scheme http"),
        ("proxy = \"me:secret@a:1\"", 2, "expected \"http://HOST:PORT\""),
        ("proxy = \"http://me:secret@a\"", 2, "HOST:PORT"),
        ("proxy_password_file = \"/p\"", 2, "expected `proxy` beside it"),
        ("proxy = \"http://a:1\"\nproxy_password_file = \"/p\"", 3, "a user in `proxy`"),
        ("proxy = \"http://me@a:1\"\nproxy_password_file = \"p\"", 3, "an absolute path"),
    ] {
        let told = mistakes(&format!("[collector]\n{lines}\n")).join(" ");
        assert!(told.starts_with(&format!("agent.toml:{line}: ")) && told.contains(expected), "{told}");
        assert!(!told.contains("secret"), "{told}");
    }
}

#[test]
fn families_of_fields_and_sections_can_be_switched_off_together() {
    let config = |lines: &str| Config::parse(Path::new("agent.toml"), &format!("[collect]\n{lines}\n")).unwrap();
    let off = config("off = [\"serials\", \"packages\", \"user_names\"]");
    assert!(off.withheld.holds(Family::Serials) && off.withheld.holds(Family::UserNames));
    assert!(!off.withheld.holds(Family::Addresses));
    assert_eq!(off.wanted.off, ["packages"]);
    assert_eq!(config("").withheld, Withheld::default());
    let told = mistakes("[collect]\noff = [\"serials\",\n\"salaries\"]\n");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0]
            .starts_with("agent.toml:3: collect.off = \"salaries\": expected families of fields: serials, user_names")
    );
}
