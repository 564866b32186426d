//! `[backup]`: read whole, and refused by line and key.

use super::*;
use crate::domain::backup::Rhythm;

#[test]
fn the_example_is_read_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let config = read(&example_switched_on(folder.path())).unwrap();
    let backup = config.backup.unwrap();
    assert_eq!((backup.plan.directory.as_str(), backup.plan.keep), ("/var/backups/muster", 14));
    assert_eq!(backup.passphrase.expose(), "correct horse battery");
    let Rhythm::Daily(schedule) = backup.plan.rhythm else { panic!("not daily") };
    assert_eq!(schedule.words(), "at 30 2 * * * Europe/Berlin");
    // All secrets belong into a backup, whichever table names them.
    let names: Vec<_> = config.named.iter().filter_map(|path| path.file_name()?.to_str()).collect();
    for secret in ["backup.passphrase", "https.key", "on-call.secret", "mail.password", "slack.token"] {
        assert!(names.contains(&secret), "{secret} in {names:?}");
    }
    assert_eq!(config.file, Path::new("collector.toml"));
}

#[test]
fn once_a_day_and_fourteen_of_them_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = folder.path().join("passphrase");
    std::fs::write(&passphrase, "correct horse battery\n").unwrap();
    let text = |more: &str| {
        format!("[backup]\ndirectory = \"/srv/b\"\npassphrase_file = \"{}\"\n{more}", passphrase.display())
    };
    let plan = read(&text("")).unwrap().backup.unwrap().plan;
    assert_eq!((plan.rhythm, plan.keep), (Rhythm::Every(86_400_000), 14));
    let plan = read(&text("every = \"6 h\"\nkeep = 3\n")).unwrap().backup.unwrap().plan;
    assert_eq!((plan.rhythm, plan.keep), (Rhythm::Every(6 * 3_600_000), 3));
    assert!(read("").unwrap().backup.is_none());
}

#[test]
fn what_makes_no_backup_is_refused_by_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let short = folder.path().join("short");
    std::fs::write(&short, "short\n").unwrap();
    let said = mistakes(&format!(
        "state = \"/var/lib/muster/collector\"\n[backup]\ndirectory = \"/var/lib/muster/collector/b\"\n\
         passphrase_file = \"{}\"\nat = \"25:00\"\nevery = \"6 h\"\nkeep = 0\n",
        short.display()
    ));
    let expected = [
        "collector.toml:3: backup.directory = \"/var/lib/muster/collector/b\": expected the whole path of a directory",
        "outside of the state directory",
        "backup.passphrase_file: expected the path of a file with a passphrase of at least 12 characters",
        "collector.toml:5: backup.at = \"25:00\": expected a time of the day",
        "backup.zone: expected the name of a zone",
        "collector.toml:6: backup.every = \"6 h\": expected at or every, not both",
        "collector.toml:7: backup.keep = 0: expected a number from 1 to 1000",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
    let said = mistakes("[backup]\nevery = \"1 min\"\nzone = \"UTC\"\n");
    for part in
        ["backup.directory: expected", "backup.passphrase_file: expected", "no such key without at", "a time from"]
    {
        assert!(said.iter().any(|line| line.contains(part)), "{part} in {said:#?}");
    }
}
