//! `[retention]`: defaults as the manual has them, ranges that keep slips out.

use super::*;
use crate::domain::retention::Retention;

const DAY_MS: i64 = 86_400_000;

#[test]
fn nothing_said_and_the_example_are_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read("").unwrap().retention, Retention::default());
    assert_eq!(read(&example_switched_on(folder.path())).unwrap().retention, Retention::default());
    let given = read("[retention]\ntrends = \"2 months\"\naudit = \"10 years\"\n").unwrap().retention;
    assert_eq!((given.trends_ms, given.audit_ms), (61 * DAY_MS, 3_653 * DAY_MS));
    assert_eq!(given.incidents_ms, 1_096 * DAY_MS);
}

#[test]
fn what_would_forget_too_soon_or_keep_for_ever_is_refused_by_line_and_key() {
    let said = mistakes(
        "[retention]\ntrends = \"1 d\"\nincidents = \"2 months\"\ninventory = 25\naudit = \"11 months\"\n\
         reports = \"21 years\"\nledger = \"3 years\"\n",
    );
    let expected = [
        "collector.toml:2: retention.trends = \"1 d\": expected a length from \"2 months\" to \"20 years\", such as \"13 months\"",
        "collector.toml:3: retention.incidents = \"2 months\": expected a length from \"3 months\"",
        "collector.toml:4: retention.inventory = 25: expected a length from \"1 month\"",
        "collector.toml:5: retention.audit = \"11 months\": expected a length from \"1 year\"",
        "collector.toml:6: retention.reports = \"21 years\": expected a length from \"3 months\" to \"20 years\"",
        "collector.toml:7: retention.ledger = \"3 years\": expected no such key here; known are: trends, incidents",
    ];
    for part in expected {
        assert!(said.iter().any(|line| line.starts_with(part)), "{part} in {said:#?}");
    }
}
