//! What a machine's drives say reaches the collector as they said it, once, and what cannot be seen is said too.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use muster_tests::process::run;
use muster_tests::{Agent, Collector, eventually};
use serde_json::{Value, json};

use crate::s;

/// What the drive of this story says: its serial is made up.
const SAID: &str = r#"{"smartctl":{"exit_status":64},"serial_number":"MADE-UP-1","power_on_time":{"hours":100}}"#;

/// A machine of two drives, one of which sleeps, and a disk that is none.
struct Machine<'a>(&'a Path);

impl Machine<'_> {
    fn file(&self, path: &str, content: &str) {
        let path = self.0.join("root").join(path);
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("a directory of our own");
        std::fs::write(path, content).expect("a file of our own");
    }

    fn build(&self) {
        self.file("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        self.file("proc/sys/kernel/random/boot_id", "01234567-89ab-4def-8123-456789abcdef\n");
        for name in ["sda", "sdb"] {
            self.file(&format!("sys/block/{name}/device/vendor"), "ATA     \n");
            self.file(&format!("sys/block/{name}/device/model"), "WDC WD40EFRX-68N\n");
            self.file(&format!("sys/block/{name}/queue/rotational"), "1\n");
        }
        self.file("sys/block/vda/stat", "1 2 3\n");
        self.file("proc/mdstat", "md0 : active raid1 sdb1[1] sda1[0](F)\n      9 blocks [2/1] [_U]\n");
        self.file("dev/kmsg", "3,1,2000001,-;ata1.00: error: { UNC }\n SUBSYSTEM=scsi\n6,2,3000000,-;usb 1-1: new\n");
        self.says(SAID);
    }

    /// From now on `sda` says this; `sdb` sleeps.
    fn says(&self, text: &str) {
        let tools = self.0.join("commands");
        std::fs::create_dir_all(&tools).expect("a directory of our own");
        let sleeps = r#"{"smartctl":{"messages":[{"string":"Device is in STANDBY mode, exit(2)"}],"exit_status":2}}"#;
        let script = format!(
            "#!/bin/sh\necho \"$*\" >> {}\ncase $* in *sdb) echo '{sleeps}'; exit 2;; esac\necho '{text}'\nexit 64\n",
            self.0.join("asked").display()
        );
        let path = tools.join("smartctl");
        std::fs::write(&path, script).expect("a file of our own");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of our own");
    }

    /// How often `sda` was asked.
    fn asked(&self) -> usize {
        let asked = std::fs::read_to_string(self.0.join("asked")).unwrap_or_default();
        assert!(asked.lines().all(|line| line.contains(" -n standby ")), "a drive might have been woken: {asked}");
        asked.lines().filter(|line| line.ends_with("/dev/sda")).count()
    }
}

/// All that is kept of `sda`, the latest first.
async fn of_sda(collector: &Collector, agent: &Agent) -> Vec<Value> {
    let path = format!("/api/v1/hosts/{}/evidence?source=smartctl-json&part=sda&payload=true", agent.host);
    collector.get(&path).await.json()["items"].as_array().cloned().unwrap_or_default()
}

/// Records sent, without what readings became before there was a stream.
fn sent(collector: &Collector) -> usize {
    usize::try_from(collector.received()).unwrap_or(0) - collector.facts("rollup").len()
}

#[tokio::test]
async fn what_drives_say_is_kept_as_they_said_it_over_restarts_of_both_and_told_once() {
    let mut collector = Collector::start("").await;
    let mut agent = Agent::of_captured_machine();
    let home = agent.home().to_owned();
    let machine = Machine(&home);
    machine.build();
    agent.enrol_at(&collector, "fast", None).await;
    agent.run();
    let told = || async { Some(of_sda(&collector, &agent).await).filter(|all| !all.is_empty()) };
    let said = eventually("the drive's evidence is in the API", s(30), told).await;
    assert_eq!((&said[0]["outcome"], &said[0]["reason"]), (&json!("read"), &json!("exit status 64")));
    assert_eq!(said[0]["payload"], serde_json::from_str::<Value>(SAID).expect("JSON"));

    let list = format!("/api/v1/hosts/{}/evidence", agent.host);
    let all = collector.get(&list).await.json();
    let reason = |part: &str| {
        let found = all["items"].as_array().and_then(|items| items.iter().find(|item| item["part"] == part));
        found.map(|item| format!("{} {}", item["outcome"], item["reason"])).unwrap_or_default()
    };
    assert!(reason("sdb").starts_with("\"asleep\" \"asleep: "), "{all}");
    assert!(reason("vda").starts_with("\"not_present\" \"virtual: "), "{all}");
    let lines = format!("{list}?source=kernel-log&payload=true");
    let lines = collector.get(&lines).await.json()["items"][0]["payload"].clone();
    assert_eq!(lines, "[    2.000001] ata1.00: error: { UNC }\n");
    let mdstat = collector.get(&format!("{list}?source=mdstat&payload=true")).await.json();
    assert!(mdstat["items"][0]["payload"].as_str().is_some_and(|text| text.contains("sda1[0](F)")), "{mdstat}");
    let page = collector.get(&format!("/hosts/{}", agent.host)).await.body;
    assert!(page.contains("Hardware evidence") && page.contains("is no drive of its own"), "{page}");

    // Nothing has changed: both begin again, the drive is asked again, nothing is sent.
    let (before, asked) = (sent(&collector), machine.asked());
    assert_eq!(agent.stop().await, 0);
    collector.stop().await;
    collector.run().await;
    agent.run();
    collector.host_is(&agent.host, "up", s(20)).await;
    let again = || async { (machine.asked() > asked).then_some(()) };
    eventually("the drive is asked after the start", s(30), again).await;
    assert_eq!(of_sda(&collector, &agent).await, said, "it survives the restart of both");

    // The drive and the kernel say something new: what is sent is this alone.
    machine.says(&SAID.replace("100", "101"));
    machine.file("dev/kmsg", "3,1,2000001,-;ata1.00: error: { UNC }\n3,3,4000000,-;critical medium error\n");
    assert_eq!(agent.stop().await, 0);
    agent.run();
    let two = || async { Some(of_sda(&collector, &agent).await).filter(|all| all.len() == 2) };
    let both = eventually("what differs is told", s(30), two).await;
    assert_eq!(both[0]["payload"]["power_on_time"]["hours"], 101);
    assert_eq!(both[1], said[0]);
    assert_eq!(sent(&collector), before + 2, "as many records were sent as things have changed");

    let printed = run(&mut agent.command_on_machine("evidence")).await;
    let document: Value = serde_json::from_str(&printed.out).expect("JSON");
    let sources = document["sources"].as_array().expect("a list");
    let drive = sources.iter().find(|one| one["part"] == "sda").expect("the drive");
    assert_eq!(drive["payload"]["power_on_time"]["hours"], 101, "{document}");
    let why: Vec<_> = document["coverage"].as_array().expect("a list").iter().map(|one| &one["why"]).collect();
    assert!(why.contains(&&json!("asleep")) && why.contains(&&json!("virtual")), "{document}");
}
