//! A certificate that the host checks is near its end.

use std::collections::BTreeSet;

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
};
use crate::domain::readings::dictionary::{Dictionary, is_absent};

/// `certificate_expiry`
pub(super) static EXPIRY: Rule = Rule {
    name: "certificate_expiry",
    says: "A certificate ends soon.",
    part: Some("certificate"),
    limits: &[
        Limit::new("warning", "time left below which it warns", Unit::Time, (3_600.0, 400.0 * DAY), 21.0 * DAY),
        Limit::new("critical", "time left below which it is critical", Unit::Time, (0.0, 400.0 * DAY), 7.0 * DAY),
        Limit::new("hysteresis", "more than the limit that ends it", Unit::Time, (0.0, 30.0 * DAY), 3_600.0),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 0.0),
    ],
    source: "certificates of 90 days are renewed with 30 left (certbot), so 21 means that renewal has failed for nine days",
    remedy: "renew it and let its server load it; certbot renew --dry-run",
    evidence: None,
};

const DAY: f64 = 86_400.0;
const METRIC: &str = "muster_check_certificate_expiry_timestamp_seconds";
const WARNING: usize = 0;
const CRITICAL: usize = 1;
const HYSTERESIS: usize = 2;
const FOR: usize = 3;

/// Where the readings are that say when a certificate ends.
pub(super) fn places(dictionary: &Dictionary) -> Box<[u32]> {
    let mut found = Vec::new();
    dictionary.each(METRIC, &mut |place, _| found.push(place));
    found.into()
}

/// Judges all certificates, by the collector's clock.
pub(super) fn judge(judging: &mut Judging<'_>) {
    let (inputs, dictionary) = (judging.inputs, judging.inputs.dictionary);
    let mut judged = BTreeSet::new();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this century are far below 2^52")]
    let now_s = inputs.now.ms() as f64 / 1_000.0;
    for place in &inputs.index.certificates {
        let ends_s = inputs.value(*place);
        if is_absent(ends_s) || !ends_s.is_finite() {
            continue;
        }
        let part = name(dictionary, *place);
        let applies = inputs.thresholds.at(&EXPIRY, || part);
        let (limits, left_s) = (&applies.limits, ends_s - now_s);
        let previous = judging.crossed(&EXPIRY, part);
        let level = level(Bad::Below, left_s, (limits[WARNING], limits[CRITICAL]), limits[HYSTERESIS], previous);
        let evidence = || {
            let days = left_s / DAY;
            if days < 0.0 {
                format!("{part}: the certificate ended {:.1} days ago", -days)
            } else {
                format!("{part}: the certificate ends in {days:.1} days")
            }
        };
        judging.settle(&EXPIRY, part, level, (&applies, limits[FOR]), evidence);
        judged.insert(part);
    }
    for part in judging.open(&EXPIRY).into_iter().filter(|part| !judged.contains(part.as_str())) {
        judging.clear(&EXPIRY, &part, || format!("{part}: not checked any more"));
    }
}

/// The check's name.
fn name(dictionary: &Dictionary, place: u32) -> &str {
    ["check", "name", "target"]
        .into_iter()
        .map(|label| dictionary.label(place, label))
        .find(|name| !name.is_empty())
        .unwrap_or("certificate")
}
