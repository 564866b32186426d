//! What the spool asks of a file system. Tests give it one that refuses, crashes and forgets what was not synced.
//!
//! Everything goes by path, so that nothing here has to be kept open between two records of a quiet day.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::platform;

/// How much a file system holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Bytes in all.
    pub all_bytes: u64,
}

/// A file system. What is written is durable after `sync` (its bytes) and `sync_dir` (its name), not before.
pub trait Files: Send {
    /// Makes a directory that only its owner may enter, with those above it.
    ///
    /// # Errors
    /// When the file system refuses; so it is with all the others.
    fn make_dir(&mut self, dir: &Path) -> io::Result<()>;
    /// The files in a directory.
    fn list(&mut self, dir: &Path) -> io::Result<Vec<PathBuf>>;
    /// At most `length` bytes from `at`; fewer where the file ends.
    fn read(&mut self, file: &Path, at: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Makes or empties a file that only its owner may read, and writes it.
    fn create(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Writes at the end of a file that is there.
    fn append(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Cuts a file.
    fn truncate(&mut self, file: &Path, length: u64) -> io::Result<()>;
    /// Puts the bytes of a file on the disk itself.
    fn sync(&mut self, file: &Path) -> io::Result<()>;
    /// Puts the names in a directory on the disk itself.
    fn sync_dir(&mut self, dir: &Path) -> io::Result<()>;
    /// Gives a file or directory another name, in place of what has it.
    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file; one that is gone is no error.
    fn remove(&mut self, file: &Path) -> io::Result<()>;
    /// Removes a directory with its files; one that is gone is no error.
    fn remove_dir(&mut self, dir: &Path) -> io::Result<()>;
    /// How much room there is where `dir` lies.
    fn room(&mut self, dir: &Path) -> io::Result<Room>;
}

/// The machine's own.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFiles;

impl Files for RealFiles {
    fn make_dir(&mut self, dir: &Path) -> io::Result<()> {
        platform::make_private_dir(dir)
    }

    fn list(&mut self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(dir)?.map(|entry| Ok(entry?.path())).collect()
    }

    fn read(&mut self, file: &Path, at: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut file = File::open(file)?;
        file.seek(SeekFrom::Start(at))?;
        let mut bytes = Vec::new();
        file.take(length as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    fn create(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        platform::private(options.write(true).create(true).truncate(true)).open(file)?.write_all(bytes)
    }

    fn append(&mut self, file: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).open(file)?.write_all(bytes)
    }

    fn truncate(&mut self, file: &Path, length: u64) -> io::Result<()> {
        OpenOptions::new().write(true).open(file)?.set_len(length)
    }

    fn sync(&mut self, file: &Path) -> io::Result<()> {
        platform::sync_file(file)
    }

    fn sync_dir(&mut self, dir: &Path) -> io::Result<()> {
        platform::sync_dir(dir)
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&mut self, file: &Path) -> io::Result<()> {
        gone(fs::remove_file(file))
    }

    fn remove_dir(&mut self, dir: &Path) -> io::Result<()> {
        gone(fs::remove_dir_all(dir))
    }

    fn room(&mut self, dir: &Path) -> io::Result<Room> {
        let (free_bytes, all_bytes) = platform::room(dir)?;
        Ok(Room { free_bytes, all_bytes })
    }
}

fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
