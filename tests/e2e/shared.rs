//! A department looks at its own agreements by a link: without signing in, and at nothing else.

use muster_tests::http::client;
use muster_tests::network::Network;
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::s;

/// Nobody looks without signing in, not even from the collector's own machine.
const CLOSED: &str = "require_authentication = true\n";
/// Two promises, of which one is shown.
const TABLES: &str = r#"
[[agreement]]
name = "web/shop & co"
target = 99.9
zone = "Europe/Berlin"
hosts = ["*"]
[[agreement]]
name = "secret plans"
target = 99
zone = "UTC"
hosts = ["*"]
"#;
const NAME: &str = "web/shop & co";
const QUERY: &str = "agreement=web%2Fshop%20%26%20co";

/// Status, headers and body, as a browser without anything of ours gets them.
struct Seen {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }
}

/// Through a proxy, which says so: the collector does not take it for somebody on its own machine.
async fn see(collector: &Collector, path: &str) -> Seen {
    let asked = client().get(collector.url(path)).header("x-forwarded-for", "203.0.113.7");
    let answer = asked.send().await.expect("the collector answers");
    let status = answer.status().as_u16();
    let text = |value: &reqwest::header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let headers = answer.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect();
    Seen { status, headers, body: answer.text().await.expect("text") }
}

/// The path of a new link.
async fn link(collector: &Collector, more: &[&str]) -> String {
    let url = collector.cli(&[&["sla", "link", "--agreement", NAME], more].concat()).await;
    let url = url.trim();
    let path = url.find("/shared/").unwrap_or_else(|| panic!("an address: {url}"));
    url[path..].to_owned()
}

fn refuses(seen: &Seen, status: u16) {
    assert_eq!(seen.status, status, "{}", seen.body);
    for never in ["shop", "secret", "Muster", "href"] {
        assert!(!seen.body.contains(never), "{never} in {}", seen.body);
    }
    assert_eq!((seen.header("referrer-policy"), seen.header("cache-control")), ("no-referrer", "no-store"));
    assert!(seen.header("x-robots-tag").contains("noindex"));
}

#[tokio::test]
async fn a_department_sees_its_own_agreements_without_signing_in_and_nothing_else() {
    let collector = Collector::start(TABLES).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    network.cut().await;
    let host = collector.host_is(&agent.host, "down", s(15)).await;
    let name = host["name"].as_str().expect("a name").to_owned();
    let add = ["maintenance", "add", "--host", &name, "--for", "2h", "--from", "2100-01-01T10:00:00Z"];
    collector.cli(&[&add[..], &["--reason", "new disks", "--change", "CHG-9"]].concat()).await;

    // What staff sees of the outage: there is something to be left out.
    let told = || async {
        let whole = collector.cli(&["sla", "report", "--agreement", NAME, "--format", "html"]).await;
        (whole.contains("/incidents/") && whole.contains("silent") && whole.contains("sla verify")).then_some(())
    };
    eventually("the report for staff tells of the incident", s(20), told).await;

    let path = link(&collector, &["--for", "Sales & Ms <b>Weber</b>"]).await;
    let seen = see(&collector, &path).await;
    assert_eq!(seen.status, 200, "{}", seen.body);
    for part in [
        "web/shop &#38; co",
        "Sales &#38; Ms &#60;b&#62;Weber",
        "goes on",
        "new disks",
        "CHG-9",
        "2100-01-01 11:00:00",
        &name,
    ] {
        assert!(seen.body.contains(part), "{part} in\n{}", seen.body);
    }
    assert_eq!((seen.header("referrer-policy"), seen.header("cache-control")), ("no-referrer", "no-store"));
    assert!(seen.header("x-robots-tag").contains("noindex"), "{:?}", seen.headers);
    assert!(seen.header("content-security-policy").starts_with("default-src 'none'"), "{:?}", seen.headers);
    // All that can be followed lies below the link itself.
    let hrefs: Vec<&str> = seen.body.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!hrefs.is_empty() && hrefs.iter().all(|href| href.starts_with(&format!("{path}/report?"))), "{hrefs:?}");

    let report = see(&collector, &hrefs[0].replace("&#38;", "&")).await;
    assert_eq!(report.status, 200, "{}", report.body);
    assert!(report.body.contains("Every minute that was not up") && report.body.contains("goes on"), "{}", report.body);
    assert_eq!(report.header("referrer-policy"), "no-referrer");
    for page in [&seen.body, &report.body] {
        for never in ["secret plans", "/incidents/", "/hosts/", "/service-levels", "127.0.0.1", "sla verify", "silent"]
        {
            assert!(!page.contains(never), "{never} in\n{page}");
        }
    }

    let period = hrefs[0].rsplit_once("period=").expect("a period").1;
    refuses(&see(&collector, &format!("{path}/report?agreement=secret%20plans&period={period}")).await, 404);
    refuses(&see(&collector, &format!("{path}/report?{QUERY}&period=2001-01")).await, 404);
    refuses(&see(&collector, &format!("{path}/report?{QUERY}&period=365d")).await, 404);
    // The secret of the link opens no other door.
    let secret = path.trim_start_matches("/shared/");
    for other in ["/act/", "/confirm/", "/calendar/", "/ping/", "/sign-in/"] {
        let seen = see(&collector, &format!("{other}{secret}")).await;
        assert!(!seen.body.contains("shop"), "{other}: {}", seen.body);
    }
    for elsewhere in ["/", "/service-levels", "/api/v1/agreements", &format!("{path}/incidents"), &format!("{path}/..")]
    {
        let seen = see(&collector, elsewhere).await;
        assert!(seen.status != 200 && !seen.body.contains("shop"), "{elsewhere}: {} {}", seen.status, seen.body);
    }
    let token = client().get(collector.url("/api/v1/agreements")).bearer_auth(secret).send().await.expect("an answer");
    assert_eq!(token.status().as_u16(), 401);
}

#[tokio::test]
async fn a_link_ends_when_it_is_revoked_or_over_and_a_forged_one_never_was() {
    let mut collector = Collector::start(&format!("{CLOSED}{TABLES}")).await;
    let (revoked, ending) = (link(&collector, &[]).await, link(&collector, &["--expires", "1h"]).await);
    for path in [&revoked, &ending] {
        assert_eq!(see(&collector, path).await.status, 200);
    }
    // The signature of one is none of another.
    let (said, tag) = revoked.rsplit_once('.').expect("a signature");
    let (other, other_tag) = ending.rsplit_once('.').expect("a signature");
    assert!(said != other && tag != other_tag);
    refuses(&see(&collector, &format!("{said}.{other_tag}")).await, 404);
    refuses(&see(&collector, &format!("{said}.")).await, 404);
    refuses(&see(&collector, "/shared/x").await, 404);

    collector.cli(&["sla", "unlink", "1"]).await;
    refuses(&see(&collector, &revoked).await, 410);
    refuses(&see(&collector, &format!("{revoked}/report?{QUERY}&period=2026-10")).await, 410);
    let again = collector.try_cli(&["sla", "unlink", "1"]).await;
    assert!(again.code == 1 && again.err.contains("sla links"), "{}", again.all());
    assert_eq!(see(&collector, &ending).await.status, 200);

    let unknown = collector.try_cli(&["sla", "link", "--agreement", "none"]).await;
    assert!(unknown.code == 1 && unknown.err.contains("agreements is \"none\""), "{}", unknown.all());
    let long = collector.try_cli(&["sla", "link", "--agreement", NAME, "--expires", "731d"]).await;
    assert!(long.code == 1 && long.err.contains("ttl_seconds"), "{}", long.all());

    assert_eq!(collector.stop().await, 0);
    collector.clock = Some("+7200".to_owned());
    collector.run().await;
    refuses(&see(&collector, &ending).await, 410);
    refuses(&see(&collector, &revoked).await, 410);
    let list: Value = serde_json::from_str(&collector.cli(&["--json", "sla", "links"]).await).expect("JSON");
    let states: Vec<&str> = list.as_array().expect("a list").iter().filter_map(|one| one["state"].as_str()).collect();
    assert_eq!(states, ["ended", "revoked"], "{list:#}");
    assert!(!list.to_string().contains("/shared/"), "{list:#}");
    let audit = collector.cli(&["audit"]).await;
    assert!(audit.contains("agreement_link.create") && audit.contains("agreement_link.revoke"), "{audit}");
}
