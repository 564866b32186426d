//! What the numbers of a stream mean: families and series, shared between hosts that say the same. (to come)

/// The type of a family, as in the exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FamilyType {
    /// Not said.
    Untyped,
    /// Only grows, but for resets.
    Counter,
    /// Goes both ways.
    Gauge,
    /// Buckets, sum and count.
    Histogram,
    /// Quantiles, sum and count.
    Summary,
}

/// A family as it came over the wire, names not yet checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FamilyEntry {
    /// The stream's number for it.
    pub id: u32,
    /// Metric name.
    pub name: String,
    /// Its type.
    pub kind: FamilyType,
    /// Its help text.
    pub help: String,
}

/// A series as it came over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesEntry {
    /// The stream's number for it.
    pub id: u32,
    /// The number of its family.
    pub family: u32,
    /// Appended to the family's name (`_bucket`, `_sum`, ...), usually empty.
    pub suffix: String,
    /// name, value, name, value...
    pub labels: Vec<String>,
}

/// One dictionary message.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DictionaryUpdate {
    /// New families.
    pub families: Vec<FamilyEntry>,
    /// New series.
    pub series: Vec<SeriesEntry>,
    /// Series that exist no more.
    pub retired: Vec<u32>,
}
