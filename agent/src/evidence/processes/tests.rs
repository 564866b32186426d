use std::path::Path;

use serde_json::{Value, json};

use super::*;

struct Machine(tempfile::TempDir);

impl Machine {
    /// Two processors, 1 GiB, 100 s after its start.
    fn new() -> Self {
        let machine = Self(tempfile::tempdir().unwrap());
        machine.clocks(10_000);
        machine.write("proc/meminfo", "MemTotal:        1048576 kB\nMemFree: 1 kB\n");
        machine.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\npostgres:x:70:70::/:/bin/sh\n");
        machine.process(1, "init", "S", 5, (4_096, 0), 0);
        machine
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn host(&self) -> Host {
        Host::captured(self.path().into(), None)
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn clocks(&self, ticks: u64) {
        // A guest's 7 are in the user's already.
        let text = format!("cpu  {} 1 1 1 0 0 0 0 7 0\ncpu0 1 0 0 0\ncpu1 1 0 0 0\nintr 5\n", ticks - 3);
        self.write("proc/stat", &text);
    }

    fn process(&self, pid: u32, name: &str, state: &str, ticks: u64, (resident, swap): (u64, u64), uid: u32) {
        let stat = format!("{pid} ({name}) {state} 1 1 1 0 -1 0 1 2 3 4 {ticks} 0 0 0 20 0 1 0 {} 1 2", 40 + pid);
        self.write(&format!("proc/{pid}/stat"), &stat);
        let status = format!("Name:\tx\nUid:\t9\t{uid}\t9\t9\nVmRSS:\t {resident} kB\nVmSwap:\t {swap} kB\n");
        self.write(&format!("proc/{pid}/status"), &status);
    }

    /// What is told when `meanwhile` happens between the looks.
    fn told(&self, meanwhile: impl FnOnce()) -> Value {
        match look_twice(&self.host(), meanwhile) {
            Outcome::Read(json) => {
                assert!(json.len() <= 8_192, "{} bytes", json.len());
                serde_json::from_str(&json).unwrap()
            }
            other => panic!("{other:?}"),
        }
    }
}

fn pids(told: &Value) -> Vec<u64> {
    told["processes"].as_array().unwrap().iter().map(|process| process["pid"].as_u64().unwrap()).collect()
}

#[test]
fn a_process_is_told_with_its_name_owner_memory_and_share_of_the_time_between_two_looks() {
    let machine = Machine::new();
    machine.process(20, "postgres", "S", 1_000, (2_048, 1_024), 70);
    let told = machine.told(|| {
        machine.clocks(10_200);
        machine.process(20, "postgres", "R", 1_050, (2_048, 1_024), 70);
    });
    let expected = json!({
        "interval_seconds": 1.0, "processors": 2, "memory_total_bytes": 1_073_741_824, "left_out": 0,
        "processes": [
            { "pid": 20, "command": "postgres", "state": "R", "uid": 70, "user": "postgres",
              "resident_bytes": 2_097_152, "swap_bytes": 1_048_576, "cpu_ratio": 0.25 },
            { "pid": 1, "command": "init", "state": "S", "uid": 0, "user": "root",
              "resident_bytes": 4_194_304, "swap_bytes": 0, "cpu_ratio": 0.0 },
        ],
    });
    assert_eq!(told, expected);
}

#[test]
fn the_ten_that_use_most_of_each_and_those_that_wait_for_a_device_are_told_and_the_rest_counted() {
    let machine = Machine::new();
    let busy =
        |ticks: u64| (100..115).for_each(|pid| machine.process(pid, "busy", "R", ticks * u64::from(pid), (1, 0), 0));
    busy(0);
    (200..215).for_each(|pid| machine.process(pid, "large", "S", 0, (10_000 + u64::from(pid), 5), 0));
    machine.process(300, "stuck", "D", 0, (0, 0), 0);
    machine.process(400, "swapped out", "S", 0, (0, 99_999), 0);
    let told = machine.told(|| {
        machine.clocks(20_000);
        busy(1);
    });
    let mut expected: Vec<u64> = (105..115).rev().collect();
    expected.push(400);
    expected.extend((206..215).rev());
    expected.push(300);
    assert_eq!(pids(&told), expected);
    assert_eq!(told["left_out"], 1 + 15 + 15 + 2 - 21);
}

#[test]
fn a_process_that_came_is_charged_with_all_its_time_and_one_that_went_is_left_out() {
    let machine = Machine::new();
    machine.process(20, "gone", "R", 100, (1, 0), 0);
    machine.process(30, "old", "R", 9_000, (1, 0), 0);
    let told = machine.told(|| {
        machine.clocks(10_100);
        std::fs::remove_dir_all(machine.path().join("proc/20")).unwrap();
        // The number is another process's now.
        let stat = "30 (new) R 1 1 1 0 -1 0 1 2 3 4 20 5 0 0 20 0 1 0 9999 1 2";
        machine.write("proc/30/stat", stat);
        // Listed, and gone before it is opened.
        std::fs::create_dir_all(machine.path().join("proc/40")).unwrap();
    });
    assert_eq!(pids(&told), [30, 1]);
    assert_eq!(told["processes"][0]["cpu_ratio"], 0.25);
}

#[test]
fn hostile_names_are_told_without_control_characters_and_never_make_it_long() {
    let machine = Machine::new();
    machine.process(5, "a) R (\u{1b}[2J\n\"<b>", "S", 0, (9_999, 0), 4_294_967_295);
    let told = machine.told(|| {});
    assert_eq!(told["processes"][0]["command"], "a) R (\u{fffd}[2J\u{fffd}\"<b>");
    assert_eq!(told["processes"][0].get("user"), None, "nobody's name");

    let (name, huge) = ("\"".repeat(63), u64::MAX / 2_048);
    machine.write("etc/passwd", &format!("{}:x:7:7:::\n", "\\".repeat(300)));
    (4_000_000..4_000_090).for_each(|pid| machine.process(pid, &name, "D", 1_000, (huge, huge), 7));
    let told = machine.told(|| machine.clocks(11_000));
    assert!(pids(&told).len() >= 10, "{}", pids(&told).len());
    assert_eq!(told["left_out"], 92 - pids(&told).len());
}

#[test]
fn hidden_processes_are_said_to_be_hidden_and_a_machine_without_any_is_not_read() {
    let machine = Machine::new();
    machine.process(20, "our own", "R", 1, (1, 0), 0);
    std::fs::remove_dir_all(machine.path().join("proc/1")).unwrap();
    let outcome = look_twice(&machine.host(), || {});
    assert!(matches!(&outcome, Outcome::Unreadable(why) if why.contains("hidepid")), "{outcome:?}");
    let empty = tempfile::tempdir().unwrap();
    let outcome = look_twice(&Host::captured(empty.path().into(), None), || {});
    assert!(matches!(&outcome, Outcome::NotPresent(why) if why.contains("/proc/stat")), "{outcome:?}");
}

#[test]
fn a_live_machine_is_read() {
    let outcome = look_twice(&Host::live(), || {});
    let Outcome::Read(json) = outcome else { panic!("{outcome:?}") };
    let told: Value = serde_json::from_str(&json).unwrap();
    assert!(!pids(&told).is_empty() && told["processors"].as_u64() > Some(0), "{told}");
}
