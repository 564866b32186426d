use super::super::testing::Machine;
use super::super::{Found, Outcome};
use super::*;

const MINUTE_MS: u64 = 60_000;
/// A drive that has read 10 and written 20 times.
const STAT: &str = "10 0 0 0 20 0 0 0 0 0 0\n";
const ATA: &str = "ATA     \n";

fn outcome(found: &[Found], part: &str) -> String {
    let Some(found) = found.iter().find(|found| found.part == part) else { panic!("{part}: {found:?}") };
    match &found.outcome {
        Outcome::Read { payload, note, .. } => format!("{} [{note}]", String::from_utf8_lossy(payload)),
        Outcome::Unseen { why, reason } => format!("{}: {reason}", why.word()),
        Outcome::Unasked { .. } => "unasked".to_owned(),
    }
}

#[test]
fn each_drive_is_asked_with_its_type_and_never_woken() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "WDC WD40EFRX\n", STAT);
    machine.drive("sdb", "SEAGATE\n", "ST4000NM0023\n", STAT);
    machine.file("sys/block/nvme0n1/queue/rotational", "0\n");
    machine.file("sys/block/nvme0n2/queue/rotational", "0\n");
    machine.file("sys/block/loop0/stat", STAT);
    machine.tool("smartctl", "echo '{\"smartctl\":{\"exit_status\":0}}'");
    let found = machine.look("drives", 0);
    assert_eq!(found.len(), 3, "{found:?}");
    assert_eq!(outcome(&found, "sda"), "{\"smartctl\":{\"exit_status\":0}}\n []");
    let asked = machine.asked();
    assert_eq!(
        asked,
        [
            "smartctl --json=c -x -d nvme /dev/nvme0",
            "smartctl --json=c -n standby -x -d sat /dev/sda",
            "smartctl --json=c -n standby -x -d scsi /dev/sdb",
        ]
    );
}

#[test]
fn a_drive_that_sleeps_is_asleep_and_one_that_the_kernel_suspended_is_not_even_asked() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "WDC WD40EFRX\n", STAT);
    machine.drive("sdb", ATA, "WDC WD40EFRX\n", STAT);
    machine.file("sys/block/sdb/device/power/runtime_status", "suspended\n");
    let standby = r#"echo '{"smartctl":{"messages":[{"string":"Device is in STANDBY mode, exit(2)","severity":"information"}],"exit_status":2}}'; exit 2"#;
    machine.tool("smartctl", standby);
    let found = machine.look("drives", 0);
    assert!(outcome(&found, "sda").starts_with("asleep: "), "{found:?}");
    assert!(outcome(&found, "sdb").starts_with("asleep: "), "{found:?}");
    assert_eq!(machine.asked(), ["smartctl --json=c -n standby -x -d sat /dev/sda"]);
}

#[test]
fn a_drive_with_a_motor_that_nothing_used_is_asked_once_a_day() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "WDC WD40EFRX\n", STAT);
    machine.drive("sdb", ATA, "Samsung SSD 860\n", STAT);
    machine.file("sys/block/sdb/queue/rotational", "0\n");
    machine.tool("smartctl", "echo '{}'");
    let asked = |machine: &mut Machine, now_ms: u64| {
        let found = machine.look("drives", now_ms);
        let told = outcome(&found, "sda");
        (machine.asked().iter().filter(|line| line.ends_with("/dev/sda")).count(), told)
    };
    assert_eq!(asked(&mut machine, 0), (1, "{}\n []".into()));
    assert_eq!(asked(&mut machine, 30 * MINUTE_MS), (0, "unasked".into()));
    machine.drive("sda", ATA, "WDC WD40EFRX\n", "10 0 0 0 21 0 0 0 0 0 0\n");
    assert_eq!(asked(&mut machine, 60 * MINUTE_MS), (1, "{}\n []".into()), "it was written to");
    assert_eq!(asked(&mut machine, 60 * MINUTE_MS + DAY_MS - 1), (0, "unasked".into()));
    assert_eq!(asked(&mut machine, 60 * MINUTE_MS + DAY_MS), (1, "{}\n []".into()), "a hot spare is seen too");
    assert_eq!(machine.look("drives", 61 * MINUTE_MS + DAY_MS).len(), 2);
    let asked = machine.asked();
    assert!(asked.len() == 1 && asked[0].ends_with("/dev/sdb"), "one without a motor does not sleep: {asked:?}");
}

#[test]
fn what_smartctl_could_read_is_kept_whatever_its_exit_says() {
    let mut machine = Machine::new();
    for (name, script) in [("sda", "exit 4"), ("sdb", "exit 216"), ("sdc", "exit 0"), ("sdd", "kill -9 $$")] {
        machine.drive(name, ATA, "WDC WD40EFRX\n", STAT);
        machine.file(script, name);
    }
    machine.tool(
        "smartctl",
        "case $* in *sda) echo '{\"a\":1}'; exit 4;; *sdb) echo '{\"b\":1}'; exit 216;;\n\
         *sdc) printf '{\"c\":';; *sdd) echo '{}'; kill -9 $$;; esac",
    );
    let found = machine.look("drives", 0);
    assert_eq!(outcome(&found, "sda"), "{\"a\":1}\n [exit status 4]");
    assert_eq!(outcome(&found, "sdb"), "{\"b\":1}\n [exit status 216]");
    assert_eq!(outcome(&found, "sdc"), "{\"c\": [partial: the JSON ends too early]");
    assert_eq!(outcome(&found, "sdd"), "{}\n [it died of a signal]");
}

#[test]
fn ten_megabytes_are_cut_with_the_reason() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "WDC WD40EFRX\n", STAT);
    machine.tool("smartctl", "head -c 10485760 /dev/zero | tr '\\0' x");
    let found = machine.look("drives", 0);
    let Outcome::Read { payload, note, .. } = &found[0].outcome else { panic!("{found:?}") };
    assert_eq!((payload.len(), payload.iter().all(|byte| *byte == b'x')), (256 * 1024, true));
    assert_eq!(note, "partial: more than 256 KiB were said, the rest is left out");
}

#[test]
fn a_drive_that_hangs_is_asked_for_less_then_left_alone_for_a_day_and_the_others_are_asked() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "WDC WD40EFRX\n", "");
    machine.drive("sdb", ATA, "WDC WD40EFRX\n", "");
    machine.tool("smartctl", "case $* in *sda) exec sleep 600;; esac; echo '{}'");
    let look = |machine: &mut Machine, now_ms: u64| {
        let found = machine.look("drives", now_ms);
        assert_eq!(outcome(&found, "sdb"), "{}\n []");
        let asked = machine.asked().into_iter().find(|line| line.ends_with("/dev/sda"));
        (outcome(&found, "sda"), asked.unwrap_or_default())
    };
    for (look_at, asked) in ["-x", "-a", "-i -H -A"].into_iter().enumerate() {
        let (told, line) = look(&mut machine, look_at as u64);
        assert!(told.starts_with("hung: smartctl did not end within 2 s"), "{told}");
        assert_eq!(line, format!("smartctl --json=c -n standby {asked} -d sat /dev/sda"));
    }
    let (told, line) = look(&mut machine, 2 + DAY_MS - 1);
    assert!(told.starts_with("hung: ") && line.is_empty(), "{told} {line}");
    let left: Vec<_> = std::fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| {
            let line = std::fs::read_to_string(entry.path().join("cmdline")).ok()?;
            (line == "sleep\u{0}600\u{0}" && parent(&entry.path()) == std::process::id()).then_some(line)
        })
        .collect();
    assert_eq!(left, [] as [String; 0], "it was killed");
    machine.tool("smartctl", "echo '{}'");
    assert_eq!(look(&mut machine, 2 + DAY_MS).0, "{}\n []");
}

fn parent(process: &std::path::Path) -> u32 {
    let stat = std::fs::read_to_string(process.join("stat")).unwrap_or_default();
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    fields.split_ascii_whitespace().nth(1).and_then(|pid| pid.parse().ok()).unwrap_or(0)
}

#[test]
fn two_drives_with_one_serial_are_two() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "Generic\n", STAT);
    machine.drive("sdb", ATA, "Generic\n", STAT);
    machine.tool("smartctl", "echo '{\"serial_number\":\"0123456789\"}'");
    let found = machine.look("drives", 0);
    assert_eq!(found.iter().map(|found| found.part.as_str()).collect::<Vec<_>>(), ["sda", "sdb"]);
}

#[test]
fn the_time_of_asking_makes_no_difference() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "Generic\n", STAT);
    let mut digest = |said: &str| {
        machine.tool("smartctl", &format!("echo '{said}'"));
        machine.memory = super::super::Memory::default();
        machine.look("drives", 0)[0].digest().unwrap()
    };
    let one = digest(r#"{"local_time":{"time_t":1,"asctime":"a"},"temperature":{"current":30}}"#);
    assert_eq!(digest(r#"{"local_time":{"time_t":2,"asctime":"b"},"temperature":{"current":30}}"#), one);
    assert_ne!(digest(r#"{"local_time":{"time_t":2,"asctime":"b"},"temperature":{"current":31}}"#), one);
}

#[test]
fn without_smartctl_or_the_right_to_ask_it_says_so() {
    let mut machine = Machine::new();
    machine.drive("sda", ATA, "WDC WD40EFRX\n", STAT);
    machine.drive("vda", "", "", STAT);
    let found = machine.look("drives", 0);
    assert_eq!(outcome(&found, ""), "not_installed: smartctl is not installed: nothing is known of 1 drives");
    assert!(outcome(&found, "vda").starts_with("virtual: "));
    let denied = r#"echo '{"smartctl":{"messages":[{"string":"Smartctl open device: /dev/sda failed: Permission denied","severity":"error"}]}}'; exit 2"#;
    machine.tool("smartctl", denied);
    let found = machine.look("drives", 0);
    assert_eq!(outcome(&found, "sda"), "no_permission: Smartctl open device: /dev/sda failed: Permission denied");
    assert_eq!(outcome(&found, "vda"), "virtual: vda is no drive of its own: what it lies on is seen where that is");
    machine.tool("smartctl", "echo 'UNRECOGNIZED OPTION: json=c'; exit 1");
    assert!(outcome(&machine.look("drives", DAY_MS), "sda").contains("older than 7.0"));
}

#[test]
fn a_usb_bridge_is_asked_in_each_way_until_one_works_which_is_remembered() {
    let mut machine = Machine::new();
    let place = "sys/devices/pci0000:00/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sda";
    machine.file(&format!("{place}/queue/rotational"), "0\n");
    machine.file("sys/devices/pci0000:00/usb2/2-1/idVendor", "152d\n");
    machine.file("sys/devices/pci0000:00/usb2/2-1/idProduct", "0578\n");
    std::fs::create_dir_all(machine.root().join("sys/block")).unwrap();
    std::os::unix::fs::symlink(format!("../{}", &place[4..]), machine.root().join("sys/block/sda")).unwrap();
    machine.tool("smartctl", "case $* in *sntasmedia*) echo '{}';; *) echo '{}'; exit 2;; esac");
    assert_eq!(outcome(&machine.look("drives", 0), "sda"), "{}\n []");
    let kinds =
        |asked: Vec<String>| asked.iter().map(|line| line.split(' ').nth(6).unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(kinds(machine.asked()), ["sat", "sntjmicron", "sntasmedia"]);
    assert_eq!(outcome(&machine.look("drives", 1), "sda"), "{}\n []");
    assert_eq!(kinds(machine.asked()), ["sntasmedia"]);
    machine.tool("smartctl", "echo '{}'; exit 2");
    machine.look("drives", 2);
    assert!(outcome(&machine.look("drives", 3), "sda").starts_with("usb_bridge: the USB bridge 152d:0578 passes"));
}

#[test]
fn drives_behind_a_raid_controller_are_found_and_asked_by_their_number() {
    let mut machine = Machine::new();
    machine.drive("sda", "DELL\n", "PERC H730 Mini\n", STAT);
    machine.file("sys/class/scsi_host/host0/proc_name", "megaraid_sas\n");
    machine.file("sys/class/scsi_host/host1/proc_name", "hpsa\n");
    machine.file("sys/class/scsi_generic/sg3/device/type", "12\n");
    machine.file("sys/class/scsi_generic/sg4/device/type", "0\n");
    machine.tool(
        "smartctl",
        r#"case $* in *--scan) echo '{"devices":[{"name":"/dev/sda","type":"scsi"},{"name":"/dev/bus/0","type":"megaraid,8"},{"name":"/dev/bus/0","type":"sat+megaraid,9"}]}';;
        *cciss,0*|*cciss,2*|*megaraid*) echo '{}';; *) echo '{}'; exit 2;; esac"#,
    );
    let found = machine.look("drives", 0);
    let parts: Vec<_> = found.iter().map(|found| found.part.as_str()).collect();
    assert_eq!(parts, ["sda", "bus/0 megaraid,8", "bus/0 sat+megaraid,9", "sg3 cciss,0", "sg3 cciss,2"]);
    let expected =
        "behind_raid: sda (DELL PERC H730 Mini) is a volume of a RAID controller; its drives are asked through it";
    assert_eq!(outcome(&found, "sda"), expected);
    let asked = machine.asked();
    assert!(asked.contains(&"smartctl --json=c -n standby -x -d sat+megaraid,9 /dev/bus/0".to_owned()), "{asked:?}");
    assert_eq!(
        asked.iter().filter(|line| line.contains("cciss")).count(),
        7,
        "after four without a drive it ends: {asked:?}"
    );
}
