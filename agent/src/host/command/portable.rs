//! Programs where there is no pidfd: a thread reads the output, and whoever waits looks now and then.

use std::io::Read as _;
use std::process::{Child, ChildStdout, ExitStatus};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Output, lock};
use crate::{clock, platform};

pub(super) use platform::command::{TOOL_DIRECTORIES, bare, become_user, file_name, in_own_group, kill_group};

/// Between two looks whether it has ended.
const LOOK: Duration = Duration::from_millis(10);
/// For what is still in the pipe when a program has ended whose children keep it open, in nanoseconds.
const REST_NS: u64 = 200_000_000;

/// The service has no rights beyond its user's.
pub(super) fn give_rights_up() {}

/// Reads until the output ends and waits for the exit, or until the exit, whoever keeps the output open; `None` when the
/// deadline came first.
pub(super) fn follow(
    child: &mut Child,
    output_max: usize,
    until_ns: u64,
) -> std::io::Result<(Output, Option<ExitStatus>)> {
    let read = Arc::new(Mutex::new(Output { code: None, stdout: Vec::new(), truncated: false }));
    let reader = match child.stdout.take() {
        Some(stdout) => {
            let read = Arc::clone(&read);
            Some(
                std::thread::Builder::new()
                    .name("muster-tool".to_owned())
                    .spawn(move || keep(stdout, &read, output_max))?,
            )
        }
        None => None,
    };
    let ended = wait_until(child, until_ns)?;
    let until_ns = clock::boottime_ns() + REST_NS;
    while ended.is_some()
        && reader.as_ref().is_some_and(|reader| !reader.is_finished())
        && clock::boottime_ns() < until_ns
    {
        std::thread::sleep(LOOK);
    }
    let output = lock(&read).clone();
    Ok((output, ended))
}

fn keep(mut stdout: ChildStdout, read: &Mutex<Output>, output_max: usize) {
    let mut chunk = [0; 4096];
    while let Ok(count @ 1..) = stdout.read(&mut chunk) {
        let mut read = lock(read);
        let room = output_max.saturating_sub(read.stdout.len());
        read.truncated |= count > room;
        read.stdout.extend_from_slice(&chunk[..count.min(room)]);
    }
}

/// Waits for the exit; `None` when the deadline came first.
pub(super) fn wait_until(child: &mut Child, until_ns: u64) -> std::io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if clock::boottime_ns() >= until_ns {
            return Ok(None);
        }
        std::thread::sleep(LOOK);
    }
}
