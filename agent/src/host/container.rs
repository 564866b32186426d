//! Whether this is a container, and of what kind.

use super::Host;

/// Inode of the namespace of processes that every kernel begins with.
pub const FIRST_PID: u32 = 0xefff_fffc;
/// Inodes of the namespaces that every kernel begins with (include/linux/proc_ns.h).
const FIRST: [(&str, u32); 4] =
    [("pid", FIRST_PID), ("cgroup", 0xefff_fffb), ("uts", 0xefff_fffe), ("ipc", 0xefff_ffff)];
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

impl Host {
    /// The inode of a namespace of a process, as `/proc` names it: `pid:[4026531836]`.
    #[must_use]
    pub fn namespace(&self, process: &str, kind: &str) -> Option<u32> {
        let target = self.link_target(&format!("/proc/{process}/ns/{kind}")).ok()?;
        target.strip_prefix(kind)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
    }

    /// The kind of container that this is, `unknown` where nothing says. Without namespaces of its own it is none, whatever
    /// the file system was made from: images that were made virtual machines of keep the files of their engines.
    #[must_use]
    pub fn container(&self) -> Option<String> {
        let namespaces = FIRST.map(|(kind, first)| (self.namespace("self", kind), first));
        if namespaces.iter().all(|(found, first)| *found == Some(*first)) {
            return None;
        }
        let [(pid, first), ..] = namespaces;
        self.marked().or_else(|| pid.filter(|pid| *pid != first).map(|_| "unknown".to_owned()))
    }

    /// What says the kind of container: systemd's file, the variable that managers set for process 1, files of theirs.
    fn marked(&self) -> Option<String> {
        let word = |text: &str| {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_' || c == '.';
            Some(text.trim().to_owned()).filter(|word| (1..=32).contains(&word.len()) && word.chars().all(fits))
        };
        let told = || self.read_text("/run/systemd/container").ok().and_then(|text| word(&text));
        let environment = || {
            let text = self.read_text("/proc/1/environ").ok()?;
            text.split('\0').find_map(|variable| word(variable.strip_prefix("container=")?))
        };
        let file = || MARKS.iter().find(|(file, _)| self.exists(file)).map(|(_, kind)| (*kind).to_owned());
        let group = || {
            let text = self.read_text("/proc/1/cgroup").ok()?;
            GROUPS.iter().find(|(name, _)| text.contains(name)).map(|(_, kind)| (*kind).to_owned())
        };
        told().or_else(environment).or_else(file).or_else(group)
    }
}
