//! PURE: the hashes by which agent and collector know that they mean the same rows (muster.proto, `InventoryDelta`).

use ring::digest::{Context, SHA256};

use super::{Fields, Row, Section, Status};

/// SHA-256 of these bytes, its first 16 as a little-endian number.
fn number(parts: &[&[u8]]) -> u128 {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let digest = context.finish();
    let mut first = [0; 16];
    first.copy_from_slice(&digest.as_ref()[..16]);
    u128::from_le_bytes(first)
}

fn fields(what: &'static [u8], key: &str, fields: &Fields) -> u128 {
    let mut parts: Vec<&[u8]> = vec![what, b"\0", key.as_bytes(), b"\0"];
    for (name, value) in fields {
        parts.extend([name.as_bytes(), b"\0".as_slice(), value.as_bytes(), b"\0"]);
    }
    number(&parts)
}

/// Of a text, for this side alone.
#[must_use]
pub fn text(text: &str) -> u128 {
    number(&[b"text\0", text.as_bytes()])
}

/// Of a row: its key and what is durable of it.
#[must_use]
pub fn row(row: &Row) -> u128 {
    fields(b"row", &row.key, &row.durable)
}

/// Of what moves in a row, for this side alone.
#[must_use]
pub fn latest(row: &Row) -> u128 {
    if row.latest.is_empty() { 0 } else { fields(b"latest", "", &row.latest) }
}

/// The status as it is on the wire.
#[must_use]
pub fn status(status: Status) -> u8 {
    match status {
        Status::Complete => 0,
        Status::Partial => 1,
        Status::Unreadable => 2,
        Status::Absent => 3,
        Status::SwitchedOff => 4,
    }
}

/// Of a section without its rows, to which theirs are added.
#[must_use]
pub fn head(section: &Section) -> u128 {
    let (reason, source) = (section.reason.as_bytes(), section.source.as_bytes());
    number(&[b"head\0", &[status(section.status)], reason, b"\0", source, b"\0"])
}

/// Of sections: names and hashes.
pub fn inventory<'a>(sections: impl Iterator<Item = (&'a str, u128)>) -> u128 {
    sections.fold(0, |sum: u128, (name, hash)| {
        sum.wrapping_add(number(&[b"section\0", name.as_bytes(), b"\0", &hash.to_le_bytes()]))
    })
}

/// As it is written in files and arguments: 32 digits, byte by byte.
#[must_use]
pub fn spelled(hash: u128) -> String {
    format!("{:032x}", hash.swap_bytes())
}

/// What was [`spelled`].
#[must_use]
pub fn read(text: &str) -> Option<u128> {
    if text.len() != 32 {
        return None;
    }
    u128::from_str_radix(text, 16).ok().map(u128::swap_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ```python
    /// from hashlib import sha256
    /// H = lambda b: int.from_bytes(sha256(b).digest()[:16], "little")
    /// spell = lambda n: (n % 2**128).to_bytes(16, "little").hex()
    /// a = H(b"row\0dpkg/bash/amd64\0" b"name\0bash\0" b"version\0005.2-1\0"); b = H(b"row\0ssh\0")
    /// head = H(b"head\0" + bytes([1]) + b"no right\0" b"/var/lib/dpkg/status\0")
    /// section = (head + a + b) % 2**128
    /// whole = H(b"section\0packages\0" + section.to_bytes(16, "little"))
    /// print(spell(a), spell(b), spell(head), spell(section), spell(whole))
    /// ```
    #[test]
    fn hashes_are_those_that_python_computes() {
        let a = Row::new("dpkg/bash/amd64").durable("name", "bash").durable("version", "5.2-1").latest("x", "y");
        let b = Row::new("ssh");
        let section = Section {
            name: "packages".to_owned(),
            status: Status::Partial,
            reason: "no right".to_owned(),
            source: "/var/lib/dpkg/status".to_owned(),
            collected_ms: 5,
            rows: Vec::new(),
            whole: true,
        };
        assert_eq!(spelled(row(&a)), "071346895a31eeec2b2398463e90f865");
        assert_eq!(spelled(row(&b)), "bd14659be6fa9107d6ae7830bf70d7c1");
        assert_eq!(spelled(head(&section)), "b122cf3333a361fe3c751501414f2802");
        let sum = head(&section).wrapping_add(row(&a)).wrapping_add(row(&b));
        assert_eq!(spelled(sum), "754a7a5874cfe1f23e4726783e50f829");
        assert_eq!(spelled(inventory([("packages", sum)].into_iter())), "69a3b10e7f180564f4d54d034b1f38de");
        assert_eq!(read("754a7a5874cfe1f23e4726783e50f829"), Some(sum));
        assert_eq!(read("+123456789012345678901234567890123"), None);
    }
}
