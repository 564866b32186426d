//! Lives of drives: what is written is read back, a drive that moves keeps its life, and its places are known.

use super::*;
use crate::{
    domain::reliability::{Life, Watched, follow},
    store::lives::Place,
};

fn drive(serial: &str, device: &str) -> Watched {
    let (is_failing, has_failed) = (false, false);
    let (model, firmware) = ("MADE UP 4000".into(), "0001".into());
    let (serial, device) = (serial.into(), device.into());
    Watched { serial, model, firmware, device, hours: Some(100), is_failing, has_failed }
}

async fn looks(store: &Store, host: i64, drives: &[Watched], now: Timestamp) -> Vec<Life> {
    let serials = drives.iter().map(|drive| drive.serial.clone()).collect();
    let known = store.lives_around(HostNo(host), serials).await.unwrap();
    let lives = follow(&known, drives, HostNo(host), now);
    store.put_lives(lives.clone()).await.unwrap();
    lives
}

#[tokio::test]
async fn a_drive_is_followed_from_host_to_host() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    looks(&store, 1, &[drive("A", "sda"), drive("B", "sdb")], at(1_000)).await;
    looks(&store, 1, &[drive("B", "sda")], at(2_000)).await;
    let failing = Watched { is_failing: true, ..drive("A", "sdc") };
    let written = looks(&store, 2, &[failing], at(3_000)).await;
    drop(store);
    let store = Store::open(directory.path(), NOW).unwrap();
    let lives = store.lives().await.unwrap();
    assert_eq!(lives[0], written[0]);
    assert_eq!(
        (lives.len(), lives[0].host, lives[0].entered, lives[0].failing),
        (2, HostNo(2), at(1_000), Some(at(3_000)))
    );
    let place = |ms, host, device: &str| Place { at: at(ms), host: HostNo(host), device: device.into() };
    let places = store.places("A".into(), "MADE UP 4000".into()).await.unwrap();
    assert_eq!(places, [place(3_000, 2, "sdc"), place(1_000, 1, "sda")]);
    let places = store.places("B".into(), "MADE UP 4000".into()).await.unwrap();
    assert_eq!(places, [place(2_000, 1, "sda"), place(1_000, 1, "sdb")]);
    let around = store.lives_around(HostNo(1), Vec::new()).await.unwrap();
    assert_eq!(around.iter().map(|life| life.serial.as_str()).collect::<Vec<_>>(), ["B"]);
}
