//! What a report was reckoned from, at its end: so that whoever has the paper can ask whether the records still say so.

use serde_json::Value;

use super::{Audience, rows::Fact};
use crate::{
    domain::sla::inputs::{Basis, Inputs},
    web::{problem::Problem, words},
};

/// Most ledgers told one by one; more are summed up, and the report in JSON names each.
const LEDGERS: usize = 6;
/// Digits of a hash that tell it from others; the report in JSON has them all.
const DIGITS: usize = 12;

/// What a report was reckoned from, and how that is verified.
pub(super) struct Provenance {
    pub(super) rows: Vec<Fact>,
    /// What a shell is told; nothing for who has none.
    pub(super) commands: String,
}

impl Provenance {
    /// Of a report as it is issued.
    pub(super) fn of(whole: &Value, audience: Audience) -> Result<Self, Problem> {
        let inputs: Inputs = serde_json::from_value(whole["inputs"].clone()).map_err(|error| {
            Problem::internal(&format!("a report does not name what it was reckoned from: {error}"))
        })?;
        let definition = &inputs.definition;
        let rows = vec![
            Fact::new("Digest", whole["digest"].as_str().unwrap_or_default().to_owned()),
            Fact::new("As of", inputs.as_of.to_string()),
            Fact::new("Definition", format!("version {} (SHA-256 {})", definition.version, short(&definition.sha256))),
            Fact::new("Ledgers", ledgers(&inputs)),
            Fact::new("Time zones", format!("tzdata {}", inputs.tzdata)),
            Fact::new("Program", format!("Muster {}", inputs.program)),
        ];
        let commands = match audience {
            Audience::Staff => commands(&inputs, whole),
            Audience::Department => String::new(),
        };
        Ok(Self { rows, commands })
    }
}

/// How far each ledger was; of many, how many entries they have.
fn ledgers(inputs: &Inputs) -> String {
    let mut leaves: Vec<&Basis> =
        inputs.subjects.iter().flat_map(|basis| basis.leaves("")).map(|(_, basis)| basis).collect();
    leaves.sort_by(|one, other| one.subject.cmp(&other.subject));
    leaves.dedup_by(|one, other| one.subject == other.subject && one.host == other.host);
    if leaves.is_empty() {
        return "none".to_owned();
    }
    if leaves.len() <= LEDGERS {
        return leaves.into_iter().map(position).collect::<Vec<_>>().join("; ");
    }
    let entries: i64 = leaves.iter().map(|basis| last(basis).0).sum();
    let entries = words::counted(usize::try_from(entries).unwrap_or(0), "entry", "entries");
    format!("{} with {entries} together; the report in JSON names the last of each", words::count(leaves.len()))
}

/// `web-1: entry 12 (3fa9c1d2e4b0)`.
fn position(basis: &Basis) -> String {
    match last(basis) {
        (0, _) => format!("{}: no entry yet", basis.subject),
        (n, hash) => format!("{}: entry {n} ({})", basis.subject, short(hash)),
    }
}

/// The last entry of a ledger, and its hash: of a check, that of its own.
fn last(basis: &Basis) -> (i64, &str) {
    let of_host = || basis.ledger.as_ref().map(|ledger| (ledger.n, ledger.hash.as_str()));
    let of_check = basis.check.as_ref().map(|check| (check.n, check.hash.as_str()));
    of_check.or_else(of_host).unwrap_or_default()
}

fn short(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

/// How the report in JSON is got, and verified.
fn commands(inputs: &Inputs, whole: &Value) -> String {
    let Inputs { definition, period, .. } = inputs;
    let others = whole["others_in_force"].as_array().is_some_and(|others| !others.is_empty());
    let on = definition.in_force_from.as_ref().filter(|_| others);
    let on = on.map_or_else(String::new, |date| format!(" --on {date}"));
    format!(
        "muster-collector sla report --agreement {} --period {}{on} --format json --output report.json\n\
         muster-collector sla verify report.json",
        words::shell(&definition.name),
        words::shell(period),
    )
}
