//! How well the rules of drives foretell failures in 40 days whose end is known; needs no released programs
//!
//! `replay [--corpus DIR]`
//!
//! The corpus has three samples of Backblaze's days of April and May 2013: drives that failed, drives that survived with bad
//! sectors, drives that survived without. Survivors stand for so many each that the shares are those of all 22 772. Limits are
//! fitted on one half of the serial numbers and tried on the other; then the limits of the rules on all.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use muster_collector::domain::{
    reliability::share::Share,
    rules::hardware::{
        score::{Tally, tally},
        series::{self, Limits, RULES, Series},
    },
};
use muster_tests::measure::figures::{Table, flag, progress, say};

/// Where the corpus is looked for: beside the project.
const CORPUS: &str = "../shared/corpus/hardware/timeseries";
/// Survivors of the whole population, and the share of them that had bad sectors.
const SURVIVORS: f64 = 22_772.0;
const WITH_ERRORS: f64 = 0.0884;
/// Share of survivors that may be flagged.
const ALARMED: f64 = 0.011;
/// What is tried when limits are fitted.
const GROWTH: [u64; 6] = [10, 16, 20, 24, 32, 40];
const REALLOCATED: [u64; 5] = [500, 700, 1_000, 1_500, 2_000];
const PENDING: [u64; 5] = [1, 2, 4, 8, 16];

/// Drives that failed, that survived with bad sectors, and that survived without.
struct Sample<'a> {
    failed: Vec<&'a Series>,
    with_errors: Vec<&'a Series>,
    clean: Vec<&'a Series>,
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("replay: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let corpus = flag("--corpus", CORPUS.to_owned());
    let read = |name: &str| -> Result<Vec<Series>> {
        let path = Path::new(&corpus).join(format!("backblaze-2013-{name}.csv"));
        let text = std::fs::read_to_string(&path).with_context(|| {
            format!("the corpus is not here: {} cannot be read; name it with --corpus", path.display())
        })?;
        series::read(&text).map_err(anyhow::Error::msg)
    };
    let (failed, with_errors, clean) = (read("failed")?, read("survived-with-errors")?, read("survived-clean")?);
    let pick = |half: Option<u8>| {
        let of = |drives| picked(drives, half);
        Sample { failed: of(&failed), with_errors: of(&with_errors), clean: of(&clean) }
    };
    for half in [0, 1] {
        let limits = fit(&pick(Some(half)));
        say(&format!("\nfitted on half {half} of the serial numbers: {limits:?}; on the other half:"));
        report(&pick(Some(1 - half)), limits);
    }
    say(&format!("\nthe limits of the rules, {:?}, on all:", Limits::default()));
    report(&pick(None), Limits::default());
    Ok(())
}

fn picked(drives: &[Series], half: Option<u8>) -> Vec<&Series> {
    drives.iter().filter(|drive| half.is_none_or(|half| parity(drive) == half)).collect()
}

/// Which half a drive is in.
fn parity(drive: &Series) -> u8 {
    drive.serial.bytes().fold(0_u8, u8::wrapping_add) % 2
}

/// The limits that flag most failures and not too many survivors; of several the ones that flag fewest.
fn fit(sample: &Sample<'_>) -> Limits {
    let mut best = (Limits::default(), -1.0, 1.0);
    for growth in GROWTH {
        for reallocated in REALLOCATED {
            for pending in PENDING {
                let limits = Limits { growth, reallocated, pending };
                let judged = Judged::of(sample, limits);
                let (recall, alarmed) = (judged.failed[RULES.len()].recall().ratio, judged.alarmed(RULES.len()).ratio);
                if alarmed <= ALARMED && (recall > best.1 || recall >= best.1 && alarmed < best.2) {
                    best = (limits, recall, alarmed);
                }
            }
        }
    }
    best.0
}

/// What the rules did to each kind of drive.
struct Judged {
    failed: [Tally; RULES.len() + 1],
    with_errors: [Tally; RULES.len() + 1],
    clean: [Tally; RULES.len() + 1],
}

impl Judged {
    fn of(sample: &Sample<'_>, limits: Limits) -> Self {
        let of = |drives: &[&Series]| tally(drives.iter().copied(), limits);
        Self { failed: of(&sample.failed), with_errors: of(&sample.with_errors), clean: of(&sample.clean) }
    }

    /// Share of all survivors that a rule flags: each sample stands for its part of them. The interval is that of so many
    /// drives as were looked at.
    fn alarmed(&self, rule: usize) -> Share {
        let (with_errors, clean) = (&self.with_errors[rule], &self.clean[rule]);
        let ratio = with_errors.alarmed().ratio * WITH_ERRORS + clean.alarmed().ratio * (1.0 - WITH_ERRORS);
        #[expect(clippy::cast_precision_loss, reason = "counts of drives")]
        let looked_at = (with_errors.survived + clean.survived) as f64;
        Share::of(ratio * looked_at, looked_at)
    }

    /// Share of the flagged that failed, were the samples as large as what they stand for.
    fn precision(&self, rule: usize) -> Share {
        #[expect(clippy::cast_precision_loss, reason = "counts of drives")]
        let (flagged, failed) = (self.failed[rule].failed_flagged as f64, self.failed[rule].failed as f64);
        // 120 drives failed beside those survivors; a half stands for half of both.
        let survivors = self.alarmed(rule).ratio * SURVIVORS * failed / 120.0;
        Share::of(flagged, flagged + survivors)
    }
}

fn report(sample: &Sample<'_>, limits: Limits) {
    let judged = Judged::of(sample, limits);
    let percent =
        |share: Share| format!("{:.1} % ({:.1}-{:.1})", share.ratio * 100.0, share.low * 100.0, share.high * 100.0);
    let mut table =
        Table::new(&["rule", "failures", "recall", "survivors flagged", "precision in 40 days", "median lead"]);
    for (number, name) in RULES.into_iter().chain(["any of them"]).enumerate() {
        let failed = &judged.failed[number];
        table.row([
            name.to_owned(),
            format!("{} of {}", failed.failed_flagged, failed.failed),
            percent(failed.recall()),
            percent(judged.alarmed(number)),
            percent(judged.precision(number)),
            failed.median_lead().map_or_else(|| "-".to_owned(), |days| format!("{days} d")),
        ]);
    }
    table.print();
}
