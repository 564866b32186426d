//! Every parser of foreign text, fed with damaged text: [`damage`] makes it, [`weigh`] counts the memory it costs,
//! [`drive`] runs the cases and finds again the one that failed; the rest are the parsers.

pub(crate) mod agent;
pub(crate) mod bus;
pub(crate) mod collector;
pub(crate) mod damage;
pub(crate) mod drive;
pub(crate) mod hardware;
pub(crate) mod page;
pub(crate) mod sources;
pub(crate) mod spool;
pub(crate) mod weigh;

use damage::Rng;

/// What one case read.
pub(crate) struct Read {
    pub(crate) bytes: usize,
    /// Damaged texts; a source may read several at once.
    pub(crate) texts: usize,
}

impl Read {
    /// One text of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { bytes, texts: 1 }
    }
}

/// A parser with what it is fed.
pub(crate) trait Parser {
    /// Forgets all earlier cases.
    fn begin(&mut self);

    /// One case; what was read, or what should not be.
    ///
    /// # Errors
    /// What is promised and was not kept.
    fn case(&mut self, rng: &mut Rng) -> Result<Read, String>;
}

/// A parser by its name, made in the thread that drives it.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) make: Box<dyn Fn() -> Box<dyn Parser> + Send + Sync>,
}

impl Row {
    pub(crate) fn new<P: Parser + 'static>(name: &str, make: impl Fn() -> P + Send + Sync + 'static) -> Self {
        Self { name: name.to_owned(), make: Box::new(move || Box::new(make())) }
    }

    /// A parser without memory: `read` gets a damaged one of the samples, which lend each other pieces.
    pub(crate) fn bytes(name: &str, samples: Vec<Vec<u8>>, read: fn(&[u8]) -> Result<(), String>) -> Self {
        Self::new(name, move || Plain { samples: samples.clone(), read })
    }

    /// The same for text.
    pub(crate) fn text(name: &str, samples: &[&str], read: fn(&[u8]) -> Result<(), String>) -> Self {
        Self::bytes(name, samples.iter().map(|sample| sample.as_bytes().to_vec()).collect(), read)
    }
}

struct Plain {
    samples: Vec<Vec<u8>>,
    read: fn(&[u8]) -> Result<(), String>,
}

impl Parser for Plain {
    fn begin(&mut self) {}

    fn case(&mut self, rng: &mut Rng) -> Result<Read, String> {
        let (one, other) = (rng.below(self.samples.len()), rng.below(self.samples.len()));
        let bytes = damage::damaged(&self.samples[one], &self.samples[other], rng);
        (self.read)(&bytes).map(|()| Read::of(bytes.len()))
    }
}

/// All parsers.
pub(crate) fn rows() -> Vec<Row> {
    let mut rows = sources::rows();
    rows.extend(bus::rows());
    rows.extend(agent::rows());
    rows.extend(spool::rows());
    rows.extend(collector::rows());
    rows.extend(hardware::rows());
    rows
}

/// An error with these words unless `kept`.
pub(crate) fn promise(kept: bool, words: impl FnOnce() -> String) -> Result<(), String> {
    if kept { Ok(()) } else { Err(words()) }
}
