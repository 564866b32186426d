//! The bytes of a segment: a header, then frames. PURE.
//!
//! All numbers are little-endian, whatever the machine, so that a disk may go on in another one.
//! Each frame carries its own magic, length, epoch and CRC32C, so that a damaged one costs itself and not its followers.

/// Version of this layout; a newer one is set aside, never read.
pub(super) const VERSION: u16 = 1;
/// Bytes of a segment's header.
pub(super) const HEADER_BYTES: usize = 34;
/// Bytes of a frame besides its payload.
pub(super) const FRAME_BYTES: usize = 45;
/// The longest payload; the wire takes no larger message.
pub(super) const PAYLOAD_BYTES_MAX: usize = 1024 * 1024;

/// The highest number that is believed: at a thousand records a second an agent gets there after 140 000 years. It
/// leaves room for numbers that are skipped below what the collector takes, 2^53.
pub(super) const SEQUENCE_MAX: u64 = 1 << 52;

const HEADER_MAGIC: &[u8; 4] = b"MUSP";
const FRAME_MAGIC: &[u8; 4] = b"\xF5mr\n";

/// One record as it lies on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) sequence: u64,
    pub(super) kind: u8,
    pub(super) wall_ms: i64,
    pub(super) payload: Vec<u8>,
}

/// What a segment's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u16,
    pub(super) epoch: [u8; 16],
    pub(super) first: u64,
}

/// The header of a segment whose first record is `first`.
pub(super) fn header(epoch: &[u8; 16], first: u64) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..4].copy_from_slice(HEADER_MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[6..22].copy_from_slice(epoch);
    bytes[22..30].copy_from_slice(&first.to_le_bytes());
    let crc = crc32c::crc32c(&bytes[..30]);
    bytes[30..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

/// Reads a header; nothing when it is damaged.
pub(super) fn read_header(bytes: &[u8]) -> Option<Header> {
    let bytes = bytes.get(..HEADER_BYTES)?;
    if &bytes[..4] != HEADER_MAGIC || crc32c::crc32c(&bytes[..30]) != u32_at(bytes, 30)? {
        return None;
    }
    Some(Header {
        version: u16::from_le_bytes(bytes[4..6].try_into().ok()?),
        epoch: bytes[6..22].try_into().ok()?,
        first: believable(u64_at(bytes, 22)?)?,
    })
}

/// Whether this begins a segment of ours whose numbers are written from their other end: whole, but not readable here. No agent
/// writes so, on whatever machine.
pub(super) fn is_of_other_order(bytes: &[u8]) -> bool {
    let Some(header) = bytes.get(..HEADER_BYTES).filter(|header| &header[..4] == HEADER_MAGIC) else { return false };
    u32_at(header, 30).map(u32::swap_bytes) == Some(crc32c::crc32c(&header[..30]))
}

/// The number of a record, unless none can have it.
pub(super) fn believable(sequence: u64) -> Option<u64> {
    (sequence <= SEQUENCE_MAX).then_some(sequence)
}

/// Appends one frame to `out`.
pub(super) fn write_frame(out: &mut Vec<u8>, epoch: &[u8; 16], frame: &Frame) {
    let start = out.len();
    out.extend_from_slice(FRAME_MAGIC);
    out.extend_from_slice(&u32::try_from(frame.payload.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(epoch);
    out.extend_from_slice(&frame.sequence.to_le_bytes());
    out.push(frame.kind);
    out.extend_from_slice(&frame.wall_ms.to_le_bytes());
    out.extend_from_slice(&frame.payload);
    let crc = checksum(&out[start..]);
    out[start + 8..start + 12].copy_from_slice(&crc.to_le_bytes());
}

/// Reads the frame at `at`; nothing when it is damaged, cut or of another epoch.
pub(super) fn read_frame(bytes: &[u8], at: usize, epoch: &[u8; 16]) -> Option<(Frame, usize)> {
    let bytes = bytes.get(at..)?;
    let fixed = bytes.get(..FRAME_BYTES)?;
    if &fixed[..4] != FRAME_MAGIC || &fixed[12..28] != epoch {
        return None;
    }
    let length = u32_at(fixed, 4)? as usize;
    if length > PAYLOAD_BYTES_MAX {
        return None;
    }
    let whole = bytes.get(..FRAME_BYTES + length)?;
    if checksum(whole) != u32_at(fixed, 8)? {
        return None;
    }
    let frame = Frame {
        sequence: believable(u64_at(fixed, 28)?)?,
        kind: fixed[36],
        wall_ms: i64::from_le_bytes(fixed[37..45].try_into().ok()?),
        payload: whole[FRAME_BYTES..].to_vec(),
    };
    Some((frame, at + whole.len()))
}

/// The whole length of the frame that begins with `fixed`, if its beginning is plausible.
pub(super) fn frame_bytes(fixed: &[u8]) -> Option<usize> {
    let length = u32_at(fixed, 4)? as usize;
    (&fixed[..4] == FRAME_MAGIC && length <= PAYLOAD_BYTES_MAX).then_some(FRAME_BYTES + length)
}

/// The next place at or after `at` where a whole frame begins.
pub(super) fn find_frame(bytes: &[u8], mut at: usize, epoch: &[u8; 16]) -> Option<usize> {
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= FRAME_BYTES) {
        let found = rest.windows(4).position(|window| window == FRAME_MAGIC)?;
        at += found;
        if read_frame(bytes, at, epoch).is_some() {
            return Some(at);
        }
        at += 1;
    }
    None
}

/// The epoch of the first whole frame at or after `at`, whatever it is.
pub(super) fn epoch_of(bytes: &[u8], mut at: usize) -> Option<[u8; 16]> {
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= FRAME_BYTES) {
        at += rest.windows(4).position(|window| window == FRAME_MAGIC)?;
        let epoch = bytes.get(at + 12..at + 28)?.try_into().ok()?;
        if read_frame(bytes, at, &epoch).is_some() {
            return Some(epoch);
        }
        at += 1;
    }
    None
}

/// Over everything but the checksum itself.
fn checksum(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..8]), &frame[12..])
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_flipped_byte_is_noticed(payload in proptest::collection::vec(any::<u8>(), 0..80), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let epoch = [7; 16];
            let frame = Frame { sequence: 5, kind: 1, wall_ms: -3, payload };
            let mut bytes = Vec::new();
            write_frame(&mut bytes, &epoch, &frame);
            prop_assert_eq!(read_frame(&bytes, 0, &epoch), Some((frame, bytes.len())));
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(read_frame(&bytes, 0, &epoch), None);
        }

        #[test]
        fn bytes_from_anywhere_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            read_header(&bytes);
            read_frame(&bytes, 0, &[0; 16]);
            prop_assert_eq!(find_frame(&bytes, 0, &[0; 16]), None);
            prop_assert_eq!(epoch_of(&bytes, 0), None);
        }
    }

    #[test]
    fn frame_after_a_damaged_one_is_found_again() {
        let epoch = [7; 16];
        let mut bytes = Vec::new();
        write_frame(&mut bytes, &epoch, &Frame { sequence: 1, kind: 0, wall_ms: 0, payload: vec![1; 30] });
        let second = bytes.len();
        write_frame(&mut bytes, &epoch, &Frame { sequence: 2, kind: 0, wall_ms: 0, payload: vec![2; 30] });
        bytes[5] ^= 0xff;
        assert_eq!(find_frame(&bytes, 0, &epoch), Some(second));
        assert_eq!(epoch_of(&bytes, 0), Some(epoch), "it says itself of which epoch it is");
    }

    #[test]
    fn a_number_beyond_belief_is_damage_though_its_checksum_fits() {
        let (epoch, payload) = ([7; 16], Vec::new());
        for (sequence, is_whole) in [(0, true), (SEQUENCE_MAX, true), (SEQUENCE_MAX + 1, false), (u64::MAX, false)] {
            let mut bytes = Vec::new();
            write_frame(&mut bytes, &epoch, &Frame { sequence, kind: 0, wall_ms: 0, payload: payload.clone() });
            assert_eq!(read_frame(&bytes, 0, &epoch).is_some(), is_whole, "{sequence}");
            assert_eq!(read_header(&header(&epoch, sequence)).is_some(), is_whole, "{sequence}");
        }
    }

    #[test]
    fn a_segment_has_the_same_bytes_on_every_machine() {
        let epoch = *b"0123456789abcdef";
        let frame = Frame { sequence: 258, kind: 2, wall_ms: 1_795_000_000_000, payload: b"facts".to_vec() };
        let mut bytes = header(&epoch, 258).to_vec();
        write_frame(&mut bytes, &epoch, &frame);
        // By the description above, the checksums with another implementation.
        let header = b"MUSP\x01\x000123456789abcdef\x02\x01\0\0\0\0\0\0\xd5\x78\x06\x3c";
        let body = b"\xF5mr\n\x05\0\0\0\xf3\x23\xd4\xaf0123456789abcdef\x02\x01\0\0\0\0\0\0\x02\x00\x5e\x56\xee\xa1\x01\x00\x00facts";
        assert_eq!(bytes, [&header[..], body].concat());
    }

    #[test]
    fn header_of_a_newer_version_is_readable_as_such() {
        let mut bytes = header(&[1; 16], 9);
        bytes[4] = 9;
        let crc = crc32c::crc32c(&bytes[..30]);
        bytes[30..].copy_from_slice(&crc.to_le_bytes());
        assert_eq!(read_header(&bytes).map(|header| header.version), Some(9));
    }
}
