//! Of what the figures are: an agent in a control group and in namespaces of its own. Needs root and control groups that
//! may be written.

use std::path::{Path, PathBuf};

use muster_tests::http::samples;
use muster_tests::process::{Process, Said, installed, program, run};
use muster_tests::{Agent, Collector, eventually};
use tokio::process::Command;

use crate::s;

/// A control group that limits one thing; removed when dropped.
struct Group {
    directory: PathBuf,
    name: String,
}

const LIMIT_BYTES: u64 = 134_217_728;
/// What prlimit leaves of addresses: 128 MiB, most of it for the stacks of threads.
const ADDRESSES: &str = "--as=134217728";

impl Group {
    /// Of memory or cpu: in version 1 where it is limited there, else in version 2; the file of each, and what is written to it.
    fn make(controller: &str, version_1: (&str, &str), version_2: (&str, &str)) -> Self {
        let name = format!("muster-story-{controller}-{}", std::process::id());
        let top = Path::new("/sys/fs/cgroup").join(controller);
        let (top, (file, limit)) = if top.join("tasks").exists() {
            (top, version_1)
        } else {
            // Where it is on already nothing changes.
            let _ = std::fs::write("/sys/fs/cgroup/cgroup.subtree_control", format!("+{controller}"));
            (PathBuf::from("/sys/fs/cgroup"), version_2)
        };
        let group = Self { directory: top.join(&name), name };
        std::fs::create_dir(&group.directory).expect("control groups can be made here");
        std::fs::write(group.directory.join(file), limit).expect("it can be limited here");
        group
    }

    fn of_memory() -> Self {
        let limit = LIMIT_BYTES.to_string();
        Self::make("memory", ("memory.limit_in_bytes", &limit), ("memory.max", &limit))
    }

    /// A command that runs a program in it: `words` behind.
    fn command(&self, words: &[&str]) -> Command {
        let script = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", self.directory.display());
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &script, "sh"]).args(words);
        command
    }

    /// Runs the agent in it.
    async fn run(&self, argument: &str) -> Said {
        run(&mut self.command(&[program("muster-agent").to_str().expect("a path of letters"), argument])).await
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
    let group = Group::of_memory();
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

/// Slower, and all there.
#[tokio::test]
async fn with_a_twentieth_of_a_processor_and_few_addresses_everything_is_read_and_the_host_is_up() {
    let group = Group::make("cpu", ("cpu.cfs_quota_us", "5000"), ("cpu.max", "5000 100000"));
    let collector = Collector::start("").await;
    let agent = Agent::enrolled(&collector, "normal", None).await;
    agent.configure("interval = \"5s\"\n");
    let file = agent.home().join("agent.toml");
    let words = [installed("prlimit", "util-linux"), program("muster-agent"), file];
    let [prlimit, program, file] = words.each_ref().map(|path| path.to_str().expect("a path of letters"));
    let mut poor = group.command(&[prlimit, ADDRESSES, program, "--config", file, "run"]);
    let process = Process::start("the agent of few means", &mut poor, &agent.home().join("agent.log"));
    collector.host_is(&agent.host, "up", s(60)).await;
    let reports = format!("muster_host_last_report_timestamp_seconds{{host=\"{}\"}}", agent.name);
    let first = collector.metric(&reports).await.expect("it reports");
    let later = || async { collector.metric(&reports).await.filter(|last| *last > first + 12.0) };
    eventually("it goes on", s(60), later).await;
    let page = collector.get(&format!("/hosts/{}/metrics", agent.host)).await.body;
    for source in ["stat", "meminfo", "netdev", "filesystem", "diskstats"] {
        let read = format!("node_scrape_collector_success{{collector=\"{source}\"}} 1");
        assert!(page.contains(&read), "{source}\n{page}");
    }
    assert!(!process.log().contains("panicked"), "{}", process.tail());
    let doctor = group.run("doctor").await.out;
    assert!(line(&doctor, "cgroup cpu").contains("0.05 CPUs"), "it is said: {doctor}");
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
