//! The pages of metrics in each format and coding, from the real programs, read by strict parsers.

use std::collections::BTreeSet;

use muster_tests::http::{self, Wire};
use muster_tests::{Agent, Collector};

use crate::s;

#[path = "../../collector/src/exposition/tests/strict.rs"]
pub(crate) mod strict;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";
const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// As Prometheus 2.42 asks.
const PROMETHEUS: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";

async fn ask(url: &str, headers: &[(&str, &str)]) -> Wire {
    http::ask(url, headers).await.unwrap_or_else(|| panic!("nobody answers at {url}"))
}

fn names(samples: &[impl AsRef<str>]) -> BTreeSet<&str> {
    samples.iter().map(AsRef::as_ref).collect()
}

/// Asks for a page in every way; both formats say the same names.
pub(crate) async fn check_page(url: &str, expected: &str) {
    let text = ask(url, &[]).await;
    assert_eq!((text.status, text.header("content-type")), (200, TEXT), "{url}");
    let open = ask(url, &[("accept", PROMETHEUS), ("accept-encoding", "gzip")]).await;
    assert_eq!((open.status, open.header("content-type")), (200, OPEN), "{url}");
    assert_eq!(open.header("content-encoding"), "", "over loopback plain bytes are cheaper");
    let small = ask(url, &[("accept", PROMETHEUS), ("accept-encoding", "gzip, identity;q=0")]).await;
    assert_eq!(small.header("content-encoding"), "gzip", "{url}");
    assert!(small.body.len() * 3 < open.body.len(), "{} of {} bytes", small.body.len(), open.body.len());

    let in_text = strict::parse(&text.text()).unwrap_or_else(|why| panic!("{url}: {why}"));
    for wire in [&open, &small] {
        let samples = strict::parse_openmetrics(&wire.text()).unwrap_or_else(|why| panic!("{url}: {why}"));
        let in_open: Vec<String> = samples.into_iter().map(|(name, _)| name).collect();
        assert_eq!(names(&in_text), names(&in_open), "{url}");
    }
    for wire in [&text, &open, &small] {
        assert_eq!(wire.header("vary"), "Accept, Accept-Encoding");
    }
    assert!(in_text.iter().any(|name| name == expected), "{url} does not say {expected}");
}

#[tokio::test]
async fn every_page_comes_in_the_format_and_coding_that_is_asked_for() {
    let collector = Collector::start("").await;
    let agent = Agent::up(&collector, "normal").await;
    let page = format!("/hosts/{}/metrics", agent.host);
    check_page(&collector.url("/metrics"), "muster_host_up").await;
    check_page(&collector.url(&page), "node_uname_info").await;

    let open = ask(&collector.url(&page), &[("accept", PROMETHEUS)]).await.text();
    for line in ["# TYPE node_cpu_seconds counter", "# TYPE node_vmstat_pgfault unknown", "# TYPE node_load1 gauge"] {
        assert!(open.lines().any(|found| found == line), "{line} is not in\n{open}");
    }
    // For somebody behind a proxy on this machine it is compressed.
    let token = collector.cli(&["api-token", "create", "--role", "scrape", "--ttl", "1d"]).await;
    let bearer = format!("Bearer {}", token.trim());
    let asked = [("authorization", &*bearer), ("x-forwarded-for", "192.0.2.7"), ("accept-encoding", "gzip")];
    let far = ask(&collector.url(&page), &asked).await;
    assert_eq!((far.status, far.header("content-encoding")), (200, "gzip"));
    strict::parse(&far.text()).unwrap_or_else(|why| panic!("{why}"));
}

#[tokio::test]
async fn a_page_that_is_not_there_is_refused_in_words_whatever_is_asked_for() {
    let collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    collector.host_is(&agent.host, "agent_lost", s(20)).await;
    let asked = [("accept", PROMETHEUS), ("accept-encoding", "gzip, identity;q=0")];
    let refused = ask(&collector.url(&format!("/hosts/{}/metrics", agent.host)), &asked).await;
    assert_eq!((refused.status, refused.header("content-type")), (503, "text/plain; charset=utf-8"));
    assert!(refused.text().contains("the host is agent_lost"), "{}", refused.text());
}

mod prometheus {
    use super::*;
    use muster_tests::process::{installed, run};
    use tokio::process::Command;

    #[tokio::test]
    async fn promtool_reads_the_text_of_every_page() {
        let collector = Collector::start("").await;
        let agent = Agent::up(&collector, "normal").await;
        for page in ["/metrics".to_owned(), format!("/hosts/{}/metrics", agent.host)] {
            let file = collector.home().join("page");
            std::fs::write(&file, collector.get(&page).await.body).expect("a file in a directory of our own");
            let mut check = Command::new("sh");
            let promtool = installed("promtool", "prometheus");
            check.arg("-c").arg(format!("{} check metrics < {}", promtool.display(), file.display()));
            let said = run(&mut check).await;
            // 3: it reads every line, and dislikes names that are node_exporter's own.
            let tolerated = if page == "/metrics" { 0 } else { 3 };
            assert!(said.code == 0 || said.code == tolerated, "{page}: {}", said.all());
            assert!(!said.all().contains("error while linting"), "{page}: {}", said.all());
        }
    }
}
