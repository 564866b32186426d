//! Programs whose wall clock says something else than this machine's. Needs libfaketime.

use std::path::{Path, PathBuf};

use tokio::process::Command;

/// Debian's libfaketime, whatever the architecture.
///
/// # Panics
/// When it is not installed.
#[must_use]
pub fn library() -> PathBuf {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let found = folders.map(|folder| folder.join("faketime/libfaketime.so.1")).find(|file| file.exists());
    found.expect("libfaketime is not installed: apt-get install --no-install-recommends faketime")
}

/// Its wall clock is off by so much, such as `+365d`, or starts at an instant of UTC, such as `@2026-10-25 00:59:50`, or is
/// off by what the file of this absolute path says at each moment: see [`say`]. Time passes as always.
///
/// # Panics
/// When libfaketime is not installed.
pub fn set(command: &mut Command, clock: &str) {
    match clock.starts_with('/') {
        true => command.env("FAKETIME_TIMESTAMP_FILE", clock).env("FAKETIME_NO_CACHE", "1"),
        false => command.env("FAKETIME", clock),
    };
    command.env("LD_PRELOAD", library()).env("TZ", "UTC");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
}

/// Programs whose clock follows `file` are off by so many seconds from now on.
///
/// # Panics
/// When it cannot be written.
pub fn say(file: &Path, seconds: &str) {
    // Written beside and renamed: the library reads it at each call.
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{seconds}\n")).expect("a file in a directory of our own");
    std::fs::rename(&new, file).expect("a file in a directory of our own");
}
