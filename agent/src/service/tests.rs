use std::os::unix::fs::PermissionsExt as _;

use super::files::{CONFIG, Place};
use super::*;

/// What the settings become, as text.
fn text(before: &str, labels: &[(&str, &str)], addresses: &[&str]) -> Result<Option<String>, ServiceError> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("agent.toml");
    std::fs::write(&file, before).unwrap();
    let config = Config::load(Some(&file)).unwrap();
    let labels: Vec<_> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let addresses: Vec<_> = addresses.iter().map(|address| (*address).to_owned()).collect();
    Ok(settings::changed(&file, &config, &labels, &addresses)?.map(|(_, text)| text))
}

#[test]
fn a_label_is_written_where_labels_are_and_nothing_else_changes() {
    let before = "# ours\n[labels] # of this host\nsite = \"oslo\" # where\n\n[log]\nlevel = \"warn\"\n";
    let after = text(before, &[("owner", "web \"team\"")], &[]).unwrap().unwrap();
    assert_eq!(
        after,
        "# ours\n[labels] # of this host\nowner = 'web \"team\"'\nsite = \"oslo\" # where\n\n[log]\nlevel = \"warn\"\n"
    );
}

#[test]
fn a_label_that_is_stated_otherwise_is_replaced_and_one_that_is_so_is_left() {
    let before = "[labels]\nsite = \"oslo\"\n";
    assert_eq!(text(before, &[("site", "bergen")], &[]).unwrap().unwrap(), "[labels]\nsite = \"bergen\"\n");
    assert_eq!(text(before, &[("site", "oslo")], &[]).unwrap(), None);
}

#[test]
fn settings_without_labels_get_a_table_of_them() {
    let after = text("interval = \"30s\"", &[("site", "oslo")], &[]).unwrap().unwrap();
    assert_eq!(after, "interval = \"30s\"\n\n[labels]\nsite = \"oslo\"\n");
}

#[test]
fn addresses_are_written_only_where_the_file_states_some() {
    let stated = "[collector]\naddresses = [\"old:7460\"]\n";
    let after = text(stated, &[], &["new:7460", "newer:7460"]).unwrap().unwrap();
    assert_eq!(after, "[collector]\naddresses = [\"new:7460\", \"newer:7460\"]\n");
    assert_eq!(text("", &[], &["new:7460"]).unwrap(), None);
}

#[test]
fn settings_that_a_program_cannot_change_are_left_to_a_person() {
    let dotted = "labels.site = \"oslo\"\n";
    let refusal = text(dotted, &[("owner", "web")], &[]).unwrap_err().to_string();
    assert!(refusal.contains("nothing was changed"), "{refusal}");
    let refusal = text("", &[("Not A Name", "x")], &[]).unwrap_err().to_string();
    assert!(refusal.contains("Not A Name") && refusal.contains("nothing was changed"), "{refusal}");
}

#[test]
fn a_file_is_written_once_and_again_when_it_or_its_mode_differs() {
    let home = tempfile::tempdir().unwrap();
    let place = Place::below(home.path());
    assert!(place.put("/usr/bin/x", b"one", 0o755).unwrap());
    assert!(!place.put("/usr/bin/x", b"one", 0o755).unwrap());
    std::fs::set_permissions(place.path("/usr/bin/x"), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert!(place.put("/usr/bin/x", b"one", 0o755).unwrap());
    assert!(place.put("/usr/bin/x", b"two", 0o755).unwrap());
    assert_eq!(std::fs::read(place.path("/usr/bin/x")).unwrap(), b"two");
    assert_eq!(std::fs::read_dir(home.path().join("usr/bin")).unwrap().count(), 1);
}

#[test]
fn settings_that_are_there_are_not_written_over() {
    let home = tempfile::tempdir().unwrap();
    let place = Place::below(home.path());
    assert!(place.put_if_absent(CONFIG, "ours = 1").unwrap());
    assert!(!place.put_if_absent(CONFIG, "theirs = 1").unwrap());
    assert_eq!(std::fs::read_to_string(place.path(CONFIG)).unwrap(), "ours = 1");
}

#[test]
fn what_is_not_there_is_not_removed() {
    let home = tempfile::tempdir().unwrap();
    let place = Place::below(home.path());
    place.put("/etc/x.d/a.conf", b"", 0o644).unwrap();
    assert!(place.remove("/etc/x.d").unwrap());
    assert!(!place.remove("/etc/x.d").unwrap());
}

#[test]
fn given_addresses_come_first_and_learnt_ones_stay() {
    let mut known = vec!["a:1".to_owned(), "b:1".to_owned()];
    assert!(prefer(&mut known, &["b:1".to_owned(), "c:1".to_owned()]));
    assert_eq!(known, ["b:1", "c:1", "a:1"]);
    assert!(!prefer(&mut known, &["b:1".to_owned()]));
    assert!(!prefer(&mut known, &[]));
}
