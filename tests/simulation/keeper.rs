//! What the engine's rows are kept in: tables in memory, or the released store on a file system in memory.

use std::collections::BTreeMap;

use muster_collector::{
    domain::{
        calendar::Span,
        ids::HostNo,
        record::{Loaded, Row, SpanRow},
        time::Timestamp,
    },
    store::Store,
};
use muster_tests::measure::ground;

use super::{memory::Memory, script::HOSTS};

/// Keeps rows, and outlives the engine.
pub(crate) enum Keeper {
    Memory(Box<Memory>),
    Store(Box<Shelf>),
}

/// The real store in a directory of its own.
pub(crate) struct Shelf {
    directory: tempfile::TempDir,
    /// None only while it is opened again.
    store: Option<Store>,
    runtime: tokio::runtime::Runtime,
}

impl Keeper {
    pub(crate) fn memory() -> Self {
        Self::Memory(Box::default())
    }

    pub(crate) fn store(now: Timestamp) -> Self {
        let directory = tempfile::TempDir::new_in(ground::shared_memory()).unwrap();
        let store = Some(Store::open(directory.path(), now).unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        Self::Store(Box::new(Shelf { directory, store, runtime }))
    }

    pub(crate) fn commit(&mut self, rows: Vec<Row>) {
        match self {
            Self::Memory(memory) => memory.commit(rows),
            Self::Store(shelf) => shelf.runtime.block_on(shelf.open().commit(rows)).unwrap(),
        }
    }

    pub(crate) fn load(&self) -> Loaded {
        match self {
            Self::Memory(memory) => memory.load(),
            Self::Store(shelf) => shelf.runtime.block_on(shelf.open().load()).unwrap(),
        }
    }

    /// The collector ends here and is started again.
    pub(crate) fn kill(&mut self, now: Timestamp) {
        match self {
            Self::Memory(memory) => memory.last_ran = Some(now),
            Self::Store(shelf) => {
                shelf.runtime.block_on(shelf.open().heartbeat(now)).unwrap();
                shelf.store = None;
                shelf.store = Some(Store::open(shelf.directory.path(), now).unwrap());
            }
        }
    }

    /// All ledgers.
    pub(crate) fn spans(&self) -> BTreeMap<HostNo, Vec<SpanRow>> {
        match self {
            Self::Memory(memory) => memory.spans.clone(),
            Self::Store(shelf) => {
                let hosts = (1..).take(HOSTS).map(HostNo).collect();
                let ever = Span { from: Timestamp::from_ms(0), until: Timestamp::from_ms(i64::MAX) };
                let ledgers = shelf.runtime.block_on(shelf.open().ledgers(hosts, ever)).unwrap();
                ledgers.into_iter().map(|(host, entries)| (host, entries.rows)).collect()
            }
        }
    }

    /// What does not fit in the chains of hashes, in words.
    pub(crate) fn broken_links(&self) -> Vec<String> {
        match self {
            Self::Memory(_) => Vec::new(),
            Self::Store(shelf) => shelf.runtime.block_on(shelf.open().verify_chains()).unwrap(),
        }
    }
}

impl Shelf {
    fn open(&self) -> &Store {
        self.store.as_ref().unwrap()
    }
}
