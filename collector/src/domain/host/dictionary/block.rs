//! One family with its series as prepared text, shared by all hosts that say exactly the same of it.
//!
//! Sharing is by family and not only by whole dictionary, because `node_uname_info{nodename}` alone makes every
//! host's dictionary its own, while its other hundred families are those of a thousand other machines.

use super::{FamilyType, text};

/// A series' labels: name and value, sorted by name, cleaned but not escaped.
pub type Labels = [(String, String)];

/// A family: header and `name{labels} ` of each series, one after the other.
#[derive(Debug)]
pub struct Block {
    name: String,
    kind: FamilyType,
    help: String,
    text: Box<[u8]>,
    header_end: u32,
    members: Box<[Member]>,
}

#[derive(Debug)]
struct Member {
    end: u32,
    suffix: Box<str>,
    labels: Box<Labels>,
}

/// Puts a block together, series by series.
#[derive(Debug)]
pub(super) struct BlockBuilder {
    name: String,
    kind: FamilyType,
    help: String,
    text: Vec<u8>,
    header_end: u32,
    members: Vec<Member>,
}

impl BlockBuilder {
    pub(super) fn new(name: &str, kind: FamilyType, help: &str) -> Self {
        let mut prepared = Vec::new();
        text::push_header(&mut prepared, name, kind.word(), help);
        let header_end = offset(&prepared);
        Self { name: name.to_owned(), kind, help: help.to_owned(), text: prepared, header_end, members: Vec::new() }
    }

    /// Appends a series and returns its text.
    pub(super) fn push(&mut self, suffix: &str, labels: &Labels) -> &[u8] {
        let start = self.text.len();
        text::push_series(&mut self.text, &self.name, suffix, labels);
        self.members.push(Member { end: offset(&self.text), suffix: suffix.into(), labels: labels.into() });
        &self.text[start..]
    }

    /// Takes the last series back.
    pub(super) fn pop(&mut self) {
        self.members.pop();
        self.text.truncate(self.members.last().map_or(self.header_end, |member| member.end) as usize);
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    pub(super) fn finish(self) -> Block {
        Block {
            name: self.name,
            kind: self.kind,
            help: self.help,
            text: self.text.into_boxed_slice(),
            header_end: self.header_end,
            members: self.members.into_boxed_slice(),
        }
    }
}

fn offset(prepared: &[u8]) -> u32 {
    u32::try_from(prepared.len()).expect("a dictionary's text is capped far below 4 GiB")
}

impl Block {
    /// The family's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its type.
    #[must_use]
    pub fn kind(&self) -> FamilyType {
        self.kind
    }

    /// Its help text, cleaned.
    #[must_use]
    pub fn help(&self) -> &str {
        &self.help
    }

    /// How many series it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.members.len()
    }

    /// Whether it has no series.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Suffix and labels of its series number `n`.
    #[must_use]
    pub fn series(&self, n: usize) -> (&str, &Labels) {
        let member = &self.members[n];
        (&member.suffix, &member.labels)
    }

    /// A digest of everything in it.
    pub(super) fn digest(&self) -> [u8; 32] {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(&self.text);
        for member in &self.members {
            context.update(&member.end.to_le_bytes());
        }
        super::digest_bytes(context)
    }

    /// Appends the family with its values; series without a value are left out, and the header with the last of them.
    pub(super) fn render(&self, values: &[f64], out: &mut Vec<u8>) {
        let mut pending = 0..self.header_end as usize;
        let mut start = self.header_end as usize;
        for (member, value) in self.members.iter().zip(values) {
            let end = member.end as usize;
            if !super::is_absent(*value) {
                out.extend_from_slice(&self.text[std::mem::take(&mut pending)]);
                out.extend_from_slice(&self.text[start..end]);
                text::push_number(out, *value);
                out.push(b'\n');
            }
            start = end;
        }
    }
}
