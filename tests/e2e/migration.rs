//! A new program on old records that are many: it says what it does and how far it is, and systemd waits for it.

use std::path::Path;
use std::sync::{Arc, Mutex};

use muster_tests::{Collector, eventually};
use rusqlite::Connection;
use tokio::net::UnixDatagram;

use crate::s;

/// The steps by which `facts.db` came to schema 5, as released.
const STEPS: [&str; 5] = [
    include_str!("../../collector/src/store/migrations/facts_0001.sql"),
    include_str!("../../collector/src/store/migrations/facts_0002.sql"),
    include_str!("../../collector/src/store/migrations/facts_0003.sql"),
    include_str!("../../collector/src/store/migrations/facts_0004.sql"),
    include_str!("../../collector/src/store/migrations/facts_0005.sql"),
];
/// Packages of 200 hosts.
const HOLDINGS: i64 = 300_000;

/// Puts records of schema 5 in the place of those that are there.
fn older(file: &Path) {
    for end in ["", "-wal", "-shm"] {
        let mut name = file.as_os_str().to_owned();
        name.push(end);
        // Those two are there only while something was not written back.
        let _ = std::fs::remove_file(name);
    }
    let facts = Connection::open(file).expect("a database");
    facts.execute_batch("CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)").expect("a table");
    STEPS.iter().for_each(|step| facts.execute_batch(step).expect("a step"));
    let rows = format!(
        "INSERT INTO meta VALUES ('schema_version', '5');
         INSERT INTO inventory_section VALUES (1, 'packages');
         INSERT INTO thing VALUES (1, 1, 'packages/openssl', 'openssl');
         INSERT INTO item VALUES (1, 1, x'01', '[\"name\",\"openssl\",\"version\",\"3.0.9\"]');
         INSERT INTO holding (host, section, thing, first_ms, item)
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {HOLDINGS} - 1)
         SELECT i % 200 + 1, 1, i / 200 + 1, 1795000000000, 1 FROM n"
    );
    facts.execute_batch(&rows).expect("rows");
}

#[tokio::test]
async fn a_long_migration_says_how_far_it_is_and_systemd_does_not_end_it() {
    let mut collector = Collector::start("").await;
    collector.stop().await;
    let file = collector.state().join("facts.db");
    older(&file);

    let socket = collector.home().join("notify");
    let systemd = UnixDatagram::bind(&socket).expect("a socket in a directory of our own");
    let heard = Arc::new(Mutex::new(Vec::<String>::new()));
    let noting = Arc::clone(&heard);
    let mut listening = tokio::task::JoinSet::new();
    listening.spawn(async move {
        let mut message = vec![0; 4_096];
        while let Ok(length) = systemd.recv(&mut message).await {
            noting.lock().expect("nobody panicked").push(String::from_utf8_lossy(&message[..length]).into_owned());
        }
    });
    collector.notify = Some(socket);
    collector.run().await;
    let all = eventually("it is ready", s(30), || async {
        let all = heard.lock().expect("nobody panicked").clone();
        all.iter().any(|message| message.contains("READY=1")).then_some(all)
    });
    let all = all.await;
    let ready = all.iter().position(|message| message.contains("READY=1")).expect("just found");
    let told = |part: &str| {
        let found = all[..ready].iter().find(|message| message.contains(part));
        found.unwrap_or_else(|| panic!("{part} before it is ready in {all:#?}"))
    };
    for part in ["facts.db is copied to facts.db.before-6 first", "facts.db is brought from schema 5 to 6"] {
        let message = told(part);
        assert!(message.contains("EXTEND_TIMEOUT_USEC=60000000") && message.contains("not serving yet"), "{message}");
    }
    // Both new indexes and the sum of what ended look through all holdings, the last through all items too.
    assert!(told(" rows").contains(&format!(" of {} rows", 3 * HOLDINGS + 1)), "{all:#?}");
    assert!(all[ready].contains("STATUS=serving"), "{}", all[ready]);
    let indexed = "SELECT count(*) FROM holding INDEXED BY holding_block WHERE section = 1 AND host / 32 >= 0";
    let rows = Connection::open(&file).and_then(|facts| facts.query_row(indexed, [], |row| row.get::<_, i64>(0)));
    assert_eq!(rows, Ok(HOLDINGS));
}
