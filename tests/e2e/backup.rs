//! Everything in one sealed file, and back from it on another machine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use muster_tests::process::{Process, Said, installed, program, run};
use muster_tests::{Agent, Collector, Webhook, eventually, never};
use tokio::process::Command;

use crate::s;

/// A passphrase in a file of its own.
fn passphrase(home: &Path) -> PathBuf {
    let file = home.join("passphrase");
    std::fs::write(&file, "correct horse battery\n").expect("a file in a directory of our own");
    file
}

fn backup_command(collector: &Collector, file: &Path) -> Command {
    let mut command = Command::new(program("muster-collector"));
    command.arg("backup").arg(file).arg("--state").arg(collector.state());
    command.arg("--passphrase-file").arg(passphrase(collector.home()));
    command
}

/// Restores into what `collector` will run on, the configuration beside it.
async fn restore(collector: &Collector, file: &Path, passphrase: &Path) -> Said {
    let mut command = Command::new(program("muster-collector"));
    command.arg("restore").arg(file).arg("--state").arg(collector.state());
    command.arg("--config").arg(collector.home().join("as-it-was.toml"));
    run(command.arg("--passphrase-file").arg(passphrase)).await
}

/// The names of what is in a directory.
fn files(directory: &Path) -> BTreeSet<std::ffi::OsString> {
    std::fs::read_dir(directory).expect("a directory").flatten().map(|entry| entry.file_name()).collect()
}

/// A check that tells each change and is believed only after a hundred tries: records without a page.
fn telling(file: &Path) -> String {
    format!(
        "[[check]]\nname = \"job\"\nkind = \"file_age\"\ncritical_age = \"1h\"\npath = \"{}\"\ninterval = \"1s\"\n\
         retry_interval = \"1s\"\ntimeout = \"2s\"\nattempts = 100\n",
        file.display()
    )
}

/// Tells two records that the collector acknowledges.
async fn tell(collector: &Collector, file: &Path) {
    for away in [true, false] {
        let before = collector.received();
        if away {
            std::fs::remove_file(file).expect("our own file");
        } else {
            std::fs::write(file, "done").expect("our own file");
        }
        eventually("one more record", s(20), || async { (collector.received() > before).then_some(()) }).await;
    }
}

#[tokio::test]
async fn yesterdays_backup_on_a_new_address_finds_its_agents_ahead_and_pages_nobody() {
    let hook = Webhook::start().await;
    let (mut lost, mut found) = (Collector::prepare(&hook.receiver()), Collector::prepare(&hook.receiver()));
    // Agents learn both addresses when they enrol.
    let text = std::fs::read_to_string(lost.config()).expect("its configuration");
    let both = format!("addresses = [\"{}\", \"{}\"]", lost.address(), found.address());
    let text = text.replace(&format!("addresses = [\"{}\"]", lost.address()), &both);
    assert!(text.contains(&both), "{text}");
    std::fs::write(lost.config(), text).expect("its configuration");
    lost.run().await;
    let mut agent = Agent::enrolled(&lost, "normal", None).await;
    let job = agent.home().join("job");
    std::fs::write(&job, "done").expect("a file in a directory of our own");
    agent.configure(&telling(&job));
    agent.run();
    lost.host_is(&agent.host, "up", s(20)).await;
    tell(&lost, &job).await;

    let file = found.home().join("yesterday.tar.gz.age");
    let said = run(&mut backup_command(&lost, &file)).await;
    assert_eq!(said.code, 0, "{}\n{}", said.all(), lost.log());
    let then = lost.received();
    tell(&lost, &job).await;
    let ahead = lost.received() - then;
    lost.kill().await;
    std::fs::remove_dir_all(lost.state()).expect("it is destroyed");

    let restored = restore(&found, &file, &passphrase(lost.home())).await;
    assert_eq!(restored.code, 0, "{}", restored.all());
    let as_it_was = std::fs::read_to_string(found.home().join("as-it-was.toml")).expect("the configuration came too");
    assert!(as_it_was.contains(&both), "{as_it_was}");
    assert_eq!(found.received(), then);
    found.run().await;
    let host = found.host_is(&agent.host, "up", s(90)).await;
    assert_eq!(host["name"], agent.name);
    assert_eq!(found.hosts().await.len(), 1, "it is the same host");
    // What the lost one had acknowledged since is still in the agent's spool: it comes again, and nothing is missing.
    assert!(ahead >= 2, "{ahead}");
    let again = || async { (found.received() >= then + ahead).then_some(()) };
    eventually("what was acknowledged comes again", s(20), again).await;
    assert!(found.facts("gap").is_empty(), "{:?}", found.facts("gap"));
    tell(&found, &job).await;
    assert!(found.received() > then + ahead);
    let audit = found.cli(&["audit", "--action", "backup.restore"]).await;
    assert!(audit.contains("from a backup of"), "{audit}");
    never("a page for what did not happen", s(30), || async { hook.messages().pop() }).await;
}

#[tokio::test]
async fn a_kill_while_a_backup_is_taken_leaves_no_half_file() {
    let mut collector = Collector::start("").await;
    let file = collector.home().join("b.age");
    let part = collector.home().join(".b.age.part");
    let log = collector.home().join("backup.log");
    let begun = || async { part.exists().then_some(()) };

    let mut command = backup_command(&collector, &file);
    let backup = Process::start("the backup", &mut command, &log);
    eventually("it is begun", s(20), begun).await;
    collector.kill().await;
    assert_eq!(backup.ended(s(20)).await, 1);
    assert!(!file.exists() && !part.exists(), "{}", std::fs::read_to_string(&log).unwrap_or_default());

    collector.run().await;
    assert!(!collector.state().join(".backup").exists(), "what was copied is gone");
    let backup = Process::start("the backup", &mut backup_command(&collector, &file), &log);
    eventually("it is begun", s(20), begun).await;
    backup.kill().await;
    assert!(!file.exists());

    // The collector gives up what nobody takes, and the same name is free.
    let taken = || async {
        let said = run(&mut backup_command(&collector, &file)).await;
        (said.code == 0).then_some(())
    };
    eventually("a whole backup", s(30), taken).await;
    assert!(std::fs::read(&file).expect("the backup").starts_with(b"age-encryption.org/v1\n"));
    let again = run(&mut backup_command(&collector, &file)).await;
    assert!(again.code == 1 && again.err.contains("something of this name already"), "{}", again.all());
    let inside = collector.state().join("b.age");
    let inside = run(&mut backup_command(&collector, &inside)).await;
    assert!(inside.code == 1 && inside.err.contains("own state directory"), "{}", inside.all());
}

/// age asks for its passphrase on a terminal, and each question is answered with the first line of a file.
const ON_A_TERMINAL: &str = r"
import os, pty, sys
answer = open(sys.argv[1], 'rb').readline().rstrip(b'\n') + b'\n'
def read(terminal):
    told = os.read(terminal, 1024)
    if b'passphrase' in told: os.write(terminal, answer)
    return told
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[2:], read, lambda terminal: b'')))
";

/// What age 1.1 of Debian makes of `from` with the passphrase.
async fn age(way: &str, passphrase: &Path, from: &Path, to: &Path) {
    let mut command = Command::new("/usr/bin/python3");
    command.args(["-c", ON_A_TERMINAL]).arg(passphrase).arg(installed("age", "age")).arg(way);
    let said = run(command.arg("--output").arg(to).arg(from)).await;
    assert_eq!(said.code, 0, "age {way}: {}", said.all());
}

#[tokio::test]
async fn age_opens_a_backup_and_what_age_has_sealed_is_restored() {
    let mut collector = Collector::start("").await;
    let agent = Agent::up(&collector, "fast").await;
    let (ours, open, theirs) = ("ours.age", "open.tar.gz", "theirs.age");
    let [ours, open, theirs] = [ours, open, theirs].map(|name| collector.home().join(name));
    let said = run(&mut backup_command(&collector, &ours)).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let passphrase = passphrase(collector.home());
    age("--decrypt", &passphrase, &ours, &open).await;
    let inside = run(Command::new("tar").arg("--list").arg("--gzip").arg("--file").arg(&open)).await;
    for name in ["state.db", "facts.db"] {
        assert!(inside.out.lines().any(|line| line.ends_with(name)), "{}", inside.all());
    }

    age("--passphrase", &passphrase, &open, &theirs).await;
    let sealed = std::fs::read(&theirs).expect("what age made");
    assert!(sealed.starts_with(b"age-encryption.org/v1\n-> scrypt "), "{:?}", &sealed[..40]);
    let elsewhere = Collector::prepare("");
    let restored = restore(&elsewhere, &theirs, &passphrase).await;
    assert_eq!(restored.code, 0, "{}", restored.all());
    collector.kill().await;
    let mut elsewhere = elsewhere;
    elsewhere.run().await;
    let known: Vec<_> = elsewhere.hosts().await.iter().map(|host| host["name"].clone()).collect();
    assert_eq!(known, [agent.name.as_str()]);
}

#[tokio::test]
async fn a_restore_that_cannot_be_changes_nothing_and_says_why() {
    let collector = Collector::start("").await;
    let file = collector.home().join("b.age");
    assert_eq!(run(&mut backup_command(&collector, &file)).await.code, 0);
    let empty = Collector::prepare("");
    let wrong = empty.home().join("wrong");
    std::fs::write(&wrong, "another passphrase\n").expect("a file in a directory of our own");
    let right = passphrase(empty.home());
    let whole = std::fs::read(&file).expect("the backup");
    let short = empty.home().join("short");
    std::fs::write(&short, &whole[..whole.len() - 1]).expect("a file in a directory of our own");
    for (file, passphrase, expected) in [
        (&file, &wrong, "the passphrase is not the one that it was sealed with"),
        (&short, &right, "changed or cut off"),
        (&right, &right, "this is no backup of Muster"),
    ] {
        let said = restore(&empty, file, passphrase).await;
        assert!(said.code == 1 && said.err.contains(expected), "{}", said.all());
        assert!(said.err.contains("nothing was changed"), "{}", said.err);
        assert!(!empty.state().exists() && !empty.home().join("as-it-was.toml").exists());
    }
    let before = files(&collector.state());
    let used = restore(&collector, &file, &right).await;
    assert!(used.code == 1 && used.err.contains("is in use: there is "), "{}", used.all());
    assert!(used.err.contains("nothing was changed"), "{}", used.err);
    assert_eq!(files(&collector.state()), before, "none came, none went");
    assert!(!collector.home().join("as-it-was.toml").exists());
}

#[tokio::test]
async fn backups_are_taken_by_themselves_and_a_failed_one_is_a_problem() {
    let hook = Webhook::start().await;
    let mut collector = Collector::prepare("");
    let directory = collector.home().join("backups");
    let tables = format!(
        "{}[backup]\ndirectory = \"{}\"\npassphrase_file = \"{}\"\n",
        hook.receiver(),
        directory.display(),
        passphrase(collector.home()).display()
    );
    collector.configure(&tables);
    collector.run().await;
    let opened = hook.wait("incident.opened", s(60)).await;
    let title = opened.body["data"]["title"].as_str().unwrap_or_default();
    assert!(title.contains("the backup into") && title.contains("there is no good one"), "{title}");
    assert_eq!(opened.body["data"]["severity"], "warning");
    assert_eq!(collector.metric("muster_backup_last_success_timestamp_seconds").await, Some(0.0));

    std::fs::create_dir(&directory).expect("a directory of our own");
    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.run().await;
    let resolved = hook.wait("incident.resolved", s(60)).await;
    assert_eq!(resolved.key(), opened.key());
    let good = || async {
        collector.metric("muster_backup_last_success_timestamp_seconds").await.filter(|seconds| *seconds > 1.7e9)
    };
    eventually("the last good backup is told", s(20), good).await;
    let names: Vec<_> = std::fs::read_dir(&directory).expect("the directory").flatten().collect();
    assert_eq!(names.len(), 1, "{names:?}");
    let elsewhere = Collector::prepare("");
    let said = restore(&elsewhere, &names[0].path(), &passphrase(collector.home())).await;
    assert_eq!(said.code, 0, "{}", said.all());
}
