//! A dictionary while it grows: what a stream has declared since it was last sealed, within the caps.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use super::{
    Dictionary, DictionaryUpdate, FamilyEntry, FamilyPlace, FamilyType, HIDDEN, Interner, SeriesEntry,
    block::BlockBuilder, text, unit::Unit,
};
use crate::domain::time::Timestamp;

/// Most series of a host.
pub const SERIES: usize = 20_000;
/// More series than this deserve a warning.
pub const SERIES_WARNING: usize = 5_000;
/// Most families of a host: node_exporter with everything on has some 1 250.
pub const FAMILIES: usize = 4_000;
/// Most bytes of labels of a host: 200 for each of [`SERIES`].
pub const LABEL_BYTES: usize = 4 << 20;
/// Names of left-out families that are remembered; the others are only counted.
pub const LEFT_OUT_NAMED: usize = 100;

/// After the first dictionary of a stream each new series costs this much time: 1 000 a minute.
const SERIES_COST_MS: i64 = 60;
/// So much time may be spent ahead: the average is taken over ten minutes.
const SPENT_AHEAD_MS: i64 = 600_000;

/// Suffixes that series of histograms and summaries carry in the exposition formats.
const SUFFIXES: [&str; 3] = ["_bucket", "_sum", "_count"];

/// What of a stream's declarations is not shown, and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Omissions {
    /// Names of families left out over a cap, at most [`LEFT_OUT_NAMED`].
    pub families: Vec<String>,
    /// How many families were left out.
    pub families_total: u64,
    /// Series not shown for an invalid name or label, those that are no part of their family's type, and duplicates.
    pub invalid: u64,
    /// Labels dropped because their names are reserved.
    pub labels: u64,
}

/// How fast a stream may declare new series once its first dictionary is complete.
#[derive(Debug, Clone, Copy, Default)]
pub struct Allowance {
    /// `None` while the first dictionary is declared: free up to the cap.
    spent_until_ms: Option<i64>,
}

impl Allowance {
    /// The first dictionary is complete; from now on new series count.
    pub fn begin(&mut self, now: Timestamp) {
        self.spent_until_ms.get_or_insert(now.ms());
    }

    fn take(&mut self, now: Timestamp) -> bool {
        let Some(spent) = &mut self.spent_until_ms else { return true };
        let next = now.ms().max(*spent) + SERIES_COST_MS;
        let granted = next - now.ms() <= SPENT_AHEAD_MS;
        if granted {
            *spent = next;
        }
        granted
    }
}

/// What a stream has declared.
#[derive(Debug, Default)]
pub struct Draft {
    families: BTreeMap<u32, Family>,
    series: BTreeMap<u32, Series>,
    label_bytes: usize,
}

#[derive(Debug)]
struct Family {
    name: String,
    kind: FamilyType,
    help: String,
    unit: Unit,
    state: FamilyState,
    series: usize,
    label_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FamilyState {
    Shown,
    Invalid,
    LeftOut,
}

#[derive(Debug)]
struct Series {
    family: u32,
    suffix: String,
    labels: Vec<(String, String)>,
    shown: bool,
}

impl Series {
    fn label_bytes(&self) -> usize {
        self.labels.iter().map(|(name, value)| name.len() + value.len()).sum()
    }
}

impl Draft {
    /// The draft that would seal into `dictionary`.
    #[must_use]
    pub fn of(dictionary: &Dictionary) -> Self {
        let mut draft = Self::default();
        let mut owners = BTreeMap::new();
        for (id, place) in &dictionary.layout.families {
            let (name, kind, help, unit, state) = match place {
                FamilyPlace::Block(n) => {
                    let block = &dictionary.blocks[*n as usize];
                    owners.entry(block.name()).or_insert(*id);
                    (block.name(), block.kind(), block.help(), block.unit(), FamilyState::Shown)
                }
                FamilyPlace::Invalid => ("", FamilyType::Untyped, "", Unit::One, FamilyState::Invalid),
                FamilyPlace::LeftOut => ("", FamilyType::Untyped, "", Unit::One, FamilyState::LeftOut),
            };
            let (name, help) = (name.to_owned(), help.to_owned());
            draft.families.insert(*id, Family { name, kind, help, unit, state, series: 0, label_bytes: 0 });
        }
        for (id, place) in dictionary.layout.ids.iter().zip(&dictionary.layout.places) {
            let series = if *place == HIDDEN {
                Series { family: u32::MAX, suffix: String::new(), labels: Vec::new(), shown: false }
            } else {
                let (name, suffix, labels) = dictionary.series(*place);
                Series { family: owners[name], suffix: suffix.to_owned(), labels: labels.to_vec(), shown: true }
            };
            draft.count(*id, series);
        }
        draft
    }

    /// Whether `update` fits what was declared before; in words what does not.
    ///
    /// # Errors
    /// The first id that contradicts, or the cap on families.
    pub fn check(&self, update: &DictionaryUpdate) -> Result<(), String> {
        let mut families = BTreeSet::new();
        for family in &update.families {
            let known = self.families.get(&family.id);
            if known.is_some_and(|known| known.state == FamilyState::Shown && known.name != family.name)
                || !families.insert(family.id)
            {
                return Err(format!("family {} is declared twice", family.id));
            }
        }
        if self.families.len() + families.len() > FAMILIES {
            return Err(format!("more than {FAMILIES} families in one stream: declare fewer"));
        }
        let leaves_out = self.families.values().any(|family| family.state == FamilyState::LeftOut);
        let mut retired = BTreeSet::new();
        for id in &update.retired {
            if !retired.insert(id) || !(leaves_out || self.series.contains_key(id)) {
                return Err(format!("series {id} is retired but was not declared"));
            }
        }
        let mut declared = BTreeSet::new();
        for series in &update.series {
            if !families.contains(&series.family) && !self.families.contains_key(&series.family) {
                return Err(format!("series {} names the unknown family {}", series.id, series.family));
            }
            let live = self.series.contains_key(&series.id) && !retired.contains(&series.id);
            if live || !declared.insert(series.id) {
                return Err(format!("series {} is declared twice", series.id));
            }
            if series.labels.len() % 2 != 0 {
                return Err(format!("series {} has a label without a value", series.id));
            }
        }
        Ok(())
    }

    /// Takes a checked update in. Over the caps whole families are left out, largest first; over the rate of new
    /// series the family that grows is.
    pub fn grow(
        &mut self,
        update: DictionaryUpdate,
        allowance: &mut Allowance,
        omissions: &mut Omissions,
        now: Timestamp,
    ) {
        for id in update.retired {
            self.retire(id);
        }
        for family in update.families {
            self.families.entry(family.id).or_insert_with(|| Family::new(family));
        }
        for entry in update.series {
            let (id, family) = (entry.id, entry.family);
            if self.families.get(&family).is_none_or(|family| family.state == FamilyState::LeftOut) {
                continue;
            }
            if !allowance.take(now) {
                self.leave_out(family, omissions);
                continue;
            }
            let valid = self.families[&family].state == FamilyState::Shown;
            let series = Series::new(entry, valid, omissions);
            self.count(id, series);
            while self.series.len() > SERIES || self.label_bytes > LABEL_BYTES {
                let Some(largest) = self.largest() else { break };
                self.leave_out(largest, omissions);
            }
        }
    }

    fn count(&mut self, id: u32, series: Series) {
        let bytes = series.label_bytes();
        if let Some(family) = self.families.get_mut(&series.family) {
            family.series += 1;
            family.label_bytes += bytes;
        }
        self.label_bytes += bytes;
        self.series.insert(id, series);
    }

    fn retire(&mut self, id: u32) {
        let Some(series) = self.series.remove(&id) else { return };
        let bytes = series.label_bytes();
        if let Some(family) = self.families.get_mut(&series.family) {
            family.series -= 1;
            family.label_bytes -= bytes;
        }
        self.label_bytes -= bytes;
    }

    /// The family that costs most of what is short.
    fn largest(&self) -> Option<u32> {
        let by_bytes = self.series.len() <= SERIES;
        let cost = |family: &Family| if by_bytes { family.label_bytes } else { family.series };
        let candidates = self.families.iter().filter(|(_, family)| family.state != FamilyState::LeftOut);
        candidates.max_by_key(|(_, family)| cost(family)).map(|(id, _)| *id)
    }

    fn leave_out(&mut self, id: u32, omissions: &mut Omissions) {
        let Some(family) = self.families.get_mut(&id) else { return };
        family.state = FamilyState::LeftOut;
        self.label_bytes -= family.label_bytes;
        (family.series, family.label_bytes) = (0, 0);
        omissions.families_total += 1;
        if omissions.families.len() < LEFT_OUT_NAMED {
            omissions.families.push(std::mem::take(&mut family.name));
        }
        self.series.retain(|_, series| series.family != id);
    }

    /// Seals what was declared: families of one name become one; series that are duplicates, or no part of their
    /// family's type, are hidden and counted.
    #[must_use]
    pub fn seal<T: From<Dictionary>>(&self, interner: &Interner<T>) -> (Arc<T>, u64) {
        let mut builders: BTreeMap<&str, BlockBuilder> = BTreeMap::new();
        for family in self.families.values().filter(|family| family.state == FamilyState::Shown) {
            let new = || BlockBuilder::new(&family.name, family.kind, &family.help, family.unit);
            builders.entry(&family.name).or_insert_with(new);
        }
        let (members, hidden) = self.distribute(&mut builders);
        let mut order = BTreeMap::new();
        let mut start = 0;
        for (n, (name, builder)) in (0..).zip(&builders) {
            order.insert(*name, (n, start));
            start += builder.len();
        }
        let families = self.families.iter().map(|(id, family)| {
            let place = match family.state {
                FamilyState::Shown => FamilyPlace::Block(order[family.name.as_str()].0),
                FamilyState::Invalid => FamilyPlace::Invalid,
                FamilyState::LeftOut => FamilyPlace::LeftOut,
            };
            (*id, place)
        });
        let place = |(name, n): (&str, usize)| {
            u32::try_from(order[name].1 + n).expect("series per host are capped far below 2^32")
        };
        let series = members.into_iter().map(|(id, member)| (id, member.map_or(HIDDEN, place)));
        let (families, series) = (families.collect(), series.collect());
        (interner.seal(families, builders.into_values().map(BlockBuilder::finish).collect(), series), hidden)
    }

    /// Puts each series into its family's block; says where it went, and how many went nowhere.
    fn distribute(&self, builders: &mut BTreeMap<&str, BlockBuilder>) -> (Vec<Member<'_>>, u64) {
        let mut seen: HashSet<Vec<u8>> = HashSet::with_capacity(self.series.len());
        let mut members = Vec::with_capacity(self.series.len());
        let mut hidden = 0;
        for (id, series) in &self.series {
            let family = self.families.get(&series.family).filter(|_| series.shown);
            let member = family.and_then(|family| {
                let builder = builders.get_mut(family.name.as_str())?;
                if builder.admits(&series.suffix, &series.labels) {
                    if seen.insert(builder.push(&series.suffix, &series.labels).to_vec()) {
                        return Some((family.name.as_str(), builder.len() - 1));
                    }
                    builder.pop();
                }
                hidden += 1;
                None
            });
            members.push((*id, member));
        }
        (members, hidden)
    }
}

/// A series id with the name of its family and its number therein, if it is shown.
type Member<'a> = (u32, Option<(&'a str, usize)>);

impl Family {
    fn new(entry: FamilyEntry) -> Self {
        let valid = text::is_metric_name(&entry.name);
        let state = if valid { FamilyState::Shown } else { FamilyState::Invalid };
        let name = if valid { entry.name } else { String::new() };
        let (kind, unit) = (entry.kind, entry.unit);
        Self { name, kind, help: text::clean(&entry.help), unit, state, series: 0, label_bytes: 0 }
    }
}

impl Series {
    fn new(entry: SeriesEntry, valid: bool, omissions: &mut Omissions) -> Self {
        let before = omissions.labels;
        let labels = checked_labels(entry.labels, &mut omissions.labels);
        let suffix_known = entry.suffix.is_empty() || SUFFIXES.contains(&entry.suffix.as_str());
        match labels {
            Some(labels) if valid && suffix_known => {
                Self { family: entry.family, suffix: entry.suffix, labels, shown: true }
            }
            _ => {
                omissions.labels = before;
                omissions.invalid += 1;
                Self { family: entry.family, suffix: String::new(), labels: Vec::new(), shown: false }
            }
        }
    }
}

/// Sorted, cleaned labels without the reserved ones; `None` when a name is invalid or twice there, or there are too many.
fn checked_labels(pairs: Vec<String>, reserved: &mut u64) -> Option<Vec<(String, String)>> {
    if pairs.len() > 2 * text::LABELS {
        return None;
    }
    let mut labels = Vec::with_capacity(pairs.len() / 2);
    let mut pairs = pairs.into_iter();
    while let (Some(name), Some(value)) = (pairs.next(), pairs.next()) {
        if !text::is_label_name(&name) {
            return None;
        }
        if text::is_reserved_label(&name) {
            *reserved += 1;
        } else if !value.is_empty() {
            // An empty value means the same as no label at all (Prometheus' data model).
            labels.push((name, text::clean(&value)));
        }
    }
    labels.sort();
    labels.windows(2).all(|pair| pair[0].0 != pair[1].0).then_some(labels)
}

#[cfg(test)]
mod tests;
