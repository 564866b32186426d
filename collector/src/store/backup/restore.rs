//! Putting a backup in the place of a state directory that is empty or not there.
//!
//! Everything is unpacked and checked below `STATE/.restore` and then moved up, `state.db` last; a collector does not start
//! while that directory is there, and another restore removes what one that was killed has left. Nothing is changed before
//! the whole backup has been read and its last seal fits.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt},
    path::{Component, Path, PathBuf},
};

use flate2::read::GzDecoder;
use rusqlite::Connection;

use super::{
    age::Opener,
    contents::{AUTHORITY, FILES, FORMAT, LINKS_KEY, Lay, MANIFEST, MOST_BYTES, Manifest},
    noted,
};
use crate::{
    domain::time::Timestamp,
    store::{FACTS_FILE, STATE_FILE, StoreError, facts, in_state, migrations, storage_error},
};

/// Where a backup is unpacked, in the state directory.
pub(super) const UNFINISHED: &str = ".restore";
/// Where files of the configuration go whose place is taken, in the state directory.
const LEFT: &str = "restored";
/// In `meta`: no new host is given a number up to this.
const HOST_FLOOR: &str = "host_floor";
/// What a restore makes, in the order in which it is moved: a collector needs the last.
const MADE: [&str; 5] = [AUTHORITY, LINKS_KEY, LEFT, FACTS_FILE, STATE_FILE];

/// Where a backup goes.
#[derive(Debug, Clone, Copy)]
pub struct Target<'a> {
    /// The state directory; otherwise where it lay.
    pub state: Option<&'a Path>,
    /// The configuration file; otherwise where it lay.
    pub configuration: Option<&'a Path>,
    /// Now.
    pub now: Timestamp,
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// As of when.
    pub taken: Timestamp,
    /// The state directory.
    pub state: PathBuf,
    /// Files of the configuration that were put in their places.
    pub placed: Vec<PathBuf>,
    /// Those whose place was taken, or could not be written: why, and where they are now.
    pub left: Vec<String>,
    /// Files that the backup was taken without.
    pub missing: Vec<String>,
}

/// Restores what `from` holds.
///
/// # Errors
/// In words, with the remedy: the wrong passphrase, a damaged file, a newer program's, a state directory in use. Nothing
/// was changed then.
pub fn restore(from: impl Read, passphrase: &str, target: Target<'_>) -> Result<Restored, String> {
    if let Some(state) = target.state {
        check_unused(state)?;
    }
    let opener = Opener::new(from, passphrase).map_err(|error| error.to_string())?;
    let mut archive = tar::Archive::new(GzDecoder::new(opener));
    let mut entries = archive.entries().map_err(|error| error.to_string())?;
    let manifest = manifest(entries.next())?;
    let state = target.state.unwrap_or(&manifest.state).to_owned();
    let unpacking = Unpacking::begin(&state)?;
    for entry in entries {
        unpack(entry, &manifest, &unpacking.place).map_err(|error| error.to_string())?;
    }
    ended(archive.into_inner()).map_err(|error| error.to_string())?;
    finish_store(&unpacking.place, &manifest, target.now).map_err(|error| error.to_string())?;
    unpacking.settle(&manifest, target).map_err(|error| format!("{}: {error}", state.display()))
}

/// The first entry, if this program can read what follows.
fn manifest<R: Read>(entry: Option<io::Result<tar::Entry<'_, R>>>) -> Result<Manifest, String> {
    let entry = entry.ok_or("it is empty")?.map_err(|error| error.to_string())?;
    if entry.path_bytes().as_ref() != MANIFEST.as_bytes() {
        return Err("it does not begin with a manifest: no backup of Muster".into());
    }
    let mut text = Vec::new();
    entry.take(MOST_BYTES).read_to_end(&mut text).map_err(|error| error.to_string())?;
    let format = serde_json::from_slice::<serde_json::Value>(&text).ok().and_then(|all| all["format"].as_u64());
    match format {
        Some(format) if format == u64::from(FORMAT) => {}
        Some(format) => {
            return Err(format!("it has format {format}, this program knows {FORMAT}: use the program that wrote it"));
        }
        None => return Err("its manifest is none: no backup of Muster".into()),
    }
    let manifest: Manifest = serde_json::from_slice(&text).map_err(|error| format!("its manifest: {error}"))?;
    for (file, steps) in [(STATE_FILE, migrations::STATE), (FACTS_FILE, migrations::FACTS)] {
        let (newest, given) = (steps.last().map_or(0, |step| step.version), manifest.schemas.get(file).copied());
        if given.is_none_or(|given| given > newest) {
            return Err(format!(
                "it was taken by muster-collector {}, whose {file} has schema {}; this program knows up to {newest}: \
                 restore it with that version or a newer one",
                manifest.program,
                given.unwrap_or(0)
            ));
        }
    }
    Ok(manifest)
}

/// Refuses a directory in which there is anything, but for what a restore that was killed has left.
fn check_unused(state: &Path) -> Result<(), String> {
    let names = match fs::read_dir(state) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{} cannot be looked at: {error}", state.display())),
    };
    let names: Vec<String> = names.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let is_broken_off = names.iter().any(|name| name == UNFINISHED);
    let is_ours = |name: &str| is_broken_off && (name == UNFINISHED || MADE.contains(&name));
    let used: Vec<&str> =
        names.iter().map(String::as_str).filter(|name| *name != "lost+found" && !is_ours(name)).collect();
    if used.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{} is in use: there is {} in it. A backup is restored into a directory that is empty or not there yet; move this \
         one away first",
        state.display(),
        used.join(", ")
    ))
}

/// A backup that is being unpacked. Dropping it removes what is there of it.
struct Unpacking {
    state: PathBuf,
    place: PathBuf,
    owner: (u32, u32),
    made_state: bool,
    done: bool,
}

impl Unpacking {
    fn begin(state: &Path) -> Result<Self, String> {
        check_unused(state)?;
        let cannot = |error: io::Error| format!("{} cannot be written: {error}", state.display());
        let made_state = !state.exists();
        fs::DirBuilder::new().recursive(true).mode(0o750).create(state).map_err(cannot)?;
        let like = if made_state { state.parent().unwrap_or(state) } else { state };
        let like = fs::metadata(like).map_err(cannot)?;
        let place = state.join(UNFINISHED);
        for left in MADE.iter().map(|name| state.join(name)).chain([place.clone()]) {
            if place.exists() {
                remove(&left).map_err(cannot)?;
            }
        }
        fs::DirBuilder::new().mode(0o700).create(&place).map_err(cannot)?;
        Ok(Self { state: state.to_owned(), place, owner: (like.uid(), like.gid()), made_state, done: false })
    }

    /// Moves everything to where it belongs.
    fn settle(mut self, manifest: &Manifest, target: Target<'_>) -> io::Result<Restored> {
        let (mut placed, mut left) = (Vec::new(), Vec::new());
        for (entry, lay) in &manifest.files {
            let is_configuration = manifest.configuration.as_ref() == Some(entry);
            let to = target.configuration.filter(|_| is_configuration).unwrap_or(&lay.path);
            match self.put_beside(&self.place.join(entry), to, lay) {
                Ok(true) => placed.push(to.to_owned()),
                Ok(false) => {}
                Err(why) => {
                    left.push(format!("{}: {why}; it is {}", to.display(), self.keep_left(entry, to)?.display()))
                }
            }
        }
        let _ = fs::remove_dir_all(self.place.join(FILES));
        own(&self.place, self.owner)?;
        sync_all(&self.place)?;
        if self.made_state {
            give(&self.state, self.owner)?;
        }
        for name in MADE {
            if self.place.join(name).exists() {
                fs::rename(self.place.join(name), self.state.join(name))?;
            }
        }
        File::open(&self.state)?.sync_all()?;
        fs::remove_dir(&self.place)?;
        File::open(&self.state)?.sync_all()?;
        self.done = true;
        let (taken, missing) = (Timestamp::from_ms(manifest.taken_ms), manifest.missing.clone());
        Ok(Restored { taken, state: self.state.clone(), placed, left, missing })
    }

    /// True where it was written; false where it is there already as it should be.
    fn put_beside(&self, from: &Path, to: &Path, lay: &Lay) -> Result<bool, String> {
        let text = fs::read(from).map_err(|error| error.to_string())?;
        match fs::read(to) {
            Ok(there) if there == text => return Ok(false),
            Ok(_) => return Err("something else is there and was left alone".into()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error.to_string()),
        }
        let write = || {
            fs::DirBuilder::new().recursive(true).mode(0o755).create(to.parent().unwrap_or(to))?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(lay.mode).open(to)?;
            file.write_all(&text)?;
            file.sync_all()?;
            give(to, self.owner)
        };
        write().map(|()| true).map_err(|error: io::Error| format!("cannot be written: {error}"))
    }

    fn keep_left(&self, entry: &str, to: &Path) -> io::Result<PathBuf> {
        let directory = self.place.join(LEFT);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
        let number = entry.rsplit('/').next().unwrap_or_default();
        let name = format!("{number}-{}", to.file_name().unwrap_or_default().to_string_lossy());
        fs::rename(self.place.join(entry), directory.join(&name))?;
        Ok(self.state.join(LEFT).join(name))
    }
}

impl Drop for Unpacking {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        // What cannot be removed keeps a collector from starting, and the next restore removes it.
        let _ = fs::remove_dir_all(&self.place);
        if self.made_state {
            let _ = fs::remove_dir(&self.state);
        }
    }
}

/// Writes one entry; its name is one of those that a backup has, whatever else it says.
fn unpack<R: Read>(entry: io::Result<tar::Entry<'_, R>>, manifest: &Manifest, place: &Path) -> io::Result<()> {
    let mut entry = entry?;
    let name = entry.path()?.to_string_lossy().into_owned();
    let strange = || io::Error::other(format!("{name:?} does not belong into a backup"));
    let parts: Vec<Component<'_>> = Path::new(&name).components().collect();
    let fits = match parts.as_slice() {
        [Component::Normal(_)] => [STATE_FILE, FACTS_FILE, LINKS_KEY].contains(&name.as_str()),
        [Component::Normal(first), Component::Normal(_)] if *first == AUTHORITY => true,
        [Component::Normal(first), Component::Normal(_)] if *first == FILES => manifest.files.contains_key(&name),
        _ => false,
    };
    if !fits || !entry.header().entry_type().is_file() {
        return Err(strange());
    }
    let to = place.join(&name);
    if let Some(directory) = to.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to)?;
    io::copy(&mut entry, &mut file)?;
    file.sync_all()
}

/// To the end of gzip and seal: only then the file is known to be whole.
fn ended<R: Read>(mut gzip: GzDecoder<Opener<R>>) -> io::Result<()> {
    io::copy(&mut gzip, &mut io::sink())?;
    if io::copy(&mut gzip.into_inner(), &mut io::sink())? > 0 {
        return Err(io::Error::other("there is more in it than a backup"));
    }
    Ok(())
}

/// Checks the databases, and says in them what a restore changes: hosts that the facts know and the state does not yet
/// keep their numbers.
fn finish_store(place: &Path, manifest: &Manifest, now: Timestamp) -> Result<(), StoreError> {
    let in_facts = |error| storage_error(FACTS_FILE, &error);
    let known = Connection::open(place.join(FACTS_FILE)).map_err(in_facts)?;
    known.execute_batch("PRAGMA journal_mode = DELETE;").map_err(in_facts)?;
    let highest = facts::highest_host(&known)?;
    let state = Connection::open(place.join(STATE_FILE)).map_err(in_state)?;
    state.execute_batch("PRAGMA journal_mode = DELETE;").map_err(in_state)?;
    let floor = noted::get(&state, HOST_FLOOR)?.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    noted::put(&state, HOST_FLOOR, &highest.max(floor).to_string())?;
    let taken = Timestamp::from_ms(manifest.taken_ms);
    noted::mark_restored(&state, &format!("restored at {now} from a backup of {taken} taken by {}", manifest.program))
}

fn remove(path: &Path) -> io::Result<()> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Gives all below a directory, and itself, to an owner.
fn own(directory: &Path, owner: (u32, u32)) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            fs::set_permissions(&path, fs::Permissions::from_mode(0o700))?;
            own(&path, owner)?;
        } else {
            give(&path, owner)?;
        }
    }
    give(directory, owner)
}

/// Only root can, and only root has to: what others write is theirs.
fn give(path: &Path, (uid, gid): (u32, u32)) -> io::Result<()> {
    if rustix::process::geteuid().is_root() { std::os::unix::fs::chown(path, Some(uid), Some(gid)) } else { Ok(()) }
}

fn sync_all(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() { sync_all(&path)? } else { File::open(&path)?.sync_all()? }
    }
    File::open(directory)?.sync_all()
}
