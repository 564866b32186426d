//! Of what the figures are: in a container some are the host's and some its own, and nothing in `/proc` says which.
//!
//! The kernel's files know no containers but by namespaces; lxcfs puts files of its own over some of them. What the
//! agent's own control group may use at most is said beside them.

mod cgroup;

use super::{Kind, ProbeError, Sink};
use crate::host::{FIRST_PID, Host};

pub use cgroup::{Limit, Resource};

/// Inode of the network namespace that the kernel begins with (include/linux/proc_ns.h, since Linux 6.18).
const FIRST_NET: u32 = 0xefff_fff9;
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
    let pid = host.namespace("self", "pid");
    let container = host.container();
    if seen.is_err() && pid.is_none() && container.is_none() {
        return Err(ProbeError::Absent("/proc/self/mountinfo is not present".to_owned()));
    }
    let of_file = |figures| if replaced.contains(&figures) { Whose::Container } else { Whose::Host };
    let mut figures: Vec<(&'static str, Whose)> =
        FILES.iter().map(|(figures, _)| (*figures, of_file(*figures))).collect();
    let processes = match pid {
        Some(inode) if inode == FIRST_PID => Whose::Host,
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

/// Whose the interfaces are: where process 1 is the machine's, its network is.
fn network(host: &Host, processes: Whose) -> Whose {
    let Some(own) = host.namespace("self", "net") else { return Whose::Unknown };
    match host.namespace("1", "net").filter(|_| processes == Whose::Host) {
        _ if own == FIRST_NET => Whose::Host,
        Some(first) if first == own => Whose::Host,
        Some(_) => Whose::Namespace,
        None => Whose::Unknown,
    }
}

#[cfg(test)]
mod tests;
