//! A failing drive in all faces: the metrics, the views and the API say what it is, where it sits, what lies on it and what
//! redundancy is left, and of a drive that sleeps what it said last.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;

use muster_tests::browser::{Browser, DESK, PHONE};
use muster_tests::{Agent, Collector, eventually, http};
use serde_json::{Value, json};

use crate::s;

/// A machine with a failing drive `sda` in bay 03 and its mirror `sdb`, on which `/srv` lies, and an NVMe drive. Its
/// models and serial numbers are made up.
pub(crate) struct Machine(PathBuf);

impl Machine {
    pub(crate) fn of(agent: &Agent) -> Self {
        Self(agent.home().to_owned())
    }

    fn file(&self, path: &str, content: &str) {
        let path = self.0.join("root").join(path);
        std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("a directory of our own");
        std::fs::write(path, content).expect("a file of our own");
    }

    /// Lays a block device with its directory below `/sys` and partitions.
    fn block(&self, name: &str, place: &str, number: &str, holders: &[(&str, &str)]) {
        let directory = format!("sys/devices/{place}/block/{name}");
        self.file(&format!("{directory}/dev"), &format!("{number}\n"));
        self.file(&format!("{directory}/size"), "7814037168\n");
        self.file(&format!("{directory}/queue/rotational"), "1\n");
        for (partition, holder) in holders {
            self.file(&format!("{directory}/{partition}/dev"), "8:99\n");
            self.file(&format!("{directory}/{partition}/holders/{holder}/dev"), "9:0\n");
        }
        let link = self.0.join("root/sys/block").join(name);
        std::fs::create_dir_all(link.parent().expect("it has a directory")).expect("a directory of our own");
        symlink(format!("../devices/{place}/block/{name}"), link).expect("a link of our own");
    }

    pub(crate) fn build(&self) {
        self.file("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        self.file("proc/sys/kernel/random/boot_id", "01234567-89ab-4def-8123-456789abcdef\n");
        self.file("dev/kmsg", "6,2,3000000,-;usb 1-1: new high-speed USB device\n");
        self.file("proc/loadavg", "0.10 0.20 0.30 1/100 1000\n");
        for (name, port) in [("sda", 3), ("sdb", 4)] {
            let place = format!("pci0000:00/0000:00:17.0/ata{port}/host{port}/target{port}:0:0/{port}:0:0:0");
            self.block(name, &place, &format!("8:{}", port * 16), &[(&format!("{name}1"), "md0")]);
            for (file, content) in [("vendor", "ATA     \n"), ("model", "MADE UP 4000\n")] {
                self.file(&format!("sys/devices/{place}/block/{name}/device/{file}"), content);
            }
        }
        self.file("sys/class/enclosure/3:0:8:0/Slot 03/device/block/sda/dev", "8:48\n");
        self.block("md0", "virtual", "9:0", &[]);
        self.block("nvme0n1", "pci0000:3a/0000:3b:00.0/nvme/nvme0", "259:0", &[]);
        self.file("proc/1/mountinfo", "30 1 9:0 / /srv rw,noatime shared:1 - ext4 /dev/md0 rw\n");
        self.file(
            "proc/mdstat",
            "Personalities : [raid1]\nmd0 : active raid1 sdb1[1] sda1[0](F)\n      3906886464 blocks super 1.2 [2/1] [_U]\n\n\
             unused devices: <none>\n",
        );
        self.drives(
            &[("sda", sata("sda", "MADE-UP-1", 0)), ("sdb", sata("sdb", "MADE-UP-2", 0)), ("nvme0", nvme())],
            &[],
        );
    }

    /// From now on drives say this, and others sleep.
    pub(crate) fn drives(&self, says: &[(&str, Value)], asleep: &[&str]) {
        let tools = self.0.join("commands");
        std::fs::create_dir_all(&tools).expect("a directory of our own");
        let sleeps = r#"{"smartctl":{"messages":[{"string":"Device is in STANDBY mode, exit(2)"}],"exit_status":2}}"#;
        let mut script = "#!/bin/sh\ncase $* in\n".to_owned();
        for name in asleep {
            script.push_str(&format!("*/dev/{name}) echo '{sleeps}'; exit 2;;\n"));
        }
        for (name, said) in says {
            script.push_str(&format!("*/dev/{name}) echo '{said}';;\n"));
        }
        script.push_str("*) exit 2;;\nesac\n");
        let path = tools.join("smartctl");
        std::fs::write(&path, script).expect("a file of our own");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a file of our own");
    }
}

/// What a SATA drive says that has so many pending sectors, and has replaced a quarter as many.
pub(crate) fn sata(device: &str, serial: &str, pending: u64) -> Value {
    let attribute = |id: u64, name: &str, raw: u64| {
        json!({ "id": id, "name": name, "value": 100, "worst": 100, "thresh": 10, "when_failed": "",
                "flags": { "string": "PO--CK ", "prefailure": true, "updated_online": true, "event_count": true,
                           "auto_keep": true },
                "raw": { "value": raw, "string": raw.to_string() } })
    };
    json!({
        "json_format_version": [1, 0],
        "smartctl": { "version": [7, 4], "svn_revision": "5530", "build_info": "(local build)", "exit_status": 0 },
        "device": { "name": format!("/dev/{device}"), "type": "sat", "protocol": "ATA" },
        "model_family": "Made Up Drives", "model_name": "MADE UP 4000", "serial_number": serial,
        "firmware_version": "0001", "user_capacity": { "blocks": 7_814_037_168_u64, "bytes": 4_000_787_030_016_u64 },
        "logical_block_size": 512, "physical_block_size": 4096, "rotation_rate": 7200,
        "form_factor": { "name": "3.5 inches" }, "sata_version": { "string": "SATA 3.1" },
        "interface_speed": { "max": { "string": "6.0 Gb/s", "units_per_second": 60, "bits_per_unit": 100_000_000 },
                             "current": { "string": "6.0 Gb/s", "units_per_second": 60, "bits_per_unit": 100_000_000 } },
        "smart_status": { "passed": true }, "power_on_time": { "hours": 30_000 }, "power_cycle_count": 40,
        "temperature": { "current": 34 },
        "ata_smart_attributes": { "table": [
            attribute(5, "Reallocated_Sector_Ct", pending / 4), attribute(197, "Current_Pending_Sector", pending)] },
        "ata_smart_error_log": { "extended": { "count": 0 } },
        "ata_smart_self_test_log": { "extended": { "count": 1, "error_count_total": 0 } }
    })
}

/// What an NVMe drive says.
pub(crate) fn nvme() -> Value {
    json!({
        "json_format_version": [1, 0], "smartctl": { "version": [7, 4], "exit_status": 0 },
        "device": { "name": "/dev/nvme0", "type": "nvme", "protocol": "NVMe" },
        "model_name": "MADE UP 980", "serial_number": "MADE-UP-3", "firmware_version": "2B0",
        "nvme_total_capacity": 1_000_204_886_016_u64, "smart_status": { "passed": true },
        "nvme_smart_health_information_log": { "critical_warning": 0, "available_spare": 100,
            "available_spare_threshold": 10, "percentage_used": 42, "data_units_read": 2, "data_units_written": 3,
            "media_errors": 0, "num_err_log_entries": 6 },
        "power_on_time": { "hours": 20_000 }, "power_cycle_count": 9, "temperature": { "current": 41 }
    })
}

/// An agent on the machine, after its first look.
pub(crate) async fn watched(collector: &Collector) -> (Agent, Machine) {
    let mut agent = Agent::of_captured_machine();
    let machine = Machine::of(&agent);
    machine.build();
    agent.enrol_at(collector, "fast", None).await;
    agent.run();
    let list = format!("/api/v1/hosts/{}/evidence", agent.host);
    let told = || async {
        let all = collector.get(&list).await.json();
        let has = |source: &str, count: usize| {
            let rows = all["items"].as_array().into_iter().flatten();
            rows.filter(|item| item["source"] == source && item["outcome"] == "read").count() == count
        };
        (has("smartctl-json", 3) && has("block-sysfs", 1) && has("mdstat", 1)).then_some(())
    };
    eventually("the machine has said what it is made of", s(40), told).await;
    (agent, machine)
}

/// The agent looks at its start.
pub(crate) async fn looks_again(agent: &mut Agent) {
    assert_eq!(agent.stop().await, 0);
    agent.run();
}

async fn has_line(collector: &Collector, path: &str, parts: &[&str]) -> String {
    let what = format!("{path} has a line with {parts:?}");
    let line = || async {
        let page = collector.get(path).await.body;
        page.lines().find(|line| parts.iter().all(|part| line.contains(part))).map(str::to_owned)
    };
    eventually(&what, s(40), line).await
}

#[tokio::test]
async fn a_failing_drive_shows_in_the_metrics_the_views_and_the_api_and_a_sleeping_one_keeps_what_it_said() {
    let collector = Collector::start("").await;
    let (mut agent, machine) = watched(&collector).await;

    // It has sectors that cannot be read from now on; its mirror sleeps.
    machine.drives(&[("sda", sata("sda", "MADE-UP-1", 12)), ("nvme0", nvme())], &["sdb"]);
    looks_again(&mut agent).await;
    let host_page = format!("/hosts/{}/metrics", agent.host);
    let raw = ["smartctl_device_attribute{device=\"sda\"", "attribute_id=\"197\"", "value_type=\"raw\"", "} 12"];
    has_line(&collector, &host_page, &raw).await;
    has_line(&collector, &host_page, &["muster_hardware_part_info", "device=\"sdb\"", "outcome=\"asleep\""]).await;
    let samples = http::samples(&collector.get(&host_page).await.body);
    for (series, value) in [
        ("smartctl_device_temperature{device=\"sdb\",temperature_type=\"current\"}", 34.0),
        ("smartctl_device_power_on_seconds{device=\"sda\"}", 30_000.0 * 3_600.0),
        ("smartctl_device_smart_status{device=\"nvme0\"}", 1.0),
        ("smartctl_device_percentage_used{device=\"nvme0\"}", 42.0),
        ("smartctl_devices", 3.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series}");
    }

    // The fleet's page says which part to order, and the part's own page everything else.
    let part = ["muster_hardware_finding_info", "rule=\"drive-pending-sectors\"", "model=\"MADE UP 4000\""];
    let line = has_line(&collector, "/metrics", &part).await;
    assert!(line.contains("serial=\"MADE-UP-1\"") && line.contains("slot=\"Slot 03 of enclosure 3:0:8:0\""), "{line}");
    has_line(&collector, "/metrics", &["muster_hardware_parts{", "outcome=\"asleep\"", "} 1"]).await;
    let list = collector.get("/hardware").await.body;
    let url = format!("/hardware/{}/drive%20MADE-UP-1", agent.host);
    assert!(list.contains(&url), "{list}");
    let page = collector.get(&url).await.body;
    for wanted in [
        "MADE UP 4000",
        "MADE-UP-1",
        "4.00 TB",
        "3.5 inches",
        "SATA 3.1, 6.0 Gb/s",
        "Slot 03",
        "ata3",
        "0000:00:17.0",
        "sda1 › md0",
        "/srv",
        "no redundancy is left",
        "drive-pending-sectors",
        "+12",
    ] {
        assert!(page.contains(wanted), "{wanted}:\n{page}");
    }
    let json = collector.get(&format!("/api/v1/hosts/{}/parts/sda", agent.host)).await.json();
    assert_eq!(
        (&json["serial"], &json["slot"]),
        (&json!("MADE-UP-1"), &json!("Slot 03 of enclosure 3:0:8:0")),
        "{json}"
    );
    assert_eq!(json["carries"], json!([{ "devices": ["sda1", "md0"], "mounts": ["/srv"] }]), "{json}");
    let coverage = collector.get("/hardware/coverage").await.body;
    assert!(coverage.contains("asleep") && coverage.contains(&agent.name), "{coverage}");
}

mod browser {
    use super::*;

    #[tokio::test]
    async fn the_views_of_hardware_are_drawn_at_a_desks_and_a_phones_width() {
        let collector = Collector::start("").await;
        let (mut agent, machine) = watched(&collector).await;
        machine.drives(&[("sda", sata("sda", "MADE-UP-1", 12)), ("nvme0", nvme())], &["sdb"]);
        looks_again(&mut agent).await;
        has_line(&collector, "/metrics", &["muster_hardware_finding_info", "drive-pending-sectors"]).await;
        let browser = Browser::new();
        let part = format!("/hardware/{}/sda", agent.host);
        for (name, path) in [
            ("hardware", "/hardware"),
            ("part", &part),
            ("coverage", "/hardware/coverage"),
            ("rules", "/hardware/rules"),
        ] {
            for (width, size, dark) in [("desk", DESK, false), ("phone", PHONE, false), ("phone-dark", PHONE, true)] {
                let file = crate::browser::pictures().join(format!("hardware-{name}-{width}.png"));
                let picture = browser.draw(&collector.url(path), size, dark, &file).await;
                assert!(picture.len() > 3_000, "{path} {width} is an empty picture");
            }
        }
        // What an engineer takes along.
        let paper = browser.print(&collector.url(&part), &crate::browser::pictures().join("hardware-part.pdf")).await;
        assert!(paper.starts_with(b"%PDF") && paper.len() > 3_000);
    }
}
