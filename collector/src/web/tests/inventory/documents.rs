//! Documents of a host, a site and the fleet: what is known is there, what is not is not none, and none of it is run.

use super::*;
use crate::domain::{inventory::Status, snapshot::HostView};

/// The stage with a machine that has something of everything an auditor asks for.
async fn documented() -> Stage {
    let stage = stage().await;
    let soon = stage.now.plus_ms(10 * 24 * HOUR).to_string();
    let rows: [(&str, &str, &[&str]); 5] = [
        ("os", "os", &["id", "debian", "pretty_name", "Debian GNU/Linux 11 (bullseye)", "version_id", "11"]),
        ("system", "system", &["manufacturer", "Acme", "model", "M-1", "serial", "S4711"]),
        ("volumes", "/", &["device", "/dev/sda1", "encrypted", "no", "file_system", "ext4", "mount_point", "/"]),
        ("users", "ann", &["name", "ann", "sudo", "yes", "sudo_by", "group sudo", "uid", "1000"]),
        ("certificates", "/etc/a.pem", &["not_after", &soon, "path", "/etc/a.pem", "subject", "CN=a.example"]),
    ];
    for (sequence, (section, key, fields)) in (3..).zip(rows) {
        tell(&stage, sequence, 24, section, key, fields).await;
    }
    let unread = Head { status: Status::Unreadable, reason: "apt cannot be asked".into(), source: "apt".into() };
    tell_rows(&stage, 8, 24, ("updates", unread), &[]).await;
    let ports: [(&str, &[&str]); 2] = [
        ("tcp/0.0.0.0:22", &["address", "0.0.0.0", "port", "22", "protocol", "tcp", "scope", "network"]),
        ("tcp/127.0.0.1:631", &["address", "127.0.0.1", "port", "631", "protocol", "tcp", "scope", "loopback"]),
    ];
    tell_rows(&stage, 9, 24, ("listening_ports", Head::default()), &ports).await;
    stage
}

fn has(html: &str, expected: &[&str]) {
    for text in expected {
        assert!(html.contains(text), "{text:?} is not in {html}");
    }
}

#[tokio::test]
async fn a_host_is_documented_with_what_is_not_known_of_it() {
    let stage = documented().await;
    let (status, html) = get(&stage, &format!("/hosts/{HOST}/document")).await;
    assert_eq!(status, StatusCode::OK, "{html}");
    has(
        &html,
        &[
            "Machine document",
            "runs Debian GNU/Linux 11 (bullseye)",
            "S4711",
            "<dt>Pending updates</dt><dd>not known: it could not be read: apt cannot be asked</dd>",
            "<dt>Restart needed</dt><dd>not known: it was not told</dd>",
            "<dt>Not encrypted</dt><dd>1 of 1: /</dd>",
            "<dt>May become root</dt><dd>ann</dd>",
            "<dt>Ports the network may reach</dt><dd>1</dd>",
            "<dt>Certificates</dt><dd>1; 0 ended, 1 end within 30 days</dd>",
            "10 days left",
            "1 more port is open on this machine alone.",
            "3.0.9 -&#62; 3.0.11",
            "no reason is given",
            "<dt>Open findings</dt><dd>2</dd>",
        ],
    );
    assert!(!html.contains("<b onmouseover") && !html.contains("<script") && html.contains("</html>"), "{html}");
}

#[tokio::test]
async fn a_document_of_a_past_date_has_what_there_was_then_and_no_finding_of_today() {
    let stage = documented().await;
    let (_, html) = get(&stage, &format!("/hosts/{HOST}/document?at={}", ago(&stage, 30))).await;
    has(
        &html,
        &[
            "<dt>Packages</dt><dd>1</dd>",
            "findings are left out",
            "<dt>Not encrypted</dt><dd>not known: it was not told",
        ],
    );
    assert!(!html.contains("3.0.11") && !html.contains("Open findings"), "{html}");
}

#[tokio::test]
async fn a_document_runs_nothing_and_programs_get_the_same() {
    let stage = documented().await;
    for path in [format!("/hosts/{HOST}/document"), "/inventory/document".to_owned()] {
        let answer = stage.ask(loopback(), request(&Method::GET, &path, &[], "")).await;
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-") && !policy.contains("script"), "{policy}");
        let (_, of_api) = get(&stage, &format!("/api/v1{path}")).await;
        // The time at which they were made differs.
        assert_eq!(text(answer).await.len(), of_api.len(), "{path}");
    }
}

#[tokio::test]
async fn a_site_and_the_fleet_are_documented_and_a_site_that_is_none_is_named() {
    let stage = documented().await;
    let of_site = format!("/inventory/document?site={}", super::super::super::encode(HOSTILE));
    for path in ["/inventory/document", &of_site] {
        let (status, html) = get(&stage, path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {html}");
        has(
            &html,
            &[
                "<dt>Machines with an agent</dt><dd>1</dd>",
                // Its long-term support ended on 2026-08-31.
                "<dt>Their operating system is not supported any more</dt><dd>1</dd>",
                "Acme",
                "M-1",
                "S4711",
                "apt cannot be asked",
            ],
        );
        assert!(!html.contains("<b onmouseover") && html.contains("</html>"), "{html}");
    }
    let (status, said) = get(&stage, "/api/v1/inventory/document?site=Nowhere").await;
    assert!(status == StatusCode::NOT_FOUND && said.contains("Nowhere"), "{said}");
}

#[tokio::test]
async fn a_fleet_too_large_for_paper_is_counted_whole_and_says_what_it_leaves_out() {
    let mut fleet = hostile_fleet(Clock::start().now());
    let one: HostView = fleet.hosts.values().next().unwrap().as_ref().clone();
    let mut hosts = (*fleet.hosts).clone();
    for no in 2..=2_500 {
        let mut host = one.clone();
        (host.profile.no, host.profile.name) = (HostNo(no), format!("web-{no}"));
        host.profile.id = HostId(uuid::Uuid::from_u128(u128::from(no.unsigned_abs())));
        hosts.insert(HostNo(no), Arc::new(host));
    }
    fleet.hosts = Arc::new(hosts);
    let stage = Stage::new(fleet, |_| {});
    let (status, html) = get(&stage, "/inventory/document").await;
    assert_eq!(status, StatusCode::OK);
    has(
        &html,
        &[
            "<dt>Machines with an agent</dt><dd>2\u{202f}500</dd>",
            "<dt>Of these told no inventory</dt><dd>2\u{202f}500",
        ],
    );
    has(&html, &["500 more are counted above and not listed", "--site"]);
    assert_eq!(html.matches("<small>server</small>").count(), 2_000);
}
