//! What lies where, and the least that has to be written to have it so.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::ServiceError;
use crate::host::Host;

/// Where the unit starts it from.
pub(super) const PROGRAM: &str = "/usr/bin/muster-agent";
/// The settings.
pub(super) const CONFIG: &str = crate::config::DEFAULT_PATH;
/// The settings of a machine that states none; the package's.
pub(super) const CONFIG_TEXT: &str = include_str!("../../../deploy/packages/agent.toml");
/// Who the agent runs as, and whose its state is.
pub(super) const USERS: [(&str, &str); 2] = [
    ("/usr/lib/sysusers.d/muster-agent.conf", include_str!("../../../deploy/systemd/muster-agent.sysusers")),
    ("/usr/lib/tmpfiles.d/muster-agent.conf", include_str!("../../../deploy/systemd/muster-agent.tmpfiles")),
];
/// What systemd is told.
pub(super) const UNITS: [(&str, &str); 3] = [
    ("/usr/lib/systemd/system/muster-agent.service", include_str!("../../../deploy/systemd/muster-agent.service")),
    ("/usr/lib/systemd/system/muster-helper.socket", include_str!("../../../deploy/systemd/muster-helper.socket")),
    ("/usr/lib/systemd/system/muster-helper@.service", include_str!("../../../deploy/systemd/muster-helper@.service")),
];
/// The list of files that dpkg keeps of an installed package (of a removed one only its settings are left in it).
const DPKG_LIST: &str = "/var/lib/dpkg/info/muster-agent.list";
/// For `rpm --query`.
const RPM_MS: u64 = 20_000;

/// Where the files of the system are.
pub(super) struct Place {
    root: PathBuf,
}

impl Place {
    /// This machine.
    pub(super) fn live() -> Self {
        Self { root: "/".into() }
    }

    /// A directory that stands for `/`.
    #[cfg(test)]
    pub(super) fn below(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// Where a file of the system is.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name.trim_start_matches('/'))
    }

    /// Puts the users' files in place; whether one was not.
    pub(super) fn put_users(&self) -> Result<bool, ServiceError> {
        self.put_all(&USERS)
    }

    /// The same of the units.
    pub(super) fn put_units(&self) -> Result<bool, ServiceError> {
        self.put_all(&UNITS)
    }

    fn put_all(&self, files: &[(&str, &str)]) -> Result<bool, ServiceError> {
        let mut changed = false;
        for (name, text) in files {
            changed |= self.put(name, text.as_bytes(), 0o644)?;
        }
        Ok(changed)
    }

    /// Puts this very program in place.
    pub(super) fn put_program(&self) -> Result<bool, ServiceError> {
        let failed = |source| ServiceError::File { path: "/proc/self/exe".into(), did: "read", source };
        self.put(PROGRAM, &fs::read("/proc/self/exe").map_err(failed)?, 0o755)
    }

    /// Writes a file whole unless it is so already, with its directories; whether it had to.
    pub(super) fn put(&self, name: &str, content: &[u8], mode: u32) -> Result<bool, ServiceError> {
        let path = self.path(name);
        let is_so = fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o7777 == mode)
            && fs::read(&path).is_ok_and(|there| there == content);
        if is_so {
            return Ok(false);
        }
        replace(&path, content, mode).map_err(|source| ServiceError::File { path, did: "written", source })?;
        Ok(true)
    }

    /// Writes the settings, as [`put_settings`] does.
    pub(super) fn put_settings(&self, text: &str) -> Result<bool, ServiceError> {
        put_settings(&self.path(CONFIG), text)
    }

    /// Writes a file that is not there.
    pub(super) fn put_if_absent(&self, name: &str, text: &str) -> Result<bool, ServiceError> {
        if self.path(name).exists() { Ok(false) } else { self.put(name, text.as_bytes(), 0o644) }
    }

    /// Removes a file or a directory with all that is in it; whether it was there.
    pub(super) fn remove(&self, name: &str) -> Result<bool, ServiceError> {
        let path = self.path(name);
        let removed = match fs::symlink_metadata(&path) {
            Ok(meta) if meta.is_dir() => fs::remove_dir_all(&path),
            Ok(_) => fs::remove_file(&path),
            Err(error) => Err(error),
        };
        match removed {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(ServiceError::File { path, did: "removed", source }),
        }
    }

    /// Removes a directory that has become empty.
    pub(super) fn tidy(&self, name: &str) {
        // What others keep there keeps it.
        let _ = fs::remove_dir(self.path(name));
    }
}

/// Writes settings unless they are so already; whether it had to. Who could read those before may read them, and nobody else: a
/// password may stand in them.
pub(super) fn put_settings(path: &Path, text: &str) -> Result<bool, ServiceError> {
    if fs::read(path).is_ok_and(|there| there == text.as_bytes()) {
        return Ok(false);
    }
    let before = fs::metadata(path).ok();
    let mode = before.as_ref().map_or(0o644, |meta| meta.mode() & 0o7777);
    let written = replace(path, text.as_bytes(), mode).and_then(|()| match before {
        Some(before) => std::os::unix::fs::chown(path, Some(before.uid()), Some(before.gid())),
        None => Ok(()),
    });
    written.map_err(|source| ServiceError::File { path: path.to_owned(), did: "written", source })?;
    Ok(true)
}

/// A new file, then one rename: what runs keeps the old one, and a power cut leaves one of them.
fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let neighbour = directory.join(format!(".{name}.muster-new"));
    let _ = fs::remove_file(&neighbour);
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&neighbour)?;
        file.write_all(content)?;
        // Whatever the caller's umask is.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&neighbour, path)?;
        File::open(directory)?.sync_all()
    })();
    if written.is_err() {
        let _ = fs::remove_file(&neighbour);
    }
    written
}

/// Whether a package put the program where it is.
pub(super) fn packaged(host: &Host) -> bool {
    let of_dpkg = host.read_text(DPKG_LIST).is_ok_and(|list| list.lines().any(|line| line == PROGRAM));
    let of_rpm = || host.run("rpm", &["--query", "--quiet", "muster-agent"], RPM_MS);
    of_dpkg || of_rpm().is_ok_and(|answer| answer.code == Some(0))
}

/// Whether this process is the program at `path`.
pub(super) fn runs_from(path: &Path) -> bool {
    let same = |one: &fs::Metadata, other: &fs::Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    match (fs::metadata("/proc/self/exe"), fs::metadata(path)) {
        (Ok(me), Ok(there)) => same(&me, &there),
        _ => false,
    }
}
