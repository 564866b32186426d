//! A backup is whole or refused, and opens with what others have written for the format.

use std::io::{Cursor, Read, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{age::*, *};
use crate::store::{
    Fact,
    tests::{NOW, host},
};

const PASSPHRASE: &str = "correct horse battery";
/// `printf 'hello from age\n' | age -p` of age 1.1.1 with [`PASSPHRASE`].
const OF_AGE: &str = "YWdlLWVuY3J5cHRpb24ub3JnL3YxCi0+IHNjcnlwdCAwTi9keEtEeU5kb21DdndMcnpZd29RIDE4CmU5TmdyVnl1d2cyellaNHlqaUhPTlBO\
                      MnV2UCtRNDRPU3hOenFpRGdIM1EKLS0tIGh2TnZFTFdSQmFhOS90SnY3VXJRMDRTQ0w1OUZtUjBtYTdYcGZKSHZZdm8K2uEXc9x+6Rtv5qC1W9+i\
                      rZpS81sj8YOIpSSVePOBZkSNNOIu6D4m7MwgwUsP6cE=";

fn sealed(plain: &[u8]) -> Vec<u8> {
    let mut sealer = Sealer::new(Vec::new(), PASSPHRASE, 4).unwrap();
    sealer.write_all(plain).unwrap();
    sealer.finish().unwrap()
}

fn opened(bytes: &[u8]) -> Result<Vec<u8>, String> {
    let mut plain = Vec::new();
    let mut opener = Opener::new(bytes, PASSPHRASE).map_err(|error| error.to_string())?;
    opener.read_to_end(&mut plain).map_err(|error| error.to_string())?;
    Ok(plain)
}

#[test]
fn what_age_has_sealed_is_opened() {
    let bytes = STANDARD.decode(OF_AGE).unwrap();
    assert_eq!(opened(&bytes).unwrap(), b"hello from age\n");
    let wrong = Opener::new(bytes.as_slice(), "correct horse batterz").err().map(|error| error.to_string());
    assert_eq!(wrong.as_deref(), Some("the passphrase is not the one that it was sealed with"));
}

#[test]
fn every_length_around_a_chunk_comes_back() {
    for length in [0, 1, 65_535, 65_536, 65_537, 131_072, 200_000] {
        let plain: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let bytes = sealed(&plain);
        assert_eq!(opened(&bytes).unwrap(), plain, "{length}");
    }
}

#[test]
fn each_changed_bit_and_each_missing_end_is_found() {
    let bytes = sealed(&[7; 300]);
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        assert!(opened(&changed).is_err(), "byte {at}");
        assert!(opened(&bytes[..at]).is_err(), "cut off at {at}");
    }
    let mut longer = bytes;
    longer.push(0);
    assert!(opened(&longer).is_err());
    // Whole chunks that are missing at the end, or changed places.
    let bytes = sealed(&[7; 3 * 65_536]);
    let payload = bytes.len() - 3 * (65_536 + 16);
    assert!(opened(&bytes[..payload + 65_552]).is_err());
    let mut exchanged = bytes[..payload].to_vec();
    exchanged.extend(&bytes[payload + 65_552..payload + 2 * 65_552]);
    exchanged.extend(&bytes[payload..payload + 65_552]);
    exchanged.extend(&bytes[payload + 2 * 65_552..]);
    assert!(opened(&exchanged).is_err());
}

#[test]
fn what_is_no_age_file_or_asks_for_too_much_is_named() {
    let said = |text: &str| Opener::new(text.as_bytes(), PASSPHRASE).err().unwrap().to_string();
    assert!(said("SQLite format 3\0").starts_with("this is no backup of Muster"));
    assert!(said("").starts_with("this is no backup of Muster"));
    let keyed = "age-encryption.org/v1\n-> X25519 AAAA\nAAAA\n--- AAAA\n";
    assert_eq!(said(keyed), "it is not sealed with a passphrase");
    let (salt, body) = ("A".repeat(22), "A".repeat(43));
    let much = format!("age-encryption.org/v1\n-> scrypt {salt} 30\n{body}\n--- AAAA\n");
    assert_eq!(said(&much), "its passphrase asks for 2^30 rounds of work, at most 2^20 are done");
}

/// A store with a host, its authority, a configuration and a secret.
struct Stage {
    home: tempfile::TempDir,
    store: Store,
}

impl Stage {
    async fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let state = home.path().join("state");
        let store = Store::open(&state, NOW).unwrap();
        fs::create_dir(state.join("authority")).unwrap();
        fs::write(state.join("authority/root.key.pem"), "key").unwrap();
        fs::write(state.join("links.key"), "links").unwrap();
        fs::create_dir(home.path().join("etc")).unwrap();
        fs::write(home.path().join("etc/collector.toml"), "[grpc]\n").unwrap();
        fs::write(home.path().join("etc/secret"), "hush").unwrap();
        store.commit(vec![host(1)]).await.unwrap();
        let fact = Fact { sequence: 3, at: NOW, kind: "gap", body: "{}".into() };
        store.commit_facts(crate::domain::ids::HostNo(2), [7; 16], vec![fact]).await.unwrap();
        Self { home, store }
    }

    fn besides(&self) -> Besides {
        let etc = self.home.path().join("etc");
        Besides { configuration: Some(etc.join("collector.toml")), named: vec![etc.join("gone"), etc.join("secret")] }
    }

    async fn backup(&self) -> Vec<u8> {
        let staged = self.store.stage_backup(self.besides(), NOW).await.unwrap();
        staged.seal(Vec::new(), PASSPHRASE).unwrap()
    }

    fn restore(&self, bytes: &[u8], into: &str) -> Result<Restored, String> {
        let (state, configuration) = (self.home.path().join(into), self.home.path().join("new/collector.toml"));
        let target = Target { state: Some(&state), configuration: Some(&configuration), now: NOW };
        restore(Cursor::new(bytes), PASSPHRASE, target)
    }

    fn names(&self, directory: &str) -> Vec<String> {
        let found = fs::read_dir(self.home.path().join(directory)).unwrap();
        let mut names: Vec<String> = found.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn everything_comes_back_on_an_empty_machine() {
    let stage = Stage::new().await;
    let bytes = stage.backup().await;
    assert!(!stage.home.path().join("state/.backup").exists());
    let restored = stage.restore(&bytes, "elsewhere").unwrap();
    assert_eq!(restored.placed, [stage.home.path().join("new/collector.toml")]);
    assert_eq!(restored.left, [""; 0], "the secret is there already, as it should be");
    assert!(restored.missing[0].contains("/etc/gone: "), "{:?}", restored.missing);
    assert_eq!(stage.names("elsewhere"), ["authority", "facts.db", "links.key", "state.db"]);
    let elsewhere = stage.home.path().join("elsewhere");
    for (file, text) in [("authority/root.key.pem", "key"), ("links.key", "links")] {
        assert_eq!(fs::read_to_string(elsewhere.join(file)).unwrap(), text);
        assert_eq!(fs::metadata(elsewhere.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let store = Store::open(&elsewhere, NOW).unwrap();
    assert_eq!(store.load().await.unwrap().hosts.len(), 1);
    assert_eq!(store.received(crate::domain::ids::HostNo(2)).await.unwrap(), Some(([7; 16], 3)));
    // A host whose record came after the copy of the state keeps its number, and the audit log says what happened, once.
    let next = store.read(crate::store::identity_rows::next_host_no).await.unwrap();
    assert_eq!(next, crate::domain::ids::HostNo(3));
    assert!(store.take_restored(NOW).await.unwrap().unwrap().starts_with("restored at "));
    assert_eq!(store.take_restored(NOW).await.unwrap(), None);
    assert_eq!(store.audit(10).await.unwrap()[0].action, "backup.restore");
}

#[tokio::test]
async fn what_stands_in_the_place_of_the_configuration_is_left_alone() {
    let stage = Stage::new().await;
    let bytes = stage.backup().await;
    fs::create_dir(stage.home.path().join("new")).unwrap();
    fs::write(stage.home.path().join("new/collector.toml"), "# the package's\n").unwrap();
    fs::remove_file(stage.home.path().join("etc/secret")).unwrap();
    let restored = stage.restore(&bytes, "elsewhere").unwrap();
    assert_eq!(restored.placed, [stage.home.path().join("etc/secret")]);
    assert!(restored.left[0].contains("something else is there and was left alone"), "{:?}", restored.left);
    assert_eq!(fs::read_to_string(stage.home.path().join("new/collector.toml")).unwrap(), "# the package's\n");
    let kept = stage.home.path().join("elsewhere/restored/0-collector.toml");
    assert_eq!(fs::read_to_string(kept).unwrap(), "[grpc]\n");
}

#[tokio::test]
async fn a_refused_restore_changes_nothing() {
    let stage = Stage::new().await;
    let bytes = stage.backup().await;
    let refused = |bytes: &[u8], expected: &str| {
        let why = stage.restore(bytes, "elsewhere").unwrap_err();
        assert!(why.contains(expected), "{why}");
        assert!(!stage.home.path().join("elsewhere").exists() && !stage.home.path().join("new").exists());
    };
    refused(&bytes[..bytes.len() / 2], "changed or cut off");
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    refused(&flipped, "changed or cut off");
    refused(b"PK\x03\x04", "no backup of Muster");
    refused(&sealed(b"not a tar"), "");
    let target = Target { state: Some(&stage.home.path().join("elsewhere")), configuration: None, now: NOW };
    assert!(restore(bytes.as_slice(), "another passphrase", target).unwrap_err().contains("the passphrase is not"));
    // In use, by this very store and by what is no store.
    assert!(stage.restore(&bytes, "state").unwrap_err().contains("is in use: there is "));
    assert!(stage.restore(&bytes, "etc").unwrap_err().contains("etc is in use"));
    assert_eq!(stage.names("etc"), ["collector.toml", "secret"]);
}

#[tokio::test]
async fn a_newer_store_is_refused_by_its_manifest() {
    let stage = Stage::new().await;
    let mut staged = stage.store.stage_backup(Besides::default(), NOW).await.unwrap();
    staged.manifest.schemas.insert("state.db".into(), 9_999);
    let bytes = staged.seal(Vec::new(), PASSPHRASE).unwrap();
    let why = stage.restore(&bytes, "elsewhere").unwrap_err();
    assert!(why.contains("state.db has schema 9999; this program knows up to"), "{why}");
    assert!(!stage.home.path().join("elsewhere").exists());
}

#[tokio::test]
async fn a_restore_that_was_killed_is_no_state_and_is_made_anew() {
    let stage = Stage::new().await;
    let bytes = stage.backup().await;
    let elsewhere = stage.home.path().join("elsewhere");
    fs::create_dir_all(elsewhere.join(".restore")).unwrap();
    fs::write(elsewhere.join("facts.db"), "half").unwrap();
    let why = Store::open(&elsewhere, NOW).unwrap_err().to_string();
    assert!(why.contains("was not restored to its end"), "{why}");
    fs::remove_file(elsewhere.join("lock")).unwrap();
    stage.restore(&bytes, "elsewhere").unwrap();
    assert_eq!(Store::open(&elsewhere, NOW).unwrap().load().await.unwrap().hosts.len(), 1);
}

#[tokio::test]
async fn one_backup_at_a_time_and_what_a_killed_one_left_goes_at_the_next_start() {
    let stage = Stage::new().await;
    let staged = stage.store.stage_backup(Besides::default(), NOW).await.unwrap();
    let second = stage.store.stage_backup(Besides::default(), NOW).await.unwrap_err();
    assert!(matches!(second, StoreError::Busy(_)), "{second}");
    // As if it had been killed.
    std::mem::forget(staged);
    let Stage { home, store } = stage;
    drop(store);
    let store = Store::open(&home.path().join("state"), NOW).unwrap();
    assert!(!home.path().join("state/.backup").exists());
    drop(store.stage_backup(Besides::default(), NOW).await.unwrap());
}

#[tokio::test]
async fn a_copy_is_of_one_commit_while_others_are_written() {
    let stage = Stage::new().await;
    let writing = stage.store.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        for n in 0..400 {
            writing.commit(vec![host(10 + 2 * n), host(11 + 2 * n)]).await.unwrap();
        }
    });
    while !tasks.is_empty() {
        let staged = stage.store.stage_backup(Besides::default(), NOW).await.unwrap();
        let copy = Connection::open(staged.copies.join(STATE_FILE)).unwrap();
        let hosts: i64 = copy.query_row("SELECT count(*) FROM host WHERE no >= 10", [], |row| row.get(0)).unwrap();
        assert_eq!(hosts % 2, 0, "half of a commit");
        let _ = tasks.try_join_next();
    }
}

#[test]
fn a_file_gets_its_name_once_it_is_whole() {
    let home = tempfile::tempdir().unwrap();
    let (path, state) = (home.path().join("b.age"), home.path().join("state"));
    fs::create_dir(&state).unwrap();
    let names = || fs::read_dir(home.path()).unwrap().count();
    let mut to = Destination::begin(&path, Some(&state)).unwrap();
    to.write_all(b"half").unwrap();
    assert!(!path.exists());
    let second = Destination::begin(&path, Some(&state)).unwrap_err().to_string();
    assert!(second.contains("another backup is being written"), "{second}");
    drop(to);
    assert_eq!(names(), 1, "a part that is given up goes");
    let mut to = Destination::begin(&path, Some(&state)).unwrap();
    to.write_all(b"whole").unwrap();
    assert_eq!((to.keep().unwrap(), fs::read(&path).unwrap().as_slice()), (5, b"whole".as_slice()));
    let over = Destination::begin(&path, Some(&state)).unwrap_err().to_string();
    assert!(over.contains("something of this name already"), "{over}");
    // Nor into the state, by whatever way.
    std::os::unix::fs::symlink(&state, home.path().join("link")).unwrap();
    for inside in ["state/b", "link/b"] {
        let why = Destination::begin(&home.path().join(inside), Some(&state)).unwrap_err().to_string();
        assert!(why.contains("own state directory"), "{why}");
    }
    std::os::unix::fs::symlink(state.join("b"), home.path().join("dangling")).unwrap();
    assert!(Destination::begin(&home.path().join("dangling"), Some(&state)).is_err());
    assert_eq!(fs::read_dir(&state).unwrap().count(), 0);
}

#[test]
fn rotation_keeps_the_newest_and_what_is_not_ours() {
    let home = tempfile::tempdir().unwrap();
    let ours = ["20261127T013000Z", "20261128T013000Z", "20261129T013000Z"].map(|at| format!("muster-{at}.tar.gz.age"));
    for name in &ours {
        fs::write(home.path().join(name), "").unwrap();
    }
    fs::write(home.path().join("muster-before-upgrade.tar.gz.age"), "").unwrap();
    fs::write(home.path().join(format!(".{}.part", ours[0])), "half of one").unwrap();
    assert_eq!(name_at(Timestamp::from_ms(1_795_915_800_000)), "muster-20261129T013000Z.tar.gz.age");
    let mut gone = rotate(home.path(), 2).unwrap();
    gone.sort();
    assert_eq!(gone, [format!(".{}.part", ours[0]), ours[0].clone()]);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 3);
}
