//! Of what the figures are: in a container some are the host's and some its own, and nothing in `/proc` says which.
//!
//! The kernel's files know no containers but by namespaces; lxcfs puts files of its own over some of them. What the
//! agent's own control group may use at most is said beside them.

mod cgroup;

use super::{Kind, ProbeError, Sink};
use crate::host::Host;

pub use cgroup::{Limit, Resource};

/// Inodes of the namespaces that every kernel begins with (include/linux/proc_ns.h; `net` since Linux 6.18).
const FIRST: [(&str, u32); 4] =
    [("pid", 0xefff_fffc), ("cgroup", 0xefff_fffb), ("uts", 0xefff_fffe), ("ipc", 0xefff_ffff)];
const FIRST_NET: u32 = 0xefff_fff9;
/// What container managers leave: a file, and whose it is. Docker and Podman.
const MARKS: [(&str, &str); 2] = [("/.dockerenv", "docker"), ("/run/.containerenv", "podman")];
/// What the control group of process 1 is called by container managers, where it can be seen.
const GROUPS: [(&str, &str); 5] = [
    ("/docker", "docker"),
    ("/kubepods", "kubernetes"),
    ("/lxc", "lxc"),
    ("/libpod", "podman"),
    ("/machine.slice", "machine"),
];
/// Figures, and the file of theirs that lxcfs replaces.
const FILES: [(&str, &str); 4] =
    [("memory", "/proc/meminfo"), ("cpu", "/proc/stat"), ("load", "/proc/loadavg"), ("disks", "/proc/diskstats")];

/// Of what figures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The whole machine's.
    Host,
    /// The container's: lxcfs says so.
    Container,
    /// Those of a namespace that is not the machine's first.
    Namespace,
    /// It cannot be told from in here.
    Unknown,
}

impl Whose {
    /// As the label says it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Container => "container",
            Self::Namespace => "namespace",
            Self::Unknown => "unknown",
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// The kind of container that this is, `unknown` where nothing says; `None` outside of any.
    pub container: Option<String>,
    /// Figures, and whose they are.
    pub figures: Vec<(&'static str, Whose)>,
    /// What the agent's own control group and those above it may use.
    pub limits: Vec<Limit>,
}

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let scope = look(host)?;
    for (figures, whose) in &scope.figures {
        sink.family(
            "muster_scope_info",
            Kind::Gauge,
            "Of what figures are: the host's, a container's or a namespace's.",
        );
        sink.sample(&[("figures", figures), ("scope", whose.name())], 1.0);
    }
    if let Some(container) = &scope.container {
        sink.family("muster_container_info", Kind::Gauge, "The container that the agent is in.");
        sink.sample(&[("kind", container)], 1.0);
    }
    for limit in &scope.limits {
        limit.say(sink);
    }
    Ok(())
}

/// Looks where we are.
///
/// # Errors
/// Where nothing says anything.
pub fn look(host: &Host) -> Result<Scope, ProbeError> {
    let mut mounts = cgroup::Mounts::default();
    let mut replaced: Vec<&'static str> = Vec::new();
    let seen = host.each_line("/proc/self/mountinfo", |line| {
        replaced.extend(FILES.iter().filter(|(_, file)| is_lxcfs(line, file)).map(|(figures, _)| *figures));
        mounts.add(line);
        true
    });
    let pid = namespace(host, "self", "pid");
    let container = container(host);
    if seen.is_err() && pid.is_none() && container.is_none() {
        return Err(ProbeError::Absent("/proc/self/mountinfo is not present".to_owned()));
    }
    let of_file = |figures| if replaced.contains(&figures) { Whose::Container } else { Whose::Host };
    let mut figures: Vec<(&'static str, Whose)> =
        FILES.iter().map(|(figures, _)| (*figures, of_file(*figures))).collect();
    let processes = match pid {
        Some(inode) if inode == FIRST[0].1 => Whose::Host,
        Some(_) => Whose::Namespace,
        None => Whose::Unknown,
    };
    figures.push(("processes", processes));
    figures.push(("network", network(host, processes)));
    Ok(Scope { container, figures, limits: cgroup::limits(host, &mounts) })
}

/// `... - fuse.lxcfs lxcfs rw,...` at this very file.
fn is_lxcfs(line: &str, file: &str) -> bool {
    let point = line.split(' ').nth(4);
    point == Some(file) && line.split_once(" - ").is_some_and(|(_, rest)| rest.starts_with("fuse.lxcfs "))
}

/// The inode of a namespace: `pid:[4026531836]`.
fn namespace(host: &Host, process: &str, kind: &str) -> Option<u32> {
    let target = host.link_target(&format!("/proc/{process}/ns/{kind}")).ok()?;
    target.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

/// Without namespaces of its own it is no container, whatever the file system was made from.
fn container(host: &Host) -> Option<String> {
    let namespaces = FIRST.map(|(kind, first)| (namespace(host, "self", kind), first));
    if namespaces.iter().all(|(found, first)| *found == Some(*first)) {
        return None;
    }
    let [(pid, first), ..] = namespaces;
    marked(host).or_else(|| pid.filter(|pid| *pid != first).map(|_| "unknown".to_owned()))
}

/// What says the kind of container: systemd's file, the variable that managers set for process 1, files of theirs.
fn marked(host: &Host) -> Option<String> {
    let word = |text: &str| {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
        Some(text.trim().to_owned()).filter(|word| (1..=32).contains(&word.len()) && word.chars().all(fits))
    };
    let told = || host.read_text("/run/systemd/container").ok().and_then(|text| word(&text));
    let environment = || {
        let text = host.read_text("/proc/1/environ").ok()?;
        text.split('\0').find_map(|variable| word(variable.strip_prefix("container=")?))
    };
    let file = || MARKS.iter().find(|(file, _)| host.exists(file)).map(|(_, kind)| (*kind).to_owned());
    let group = || {
        let text = host.read_text("/proc/1/cgroup").ok()?;
        GROUPS.iter().find(|(name, _)| text.contains(name)).map(|(_, kind)| (*kind).to_owned())
    };
    told().or_else(environment).or_else(file).or_else(group)
}

/// Whose the interfaces are: where process 1 is the machine's, its network is.
fn network(host: &Host, processes: Whose) -> Whose {
    let Some(own) = namespace(host, "self", "net") else { return Whose::Unknown };
    match namespace(host, "1", "net").filter(|_| processes == Whose::Host) {
        _ if own == FIRST_NET => Whose::Host,
        Some(first) if first == own => Whose::Host,
        Some(_) => Whose::Namespace,
        None => Whose::Unknown,
    }
}

#[cfg(test)]
mod tests;
