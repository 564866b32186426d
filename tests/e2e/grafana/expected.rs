//! What each panel must show, worked out by hand from the pages and the API: never from the panel's own query.

use serde_json::Value;

use super::readings::{Page, Readings, Rows, Series};

/// The states a host can be in.
const STATES: [&str; 9] =
    ["up", "suspect", "agent_lost", "down", "unreachable", "unknown", "rebooting", "shutdown", "asleep"];

/// What a panel must show: the labels that tell its rows apart, and the rows of each target.
pub(crate) struct Panel {
    pub(crate) by: &'static [&'static str],
    pub(crate) targets: Vec<Rows>,
}

fn panel(by: &'static [&'static str], targets: impl Into<Vec<Rows>>) -> Option<Panel> {
    Some(Panel { by, targets: targets.into() })
}

/// What the panel of this title must show.
pub(crate) fn of(board: &str, title: &str, readings: &Readings) -> Option<Panel> {
    match board {
        "fleet" => fleet(title, readings).or_else(|| worst(title, readings)),
        "host" => host(title, readings).or_else(|| figures(title, readings)).or_else(|| devices(title, readings)),
        "service-levels" => levels(title, readings).or_else(|| budgets(title, readings)),
        _ => collector(title, readings).or_else(|| store_and_pages(title, readings)),
    }
}

fn word(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

fn counted(keys: impl IntoIterator<Item = String>) -> Rows {
    Rows::of(keys.into_iter().map(|key| (key, 1.0)))
}

fn one(value: f64) -> Rows {
    Rows::between(value, value)
}

fn up(readings: &Readings) -> f64 {
    readings.hosts.iter().filter(|host| ["up", "suspect"].contains(&word(host, "state").as_str())).count() as f64
}

fn incidents(readings: &Readings, severity: &str) -> Rows {
    let open = |incident: &&Value| word(incident, "state") != "resolved" && word(incident, "severity") == severity;
    one(readings.incidents.iter().filter(open).count() as f64)
}

fn findings<'a>(hosts: impl Iterator<Item = &'a Value>, keys: &[&str]) -> Rows {
    let all = hosts.flat_map(|host| host["findings"].as_array().into_iter().flatten());
    counted(all.map(|finding| keys.iter().map(|key| word(finding, key)).collect::<Vec<_>>().join(" ")))
}

fn fleet(title: &str, readings: &Readings) -> Option<Panel> {
    let hosts = &readings.hosts;
    match title {
        "Hosts" => panel(&[], [one(hosts.len() as f64)]),
        "Hosts up" | "Agents connected" => panel(&[], [one(up(readings))]),
        "Critical incidents" => panel(&[], [incidents(readings, "critical")]),
        "Warning incidents" => panel(&[], [incidents(readings, "warning")]),
        "Hosts by state" => {
            let none = STATES.map(|state| (state.to_owned(), 0.0));
            let some = hosts.iter().map(|host| (word(host, "state"), 1.0));
            panel(&["state"], [Rows::of(none.into_iter().chain(some))])
        }
        "Hosts that are not up" => {
            let gone = hosts.iter().filter(|host| !["up", "suspect"].contains(&word(host, "state").as_str()));
            let row = |host: &Value| format!("{} {} {}", word(host, "name"), word(host, "state"), word(host, "site"));
            panel(&["host", "state", "site"], [counted(gone.map(row))])
        }
        "Incidents not resolved" => {
            let severities = ["critical", "warning", "info"];
            let pairs = severities.iter().flat_map(|severity| ["open", "acknowledged"].map(|state| (severity, state)));
            let none = pairs.map(|(severity, state)| (format!("{severity} {state}"), 0.0));
            let open = readings.incidents.iter().filter(|incident| word(incident, "state") != "resolved");
            let some = open.map(|row| (format!("{} {}", word(row, "severity"), word(row, "state")), 1.0));
            panel(&["severity", "state"], [Rows::of(none.chain(some))])
        }
        "Findings by severity" => panel(&["severity"], [findings(hosts.iter(), &["severity"])]),
        "Findings by rule" => panel(&["rule", "severity"], [findings(hosts.iter(), &["rule", "severity"])]),
        "Agents by version" => {
            panel(&["agent_version"], [counted(hosts.iter().map(|host| word(&host["facts"], "agent_version")))])
        }
        _ => None,
    }
}

/// Of the host that is up: the other one has no figures.
fn worst(title: &str, readings: &Readings) -> Option<Panel> {
    let ages = readings.age(Page::Collector, "muster_host_last_report_timestamp_seconds");
    let name = readings.host.as_str();
    match title {
        "Oldest report" => panel(&[], [ages.only("host", |host| host == name).sum(&[])]),
        "Oldest reports" => panel(&["host"], [ages.sum(&["host"])]),
        "Busiest processors" => {
            let idle = readings.rate(Page::Host, "node_cpu_seconds_total").only("mode", |mode| mode == "idle");
            panel(&["instance"], [idle.mean(&[]).map(|idle| 1.0 - idle).under(name).give_or_take(0.05)])
        }
        "Fullest memory" => panel(&["instance"], [memory_in_use(readings).under(name)]),
        "Fullest file systems" => panel(&["instance", "mountpoint"], [full(readings).under(name)]),
        _ => None,
    }
}

fn gauge(readings: &Readings, name: &str) -> Rows {
    readings.gauge(Page::Host, name).sum(&[])
}

fn memory_in_use(readings: &Readings) -> Rows {
    let all = gauge(readings, "node_memory_MemTotal_bytes");
    gauge(readings, "node_memory_MemAvailable_bytes").with(&all, |available, all| 1.0 - available / all)
}

fn of_disks(series: Series) -> Rows {
    let not_shown = ["tmpfs", "ramfs", "squashfs", "iso9660", "overlay"];
    series.only("fstype", |kind| !not_shown.contains(&kind)).sum(&["mountpoint"])
}

fn full(readings: &Readings) -> Rows {
    let size = of_disks(readings.gauge(Page::Host, "node_filesystem_size_bytes"));
    let free = of_disks(readings.gauge(Page::Host, "node_filesystem_avail_bytes"));
    free.with(&size, |free, size| 1.0 - free / size).moving()
}

fn host(title: &str, readings: &Readings) -> Option<Panel> {
    let name = readings.host.as_str();
    let this = || readings.hosts.iter().filter(|host| word(host, "name") == name);
    let facts = |host: &Value| format!("{} {}", word(&host["facts"], "os_release"), word(&host["facts"], "kernel"));
    match title {
        "State" => panel(&["state"], [counted(this().map(|host| word(host, "state")))]),
        "Last report" => worst("Oldest report", readings),
        "Running for" => panel(&[], [readings.age(Page::Host, "node_boot_time_seconds").sum(&[])]),
        "Clock ahead" => {
            let ahead = readings.gauge(Page::Collector, "muster_host_clock_ahead_seconds");
            panel(&[], [ahead.only("host", |host| host == name).sum(&[]).give_or_take(1.0)])
        }
        "Failed units" => {
            let units = readings.gauge(Page::Host, "node_systemd_unit_state");
            panel(&[], [units.only("state", |state| state == "failed").sum(&[])])
        }
        "System" => panel(&["os_release", "kernel"], [counted(this().map(facts))]),
        "Liveness" => panel(&["host", "site"], [counted(this().map(|host| format!("{name} {}", word(host, "site"))))]),
        "Findings" => panel(&["part", "rule"], [findings(this(), &["part", "rule"])])
            .map(|found| Panel { by: &["component", "rule"], ..found }),
        "The agent: memory" => panel(&[], [gauge(readings, "process_resident_memory_bytes").give_or_take(8e6)]),
        "The agent: processor" => {
            let busy = readings.rate(Page::Host, "process_cpu_seconds_total").sum(&[]);
            panel(&[], [busy.give_or_take(0.01)])
        }
        _ => None,
    }
}

fn figures(title: &str, readings: &Readings) -> Option<Panel> {
    let processors = readings.rate(Page::Host, "node_cpu_seconds_total");
    match title {
        "Processor" => {
            let busy = processors.only("mode", |mode| mode != "idle").mean(&["mode"]);
            panel(&["mode"], [busy.give_or_take(0.05)])
        }
        "Load" => {
            let load = |name| gauge(readings, name).give_or_take(1.0);
            let count = processors.only("mode", |mode| mode == "idle").count(&[]);
            panel(&[], [load("node_load1"), load("node_load5"), load("node_load15"), count])
        }
        "Memory" => {
            let minus = |all, free| gauge(readings, all).with(&gauge(readings, free), |all, free| all - free);
            let used = minus("node_memory_MemTotal_bytes", "node_memory_MemAvailable_bytes");
            let swap = minus("node_memory_SwapTotal_bytes", "node_memory_SwapFree_bytes");
            panel(&[], [used, gauge(readings, "node_memory_MemTotal_bytes"), swap])
        }
        "Pressure" => {
            let waited = |what: &str| {
                let name = format!("node_pressure_{what}_waiting_seconds_total");
                readings.rate(Page::Host, &name).sum(&[]).give_or_take(0.05)
            };
            panel(&[], [waited("cpu"), waited("io"), waited("memory")])
        }
        _ => None,
    }
}

fn devices(title: &str, readings: &Readings) -> Option<Panel> {
    let rate = |name: &str| readings.rate(Page::Host, name);
    let disk = |name: &str| rate(name).sum(&["device"]).give_or_take(1_000.0);
    let wire = |name: &str| rate(name).only("device", |device| device != "lo").sum(&["device"]).moving();
    match title {
        "File systems" => panel(&["mountpoint"], [full(readings)]),
        "Inodes in use" => {
            let all = of_disks(readings.gauge(Page::Host, "node_filesystem_files"));
            let free = of_disks(readings.gauge(Page::Host, "node_filesystem_files_free"));
            panel(&["mountpoint"], [free.with(&all, |free, all| 1.0 - free / all).moving()])
        }
        "Disks: bytes" => {
            let written = disk("node_disk_written_bytes_total").map(|bytes| -bytes);
            panel(&["device"], [disk("node_disk_read_bytes_total"), written])
        }
        "Disks: busy" => panel(&["device"], [disk("node_disk_io_time_seconds_total").give_or_take(0.05)]),
        "Network" => {
            let bits = |name, sign: f64| wire(name).map(|bytes| bytes * 8.0 * sign).give_or_take(1_000.0);
            let received = bits("node_network_receive_bytes_total", 1.0);
            panel(&["device"], [received, bits("node_network_transmit_bytes_total", -1.0)])
        }
        "Network: lost" => {
            let lost = |ways: &str| wire(&format!("node_network_{ways}_total"));
            panel(&["device"], ["receive_drop", "receive_errs", "transmit_drop", "transmit_errs"].map(lost))
        }
        _ => None,
    }
}

fn collector(title: &str, readings: &Readings) -> Option<Panel> {
    let gauge = |name: &str| readings.gauge(Page::Collector, name).sum(&[]);
    let rate = |name: &str| readings.rate(Page::Collector, name).sum(&[]);
    match title {
        "Scraped" => panel(&[], [one(1.0)]),
        "Running for" => {
            panel(&[], [readings.age(Page::Collector, "muster_collector_started_timestamp_seconds").sum(&[])])
        }
        // The programs and these tests are of one workspace.
        "Version" => panel(&["version"], [counted([env!("CARGO_PKG_VERSION").to_owned()])]),
        "Hosts" | "Agents connected" => fleet(title, readings),
        "Descriptors in use" => {
            let share = gauge("process_open_fds").with(&gauge("process_max_fds"), |open, most| open / most);
            // A connection or two more.
            panel(&[], [share.give_or_take(0.000_5)])
        }
        "Reports" => panel(&[], [rate("muster_reports_received_total")]),
        "Values" => panel(&[], [rate("muster_samples_received_total")]),
        "Received" => panel(&[], [rate("muster_received_bytes_total")]),
        "Refusals" => {
            panel(&["reason"], [readings.rate(Page::Collector, "muster_reports_refused_total").sum(&["reason"])])
        }
        "Memory" => panel(&[], [gauge("process_resident_memory_bytes").give_or_take(8e6)]),
        "Processor" => panel(&[], [rate("process_cpu_seconds_total").give_or_take(0.01)]),
        // Prometheus' own stopwatch: no page says it. It gives up after 10 s.
        "Scrape" => panel(&[], [Rows::between(0.000_1, 10.0)]),
        _ => None,
    }
}

fn store_and_pages(title: &str, readings: &Readings) -> Option<Panel> {
    let rate = |name: &str| readings.rate(Page::Collector, name);
    match title {
        "Store: time of a commit" => {
            let [sum, count] =
                ["sum", "count"].map(|part| rate(&format!("muster_store_commit_seconds_{part}")).sum(&[]));
            // A quantile is at most the highest bound, whatever the disk does.
            panel(&[], [sum.with(&count, |sum, count| sum / count), Rows::between(0.000_01, 5.0)])
        }
        "Store: commits" => panel(&["file"], [rate("muster_store_commit_seconds_count").sum(&["file"])]),
        "Notifications" => {
            let tries = rate("muster_notifications_total").sum(&["receiver", "outcome"]);
            let seconds = readings.seconds as f64;
            panel(&["receiver", "outcome"], [tries.map(|rate| rate * seconds)])
        }
        "Waiting pages" => {
            let queues = readings.gauge(Page::Collector, "muster_notification_queue");
            panel(&["receiver"], [queues.only("receiver", |name| !name.is_empty()).sum(&["receiver"])])
        }
        "Mirrors" => {
            let by = &["receiver", "peer", "outcome"];
            panel(by, [rate("muster_mirror_rounds_total").sum(by)])
        }
        _ => None,
    }
}

/// Nobody was down: one agent is gone, and its machine answers.
fn levels(title: &str, readings: &Readings) -> Option<Panel> {
    let all = &readings.agreements;
    let name = |agreement: &Value| word(agreement, "name");
    let of = |key: &str| Rows::of(all.iter().map(|one| (name(one), one[key].as_f64().unwrap_or(-1.0))));
    let verdicts = |verdict: &str| one(all.iter().filter(|one| word(one, "verdict") == verdict).count() as f64);
    match title {
        "Agreements met" => panel(&[], [verdicts("met")]),
        "Agreements missed" => panel(&[], [verdicts("missed")]),
        "Not decided" => panel(&[], [verdicts("undetermined")]),
        "Budgets burning fast" => panel(&[], [one(0.0)]),
        "Hosts with an agreement" => panel(&[], [one(readings.hosts.len() as f64 * all.len() as f64)]),
        "Availability" => panel(&["agreement"], [of("availability_ratio"), of("target").map(|target| target / 100.0)]),
        "Coverage" => panel(&["agreement"], [of("coverage_ratio")]),
        "Verdicts" => {
            let verdict = |one: &Value| format!("{} {}", name(one), word(one, "verdict"));
            panel(&["agreement", "verdict"], [counted(all.iter().map(verdict))])
        }
        "Outages" => panel(&["agreement"], [Rows::of(all.iter().map(|one| (name(one), 0.0)))]),
        "Error budget left" => {
            let whole = || Rows::of(all.iter().map(|one| (name(one), 1.0)));
            panel(&["agreement"], [whole(), whole()])
        }
        _ => None,
    }
}

fn budgets(title: &str, readings: &Readings) -> Option<Panel> {
    let gauge = |name: &str| readings.gauge(Page::Collector, name);
    let by = &["agreement", "window"];
    match title {
        "Oldest figures" => {
            panel(&[], [readings.age(Page::Collector, "muster_sla_computed_timestamp_seconds").sum(&[])])
        }
        "Burn rate" => panel(by, [gauge("muster_slo_burn_rate").sum(by)]),
        "Burn rate of its limit" => {
            let limits = gauge("muster_slo_burn_rate_limit").sum(by);
            panel(by, [gauge("muster_slo_burn_rate").sum(by).with(&limits, |rate, limit| rate / limit)])
        }
        "Time by what it was" => panel(&["bucket"], [gauge("muster_sla_seconds").sum(&["bucket"])]),
        "Error budget left in time" => {
            panel(&["agreement"], [gauge("muster_sla_error_budget_remaining_seconds").sum(&["agreement"])])
        }
        _ => None,
    }
}
