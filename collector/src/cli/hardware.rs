//! `hardware ...`: what the collector would say of hardware, from captured output of the tools that ask it.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;
use serde_json::{Value, json};

mod reference;

use self::reference::Format;
use super::{
    CliError, given,
    print::{self, Column},
};
use crate::domain::{
    hardware::{self, Kind, LARGEST_BYTES},
    reliability::share::Share,
    rules::hardware::{
        self as rules, Finding, score,
        series::{self, Limits, Series},
    },
};

/// `hardware ...`
#[derive(Debug, Subcommand)]
pub(super) enum HardwareTask {
    /// Judge captured output of tools: one JSON object per line and file, in the order of the arguments
    #[command(after_help = judge_help())]
    Judge {
        /// What printed the files, where their content does not tell
        #[arg(long, value_parser = kind)]
        kind: Option<Kind>,
        /// Files with the output of one tool each; - for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Judge drives day by day from a table of their counts: one JSON object per line, drive and day
    #[command(after_help = "\
The table has a row for each drive and day, with the columns date, serial (or serial_number), smart_5_raw and smart_197_raw, and
may have model and failure (1 on the day on which the drive failed: what became of it, which no rule looks at). Others are passed
over, so that Backblaze's drive statistics can be given as they are.

--summary tells instead how well each rule foretold the failures: of those that failed how many were flagged before (recall), of
those that survived how many were flagged, of those flagged how many failed (precision), each with the interval in which the
truth lies in 95 of 100 such samples, and the days of warning that half of them gave at least.

Examples:
  muster-collector hardware replay drives-2026-q3.csv > days.jsonl
  muster-collector hardware replay --summary failed.csv survived.csv")]
    Replay {
        /// How well each rule foretold what became of the drives, instead of the days
        #[arg(long)]
        summary: bool,
        /// Tables; - for standard input
        #[arg(required = true, value_name = "SERIES.csv")]
        files: Vec<PathBuf>,
    },
    /// Every rule of hardware: what an open finding means, what it is judged by, and where the limit comes from
    #[command(after_help = "\
For each rule: the kind of part, what an open finding means, what has to be so with its limits, where these come from, how bad it is
and what to do. Severity: critical is what a device declares of itself or redundancy that is lost; warning is a sign that a part is
going, to be replaced in a window; info is one weak sign, which wakes nobody, and what is told only opens no finding.

markdown is the reference page deploy/hardware-rules.md, grouped by the kind of part; json is an array with an object for each
rule. Nothing is asked of a collector.

Examples:
  muster-collector hardware rules | grep -A 6 ^drive-pending
  muster-collector hardware rules --format markdown > deploy/hardware-rules.md
  muster-collector hardware rules --format json | jq -r '.[] | select(.severity == \"critical\") | .name'")]
    Rules {
        /// How they are written
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
}

/// Largest table of days, in bytes: some million days of drives.
const SERIES_BYTES: u64 = 128 << 20;

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Judged<'a> {
    file: &'a str,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    findings: Vec<Finding>,
}

/// Does it, without a collector; `as_json`: as JSON where there is a choice.
pub(super) fn run(task: HardwareTask, as_json: bool) -> Result<(), CliError> {
    match task {
        HardwareTask::Judge { kind, files } => judge(kind, &files),
        HardwareTask::Replay { summary, files } => replay(&files, summary),
        HardwareTask::Rules { format } => reference::write(if as_json { Format::Json } else { format }),
    }
}

fn kind(name: &str) -> Result<Kind, String> {
    Kind::named(name).ok_or_else(|| {
        let names: Vec<&str> = Kind::all().map(|(_, name, _)| name).collect();
        format!("expected one of {}", names.join(", "))
    })
}

fn judge_help() -> String {
    let kinds: Vec<String> = Kind::all().map(|(_, name, tool)| format!("  {name:18} {tool}")).collect();
    format!(
        "\
Each line says what becomes of the part: healthy, failing (it works, and it is going), failed (it says so itself, or it is
gone), or unknown (one weak sign, or nothing that can be judged; \"reason\" says which). \"findings\" name the part, the rule,
the values that it rests on and what to do. The verdict depends on the content alone, never on the name of a file. Nothing is
asked of a collector.

Exits with 0 if all files could be read, else with 1; what could be read is judged all the same.

Kinds, told from the content where --kind is not given:
{}

Examples:
  smartctl -x --json /dev/sda > sda.json; muster-collector hardware judge sda.json
  muster-collector hardware judge /proc/mdstat captured/*.txt
  dmesg | muster-collector hardware judge --kind kernel-log -",
        kinds.join("\n")
    )
}

fn judge(kind: Option<Kind>, files: &[PathBuf]) -> Result<(), CliError> {
    let mut unread = 0;
    for file in files {
        let name = file.to_string_lossy();
        let judged = match bytes(file)
            .and_then(|bytes| hardware::read(kind, &bytes).map_err(|error| (error.kind.map(Kind::name), error.reason)))
        {
            Ok((kind, facts)) => {
                let findings = rules::judge(&facts);
                let (verdict, reason) = rules::verdict(&facts, &findings);
                Judged { file: &name, verdict: verdict.word(), kind: Some(kind.name()), reason, findings }
            }
            Err((kind, reason)) => {
                unread += 1;
                Judged { file: &name, verdict: "unknown", kind, reason: Some(reason), findings: Vec::new() }
            }
        };
        let line = serde_json::to_string(&judged);
        print::line(&line.map_err(|error| CliError::Failed(format!("{name} cannot be written as JSON: {error}")))?)?;
    }
    match unread {
        0 => Ok(()),
        _ => Err(CliError::Failed(format!("{unread} of {} files could not be read; their lines say why", files.len()))),
    }
}

/// A file's bytes, no more than one too many; else of no kind, and why.
fn bytes(file: &Path) -> Result<Vec<u8>, (Option<&'static str>, String)> {
    use std::io::Read as _;
    let most = LARGEST_BYTES as u64 + 1;
    let mut bytes = Vec::new();
    let taken = if file == Path::new("-") {
        std::io::stdin().lock().take(most).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(most).read_to_end(&mut bytes))
    };
    taken.map(|_| bytes).map_err(|error| (None, format!("cannot be read: {error}")))
}

/// A drive on a day.
#[derive(Debug, Serialize)]
struct DayJudged<'a> {
    file: &'a str,
    date: String,
    serial: &'a str,
    verdict: &'static str,
    findings: Vec<Finding>,
}

fn replay(files: &[PathBuf], is_summary: bool) -> Result<(), CliError> {
    let mut all = Vec::new();
    for file in files {
        let text = given::text(file, SERIES_BYTES, "give a quarter at a time")?;
        let drives = series::read(&text).map_err(|why| CliError::Failed(format!("{}: {why}", file.display())))?;
        if is_summary {
            all.extend(drives);
        } else {
            drives.iter().try_for_each(|drive| days(&file.to_string_lossy(), drive))?;
        }
    }
    if is_summary { summary(&all) } else { Ok(()) }
}

fn days(file: &str, drive: &Series) -> Result<(), CliError> {
    for (number, day) in drive.days.iter().enumerate() {
        let findings = series::judge(drive, &drive.days[..=number], Limits::default());
        let unread = || (day.reallocated.or(day.pending).is_none()).then(|| "neither count was told".to_owned());
        let verdict = rules::sum(&findings, unread).0.word();
        let judged = DayJudged { file, date: day.date.to_string(), serial: &drive.serial, verdict, findings };
        let line = serde_json::to_string(&judged);
        print::line(&line.map_err(|error| CliError::Failed(format!("{file} cannot be written as JSON: {error}")))?)?;
    }
    Ok(())
}

const SUMMARY: [Column; 6] = [
    ("rule", "rule"),
    ("failed, flagged", "failed"),
    ("recall %", "recall"),
    ("survived, flagged %", "alarmed"),
    ("precision %", "precision"),
    ("median lead d", "lead"),
];

fn summary(drives: &[Series]) -> Result<(), CliError> {
    let percent =
        |share: Share| format!("{:.1} ({:.1}-{:.1})", share.ratio * 100.0, share.low * 100.0, share.high * 100.0);
    let names = series::RULES.into_iter().chain(["any of them"]);
    let rows = score::tally(drives, Limits::default()).into_iter().zip(names).map(|(tally, rule)| {
        json!({
            "rule": rule,
            "failed": format!("{} of {}", tally.failed_flagged, tally.failed),
            "recall": percent(tally.recall()),
            "alarmed": percent(tally.alarmed()),
            "precision": percent(tally.precision()),
            "lead": tally.median_lead(),
        })
    });
    print::table(&SUMMARY, &Value::Array(rows.collect()))
}
