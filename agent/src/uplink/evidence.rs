//! Evidence that the collector asks for: looked for on a thread of its own, so that nothing else waits, and spooled.

use std::future::Future;
use std::pin::Pin;

use tokio::sync::oneshot;

use super::Uplink;
use crate::evidence::{Evidence, Outcome, SOURCES, Source};
use crate::report;
use crate::spool::Kind;

/// The thread's stack: it reads small files.
const STACK_BYTES: usize = 256 * 1024;
/// So much of a name is repeated to whoever asked for it.
const NAME_CHARS: usize = 40;

/// A look under way.
pub(super) type Looking = Pin<Box<dyn Future<Output = Evidence>>>;

impl Uplink {
    /// Begins to look at a source, unless it is looking already. What to answer: nothing, or why not.
    pub(super) fn begin_looking(&mut self, name: &str) -> String {
        let Some(source) = Source::named(name) else {
            let known: Vec<&str> = SOURCES.iter().map(|source| source.name).collect();
            let name: String = name.chars().take(NAME_CHARS).collect();
            return format!("{name:?} is no source of evidence known to this agent: expected {}", known.join(", "));
        };
        if self.looking.is_some() {
            return "another look at a source of evidence is under way: ask again when its record is here".to_owned();
        }
        let (sender, receiver) = oneshot::channel();
        let host = self.parts.host.clone();
        let thread = std::thread::Builder::new().name("muster-evidence".to_owned()).stack_size(STACK_BYTES);
        // Nobody waits any more when the agent stops.
        match thread.spawn(move || drop(sender.send(source.look(&host)))) {
            Ok(_) => {
                let failed = Outcome::Failed("the look ended without an outcome".to_owned());
                let without = Evidence { source: source.name, outcome: failed };
                self.looking = Some(Box::pin(async { receiver.await.unwrap_or(without) }));
                String::new()
            }
            Err(error) => format!("no thread could be started: {error}"),
        }
    }

    /// What was found becomes a record, on the disk before it is sent.
    pub(super) fn looked(&mut self, evidence: &Evidence) {
        self.record(Kind::Urgent, self.now(), report::evidence_record(evidence));
    }
}
