//! One family with its series as prepared text, shared by all hosts that say exactly the same of it.
//!
//! Sharing is by family and not only by whole dictionary, because `node_uname_info{nodename}` alone makes every
//! host's dictionary its own, while its other hundred families are those of a thousand other machines.

use super::{
    FamilyType,
    text::{self, Format},
    unit::Unit,
};

/// A series' labels: name and value, sorted by name, cleaned but not escaped.
pub type Labels = [(String, String)];

/// A family: header and `name{labels} ` of each series, one after the other.
#[derive(Debug)]
pub struct Block {
    name: String,
    kind: FamilyType,
    help: String,
    unit: Unit,
    text: Box<[u8]>,
    header_end: u32,
    /// The header in OpenMetrics, where it is another one.
    open_header: Option<Box<[u8]>>,
    members: Box<[Member]>,
}

/// What stands above a family's samples on a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header<'a> {
    pub(super) text: &'a [u8],
    /// OpenMetrics knows no counter below zero and none that is no number: a page with one would be refused as a whole.
    pub(super) only_counts: bool,
}

impl Header<'_> {
    fn admits(self, value: f64) -> bool {
        !super::is_absent(value) && (!self.only_counts || value >= 0.0)
    }
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
    unit: Unit,
    text: Vec<u8>,
    header_end: u32,
    members: Vec<Member>,
}

impl BlockBuilder {
    pub(super) fn new(name: &str, kind: FamilyType, help: &str, unit: Unit) -> Self {
        let mut prepared = Vec::new();
        text::push_header(&mut prepared, Format::Text, name, kind, help);
        let header_end = offset(&prepared);
        let (name, help) = (name.to_owned(), help.to_owned());
        Self { name, kind, help, unit, text: prepared, header_end, members: Vec::new() }
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

    /// Whether the formats know such a series in a family of this type.
    pub(super) fn admits(&self, suffix: &str, labels: &Labels) -> bool {
        let has = |name: &str| labels.iter().any(|(label, _)| label == name);
        match (self.kind, suffix) {
            (FamilyType::Histogram, "_bucket") => has("le"),
            (FamilyType::Summary, "") => has("quantile"),
            (FamilyType::Histogram | FamilyType::Summary, "_sum" | "_count") => true,
            (FamilyType::Histogram | FamilyType::Summary, _) => false,
            (FamilyType::Untyped | FamilyType::Counter | FamilyType::Gauge, _) => suffix.is_empty(),
        }
    }

    pub(super) fn finish(self) -> Block {
        let open_header = open_header(&self.name, self.kind, &self.help);
        let differs = *open_header != self.text[..self.header_end as usize];
        Block {
            name: self.name,
            kind: self.kind,
            help: self.help,
            unit: self.unit,
            text: self.text.into_boxed_slice(),
            header_end: self.header_end,
            open_header: differs.then_some(open_header),
            members: self.members.into_boxed_slice(),
        }
    }
}

fn offset(prepared: &[u8]) -> u32 {
    u32::try_from(prepared.len()).expect("a dictionary's text is capped far below 4 GiB")
}

fn open_header(name: &str, kind: FamilyType, help: &str) -> Box<[u8]> {
    let mut header = Vec::new();
    text::push_header(&mut header, Format::OpenMetrics, name, kind, help);
    header.into()
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

    /// What its whole numbers count on the wire.
    #[must_use]
    pub fn unit(&self) -> Unit {
        self.unit
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

    /// The family's header in this format.
    pub(super) fn header(&self, format: Format) -> Header<'_> {
        let text = &self.text[..self.header_end as usize];
        match format {
            Format::Text => Header { text, only_counts: false },
            Format::OpenMetrics => Header {
                text: self.open_header.as_deref().unwrap_or(text),
                only_counts: self.kind == FamilyType::Counter && text::counter_base(&self.name).is_some(),
            },
        }
    }

    /// The header in OpenMetrics of a counter that cannot be called one.
    pub(super) fn untyped_header(&self) -> Box<[u8]> {
        open_header(&self.name, FamilyType::Untyped, &self.help)
    }

    /// Appends the family with its values; series without a value are left out, and the header with the last of them.
    pub(super) fn render(&self, header: Header<'_>, values: &[f64], out: &mut Vec<u8>) {
        let mut pending = header.text;
        let mut start = self.header_end as usize;
        for (member, value) in self.members.iter().zip(values) {
            let end = member.end as usize;
            if header.admits(*value) {
                out.extend_from_slice(std::mem::take(&mut pending));
                out.extend_from_slice(&self.text[start..end]);
                text::push_number(out, *value);
                out.push(b'\n');
            }
            start = end;
        }
    }
}
