//! What this machine's own agent said, second by second.

use std::time::Duration;

use muster_agent::clock;
use muster_agent::gather::{Gathered, Gatherer, SourceStatus};
use muster_agent::host::Host;
use muster_agent::probe::Kind;

use crate::wait::pass;

/// One collection may take this long.
const DEADLINE: Duration = Duration::from_secs(1);
/// Label that tells a repeated series from its original.
const COPY: &str = "copy";

/// One series over the whole recording.
#[derive(Debug, Clone)]
pub struct Track {
    /// The source that says it.
    pub source: &'static str,
    /// Its family's name.
    pub name: String,
    /// Its family's type.
    pub kind: Kind,
    /// Its family's help text.
    pub help: String,
    /// Its labels.
    pub labels: Vec<(String, String)>,
    /// One value per second.
    pub values: Vec<f64>,
}

/// A machine, recorded.
#[derive(Debug, Clone)]
pub struct Recording {
    /// All series, those of one source together.
    pub tracks: Vec<Track>,
    /// How the sources were.
    pub sources: Vec<SourceStatus>,
    /// Seconds recorded.
    pub seconds: usize,
    /// Series that the machine said of itself.
    pub own_series: usize,
}

impl Recording {
    /// Records this machine for so many seconds, with the agent's own probes; 0 is one collection, now.
    pub async fn make(seconds: usize) -> Self {
        let mut gatherer = Gatherer::start(Host::live());
        let mut frames = vec![gatherer.collect(clock::now(), DEADLINE).await];
        for _ in 1..seconds {
            pass(Duration::from_secs(1)).await;
            frames.push(gatherer.collect(clock::now(), DEADLINE).await);
        }
        Self::of(&frames)
    }

    /// Keeps the series that were there all the time.
    fn of(frames: &[Gathered]) -> Self {
        let mut tracks = Vec::new();
        for section in frames.first().map_or(&[][..], |frame| &frame.table.sections) {
            for (family, series, _) in section.samples() {
                let value_in = |frame: &Gathered| {
                    let same = frame.table.sections.iter().find(|other| other.source() == section.source())?;
                    same.samples().find(|(_, other, _)| other.id == series.id).map(|(_, _, value)| value)
                };
                let Some(values) = frames.iter().map(value_in).collect::<Option<Vec<f64>>>() else { continue };
                tracks.push(Track {
                    source: section.source(),
                    name: family.name.to_string(),
                    kind: family.kind,
                    help: family.help.to_string(),
                    labels: series.labels().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                    values,
                });
            }
        }
        let sources = frames.first().map(|frame| frame.sources.clone()).unwrap_or_default();
        Self { own_series: tracks.len(), tracks, sources, seconds: frames.len() }
    }

    /// The same machine with exactly so many series: every n-th is left out, or all are repeated with one more label.
    #[must_use]
    pub fn with_series(mut self, wanted: usize) -> Self {
        let own = self.tracks.len();
        if own == 0 {
            return self;
        }
        if own >= wanted {
            let mut index = 0;
            self.tracks.retain(|_| {
                index += 1;
                index * wanted / own != (index - 1) * wanted / own
            });
            return self;
        }
        let mut all = Vec::with_capacity(wanted);
        for (index, track) in self.tracks.iter().enumerate() {
            let copies = wanted / own + usize::from(index < wanted % own);
            for copy in 0..copies {
                let mut track = track.clone();
                if copy > 0 {
                    track.labels.push((COPY.to_owned(), copy.to_string()));
                }
                all.push(track);
            }
        }
        self.tracks = all;
        self
    }

    /// Which share of the values differs from `step` seconds before, on average.
    #[must_use]
    pub fn changing(&self, step: usize) -> f64 {
        let moments = self.seconds.saturating_sub(step);
        let differs = |track: &Track| {
            (0..moments).filter(|at| track.values[*at].to_bits() != track.values[at + step].to_bits()).count()
        };
        let changed: usize = self.tracks.iter().map(differs).sum();
        changed as f64 / (self.tracks.len() * moments).max(1) as f64
    }

    /// Makes at least this share of the values change every `step` seconds: the busiest still counters begin to count,
    /// as they do on a busier machine. Returns how many were made to.
    pub fn liven(&mut self, step: usize, share: f64) -> usize {
        let wanted = (share * self.tracks.len() as f64).ceil() as usize;
        let moving = (self.changing(step) * self.tracks.len() as f64) as usize;
        let still = |track: &&mut Track| {
            track.kind == Kind::Counter && track.values.windows(2).all(|pair| pair[0].to_bits() == pair[1].to_bits())
        };
        let mut livened = 0;
        for (number, track) in self.tracks.iter_mut().filter(still).take(wanted.saturating_sub(moving)).enumerate() {
            for (second, value) in track.values.iter_mut().enumerate() {
                *value += ((number % 7 + 1) * second) as f64;
            }
            livened += 1;
        }
        livened
    }
}
