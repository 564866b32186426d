//! The files that are shipped beside the programs.

use muster_tests::process::{program, root, run};
use tokio::process::Command;

/// The example with every commented setting switched on: `#key = ...` and `#: key = ...`.
fn switched_on(text: &str) -> String {
    let line = |line: &str| {
        let bare = line.strip_prefix("#: ").or_else(|| line.strip_prefix('#')).unwrap_or(line);
        let is_setting = bare.starts_with('[') || bare.split_once(" = ").is_some_and(|(key, _)| !key.contains(' '));
        format!("{}\n", if is_setting { bare } else { line })
    };
    text.lines().map(line).collect()
}

#[tokio::test]
async fn the_example_configurations_are_loaded_as_they_are() {
    for (name, file) in [("muster-collector", "collector.example.toml"), ("muster-agent", "agent.example.toml")] {
        let path = root().join("deploy").join(file);
        let said = run(Command::new(program(name)).arg("check-config").arg("--config").arg(&path)).await;
        assert_eq!(said.code, 0, "{file}: {}", said.all());
    }
}

#[tokio::test]
async fn the_examples_commented_settings_are_known_settings() {
    let home = tempfile::TempDir::new().expect("a directory");
    for (name, file) in [("muster-collector", "collector.example.toml"), ("muster-agent", "agent.example.toml")] {
        let text = std::fs::read_to_string(root().join("deploy").join(file)).expect("the example");
        let path = home.path().join(file);
        std::fs::write(&path, switched_on(&text)).expect("a file in a directory of our own");
        let said = run(Command::new(program(name)).arg("check-config").arg("--config").arg(&path)).await;
        // Files with secrets that do not exist here are the only mistakes.
        let unknown: Vec<_> = said.all().lines().filter(|line| line.contains("unknown")).map(str::to_owned).collect();
        assert!(unknown.is_empty(), "{file}: {unknown:#?}");
    }
}

#[tokio::test]
async fn the_units_name_the_programs_users_and_directories_that_exist() {
    let read = |file: &str| std::fs::read_to_string(root().join("deploy/systemd").join(file)).expect("a shipped file");
    for name in ["muster-agent", "muster-collector"] {
        let users = read(&format!("{name}.sysusers"));
        let unit = read(&format!("{name}.service"));
        assert!(unit.contains("Type=notify") && unit.contains("WatchdogSec="), "{name}");
        assert!(
            unit.contains(&format!("ExecStart=/usr/bin/{name} ")) && unit.contains(&format!("User={name}")),
            "{name}"
        );
        assert!(users.contains(&format!("u {name} ")), "{name} is a static user");
    }
    let agent = read("muster-agent.service");
    let settings: Vec<&str> = agent.lines().filter(|line| !line.starts_with('#')).collect();
    for falsifies in
        ["ProtectHome", "PrivateNetwork", "ProtectProc", "ProcSubset", "PrivateTmp", "PrivateUsers", "DynamicUser"]
    {
        assert!(
            !settings.iter().any(|line| line.starts_with(falsifies)),
            "{falsifies} would change what the agent reads"
        );
    }
}

/// The maintainer that a package names when it is made with this in the environment.
async fn maintainer(environment: &[(&str, &str)]) -> (i32, String) {
    let home = tempfile::TempDir::new().expect("a directory");
    let mut make = Command::new(root().join("deploy/package"));
    for name in ["MUSTER_MAINTAINER", "DEBFULLNAME", "DEBEMAIL"] {
        make.env_remove(name);
    }
    make.envs(environment.iter().copied()).args(["--fast", "--version", "1.2.3", "--programs"]);
    make.arg(program("muster-agent").parent().expect("it lies in a directory"));
    let said = run(make.arg("--out").arg(home.path()).arg("muster-agent.deb")).await;
    let made = home.path().read_dir().expect("our own").flatten().next();
    let Some(file) = made else { return (said.code, said.err) };
    let field = run(Command::new("dpkg-deb").arg("--field").arg(file.path()).arg("Maintainer")).await;
    (said.code, field.out.trim().to_owned())
}

#[tokio::test]
async fn a_package_names_the_maintainer_that_it_is_told_and_else_nobodys_address() {
    let told = |name: &str| (0, name.to_owned());
    assert_eq!(maintainer(&[]).await, told("The Muster authors <nobody@muster.invalid>"));
    let debian = [("DEBFULLNAME", "Ann Other"), ("DEBEMAIL", "ann@example.org")];
    assert_eq!(maintainer(&debian).await, told("Ann Other <ann@example.org>"));
    let ours = ("MUSTER_MAINTAINER", "IT of Example <it@example.org>");
    assert_eq!(maintainer(&[debian[0], debian[1], ours]).await, told("IT of Example <it@example.org>"));
    for none in ["it@example.org", "IT <it>", "IT <it@example.org>\nDepends: evil"] {
        let (code, said) = maintainer(&[("MUSTER_MAINTAINER", none)]).await;
        assert!(code == 64 && said.contains("MUSTER_MAINTAINER='Name <address@example.org>'"), "{none:?}: {said}");
    }
}

mod prometheus {
    use super::*;
    use muster_tests::process::installed;

    #[tokio::test]
    async fn promtool_accepts_the_shipped_rules_and_jobs() {
        let home = tempfile::TempDir::new().expect("a directory");
        for file in ["prometheus.yml", "muster.rules.yml", "muster-hardware.rules.yml"] {
            std::fs::copy(root().join("deploy/prometheus").join(file), home.path().join(file)).expect("a shipped file");
        }
        std::fs::write(home.path().join("muster.token"), "token").expect("a file in a directory of our own");
        let promtool = installed("promtool", "prometheus");
        let said = run(Command::new(&promtool).args(["check", "config"]).arg(home.path().join("prometheus.yml"))).await;
        assert_eq!(said.code, 0, "{}", said.all());
    }

    #[tokio::test]
    async fn promtool_finds_that_the_shipped_rules_do_what_their_tests_say() {
        let (promtool, folder) = (installed("promtool", "prometheus"), root().join("deploy/prometheus"));
        for (name, rules) in [("muster", 11), ("muster-paging", 4), ("muster-sla", 9), ("muster-hardware", 4)] {
            let file = folder.join(format!("{name}.rules.yml"));
            let said = run(Command::new(&promtool).args(["check", "rules"]).arg(file)).await;
            assert!(said.code == 0 && said.all().contains(&format!("{rules} rules")), "{}", said.all());
            let file = folder.join(format!("{name}.rules.test.yml"));
            let said = run(Command::new(&promtool).args(["test", "rules"]).arg(file)).await;
            assert_eq!(said.code, 0, "{}", said.all());
        }
    }
}
