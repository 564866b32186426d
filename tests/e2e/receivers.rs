//! Pages at the services of others: every kind of receiver is told of the problem, then of its end, under one key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use muster_tests::process::{program, run};
use muster_tests::service::Heard;
use muster_tests::{Agent, Collector, Service, eventually};
use serde_json::Value;
use tokio::process::Command;

use crate::s;

/// The services, each answering as it does when all is well; the first tries of one fail.
struct Services {
    pagerduty: Service,
    ntfy: Service,
    slack: Service,
    teams: Service,
    twilio: Service,
    tools: Service,
}

impl Services {
    async fn start() -> Self {
        let taken = r#"{"status":"success","message":"Event processed","dedup_key":"x"}"#;
        Self {
            pagerduty: Service::start(&[503, 429], (202, taken)).await,
            ntfy: Service::start(&[], (200, r#"{"id":"n1"}"#)).await,
            slack: Service::start(&[], (200, "ok")).await,
            teams: Service::start(&[], (202, "")).await,
            twilio: Service::start(&[], (201, r#"{"sid":"SM1","status":"queued"}"#)).await,
            tools: Service::start(&[], (200, "")).await,
        }
    }

    fn all(&self) -> [(&'static str, &Service); 6] {
        [
            ("pagerduty", &self.pagerduty),
            ("ntfy", &self.ntfy),
            ("slack", &self.slack),
            ("teams", &self.teams),
            ("twilio", &self.twilio),
            ("tools", &self.tools),
        ]
    }

    /// All of them and a script as receivers, their secrets in files of `home`.
    fn tables(&self, home: &Path) -> String {
        let file = |name: &str, content: &str| {
            let path = home.join(name);
            std::fs::write(&path, content).expect("a file in a directory of our own");
            path.display().to_string()
        };
        let key = file("pagerduty.key", "0123456789abcdef0123456789abcdef\n");
        let token = file("token", "hunter2\n");
        let slack = file("slack.url", &self.slack.url("/services/T0/B0/hunter2"));
        let teams = file("teams.url", &self.teams.url("/workflows/1?sig=hunter2"));
        let script = file("page.sh", "#!/bin/sh\ncat >> \"$1\"; echo >> \"$1\"\n");
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).expect("our own file");
        let told = home.join("told").display().to_string();
        let receiver = |name: &str, keys: String| format!("[[receiver]]\nname = \"{name}\"\n{keys}\n");
        let (pagerduty, ntfy) = (self.pagerduty.url("/v2/enqueue"), self.ntfy.url("/on-call"));
        let (twilio, tools) = (self.twilio.url("/"), self.tools.url("/alerts"));
        [
            receiver("pagerduty", format!("kind = \"pagerduty\"\nurl = \"{pagerduty}\"\nrouting_key_file = \"{key}\"")),
            receiver("ntfy", format!("kind = \"ntfy\"\nurl = \"{ntfy}\"\ntoken_file = \"{token}\"")),
            receiver("slack", format!("kind = \"slack\"\nurl_file = \"{slack}\"")),
            receiver("teams", format!("kind = \"teams\"\nurl_file = \"{teams}\"")),
            receiver(
                "twilio",
                format!(
                    "kind = \"twilio\"\nurl = \"{twilio}\"\naccount = \"AC0123456789abcdef0123456789abcdef\"\n\
                     token_file = \"{token}\"\nfrom = \"+4930111222\"\nto = [\"+4915112345678\"]"
                ),
            ),
            receiver("script", format!("kind = \"script\"\ncommand = [\"{script}\", \"{told}\"]")),
            receiver("tools", format!("kind = \"alertmanager_webhook\"\nurl = \"{tools}\"\ntoken_file = \"{token}\"")),
        ]
        .concat()
    }
}

/// What the script was given so far, page by page.
fn told(home: &Path) -> Vec<Value> {
    let all = std::fs::read_to_string(home.join("told")).unwrap_or_default();
    all.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// A page of the story; the machine that the tests run on may have findings of its own.
fn is_of_story(heard: &Heard) -> bool {
    let text = heard.body.replace('+', " ");
    text.contains("\"liveness/") || text.contains("is down") || text.contains("has lost its agent")
}

/// What a request told, and under which key, as the receiver at the other end reads it.
fn read(name: &str, heard: &Heard) -> (String, String) {
    let (json, text) = (heard.json(), |value: &Value| value.as_str().unwrap_or_default().to_owned());
    let card = &json["attachments"][0]["content"];
    match name {
        "pagerduty" => (text(&json["event_action"]), text(&json["dedup_key"])),
        "ntfy" => (text(&json["title"]), text(&json["click"])),
        "slack" => {
            let link = text(&json["blocks"][0]["text"]["text"]);
            (text(&json["text"]), link.split(['<', '|']).nth(1).unwrap_or_default().to_owned())
        }
        "teams" => (text(&card["body"][0]["text"]), text(&card["actions"][0]["url"])),
        "twilio" => {
            let body = heard.body.replace('+', " ");
            let body = body.split('&').find_map(|pair| pair.strip_prefix("Body=")).unwrap_or_default();
            (body.to_owned(), number_of(body))
        }
        _ => (text(&json["status"]), text(&json["groupKey"])),
    }
}

/// The incident's number in a text message.
fn number_of(body: &str) -> String {
    let after = body.split("%23").nth(1).unwrap_or_default();
    after.chars().take_while(char::is_ascii_digit).collect()
}

/// How each says that there is a problem, and that it is over.
const WORDS: [(&str, &str, &str); 6] = [
    ("pagerduty", "trigger", "resolve"),
    ("ntfy", "[critical] ", "[resolved] "),
    ("slack", ":rotating_light: [critical] ", ":white_check_mark: [resolved] "),
    ("teams", "[critical] ", "[resolved] "),
    ("twilio", "CRITICAL ", "RESOLVED "),
    ("tools", "firing", "resolved"),
];

#[tokio::test]
async fn an_outage_and_its_end_reach_every_kind_of_receiver_in_this_order_under_one_key() {
    let services = Services::start().await;
    let mut collector = Collector::prepare("");
    collector.configure(&services.tables(collector.home()));
    collector.run().await;
    let mut agent = Agent::up(&collector, "fast").await;

    agent.kill().await;
    for (name, service) in services.all() {
        service.wait(&format!("the problem at {name}"), 1, s(60), is_of_story).await;
    }
    eventually("the problem at the script", s(60), || async { told(collector.home()).into_iter().find(is_liveness) })
        .await;

    agent.run();
    for ((name, service), (_, problem, over)) in services.all().into_iter().zip(WORDS) {
        let taken = service.wait(&format!("the end at {name}"), 2, s(60), is_of_story).await;
        let (first, last) = (read(name, &taken[0]), read(name, &taken[taken.len() - 1]));
        assert!(first.0.starts_with(problem) && last.0.starts_with(over), "{name}: {taken:#?}");
        assert!(!first.1.is_empty() && first.1 == last.1, "{name}: one key: {first:?} {last:?}");
    }
    let both = || async {
        Some(told(collector.home())).filter(|told| told.iter().filter(|one| is_liveness(one)).count() >= 2)
    };
    let told: Vec<Value> =
        eventually("the end at the script", s(60), both).await.into_iter().filter(is_liveness).collect();
    let kinds: Vec<&str> = told.iter().filter_map(|page| page["type"].as_str()).collect();
    assert_eq!(kinds, ["incident.opened", "incident.resolved"]);
    assert!(told[0]["data"]["key"] == told[1]["data"]["key"] && told[0]["id"] != told[1]["id"], "{told:#?}");
    assert_eq!(told[0]["data"]["host"], agent.name.as_str());

    assert_eq!(services.pagerduty.refused(), 2, "503 and 429 are tried again");
    let bearer = |service: &Service| service.taken(|_| true)[0].authorization.clone().unwrap_or_default();
    assert_eq!((bearer(&services.ntfy), bearer(&services.tools)), ("Bearer hunter2".into(), "Bearer hunter2".into()));
    let log = collector.log();
    assert!(!log.contains("hunter2") && !log.contains("0123456789abcdef0123456789abcdef"), "{log}");
}

fn is_liveness(page: &Value) -> bool {
    page["data"]["key"].as_str().is_some_and(|key| key.starts_with("liveness/"))
}

#[tokio::test]
async fn a_test_page_reaches_every_kind_of_receiver() {
    let services = Services::start().await;
    let mut collector = Collector::prepare("");
    collector.configure(&services.tables(collector.home()));
    collector.run().await;
    for name in ["pagerduty", "ntfy", "slack", "teams", "twilio", "tools", "script"] {
        collector.cli(&["route", "test", name]).await;
    }
    for (name, service) in services.all() {
        let is_test = |heard: &Heard| heard.body.replace('+', " ").contains("Test page from Muster");
        let taken = service.wait(&format!("the test page at {name}"), 1, s(30), is_test).await;
        assert_eq!(taken.len(), 1, "{name}: {taken:#?}");
    }
    let at_script = || async { told(collector.home()).into_iter().find(|page| page["type"] == "test") };
    let page = eventually("the test page at the script", s(30), at_script).await;
    assert_eq!(page["subject"], "[test] Test page from Muster: nothing is wrong");
}

#[tokio::test]
async fn what_is_wrong_with_receivers_is_told_before_anything_starts() {
    let home = tempfile::TempDir::new().expect("a directory");
    let file = home.path().join("collector.toml");
    let check = async |text: &str| {
        std::fs::write(&file, text).expect("a file in a directory of our own");
        run(Command::new(program("muster-collector")).arg("check-config").arg("--config").arg(&file)).await
    };
    let wrong = "[[receiver]]\nname = \"a\"\nkind = \"slack\"\nurl = \"http://169.254.169.254/hunter2\"\n\
                 title = \"{{ severty }}\"\n[[receiver]]\nname = \"b\"\nkind = \"script\"\ncommand = [\"page\"]\n";
    let said = check(wrong).await;
    assert_eq!(said.code, 64, "{}", said.all());
    for expected in ["receiver[1].url_file", ":5: receiver[1].title", "a template that renders", "receiver[2].command"]
    {
        assert!(said.err.contains(expected), "{expected}: {}", said.err);
    }
    assert!(!said.all().contains("hunter2"), "{}", said.all());

    let inline = "[[receiver]]\nname = \"a\"\nkind = \"ntfy\"\nurl = \"https://ntfy.sh/x\"\ntoken = \"hunter2\"\n";
    let said = check(inline).await;
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(said.err.contains(":5: receiver[1].token: a secret stands in this file"), "{}", said.err);
    assert!(said.err.contains("set token_file to its path") && !said.all().contains("hunter2"), "{}", said.all());
}
