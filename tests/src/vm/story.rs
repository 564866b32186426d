//! The machine, its agent and its collector, and what is seen of the faults.

use std::cell::{Cell, RefCell};
use std::path::PathBuf;
use std::time::Duration;

use muster_agent::clock::boottime_ns;
use muster_tests::machine::{Machine, OUTSIDE, System};
use muster_tests::process::program;
use muster_tests::{Collector, Webhook, eventually, wait};
use serde_json::Value;
use tempfile::TempDir;

use crate::faults::{Deed, FAULTS};
use crate::row::{Finding, Row, Since, waiting};

/// The agent's settings, but for its collector's address.
pub(crate) const SETTINGS: &str = "state = \"/var/lib/muster/agent\"\ninterval = \"5s\"\n\n\
    [collect]\nhardware = true\nhardware_interval = \"1m\"\n";
/// From its start to the first report of an agent in an emulated machine; an answer of the collector.
const UP: Duration = Duration::from_secs(60);
/// Drives are asked once a minute, and a look at all of them takes some seconds there.
const LOOKED: Duration = Duration::from_secs(150);
const LOOKED_NS: u64 = 150_000_000_000;
/// Between two looks at what is found.
const PAUSE: Duration = Duration::from_millis(200);
/// What the kernel said stands for a day, and is judged again when the collector starts.
const LATER: &str = "+25h";
/// What is in the machine besides what it boots from.
const DEVICES: [&str; 10] = [
    "-drive file=DISK,if=none,id=flash,format=raw",
    "-device nvme,id=nvme0,drive=flash,serial=VM-NVME-1",
    "-drive file=DISK,if=none,id=first,format=raw",
    "-device ide-hd,bus=ide.0,drive=first,model=VM-DISK,serial=VM-DISK-1,ver=1.0",
    "-drive file=DISK,if=none,id=second,format=raw",
    "-device ide-hd,bus=ide.1,drive=second,model=VM-DISK,serial=VM-DISK-2,ver=1.0",
    "-device ipmi-bmc-sim,id=bmc0",
    "-device isa-ipmi-kcs,bmc=bmc0",
    "-rtc base=utc",
    "-name watched",
];
/// Room on each disk.
const DISK_BYTES: u64 = 64 << 20;
/// `disk SERIAL` is the name of the disk with this serial number.
const FUNCTIONS: &str = "disk() { for it in /sys/block/sd*; do \
    if grep -qa \"$1\" $it/device/vpd_pg80; then echo /dev/${it##*/}; fi; done; }\n";
/// A whole array of two disks, and a SCSI disk that can be read as yet.
const PREPARE: &str = "set -e\n\
    mdadm --create /dev/md0 --level=1 --raid-devices=2 --metadata=1.2 --run $(disk VM-DISK-1) $(disk VM-DISK-2)\n\
    mdadm --wait /dev/md0 || true\n\
    modprobe scsi_debug dev_size_mb=8\n\
    until [ -b /dev/sdc ]; do sleep 0.1; done";
/// What says how it is in a machine that is well.
const SOURCES: [(&str, &str); 7] = [
    ("smartctl-json", "nvme0"),
    ("smartctl-json", "sda"),
    ("smartctl-json", "sdb"),
    ("smartctl-json", "sdc"),
    ("mdstat", ""),
    ("ipmi", "sensors"),
    ("ipmi", "events"),
];

/// The machine and who watches it.
pub(crate) struct Story {
    machine: Machine,
    collector: Collector,
    hook: Webhook,
    host: String,
    /// What was seen.
    pub(crate) rows: Vec<Row>,
}

#[expect(clippy::print_stderr, reason = "progress of minutes")]
fn progress(words: &str) {
    eprintln!("vm: {words}");
}

impl Story {
    /// Boots the machine and enrols the agent in it.
    pub(crate) async fn begin(system: &System) -> Self {
        let hook = Webhook::start().await;
        let collector = Collector::start(&hook.receiver()).await;
        let home = TempDir::new().expect("a directory");
        let put = |name: &str, text: String| -> PathBuf {
            let file = home.path().join(name);
            std::fs::write(&file, text).expect("a directory of our own");
            file
        };
        let settings = format!("{SETTINGS}\n[collector]\naddresses = [\"{OUTSIDE}:{}\"]\n", collector.grpc);
        let files = [
            ("muster-agent", program("muster-agent")),
            ("agent.toml", put("agent.toml", settings)),
            ("token", put("token", collector.token("fast").await)),
        ];
        let mut devices = Vec::new();
        for (number, words) in DEVICES.iter().enumerate() {
            let disk = home.path().join(format!("disk-{number}"));
            if words.contains("file=DISK") {
                std::fs::File::create(&disk).and_then(|file| file.set_len(DISK_BYTES)).expect("a disk of our own");
            }
            devices.extend(words.split(' ').map(|word| word.replace("DISK,if", &format!("{},if", disk.display()))));
        }
        let machine = Machine::boot(system, home, &devices, &files).await;
        progress(&format!("booted Linux {}", machine.must("uname -r").await));
        let mut story = Self { machine, collector, hook, host: String::new(), rows: Vec::new() };
        story.shell(PREPARE).await;
        story.enrol().await;
        story
    }

    async fn enrol(&mut self) {
        let agent = "/mnt/muster-agent --config /mnt/agent.toml";
        let address = format!("{OUTSIDE}:{}", self.collector.grpc);
        let said = self.shell(&format!("{agent} enrol --collector {address} --token-file /mnt/token")).await;
        let id = said.split_once("(host ").and_then(|(_, rest)| rest.split_once(')'));
        self.host = id.unwrap_or_else(|| panic!("an enrolled agent says which host it is: {said}")).0.to_owned();
        self.shell(&format!("setsid {agent} run >/run/agent.log 2>&1 &")).await;
        self.collector.host_is(&self.host, "up", UP).await;
    }

    async fn shell(&self, script: &str) -> String {
        self.machine.must(&format!("{FUNCTIONS}{script}")).await
    }

    async fn done(&self, deed: &Deed) {
        match deed {
            Deed::Shell(script) => drop(self.shell(script).await),
            Deed::NvmeWarning(bits) => self.machine.set("nvme0", "smart_critical_warning", (*bits).into()).await,
        }
    }

    /// Everything, to its end.
    pub(crate) async fn tell(&mut self) {
        self.well().await;
        let rows: RefCell<Vec<Row>> = RefCell::default();
        let breaking = async {
            for fault in FAULTS {
                progress(fault.what);
                let since_ns = boottime_ns();
                rows.borrow_mut().extend(fault.told.iter().map(|told| Row::of(fault.what, told, since_ns)));
                self.done(&fault.breaks).await;
            }
        };
        self.follow(breaking, &rows, Since::Broken).await;
        let found = self.findings().await;
        for finding in &found {
            progress(&finding.clone().words());
        }
        let others = found.into_iter().filter(|one| !rows.borrow().iter().any(|row| row.is_about(one)));
        let others = Row::none("all of these: findings beside them", others.map(Finding::words).collect());

        let mending = async {
            for fault in FAULTS {
                progress(&format!("{}: mended", fault.what));
                self.done(&fault.mends).await;
                let now_ns = boottime_ns();
                let mut rows = rows.borrow_mut();
                rows.iter_mut().filter(|row| row.what == fault.what).for_each(|row| row.mended(now_ns));
            }
        };
        self.follow(mending, &rows, Since::Mended).await;
        progress("a day passes for the collector");
        self.collector.stop().await;
        self.collector.clock = Some(LATER.to_owned());
        self.collector.run().await;
        let now_ns = boottime_ns();
        rows.borrow_mut().iter_mut().for_each(|row| row.a_day_later(now_ns));
        self.follow(std::future::ready(()), &rows, Since::Mended).await;
        self.rows.append(&mut rows.into_inner());
        self.rows.push(others);
        let left = self.findings().await.into_iter().map(Finding::words).collect();
        self.rows.push(Row::none("all mended, a day later: findings left", left));
    }

    /// Before anything is done all parts say how they are, and nothing is found.
    async fn well(&mut self) {
        let seen = || async { self.unseen().await.is_empty().then_some(()) };
        let looked = tokio::time::timeout(LOOKED, eventually("all parts say how they are", LOOKED * 2, seen)).await;
        let mut wrong = if looked.is_ok() { Vec::new() } else { self.unseen().await };
        wrong.extend(self.findings().await.into_iter().map(Finding::words));
        self.rows.push(Row::none("nothing: findings of a machine that is well", wrong));
    }

    /// Sources that did not say how their parts are.
    async fn unseen(&self) -> Vec<String> {
        let all = self.collector.get(&format!("/api/v1/hosts/{}/evidence", self.host)).await.json();
        let items = all["items"].as_array().cloned().unwrap_or_default();
        let how = |(source, part): (&str, &str)| {
            let item = items.iter().find(|item| item["source"] == source && item["part"] == part);
            item.map(|item| (item["outcome"] == "read", item["reason"].to_string()))
        };
        let unread = |source: &(&str, &str)| match how(*source) {
            Some((true, _)) => None,
            Some((false, why)) => Some(format!("{} {}: {why}", source.0, source.1)),
            None => Some(format!("{} {}: nothing is known", source.0, source.1)),
        };
        SOURCES.iter().filter_map(unread).collect()
    }

    async fn findings(&self) -> Vec<Finding> {
        let host = self.collector.get(&format!("/api/v1/hosts/{}", self.host)).await.json();
        host["findings"].as_array().map(|all| all.iter().map(finding).collect()).unwrap_or_default()
    }

    /// Does `deeds` and looks meanwhile, and then until each row has seen what it waits for or the time is over.
    async fn follow(&self, deeds: impl Future<Output = ()>, rows: &RefCell<Vec<Row>>, since: Since) {
        let done_ns = Cell::new(None);
        let doing = async {
            deeds.await;
            done_ns.set(Some(boottime_ns()));
        };
        let looking = async {
            loop {
                let findings = self.findings().await;
                let waiting = {
                    let mut rows = rows.borrow_mut();
                    rows.iter_mut().for_each(|row| row.look(since, &findings, &self.hook));
                    waiting(&mut rows, since)
                };
                let is_over = |since_ns: u64| waiting == 0 || boottime_ns() > since_ns + LOOKED_NS;
                if done_ns.get().is_some_and(is_over) {
                    return;
                }
                wait::pass(PAUSE).await;
            }
        };
        tokio::join!(doing, looking);
    }
}

fn finding(row: &Value) -> Finding {
    let [part, rule, severity, evidence] =
        ["part", "rule", "severity", "evidence"].map(|field| row[field].as_str().unwrap_or_default().to_owned());
    Finding { part, rule, severity, evidence }
}
