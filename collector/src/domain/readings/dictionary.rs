//! What the numbers of a stream mean: families and series, shared between hosts that say the same.
//!
//! While a stream declares, a [`draft`] grows; at the first readings after a change it is sealed into a [`Dictionary`]:
//! prepared exposition text per family ([`block`]) in output order, and the place of each series id in it. Sealed ones are
//! immutable and interned, whole, with what is made of them, and by family, so that a thousand alike machines cost one.

pub mod block;
pub mod draft;
pub mod text;
pub mod unit;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use self::{
    block::{Block, Header, Labels},
    text::Format,
    unit::Unit,
};

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

impl FamilyType {
    /// The type's word in the exposition format.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Untyped => "untyped",
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
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
    /// What its whole numbers count.
    pub unit: Unit,
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
    /// The message's bytes, for [`Saying`].
    pub bytes: Vec<u8>,
}

/// The hash of all dictionary messages of a stream, one after the other: equal where the same was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Saying(Option<[u8; 32]>);

impl Saying {
    /// The hash with one more message.
    #[must_use]
    pub fn and(self, message: &[u8]) -> Self {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        context.update(self.0.as_ref().map_or(&[], |before| before.as_slice()));
        context.update(message);
        Self(Some(digest_bytes(context)))
    }

    /// Whether it is this hash.
    #[must_use]
    pub fn is(self, hash: &[u8]) -> bool {
        self.0.is_some_and(|said| said == hash)
    }
}

/// The place of a series that is declared but not shown: invalid or a duplicate. Its numbers are read over.
pub const HIDDEN: u32 = u32::MAX;

/// Stands for "no value": Prometheus' stale marker (a NaN of its own, `value.StaleNaN`), so that a host that sends it means the same.
pub const ABSENT: f64 = f64::from_bits(0x7ff0_0000_0000_0002);

/// Whether `value` is [`ABSENT`].
#[must_use]
pub fn is_absent(value: f64) -> bool {
    value.to_bits() == ABSENT.to_bits()
}

/// What became of a family's declaration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FamilyPlace {
    /// It is this block.
    Block(u32),
    /// Its name is no metric name; nothing of it is shown.
    Invalid,
    /// It was left out because the host says too much.
    LeftOut,
}

/// A sealed dictionary: series ids to places, places to text. Immutable and shared.
#[derive(Debug)]
pub struct Dictionary {
    /// Sorted by family name: the output order.
    blocks: Box<[Arc<Block>]>,
    /// Counters, by number, whose name in OpenMetrics is taken by another family.
    homonyms: Box<[usize]>,
    layout: Arc<Layout>,
}

/// Which id is where: the same for hosts that differ only in what labels say.
#[derive(Debug, PartialEq, Eq)]
struct Layout {
    families: Box<[(u32, FamilyPlace)]>,
    /// Place of each block's first series.
    starts: Box<[u32]>,
    /// Ascending series ids, and beside them their places.
    ids: Box<[u32]>,
    places: Box<[u32]>,
    /// By place.
    units: Box<[Unit]>,
    leaves_out: bool,
}

impl Dictionary {
    /// The dictionary of a host that declared nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::new(Arc::new(Layout::new(Vec::new(), &[], Vec::new())), Vec::new())
    }

    fn new(layout: Arc<Layout>, blocks: Vec<Arc<Block>>) -> Self {
        let homonyms = homonyms(&blocks);
        Self { blocks: blocks.into(), homonyms, layout }
    }

    /// How many series are shown; values are kept for these, by place.
    #[must_use]
    pub fn size(&self) -> usize {
        self.layout.units.len()
    }

    /// What the whole numbers of the series at `place` count.
    #[must_use]
    pub fn unit(&self, place: u32) -> Unit {
        self.layout.units[place as usize]
    }

    /// The place of the series with this id: [`HIDDEN`] for one that is not shown, `None` for an unknown one.
    #[must_use]
    pub fn place(&self, id: u32) -> Option<u32> {
        // Agents number from 0 or 1 without holes as a rule: try where the id would then be.
        let guess = id as usize;
        for at in [Some(guess), guess.checked_sub(1)].into_iter().flatten() {
            if self.layout.ids.get(at) == Some(&id) {
                return Some(self.layout.places[at]);
            }
        }
        match self.layout.ids.binary_search(&id) {
            Ok(at) => Some(self.layout.places[at]),
            Err(_) if self.layout.leaves_out => Some(HIDDEN),
            Err(_) => None,
        }
    }

    /// Name of the family, suffix and labels of the series at `place`.
    #[must_use]
    pub fn series(&self, place: u32) -> (&str, &str, &Labels) {
        let at = self.layout.starts.partition_point(|start| *start <= place) - 1;
        // Blocks without series share their start with the next; the last of equals has the series.
        let block = &self.blocks[at];
        let (suffix, labels) = block.series((place - self.layout.starts[at]) as usize);
        (block.name(), suffix, labels)
    }

    /// The value of a label of the series at `place`, empty when it has none.
    #[must_use]
    pub fn label(&self, place: u32, name: &str) -> &str {
        let (_, _, labels) = self.series(place);
        labels.iter().find(|(label, _)| label == name).map_or("", |(_, value)| value)
    }

    /// Calls `f` with place and labels of each series of `metric` (family name and suffix), in output order.
    pub fn each(&self, metric: &str, f: &mut dyn FnMut(u32, &Labels)) {
        for (block, start) in self.blocks.iter().zip(&self.layout.starts) {
            let Some(wanted) = metric.strip_prefix(block.name()) else { continue };
            for n in 0..block.len() {
                let (suffix, labels) = block.series(n);
                if suffix == wanted {
                    f(*start + u32::try_from(n).expect("series per host are capped far below 2^32"), labels);
                }
            }
        }
    }

    /// The families, sorted by name.
    #[must_use]
    pub fn blocks(&self) -> &[Arc<Block>] {
        &self.blocks
    }

    /// Appends the whole exposition but its end, with `values` by place.
    pub fn render(&self, format: Format, values: &[f64], out: &mut Vec<u8>) {
        for ((n, block), start) in self.blocks.iter().enumerate().zip(&self.layout.starts) {
            let values = &values[*start as usize..][..block.len()];
            if format == Format::OpenMetrics && self.homonyms.binary_search(&n).is_ok() {
                let header = Header { text: &block.untyped_header(), only_counts: false };
                block.render(header, values, out);
            } else {
                block.render(block.header(format), values, out);
            }
        }
    }

    /// The values by place of this dictionary, taken over by series id from those of `other`.
    #[must_use]
    pub fn carry_over(&self, other: &Self, values: &[f64]) -> Vec<f64> {
        let mut carried = vec![ABSENT; self.size()];
        for (id, place) in self.layout.ids.iter().zip(&self.layout.places) {
            let before = other.layout.ids.binary_search(id).map_or(HIDDEN, |at| other.layout.places[at]);
            if *place != HIDDEN && before != HIDDEN && self.series(*place) == other.series(before) {
                carried[*place as usize] = values[before as usize];
            }
        }
        carried
    }
}

/// The counters that OpenMetrics would call as another family, or one of its series, is called.
fn homonyms(blocks: &[Arc<Block>]) -> Box<[usize]> {
    let find = |name: &str| blocks.binary_search_by(|block| block.name().cmp(name)).ok().map(|n| &blocks[n]);
    let has_parts = |block: &Arc<Block>| matches!(block.kind(), FamilyType::Histogram | FamilyType::Summary);
    let is_part = |name: &str| {
        ["_bucket", "_sum", "_count"].iter().filter_map(|part| find(name.strip_suffix(part)?)).any(has_parts)
    };
    let is_taken = |base: &str| find(base).is_some() || is_part(base) || find(&format!("{base}_created")).is_some();
    let counters = blocks.iter().enumerate().filter(|(_, block)| block.kind() == FamilyType::Counter);
    let bases = counters.filter_map(|(n, block)| Some((n, text::counter_base(block.name())?)));
    bases.filter(|(_, base)| is_taken(base)).map(|(n, _)| n).collect()
}

impl Layout {
    fn new(families: Vec<(u32, FamilyPlace)>, blocks: &[Block], series: Vec<(u32, u32)>) -> Self {
        let mut units = Vec::new();
        let start_of = |block: &Block| {
            let start = units.len();
            units.resize(start + block.len(), block.unit());
            u32::try_from(start).expect("series per host are capped far below 2^32")
        };
        let starts = blocks.iter().map(start_of).collect();
        let (ids, places): (Vec<u32>, Vec<u32>) = series.into_iter().unzip();
        let leaves_out = families.iter().any(|(_, place)| *place == FamilyPlace::LeftOut);
        let units = units.into();
        Self { families: families.into(), starts, ids: ids.into(), places: places.into(), units, leaves_out }
    }

    fn digest(&self) -> [u8; 32] {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        for length in [self.families.len(), self.starts.len(), self.ids.len()] {
            context.update(&length.to_le_bytes());
        }
        let mut number = |n: u32| context.update(&n.to_le_bytes());
        for (id, place) in &self.families {
            number(*id);
            number(match place {
                FamilyPlace::Block(n) => *n,
                FamilyPlace::Invalid => u32::MAX - 1,
                FamilyPlace::LeftOut => u32::MAX,
            });
        }
        self.starts.iter().chain(&self.ids).chain(&self.places).for_each(|n| number(*n));
        self.units.iter().for_each(|unit| number(*unit as u32));
        digest_bytes(context)
    }
}

fn digest_bytes(context: ring::digest::Context) -> [u8; 32] {
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Sealed dictionaries, each as what is made of it, and their families by digest, as long as a host uses them.
#[derive(Debug)]
pub struct Interner<T = Dictionary> {
    blocks: Pool<Block>,
    layouts: Pool<Layout>,
    dictionaries: Pool<T>,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { blocks: Pool::default(), layouts: Pool::default(), dictionaries: Pool::default() }
    }
}

impl<T: From<Dictionary>> Interner<T> {
    /// How many distinct dictionaries and families are in use.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.dictionaries.live(), self.blocks.live())
    }

    fn seal(&self, families: Vec<(u32, FamilyPlace)>, blocks: Vec<Block>, series: Vec<(u32, u32)>) -> Arc<T> {
        let mut context = ring::digest::Context::new(&ring::digest::SHA256);
        let layout = Layout::new(families, &blocks, series);
        let digest = layout.digest();
        context.update(&digest);
        let layout = self.layouts.share(digest, || layout);
        let share = |block: Block| {
            let digest = block.digest();
            context.update(&digest);
            self.blocks.share(digest, || block)
        };
        let blocks = blocks.into_iter().map(share).collect();
        self.dictionaries.share(digest_bytes(context), || Dictionary::new(layout, blocks).into())
    }
}

/// Things that are equal when their digests are, kept while somebody holds them.
#[derive(Debug)]
struct Pool<T> {
    inner: Mutex<(ByDigest<T>, usize)>,
}

type ByDigest<T> = HashMap<[u8; 32], Weak<T>>;

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self { inner: Mutex::new((HashMap::new(), Self::FIRST_PURGE)) }
    }
}

impl<T> Pool<T> {
    /// Below this many entries nobody looks for dead ones.
    const FIRST_PURGE: usize = 1_024;

    fn share(&self, digest: [u8; 32], make: impl FnOnce() -> T) -> Arc<T> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (pool, purge_at) = &mut *inner;
        if let Some(known) = pool.get(&digest).and_then(Weak::upgrade) {
            return known;
        }
        if pool.len() >= *purge_at {
            pool.retain(|_, weak| weak.strong_count() > 0);
            // Twice what lives: each purge is paid for by as many insertions.
            *purge_at = Self::FIRST_PURGE.max(2 * pool.len());
        }
        let shared = Arc::new(make());
        pool.insert(digest, Arc::downgrade(&shared));
        shared
    }

    fn live(&self) -> usize {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.0.values().filter(|weak| weak.strong_count() > 0).count()
    }
}
