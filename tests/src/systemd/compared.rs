//! Which series of the agent under its unit are held against those of node_exporter run as root, and how.

use std::collections::{BTreeMap, BTreeSet};

/// What systemd-nspawn mounts for itself, twice at each place, once writable: whichever is told, it is no disk.
const CONTAINERS_OWN: &str = "mountpoint=\"/run/host/";

/// For each group of families: how many series are equal, or which are not, and whether all is well.
pub(crate) fn compare(
    theirs: &BTreeMap<String, f64>,
    ours: &BTreeMap<String, f64>,
) -> impl Iterator<Item = (&'static str, (String, bool))> {
    let (theirs, ours) = (without_empty_labels(theirs), without_empty_labels(ours));
    COMPARED.into_iter().map(move |(what, families)| (what, group(families, &theirs, &ours)))
}

fn group(families: &[(&str, bool)], theirs: &BTreeMap<String, f64>, ours: &BTreeMap<String, f64>) -> (String, bool) {
    let mut differ = Vec::new();
    let mut equal = 0;
    for (family, values) in families {
        let fits = |name: &&String| name.split('{').next() == Some(family) && !name.contains(CONTAINERS_OWN);
        let of = |all: &BTreeMap<String, f64>| -> BTreeSet<String> { all.keys().filter(fits).cloned().collect() };
        let (theirs_only, ours_only) = (&of(theirs) - &of(ours), &of(ours) - &of(theirs));
        differ.extend(theirs_only.iter().map(|name| format!("only node_exporter: {name}")));
        differ.extend(ours_only.iter().map(|name| format!("only agent: {name}")));
        for name in &of(theirs) & &of(ours) {
            if *values && theirs[&name] != ours[&name] {
                differ.push(format!("{name} is {} and not {}", ours[&name], theirs[&name]));
            } else {
                equal += 1;
            }
        }
    }
    let holds = differ.is_empty() && equal > 0;
    let seen =
        if holds { format!("{equal} series, all equal") } else { format!("{equal} equal; {}", differ.join("; ")) };
    (seen, holds)
}

/// What is compared: families, and whether their values must be equal too or only their labels.
const COMPARED: [(&str, &[(&str, bool)]); 6] = [
    (
        "file system series of the agent under its unit",
        &[
            ("node_filesystem_size_bytes", true),
            ("node_filesystem_readonly", true),
            ("node_filesystem_device_error", true),
            ("node_filesystem_files", true),
            ("node_filesystem_avail_bytes", false),
        ],
    ),
    (
        "network series",
        &[
            ("node_network_receive_bytes_total", false),
            ("node_network_transmit_bytes_total", false),
            ("node_network_up", true),
            ("node_network_mtu_bytes", true),
        ],
    ),
    (
        "process series",
        &[
            ("node_procs_running", false),
            ("node_procs_blocked", false),
            ("node_forks_total", false),
            ("node_context_switches_total", false),
        ],
    ),
    (
        "disk, memory, kernel series",
        &[
            ("node_disk_reads_completed_total", false),
            ("node_memory_MemTotal_bytes", true),
            ("node_boot_time_seconds", true),
            ("node_uname_info", true),
        ],
    ),
    (
        "clock, protocol, interrupt series",
        &[
            ("node_timex_status", true),
            ("node_timex_tick_seconds", true),
            ("node_timex_offset_seconds", false),
            ("node_netstat_Tcp_InSegs", false),
            ("node_udp_queues", false),
            ("node_interrupts_total", false),
            ("node_processes_pids", false),
            ("node_processes_max_processes", true),
        ],
    ),
    (
        "systemd series",
        &[
            ("node_systemd_unit_state", false),
            ("node_systemd_units", false),
            ("node_systemd_version", true),
            ("node_systemd_system_running", true),
            ("node_systemd_service_restart_total", true),
            ("node_systemd_socket_accepted_connections_total", true),
            ("node_systemd_socket_current_connections", true),
            ("node_systemd_socket_refused_connections_total", true),
            ("node_systemd_timer_last_trigger_seconds", false),
        ],
    ),
];

/// To Prometheus an empty label is none, and the collector does not write it.
fn without_empty_labels(samples: &BTreeMap<String, f64>) -> BTreeMap<String, f64> {
    let clean = |name: &String| {
        let Some((family, labels)) = name.split_once('{') else { return name.clone() };
        let labels = labels.trim_end_matches('}').split("\",").map(|label| label.trim_end_matches('"'));
        let labels: Vec<&str> = labels.filter(|label| !label.ends_with('=')).collect();
        format!("{family}{{{}}}", labels.join("\","))
    };
    samples.iter().map(|(name, value)| (clean(name), *value)).collect()
}
