//! What a backup consists of, and writing it.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};

use super::Besides;
use crate::{domain::time::Timestamp, store::StoreError};

/// The first entry.
pub(super) const MANIFEST: &str = "manifest.json";
/// The authority's files lie below this, in the state and in a backup.
pub(super) const AUTHORITY: &str = "authority";
/// Signs links in pages.
pub(super) const LINKS_KEY: &str = "links.key";
/// What lay outside of the state directory is below this in a backup.
pub(super) const FILES: &str = "files";
/// What this program writes and reads.
pub(super) const FORMAT: u32 = 1;
/// Largest file beside the databases, in bytes; keys and configurations have some kilobytes.
pub(super) const MOST_BYTES: u64 = 4 * 1024 * 1024;

/// The first entry of a backup: what it is and where its parts lay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Manifest {
    pub(super) format: u32,
    /// Version of the program.
    pub(super) program: String,
    /// Milliseconds since the Unix epoch.
    pub(super) taken_ms: i64,
    /// The state directory.
    pub(super) state: PathBuf,
    /// Schema of each database.
    pub(super) schemas: BTreeMap<String, i64>,
    /// Which entry is the configuration.
    pub(super) configuration: Option<String>,
    /// Where the entries below `files/` lay.
    pub(super) files: BTreeMap<String, Lay>,
    /// What could not be read.
    pub(super) missing: Vec<String>,
}

/// Where a file lay, and its mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Lay {
    pub(super) path: PathBuf,
    pub(super) mode: u32,
}

impl Manifest {
    pub(super) fn new(state: &Path, now: Timestamp) -> Self {
        Self {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").into(),
            taken_ms: now.ms(),
            state: std::path::absolute(state).unwrap_or_else(|_| state.to_owned()),
            schemas: BTreeMap::new(),
            configuration: None,
            files: BTreeMap::new(),
            missing: Vec::new(),
        }
    }
}

/// One file of a backup.
#[derive(Debug)]
pub(super) struct Entry {
    name: String,
    from: From,
}

#[derive(Debug)]
enum From {
    /// A copy that does not change.
    File(PathBuf),
    /// Read already: others may write it.
    Bytes(Vec<u8>),
}

impl Entry {
    pub(super) fn file(name: &str, path: PathBuf) -> Self {
        Self { name: name.into(), from: From::File(path) }
    }
}

/// Reads what is not in the databases.
pub(super) fn collect(
    state: &Path,
    besides: &Besides,
    manifest: &mut Manifest,
    entries: &mut Vec<Entry>,
) -> Result<(), StoreError> {
    let unreadable =
        |path: &Path, error: io::Error| StoreError::Broken(format!("cannot copy {}: {error}", path.display()));
    let authority = state.join(AUTHORITY);
    if authority.is_dir() {
        let mut names: Vec<_> = fs::read_dir(&authority)
            .and_then(|found| found.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>())
            .map_err(|error| unreadable(&authority, error))?;
        names.sort();
        for name in names {
            let path = authority.join(&name);
            let bytes = read(&path).map_err(|error| unreadable(&path, error))?;
            entries.push(Entry { name: format!("{AUTHORITY}/{}", name.to_string_lossy()), from: From::Bytes(bytes) });
        }
    }
    let key = state.join(LINKS_KEY);
    if key.exists() {
        let bytes = read(&key).map_err(|error| unreadable(&key, error))?;
        entries.push(Entry { name: LINKS_KEY.into(), from: From::Bytes(bytes) });
    }
    for (n, path) in besides.configuration.iter().chain(&besides.named).enumerate() {
        let name = format!("{FILES}/{n}");
        match read(path).and_then(|bytes| Ok((bytes, fs::metadata(path)?.permissions().mode() & 0o777))) {
            Ok((bytes, mode)) => {
                if besides.configuration.as_ref() == Some(path) {
                    manifest.configuration = Some(name.clone());
                }
                let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                manifest.files.insert(name.clone(), Lay { path, mode });
                entries.push(Entry { name, from: From::Bytes(bytes) });
            }
            Err(error) => manifest.missing.push(format!("{}: {error}", path.display())),
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::Error::other("larger than 4 MiB"));
    }
    Ok(bytes)
}

/// Writes all as a gzip of a tar; records shrink to a third or less at the least effort.
pub(super) fn write<W: Write>(out: W, manifest: &Manifest, entries: &[Entry]) -> io::Result<W> {
    let mut tar = tar::Builder::new(GzEncoder::new(out, Compression::fast()));
    let seconds = u64::try_from(manifest.taken_ms / 1_000).unwrap_or(0);
    let mut append = |name: &str, length: u64, from: &mut dyn Read| {
        let mut header = tar::Header::new_gnu();
        header.set_size(length);
        header.set_mode(0o600);
        header.set_mtime(seconds);
        tar.append_data(&mut header, name, from)
    };
    let text = serde_json::to_vec_pretty(manifest)?;
    append(MANIFEST, text.len() as u64, &mut text.as_slice())?;
    for entry in entries {
        match &entry.from {
            From::Bytes(bytes) => append(&entry.name, bytes.len() as u64, &mut bytes.as_slice())?,
            From::File(path) => {
                let mut file = fs::File::open(path)?;
                append(&entry.name, file.metadata()?.len(), &mut file)?;
            }
        }
    }
    tar.into_inner()?.finish()
}
