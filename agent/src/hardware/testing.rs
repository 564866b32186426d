//! Machines made for tests: a root with files, and tools that are scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{Found, Memory, SOURCES};
use crate::host::Host;

/// A machine in a directory that goes with it.
pub(super) struct Machine {
    dir: tempfile::TempDir,
    pub(super) memory: Memory,
}

impl Machine {
    pub(super) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["root", "commands"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir, memory: Memory::default() }
    }

    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Writes a file of the machine.
    pub(super) fn file(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Makes a symbolic link of the machine.
    pub(super) fn link(&self, path: &str, target: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// A drive with a motor, as sysfs describes it.
    pub(super) fn drive(&self, name: &str, vendor: &str, model: &str, stat: &str) {
        self.file(&format!("sys/block/{name}/device/vendor"), vendor);
        self.file(&format!("sys/block/{name}/device/model"), model);
        self.file(&format!("sys/block/{name}/queue/rotational"), "1\n");
        self.file(&format!("sys/block/{name}/stat"), stat);
    }

    /// Installs a tool: a shell script that notes what it was asked before it answers.
    pub(super) fn tool(&self, name: &str, script: &str) {
        let path = self.dir.path().join("commands").join(name);
        let asked = self.dir.path().join("asked");
        fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >> {}\n{script}\n", asked.display())).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What the tools were asked since the last call.
    pub(super) fn asked(&self) -> Vec<String> {
        let file = self.dir.path().join("asked");
        let asked = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        asked.lines().map(str::to_owned).collect()
    }

    /// The machine, to be read.
    pub(super) fn host(&self) -> Host {
        Host::captured(self.root(), Some(self.dir.path().join("commands")))
    }

    /// One look at a source.
    pub(super) fn look(&mut self, source: &str, now_ms: u64) -> Vec<Found> {
        let host = self.host();
        let source = SOURCES.iter().find(|one| one.name == source).unwrap();
        source.look(&host, &mut self.memory, now_ms).found
    }
}
