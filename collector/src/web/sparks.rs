//! Sketches of the hosts that are looked at, read once an hour and kept: a list of a hundred hosts would otherwise unpack
//! thousands of rows each time.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Web, problem::Problem};
use crate::domain::{
    ids::HostNo,
    time::Timestamp,
    trend::{
        phase_of, row_of,
        sketch::{HOURS, Line, Sketch},
    },
};

/// Hosts whose sketches are kept; some kilobytes each. Beyond it all are read anew.
const KEPT: usize = 1_000;
/// Hosts read in one go.
const SLICE: usize = 10;
/// A list is not kept waiting for longer than this before the last of its hosts are read, in milliseconds.
const PATIENCE_MS: i64 = 100;
const MINUTE_MS: i64 = 60_000;

/// Sketches as read last.
#[derive(Debug, Default)]
pub(super) struct Sparks(Mutex<HashMap<HostNo, Read>>);

#[derive(Debug, Clone)]
struct Read {
    /// In which hour of the host's.
    hour: i64,
    sketch: Arc<Sketch>,
}

impl Web {
    /// The lines of these hosts, as of now. A host that could not be read in time is left out; it is when it is asked for
    /// again.
    pub(super) async fn sparks(&self, hosts: &[HostNo]) -> Result<HashMap<HostNo, Vec<Line>>, Problem> {
        let minute = self.now().ms().div_euclid(MINUTE_MS);
        let hour = |host: HostNo| row_of(minute, phase_of(host.0));
        let (mut known, stale) = self.sparks.known(hosts, hour);
        if !stale.is_empty() {
            let from = self.now().plus_ms(-(HOURS as i64) * 60 * MINUTE_MS);
            let begun = self.now();
            for slice in stale.chunks(SLICE) {
                if self.now().since_ms(begun) > PATIENCE_MS {
                    break;
                }
                let read = self.read_sketches(slice, from, hour).await?;
                known.extend(read.iter().map(|(host, read)| (*host, Arc::clone(&read.sketch))));
                self.sparks.keep(read);
            }
        }
        let lines = known.into_iter().map(|(host, sketch)| {
            let mut sketch = Arc::unwrap_or_clone(sketch);
            // What is not written yet goes on from minute to minute.
            self.held(host).iter().for_each(|row| sketch.add(row));
            (host, sketch.lines(phase_of(host.0), minute))
        });
        Ok(lines.collect())
    }

    async fn read_sketches(
        &self,
        hosts: &[HostNo],
        from: Timestamp,
        hour: impl Fn(HostNo) -> i64,
    ) -> Result<Vec<(HostNo, Read)>, Problem> {
        // The slots first: what is written in between is then seen twice, not missed.
        let mut held: HashMap<_, _> = hosts.iter().map(|host| (*host, self.held(*host))).collect();
        let stored = self.context.store.sketches(hosts.to_vec(), from).await?;
        let read = stored.into_iter().map(|(host, mut sketch)| {
            held.remove(&host).unwrap_or_default().iter().for_each(|row| sketch.add(row));
            (host, Read { hour: hour(host), sketch: Arc::new(sketch) })
        });
        Ok(read.collect())
    }

    fn held(&self, host: HostNo) -> Vec<crate::domain::trend::Minutes> {
        self.context.slots.find(host).map(|slot| slot.trends()).unwrap_or_default()
    }
}

impl Sparks {
    /// Those that were read in their present hour, and those that have to be read.
    fn known(&self, hosts: &[HostNo], hour: impl Fn(HostNo) -> i64) -> (HashMap<HostNo, Arc<Sketch>>, Vec<HostNo>) {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut known, mut stale) = (HashMap::new(), Vec::new());
        for host in hosts {
            match kept.get(host).filter(|read| read.hour == hour(*host)) {
                Some(read) => drop(known.insert(*host, Arc::clone(&read.sketch))),
                None => stale.push(*host),
            }
        }
        (known, stale)
    }

    fn keep(&self, read: Vec<(HostNo, Read)>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + read.len() > KEPT {
            kept.clear();
        }
        kept.extend(read);
    }
}
