//! EDGE: the privileged helper: one request on a socket, answered, and the process ends. systemd starts one for each connection
//! (`muster-helper.socket`), with the few capabilities that its unit leaves it, and no network.
//!
//! The agent's user may ask, and root; nobody else. What it may ask is a closed set ([`Request`]); which program or file that
//! means, with which arguments, is decided here. Answers are cut at the length that the agent keeps, each tool has its deadline, and a
//! thing is asked by one at a time, also while a tool that cannot be killed still hangs about it.

#[cfg(test)]
mod tests;

use std::io::{self, IoSlice, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{FlockOperation, Mode, OFlags, flock};
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::clock;
use crate::hardware::PAYLOAD_MAX;
use crate::host::{Answer, CommandError, Errand, Host, HostError, Output, Request};

/// Who may ask.
pub const ASKER: &str = "muster-agent";
/// Where it listens.
pub const SOCKET: &str = "/run/muster/helper.sock";
/// Where its processes see each other; theirs alone (`RuntimeDirectory` of the unit).
pub const LOCKS: &str = "/run/muster-helper";
/// The longest request has a name of 255 bytes in it.
const REQUEST_BYTES_MAX: usize = 1024;
/// A reason is a line.
const REASON_CHARS: usize = 300;
/// Who connects has its request ready; in milliseconds.
const REQUEST_MS: u64 = if cfg!(test) { 300 } else { 5_000 };
/// And takes the answer: so long for each piece of it; the unit's `RuntimeMaxSec` bounds them all.
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// For whom it works, and on what.
#[derive(Debug)]
pub struct Duty<'a> {
    /// The machine, with the rights of this process.
    pub host: &'a Host,
    /// Number of the user that may ask, besides root; `None` where there is no such user.
    pub asker: Option<u32>,
    /// Whether this machine's own file plans tests of the hardware: only then they are begun.
    pub planned: bool,
    /// Directory in which its processes see each other.
    pub locks: &'a Path,
}

/// Answers the one request on `socket`.
///
/// # Errors
/// When the socket fails; a request that is none is answered.
pub fn serve(mut socket: UnixStream, duty: &Duty<'_>) -> io::Result<()> {
    socket.set_write_timeout(Some(TAKEN_WITHIN))?;
    // The mode of the socket says the same; this holds where somebody has loosened it.
    let Ok(peer) = socket_peercred(&socket) else {
        // From another pid namespace, such as a container's, its number would be 0, which none is.
        return refuse(&mut socket, "somebody", "it cannot be told who asks");
    };
    let who = format!("user {}", peer.uid.as_raw());
    if !may_ask(peer.uid.as_raw(), duty.asker) {
        return refuse(&mut socket, &who, "only the agent's user may ask");
    }
    let request = match request_on(&mut socket) {
        Ok(request) => request,
        Err(reason) => return refuse(&mut socket, &who, &reason),
    };
    if !request.is_here(duty.host) {
        return refuse(&mut socket, &who, "this machine has no such device");
    }
    if request.begins_test() && !duty.planned {
        return refuse(&mut socket, &who, "[prove] of /etc/muster/agent.toml plans no tests");
    }
    match request.errand() {
        Errand::Open(path) => pass_on(&mut socket, duty.host, path),
        Errand::Run(tool, words) => {
            let (answer, body) = ran(duty, &request, tool, &words);
            say(&mut socket, &answer, &body)
        }
    }
}

/// Says no, to who asks and to the log.
fn refuse(socket: &mut UnixStream, who: &str, reason: &str) -> io::Result<()> {
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS).collect();
    tracing::warn!("{who} is refused: {reason}");
    say(socket, &Answer::Refused { reason }, &[])
}

fn may_ask(peer: u32, asker: Option<u32>) -> bool {
    peer == 0 || asker == Some(peer)
}

/// What a tool says, run while no other one asks about the same thing.
fn ran(duty: &Duty<'_>, request: &Request, tool: &str, words: &[String]) -> (Answer, Vec<u8>) {
    let (thing, deadline_ms) = (request.thing(), request.deadline_ms());
    let held = match hold(&duty.locks.join(&thing), deadline_ms) {
        Ok(Some(held)) => held,
        Ok(None) => return (Answer::Hanging, Vec::new()),
        Err(error) => return (failed(&format!("{}: {error}", duty.locks.display())), Vec::new()),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match duty.host.run_holding(held, tool, &words, PAYLOAD_MAX, deadline_ms) {
        Ok(Output { code, stdout, truncated }) => (Answer::Output { code, truncated, bytes: stdout.len() }, stdout),
        Err(CommandError::NotPresent(_)) => (Answer::NotPresent, Vec::new()),
        Err(CommandError::TimedOut { .. }) => (Answer::TimedOut, Vec::new()),
        Err(CommandError::Hanging(_)) => (Answer::Hanging, Vec::new()),
        Err(error @ CommandError::Failed { .. }) => (failed(&error.to_string()), Vec::new()),
    }
}

/// The request, or what is wrong with it.
fn request_on(socket: &mut UnixStream) -> Result<Request, String> {
    let until_ns = clock::boottime_ns() + REQUEST_MS * 1_000_000;
    let mut line = Vec::new();
    let mut chunk = [0; 256];
    while !line.contains(&b'\n') {
        let left_ns = until_ns.saturating_sub(clock::boottime_ns());
        let read = if left_ns == 0 {
            Err(io::ErrorKind::TimedOut.into())
        } else {
            socket.set_read_timeout(Some(Duration::from_nanos(left_ns))).and_then(|()| socket.read(&mut chunk))
        };
        match read {
            Ok(0) => break,
            Ok(count) => line.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return Err("no request came in time".to_owned()),
        }
        if line.len() > REQUEST_BYTES_MAX {
            return Err("the request is too long".to_owned());
        }
    }
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice(line).map_err(|error| format!("the request is none: {error}"))
}

fn failed(reason: &str) -> Answer {
    Answer::Failed { reason: reason.chars().take(REASON_CHARS).collect() }
}

fn head(answer: &Answer) -> Vec<u8> {
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}

fn say(socket: &mut UnixStream, answer: &Answer, body: &[u8]) -> io::Result<()> {
    socket.write_all(&head(answer))?;
    socket.write_all(body)
}

/// Passes a file on, open for reading: who may not open it may read it then, and no more.
fn pass_on(socket: &mut UnixStream, host: &Host, path: &str) -> io::Result<()> {
    let file = match host.messages(path) {
        Ok(file) => file,
        Err(HostError::NotPresent(_)) => return say(socket, &Answer::NotPresent, &[]),
        Err(error) => return say(socket, &failed(&error.to_string()), &[]),
    };
    let line = head(&Answer::Opened);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    let descriptors = [file.as_fd()];
    rights.push(SendAncillaryMessage::ScmRights(&descriptors));
    sendmsg(&*socket, &[IoSlice::new(&line)], &mut rights, SendFlags::NOSIGNAL)?;
    Ok(())
}

/// Takes what no two may have; nothing when another one has it for longer than `wait_ms`. The tool is given it, and so keeps it
/// for as long as it lives, whatever becomes of this process.
fn hold(file: &Path, wait_ms: u64) -> io::Result<Option<OwnedFd>> {
    // Read by the tool as its standard input, it is what it is: empty.
    let flags = OFlags::RDONLY | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::open(file, flags, Mode::RUSR | Mode::WUSR)?;
    let (taken, held) = mpsc::channel();
    std::thread::Builder::new().name("muster-waits".to_owned()).spawn(move || {
        let locked = flock(&file, FlockOperation::LockExclusive);
        // Nobody waits any more after the deadline; the process ends, and the thread with it.
        drop(taken.send(locked.map(|()| file)));
    })?;
    match held.recv_timeout(Duration::from_millis(wait_ms)) {
        Ok(held) => Ok(Some(held?)),
        Err(_) => Ok(None),
    }
}
