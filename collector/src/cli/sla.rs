//! `sla ...`: service levels.

use std::{
    io::Read,
    path::{Path, PathBuf},
};

use clap::Subcommand;
use jiff::civil::{Date, Time};

use super::{CliError, print};
use crate::domain::{
    calendar::{self, Edge, Span},
    sla::{agreement::Agreement, import, reckon_within, result::Computed},
    time::Timestamp,
};

/// Largest table of spans, in bytes: some millions of rows.
const SPANS_BYTES: u64 = 1 << 30;

/// `sla ...`
#[derive(Debug, Subcommand)]
pub(super) enum SlaTask {
    /// Reckon uptime from a table of any origin by an agreement in a file; needs no running collector
    #[command(after_help = "\
The table has a heading with subject, start, end and state, in any order; other columns are passed over. Times are
milliseconds since 1970 or RFC 3339 with an offset; a row without an end goes on. States: up, down, maintenance,
unreachable, collector_down, unknown, and clean_stop (down after a shutdown that was asked for). Rows may overlap: of
what is true of an instant, maintenance wins, then down, clean_stop, up, unreachable, collector_down, unknown. Time
without a row is unknown.

The agreement, of which name and target are enough:
  name = \"office\"
  target = 99.9                       percent
  zone = \"Europe/Berlin\"              of its calendar [UTC]
  maintenance = \"exclude\"             exclude, as_up or as_down [exclude]
  unreachable = \"exclude\"             [exclude]
  collector_down = \"exclude\"          [exclude]
  unknown = \"as_down\"                 [as_down]
  clean_stop = \"as_down\"              [as_down]
  service_hours = [{ days = [\"mon\", \"tue\"], from = \"08:00\", to = \"18:00\" }]
  holidays = [\"2026-12-25\"]

Prints one JSON object for one subject, else a list in order of appearance. The verdict is met if the promise was kept
even with all unproven time as an outage, missed if it was broken even with all of it as up, else undetermined.

Example:
  muster-collector sla compute --spans history.csv --definition office.toml --from 2026-10-01 --to 2026-11-01")]
    Compute {
        /// Table of what was observed; - for standard input
        #[arg(long, value_name = "SPANS.csv")]
        spans: PathBuf,
        /// The agreement
        #[arg(long, value_name = "AGREEMENT.toml")]
        definition: PathBuf,
        /// Begins: RFC 3339, a date in the agreement's zone, or milliseconds since 1970
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        from: String,
        /// Ends before: the same
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        to: String,
    },
}

/// What needs no collector.
pub(super) fn run(task: &SlaTask) -> Result<(), CliError> {
    let SlaTask::Compute { spans, definition, from, to } = task;
    let agreement = agreement(definition)?;
    let window = window(&agreement, from, to)?;
    let subjects = import::spans(&read(spans)?).map_err(|mistakes| {
        let told = mistakes.iter().map(|at| format!("{}:{}: {}", spans.display(), at.line, at.why));
        CliError::Usage(told.collect::<Vec<_>>().join("\n"))
    })?;
    let closed = agreement.closed(window);
    let reckoned = subjects.iter().map(|subject| {
        let reckoning = reckon_within(&agreement, &subject.rows, window, &closed);
        Computed::of(Some(&subject.name), &agreement, window, &reckoning)
    });
    match reckoned.collect::<Vec<_>>().as_slice() {
        [] => shown(&Computed::of(None, &agreement, window, &reckon_within(&agreement, &[], window, &closed))),
        [one] => shown(one),
        several => shown(several),
    }
}

fn shown(figures: &(impl serde::Serialize + ?Sized)) -> Result<(), CliError> {
    let text = serde_json::to_string_pretty(figures);
    print::text(&text.map_err(|error| CliError::Failed(format!("the figures cannot be written: {error}")))?)
}

fn agreement(file: &Path) -> Result<Agreement, CliError> {
    let text = String::from_utf8(read(file)?)
        .map_err(|_| CliError::Usage(format!("{}: this is not UTF-8 text", file.display())))?;
    crate::config::parse_agreement(&text, file).map_err(|errors| CliError::Usage(errors.to_string()))
}

fn window(agreement: &Agreement, from: &str, to: &str) -> Result<Span, CliError> {
    let window = Span { from: instant("--from", from, agreement)?, until: instant("--to", to, agreement)? };
    if window.from < window.until {
        return Ok(window);
    }
    let message = format!("--to {to} must come after --from {from}: the window ends before it has begun");
    Err(CliError::Usage(message))
}

fn instant(option: &str, text: &str, agreement: &Agreement) -> Result<Timestamp, CliError> {
    let date = || {
        let zone = calendar::zone(&agreement.zone)?;
        text.parse::<Date>()
            .ok()
            .filter(|_| text.len() <= 10)
            .map(|date| calendar::at(date, Time::midnight(), &zone, Edge::Start))
    };
    import::time(text).or_else(date).ok_or_else(|| {
        CliError::Usage(format!(
            "{option} {text:?}: expected RFC 3339 with an offset such as 2026-10-01T00:00:00Z, a date such as 2026-10-01 \
             (its first instant in {}), or milliseconds since 1970",
            agreement.zone
        ))
    })
}

fn read(file: &Path) -> Result<Vec<u8>, CliError> {
    let failed = |error| CliError::Failed(format!("{} cannot be read: {error}", file.display()));
    let mut bytes = Vec::new();
    let taken = if file == Path::new("-") {
        std::io::stdin().lock().take(SPANS_BYTES + 1).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).map_err(failed)?.take(SPANS_BYTES + 1).read_to_end(&mut bytes)
    };
    taken.map_err(failed)?;
    if bytes.len() as u64 > SPANS_BYTES {
        let why = format!("{} is larger than {} GiB: split it by subject", file.display(), SPANS_BYTES >> 30);
        return Err(CliError::Usage(why));
    }
    Ok(bytes)
}
