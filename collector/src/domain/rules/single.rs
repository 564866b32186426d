//! Readings of which a host has one: where they are in its dictionary.

use crate::domain::readings::dictionary::Dictionary;

macro_rules! singles {
    ($($name:ident $metric:literal,)*) => {
        /// A reading of which a host has one.
        #[derive(Debug, Clone, Copy)]
        pub(super) enum Single {
            $(#[doc = $metric] $name,)*
        }
        const METRICS: &[&str] = &[$($metric,)*];
    };
}

singles! {
    CpuWaiting "node_pressure_cpu_waiting_seconds_total",
    IoStalled "node_pressure_io_stalled_seconds_total",
    MemoryStalled "node_pressure_memory_stalled_seconds_total",
    Load5 "node_load5",
    MemoryTotal "node_memory_MemTotal_bytes",
    MemoryAvailable "node_memory_MemAvailable_bytes",
    SwapIn "node_vmstat_pswpin",
    SwapOut "node_vmstat_pswpout",
    OomKill "node_vmstat_oom_kill",
    Descriptors "node_filefd_allocated",
    DescriptorsMost "node_filefd_maximum",
    Connections "node_nf_conntrack_entries",
    ConnectionsMost "node_nf_conntrack_entries_limit",
    ClockOffset "node_timex_offset_seconds",
    ClockSynchronised "node_timex_sync_status",
}

/// No such reading in this dictionary.
const NOWHERE: u32 = u32::MAX;

/// Their places.
#[derive(Debug)]
pub(super) struct Singles([u32; METRICS.len()]);

impl Default for Singles {
    fn default() -> Self {
        Self([NOWHERE; METRICS.len()])
    }
}

impl Singles {
    pub(super) fn of(dictionary: &Dictionary) -> Self {
        let mut found = Self::default();
        for (place, metric) in found.0.iter_mut().zip(METRICS) {
            dictionary.each(metric, &mut |at, labels| {
                if labels.is_empty() {
                    *place = at;
                }
            });
        }
        found
    }

    pub(super) fn place(&self, single: Single) -> Option<u32> {
        Some(self.0[single as usize]).filter(|place| *place != NOWHERE)
    }
}
