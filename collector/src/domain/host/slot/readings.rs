//! From an update's gaps and differences to places and values, all checked before anything changes.

use super::{ReadingsUpdate, SOURCES};
use crate::domain::readings::{
    dictionary::{ABSENT, Dictionary, HIDDEN, text, unit::Unit},
    source::{Source, SourceState},
};

/// The places and new values of an update; hidden series are read over. `anew`: the values before do not count.
pub(super) fn stage(
    update: &ReadingsUpdate,
    dictionary: &Dictionary,
    values: &[f64],
    anew: bool,
) -> Result<Vec<(u32, f64)>, String> {
    if update.whole_gaps.len() != update.whole_diffs.len() || update.real_gaps.len() != update.reals.len() {
        return Err("as many gaps as values are needed in each list".to_owned());
    }
    let mut staged = Vec::with_capacity(update.whole_gaps.len() + update.real_gaps.len());
    let mut walk = Walk::new(dictionary);
    for (gap, diff) in update.whole_gaps.iter().zip(&update.whole_diffs) {
        let place = walk.next(*gap)?;
        if place != HIDDEN {
            let before = if anew { ABSENT } else { values[place as usize] };
            staged.push((place, value_after(dictionary.unit(place), before, *diff)?));
        }
    }
    let mut walk = Walk::new(dictionary);
    for (gap, value) in update.real_gaps.iter().zip(&update.reals) {
        let place = walk.next(*gap)?;
        if place != HIDDEN {
            staged.push((place, *value));
        }
    }
    Ok(staged)
}

/// Writes them; a set that begins anew leaves nothing else standing.
pub(super) fn commit(anew: bool, staged: &[(u32, f64)], values: &mut [f64]) {
    if anew {
        values.fill(ABSENT);
    }
    for (place, value) in staged {
        values[*place as usize] = *value;
    }
}

/// The value `diff` units away from the one before, which counts from 0 where it is no whole number of units.
fn value_after(unit: Unit, before: f64, diff: i64) -> Result<f64, String> {
    let after = unit.count(before).checked_add(diff).filter(|after| (after.unsigned_abs() as f64) < text::EXACT);
    after
        .map(|after| unit.value(after as f64))
        .ok_or_else(|| "a whole number leaves the exact range of 2^53".to_owned())
}

/// Turns gaps into places.
struct Walk<'a> {
    dictionary: &'a Dictionary,
    last: Option<u32>,
}

impl<'a> Walk<'a> {
    fn new(dictionary: &'a Dictionary) -> Self {
        Self { dictionary, last: None }
    }

    fn next(&mut self, gap: u32) -> Result<u32, String> {
        let id = match self.last {
            None => Some(gap),
            Some(last) => last.checked_add(gap).filter(|_| gap > 0),
        };
        let id = id.ok_or_else(|| "series ids must ascend".to_owned())?;
        self.last = Some(id);
        self.dictionary.place(id).ok_or_else(|| format!("series {id} was not declared"))
    }
}

/// The sources after this update, if they change; a restart or a full set leaves none standing that it does not name.
///
/// Errors name the cap.
pub(super) fn sources_after(
    known: &[Source],
    restart: bool,
    update: &ReadingsUpdate,
) -> Result<Option<Vec<Source>>, String> {
    let restart = restart || update.full;
    if update.sources.is_empty() && !restart {
        return Ok(None);
    }
    let mut sources = if restart { Vec::new() } else { known.to_vec() };
    for (name, number, reason) in &update.sources {
        let source = Source {
            name: text::clean(name).into(),
            state: SourceState::from_wire(*number),
            reason: text::clean(reason).into(),
        };
        let full = sources.len() >= SOURCES;
        match sources.iter_mut().find(|known| known.name == source.name) {
            Some(known) => *known = source,
            None if !full => sources.push(source),
            None => return Err(format!("more than {SOURCES} sources: report fewer")),
        }
    }
    // A part of a source, `filesystem/mnt/nfs`, is only there while it is not well.
    sources.retain(|source| source.state != SourceState::Ok || !source.name.contains('/'));
    sources.shrink_to_fit();
    Ok(Some(sources))
}
