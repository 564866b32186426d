use std::path::Path;

use super::super::testing::{is_absent, lines, machine};
use super::super::{Scratch, Section};
use super::*;

/// A captured machine with these files and namespaces.
fn captured(files: &[(&str, &str)], namespaces: &[(&str, &str, u32)]) -> (tempfile::TempDir, Host) {
    let (root, host) = machine(files);
    for (process, kind, inode) in namespaces {
        link(root.path(), &format!("proc/{process}/ns/{kind}"), &format!("{kind}:[{inode}]"));
    }
    (root, host)
}

fn link(root: &Path, path: &str, target: &str) {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(target, path).unwrap();
}

fn told(host: &Host) -> Vec<String> {
    let mut section = Section::new("scope", std::sync::Arc::default());
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(&mut section, &mut scratch, super::super::testing::NOW);
    let outcome = read(host, &mut sink);
    sink.finish(outcome).1.unwrap();
    lines(&section)
}

fn whose(host: &Host) -> Vec<(&'static str, &'static str)> {
    look(host).unwrap().figures.iter().map(|(figures, whose)| (*figures, whose.name())).collect()
}

const MACHINE: [(&str, &str, u32); 5] = [
    ("self", "pid", 4_026_531_836),
    ("self", "cgroup", 4_026_531_835),
    ("self", "uts", 4_026_531_838),
    ("self", "ipc", 4_026_531_839),
    ("self", "net", 4_026_531_840),
];
const GROUP_2: &str = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";

#[test]
fn on_a_machine_itself_all_is_the_hosts_even_where_its_files_were_made_from_a_containers() {
    let files =
        [("proc/self/mountinfo", GROUP_2), ("proc/self/cgroup", "0::/system.slice/x.service\n"), (".dockerenv", "")];
    let (_root, host) = captured(&files, &[&MACHINE[..], &[("1", "net", 4_026_531_840)]].concat());
    assert_eq!(look(&host).unwrap().container, None);
    assert!(whose(&host).iter().all(|(_, whose)| *whose == "host"), "{:?}", whose(&host));
    assert_eq!(told(&host).len(), 6, "{:?}", told(&host));

    let (_root, host) = captured(&files, &[&MACHINE[..], &[("1", "net", 4_026_531_999)]].concat());
    assert_eq!(whose(&host)[5], ("network", "namespace"));
    let (_root, host) = captured(&files, &MACHINE);
    assert_eq!(whose(&host)[5], ("network", "unknown"), "process 1 may not be looked at");
}

#[test]
fn in_a_container_with_lxcfs_its_files_are_the_containers_and_the_others_the_hosts() {
    let mounts = "91 80 0:40 /proc/meminfo /proc/meminfo rw - fuse.lxcfs lxcfs rw\n\
                  92 80 0:40 /proc/stat /proc/stat rw - fuse.lxcfs lxcfs rw\n\
                  93 80 0:9 / /proc/loadavg rw - tmpfs tmpfs rw\n";
    let files = [("proc/self/mountinfo", mounts), ("proc/1/environ", "A=1\0container=lxc\0B=2\0")];
    let (_root, host) = captured(&files, &[("self", "pid", 4_026_532_500), ("self", "net", 4_026_532_600)]);
    assert_eq!(look(&host).unwrap().container.as_deref(), Some("lxc"));
    let figures = [
        ("memory", "container"),
        ("cpu", "container"),
        ("load", "host"),
        ("disks", "host"),
        ("processes", "namespace"),
        ("network", "unknown"),
    ];
    assert_eq!(whose(&host), figures);
    assert!(told(&host).contains(&"muster_container_info{kind=\"lxc\"} 1".to_owned()));
}

#[test]
fn a_container_is_known_by_whatever_says_it() {
    let kind = |files: &[(&str, &str)]| {
        let (_root, host) = captured(files, &[("self", "pid", 4_026_532_500)]);
        look(&host).unwrap().container.unwrap()
    };
    assert_eq!(kind(&[("run/systemd/container", "systemd-nspawn\n"), (".dockerenv", "")]), "systemd-nspawn");
    assert_eq!(kind(&[(".dockerenv", "")]), "docker");
    assert_eq!(kind(&[("run/.containerenv", "engine=\"podman\"")]), "podman");
    assert_eq!(kind(&[("proc/1/cgroup", "0::/kubepods.slice/pod1\n")]), "kubernetes");
    assert_eq!(kind(&[("run/systemd/container", "what \u{1b}[31m\n")]), "unknown", "no stranger's words");
    assert!(is_absent(read, &[("proc/stat", "")]));
}

#[test]
fn the_least_limit_of_the_own_group_and_those_above_counts() {
    let files = [
        ("proc/self/mountinfo", GROUP_2),
        ("proc/self/cgroup", "0::/a.slice/b.service\n"),
        ("sys/fs/cgroup/a.slice/memory.max", "100000000\n"),
        ("sys/fs/cgroup/a.slice/memory.current", "7000000\n"),
        ("sys/fs/cgroup/a.slice/cpu.max", "max 100000\n"),
        ("sys/fs/cgroup/a.slice/b.service/memory.max", "max\n"),
        ("sys/fs/cgroup/a.slice/b.service/cpu.max", "150000 100000\n"),
    ];
    let (_root, host) = captured(&files, &MACHINE);
    assert_eq!(
        told(&host)[6..],
        [
            "muster_cgroup_memory_limit_bytes{cgroup=\"/a.slice\"} 100000000",
            "muster_cgroup_memory_usage_bytes{cgroup=\"/a.slice\"} 7000000",
            "muster_cgroup_cpu_limit_cores{cgroup=\"/a.slice/b.service\"} 1.5",
        ]
    );
}

#[test]
fn groups_of_version_1_limit_too_and_a_container_sees_its_own_as_the_top() {
    let mounts = "31 23 0:29 /docker/c1 /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n\
                  32 23 0:30 /docker/c1 /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n";
    let files = [
        ("proc/self/mountinfo", mounts),
        ("proc/self/cgroup", "4:memory:/docker/c1\n1:cpu,cpuacct:/docker/c1\n0::/\n"),
        ("sys/fs/cgroup/memory/memory.limit_in_bytes", "536870912\n"),
        ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1048576\n"),
        ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "200000\n"),
        ("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"),
    ];
    let limits = |files: &[(&str, &str)]| {
        let (_root, host) = captured(files, &MACHINE);
        look(&host).unwrap().limits.iter().map(|limit| (limit.what, limit.most)).collect::<Vec<_>>()
    };
    assert_eq!(limits(&files), [(Resource::Memory, 536_870_912.0), (Resource::Cpu, 2.0)]);
    let mut without = files;
    without[2].1 = "9223372036854771712\n";
    without[4].1 = "-1\n";
    assert_eq!(limits(&without), []);
}
