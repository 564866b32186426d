//! One simulated host: the recording as if it were its own, and the files by which it is known.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use muster_agent::clock::{self, Moment};
use muster_agent::gather::Gathered;
use muster_agent::host::Host;
use muster_agent::probe::{Kind, Names, Scratch, Section, Sink, Table};

use super::recording::{Recording, Track};

/// What the wall clocks of all simulated hosts are ahead by, in milliseconds.
pub static CLOCK_AHEAD_MS: AtomicI64 = AtomicI64::new(0);
/// Labels whose values are a host's own.
const OWN_LABELS: [&str; 4] = ["nodename", "address", "uuid", "serial"];

/// Both clocks of the simulated hosts.
#[must_use]
pub fn now() -> Moment {
    let now = clock::now();
    Moment { wall_ms: now.wall_ms + CLOCK_AHEAD_MS.load(Ordering::Relaxed), ..now }
}

/// A simulated host.
pub struct Machine {
    number: usize,
    recording: Arc<Recording>,
    sections: Vec<Arc<Section>>,
    scratch: Scratch,
    /// Where in the recording it is.
    second: usize,
}

impl std::fmt::Debug for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Machine").field("number", &self.number).field("second", &self.second).finish_non_exhaustive()
    }
}

impl Machine {
    /// The host with this number, which begins at a second of its own.
    #[must_use]
    pub fn new(number: usize, recording: Arc<Recording>) -> Self {
        let names = Arc::new(Names::starting_at(1));
        let mut sections: Vec<Arc<Section>> = Vec::new();
        for track in &recording.tracks {
            if sections.last().is_none_or(|section| section.source() != track.source) {
                sections.push(Arc::new(Section::new(track.source, Arc::clone(&names))));
            }
        }
        let second = number * 7 % recording.seconds;
        Self { number, recording, sections, scratch: Scratch::default(), second }
    }

    /// What it collects now; the next collection is `step` seconds later in the recording.
    pub fn collect(&mut self, step: usize) -> Gathered {
        let now = now();
        let mut tracks = &self.recording.tracks[..];
        for section in &mut self.sections {
            let own = tracks.iter().take_while(|track| track.source == section.source()).count();
            let (said, rest) = tracks.split_at(own);
            tracks = rest;
            let mut sink = Sink::new(Arc::make_mut(section), &mut self.scratch, now);
            for track in said {
                let labels: Vec<(&str, String)> =
                    track.labels.iter().map(|(name, value)| (&**name, own_label(name, value, self.number))).collect();
                let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, &**value)).collect();
                sink.family(&track.name, track.kind, &track.help);
                sink.sample(&labels, value_of(track, self.second, self.number));
            }
            // Nothing failed, and what is too much was left out by the recording already.
            let _ = sink.finish(Ok(()));
        }
        self.second += step;
        Gathered { table: Table { sections: self.sections.clone() }, at: now, sources: self.recording.sources.clone() }
    }
}

/// A counter goes on where the recording ends, and every host's counters stand elsewhere.
fn value_of(track: &Track, second: usize, number: usize) -> f64 {
    let seconds = track.values.len();
    let value = track.values[second % seconds];
    if track.kind != Kind::Counter {
        return value;
    }
    let growth = track.values[seconds - 1] - track.values[0];
    value + growth * (second / seconds) as f64 + (number * 17) as f64
}

fn own_label(name: &str, value: &str, number: usize) -> String {
    if OWN_LABELS.contains(&name) { format!("{value}-{number}") } else { value.to_owned() }
}

/// The files of a simulated host: what it is called and recognised by.
///
/// # Errors
/// When they cannot be written.
pub fn furnish(root: &Path, number: usize) -> std::io::Result<Host> {
    let write = |path: &str, text: String| {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap_or(root))?;
        std::fs::write(path, text)
    };
    write("etc/machine-id", format!("{:032x}", 0x006d_7573_7465_7200_u128 * 1_000_003 + number as u128))?;
    write("etc/os-release", "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n".to_owned())?;
    write("proc/sys/kernel/hostname", format!("load-{number:05}"))?;
    write("proc/sys/kernel/osrelease", "6.1.0-18-amd64".to_owned())?;
    write("proc/sys/kernel/random/boot_id", format!("00000000-0000-4000-8000-{number:012x}"))?;
    Ok(Host::captured(root.to_path_buf(), None))
}
