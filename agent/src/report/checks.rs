//! Outcomes of service checks as records.

use muster_proto::v1::{self, record};

use super::text;
use crate::check::board::Told;

/// Output of one outcome, in bytes (muster.proto).
const OUTPUT_MAX: usize = 2048;
/// Figures of one outcome; the readings have them all.
const FIGURES_MAX: usize = 16;
/// Bytes of texts in one record: the collector takes 64 KiB of JSON, in which a byte may become six.
const RECORD_BYTES: usize = 8 * 1024;
/// `CheckResult.status` of a check that is no longer defined.
const GONE: u32 = 4;

/// Records of these outcomes, in their order.
#[must_use]
pub fn check_records(told: &[Told]) -> Vec<record::Body> {
    let mut records: Vec<v1::CheckResults> = Vec::new();
    let mut bytes = 0;
    for told in told {
        let result = result_of(told);
        let figures: usize = result.perfdata.iter().map(|figure| figure.label.len() + figure.unit.len() + 16).sum();
        let size = result.check.len() + result.output.len() + figures;
        match records.last_mut().filter(|_| bytes + size <= RECORD_BYTES) {
            Some(record) => {
                record.results.push(result);
                bytes += size;
            }
            None => {
                records.push(v1::CheckResults { results: vec![result] });
                bytes = size;
            }
        }
    }
    records.into_iter().map(record::Body::Checks).collect()
}

fn result_of(told: &Told) -> v1::CheckResult {
    let (check, attempt, attempts) = (text(&told.check), told.attempt, told.attempts);
    let Some(outcome) = &told.outcome else {
        return v1::CheckResult { check, status: GONE, ..v1::CheckResult::default() };
    };
    let output = outcome.output[..outcome.output.floor_char_boundary(OUTPUT_MAX)].to_owned();
    let figure = |datum: &crate::check::perfdata::Datum| v1::Perfdata {
        label: text(&datum.label),
        value: datum.value,
        unit: text(&datum.unit),
    };
    let perfdata = outcome.perfdata.iter().take(FIGURES_MAX).map(figure).collect();
    let ok_ago_ms = u64::try_from(told.ok_ago.as_millis()).unwrap_or(u64::MAX);
    v1::CheckResult { check, status: outcome.status as u32, attempt, attempts, output, perfdata, ok_ago_ms }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::check::{Outcome, Status};

    fn told(check: &str, output: &str) -> Told {
        let outcome = Some(Outcome::new(Status::Critical, output));
        Told { check: check.into(), outcome, attempt: 2, attempts: 3, ok_ago: Duration::from_secs(60) }
    }

    fn sizes(records: &[record::Body]) -> Vec<usize> {
        let count =
            |record: &record::Body| if let record::Body::Checks(checks) = record { checks.results.len() } else { 0 };
        records.iter().map(count).collect()
    }

    #[test]
    fn a_result_says_status_attempt_and_the_start_of_the_output() {
        let records = check_records(&[told("web", &"ä".repeat(3_000)), Told { outcome: None, ..told("old", "") }]);
        let [record::Body::Checks(checks)] = &records[..] else { panic!("{records:?}") };
        let web = &checks.results[0];
        assert_eq!((web.check.as_str(), web.status, web.attempt, web.attempts), ("web", 2, 2, 3));
        assert_eq!(web.ok_ago_ms, 60_000);
        assert_eq!(web.output, "ä".repeat(1_024));
        assert_eq!((checks.results[1].check.as_str(), checks.results[1].status), ("old", 4));
    }

    #[test]
    fn no_record_is_larger_than_the_collector_takes() {
        let many: Vec<Told> = (0..256).map(|n| told(&format!("c{n}"), &"\u{1}".repeat(4_000))).collect();
        let records = check_records(&many);
        assert_eq!(sizes(&records).iter().sum::<usize>(), 256);
        assert!(sizes(&records).iter().all(|count| *count <= 3), "{:?}", sizes(&records));
        assert_eq!(sizes(&check_records(&many[..0])), [] as [usize; 0]);
    }
}
