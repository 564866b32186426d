//! The cursor file: which epoch this is, how far the collector acknowledged, how far numbers were given and handed out.

use std::io;
use std::path::Path;

use super::files::Files;
use super::frame::believable;
use super::segment::replace;

/// Its name.
pub(super) const NAME: &str = "cursor";
const MAGIC: &[u8; 4] = b"MUSC";
/// Version of this layout. Version 1 ends after `acked`.
const VERSION: u16 = 2;
const BYTES: usize = 50;
const BYTES_1: usize = 34;
/// Of [`Cursor::offered`]: whatever is in the segments may have been handed out.
pub(super) const WHATEVER_IS_KEPT: u64 = u64::MAX;

/// What it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) epoch: [u8; 16],
    pub(super) acked: u64,
    /// Up to here numbers had been given when this was written; they are not given again.
    pub(super) given: u64,
    /// Nothing above this number has been handed out.
    pub(super) offered: u64,
}

impl Cursor {
    /// Reads it; nothing when there is none.
    pub(super) fn read(files: &mut dyn Files, dir: &Path) -> io::Result<Option<Self>> {
        match files.read(&dir.join(NAME), 0, BYTES + 1) {
            Ok(bytes) => Self::parse(&bytes).map(Some).ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts it in place of the one before.
    pub(super) fn write(&self, files: &mut dyn Files, dir: &Path) -> io::Result<()> {
        replace(files, &dir.join(NAME), &self.bytes())?;
        files.sync_dir(dir)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(self.epoch);
        bytes.extend(self.acked.to_le_bytes());
        bytes.extend(self.given.to_le_bytes());
        bytes.extend(self.offered.to_le_bytes());
        let crc = crc32c::crc32c(&bytes);
        bytes.extend(crc.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (body, crc) = bytes.split_last_chunk::<4>()?;
        let version = match bytes.len() {
            BYTES => VERSION,
            BYTES_1 => 1,
            _ => return None,
        };
        if &body[..4] != MAGIC || body[4..6] != version.to_le_bytes() || crc32c::crc32c(body).to_le_bytes() != *crc {
            return None;
        }
        let number = |at: usize| Some(u64::from_le_bytes(body.get(at..at + 8)?.try_into().ok()?));
        let offered = number(38).unwrap_or(WHATEVER_IS_KEPT);
        Some(Self {
            epoch: body[6..22].try_into().ok()?,
            acked: believable(number(22)?)?,
            given: believable(number(30).unwrap_or(0))?,
            offered: if offered == WHATEVER_IS_KEPT { offered } else { believable(offered)? },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_of_the_first_layout_is_read_and_any_changed_byte_is_noticed() {
        let cursor = Cursor { epoch: [7; 16], acked: 5, given: 11, offered: 9 };
        let bytes = cursor.bytes();
        assert_eq!(Cursor::parse(&bytes), Some(cursor));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 4;
            assert_eq!(Cursor::parse(&changed), None, "byte {at}");
        }
        let mut first = [b"MUSC\x01\x00".as_slice(), &[7; 16], &5_u64.to_le_bytes()].concat();
        first.extend(crc32c::crc32c(&first).to_le_bytes());
        assert_eq!(Cursor::parse(&first), Some(Cursor { given: 0, offered: WHATEVER_IS_KEPT, ..cursor }));
        assert_eq!(Cursor::parse(&first[..33]), None);
        for beyond in [Cursor { acked: u64::MAX, ..cursor }, Cursor { given: 1 << 63, ..cursor }] {
            assert_eq!(Cursor::parse(&beyond.bytes()), None, "no agent has given so many numbers");
        }
    }
}
