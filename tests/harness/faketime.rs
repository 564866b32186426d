//! Programs whose wall clock says something else than this machine's. Needs libfaketime.

use std::path::PathBuf;

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

/// Its wall clock is off by so much, such as `+365d`, or starts at an instant of UTC, such as `@2026-10-25 00:59:50`; time
/// passes as always.
///
/// # Panics
/// When libfaketime is not installed.
pub fn set(command: &mut Command, clock: &str) {
    command.env("LD_PRELOAD", library()).env("FAKETIME", clock).env("TZ", "UTC");
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1");
}
