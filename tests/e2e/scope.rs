//! Of what the figures are: an agent in a control group and in namespaces of its own. Needs root and control groups that
//! may be written.

use std::path::{Path, PathBuf};

use muster_tests::http::samples;
use muster_tests::process::{Said, installed, program, run};
use tokio::process::Command;

/// A control group that limits memory; removed when dropped.
struct Group {
    directory: PathBuf,
    name: String,
}

const LIMIT_BYTES: u64 = 134_217_728;

impl Group {
    /// In version 1 where memory is limited there, else in version 2.
    fn make() -> Self {
        let name = format!("muster-story-{}", std::process::id());
        let version_1 = Path::new("/sys/fs/cgroup/memory");
        let (top, file) = if version_1.join("tasks").exists() {
            (version_1, "memory.limit_in_bytes")
        } else {
            // Where it is on already nothing changes.
            let _ = std::fs::write("/sys/fs/cgroup/cgroup.subtree_control", "+memory");
            (Path::new("/sys/fs/cgroup"), "memory.max")
        };
        let group = Self { directory: top.join(&name), name };
        std::fs::create_dir(&group.directory).expect("control groups can be made here");
        std::fs::write(group.directory.join(file), LIMIT_BYTES.to_string()).expect("memory can be limited here");
        group
    }

    /// Runs the agent in it.
    async fn run(&self, arguments: &str) -> Said {
        let script = format!("echo $$ >{}/cgroup.procs && exec \"$0\" {arguments}", self.directory.display());
        run(Command::new("/bin/sh").arg("-c").arg(script).arg(program("muster-agent"))).await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir(&self.directory);
    }
}

fn line<'a>(doctor: &'a str, what: &str) -> &'a str {
    let found = doctor.lines().find(|line| line.get(9..).is_some_and(|rest| rest.starts_with(what)));
    found.unwrap_or_else(|| panic!("{what}: {doctor}"))
}

#[tokio::test]
async fn in_a_control_group_its_limit_is_said_and_the_machines_memory_stays_the_machines() {
    let group = Group::make();
    let page = samples(&group.run("once").await.out);
    let limit = format!("muster_cgroup_memory_limit_bytes{{cgroup=\"/{}\"}}", group.name);
    assert_eq!(page.get(&limit), Some(&(LIMIT_BYTES as f64)), "{page:?}");
    assert_eq!(page.get("muster_scope_info{figures=\"memory\",scope=\"host\"}"), Some(&1.0));
    let memory = std::fs::read_to_string("/proc/meminfo").expect("Linux");
    let total_kib = memory.split_ascii_whitespace().nth(1).and_then(|text| text.parse::<f64>().ok());
    assert_eq!(page.get("node_memory_MemTotal_bytes").copied(), total_kib.map(|kib| kib * 1024.0));
    let doctor = group.run("doctor").await.out;
    assert!(line(&doctor, "cgroup memory").contains(&format!("/{} gives", group.name)), "{doctor}");
    assert!(line(&doctor, "cgroup memory").contains(&LIMIT_BYTES.to_string()), "{doctor}");
}

#[tokio::test]
async fn in_a_process_namespace_of_its_own_processes_are_said_to_be_of_it() {
    let mut command = Command::new(installed("unshare", "util-linux"));
    command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(program("muster-agent"));
    let page = samples(&run(command.arg("once")).await.out);
    assert_eq!(page.get("muster_scope_info{figures=\"processes\",scope=\"namespace\"}"), Some(&1.0), "{page:?}");
    assert!(page.keys().any(|name| name.starts_with("muster_container_info{kind=")), "{page:?}");
    assert_eq!(page.get("muster_scope_info{figures=\"memory\",scope=\"host\"}"), Some(&1.0), "{page:?}");
    let outside = samples(&run(Command::new(program("muster-agent")).arg("once")).await.out);
    assert_eq!(outside.get("muster_scope_info{figures=\"processes\",scope=\"host\"}"), Some(&1.0), "{outside:?}");
}

#[tokio::test]
async fn of_a_captured_container_with_lxcfs_doctor_says_which_figures_are_its_own() {
    let home = tempfile::tempdir().expect("a directory");
    let put = |path: &str, text: &str| {
        let file = home.path().join(path);
        std::fs::create_dir_all(file.parent().expect("below the root")).expect("a directory of our own");
        std::fs::write(file, text).expect("a file in a directory of our own");
    };
    let lxcfs =
        |file: &str| format!("400 390 0:52 {file} {file} rw,nosuid - fuse.lxcfs lxcfs rw,user_id=0,allow_other\n");
    let cgroup = "380 370 0:27 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n";
    put("proc/self/mountinfo", &(lxcfs("/proc/meminfo") + &lxcfs("/proc/stat") + cgroup));
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "50000 100000\n");
    put("run/systemd/container", "lxc\n");
    std::fs::create_dir_all(home.path().join("proc/self/ns")).expect("a directory of our own");
    std::os::unix::fs::symlink("pid:[4026532741]", home.path().join("proc/self/ns/pid")).expect("a link of our own");
    let ask = |what: &'static str| {
        let mut command = Command::new(program("muster-agent"));
        command.arg(what).arg("--root").arg(home.path());
        async move { run(&mut command).await.out }
    };
    let doctor = ask("doctor").await;
    let told = doctor.lines().find(|line| line.contains("in a container (lxc)")).unwrap_or_else(|| panic!("{doctor}"));
    assert!(told.contains("memory, cpu: of this container alone (lxcfs)"), "{told}");
    assert!(
        told.contains("load, disks: of the whole host") && told.contains("network: of what cannot be told"),
        "{told}"
    );
    assert!(line(&doctor, "cgroup cpu").contains("/ gives this agent and what shares it 0.5 CPUs"), "{doctor}");
    let page = samples(&ask("once").await);
    for name in [
        "muster_container_info{kind=\"lxc\"}",
        "muster_scope_info{figures=\"cpu\",scope=\"container\"}",
        "muster_scope_info{figures=\"disks\",scope=\"host\"}",
        "muster_scope_info{figures=\"processes\",scope=\"namespace\"}",
    ] {
        assert_eq!(page.get(name), Some(&1.0), "{name}: {page:?}");
    }
    assert_eq!(page.get("muster_cgroup_cpu_limit_cores{cgroup=\"/\"}"), Some(&0.5));
}
