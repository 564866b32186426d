use super::*;

const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn said(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Said {
    Said { labels: map(labels), annotations: map(annotations), ..Said::default() }
}

fn posted(labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> Alert {
    Alert::posted(said(labels, annotations), NOW).unwrap()
}

#[test]
fn the_key_carries_the_fingerprint_that_alertmanager_gives_the_same_labels() {
    // Seen in the answers of Alertmanager 0.25 (GET /api/v2/alerts).
    let alert = posted(&[("alertname", "HostDown"), ("instance", "web-1:9100"), ("empty", "")], &[]);
    assert_eq!(alert.key(), "alert/prometheus/HostDown:ccf1c6b9aa2b5ee3");
    let forwarded = Alert::forwarded(Source::Grafana, said(&[("alertname", "HostDown")], &[]), false, NOW).unwrap();
    assert!(forwarded.key().starts_with("alert/grafana/HostDown:"));
}

#[test]
fn severities_are_the_words_of_the_field_and_what_nobody_knows_is_a_warning() {
    for (word, severity) in [
        ("critical", Severity::Critical),
        ("Page", Severity::Critical),
        ("warning", Severity::Warning),
        ("ticket", Severity::Warning),
        ("banana", Severity::Warning),
        ("info", Severity::Info),
        ("none", Severity::Info),
    ] {
        assert_eq!(posted(&[("alertname", "X"), ("severity", word)], &[]).severity(), severity, "{word}");
    }
    assert_eq!(posted(&[("alertname", "X")], &[]).severity(), Severity::Warning);
}

#[test]
fn the_summary_is_what_the_annotations_tell_and_else_the_name() {
    let named = [("alertname", "Slow"), ("instance", "web-1:80")];
    let summary = |annotations: &[(&str, &str)]| posted(&named, annotations).summary();
    assert_eq!(summary(&[("description", "d"), ("title", "t"), ("summary", "s")]), "s");
    assert_eq!(summary(&[("description", "d"), ("title", "t")]), "t");
    assert_eq!(summary(&[("description", "d"), ("summary", " \n ")]), "d");
    assert_eq!(summary(&[]), "Slow on web-1:80");
    assert_eq!(posted(&[("job", "x")], &[]).summary(), "alert");
}

#[test]
fn what_it_says_becomes_one_bounded_line_and_only_http_becomes_a_link() {
    let long = "x".repeat(5_000);
    let mut hostile = said(
        &[("alertname", "A\r\nBcc: all\u{202e}b"), ("note", &"y".repeat(4_096))],
        &[("summary", "one\r\ntwo\u{1b}[31m"), ("description", &long), ("runbook_url", "https://example.org/r")],
    );
    hostile.url = "javascript:alert(1)".into();
    let alert = Alert::posted(hostile.clone(), NOW).unwrap();
    assert_eq!((alert.name().as_str(), alert.summary().as_str()), ("A Bcc: all b", "one two [31m"));
    assert!(!alert.evidence().chars().any(char::is_control) && alert.evidence().len() < 1_000, "{}", alert.evidence());
    assert_eq!(alert.row().links, [("runbook".to_owned(), "https://example.org/r".to_owned())]);
    for (url, links) in [("HTTP://p:9090/graph?x=1", 2), ("http://a b", 1), ("data:text/html,x", 1), ("/graph", 1)] {
        let said = Said { url: url.into(), ..hostile.clone() };
        assert_eq!(Alert::posted(said, NOW).unwrap().row().links.len(), links, "{url}");
    }
}

#[test]
fn times_that_are_not_said_are_alertmanagers() {
    let at = |starts: Option<i64>, ends: Option<i64>| {
        let time = |ms: i64| NOW.plus_ms(ms);
        let said = Said { starts: starts.map(time), ends: ends.map(time), ..said(&[("alertname", "X")], &[]) };
        Alert::posted(said, NOW).map(|alert| (alert.starts.since_ms(NOW), alert.until.since_ms(NOW)))
    };
    assert_eq!(at(None, None), Ok((0, 300_000)));
    assert_eq!(at(Some(-5), None), Ok((-5, 300_000)));
    assert_eq!(at(None, Some(-7)), Ok((-7, -7)));
    assert!(matches!(at(Some(0), Some(-1)), Err(Fault::Ends { .. })));
}

#[test]
fn what_cannot_be_taken_is_refused_by_name() {
    let fault = |labels: &[(&str, &str)]| Alert::posted(said(labels, &[]), NOW).unwrap_err();
    assert_eq!(fault(&[]), Fault::NoLabels);
    assert_eq!(fault(&[("alertname", "")]), Fault::NoLabels);
    for name in ["", "1x", "a-b", "a b", "ä"] {
        assert_eq!(fault(&[(name, "x")]), Fault::Name(name.into()));
    }
    assert!(Alert::posted(said(&[("service.name", "x")], &[]), NOW).is_ok());
    let long = |bytes: usize| said(&[("a", "x".repeat(bytes).as_str())], &[]);
    assert!(Alert::posted(long(VALUE_BYTES), NOW).is_ok());
    assert_eq!(Alert::posted(long(VALUE_BYTES + 1), NOW), Err(Fault::Long("a".into())));
    let many = |count: usize| {
        let labels = (0..count).map(|n| (format!("l{n}"), "x".to_owned())).collect();
        Alert::posted(Said { labels, ..Said::default() }, NOW)
    };
    assert!(many(LABELS).is_ok());
    assert_eq!(many(LABELS + 1), Err(Fault::Labels(LABELS + 1)));
}

#[test]
fn the_host_is_looked_for_by_its_label_and_by_the_instance_without_its_port() {
    let names = |labels: &[(&str, &str)]| posted(labels, &[]).host_names().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(names(&[("instance", "web-1:9100"), ("host", "web")]), ["web", "web-1:9100", "web-1"]);
    assert_eq!(names(&[("instance", "[fe80::1]:9100")]), ["[fe80::1]:9100", "fe80::1"]);
    assert_eq!(names(&[("job", "x")]), Vec::<String>::new());
}
