//! A drive that says that it fails, and an array without one of its members, become findings about the right part, are
//! told once, and end when the part was replaced or mended.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use muster_tests::{Agent, Collector, Webhook, eventually};
use serde_json::Value;

use crate::s;

/// A machine of two drives in an array.
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
            self.file(&format!("sys/block/{name}/device/model"), "MADE UP 4000\n");
            self.file(&format!("sys/block/{name}/queue/rotational"), "1\n");
        }
        self.array("[2/2] [UU]", "sda1[0]");
        self.drive("MADE-UP-1", true);
    }

    fn array(&self, state: &str, first: &str) {
        let text = format!(
            "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] {first}\n      3906886464 blocks super 1.2 {state}\n\n\
             unused devices: <none>\n"
        );
        self.file("proc/mdstat", &text);
    }

    /// From now on what the tool prints of `sda` ends in the middle.
    fn cut_off(&self) {
        let path = self.0.join("commands/smartctl");
        std::fs::write(path, "#!/bin/sh\necho '{\"smartctl\":{\"exit_status\":0},\"device\":'\n")
            .expect("a file of our own");
    }

    /// From now on `sda` is this drive, and says this of itself; `sdb` is well.
    fn drive(&self, serial: &str, passed: bool) {
        let said = |device: &str, serial: &str, passed: bool| {
            let status = if passed { 0 } else { 8 };
            format!(
                "{{\"smartctl\":{{\"version\":[7,4],\"exit_status\":{status}}},\"device\":{{\"name\":\"/dev/{device}\",\
                 \"type\":\"sat\",\"protocol\":\"ATA\"}},\"model_name\":\"MADE UP 4000\",\"serial_number\":\"{serial}\",\
                 \"firmware_version\":\"0001\",\"rotation_rate\":7200,\"smart_support\":{{\"available\":true,\"enabled\":true}},\
                 \"smart_status\":{{\"passed\":{passed}}},\"ata_smart_attributes\":{{\"table\":[{{\"id\":5,\
                 \"name\":\"Reallocated_Sector_Ct\",\"value\":100,\"worst\":100,\"thresh\":10,\"when_failed\":\"\",\
                 \"flags\":{{\"prefailure\":true}},\"raw\":{{\"value\":0,\"string\":\"0\"}}}}]}}}}"
            )
        };
        let tools = self.0.join("commands");
        std::fs::create_dir_all(&tools).expect("a directory of our own");
        let (first, second) = (said("sda", serial, passed), said("sdb", "MADE-UP-9", true));
        let status = if passed { 0 } else { 8 };
        let script =
            format!("#!/bin/sh\ncase $* in *sdb) echo '{second}'; exit 0;; esac\necho '{first}'\nexit {status}\n");
        let path = tools.join("smartctl");
        std::fs::write(&path, script).expect("a file of our own");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of our own");
    }
}

/// The open findings of a host: part, rule, severity, evidence.
async fn findings(collector: &Collector, agent: &Agent) -> Vec<[String; 4]> {
    let host = collector.get(&format!("/api/v1/hosts/{}", agent.host)).await.json();
    let text = |row: &Value, field: &str| row[field].as_str().unwrap_or_default().to_owned();
    let row = |row: &Value| ["part", "rule", "severity", "evidence"].map(|field| text(row, field));
    host["findings"].as_array().map(|rows| rows.iter().map(row).collect()).unwrap_or_default()
}

/// What is found of the first drive.
async fn failing(collector: &Collector, agent: &Agent) -> Option<[String; 4]> {
    findings(collector, agent).await.into_iter().find(|[part, ..]| part == "drive MADE-UP-1")
}

/// The agent looks at its start.
async fn looks_again(agent: &mut Agent) {
    assert_eq!(agent.stop().await, 0);
    agent.run();
}

#[tokio::test]
async fn a_failing_drive_and_a_degraded_array_are_told_once_and_end_when_they_are_mended() {
    let hook = Webhook::start().await;
    let mut collector = Collector::start(&hook.receiver()).await;
    let mut agent = Agent::of_captured_machine();
    let home = agent.home().to_owned();
    let machine = Machine(&home);
    machine.build();
    agent.enrol_at(&collector, "fast", None).await;
    agent.run();
    let list = format!("/api/v1/hosts/{}/evidence", agent.host);
    let told = || async {
        let all = collector.get(&list).await.json();
        let drives = all["items"].as_array()?.iter().filter(|item| item["source"] == "smartctl-json").count();
        (drives == 2).then_some(())
    };
    eventually("both drives have said how they are", s(30), told).await;

    // A drive that declares itself failed is critical, and named by its serial number.
    machine.drive("MADE-UP-1", false);
    looks_again(&mut agent).await;
    let [_, rule, severity, evidence] =
        eventually("the drive is a finding", s(30), || failing(&collector, &agent)).await;
    assert_eq!((rule.as_str(), severity.as_str()), ("drive-failed-self-verdict", "critical"), "{evidence}");
    assert!(evidence.contains("MADE UP 4000") && evidence.contains("replace"), "{evidence}");
    let opened = || async { hook.about("incident.opened", "drive MADE-UP-1").pop() };
    let opened = eventually("staff is told", s(30), opened).await;
    assert_eq!(opened.body["data"]["severity"], "critical");
    let page = collector.get("/hardware").await.body;
    assert!(page.contains("drive MADE-UP-1") && page.contains(&agent.name), "{page}");
    is_accepted_for_a_time(&collector, &agent).await;

    // A collector that is killed knows it still, and tells it to nobody again.
    collector.kill().await;
    collector.run().await;
    collector.host_is(&agent.host, "up", s(30)).await;
    eventually("the finding is there", s(20), || failing(&collector, &agent)).await;

    // Its array lost it: no redundancy is left. What the tool says of the drive now is no sign that it is well.
    machine.cut_off();
    machine.array("[2/1] [_U]", "sda1[0](F)");
    looks_again(&mut agent).await;
    let degraded = || async {
        let all = findings(&collector, &agent).await;
        all.into_iter().find(|[part, rule, ..]| part == "array md0" && rule == "array-degraded")
    };
    eventually("the array is a finding", s(30), degraded).await;
    let still = failing(&collector, &agent).await;
    assert_eq!(still.map(|[_, rule, ..]| rule).as_deref(), Some("drive-failed-self-verdict"));

    // Another drive is in its place, and the array is whole.
    machine.drive("MADE-UP-2", true);
    machine.array("[2/2] [UU]", "sda1[0]");
    looks_again(&mut agent).await;
    let mended = || async { findings(&collector, &agent).await.is_empty().then_some(()) };
    eventually("nothing is found any more", s(40), mended).await;
    let resolved = || async { hook.about("incident.resolved", "drive MADE-UP-1").pop() };
    eventually("staff is told of the end", s(40), resolved).await;
    assert_eq!(hook.about("incident.opened", "drive MADE-UP-1").len(), 1, "told once");
    assert_eq!(
        hook.about("incident.opened", "array md0").len(),
        0,
        "the array was degraded by its drive: one incident"
    );
    knows_their_lives(&collector).await;
}

/// Somebody answers for the failing drive until its successor is there, and takes that back.
async fn is_accepted_for_a_time(collector: &Collector, agent: &Agent) {
    let drive = ["--host", &agent.name, "--what", "finding/*:drive MADE-UP-1", "--reason", "its successor is ordered"];
    collector.cli(&[&["silence", "add", "--for", "7d"][..], &drive[..]].concat()).await;
    let view = || async { collector.get("/hardware").await.body };
    let shown = || async { view().await.contains("its successor is ordered").then_some(()) };
    eventually("the view says why and until when it calls nobody", s(10), shown).await;
    assert!(view().await.contains("accepted until"));
    collector.cli(&["silence", "expire", "1"]).await;
    let over = || async { (!view().await.contains("accepted until")).then_some(()) };
    eventually("it calls again", s(10), over).await;
}

/// The drive that failed and was taken out is known for good, and its model is held beside others.
async fn knows_their_lives(collector: &Collector) {
    let lives = collector.get("/api/v1/hardware/drives").await.json();
    let life = |serial: &str| {
        let found = lives["items"].as_array().and_then(|all| all.iter().find(|one| one["serial"] == serial));
        found.cloned().unwrap_or_default()
    };
    let (old, new) = (life("MADE-UP-1"), life("MADE-UP-2"));
    assert!(old["failed"].is_string() && old["gone"].is_string() && old["model"] == "MADE UP 4000", "{lives}");
    assert!(new["failed"].is_null() && new["gone"].is_null() && new["device"] == "sda", "{lives}");
    let models = collector.get("/api/v1/hardware/models").await.json();
    let model = &models["items"][0];
    let counts = ["drives", "in_use", "failures"].map(|count| model[count].as_u64());
    assert_eq!(counts, [Some(3), Some(2), Some(1)], "{models}");
    assert!(model["figures"].is_null(), "nothing is said of three drives: {models}");
    let page = collector.get("/hardware/models").await.body;
    assert!(page.contains("MADE UP 4000") && page.contains("too few"), "{page}");
}

/// A tool that says this.
fn tool(home: &Path, name: &str, script: &str) {
    let tools = home.join("commands");
    std::fs::create_dir_all(&tools).expect("a directory of our own");
    let path = tools.join(name);
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("a file of our own");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of our own");
}

#[tokio::test]
async fn arrays_flash_bonds_volumes_and_supplies_become_findings_about_the_right_part() {
    let collector = Collector::start("").await;
    let mut agent = Agent::of_captured_machine();
    let home = agent.home().to_owned();
    let machine = Machine(&home);
    machine.build();
    let sick = |is_sick: bool| {
        let of = |sick: &'static str, well: &'static str| if is_sick { sick } else { well };
        machine.file("sys/block/md0/md/level", "raid1\n");
        machine.file("sys/block/md0/md/raid_disks", "2\n");
        machine.file("sys/block/md0/md/array_state", "clean\n");
        machine.file("sys/block/md0/md/degraded", "0\n");
        machine.file("sys/block/md0/md/dev-sdb1/state", of("in_sync,write_error\n", "in_sync\n"));
        machine.file("sys/block/mmcblk0/device/serial", "0x00c0ffee\n");
        machine.file("sys/block/mmcblk0/device/life_time", of("0x0b 0x01\n", "0x01 0x01\n"));
        let bond = format!(
            "Ethernet Channel Bonding Driver: v6.1.0\n\nSlave Interface: eth0\nMII Status: up\n\n\
             Slave Interface: eth1\nMII Status: {}\n",
            of("down", "up")
        );
        machine.file("proc/net/bonding/bond0", &bond);
        machine.file("sys/block/dm-1/dm/name", "vg-r_rimage_0\n");
        tool(
            &home,
            "dmsetup",
            of("echo 'vg-r: 0 9 raid raid1 2 AD 9/9 idle 0'", "echo 'vg-r: 0 9 raid raid1 2 AA 9/9 idle 0'"),
        );
        let status = of("OL RB", "OL");
        tool(
            &home,
            "upsc",
            &format!("case $1 in -l) echo rack;; *) echo 'ups.serial: U1'; echo 'ups.status: {status}';; esac"),
        );
    };
    sick(true);
    agent.enrol_at(&collector, "fast", None).await;
    agent.run();
    let expected = [
        ("array vg-r", "array-degraded", "critical"),
        ("drive 0x00c0ffee", "flash-worn", "critical"),
        // `sdb1` of the array is the drive that smartctl asked.
        ("drive MADE-UP-9", "member-degraded", "warning"),
        ("link eth1", "bond-member-down", "warning"),
        ("ups U1", "ups-replace-battery", "warning"),
    ];
    let all = || async {
        let found = findings(&collector, &agent).await;
        let mut found: Vec<_> = found.iter().map(|[part, rule, severity, _]| (&**part, &**rule, &**severity)).collect();
        found.sort_unstable();
        (found == expected).then_some(())
    };
    eventually("each part is a finding of its own", s(40), all).await;
    sick(false);
    looks_again(&mut agent).await;
    let mended = || async { findings(&collector, &agent).await.is_empty().then_some(()) };
    eventually("nothing is found any more", s(40), mended).await;
}
