//! All that would be sent of this machine, made by what makes the messages themselves, as one JSON document for whoever reviews it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::check::board::Board;
use crate::check::remote::RemoteChecks;
use crate::clock;
use crate::config::Config;
use crate::evidence;
use crate::gather::Gatherer;
use crate::hardware;
use crate::host::Host;
use crate::inventory;
use crate::once;
use crate::report::{self, StreamEncoder};
use crate::uplink;

/// How long the one collection may take: longer than any source's own deadline.
const DEADLINE: Duration = Duration::from_secs(15);
/// What a running agent says when something happens; none of it is of the machine's own.
const ON_OCCASION: [(&str, &str); 9] = [
    ("Beat", "while nothing else is said: an empty message"),
    ("Rollup", "of each minute in which nobody listened: smallest, mean and largest value of the readings above"),
    ("Gap", "when records or readings were lost: from when to when, how many, why"),
    ("ClockStep", "when the clock was set: before and after"),
    ("CheckResults", "when a check's outcome changes: as in `records`"),
    ("Goodbye", "when the agent stops: one number that says why"),
    (
        "Answer, SettingsApplied",
        "to what the collector asks and sets: done, or why not; names of the keys that agent.toml states itself",
    ),
    (
        "Enrol",
        "once: the token, a new key's certificate request, a random number, the clock, and `facts` and `fingerprint` as in `hello`",
    ),
    (
        "Recover, Renew",
        "before and after a certificate has ended: a new key's request, signed; the certificate that has ended",
    ),
];
/// What of `hello` the running agent knows alone.
const OF_THE_RUN: &str = "starts, generation, epoch, first_kept, last_record, settings_version (counters of the agent and of its spool), \
                          alive (when it ran), inventory_hash and dictionary_hash (of what is shown below)";

/// The document. `host` is read as [`crate::app::run`] reads it; `inventoried` as the process that takes the inventory.
pub async fn all(host: Host, inventoried: &Host, config: &Config) -> String {
    // A running agent keeps a board for those that the collector may set, too.
    let some_may_come = config.remote_checks != RemoteChecks::None || !config.checks.is_empty();
    let empty = || some_may_come.then(|| Arc::new(Board::new(Vec::new())));
    let board = once::checked(&host, config.checks.clone()).await.or_else(empty);
    let host = match &board {
        Some(board) => host.with_checks(board),
        None => host,
    };
    let gathered = Gatherer::start(host.clone()).collect(clock::now(), DEADLINE).await;
    let report = StreamEncoder::new().encode(&gathered);
    let told = board.as_ref().map_or_else(Vec::new, |board| {
        board.say_again();
        board.take_unsaid(Instant::now())
    });
    let mut records = report::check_records(&told);
    if config.hardware.is_some() {
        let batches = hardware::print::look(&host);
        let found = batches.iter().flat_map(|batch| &batch.found);
        records.extend(found.filter_map(report::hardware_record));
    }
    if config.inventory.is_some() {
        for section in inventory::print::look(inventoried, &config.wanted) {
            let (told, _) = inventory::kept::delta(&section, None, false);
            let messages = told.iter().flat_map(report::inventory_messages);
            records.extend(messages.filter_map(|message| report::inventory_record(&message)));
        }
    }
    let asked: Vec<Value> = evidence::SOURCES
        .iter()
        .map(|source| report::shown_record(&report::evidence_record(&source.look(&host))))
        .collect();
    let occasions: Vec<Value> =
        ON_OCCASION.iter().map(|(message, when)| json!({ "message": message, "when": when })).collect();
    let document = json!({
        "schema": 1,
        "hello": report::shown_hello(&uplink::introduction(&host, &config.labels, clock::now())),
        "of_the_run": OF_THE_RUN,
        "report": report::shown_report(&report),
        "records": records.iter().map(report::shown_record).collect::<Vec<_>>(),
        "when_asked": asked,
        "on_occasion": occasions,
    });
    format!("{document:#}\n")
}
