//! Labels: each source over the one before, each heard again when the one above falls silent, and nothing unseen.

use muster_tests::{Agent, Collector, eventually, http};
use serde_json::{Value, json};

use crate::s;

/// The value of a label and who says it, as the API tells it.
async fn said(collector: &Collector, host: &str, label: &str) -> (Value, Value) {
    let host = collector.get(&format!("/api/v1/hosts/{host}")).await.json();
    let value = if matches!(label, "site" | "class" | "watch") { &host[label] } else { &host["labels"][label] };
    (value.clone(), host["sources"][label].clone())
}

/// Who did what to this host's labels, newest first, and the list's imports.
async fn audit(collector: &Collector, host: &str) -> Vec<String> {
    let token = collector.cli(&["api-token", "create", "--role", "admin", "--ttl", "10m"]).await;
    let bearer = format!("Bearer {token}");
    let url = collector.url("/api/v1/audit?limit=200");
    let log = http::ask(&url, &[("authorization", &bearer)]).await.expect("it answers").text();
    let log: Value = serde_json::from_str(&log).expect("JSON");
    let ours = |line: &&Value| line["subject"] == host || line["action"] == "asset.import";
    let words =
        |line: &Value| ["who", "from", "detail"].map(|key| line[key].as_str().unwrap_or("?").to_owned()).join(" | ");
    log["items"].as_array().expect("a list").iter().filter(ours).map(words).collect()
}

/// A list as Excel writes it.
fn list(collector: &Collector, rows: &str) -> String {
    let file = collector.home().join("assets.csv");
    std::fs::write(&file, format!("\u{feff}name;site;owner\r\n{rows}")).expect("a file of our own");
    file.to_string_lossy().into_owned()
}

/// Rules by this machine's name and by an address.
fn rules(address: &str) -> String {
    let hostname = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!(
        "[[host_rule]]\nname = \"{hostname}*\"\nlabels = {{ by = \"name\", kind = \"rule\" }}\n\
         [[host_rule]]\naddress = \"{address}\"\nsite = \"by-rule\"\nlabels = {{ by = \"address\" }}\n"
    )
}

/// An agent with labels of its own, up, that enrolled with a token that gives others; its id and name.
async fn labelled(collector: &Collector) -> (Agent, String, String) {
    let mut agent = Agent::new(None);
    agent.configure("[labels]\nsite = \"own-word\"\nowner = \"own-word\"\nfloor = \"3\"");
    let token = ["token", "create", "--kind", "single", "--class", "server", "--watch", "fast"];
    let token = collector.cli(&[&token[..], &["--site", "by-token", "--label", "owner=by-token"]].concat()).await;
    let enrolled = agent.enrol(&collector.address(), &token).await;
    assert_eq!(enrolled.code, 0, "{}", enrolled.all());
    agent.run();
    let up = || async { collector.hosts().await.into_iter().find(|host| host["state"] == "up") };
    let host = eventually("it is up", s(20), up).await;
    let text = |key: &str| host[key].as_str().expect("a text").to_owned();
    let (id, name) = (text("id"), text("name"));
    (agent, id, name)
}

/// The list as it was imported, for people, for programs, and as it is imported again.
async fn is_listed_and_imported_again(collector: &Collector, name: &str) {
    let listed = collector.cli(&["asset", "list"]).await;
    let known = name.to_lowercase();
    let line = |row: &str| listed.lines().find(|line| line.starts_with(row)).unwrap_or_default().to_owned();
    let words = |line: String| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(words(line("not-yet-here")), "not-yet-here waits site=ulm", "{listed}");
    assert_eq!(words(line(&known)), format!("{known} {name} owner=by-list site=by-list"), "{listed}");
    let written = collector.cli(&["asset", "list", "--format", "csv"]).await;
    let again = collector.home().join("again.csv");
    std::fs::write(&again, &written).expect("a file of our own");
    let looked = collector.cli(&["asset", "import", &again.to_string_lossy(), "--dry-run"]).await;
    assert!(looked.starts_with("1 host is in the list, 0 would change"), "{looked}");
    let rows: Value = serde_json::from_str(&collector.cli(&["asset", "list", "--format", "json"]).await).expect("JSON");
    let expected = json!({ "name": "not-yet-here", "says": { "site": "ulm" }, "hosts": [] });
    assert!(rows.as_array().is_some_and(|rows| rows.len() == 2 && rows.contains(&expected)), "{rows}");
}

#[tokio::test]
async fn each_source_is_shown_beaten_by_the_next_and_heard_again_when_that_falls_silent() {
    let mut collector = Collector::prepare("");
    collector.configure(&rules("127.0.0.0/8"));
    collector.run().await;
    let (_agent, id, name) = labelled(&collector).await;
    let site = async |collector: &Collector| said(collector, &id, "site").await;
    let is = |value: &str, source: &str| (json!(value), json!(source));

    // Its own word is shown as such, the token beats it, rules by name and address beat the token.
    assert_eq!(said(&collector, &id, "floor").await, is("3", "agent"));
    assert_eq!(said(&collector, &id, "owner").await, is("by-token", "token"));
    assert_eq!(said(&collector, &id, "by").await, is("address", "rule"));
    assert_eq!(said(&collector, &id, "kind").await, is("rule", "rule"));
    assert_eq!(site(&collector).await, is("by-rule", "rule"));

    // The list over that, looked at first.
    let file = list(&collector, &format!("{};by-list;by-list\r\nnot-yet-here;ulm;\r\n", name.to_uppercase()));
    let looked = collector.cli(&["asset", "import", &file, "--dry-run"]).await;
    assert!(looked.contains("asset: owner=by-list site=by-list") && looked.contains("1 would change"), "{looked}");
    assert!(looked.contains("1 row waits for a host that has not enrolled: not-yet-here"), "{looked}");
    assert_eq!(site(&collector).await, is("by-rule", "rule"), "a preview changes nothing");
    for _ in 0..2 {
        collector.cli(&["asset", "import", &file]).await;
        assert_eq!(site(&collector).await, is("by-list", "asset"));
    }
    is_listed_and_imported_again(&collector, &name).await;
    // A person over that.
    collector.cli(&["host", "label", &name, "--site", "by-hand"]).await;
    assert_eq!(site(&collector).await, is("by-hand", "person"));
    let shown = collector.cli(&["host", "show", &name]).await;
    for (layer, value) in
        [("agent", "own-word"), ("token", "by-token"), ("rule", "by-rule"), ("asset", "by-list"), ("person", "by-hand")]
    {
        assert!(shown.contains(&format!("site={value}")) && shown.contains(layer), "{layer}: {shown}");
    }
    let page = collector.get(&format!("/hosts/{id}")).await.body;
    for said in ["by-hand", "asset: by-list", "rule: by-rule", "token: by-token", "agent: own-word"] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert!(collector.get("/metrics").await.body.contains("site=\"by-hand\""));

    // Each removed again shows the one below, over a restart too.
    collector.stop().await;
    collector.run().await;
    assert_eq!(site(&collector).await, is("by-hand", "person"));
    collector.cli(&["host", "label", &name, "--site", ""]).await;
    assert_eq!(site(&collector).await, is("by-list", "asset"));
    let other = list(&collector, "not-yet-here;ulm;\r\n");
    collector.cli(&["asset", "import", &other]).await;
    assert_eq!(site(&collector).await, is("by-rule", "rule"));
    collector.stop().await;
    collector.configure(&rules("10.99.0.0/16"));
    collector.run().await;
    assert_eq!(site(&collector).await, is("by-token", "token"));
    assert_eq!(said(&collector, &id, "by").await, is("name", "rule"));

    // Who, from where and what, newest first.
    let uid = rustix::process::getuid().as_raw();
    let expected = [
        "collector | collector.toml | rule: site= by=name".to_owned(),
        format!("uid:{uid} | socket | asset: owner= site="),
        format!("uid:{uid} | socket | "),
        format!("uid:{uid} | socket | person: site="),
        format!("uid:{uid} | socket | person: site=by-hand"),
        format!("uid:{uid} | socket | "),
        format!("uid:{uid} | socket | asset: owner=by-list site=by-list"),
        format!("uid:{uid} | socket | "),
    ];
    assert_eq!(audit(&collector, &id).await, expected);
}

#[tokio::test]
async fn a_change_of_many_hits_what_its_preview_said_and_the_log_has_it() {
    let collector = Collector::start("").await;
    let first = Agent::up(&collector, "fast").await;
    let second = Agent::up(&collector, "normal").await;
    collector.cli(&["host", "label", &first.name, "--site", "ulm"]).await;
    let change =
        ["host", "label", "--where", "unsorted", "--where", "state=up", "--set", "site=berlin", "--set", "owner=ann"];

    let looked = collector.cli(&[&change[..], &["--dry-run"]].concat()).await;
    let line = format!("{}  person: owner=ann site=berlin", second.name);
    assert_eq!(looked, format!("{line}\n1 host fits, 1 would change"));
    assert_eq!(said(&collector, &second.host, "site").await.0, Value::Null, "a preview changes nothing");
    let done = collector.cli(&change).await;
    assert_eq!(done, format!("{line}\n1 host fits, 1 changed"));
    assert_eq!(said(&collector, &second.host, "site").await, (json!("berlin"), json!("person")));
    assert_eq!(said(&collector, &first.host, "site").await.0, "ulm");
    let uid = rustix::process::getuid().as_raw();
    assert_eq!(audit(&collector, &second.host).await, [format!("uid:{uid} | socket | person: owner=ann site=berlin")]);
    assert_eq!(collector.cli(&change).await, "0 hosts fit, 0 changed");
    assert_eq!(collector.cli(&["host", "list", "--unsorted"]).await, "");

    for (condition, expected) in
        [("colour=blue", "is no condition"), ("state=ill", "a state such as"), ("class=toaster", "server, workstation")]
    {
        let refused = collector.try_cli(&["host", "label", "--where", condition, "--set", "site=x"]).await;
        assert!(refused.code != 0 && refused.err.contains(expected), "{condition}: {}", refused.all());
    }
    let file = list(&collector, "a;b;c;d\r\na;b;c\r\n;x;y\r\n");
    let refused = collector.try_cli(&["asset", "import", &file]).await;
    for place in ["assets.csv", "line 2, column 4", "line 3, column 1", "line 4, column 1"] {
        assert!(refused.code == 1 && refused.err.contains(place), "{place}: {}", refused.err);
    }
}
