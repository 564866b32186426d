//! The report that a manager prints: what was promised, what came of it, and every minute that was not up.

use muster_tests::browser::{Browser, DESK, PHONE};
use muster_tests::network::Network;
use muster_tests::smtp::MailServer;
use muster_tests::wait::pass;
use muster_tests::{Agent, Collector, eventually};
use serde_json::Value;

use crate::s;

/// A promise with a name that a careless page would run, and Ann, who is called when it is broken.
const TABLES: &str = r#"
[[agreement]]
name = "<b>web</b> & mail"
target = 99.9
zone = "Europe/Berlin"
hosts = ["*"]
period = "day"
[[person]]
name = "ann"
contact = [{ receiver = "mail", to = "ann@example.org" }]
[[rotation]]
name = "ops"
zone = "Europe/Berlin"
[[rotation.layer]]
people = ["ann"]
from = "2026-01-05"
handoff = "09:00"
every = "7 d"
[[policy]]
name = "night"
[[policy.step]]
notify = ["rotation:ops"]
[[route]]
what = "liveness/*"
policy = "night"
"#;
const NAME: &str = "<b>web</b> & mail";
const PATH: &str = "/service-levels/%3Cb%3Eweb%3C%2Fb%3E%20%26%20mail/report";

#[tokio::test]
async fn an_outage_is_told_with_its_incident_who_was_called_and_who_took_it() {
    let server = MailServer::start().await;
    let collector = Collector::start(&format!("{}{TABLES}", server.receiver())).await;
    let network = Network::make().await;
    let agent = Agent::up_in(&network, &collector, "fast").await;
    network.cut().await;
    collector.host_is(&agent.host, "down", s(15)).await;
    let mailed = || async { server.messages().into_iter().find(|mail| mail.contains("X-RcptTo: ann@example.org")) };
    eventually("ann is called", s(40), mailed).await;
    let incident = async || {
        let all = collector.incidents().await;
        all.into_iter()
            .find(|one| one["key"].as_str().is_some_and(|key| key.ends_with(&format!("{}/host", agent.host))))
    };
    let number = incident().await.expect("an incident of the host")["number"].to_string();
    pass(s(2)).await;
    collector.cli(&["incident", "ack", &number]).await;

    let report = collector.cli(&["--json", "sla", "report", "--agreement", NAME]).await;
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let subject = &report["subjects"][0];
    let told = &subject["outages"][0]["incidents"][0];
    assert_eq!(told["number"].to_string(), number, "{report:#}");
    assert!(told["acknowledged_by"].as_str().is_some_and(|who| who.starts_with("uid:")), "{told:#}");
    for means in [&report["means"], &subject["means"]] {
        assert_eq!((&means["detected"], &means["acknowledged"]), (&1.into(), &1.into()), "{means:#}");
        let (detect, acknowledge) = (means["mttd_ms"].as_i64(), means["mtta_ms"].as_i64());
        // A fast host is down within seconds, and two seconds passed from the page on.
        assert!(detect.is_some_and(|ms| (1..15_000).contains(&ms)), "{means:#}");
        assert!(acknowledge.is_some_and(|ms| ms >= 2_000), "{means:#}");
        assert_eq!((&means["mtta_median_ms"], &means["mtta_p90_ms"]), (&means["mtta_ms"], &means["mtta_ms"]));
    }

    let view = collector.get(PATH).await;
    let told = format!("/incidents/{number}\">#{number}</a>: uid:");
    for part in ["&#60;b&#62;web&#60;/b&#62; &#38; mail", &told, "goes on", "after the first page", "So far in "] {
        assert!(view.status == 200 && view.body.contains(part), "{part} in\n{}", view.body);
    }
    assert!(!view.body.contains("<b>web") && !view.body.contains("<script"), "{}", view.body);
    let list = collector.get("/service-levels").await;
    let ordinary = PATH.trim_end_matches("/report");
    assert!(list.body.contains(&format!("href=\"{ordinary}\"")), "{}", list.body);
    let ordinary = collector.get(ordinary).await;
    assert!(ordinary.body.contains(&format!("href=\"/incidents/{number}\"")), "{}", ordinary.body);

    let file = collector.home().join("report.html");
    let words = ["sla", "report", "--agreement", NAME, "--format", "html", "--output"];
    let file_name = file.display().to_string();
    collector.cli(&[&words[..], &[file_name.as_str()]].concat()).await;
    let saved = std::fs::read_to_string(&file).expect("the report");
    assert!(saved.starts_with("<!doctype html>") && saved.contains(&told), "{saved}");
    for needs in ["<script", "<link", "<img", " style=", "url(http", "@import"] {
        assert!(!saved.contains(needs), "a file that stands alone has {needs}");
    }
    let refused = collector.try_cli(&["sla", "report", "--agreement", NAME, "--output", "x.txt"]).await;
    assert!(refused.code == 64 && refused.err.contains("--format"), "{}", refused.all());
    let unknown = collector.try_cli(&["sla", "report", "--agreement", "none", "--format", "html"]).await;
    assert!(unknown.code == 1 && unknown.err.contains("there is no agreement \"none\""), "{}", unknown.all());
}

#[tokio::test]
async fn the_report_is_drawn_with_its_own_style_and_prints_on_paper() {
    let collector = Collector::start(TABLES.split("[[person]]").next().expect("the agreement")).await;
    let _agent = Agent::up(&collector, "fast").await;
    let browser = Browser::new();
    let folder = super::browser::pictures();
    let url = collector.url(PATH);
    for (name, size, dark) in
        [("desk", DESK, false), ("desk-dark", DESK, true), ("phone", PHONE, false), ("phone-dark", PHONE, true)]
    {
        let picture = browser.draw(&url, size, dark, &folder.join(format!("report-{name}.png"))).await;
        assert!(picture.len() > 3_000, "{name} is an empty picture");
    }
    // The browser obeys the document's policy: were the style refused, nothing would have a frame.
    let styled = browser.load(&url, DESK).await;
    assert!(styled.contains("class=\"verdict\""), "{styled}");
    // Days are a calendar: before the host was enrolled there was no service, and that is no 100.
    let week = collector.get(&format!("{PATH}?period=2026-W40")).await.body;
    let days: Vec<&str> = week.split("<g class=\"day ").skip(1).filter_map(|day| day.split('"').next()).collect();
    assert_eq!(days, ["closed"; 7], "{week}");
    assert!(week.contains("September 2026") && week.contains("October 2026"), "{week}");
    let paper = browser.print(&url, &folder.join("report.pdf")).await;
    assert!(paper.starts_with(b"%PDF-"), "no PDF");
}
