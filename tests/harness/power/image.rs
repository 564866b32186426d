//! A directory as values: read, compared, laid down somewhere else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// What there is in a directory at one instant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Directories below the root, parents first, with their modes.
    pub directories: BTreeMap<PathBuf, u32>,
    /// Files with their modes and bytes.
    pub files: BTreeMap<PathBuf, (u32, Vec<u8>)>,
}

impl Image {
    /// Reads a directory: all but sockets and what `SQLite` keeps as memory (`-shm`).
    ///
    /// # Errors
    /// The directory's.
    pub fn of(root: &Path) -> io::Result<Self> {
        let (mut image, mut open) = (Self::default(), vec![PathBuf::new()]);
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(root.join(&directory))? {
                let entry = entry?;
                let (path, meta) = (directory.join(entry.file_name()), entry.metadata()?);
                let mode = meta.permissions().mode() & 0o7777;
                if meta.is_dir() {
                    image.directories.insert(path.clone(), mode);
                    open.push(path);
                } else if meta.is_file() && !path.as_os_str().as_encoded_bytes().ends_with(b"-shm") {
                    image.files.insert(path, (mode, fs::read(entry.path())?));
                }
            }
        }
        Ok(image)
    }

    /// Lays it down below `root`, which is made.
    ///
    /// # Errors
    /// The disk's.
    pub fn put(&self, root: &Path) -> io::Result<()> {
        let directories = std::iter::once((root.to_path_buf(), 0o750));
        for (path, mode) in directories.chain(self.directories.iter().map(|(path, mode)| (root.join(path), *mode))) {
            fs::DirBuilder::new().recursive(true).mode(mode).create(path)?;
        }
        for (path, (mode, bytes)) in &self.files {
            let mut file = File::options().write(true).create_new(true).mode(*mode).open(root.join(path))?;
            // What is zeros at the end is a hole.
            let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            file.write_all(&bytes[..used])?;
            file.set_len(bytes.len() as u64)?;
        }
        Ok(())
    }

    /// How another one differs in names, sizes and bytes, in words; modes are not compared.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = Vec::new();
        if !self.directories.keys().eq(other.directories.keys()) {
            found.push(format!("directories {:?} and {:?}", self.directories, other.directories));
        }
        for path in self.files.keys().chain(other.files.keys().filter(|path| !self.files.contains_key(*path))) {
            match (self.files.get(path), other.files.get(path)) {
                (Some((_, one)), Some((_, two))) if one == two => {}
                (Some((_, one)), Some((_, two))) => {
                    let first = one.iter().zip(two).position(|(one, two)| one != two);
                    found.push(format!(
                        "{}: {} and {} bytes, first at {first:?}",
                        path.display(),
                        one.len(),
                        two.len()
                    ));
                }
                (one, _) => found.push(format!(
                    "{} is only in the {}",
                    path.display(),
                    if one.is_some() { "first" } else { "second" }
                )),
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_the_same_when_it_was_laid_down_and_differences_are_named() {
        let home = tempfile::tempdir().unwrap();
        let mut image = Image::default();
        image.directories.insert("d".into(), 0o700);
        image.files.insert("d/key".into(), (0o600, b"secret\0\0".to_vec()));
        image.files.insert("zeros".into(), (0o600, vec![0; 5_000]));
        image.put(&home.path().join("there")).unwrap();
        fs::write(home.path().join("there/state.db-shm"), "memory").unwrap();
        let read = Image::of(&home.path().join("there")).unwrap();
        assert_eq!(read, image);
        let mut other = image.clone();
        other.files.insert("zeros".into(), (0o600, vec![1; 5_000]));
        other.files.remove(Path::new("d/key"));
        let told = ["d/key is only in the first", "zeros: 5000 and 5000 bytes, first at Some(0)"];
        assert_eq!(image.differences(&other), told);
        assert!(image.differences(&image).is_empty());
    }
}
