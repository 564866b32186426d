//! Two reports of one agreement side by side: then and now, or as it is and as it might be.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// What is set side by side of a report and of each subject; what one does not have is left out.
const FIGURES: [&str; 15] = [
    "target",
    "verdict",
    "availability_verdict",
    "availability_ratio",
    "agreed_ms",
    "served_ms",
    "up_ms",
    "down_ms",
    "maintenance_ms",
    "unreachable_ms",
    "collector_down_ms",
    "unknown_ms",
    "outside_hours_ms",
    "outage_count",
    "agreed",
];

/// The figures of a report or a subject.
pub(super) fn figures(of: &Value) -> Value {
    let known = FIGURES.iter().filter_map(|name| Some(((*name).to_owned(), of.get(*name)?.clone())));
    let mut figures: Map<String, Value> = known.collect();
    if let Some(outages) = of["means"].get("outages") {
        figures.insert("outages".into(), outages.clone());
    }
    Value::Object(figures)
}

/// The subjects of two reports by their hosts, those of the second first, each with its place in both.
pub(super) fn pairs(one: &[String], other: &[String]) -> Vec<(Option<usize>, Option<usize>)> {
    let first: BTreeMap<&String, usize> = one.iter().zip(0..).collect();
    let known: BTreeMap<&String, usize> = other.iter().zip(0..).collect();
    let both = other.iter().enumerate().map(|(at, host)| (first.get(host).copied(), Some(at)));
    let gone = one.iter().enumerate().filter(|(_, host)| !known.contains_key(host)).map(|(at, _)| (Some(at), None));
    both.chain(gone).collect()
}

/// By what a report's subjects are known, in its order: hosts by their ids, which no new name changes, and others by their own.
pub(super) fn hosts(report: &Value) -> Vec<String> {
    let subjects = report["inputs"]["subjects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let key = |(at, basis): (usize, &Value)| match report["subjects"][at]["kind"].as_str() {
        Some("check" | "service") => text(&basis["subject"]),
        _ => text(&basis["host"]),
    };
    subjects.iter().enumerate().map(key).collect()
}

/// One subject's figures in two reports, under two names.
pub(super) fn both(
    (one, other): (&Value, &Value),
    (first, second): (&str, &str),
    (at, place): (Option<usize>, Option<usize>),
) -> Value {
    let part = |report: &Value, at: Option<usize>| at.map_or(Value::Null, |at| report["subjects"][at].clone());
    let (before, after) = (part(one, at), part(other, place));
    let name = if after.is_null() { &before["subject"] } else { &after["subject"] };
    let told = |part: &Value| if part.is_null() { Value::Null } else { figures(part) };
    json!({
        "subject": name, first: told(&before), second: told(&after),
        "verdict_changes": before["verdict"] != after["verdict"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_paired_by_their_hosts_and_none_is_lost() {
        let list = |hosts: &str| hosts.split_terminator(' ').map(str::to_owned).collect::<Vec<_>>();
        let expected = [(Some(1), Some(0)), (None, Some(1)), (Some(0), None), (Some(2), None)];
        assert_eq!(pairs(&list("a b c"), &list("b d")), expected);
        assert!(pairs(&[], &[]).is_empty());
    }

    #[test]
    fn only_a_verdict_that_differs_is_a_change() {
        let report = |verdict: &str, down: i64| json!({ "subjects": [{ "subject": "web-1", "verdict": verdict, "down_ms": down, "means": { "outages": 1 } }] });
        let set = |one: &Value, other: &Value| both((one, other), ("then", "now"), (Some(0), Some(0)));
        let same = set(&report("met", 1), &report("met", 2));
        assert_eq!(
            (&same["verdict_changes"], &same["then"]["down_ms"], &same["now"]["down_ms"]),
            (&json!(false), &json!(1), &json!(2))
        );
        assert_eq!(same["now"], json!({ "verdict": "met", "down_ms": 2, "outages": 1 }));
        assert_eq!(set(&report("met", 1), &report("missed", 2))["verdict_changes"], json!(true));
        let new = both((&report("met", 1), &report("met", 1)), ("then", "now"), (None, Some(0)));
        assert_eq!(
            (&new["then"], &new["subject"], &new["verdict_changes"]),
            (&Value::Null, &json!("web-1"), &json!(true))
        );
    }
}
