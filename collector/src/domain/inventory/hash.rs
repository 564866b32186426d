//! What both ends compare instead of rows. The agent computes the same in its own words; vectors that neither of the two
//! made hold them together.
//!
//! A section's hash is a sum of its rows' hashes, so that it does not depend on their order and a difference changes it
//! without reading them all.

use ring::digest::{Context, SHA256};

use super::Head;

/// The first 16 bytes of SHA-256.
pub type Hash = [u8; 16];

/// The hash of a row: of its key and of what is durable of it.
#[must_use]
pub fn row(key: &str, durable: &[(String, String)]) -> Hash {
    let mut context = Context::new(&SHA256);
    [b"row\0", key.as_bytes(), b"\0"].iter().for_each(|part| context.update(part));
    for (name, value) in durable {
        [name.as_bytes(), b"\0", value.as_bytes(), b"\0"].iter().for_each(|part| context.update(part));
    }
    cut(context)
}

/// The hash of what is said of a section as a whole.
#[must_use]
pub fn head(head: &Head) -> Hash {
    let mut context = Context::new(&SHA256);
    let status = [head.status.number()];
    let parts: [&[u8]; 6] = [b"head\0", &status, head.reason.as_bytes(), b"\0", head.source.as_bytes(), b"\0"];
    parts.iter().for_each(|part| context.update(part));
    cut(context)
}

/// A sum of hashes as 128-bit numbers, little-endian, wrapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum(u128);

impl Sum {
    /// As it was.
    #[must_use]
    pub const fn of(hash: Hash) -> Self {
        Self(u128::from_le_bytes(hash))
    }

    /// With one more.
    #[must_use]
    pub const fn plus(self, hash: Hash) -> Self {
        Self(self.0.wrapping_add(u128::from_le_bytes(hash)))
    }

    /// With one less.
    #[must_use]
    pub const fn minus(self, hash: Hash) -> Self {
        Self(self.0.wrapping_sub(u128::from_le_bytes(hash)))
    }

    /// As a hash.
    #[must_use]
    pub const fn hash(self) -> Hash {
        self.0.to_le_bytes()
    }
}

/// The hash of all sections of a host.
#[must_use]
pub fn inventory<'a>(sections: impl IntoIterator<Item = (&'a str, Hash)>) -> Hash {
    let one = |(name, section): (&str, Hash)| {
        let mut context = Context::new(&SHA256);
        [b"section\0", name.as_bytes(), b"\0", &section[..]].iter().for_each(|part| context.update(part));
        cut(context)
    };
    sections.into_iter().map(one).fold(Sum::default(), Sum::plus).hash()
}

fn cut(context: Context) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(&context.finish().as_ref()[..16]);
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::inventory::Status;

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    /// Made by Python's hashlib:
    /// `h = lambda b: hashlib.sha256(b).digest()[:16]`, sums by `int.from_bytes(x, "little")` modulo 2^128.
    #[test]
    fn the_vectors_of_the_contract_hold() {
        let bash =
            fields(&[("architecture", "amd64"), ("manager", "dpkg"), ("name", "bash"), ("version", "5.2.15-2+b7")]);
        let first = row("dpkg/bash/amd64", &bash);
        let second = row("ann", &fields(&[("name", "ann"), ("note", "Grüße")]));
        let complete = head(&Head { source: "/var/lib/dpkg/status".into(), ..Head::default() });
        let partial =
            Head { status: Status::Partial, reason: "cut at 20000 rows".into(), source: "/etc/passwd".into() };
        let packages = Sum::of(complete).plus(first).hash();
        let users = Sum::of(head(&partial)).plus(second).hash();
        let all = [hex(first), hex(second), hex(complete), hex(head(&partial)), hex(packages), hex(users)];
        assert_eq!(all, VECTORS[..6]);
        assert_eq!(hex(inventory([("packages", packages), ("users", users)])), VECTORS[6]);
        assert_eq!(hex(inventory([("users", users), ("packages", packages)])), VECTORS[6], "in any order");
        assert_eq!(hex(inventory([])), "0".repeat(32));
    }

    const VECTORS: [&str; 7] = [
        "4f58dd09a1a411dcb6a9d09eed287d81",
        "9fdc4f5fbe30fda6a1c3db16fb6a59f2",
        "4f7c14d7278cc33fdf9bc233db260257",
        "d4c46c148900e83ddd769f519567599a",
        "9ed4f1e0c830d51b964593d2c84f7fd8",
        "73a1bc734731e5e47e3a7b6890d2b28c",
        "b56376061ae82934d2293e19cf1fb3a3",
    ];

    #[test]
    fn what_was_added_can_be_taken_away() {
        let (one, two) = (row("a", &[]), row("b", &[]));
        assert_eq!(Sum::of(one).plus(two).minus(one).hash(), two);
        assert_eq!(Sum::of([0xff; 16]).plus([1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).hash(), [0; 16]);
    }
}
