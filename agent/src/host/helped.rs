//! Asking the privileged helper, where there is one, for what takes more rights than the agent has.

use std::io::{self, IoSliceMut, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use serde::{Deserialize, Serialize};

use super::{CommandError, Host, HostError, Output, Request};
use crate::clock;

/// The first line of an answer.
const HEAD_BYTES_MAX: usize = 4096;
/// What systemd takes to start a helper, and the answer to arrive.
const MARGIN_MS: u64 = 10_000;
/// For a file, which is opened at once: whoever reads it waits.
const OPENED_MS: u64 = 5_000;

/// The first line of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The tool has ended; so many bytes of what it said follow.
    Output { code: Option<i32>, truncated: bool, bytes: usize },
    /// There is no such tool.
    NotPresent,
    /// It was killed at its deadline.
    TimedOut,
    /// Another one still asks, or a tool that cannot be killed hangs.
    Hanging,
    /// It could not be run.
    Failed { reason: String },
    /// The request is none that is answered.
    Refused { reason: String },
    /// The descriptor comes with this line.
    Opened,
}

impl Host {
    /// The same machine, with the helper that listens there, if one does.
    #[must_use]
    pub fn with_helper(mut self, socket: &Path) -> Self {
        self.helper = Some(socket.into());
        self
    }

    /// The same machine, as far as this process itself may look.
    #[must_use]
    pub fn without_helper(&self) -> Self {
        Self { helper: None, ..self.clone() }
    }

    /// What the helper says to this run of a tool; nothing where it is not asked.
    pub(super) fn helped(&self, tool: &str, words: &[&str], output_max: usize) -> Option<Result<Output, CommandError>> {
        let socket = self.helper.as_deref()?;
        let request = Request::of(tool, words)?;
        // Without a helper the tool is run with the rights that there are.
        let stream = connected(socket, &request)?;
        // Another one may ask about the same thing until its deadline.
        let within_ms = request.deadline_ms() * 2 + MARGIN_MS;
        let answer = heard(stream, within_ms, output_max);
        let failed = |reason: String| Err(CommandError::Failed { tool: format!("{tool} (by the helper)"), reason });
        Some(match answer {
            Ok((Answer::Output { code, truncated, bytes }, stdout)) => {
                let truncated = truncated || bytes > stdout.len();
                Ok(Output { code, stdout, truncated })
            }
            Ok((Answer::NotPresent, _)) => Err(CommandError::NotPresent(tool.to_owned())),
            Ok((Answer::TimedOut, _)) => {
                Err(CommandError::TimedOut { tool: tool.to_owned(), after_ms: request.deadline_ms() })
            }
            Ok((Answer::Hanging, _)) => Err(CommandError::Hanging(tool.to_owned())),
            Ok((Answer::Failed { reason }, _)) => failed(reason),
            Ok((Answer::Refused { reason }, _)) => failed(format!("the helper refuses: {reason}")),
            Ok((Answer::Opened, _)) => failed("the helper's answer is to another question".to_owned()),
            Err(error) => failed(format!("the helper does not answer: {error}")),
        })
    }

    /// The file that may not be opened by us, opened by the helper if it is one of its own; else why not.
    pub(crate) fn opened_by_helper(&self, path: &str, errno: Errno) -> Result<OwnedFd, HostError> {
        let error = HostError::from_errno(path, errno);
        let is_closed = matches!(error, HostError::Unreadable { .. });
        let asked = if is_closed { self.helper.as_deref().zip(Request::of_file(path)) } else { None };
        asked.and_then(|(socket, request)| handed(connected(socket, &request)?)).ok_or(error)
    }
}

/// The descriptor that comes with the answer.
fn handed(stream: UnixStream) -> Option<OwnedFd> {
    stream.set_read_timeout(Some(Duration::from_millis(OPENED_MS))).ok()?;
    let mut head = [0; HEAD_BYTES_MAX];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(&stream, &mut [IoSliceMut::new(&mut head)], &mut rights, RecvFlags::CMSG_CLOEXEC).ok()?;
    let line = head[..got.bytes].split(|byte| *byte == b'\n').next()?;
    if serde_json::from_slice::<Answer>(line).ok()? != Answer::Opened {
        return None;
    }
    rights.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    })
}

/// A connection on which the request is said.
fn connected(socket: &Path, request: &Request) -> Option<UnixStream> {
    let mut stream = UnixStream::connect(socket).ok()?;
    let mut line = serde_json::to_vec(request).ok()?;
    line.push(b'\n');
    // One that has gone already says so when it is read.
    let _ = stream.write_all(&line);
    let _ = stream.shutdown(Shutdown::Write);
    Some(stream)
}

/// The answer and what comes with it, as far as it is kept.
fn heard(mut stream: UnixStream, within_ms: u64, output_max: usize) -> io::Result<(Answer, Vec<u8>)> {
    let until_ns = clock::boottime_ns() + within_ms * 1_000_000;
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let left_ns = until_ns.saturating_sub(clock::boottime_ns());
        if left_ns == 0 {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(Duration::from_nanos(left_ns)))?;
        match stream.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => bytes.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if bytes.len() > HEAD_BYTES_MAX + output_max {
            break;
        }
    }
    let end = bytes.iter().take(HEAD_BYTES_MAX).position(|byte| *byte == b'\n');
    let end = end.ok_or_else(|| io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection"))?;
    let answer = serde_json::from_slice(&bytes[..end]).map_err(io::Error::other)?;
    bytes.drain(..=end);
    bytes.truncate(output_max);
    Ok((answer, bytes))
}
