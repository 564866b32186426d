//! Files as a whole: how old, how long, and line by line where they may be long.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::os::{self, Descriptor, Errno};
use super::{Host, HostError, READ_FIRST, fill, lock};

/// A line longer than this is passed over.
const LINE_MAX: usize = 64 * 1024;

/// What `stat` says of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStat {
    /// The number of the file in its file system; another one where it was replaced.
    pub inode: u64,
    /// Its length in bytes.
    pub bytes: u64,
    /// When it was last written, seconds since the epoch.
    pub modified_s: i64,
    /// Nanoseconds of that second.
    pub modified_ns: i64,
}

/// Files that say when they change, with what was made of them.
#[derive(Default)]
pub(super) struct Watched(Mutex<HashMap<Box<str>, Digest>>);

struct Digest {
    descriptor: Descriptor,
    text: Arc<str>,
}

impl Watched {
    pub(super) fn forget(&self) {
        lock(&self.0).clear();
    }
}

/// A file of records, such as the kernel's log, open at where reading ended.
#[derive(Debug)]
pub struct Messages {
    path: String,
    descriptor: Descriptor,
}

#[cfg(target_os = "linux")]
impl std::os::fd::AsFd for Messages {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Messages {
    /// A file that somebody else has opened.
    #[cfg(test)]
    pub(crate) fn opened(path: &str, descriptor: Descriptor) -> Self {
        Self { path: path.to_owned(), descriptor }
    }

    /// Reads on behind what is in `into`; false where there is nothing more now. Records that were overwritten before they
    /// were read are passed over.
    ///
    /// # Errors
    /// When reading fails.
    pub fn read_more(&mut self, into: &mut Vec<u8>) -> Result<bool, HostError> {
        into.reserve(READ_FIRST);
        match os::read(&self.descriptor, into) {
            Ok(count) => Ok(count > 0),
            Err(Errno::AGAIN) => Ok(false),
            Err(Errno::PIPE | Errno::INTR) => Ok(true),
            Err(errno) => Err(HostError::from_errno(&self.path, errno)),
        }
    }

    /// Ends when there is more to read, or where that cannot be noticed: then it says false.
    pub async fn readable(&self) -> bool {
        os::readable(&self.descriptor).await
    }
}

impl Host {
    /// Opens a file of records at its beginning.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn messages(&self, path: &str) -> Result<Messages, HostError> {
        Ok(Messages { path: path.to_owned(), descriptor: self.open(path)? })
    }

    /// What `make` makes of a file that says when it changes, like `/proc/PID/mountinfo` (proc_pid_mountinfo(5)): read
    /// anew only then, until [`Host::forget_facts`]. A file of a capture does not say it and is always read.
    ///
    /// # Errors
    /// As [`Host::read`], or what `make` says.
    pub fn digest<E: From<HostError>>(
        &self,
        path: &str,
        make: impl FnOnce(&str) -> Result<String, E>,
    ) -> Result<Arc<str>, E> {
        let mut watched = lock(&self.watched.0);
        if let Some(digest) = watched.get(path).filter(|digest| self.is_live() && os::is_quiet(&digest.descriptor)) {
            return Ok(Arc::clone(&digest.text));
        }
        let descriptor = self.open(path)?;
        let mut bytes = Vec::new();
        fill(&descriptor, &mut bytes, 0).map_err(|errno| HostError::from_errno(path, errno))?;
        let text: Arc<str> = make(&String::from_utf8_lossy(&bytes))?.into();
        watched.insert(path.into(), Digest { descriptor, text: Arc::clone(&text) });
        Ok(text)
    }

    /// What `stat` says of the file at `path`.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn stat(&self, path: &str) -> Result<FileStat, HostError> {
        os::stat(&self.resolve(path)).map_err(|errno| HostError::from_errno(path, errno))
    }

    /// Calls `visit` with each line of a file that may be of any length, as long as it says so.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn each_line(&self, path: &str, mut visit: impl FnMut(&str) -> bool) -> Result<(), HostError> {
        let descriptor = self.open(path)?;
        let mut bytes: Vec<u8> = Vec::with_capacity(READ_FIRST);
        loop {
            if bytes.len() > LINE_MAX {
                bytes.clear();
            }
            bytes.reserve(READ_FIRST);
            let count = os::read(&descriptor, &mut bytes).map_err(|errno| HostError::from_errno(path, errno))?;
            // What stands after the last line end waits for its rest, except at the end of the file.
            let ended = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            let until = if count == 0 { bytes.len() } else { ended };
            if !String::from_utf8_lossy(&bytes[..until]).lines().all(&mut visit) || count == 0 {
                return Ok(());
            }
            bytes.drain(..until);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::OwnedFd;

    use rustix::net::{SendFlags, send};

    use super::*;

    /// Urgent data on a connection is what a changed mount table is on its file: something out of the ordinary.
    #[test]
    fn a_file_is_quiet_until_it_says_that_something_happened() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let receiver: OwnedFd = listener.accept().unwrap().0.into();
        send(&sender, b"ordinary", SendFlags::empty()).unwrap();
        assert!(os::is_quiet(&receiver));
        send(&sender, b"!", SendFlags::OOB).unwrap();
        // Loopback delivers within the call, or soon after.
        assert!(std::iter::repeat_with(|| os::is_quiet(&receiver)).take(1_000_000).any(|quiet| !quiet));
    }
}
