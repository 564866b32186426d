//! The host says that there is a time of which it cannot report.

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::Judging,
};
use crate::domain::severity::Severity;

/// `unreported`
pub(super) static UNREPORTED: Rule = Rule {
    name: "unreported",
    says: "The host could not report for a time, and says why.",
    part: None,
    limits: &[Limit::new("quiet", "it is over after this time without another", Unit::Time, (60.0, 86_400.0), 3_600.0)],
    source: "what a host lost of its own records is a hole in what may be concluded later; nobody has to get up for it",
    remedy: "the words say what was lost and why; a full disk or an agent that was stopped for long are the usual causes",
    evidence: None,
};

const QUIET: usize = 0;

/// The last gap, and when it was told.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    fresh: Option<String>,
    last_ms: Option<u64>,
}

impl Gaps {
    pub(super) fn note(&mut self, words: String) {
        self.fresh = Some(words);
    }
}

/// Judges.
pub(super) fn judge(judging: &mut Judging<'_>, gaps: &mut Gaps) {
    let open = judging.previous(&UNREPORTED, "records").is_some();
    let fresh = gaps.fresh.take();
    if !open && fresh.is_none() {
        return;
    }
    let (applies, now_ms) = (judging.applies(&UNREPORTED), judging.inputs.uptime_ms);
    if fresh.is_some() || gaps.last_ms.is_none_or(|last| now_ms < last) {
        gaps.last_ms = Some(now_ms);
    }
    #[expect(clippy::cast_precision_loss, reason = "milliseconds since boot are far below 2^52")]
    let since_s = gaps.last_ms.map_or(0.0, |last| now_ms.saturating_sub(last) as f64 / 1_000.0);
    let level = (since_s < applies.limits[QUIET]).then_some(Severity::Info);
    let evidence = || match fresh {
        Some(words) => words,
        None => format!("no more of it for {:.0} min", applies.limits[QUIET] / 60.0),
    };
    judging.settle(&UNREPORTED, "records", level, (&applies, 0.0), evidence);
}
