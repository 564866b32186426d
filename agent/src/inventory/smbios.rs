//! PURE: the firmware's table of the machine's parts (DMTF DSP0134, SMBIOS 3.7), as far as the inventory needs it.

use std::borrow::Cow;

/// End of table, type 127.
const END: u8 = 127;

/// A structure of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Structure<'a> {
    pub(super) kind: u8,
    pub(super) handle: u16,
    /// Header and fields, without the texts.
    data: &'a [u8],
    texts: Vec<&'a [u8]>,
}

/// The structures in a table, as far as it is whole.
pub(super) fn structures(table: &[u8]) -> Vec<Structure<'_>> {
    let (mut rest, mut found) = (table, Vec::new());
    while let [kind, length, low, high, ..] = *rest {
        let Some((data, after)) = rest.split_at_checked(usize::from(length)).filter(|(data, _)| data.len() >= 4) else {
            break;
        };
        let (texts, after) = texts(after);
        found.push(Structure { kind, handle: u16::from_le_bytes([low, high]), data, texts });
        rest = after;
        if kind == END {
            break;
        }
    }
    found
}

/// Texts that each end with a NUL, up to an empty one; two NULs where there are none.
fn texts(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut rest, mut texts) = (bytes, Vec::new());
    loop {
        let Some(end) = rest.iter().position(|byte| *byte == 0) else { return (texts, &[]) };
        let (text, after) = (&rest[..end], &rest[end + 1..]);
        if text.is_empty() {
            let after = if texts.is_empty() { after.strip_prefix(&[0]).unwrap_or(after) } else { after };
            return (texts, after);
        }
        texts.push(text);
        rest = after;
    }
}

impl Structure<'_> {
    pub(super) fn byte(&self, at: usize) -> Option<u8> {
        self.data.get(at).copied()
    }

    pub(super) fn word(&self, at: usize) -> Option<u16> {
        Some(u16::from_le_bytes(self.data.get(at..at + 2)?.try_into().ok()?))
    }

    pub(super) fn long(&self, at: usize) -> Option<u32> {
        Some(u32::from_le_bytes(self.data.get(at..at + 4)?.try_into().ok()?))
    }

    fn double(&self, at: usize) -> Option<u64> {
        Some(u64::from_le_bytes(self.data.get(at..at + 8)?.try_into().ok()?))
    }

    /// The text whose number stands there.
    pub(super) fn text(&self, at: usize) -> Option<Cow<'_, str>> {
        let number = usize::from(self.byte(at)?).checked_sub(1)?;
        Some(String::from_utf8_lossy(self.texts.get(number)?))
    }

    /// A name of this list, counted from 1.
    pub(super) fn name_of<'n>(&self, at: usize, names: &[&'n str]) -> Option<&'n str> {
        names.get(usize::from(self.byte(at)?).checked_sub(1)?).copied()
    }

    /// Of a memory device (7.18.1, .2): bytes of its module; `Some(0)` where the slot is empty.
    pub(super) fn module_bytes(&self) -> Option<u64> {
        let size = self.word(0x0c)?;
        match size {
            0xffff => None,
            0x7fff => Some(u64::from(self.long(0x1c)? & 0x7fff_ffff) << 20),
            kib if kib & 0x8000 != 0 => Some(u64::from(kib & 0x7fff) << 10),
            mib => Some(u64::from(mib) << 20),
        }
    }

    /// A speed in MT/s; 0xffff says that it stands in the longer field.
    pub(super) fn speed(&self, at: usize, longer: usize) -> Option<u32> {
        match self.word(at)? {
            0 => None,
            0xffff => self.long(longer).map(|speed| speed & 0x7fff_ffff).filter(|speed| *speed > 0),
            speed => Some(u32::from(speed)),
        }
    }

    /// Of a memory array (7.17): bytes that it can hold.
    pub(super) fn capacity_bytes(&self) -> Option<u64> {
        match self.long(0x07)? {
            0x8000_0000 => self.double(0x0f),
            kib => Some(u64::from(kib) << 10),
        }
    }
}

/// Table 77: memory device, form factor.
pub(super) const FORMS: [&str; 17] = [
    "other",
    "unknown",
    "SIMM",
    "SIP",
    "chip",
    "DIP",
    "ZIP",
    "proprietary card",
    "DIMM",
    "TSOP",
    "row of chips",
    "RIMM",
    "SODIMM",
    "SRIMM",
    "FB-DIMM",
    "die",
    "CAMM",
];
/// Table 78: memory device, type.
pub(super) const TYPES: [&str; 37] = [
    "other",
    "unknown",
    "DRAM",
    "EDRAM",
    "VRAM",
    "SRAM",
    "RAM",
    "ROM",
    "flash",
    "EEPROM",
    "FEPROM",
    "EPROM",
    "CDRAM",
    "3DRAM",
    "SDRAM",
    "SGRAM",
    "RDRAM",
    "DDR",
    "DDR2",
    "DDR2 FB-DIMM",
    "reserved",
    "reserved",
    "reserved",
    "DDR3",
    "FBD2",
    "DDR4",
    "LPDDR",
    "LPDDR2",
    "LPDDR3",
    "LPDDR4",
    "logical non-volatile device",
    "HBM",
    "HBM2",
    "DDR5",
    "LPDDR5",
    "HBM3",
    "MRDIMM",
];
/// Table 73: memory array, error correction.
pub(super) const CORRECTIONS: [&str; 7] =
    ["other", "unknown", "none", "parity", "single-bit ECC", "multi-bit ECC", "CRC"];

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A structure as bytes: header, fields, texts.
    pub(in super::super) fn structure(kind: u8, handle: u16, fields: &[u8], texts: &[&str]) -> Vec<u8> {
        let length = u8::try_from(4 + fields.len()).unwrap();
        let mut bytes = vec![kind, length];
        bytes.extend_from_slice(&handle.to_le_bytes());
        bytes.extend_from_slice(fields);
        for text in texts {
            bytes.extend_from_slice(text.as_bytes());
            bytes.push(0);
        }
        bytes.extend_from_slice(if texts.is_empty() { &[0, 0] } else { &[0] });
        bytes
    }

    #[test]
    fn structures_follow_each_other_with_and_without_texts_until_the_end() {
        let table = [
            structure(1, 0x100, &[1, 2, 0], &["ACME", "Box"]),
            structure(32, 0x101, &[0], &[]),
            structure(2, 0x102, &[9], &["Board"]),
            structure(END, 0x103, &[], &[]),
            structure(3, 0x104, &[], &[]),
        ]
        .concat();
        let all = structures(&table);
        assert_eq!(
            all.iter().map(|one| (one.kind, one.handle)).collect::<Vec<_>>(),
            [(1, 0x100), (32, 0x101), (2, 0x102), (END, 0x103)]
        );
        assert_eq!((all[0].text(4).as_deref(), all[0].text(5).as_deref()), (Some("ACME"), Some("Box")));
        assert_eq!((all[0].text(6), all[0].text(7), all[2].text(4)), (None, None, None), "no text of that number");
    }

    #[test]
    fn sizes_are_of_three_kinds() {
        let size = |word: u16, long: u32| {
            let mut fields = vec![0; 0x20 - 4];
            fields[0x0c - 4..0x0e - 4].copy_from_slice(&word.to_le_bytes());
            fields[0x1c - 4..0x20 - 4].copy_from_slice(&long.to_le_bytes());
            structures(&structure(17, 1, &fields, &[]))[0].module_bytes()
        };
        assert_eq!(size(0, 0), Some(0));
        assert_eq!(size(0xffff, 0), None);
        assert_eq!(size(0x8200, 0), Some(512 << 10));
        assert_eq!(size(16_384, 0), Some(16 << 30));
        assert_eq!(size(0x7fff, 65_536), Some(64 << 30));
    }

    proptest! {
        #[test]
        fn whatever_the_firmware_says_is_read_to_an_end(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            for one in structures(&bytes) {
                let read = (one.module_bytes(), one.capacity_bytes(), one.speed(0x15, 0x54), one.text(4), one.text(255));
                prop_assert!(one.data.len() >= 4, "{read:?}");
            }
        }
    }
}
