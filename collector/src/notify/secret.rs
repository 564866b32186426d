//! Values that must never be printed. They come from files of their own.

use std::{io::Read, path::Path};

/// Largest secret or certificate file, in bytes.
const FILE_BYTES: u64 = 256 * 1024;

/// A password, key or URL that is a credential. Neither `Debug` nor any message shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("a file that the collector can read: {0}")]
    Unreadable(#[from] std::io::Error),
    /// The file is empty.
    #[error("a file with the secret in it; this one is empty")]
    Empty,
    /// The file is not text.
    #[error("a text file; this one is not UTF-8")]
    NotText,
}

impl Secret {
    /// A secret that is at hand already.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Reads a secret from a file; white space around it does not belong to it.
    ///
    /// # Errors
    /// The file is unreadable, larger than 256 KiB, empty or no text.
    pub fn from_file(path: &Path) -> Result<Self, SecretError> {
        let text = String::from_utf8(read_bounded(path)?).map_err(|_| SecretError::NotText)?;
        let text = text.trim();
        if text.is_empty() { Err(SecretError::Empty) } else { Ok(Self(text.to_owned())) }
    }

    /// The secret itself, for the one place that uses it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// Reads a file of at most 256 KiB.
pub(crate) fn read_bounded(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_BYTES {
        return Err(std::io::Error::other("it is larger than 256 KiB"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("hunter2");
        assert!(!format!("{secret:?} {:#?}", Some(&secret)).contains("hunter2"));
    }

    #[test]
    fn a_secret_file_is_trimmed_and_must_not_be_empty() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hunter2\n").unwrap();
        assert_eq!(Secret::from_file(&file).unwrap().expose(), "hunter2");
        std::fs::write(&file, " \n").unwrap();
        assert!(matches!(Secret::from_file(&file), Err(SecretError::Empty)));
        assert!(matches!(Secret::from_file(&folder.path().join("absent")), Err(SecretError::Unreadable(_))));
    }
}
