//! Everything that a real node_exporter says of this machine the agent says too: names, types, labels, values.

use std::collections::{BTreeMap, BTreeSet};

use muster_tests::process::{program, run};
use muster_tests::servers::NodeExporter;
use tokio::process::Command;

/// Debian's defaults, and what dashboards want besides.
const ARGUMENTS: [&str; 4] =
    ["--collector.systemd", "--collector.processes", "--collector.interrupts", "--collector.tcpstat"];
/// What is off three times running is off: machines move while they are looked at.
const ROUNDS: usize = 3;
/// Families about node_exporter itself, of which we have none.
const ITS_OWN: [&str; 2] = ["go_", "promhttp_"];
/// Families about the one who looks: they are there, with values of their own.
const WHO_LOOKS: [&str; 2] = ["process_", "node_scrape_collector_duration_seconds"];
/// Gauges that looking itself moves: one more process, its memory, files and connections.
const MOVED_BY_LOOKING: [&str; 8] = [
    "node_memory_",
    "node_processes_",
    "node_procs_",
    "node_filefd_allocated",
    "node_sockstat_",
    "node_tcp_connection_states",
    "node_netstat_Tcp_CurrEstab",
    "node_filesystem_",
];
/// As much as one process and what it opens.
const ONE_PROCESS: f64 = 64.0;
/// The kernel's idle and waiting times may fall back (proc_pid_stat(5)); node_exporter hides up to 3 s of it.
const IDLE_SLACK: f64 = 3.0;

type Labels = BTreeMap<String, String>;

/// An exposition, understood.
#[derive(Debug, Default)]
struct Page {
    kinds: BTreeMap<String, String>,
    series: BTreeMap<String, Vec<(Labels, f64)>>,
}

impl Page {
    fn parse(text: &str) -> Self {
        let mut page = Self::default();
        for line in text.lines() {
            if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) {
                page.kinds.insert(name.to_owned(), kind.to_owned());
            }
            if line.starts_with('#') {
                continue;
            }
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let value = value.parse().unwrap_or_else(|_| panic!("no value: {line}"));
            page.series.entry(name.to_owned()).or_default().push((parse_labels(labels), value));
        }
        page
    }

    /// The value of a series that has at least these labels.
    fn value(&self, name: &str, labels: &Labels) -> Option<f64> {
        // To Prometheus an empty label is none.
        let has = |own: &Labels| labels.iter().all(|(label, text)| own.get(label).map_or("", String::as_str) == text);
        self.series.get(name)?.iter().find(|(own, _)| has(own)).map(|(_, value)| *value)
    }
}

/// `a="1",b="2"}`
fn parse_labels(text: &str) -> Labels {
    let mut labels = Labels::new();
    let mut rest = text;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => value.extend(characters.next().map(|escaped| if escaped == 'n' { '\n' } else { escaped })),
                _ => value.push(character),
            }
        }
        labels.insert(name.trim_start_matches(',').to_owned(), value);
        rest = characters.as_str();
    }
    labels
}

/// One look: node_exporter, the agent, node_exporter again.
struct Look {
    before: Page,
    ours: Page,
    after: Page,
}

impl Look {
    /// What is not as it should be, one line each.
    fn off(&self) -> BTreeSet<String> {
        let mut off = BTreeSet::new();
        for (name, kind) in &self.before.kinds {
            if !starts(name, &ITS_OWN) && self.ours.kinds.get(name) != Some(kind) {
                off.insert(format!("# TYPE {name} {kind}: ours is {:?}", self.ours.kinds.get(name)));
            }
        }
        for (name, series) in self.before.series.iter().filter(|(name, _)| !starts(name, &ITS_OWN)) {
            for (labels, low) in series {
                // What came or went between the two is nobody's fault.
                let Some(high) = self.after.value(name, labels) else { continue };
                if let Some(why) = self.compare(name, labels, *low, high) {
                    off.insert(format!("{name}{labels:?}: {why}"));
                }
            }
        }
        off
    }

    fn compare(&self, name: &str, labels: &Labels, low: f64, high: f64) -> Option<&'static str> {
        if name == "node_exporter_build_info" {
            // Its labels are about the program.
            return if self.ours.series.contains_key(name) { None } else { Some("missing") };
        }
        let Some(ours) = self.ours.value(name, labels) else { return Some("missing") };
        if starts(name, &WHO_LOOKS) {
            return None;
        }
        // What is under way at this instant, of every other story too.
        if name == "node_tcp_connection_states" && labels["state"].ends_with("_queued_bytes") {
            return None;
        }
        let counts = |name: &str| self.before.kinds.get(name).is_some_and(|kind| kind == "counter");
        if counts(name) {
            let slack = if name == "node_cpu_seconds_total" { IDLE_SLACK } else { 0.0 };
            let fits = (low - slack..=high).contains(&ours);
            return if fits { None } else { Some("a counter that is not between two scrapes") };
        }
        let is_close =
            ours >= low.min(high) - low.min(high).abs() / 4.0 && ours <= low.max(high) + low.max(high).abs() / 4.0;
        let moves = starts(name, &MOVED_BY_LOOKING) && (is_close || (ours - low).abs() <= ONE_PROCESS);
        match low == high {
            _ if ours == low || ours == high || moves => None,
            true => Some("a gauge that stood still and is another one here"),
            false if is_close => None,
            false => Some("a gauge that differs by more than a quarter"),
        }
    }
}

fn starts(name: &str, prefixes: &[&str]) -> bool {
    prefixes.iter().any(|prefix| name.starts_with(prefix))
}

/// What scripts left there.
fn leave_textfiles(directory: &std::path::Path) {
    let gauge = "# HELP backup_age_seconds Age of the last backup.\n# TYPE backup_age_seconds gauge\n\
                 backup_age_seconds{job=\"data\\\"base\\\"\"} 86400.5\nbackup_age_seconds{job=\"mail\"} 3e2\nplain 7\n";
    let compound = "# TYPE request_seconds histogram\nrequest_seconds_bucket{le=\"0.1\"} 3\n\
                    request_seconds_bucket{le=\"+Inf\"} 4\nrequest_seconds_sum 1.5\nrequest_seconds_count 4\n\
                    # TYPE wait_seconds summary\nwait_seconds{quantile=\"0.5\"} 2\nwait_seconds_sum 20\n\
                    wait_seconds_count 10\nplain{b=\"2\"} 8\n";
    for (name, text) in
        [("a.prom", gauge), ("b.prom", compound), ("c.prom", "broken here\n"), ("d.txt", "not_read 1\n")]
    {
        std::fs::write(directory.join(name), text).expect("a file in a directory of our own");
    }
}

#[tokio::test]
async fn every_series_of_a_real_node_exporter_is_ours_with_its_type_its_labels_and_its_value() {
    let home = tempfile::TempDir::new().expect("a directory");
    leave_textfiles(home.path());
    let config = home.path().join("agent.toml");
    let directory = home.path().display();
    std::fs::write(&config, format!("[textfile]\ndirectories = [\"{directory}\"]\n")).expect("a file of our own");
    let textfiles = format!("--collector.textfile.directory={directory}");
    let exporter = NodeExporter::with(&[&ARGUMENTS[..], &[&textfiles]].concat()).await;

    let mut off: Option<BTreeSet<String>> = None;
    let mut compared = 0;
    for _ in 0..ROUNDS {
        let before = Page::parse(&exporter.page().await);
        let said = run(Command::new(program("muster-agent")).arg("--config").arg(&config).arg("once")).await;
        let after = Page::parse(&exporter.page().await);
        let look = Look { before, ours: Page::parse(&said.out), after };
        compared = look.before.series.values().map(Vec::len).sum();
        let now = look.off();
        let still = off.map_or(now.clone(), |earlier| &earlier & &now);
        let done = still.is_empty();
        off = Some(still);
        if done {
            break;
        }
    }
    let off: Vec<String> = off.unwrap_or_default().into_iter().collect();
    assert!(off.is_empty(), "{} off, {ROUNDS} times running:\n{}", off.len(), off.join("\n"));
    assert!(compared > 400, "node_exporter said only {compared} series");
}
