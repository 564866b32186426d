use std::os::unix::fs::PermissionsExt as _;

use super::files::{CONFIG, Place};
use super::settings::Wish;
use super::*;

/// What the settings become, as text.
fn text(before: &str, labels: &[(&str, &str)], addresses: &[&str]) -> Result<Option<String>, ServiceError> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("agent.toml");
    std::fs::write(&file, before).unwrap();
    let config = Config::load(Some(&file)).unwrap();
    let labels: Vec<_> = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let addresses: Vec<_> = addresses.iter().map(|address| (*address).to_owned()).collect();
    let wish = Wish { labels: &labels, addresses: &addresses, proxy: None };
    Ok(settings::changed(&file, &config, wish)?.map(|(_, text)| text))
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

/// What the settings become with this proxy, as text.
fn proxied(before: &str, proxy: &str, password_file: Option<&str>) -> Result<Option<String>, ServiceError> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("agent.toml");
    std::fs::write(&file, before).unwrap();
    let config = Config::load(Some(&file)).unwrap();
    let wish = Wish { proxy: Some((proxy, password_file.map(Path::new))), ..Wish::default() };
    Ok(settings::changed(&file, &config, wish)?.map(|(_, text)| text))
}

#[test]
fn a_proxy_is_written_with_the_file_of_its_password_changed_and_taken_away() {
    let stated = "[collector]\nproxy_password_file = \"/etc/p\"\nproxy = \"http://me@proxy:3128\"\n";
    let first = proxied("", "http://me@proxy:3128", Some("/etc/p")).unwrap().unwrap();
    assert_eq!(first, format!("\n{stated}"));
    assert_eq!(proxied(stated, "http://me@proxy:3128", Some("/etc/p")).unwrap(), None);
    let open = proxied(stated, "http://other:8080", None).unwrap().unwrap();
    assert_eq!(open, "[collector]\nproxy = \"http://other:8080\"\n");
    assert_eq!(proxied(&open, "none", None).unwrap().unwrap(), "[collector]\nproxy = \"none\"\n");
    assert_eq!(proxied("", "none", None).unwrap(), None);
}

#[test]
fn a_password_on_the_command_line_is_refused_without_being_repeated() {
    for (proxy, file, problem) in [
        ("http://me:secret@proxy:3128", None, "--proxy-password-file"),
        ("http://me:secret@proxy", None, "HOST:PORT"),
        ("http://proxy:3128", Some("/etc/p"), "a user"),
        ("http://me@proxy:3128", Some("p"), "absolute"),
    ] {
        let refusal = proxied("", proxy, file).unwrap_err().to_string();
        assert!(refusal.contains(problem) && refusal.contains("nothing was changed"), "{refusal}");
        assert!(!refusal.contains("secret"), "{refusal}");
    }
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
fn settings_that_are_changed_keep_who_may_read_them() {
    let home = tempfile::tempdir().unwrap();
    let place = Place::below(home.path());
    assert!(place.put_settings("one = 1").unwrap());
    let mode = |place: &Place| std::fs::metadata(place.path(CONFIG)).unwrap().permissions().mode() & 0o7777;
    assert_eq!(mode(&place), 0o644);
    std::fs::set_permissions(place.path(CONFIG), std::fs::Permissions::from_mode(0o640)).unwrap();
    assert!(place.put_settings("two = 2").unwrap());
    assert_eq!(mode(&place), 0o640);
    assert!(!place.put_settings("two = 2").unwrap());
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
