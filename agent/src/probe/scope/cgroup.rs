//! What the agent's own control group, or one above it, may use of memory and CPU; version 1 and 2.

use super::super::{Kind, Sink, parse_number};
use crate::host::Host;

/// Groups above each other that are looked at.
const DEPTH_MAX: usize = 32;
/// Version 1 says "unlimited" as the largest number of whole pages that fits (`PAGE_COUNTER_MAX`, mm/page_counter.c).
const UNLIMITED_FROM: f64 = 4_611_686_018_427_387_904.0;

/// A control group that limits what is in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// The group, as `/proc/self/cgroup` names it.
    pub group: String,
    /// What it limits.
    pub what: Resource,
    /// How much: bytes, or CPUs.
    pub most: f64,
    /// How much of it is used, where the kernel says it.
    pub used: Option<f64>,
}

impl Eq for Limit {}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// Bytes of memory.
    Memory,
    /// CPUs.
    Cpu,
}

impl Limit {
    pub(super) fn say(&self, sink: &mut Sink<'_>) {
        let labels = [("cgroup", &*self.group)];
        match self.what {
            Resource::Memory => {
                let help = "Memory that the agent's control group may use, or the one above it that limits most.";
                sink.family("muster_cgroup_memory_limit_bytes", Kind::Gauge, help);
                sink.sample(&labels, self.most);
                if let Some(used) = self.used {
                    sink.family("muster_cgroup_memory_usage_bytes", Kind::Gauge, "Memory used of that limit.");
                    sink.sample(&labels, used);
                }
            }
            Resource::Cpu => {
                let help = "CPUs that the agent's control group may use, or the one above it that limits most.";
                sink.family("muster_cgroup_cpu_limit_cores", Kind::Gauge, help);
                sink.sample(&labels, self.most);
            }
        }
    }
}

/// Where control groups are mounted.
#[derive(Debug, Default)]
pub(super) struct Mounts(Vec<Hierarchy>);

#[derive(Debug)]
struct Hierarchy {
    point: String,
    /// The group that is seen there.
    top: String,
    /// Version 2, or the controllers of version 1.
    controllers: Option<String>,
}

impl Mounts {
    /// Takes a line of mountinfo.
    pub(super) fn add(&mut self, line: &str) {
        let Some((before, after)) = line.split_once(" - cgroup") else { return };
        let mut before = before.split(' ').skip(3);
        let (Some(top), Some(point)) = (before.next(), before.next()) else { return };
        let controllers = match after.split(' ').next() {
            Some("2") => None,
            Some("") => Some(after.rsplit(' ').next().unwrap_or_default().to_owned()),
            _ => return,
        };
        if self.0.len() < DEPTH_MAX {
            self.0.push(Hierarchy { point: point.to_owned(), top: top.to_owned(), controllers });
        }
    }

    fn of(&self, controllers: Option<&str>) -> Option<&Hierarchy> {
        let has = |own: &str, wanted: &str| own.split(',').any(|name| name == wanted);
        self.0.iter().find(|hierarchy| match (&hierarchy.controllers, controllers) {
            (None, None) => true,
            (Some(own), Some(wanted)) => has(own, wanted),
            _ => false,
        })
    }
}

/// The least that is allowed of memory and of CPUs, by the agent's own group or one above it.
pub(super) fn limits(host: &Host, mounts: &Mounts) -> Vec<Limit> {
    let groups = host.read_text("/proc/self/cgroup").unwrap_or_default();
    let of = |wanted: Option<&str>| {
        groups.lines().find_map(|line| {
            let (controllers, group) = line.split_once(':')?.1.split_once(':')?;
            let same = wanted.map_or(controllers.is_empty(), |wanted| controllers.split(',').any(|one| one == wanted));
            same.then_some(group)
        })
    };
    let mut limits = Vec::new();
    for (what, controller) in [(Resource::Memory, "memory"), (Resource::Cpu, "cpu")] {
        let found = [None, Some(controller)].into_iter().filter_map(|wanted| {
            let (hierarchy, group) = (mounts.of(wanted)?, of(wanted)?);
            least(host, hierarchy, group, what)
        });
        limits.extend(found.min_by(|one, two| one.most.total_cmp(&two.most)));
    }
    limits
}

fn least(host: &Host, hierarchy: &Hierarchy, group: &str, what: Resource) -> Option<Limit> {
    let below = if hierarchy.top == "/" { group } else { group.strip_prefix(&*hierarchy.top).unwrap_or("") };
    let mut path = below.trim_matches('/');
    let mut least: Option<Limit> = None;
    for _ in 0..DEPTH_MAX {
        let directory = [&*hierarchy.point, path].join("/");
        let read = |file: &str| host.read_text(&format!("{}/{file}", directory.trim_end_matches('/'))).ok();
        let most = limit(&read, hierarchy.controllers.is_none(), what);
        if let Some((most, used)) = most.filter(|(most, _)| least.as_ref().is_none_or(|least| *most < least.most)) {
            least = Some(Limit { group: format!("/{path}"), what, most, used });
        }
        if path.is_empty() {
            break;
        }
        path = path.rsplit_once('/').map_or("", |(above, _)| above);
    }
    least
}

/// What one group may use, and uses.
fn limit(read: &impl Fn(&str) -> Option<String>, is_version_2: bool, what: Resource) -> Option<(f64, Option<f64>)> {
    let number = |file: &str| read(file).as_deref().and_then(parse_number);
    match (what, is_version_2) {
        (Resource::Memory, true) => Some((number("memory.max")?, number("memory.current"))),
        (Resource::Memory, false) => {
            let most = number("memory.limit_in_bytes").filter(|most| *most < UNLIMITED_FROM)?;
            Some((most, number("memory.usage_in_bytes")))
        }
        (Resource::Cpu, true) => {
            let text = read("cpu.max")?;
            let (quota, period) = text.split_once(' ')?;
            Some((share(parse_number(quota)?, parse_number(period)?)?, None))
        }
        (Resource::Cpu, false) => Some((share(number("cpu.cfs_quota_us")?, number("cpu.cfs_period_us")?)?, None)),
    }
}

/// A quota of -1 is none.
fn share(quota: f64, period: f64) -> Option<f64> {
    (quota > 0.0 && period > 0.0).then(|| quota / period)
}
