use super::*;
use crate::probe::machine::Machine;

/// One chip: `hwmonN` of a device.
fn add_chip(machine: &Machine, number: u32, device: &str, name: &str, files: &[(&str, &str)]) {
    let path = format!("sys/devices/{device}/hwmon/hwmon{number}");
    machine.put(&format!("{path}/name"), name);
    for (file, text) in files {
        machine.put(&format!("{path}/{file}"), text);
    }
    machine.link(&format!("{path}/device"), &format!("../../../{}", last(device)));
    machine.link(&format!("sys/class/hwmon/hwmon{number}"), &format!("../../../{path}"));
}

#[test]
fn a_link_is_followed_by_its_text() {
    let machine = Machine::new(&[]);
    for (link, target, expected) in [
        ("sys/class/hwmon/hwmon0", "../../devices/platform/x.0/hwmon/hwmon0", "/sys/devices/platform/x.0/hwmon/hwmon0"),
        ("a/b/c", "./d//e", "/a/b/d/e"),
        ("a/b/up", "../../../../..", "/"),
        ("a/b/whole", "/sys/x", "/sys/x"),
    ] {
        machine.link(link, target);
        let (directory, name) = link.rsplit_once('/').unwrap();
        assert_eq!(follow(&machine.host, &format!("/{directory}"), name).unwrap(), expected);
    }
}

#[test]
fn names_are_cleaned_like_metric_names() {
    for (text, expected) in
        [("coretemp", "coretemp"), ("0000:01:00.0", "0000:01:00_0"), ("__A b_", "a_b"), ("-.-", ""), ("Ünï", "n")]
    {
        assert_eq!(clean(text), expected, "{text}");
    }
    assert_eq!(device_label("/sys/devices/platform/coretemp.0").as_deref(), Some("platform_coretemp_0"));
    assert_eq!(device_label("/..."), None);
}

#[test]
fn one_broken_sensor_is_noted_and_hides_no_other() {
    let machine = Machine::new(&[]);
    let files = [("temp1_input", "41000"), ("temp2_input", "x"), ("temp3_input", "43500"), ("temp3_max", "80000")];
    add_chip(&machine, 0, "platform/sio.1", "sio", &files);
    machine.break_file("sys/devices/platform/sio.1/hwmon/hwmon0/temp1_input");
    let said = machine.read(read);
    said.outcome.clone().unwrap();
    assert_eq!(said.value(r#"node_hwmon_temp_celsius{chip="platform_sio_1",sensor="temp3"}"#), 43.5);
    assert_eq!(said.value(r#"node_hwmon_temp_max_celsius{chip="platform_sio_1",sensor="temp3"}"#), 80.0);
    let path = "hwmon/sys/devices/platform/sio.1/hwmon/hwmon0";
    assert_eq!(said.noted(), [format!("{path}/temp1_input"), format!("{path}/temp2_input")]);
}

#[test]
fn limits_are_read_once_and_readings_each_time() {
    let machine = Machine::new(&[]);
    add_chip(&machine, 0, "platform/a.0", "a", &[("temp1_input", "41000"), ("temp1_min", "0"), ("temp1_max", "80000")]);
    machine.read(read).outcome.unwrap();
    let path = "sys/devices/platform/a.0/hwmon/hwmon0";
    machine.put(&format!("{path}/temp1_input"), "42000");
    machine.put(&format!("{path}/temp1_max"), "90000");
    let said = machine.read(read);
    assert_eq!(
        (said.family("node_hwmon_temp_celsius"), said.family("node_hwmon_temp_max_celsius")),
        (vec![42.0], vec![80.0])
    );
    machine.host.forget_facts();
    assert_eq!(machine.read(read).family("node_hwmon_temp_max_celsius"), [90.0]);
}

#[test]
fn a_suspended_device_is_not_asked() {
    let machine = Machine::new(&[]);
    add_chip(&machine, 0, "platform/gpu.0", "amdgpu", &[("temp1_input", "41000"), ("temp1_crit", "100000")]);
    machine.put("sys/devices/platform/gpu.0/power/runtime_status", "suspended\n");
    let said = machine.read(read);
    assert_eq!(
        said.series.into_keys().collect::<Vec<_>>(),
        [r#"node_hwmon_chip_names{chip="platform_gpu_0",chip_name="amdgpu"}"#]
    );
    assert!(matches!(said.notes.as_slice(), [(part, ProbeError::Absent(_))] if part == "hwmon/platform_gpu_0"));
    machine.put("sys/devices/platform/gpu.0/power/runtime_status", "active\n");
    assert_eq!(machine.read(read).family("node_hwmon_temp_celsius"), [41.0]);
}

#[test]
fn an_idle_disk_is_not_asked_for_its_temperature() {
    const STAT: &str = "sys/devices/platform/ata.1/block/sda/stat";
    let machine = Machine::new(&[(STAT, " 100 0 8 0  50 0 8 0 0 0 0  7 0 0 0  3 0\n")]);
    add_chip(&machine, 0, "platform/ata.1", "drivetemp", &[("temp1_input", "31000")]);
    let temperature = || machine.read(read).family("node_hwmon_temp_celsius");
    assert_eq!(temperature(), [31.0], "nothing is known of it yet");
    assert_eq!(temperature(), [] as [f64; 0], "no request since");
    machine.host.forget_facts();
    assert_eq!(temperature(), [] as [f64; 0], "that is not forgotten with the facts");
    for busy in ["101 0 9 0  50 0 8 0 0 0 0  7 0 0 0  3 0", "101 0 9 0  50 0 8 0 0 0 0  7 0 0 0  4 0"] {
        machine.put(STAT, busy);
        assert_eq!(temperature(), [31.0], "{busy}");
    }
    machine.put(STAT, "101 0 9 9  50 9 8 9 9 9 9  7 9 9 9  4 9");
    assert_eq!(temperature(), [] as [f64; 0], "only requests count");
    machine.put(STAT, "broken");
    assert_eq!(temperature(), [31.0]);
    assert_eq!(requests("1 0 0 0 2 0 0 0 0 0 0"), Some(3), "older kernels have fewer columns");
}

#[test]
fn another_device_with_the_same_number_is_not_taken_for_the_first() {
    let machine = Machine::new(&[]);
    add_chip(&machine, 0, "platform/old.0", "old", &[("temp1_input", "1000"), ("temp1_max", "5000")]);
    machine.read(read).outcome.unwrap();
    std::fs::remove_file(machine.path("sys/class/hwmon/hwmon0")).unwrap();
    add_chip(&machine, 0, "platform/new.0", "new", &[("temp1_input", "2000"), ("temp1_max", "6000")]);
    let said = machine.read(read);
    assert_eq!(said.value(r#"node_hwmon_temp_max_celsius{chip="platform_new_0",sensor="temp1"}"#), 6.0);
    assert!(!said.series.keys().any(|series| series.contains("old")), "{said:?}");
}

#[test]
fn slow_chips_are_read_after_the_others() {
    let machine = Machine::new(&[]);
    for (number, device) in [(0, "platform/slow.0"), (1, "platform/quick.0"), (2, "platform/quick.1")] {
        add_chip(&machine, number, device, "x", &[("temp1_input", "x")]);
    }
    machine.host.remember("/sys/devices/platform/slow.0/hwmon/hwmon0", SLOW_MS);
    let said = machine.read(read);
    let order: Vec<&str> = said.noted().iter().map(|part| part.split('/').nth(4).unwrap()).collect();
    assert_eq!(order, ["quick.0", "quick.1", "slow.0"]);
    assert!(
        machine.host.recall("/sys/devices/platform/slow.0/hwmon/hwmon0").unwrap() < SLOW_MS,
        "it was measured anew"
    );
}

#[test]
fn a_chip_that_nearly_hung_is_left_alone_until_that_is_forgiven() {
    const PATH: &str = "/sys/devices/platform/stuck.0/hwmon/hwmon0";
    let machine = Machine::new(&[]);
    add_chip(&machine, 0, "platform/stuck.0", "w1_slave_temp", &[("temp1_input", "21000")]);
    add_chip(&machine, 1, "platform/fine.0", "fine", &[("temp1_input", "42000")]);
    machine.host.remember(PATH, 4 * BUDGET_MS);
    for expected in [vec![42.0], vec![42.0], vec![42.0, 21.0]] {
        assert_eq!(machine.read(read).family("node_hwmon_temp_celsius"), expected);
    }
    machine.host.remember(PATH, 4 * BUDGET_MS);
    let said = machine.read(read);
    assert!(matches!(said.notes.as_slice(), [(part, ProbeError::Failed(_))] if part == "hwmon/platform_stuck_0"));
    assert_eq!(said.family("node_hwmon_chip_names").len(), 2);
}

#[test]
fn what_is_left_when_the_time_is_used_up_is_noted() {
    let machine = Machine::new(&[]);
    let chip = Chip { path: "/a".to_owned(), device: None, label: "a".to_owned(), name: String::new() };
    assert_eq!(reason_to_pass(&machine.host, &chip, BUDGET_MS), None);
    assert!(matches!(reason_to_pass(&machine.host, &chip, BUDGET_MS + 1), Some(ProbeError::Failed(_))));
}
