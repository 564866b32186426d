//! The views in a real browser: at a desk and on a phone, light and dark.

use muster_tests::browser::{Browser, DESK, PHONE};
use muster_tests::{Agent, Collector, eventually};

use crate::s;

#[tokio::test]
async fn every_view_loads_at_a_desks_and_a_phones_width_light_and_dark() {
    let collector = Collector::start("").await;
    let agent = Agent::up(&collector, "fast").await;
    let browser = Browser::new();

    let host = format!("/hosts/{}", agent.host);
    for (path, word) in [
        ("/", agent.name.as_str()),
        (&host, &agent.name),
        ("/incidents", "Incidents"),
        ("/maintenance?host=web-1&reason=disks&look=yes", "Covers"),
        ("/on-call", "On call"),
        ("/deliveries", "Deliveries"),
        ("/heartbeats", "Heartbeats"),
        ("/machines", "Which machines have it?"),
        ("/inventory/changes", "Changes"),
        ("/add", "token"),
        ("/settings", "Settings"),
        ("/hardware", "Hardware"),
        ("/hardware/models", "Drives by model"),
    ] {
        let document = browser.load(&collector.url(path), DESK).await;
        assert!(document.contains(word) && document.contains("<h1"), "{path}:\n{document}");
        for (name, size, dark) in
            [("desk", DESK, false), ("desk-dark", DESK, true), ("phone", PHONE, false), ("phone-dark", PHONE, true)]
        {
            let view = path.split(['/', '?']).nth(1).filter(|name| !name.is_empty()).unwrap_or("status");
            let folder = pictures();
            let picture =
                browser.draw(&collector.url(path), size, dark, &folder.join(format!("{view}-{name}.png"))).await;
            assert!(picture.len() > 3_000, "{path} {name} is an empty picture");
        }
    }
}

/// Where a person finds the pictures afterwards.
pub(crate) fn pictures() -> std::path::PathBuf {
    let folder = muster_tests::process::root().join("target/pictures");
    std::fs::create_dir_all(&folder).expect("below the build's own directory");
    folder
}

#[tokio::test]
async fn the_status_view_shows_a_lost_agent_with_since_when_and_why() {
    let collector = Collector::start("").await;
    let mut agent = Agent::up(&collector, "fast").await;
    agent.kill().await;
    let lost = || async { collector.hosts().await.into_iter().find(|host| host["state"] == "agent_lost") };
    let host = eventually("the agent is lost", s(15), lost).await;

    let document = Browser::new().load(&collector.url("/"), PHONE).await;
    let why = host["why"].as_str().expect("every state says why");
    assert!(document.contains(&agent.name) && document.contains(why), "{why}:\n{document}");
    assert!(document.contains("<time"), "since when:\n{document}");
}
