//! Whether a report that somebody shows is what the records say: its inputs are looked up and checked, it is reckoned anew
//! from exactly them, and the two are compared.

use serde_json::Value;

use super::inputs::{About, Basis, DIGEST, Position};
use crate::domain::{
    calendar::Span,
    host::{Cause, ledger::OpenSpan},
    record::{Observed, SpanRow},
    time::Timestamp,
};

/// What is proven to have ended at its very beginning leaves no entry. Proofs come within seconds, and the collector's own
/// end is known to a heartbeat: for this long an open end may turn out never to have been, in milliseconds.
pub(super) const NEVER_WAS_MS: i64 = 60_000;
/// For this long a host is waited for when the collector runs again, in milliseconds: a minute to settle, and what it takes
/// to make sure of a silence. Until then nobody says what it was since the start.
const AWAITED_MS: i64 = 180_000;

/// What the store has of a ledger, up to an entry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// Entries that touch the window, by number.
    pub rows: Vec<SpanRow>,
    /// The first entry that is kept: its number and when it begins.
    pub first: Option<(i64, Timestamp)>,
    /// Where entries end up to the last one asked for, and that one's link of the chain, in hexadecimal.
    pub last: Option<(Timestamp, String)>,
    /// The first entry that does not follow from the one before.
    pub broken: Option<i64>,
    /// What was written of the time after them first, corrections aside.
    pub next: Option<SpanRow>,
}

/// Where two reports differ first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where, such as `subjects[0].down_ms`.
    pub path: String,
    /// What is shown to us; nothing where it is missing.
    pub stated: Option<Value>,
    /// What the records say.
    pub recomputed: Option<Value>,
}

/// Why a report cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// It cannot be reckoned again, for this reason.
    Cannot(String),
    /// It says something else than the records.
    Differs(Difference),
}

impl Trouble {
    fn differs(path: String, stated: impl Into<Value>, recomputed: impl Into<Value>) -> Self {
        Self::Differs(Difference { path, stated: Some(stated.into()), recomputed: Some(recomputed.into()) })
    }
}

/// Whether the ledger at this place of the report is what it says that it was, `window` being what of the period was over. `present` is its open end now.
///
/// # Errors
/// The first [`Trouble`].
pub fn check(
    (place, basis): (&str, &Basis),
    kept: &Kept,
    present: &OpenSpan,
    window: Span,
    as_of: Timestamp,
) -> Result<(), Trouble> {
    let name = &basis.subject;
    let Some(ledger) = &basis.ledger else {
        return Err(Trouble::Cannot(format!("the report names no ledger of {name}")));
    };
    let at = |key: &str| format!("{place}.ledger.{key}");
    if let Some(n) = kept.broken {
        return Err(Trouble::Cannot(format!(
            "the chain of {name}'s ledger is broken at entry {n}: it does not follow from the one before, so it or one \
             before it was changed or taken out behind the collector's back"
        )));
    }
    let end = match &kept.last {
        _ if ledger.n == 0 => ledger.begun,
        Some((end, _)) => *end,
        None => {
            return Err(Trouble::Cannot(format!(
                "entry {} of {name}'s ledger, on which the report stands, is not in the records: they may be those of an \
                 older backup, or of another collector",
                ledger.n
            )));
        }
    };
    if let Some((_, hash)) = kept.last.as_ref().filter(|(_, hash)| ledger.n > 0 && *hash != ledger.hash) {
        return Err(Trouble::differs(at("hash"), ledger.hash.clone(), hash.clone()));
    }
    match kept.first {
        Some((1, from)) if from != ledger.begun => {
            return Err(Trouble::differs(at("begun"), ledger.begun.to_string(), from.to_string()));
        }
        Some((n, from)) if n > 1 && from > window.from.max(ledger.begun) => {
            return Err(Trouble::Cannot(format!(
                "{name}'s ledger is kept from entry {n} on, {from}: what lay before is forgotten, and the report needs it"
            )));
        }
        _ => {}
    }
    if ledger.open.from != end {
        return Err(Trouble::differs(at("open.from"), ledger.open.from.to_string(), end.to_string()));
    }
    open_end(name, ledger, kept.next.as_ref(), present, as_of)
}

/// Whether the open end was what the entry says that came of it; while there is none yet, what it still is.
fn open_end(
    name: &str,
    ledger: &Position,
    next: Option<&SpanRow>,
    present: &OpenSpan,
    as_of: Timestamp,
) -> Result<(), Trouble> {
    let (state, cause) = next.map_or((present.state, &present.cause), |row| (row.state, &row.cause));
    let stated = &ledger.open;
    // What up is told by changes without an entry.
    let same = state == stated.state && (state == Observed::Up || *cause == stated.cause);
    let proven_since = matches!(cause, Cause::AliveLog | Cause::BootedAnew) && stated.state != Observed::Up;
    let most = if stated.cause == Cause::Awaited { AWAITED_MS } else { NEVER_WAS_MS };
    if same || proven_since || as_of.since_ms(stated.from) <= most {
        return Ok(());
    }
    Err(Trouble::Cannot(format!(
        "{name} was {} ({}) from {} on, as the report says, but the ledger has it {} ({}) from then on",
        word(stated.state),
        stated.cause.words(),
        stated.from,
        word(state),
        cause.words()
    )))
}

/// Whether the incident at this place of the inputs is what the records say it was then. Who took it is forgotten some day,
/// and one that is opened again is not over any more.
///
/// # Errors
/// The first [`Trouble`].
pub fn check_incident(place: usize, stated: &About, kept: Option<&About>, as_of: Timestamp) -> Result<(), Trouble> {
    let Some(kept) = kept else {
        return Err(Trouble::Cannot(format!("incident #{} is not in the records", stated.number)));
    };
    let at = |key: &str| format!("inputs.incidents[{place}].{key}");
    if kept.about != stated.about {
        return Err(Trouble::differs(at("about"), stated.about.clone(), kept.about.clone()));
    }
    if kept.opened != stated.opened {
        return Err(Trouble::differs(at("opened"), stated.opened.to_string(), kept.opened.to_string()));
    }
    let told = |at: Option<Timestamp>| at.map_or(Value::Null, |at| at.to_string().into());
    let times = [
        ("resolved", stated.resolved, kept.resolved),
        ("paged", stated.paged, kept.paged),
        ("acknowledged", stated.acknowledged, kept.acknowledged),
    ];
    for (key, stated, kept) in times {
        if kept.is_some_and(|at| at <= as_of) && stated != kept {
            return Err(Trouble::differs(at(key), told(stated), told(kept)));
        }
    }
    let taken = kept.acknowledged.is_some() && kept.acknowledged == stated.acknowledged;
    if taken && kept.acknowledged_by != stated.acknowledged_by {
        return Err(Trouble::differs(
            at("acknowledged_by"),
            stated.acknowledged_by.clone(),
            kept.acknowledged_by.clone(),
        ));
    }
    Ok(())
}

const fn word(state: Observed) -> &'static str {
    match state {
        Observed::Up => "up",
        Observed::Down => "down",
        Observed::Unreachable => "unreachable",
        Observed::CollectorDown => "unseen while no collector ran",
        Observed::Unknown => "unknown",
    }
}

/// Where two reports differ first, in the order of their members; their digests last: what they are taken over says more.
#[must_use]
pub fn first_difference(stated: &Value, recomputed: &Value) -> Option<Difference> {
    let all = || compare("", Some(stated), Some(recomputed));
    let (mut one, mut other) = (stated.clone(), recomputed.clone());
    for members in [&mut one, &mut other].into_iter().filter_map(Value::as_object_mut) {
        members.remove(DIGEST);
    }
    compare("", Some(&one), Some(&other)).or_else(all)
}

fn compare(path: &str, stated: Option<&Value>, recomputed: Option<&Value>) -> Option<Difference> {
    match (stated, recomputed) {
        (Some(Value::Object(one)), Some(Value::Object(other))) => {
            let names: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            names.into_iter().find_map(|name| compare(&below(name), one.get(name), other.get(name)))
        }
        (Some(Value::Array(one)), Some(Value::Array(other))) => {
            (0..one.len().max(other.len())).find_map(|at| compare(&format!("{path}[{at}]"), one.get(at), other.get(at)))
        }
        (one, other) if one == other => None,
        (one, other) => Some(Difference { path: path.to_owned(), stated: one.cloned(), recomputed: other.cloned() }),
    }
}
