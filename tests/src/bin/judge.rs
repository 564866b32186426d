//! How the rules of hardware judge a corpus of captured output, against what its index says; needs no released programs
//!
//! `judge [--corpus DIR] [--list] [--only PREFIX]`
//!
//! The corpus is a directory with an `INDEX.md` whose table has file, source, model, verdict and reason in each row. It is
//! not part of the project. Archives, tables of fleets and series of days are left out: `hardware replay` judges the last.
//! `--list` names each file that is judged otherwise than the index says, with the rules that spoke.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use muster_collector::domain::{
    hardware::{self, LARGEST_BYTES},
    rules::hardware::{self as rules, Verdict},
};
use muster_tests::measure::figures::{Table, flag, progress, say};

/// Where the corpus is looked for: beside the project.
const CORPUS: &str = "../shared/corpus/hardware";
/// What the index calls a file.
const LABELS: [&str; 4] = ["failed", "failing", "healthy", "unknown"];

/// A row of the index.
struct Entry<'a> {
    file: &'a str,
    label: &'a str,
    is_trap: bool,
    reason: &'a str,
}

/// What was said of the files of one type and label.
#[derive(Default)]
struct Count {
    verdicts: BTreeMap<&'static str, usize>,
    traps: usize,
    traps_alarmed: usize,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("judge: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let corpus = flag("--corpus", CORPUS.to_owned());
    let only = flag("--only", String::new());
    let is_listing = std::env::args().any(|argument| argument == "--list");
    let index = Path::new(&corpus).join("INDEX.md");
    let index = std::fs::read_to_string(&index).with_context(|| {
        format!("the corpus is not here: {} cannot be read; name it with --corpus", index.display())
    })?;
    let mut counts: BTreeMap<(String, &str), Count> = BTreeMap::new();
    for entry in index.lines().filter_map(entry).filter(|entry| entry.file.starts_with(&only)) {
        let Ok(bytes) = std::fs::read(Path::new(&corpus).join(entry.file)) else { continue };
        let (verdict, said) = judge(&bytes);
        if is_listing && !agrees(verdict, entry.label) {
            say(&format!("{} is {} there, here {}: {}", entry.file, entry.label, verdict.word(), said));
            say(&format!("    {}", entry.reason));
        }
        let kind = entry.file.split('/').next().unwrap_or_default().to_owned();
        for kind in [kind, "total".to_owned()] {
            let count = counts.entry((kind, entry.label)).or_default();
            *count.verdicts.entry(verdict.word()).or_default() += 1;
            count.traps += usize::from(entry.is_trap);
            count.traps_alarmed += usize::from(entry.is_trap && alarms(verdict) && !is_alarm(entry.label));
        }
    }
    print(&counts);
    Ok(())
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let cells: Vec<&str> = line.strip_prefix("| ")?.trim_end_matches('|').split(" | ").map(str::trim).collect();
    let [file, _, _, label, reason] = cells[..] else { return None };
    let left_out = file.starts_with("timeseries/") || file.ends_with(".gz") || file.contains(".tar");
    if left_out || !file.contains('/') || !LABELS.contains(&label) {
        return None;
    }
    let is_trap = reason.contains("TRAP") || file.contains("/trap/");
    Some(Entry { file, label, is_trap, reason })
}

/// The verdict, and the rules that spoke or why none could.
fn judge(bytes: &[u8]) -> (Verdict, String) {
    let bytes = &bytes[..bytes.len().min(LARGEST_BYTES)];
    match hardware::read(None, bytes) {
        Ok((kind, facts)) => {
            let findings = rules::judge(&facts);
            let spoke: Vec<&str> = findings.iter().map(|finding| finding.rule).collect();
            (rules::verdict(&facts, &findings).0, format!("{} {}", kind.name(), spoke.join(" ")))
        }
        Err(error) => (Verdict::Unknown, error.reason),
    }
}

const fn alarms(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Failed | Verdict::Failing)
}

fn is_alarm(label: &str) -> bool {
    label == "failed" || label == "failing"
}

/// Failed and failing are alarms, unknown must be none, healthy is healthy.
fn agrees(verdict: Verdict, label: &str) -> bool {
    match label {
        "healthy" => verdict == Verdict::Healthy,
        "unknown" => !alarms(verdict),
        _ => alarms(verdict),
    }
}

fn print(counts: &BTreeMap<(String, &str), Count>) {
    let mut table =
        Table::new(&["type", "index says", "files", "failed", "failing", "healthy", "unknown", "traps", "alarmed"]);
    for ((kind, label), count) in counts {
        let said = |verdict| count.verdicts.get(verdict).copied().unwrap_or(0);
        let figures = LABELS.map(said);
        let cells = std::iter::once(figures.iter().sum()).chain(figures).chain([count.traps, count.traps_alarmed]);
        let names = [kind.clone(), (*label).to_owned()];
        table.row(names.into_iter().chain(cells.map(|cell: usize| cell.to_string())));
    }
    table.print();
    say("");
    let total = |label: &str, verdicts: &[&str]| -> (usize, usize) {
        let Some(count) = counts.get(&("total".to_owned(), label)) else { return (0, 0) };
        let hits = verdicts.iter().filter_map(|verdict| count.verdicts.get(verdict)).sum();
        (hits, count.verdicts.values().sum())
    };
    let alarm = ["failed", "failing"];
    for (what, (hits, all), goal) in [
        ("failed, called failed or failing", total("failed", &alarm), "99 % or more"),
        ("failing, called failed or failing", total("failing", &alarm), "95 % or more"),
        ("healthy, called healthy", total("healthy", &["healthy"]), "80 % or more"),
        ("healthy, alarmed", total("healthy", &alarm), "1 % or less"),
        ("unknown, alarmed", total("unknown", &alarm), "none"),
    ] {
        #[expect(clippy::cast_precision_loss, reason = "counts of files")]
        let share = if all == 0 { 0.0 } else { 100.0 * hits as f64 / all as f64 };
        say(&format!("{what:36} {hits:4} of {all:4}  {share:5.1} %   goal {goal}"));
    }
    let alarmed: usize =
        counts.iter().filter(|((kind, _), _)| kind == "total").map(|(_, count)| count.traps_alarmed).sum();
    say(&format!("traps alarmed                        {alarmed:4}                  goal none"));
}
