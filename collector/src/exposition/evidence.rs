//! What a host's hardware said last, as families of the host's page: each part with its age and what became of asking it,
//! and its drives by smartctl_exporter's names.
//!
//! Evidence changes every half hour and is asked for every few seconds: what was written of it is kept, compressed, until
//! there is news of the host. Hosts that nobody scrapes cost nothing.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    io::Read as _,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use flate2::read::GzDecoder;

use super::{family::Family, gzip::Compressors, smartctl};
use crate::domain::{ids::HostNo, readings::dictionary::text::Format, time::Timestamp};

/// The source that smartctl_exporter has too.
const SMARTCTL: &str = "smartctl-json";
/// Beginnings of names under which this page speaks of hardware.
pub(super) const NAMES: [&str; 2] = ["smartctl_", "muster_hardware_"];

/// What is known of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What said it, such as `smartctl-json`.
    pub source: String,
    /// Of which part; empty: of the machine.
    pub part: String,
    /// `read`, `not_present`, `unreadable`, `failed` or `asleep`: what became of asking last.
    pub outcome: String,
    /// Why it could not be read, in a word; empty where it was.
    pub why: String,
    /// What it said last, and when; `None` where it never said anything.
    pub last: Option<(Timestamp, Vec<u8>)>,
}

/// What becomes what each part of a host said last; `None` when it cannot be read now.
pub type Reading = Pin<Box<dyn Future<Output = Option<Vec<Said>>> + Send>>;

/// Where evidence is read, and what was written of it.
#[derive(Clone)]
pub struct Evidence {
    /// A number that differs when there is news of a host.
    news: Arc<dyn Fn(HostNo) -> u64 + Send + Sync>,
    read: Arc<dyn Fn(HostNo) -> Reading + Send + Sync>,
    kept: Arc<Mutex<HashMap<(HostNo, Format), Kept>>>,
}

/// Families that were written.
#[derive(Clone)]
struct Kept {
    news: u64,
    packed: Arc<[u8]>,
}

impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Evidence").finish_non_exhaustive()
    }
}

impl Evidence {
    /// Evidence that `read` reads, which differs from what it read before only if `news` does.
    #[must_use]
    pub fn new(
        news: impl Fn(HostNo) -> u64 + Send + Sync + 'static,
        read: impl Fn(HostNo) -> Reading + Send + Sync + 'static,
    ) -> Self {
        Self { news: Arc::new(news), read: Arc::new(read), kept: Arc::default() }
    }

    /// Appends a host's families. Where they cannot be read now, what was written last stands.
    pub(super) async fn append(&self, host: HostNo, format: Format, compressors: &Compressors, body: &mut Vec<u8>) {
        // Before it is read: what comes meanwhile is read again.
        let news = (self.news)(host);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&(host, format)).cloned();
        if let Some(kept) = kept.as_ref().filter(|kept| kept.news == news) {
            return unpack(&kept.packed, body);
        }
        let Some(said) = (self.read)(host).await else {
            return kept.iter().for_each(|kept| unpack(&kept.packed, body));
        };
        let written = tokio::task::spawn_blocking(move || written(&said, format)).await.unwrap_or_default();
        body.extend_from_slice(&written);
        if let Some(packed) = compressors.gzip(&written) {
            let kept = Kept { news, packed: packed.into() };
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert((host, format), kept);
        }
    }
}

fn unpack(packed: &[u8], body: &mut Vec<u8>) {
    // It was packed here: were it ever broken, the page would end earlier, between two lines or not at all.
    let before = body.len();
    if GzDecoder::new(packed).read_to_end(body).is_err() {
        body.truncate(before);
    }
}

fn written(said: &[Said], format: Format) -> Vec<u8> {
    let mut body = Vec::new();
    let mut asked = Family::new(
        format,
        "muster_hardware_part_info",
        "A part of the hardware and what became of asking it last; always 1.",
    );
    let mut spoken = Family::new(
        format,
        "muster_hardware_evidence_timestamp_seconds",
        "When what a part says changed last; what is said of a drive that sleeps or cannot be read stems from then.",
    );
    let drives = drives(said);
    for one in said {
        let device = drives.iter().find(|(part, _)| one.source == SMARTCTL && *part == one.part);
        let device = device.map_or_else(|| smartctl::label(&one.part, ""), |(_, drive)| drive.device.clone());
        let part = [("source", one.source.as_str()), ("device", &device)];
        let of = [part[0], part[1], ("outcome", &one.outcome), ("reason", &one.why)];
        asked.push_once(&of, 1.0);
        if let Some((at, _)) = &one.last {
            spoken.push_once(&part, at.ms() as f64 / 1_000.0);
        }
    }
    asked.append_if_any(&mut body);
    spoken.append_if_any(&mut body);
    let drives: Vec<smartctl::Drive> = drives.into_iter().map(|(_, drive)| drive).collect();
    smartctl::families(&drives, format).iter().for_each(|family| family.append_if_any(&mut body));
    body
}

/// The drives that ever said anything and are there, with their part's name.
fn drives(said: &[Said]) -> Vec<(&str, smartctl::Drive)> {
    let is_there = |one: &&Said| one.source == SMARTCTL && one.outcome != "not_present";
    let drive = |one: &'_ Said| {
        let (at, payload) = one.last.as_ref()?;
        smartctl::Drive::read(&one.part, *at, payload)
    };
    said.iter().filter(is_there).filter_map(|one| Some((one.part.as_str(), drive(one)?))).collect()
}
