//! Machines made for tests: a root with files, and tools that are scripts.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{SECTIONS, Section};
use crate::host::Host;

/// A machine in a directory that goes with it.
pub(crate) struct Machine {
    dir: tempfile::TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["root", "commands"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        Self { dir }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    /// Writes a file of the machine.
    pub(crate) fn file(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// Writes several of them.
    pub(crate) fn files(&self, files: &[(&str, &str)]) {
        files.iter().for_each(|(path, content)| self.file(path, content));
    }

    /// Makes a symbolic link of the machine.
    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Installs a tool: a shell script.
    pub(crate) fn tool(&self, name: &str, script: &str) {
        let path = self.dir.path().join("commands").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn host(&self) -> Host {
        Host::captured(self.root(), Some(self.dir.path().join("commands")))
    }

    /// A section of it.
    pub(crate) fn section(&self, name: &str) -> Section {
        let mut all = Vec::new();
        super::collect(&self.host(), SECTIONS.iter().filter(|source| source.name == name), |one| all.push(one));
        assert_eq!(all.len(), 1, "there is no section {name}");
        all.remove(0)
    }

    /// A section of it as lines: `key: name=value ... | name=value ...`, what is durable and what is not.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let fields = |fields: &super::Fields| {
            let all: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
            all.join(" ")
        };
        let line = |row: &super::Row| {
            let (durable, latest) = (fields(&row.durable), fields(&row.latest));
            let latest = if latest.is_empty() { String::new() } else { format!(" | {latest}") };
            format!("{}: {durable}{latest}", row.key)
        };
        self.section(name).rows.iter().map(line).collect()
    }
}
