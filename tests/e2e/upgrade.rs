//! The first upgrade: new programs on the old state, and the way back.

use muster_tests::{Agent, Collector, Webhook, never};

use crate::s;

#[tokio::test]
async fn new_programs_go_on_with_the_old_state_and_page_nobody() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::up(&collector, "normal").await;

    assert_eq!(collector.stop().await, 0, "{}", collector.log());
    collector.run().await;
    assert_eq!(agent.stop().await, 0, "{}", agent.log());
    agent.run();
    let host = collector.host_is(&agent.host, "up", s(30)).await;
    assert_eq!(host["name"], agent.name);
    assert_eq!(collector.hosts().await.len(), 1, "it is the same host");
    never("a page for an upgrade", s(40), || async { hook.messages().pop() }).await;
}

#[tokio::test]
async fn an_older_program_refuses_a_newer_store_says_which_and_leaves_it_untouched() {
    let mut collector = Collector::start("").await;
    collector.stop().await;
    let file = collector.state().join("state.db");
    let store = || rusqlite::Connection::open(&file).expect("the store is a database");
    let known = "SELECT value FROM meta WHERE key = 'schema_version'";
    let own: String = store().query_row(known, [], |row| row.get(0)).expect("the store keeps its version in meta");
    let set = |version: &str| {
        let change = "UPDATE meta SET value = ?1 WHERE key = 'schema_version'";
        assert_eq!(store().execute(change, [version]).expect("meta can be changed"), 1);
    };
    set("999");
    let newer = std::fs::read(&file).expect("the store is a file");

    let code = collector.spawn().ended(s(20)).await;
    assert_eq!(code, 1, "{}", collector.log());
    let log = collector.log();
    assert!(log.contains("state.db") && log.contains("999") && log.contains("newer"), "{log}");
    assert!(std::fs::read(&file).expect("the store is a file") == newer, "it is left untouched");

    set(&own);
    collector.run().await;
}

#[tokio::test]
async fn a_store_of_the_first_release_is_brought_up_to_date_and_kept_beside() {
    let mut collector = Collector::start("").await;
    let agent = Agent::up(&collector, "normal").await;
    collector.stop().await;
    let file = collector.state().join("state.db");
    let store = rusqlite::Connection::open(&file).expect("the store is a database");
    // What the later schemas added.
    let back = "DROP INDEX audit_at; DROP TABLE asset; ALTER TABLE host DROP COLUMN layers;
        ALTER TABLE host ADD COLUMN sources TEXT NOT NULL DEFAULT '{}';
        UPDATE host SET site = 'ulm', sources = '{\"site\": \"person\", \"class\": \"guess\", \"watch\": \"token\"}';
        DROP TABLE check_state; DROP TABLE rule_override; DROP TABLE settings; DROP TABLE settings_given;
        DROP TABLE device; DROP TABLE parent; DROP TABLE hold; DROP TABLE on_call_override;
         DROP TABLE heartbeat; DROP TABLE heartbeat_secret; DROP TABLE handoff; DROP INDEX page_decided; DROP TABLE absence;
         DROP TABLE dismissal; DROP INDEX incident_opened;
         DROP TABLE host_change;
         DROP TABLE test_page;
         DROP TABLE check_span; DROP TABLE amendment; DROP TABLE agreement;
         DROP TABLE report_issue; DROP TABLE report_delivery; DROP TABLE report_document; DROP TABLE agreement_link;
        ALTER TABLE liveness DROP COLUMN answered_ms; ALTER TABLE finding DROP COLUMN cause;
        UPDATE meta SET value = '1' WHERE key = 'schema_version'";
    store.execute_batch(back).expect("the first schema");
    drop(store);
    collector.run().await;
    let host = collector.host_is(&agent.host, "up", s(30)).await;
    assert_eq!((&host["site"], &host["sources"]["site"]), (&"ulm".into(), &"person".into()), "{host:#}");
    let newest: String = rusqlite::Connection::open(&file)
        .and_then(|store| store.query_row("SELECT value FROM meta WHERE key = 'schema_version'", [], |row| row.get(0)))
        .expect("the store keeps its version in meta");
    assert!(collector.state().join(format!("state.db.before-{newest}")).exists(), "the store before is kept");
}
