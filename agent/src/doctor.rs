//! What can be read on this machine, what cannot, and the exact remedy. It changes nothing and judges no reading.

mod hardware;
mod inventory;
mod rights;
mod way;

use std::collections::BTreeMap;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::check::{Status, board::Board};
use crate::clock;
use crate::exporter::{self, ListenError};
use crate::gather::limit;
use crate::host::{Host, HostError};
use crate::platform;
use crate::probe::scope::{self, Resource, Whose};
use crate::probe::{self, CROWDED_REMEDY, ProbeError, Scratch, Section, Sink, Source, cap};

pub use hardware::{examine_hardware, hardware_is_off};
pub use inventory::{examine_inventory, inventory_is_off};
pub use way::examine_way;

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can be read.
    Fine,
    /// This machine has no such thing; nothing is to be done.
    Absent,
    /// It works without, but something will be missing.
    Limited,
    /// The agent cannot do its work.
    Broken,
}

/// One thing examined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was examined.
    pub what: String,
    /// How it is.
    pub standing: Standing,
    /// What was seen.
    pub detail: String,
    /// What to do about it; empty when nothing is.
    pub remedy: String,
}

impl Finding {
    fn new(what: &str, standing: Standing, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { what: what.to_owned(), standing, detail: detail.into(), remedy: remedy.into() }
    }
}

/// Files that only some may read: what they are for, where, and which right opens them.
const GUARDED: [(&str, &str, &str); 3] = [
    ("product uuid", "/sys/class/dmi/id/product_uuid", "CAP_DAC_READ_SEARCH"),
    ("product serial", "/sys/class/dmi/id/product_serial", "CAP_DAC_READ_SEARCH"),
    ("kernel messages", "/dev/kmsg", "CAP_SYSLOG"),
];

/// The agent answers at once; who has the port instead may never.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const HEAD_BYTES_MAX: u64 = 4096;

/// Examines every source, what recognises the machine, and the state directory.
#[must_use]
pub fn examine(host: &Host, state_dir: &Path) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    let mut sections = Vec::new();
    for source in probe::sources(host).iter().filter(|source| source.name != "check") {
        let (found, section) = examine_source(host, source);
        findings.extend(found);
        sections.push(section);
    }
    findings.extend(sections.iter().flat_map(find_crowds));
    findings.push(examine_series(host, &sections));
    findings.extend(examine_scope(host));
    match host.elsewhere() {
        None => {
            findings.push(examine_machine_id(host));
            findings.extend(GUARDED.iter().map(|(what, path, right)| examine_guarded(host, what, path, right)));
        }
        Some(system) => {
            let detail = format!("{system}: sections and hardware that are not read here are named below");
            findings.push(Finding::new("system", Standing::Limited, detail, ""));
        }
    }
    findings.push(examine_state_directory(state_dir));
    findings
}

/// Examines whether the agent can be its own exporter on `address`: it does so already, or nobody has the port.
#[must_use]
pub fn examine_exporter(address: SocketAddr) -> Finding {
    const WHAT: &str = "exporter";
    let detail = match TcpListener::bind(address) {
        Ok(_) => format!("{address} is free"),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_ours(address) => {
            format!("the agent has {address}")
        }
        Err(error) => {
            let error = ListenError::new(address, error);
            return Finding::new(WHAT, Standing::Limited, error.to_string(), error.remedy());
        }
    };
    if exporter::is_loopback(address) {
        return Finding::new(WHAT, Standing::Fine, detail, "");
    }
    let open = format!("{detail}; everybody who reaches it reads this machine's figures, in plain HTTP");
    Finding::new(WHAT, Standing::Fine, open, "guard the port with a firewall, or listen on 127.0.0.1")
}

/// How each check turned out just now. That one fails is no fault of the agent: it is what checks are for.
#[must_use]
pub fn examine_checks(board: &Board) -> Vec<Finding> {
    let mut findings = Vec::new();
    board.each(|check| {
        let (status, output) = (check.outcome.status, check.outcome.output.lines().next().unwrap_or_default());
        let (standing, remedy) = match status {
            Status::Unknown => (Standing::Limited, "the message above says what keeps the check from telling"),
            Status::Ok | Status::Warning | Status::Critical => (Standing::Fine, ""),
        };
        let detail = format!("{}: {}", status.word(), output.replace(char::is_control, " "));
        findings.push(Finding::new(&format!("check {}", check.definition.name), standing, detail, remedy));
    });
    findings
}

/// Whether an agent answers there.
fn is_ours(address: SocketAddr) -> bool {
    let head = || -> io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&address, ANSWER_WITHIN)?;
        stream.set_read_timeout(Some(ANSWER_WITHIN))?;
        stream.write_all(b"HEAD / HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
        let mut head = Vec::new();
        stream.take(HEAD_BYTES_MAX).read_to_end(&mut head)?;
        Ok(String::from_utf8_lossy(&head).to_ascii_lowercase())
    };
    let server = exporter::SERVER_NAME.split('/').next().unwrap_or_default();
    head().is_ok_and(|head| head.lines().any(|line| line.starts_with(&format!("server: {server}/"))))
}

/// One line per finding, its remedy below it.
#[must_use]
pub fn render(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.what.len()).max().unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.standing {
            Standing::Fine => "ok     ",
            Standing::Absent => "absent ",
            Standing::Limited => "limited",
            Standing::Broken => "BROKEN ",
        };
        text.push_str(&format!("{mark}  {:width$}  {}\n", finding.what, finding.detail));
        if !finding.remedy.is_empty() {
            text.push_str(&format!("         {:width$}  -> {}\n", "", finding.remedy));
        }
    }
    text
}

/// Interfaces and mounts of which there are so many that they are said together.
fn find_crowds(section: &Section) -> Vec<Finding> {
    let mut counts: BTreeMap<(&str, &str, String), f64> = BTreeMap::new();
    for (family, series, value) in section.samples() {
        let (key, of) = match &*family.name {
            "muster_network_rolled_up_interfaces" => ("interfaces_per_kind", "kind"),
            "muster_filesystem_rolled_up_mounts" => ("mounts_per_type", "fstype"),
            _ => continue,
        };
        let word = if of == "kind" { "kind" } else { "type" };
        let kind = series.label(of).unwrap_or_default().to_owned();
        *counts.entry((key, word, kind)).or_default() += value;
    }
    let finding = |((key, word, kind), count): ((&str, &str, String), f64)| {
        let detail =
            format!("{count} of {word} {kind} are said as one: more than `{key}` below `[limits]` in agent.toml");
        Finding::new(section.source(), Standing::Fine, detail, "")
    };
    counts.into_iter().map(finding).collect()
}

/// Whether all that can be said of this machine is said.
fn examine_series(host: &Host, sections: &[Section]) -> Finding {
    const WHAT: &str = "series";
    let sections: Vec<&Section> = sections.iter().collect();
    let (most, total) = (host.crowding().series, cap::wanted(sections.iter().copied()));
    if let Some(left) = cap::choose(most, &sections) {
        let named = limit::names(left.iter().flatten(), limit::NAMED_MAX);
        let detail = format!("{total}, more than the {most} that are said of this host: {named} left out");
        return Finding::new(WHAT, Standing::Limited, detail, CROWDED_REMEDY);
    }
    let (family, largest) = cap::largest(&sections).unwrap_or_default();
    if total <= cap::MANY {
        return Finding::new(WHAT, Standing::Fine, format!("{total}, of {most} at most"), "");
    }
    let detail = format!("{total}, of {most} at most; {family} alone has {largest}");
    Finding::new(WHAT, Standing::Fine, detail, "")
}

/// Of what the figures are, and what limits this agent itself.
fn examine_scope(host: &Host) -> Vec<Finding> {
    let Ok(found) = scope::look(host) else { return Vec::new() };
    let by = |whose: Whose| {
        let figures = found.figures.iter().filter(|(_, own)| *own == whose).map(|(figures, _)| *figures);
        figures.collect::<Vec<_>>().join(", ")
    };
    let told = [
        (by(Whose::Host), "of the whole host"),
        (by(Whose::Container), "of this container alone (lxcfs)"),
        (by(Whose::Namespace), "of a namespace of its own"),
        (by(Whose::Unknown), "of what cannot be told"),
    ];
    let told = told.iter().filter(|(figures, _)| !figures.is_empty()).map(|(figures, of)| format!("{figures}: {of}"));
    let told = told.collect::<Vec<_>>().join("; ");
    let mut findings = vec![match &found.container {
        None => Finding::new("scope", Standing::Fine, format!("in no container; {told}"), ""),
        Some(kind) => Finding::new(
            "scope",
            Standing::Limited,
            format!("in a container ({kind}); {told}"),
            "to watch the host, run the agent on the host itself; a rule on this container compares with its own limits",
        ),
    }];
    findings.extend(found.limits.iter().map(|limit| {
        let text = match limit.what {
            Resource::Memory => format!("{} gives this agent and what shares it {} bytes", limit.group, limit.most),
            Resource::Cpu => format!("{} gives this agent and what shares it {} CPUs", limit.group, limit.most),
        };
        Finding::new(
            if limit.what == Resource::Memory { "cgroup memory" } else { "cgroup cpu" },
            Standing::Fine,
            format!("{text}; the figures above are not cut to that"),
            "",
        )
    }));
    findings
}

fn examine_source(host: &Host, source: &Source) -> (Vec<Finding>, Section) {
    let mut section = Section::new(source.name, Arc::default());
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(&mut section, &mut scratch, clock::now());
    let outcome = (source.read)(host, &mut sink);
    let (notes, outcome) = sink.finish(outcome);
    let mut findings = vec![match &outcome {
        Ok(()) => Finding::new(source.name, Standing::Fine, format!("{} series", section.values().len()), ""),
        Err(error) => troubled(source.name, error),
    }];
    findings.extend(notes.iter().map(|note| troubled(&note.part, &note.error)));
    (findings, section)
}

fn troubled(what: &str, error: &ProbeError) -> Finding {
    let (standing, remedy) = match error {
        ProbeError::Absent(_) => (Standing::Absent, ""),
        ProbeError::Unreadable(_) => (
            Standing::Limited,
            "run the agent under its shipped systemd unit, which grants what it needs, or give its user this right",
        ),
        ProbeError::Failed(_) => {
            (Standing::Limited, "the message above is the system's own; it is tried again with growing pauses")
        }
        ProbeError::Stuck(_) => (
            Standing::Limited,
            "bring its server or device back, or `umount -l` the mount point; nothing else waits for it",
        ),
        ProbeError::Crowded { .. } => (Standing::Limited, CROWDED_REMEDY),
    };
    Finding::new(what, standing, error.to_string(), remedy)
}

fn examine_machine_id(host: &Host) -> Finding {
    const WHAT: &str = "machine id";
    match host.read_text("/etc/machine-id") {
        Ok(id) if id.len() == 32 => Finding::new(WHAT, Standing::Fine, "/etc/machine-id", ""),
        Ok(_) => Finding::new(
            WHAT,
            Standing::Limited,
            "/etc/machine-id is not 32 digits",
            "`rm /etc/machine-id && systemd-machine-id-setup` (a machine image must ship it empty)",
        ),
        Err(error) => Finding::new(
            WHAT,
            Standing::Limited,
            error.to_string(),
            "`systemd-machine-id-setup` or `dbus-uuidgen --ensure=/etc/machine-id`",
        ),
    }
}

fn examine_guarded(host: &Host, what: &str, path: &str, right: &str) -> Finding {
    // Reading /dev/kmsg would take messages; opening anything else for one short read is harmless.
    let outcome = if path.starts_with("/dev/") { host.may_open(path) } else { host.read_text(path).map(|_| ()) };
    match outcome {
        Ok(()) if host.without_helper().may_open(path).is_err() => {
            Finding::new(what, Standing::Fine, format!("{path}, opened by the helper"), "")
        }
        Ok(()) => Finding::new(what, Standing::Fine, path, ""),
        Err(HostError::NotPresent(_)) => Finding::new(what, Standing::Absent, format!("{path} is not present"), ""),
        Err(error) => {
            Finding::new(what, Standing::Limited, error.to_string(), rights::or_helper(&rights::drop_in(right, "")))
        }
    }
}

fn examine_state_directory(state_dir: &Path) -> Finding {
    const WHAT: &str = "state directory";
    let shown = state_dir.display();
    match platform::why_not_usable(state_dir) {
        Ok(()) if state_dir.is_dir() => Finding::new(WHAT, Standing::Fine, shown.to_string(), ""),
        Ok(()) => Finding::new(
            WHAT,
            Standing::Broken,
            format!("{shown} is not a directory"),
            format!("move it away and `install -d -m 0700 -o muster-agent {shown}`"),
        ),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::new(
            WHAT,
            Standing::Broken,
            format!("{shown} does not exist"),
            format!("`install -d -m 0700 -o muster-agent {shown}`"),
        ),
        Err(error) => Finding::new(
            WHAT,
            Standing::Broken,
            format!("{shown} may not be written: {error}"),
            format!("`chown -R muster-agent {shown}`, or run this as that user"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_machine_is_absent_not_broken_and_a_missing_state_directory_is_named_with_its_remedy() {
        let root = tempfile::tempdir().unwrap();
        let host = Host::captured(root.path().into(), None);
        let findings = examine(&host, &root.path().join("state"));
        let of = |what: &str| findings.iter().find(|finding| finding.what == what).unwrap();
        assert_eq!(of("meminfo").standing, Standing::Absent);
        assert_eq!(of("systemd").standing, Standing::Absent);
        assert_eq!(of("time").standing, Standing::Fine);
        assert_eq!(of("state directory").standing, Standing::Broken);
        let text = render(&findings);
        assert!(text.contains("-> `install -d -m 0700 -o muster-agent"), "{text}");
    }

    #[test]
    fn a_port_that_another_program_has_is_named_with_the_remedy() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        // It hangs up on who asks.
        let door = taken.try_clone().unwrap();
        let other = std::thread::spawn(move || drop(door.accept()));
        let finding = examine_exporter(address);
        // Should nobody have asked, this lets it end.
        drop(TcpStream::connect(address));
        other.join().unwrap();
        drop(taken);
        assert_eq!(finding.standing, Standing::Limited);
        let port = address.port();
        assert!(finding.detail.contains(&format!("port {port} is taken")), "{finding:?}");
        assert!(finding.remedy.contains(&format!("sport = :{port}")), "{finding:?}");
        assert_eq!(examine_exporter(address).standing, Standing::Fine, "now it is free");
    }

    #[test]
    fn the_machine_that_runs_this_can_be_read() {
        let state = tempfile::tempdir().unwrap();
        let findings = examine(&Host::live(), state.path());
        let fine = |what: &str| findings.iter().any(|one| one.what == what && one.standing == Standing::Fine);
        for what in ["stat", "cpu", "meminfo", "diskstats", "netdev", "filesystem", "process", "state directory"] {
            assert!(fine(what), "{what}: {findings:?}");
        }
    }
}
