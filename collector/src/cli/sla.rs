//! `sla ...`: service levels, of the fleet and of tables from elsewhere.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use jiff::civil::{Date, Time};
use serde_json::Value;

use super::{
    CliError,
    amendments::Amend,
    commands::{Desk, encode},
    declare::Declare,
    deliveries::Deliveries,
    given,
    print::{self, Column},
    progress::Progress,
    shares::Shares,
    verification::Proof,
};
use crate::{
    domain::{
        calendar::{self, Edge, Span},
        sla::{
            agreement::Agreement,
            import, reckon_within,
            result::Computed,
            table::{self, summed_up},
        },
        time::Timestamp,
    },
    workbook,
};

/// Largest table of spans, in bytes: some millions of rows.
const SPANS_BYTES: u64 = 1 << 30;

/// `sla ...`
#[derive(Debug, Subcommand)]
pub(super) enum SlaTask {
    /// Agreements, and what came of them in their present period
    List,
    /// One agreement over a period: every host, check or service with its buckets, bounds, verdict and outages
    #[command(after_help = "\
Periods are those of the agreement's zone: 2026, 2026-Q4, 2026-10, 2026-W44, 2026-10-25, 2026-10-01..2026-10-15, 30d. Lengths
are in seconds, cut off like percentages, never rounded up; JSON has milliseconds and each outage with its evidence.

html is a document for reading and printing that needs nothing else: verdict, figures, pictures, and every minute that was
not up with its cause, its evidence and who took it.

Examples:
  muster-collector sla report --agreement \"web shop\"
  muster-collector sla report --agreement \"web shop\" --period 2026-10 --format csv --output october.csv
  muster-collector sla report --agreement \"web shop\" --period 2026-10 --format xlsx --output october.xlsx
  muster-collector sla report --agreement \"web shop\" --period 2026-10 --format html --output october.html

xlsx is a workbook: a summary, the subjects, their outages and the planned work on a sheet each.")]
    Report {
        /// Its name, as in collector.toml
        #[arg(long, value_name = "NAME")]
        agreement: String,
        /// Over which period [default: the present one]
        #[arg(long)]
        period: Option<String>,
        /// The declaration that is in force on this date, where there are several of the name [default: the first that is in
        /// the period]
        #[arg(long, value_name = "DATE")]
        on: Option<String>,
        /// How it is written
        #[arg(long, default_value = "text", value_parser = ["text", "csv", "xlsx", "json", "html"])]
        format: String,
        /// Into this file instead of to standard output; not with text
        #[arg(long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    #[command(flatten)]
    Amend(Amend),
    #[command(flatten)]
    Declare(Declare),
    #[command(flatten)]
    Proof(Proof),
    #[command(flatten)]
    Deliveries(Deliveries),
    #[command(flatten)]
    Shares(Shares),
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
  from = \"2026-01-01\"                in force from this date on; before that is outside of the hours
  until = \"2027-01-01\"               in force until before this date
  max_outages = 3                     adds outage_count: how many there were at least and at most
  min_outage = \"2 min\"               shorter ones are not counted for that

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

const AGREEMENTS: [Column; 7] = [
    ("name", "name"),
    ("verdict", "verdict"),
    ("availability %", "availability"),
    ("target %", "target"),
    ("period", "period"),
    ("budget left s", "budget_left"),
    ("proven %", "coverage"),
];

impl Desk {
    /// What the running collector is asked.
    pub(super) async fn sla(&self, task: SlaTask) -> Result<(), CliError> {
        match task {
            SlaTask::Amend(task) => self.amend(task).await,
            SlaTask::Declare(task) => self.promise(task).await,
            SlaTask::Proof(task) => self.prove(task).await,
            SlaTask::Deliveries(task) => self.deliveries(task).await,
            SlaTask::Shares(task) => self.shares(task).await,
            SlaTask::Compute { spans, definition, from, to } => compute(&spans, &definition, &from, &to),
            SlaTask::List => {
                let items = self.client.all("/agreements", "").await?;
                if self.json {
                    return print::json(&items);
                }
                let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
                print::table(&AGREEMENTS, &Value::Array(items.iter().map(summed_up).collect()))
            }
            SlaTask::Report { agreement, period, on, format, output } => {
                let asked = Asked { agreement, period, on, output };
                self.report(&asked, if self.json { "json" } else { &format }).await
            }
        }
    }

    async fn report(&self, asked: &Asked, format: &str) -> Result<(), CliError> {
        let given = [("period", &asked.period), ("on", &asked.on)].into_iter();
        let given = given.filter_map(|(key, value)| Some(format!("{key}={}", encode(value.as_ref()?))));
        let period = format!("?{}", given.collect::<Vec<_>>().join("&"));
        let path = format!("/agreements/{}", encode(&asked.agreement));
        let text = match (format, &asked.output) {
            ("html", _) => self.client.text(&format!("{path}/report{period}")).await?,
            ("json", _) => format!("{:#}", self.client.get(&format!("{path}{period}")).await?),
            ("csv", _) => table::csv(&self.client.get(&format!("{path}{period}")).await?),
            ("xlsx", None) => {
                return Err(CliError::Usage("a workbook is no text: say where it goes with --output FILE.xlsx".into()));
            }
            ("xlsx", Some(file)) => {
                let report = self.client.get(&format!("{path}{period}")).await?;
                let workbook = workbook::xlsx(&table::book(&report)).map_err(CliError::Failed)?;
                return print::file(file, &workbook);
            }
            (_, Some(_)) => {
                return Err(CliError::Usage("--output takes csv, xlsx, json or html: say which with --format".into()));
            }
            _ => return as_text(&self.client.get(&format!("{path}{period}")).await?),
        };
        match &asked.output {
            None => print::text(&text),
            Some(file) => print::file(file, text.as_bytes()),
        }
    }
}

/// Which report, and where it goes.
struct Asked {
    agreement: String,
    period: Option<String>,
    on: Option<String>,
    output: Option<PathBuf>,
}

/// A report as a table for people.
fn as_text(report: &Value) -> Result<(), CliError> {
    let whole = summed_up(report);
    let said = |field: &str| match &whole[field] {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    };
    print::line(&format!(
        "{}, {}{}: {} with {} % of agreed time, target {} %{}, proven {} %{}\n",
        said("name"),
        said("period"),
        if report["complete"] == true { "" } else { " to date" },
        said("verdict"),
        said("availability"),
        said("target"),
        report["max_outages"].as_i64().map_or_else(String::new, |most| format!(" and at most {most} outages")),
        said("coverage"),
        others(report),
    ))?;
    if !report["agreed"].is_null() {
        let (verdict, availability) = (said("amended_verdict"), said("amended"));
        print::line(&format!("With what people said afterwards: {verdict} with {availability} %\n"))?;
    }
    print::table(&table::columns(), &Value::Array(table::rows(report)))
}

/// What else was promised in the period, under the same name.
fn others(report: &Value) -> String {
    let date = |value: &Value, word: &str| value.as_str().map_or_else(String::new, |date| format!(" {word} {date}"));
    let others = report["others_in_force"].as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let told = others.map(|other| {
        let (from, until) = (date(&other["in_force_from"], "from"), date(&other["in_force_until"], "until before"));
        format!("\nalso in force in this period: target {} %{from}{until}; --on DATE shows it", table::target(other))
    });
    told.collect()
}

/// What needs no collector.
pub(super) fn compute(spans: &Path, definition: &Path, from: &str, to: &str) -> Result<(), CliError> {
    let agreement = agreement(definition)?;
    let window = window(&agreement, from, to)?;
    let subjects = import::spans(&given::bytes(spans, SPANS_BYTES, "split it by subject")?).map_err(|mistakes| {
        let told = mistakes.iter().map(|at| format!("{}:{}: {}", spans.display(), at.line, at.why));
        CliError::Usage(told.collect::<Vec<_>>().join("\n"))
    })?;
    let closed = agreement.closed(window);
    let mut progress = Progress::of("reckoning", subjects.len());
    let reckoned = subjects.iter().enumerate().map(|(done, subject)| {
        progress.at(done);
        let reckoning = reckon_within(&agreement, &subject.rows, window, &closed);
        Computed::of(Some(&subject.name), &agreement, window, &reckoning)
    });
    let reckoned: Vec<_> = reckoned.collect();
    drop(progress);
    match reckoned.as_slice() {
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
    let text = given::definition(file)?;
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
