use super::super::testing::Machine;
use super::*;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2026-11-29, a Sunday, 03:00 UTC; so many days since 1970.
const SUNDAY: i64 = 20_786;
const NIGHT_MS: i64 = SUNDAY * DAY_MS + 3 * HOUR_MS;
/// Drives that can be tested, and one of two that is being tested: 249 is 90 % left.
const ATA_IDLE: &str =
    r#"echo '{"ata_smart_data":{"self_test":{"status":{"value":0}},"capabilities":{"self_tests_supported":true}}}'"#;
const SDA_TESTING: &str = r#"case "$*" in *sda) status=249;; *) status=0;; esac; echo '{"ata_smart_data":{"self_test":{"status":{"value":'$status'}}}}'"#;
const STANDBY: &str =
    r#"echo '{"smartctl":{"messages":[{"string":"Device is in STANDBY mode, exit(2)"}],"exit_status":2}}'; exit 2"#;
const ASKED: &str = "smartctl --json=c -n standby -c -l selftest -d sat /dev/";
const TESTED: &str = "smartctl --json=c -n standby -t ";

fn plan() -> Plan {
    Plan { short_test: Some(6), ..Plan::default() }
}

/// A machine with two drives, and what it begins.
struct Night {
    machine: Machine,
    proofs: Proofs,
    host: Host,
}

impl Night {
    fn of(plan: Plan) -> Self {
        let machine = Machine::new();
        machine.drive("sda", "ATA     \n", "MADE UP 4000\n", "10 0 0 0 20 0 0 0 0 0 0\n");
        machine.drive("sdb", "ATA     \n", "MADE UP 4000\n", "10 0 0 0 20 0 0 0 0 0 0\n");
        machine.tool("smartctl", ATA_IDLE);
        let host = machine.host();
        Self { machine, proofs: Proofs { plan: Some(plan), ..Proofs::default() }, host }
    }

    /// What is begun so long after three in the night of a Sunday; questions are left out.
    fn begins(&mut self, after_ms: i64) -> Vec<String> {
        let asked = self.asks(after_ms);
        asked.into_iter().filter(|line| !line.starts_with(ASKED) && !line.starts_with("zpool status")).collect()
    }

    fn asks(&mut self, after_ms: i64) -> Vec<String> {
        self.proofs.go_on(&self.host, NIGHT_MS + after_ms);
        self.machine.asked()
    }
}

fn short(device: &str) -> Vec<String> {
    vec![format!("{TESTED}short -d sat /dev/{device}")]
}

const NONE: [String; 0] = [];

#[test]
fn drives_are_tested_one_after_the_other_each_once_a_week_in_the_agreed_hours() {
    let mut night = Night::of(plan());
    assert_eq!(night.asks(-MINUTE_MS), NONE, "too early: not even asked");
    assert_eq!(night.begins(0), short("sda"));
    night.machine.tool("smartctl", SDA_TESTING);
    assert_eq!(night.begins(10 * MINUTE_MS), NONE, "never two at once");
    night.machine.tool("smartctl", ATA_IDLE);
    assert_eq!(night.begins(20 * MINUTE_MS), short("sdb"));
    assert_eq!(night.asks(30 * MINUTE_MS), NONE, "all are tested");
    assert_eq!(night.asks(DAY_MS), NONE);
    assert_eq!(night.begins(7 * DAY_MS), short("sda"));
    assert_eq!(night.asks(7 * DAY_MS + 4 * HOUR_MS), NONE, "too late: the next night");
    assert_eq!(night.begins(8 * DAY_MS), short("sdb"));
}

#[test]
fn without_a_plan_nothing_is_ever_asked() {
    let mut night = Night::of(plan());
    night.proofs.plan = None;
    assert_eq!(night.asks(0), NONE);
    assert_eq!(night.machine.look("proofs", 0), []);
    assert_eq!(night.machine.asked(), NONE);
}

#[test]
fn a_drive_that_sleeps_is_not_woken_and_comes_when_it_is_awake() {
    let mut night = Night::of(plan());
    night.machine.file("sys/block/sdb/device/power/runtime_status", "suspended\n");
    night.machine.tool("smartctl", STANDBY);
    assert_eq!(night.asks(0), [format!("{ASKED}sda")]);
    night.machine.tool("smartctl", ATA_IDLE);
    assert_eq!(night.begins(10 * MINUTE_MS), short("sda"));
    assert_eq!(night.asks(20 * MINUTE_MS), NONE, "the other one is suspended");
}

#[test]
fn nothing_begins_while_an_array_has_lost_a_member_or_is_worked_on() {
    let mut night = Night::of(Plan { scrub: Some(1), ..plan() });
    let md = |night: &Night, degraded: &str, action: &str| {
        night.machine.file("sys/block/md0/md/level", "raid1\n");
        night.machine.file("sys/block/md0/md/degraded", degraded);
        night.machine.file("sys/block/md0/md/sync_action", action);
    };
    md(&night, "1\n", "idle\n");
    assert_eq!(night.asks(0), NONE);
    md(&night, "0\n", "resync\n");
    assert_eq!(night.asks(0), NONE);
    md(&night, "0\n", "idle\n");
    night.machine.tool("mdadm", "");
    assert_eq!((night.begins(0), night.begins(0)), (short("sda"), short("sdb")));
    assert_eq!(night.begins(0), ["mdadm --action=check /dev/md0"]);
    assert_eq!(night.begins(0), NONE);
    // The first of December is two nights later.
    assert_eq!(
        (night.begins(DAY_MS), night.begins(2 * DAY_MS)),
        (vec![], vec!["mdadm --action=check /dev/md0".into()])
    );
}

#[test]
fn a_pool_is_scrubbed_when_all_are_online_and_idle() {
    let mut night = Night::of(Plan { scrub: Some(1), ..Plan::default() });
    night.machine.file("proc/spl/kstat/zfs/tank/state", "ONLINE\n");
    let status = |night: &Night, state: &str, scan: &str| {
        let status = format!("echo '  pool: tank'; echo ' state: {state}'; echo '  scan: {scan}'");
        night.machine.tool("zpool", &format!("[ \"$1\" = scrub ] || {{ {status}; }}"));
    };
    status(&night, "DEGRADED", "none requested");
    assert_eq!(night.begins(0), NONE);
    status(&night, "ONLINE", "scrub in progress since Sun");
    assert_eq!(night.begins(0), NONE);
    status(&night, "ONLINE", "none requested");
    assert_eq!(night.begins(0), ["zpool scrub tank"]);
    assert_eq!(night.begins(0), NONE);
}

#[test]
fn what_cannot_be_tested_holds_nobody_up() {
    let mut night = Night::of(Plan { long_test: Some(29 - 1), ..Plan::default() });
    night.machine.drive("sdc", "MADEUP  \n", "S1\n", "10 0 0 0 20 0 0 0 0 0 0\n");
    night.machine.drive("sdd", "QEMU    \n", "QEMU HARDDISK\n", "1 0 0 0 2 0 0 0 0 0 0\n");
    let unable = r#"case "$*" in *sat*) echo '{"ata_smart_data":{"self_test":{"status":{"value":0}},"capabilities":{"self_tests_supported":false}}}';; *) echo '{}';; esac"#;
    night.machine.tool("smartctl", unable);
    let asked = night.asks(0);
    assert_eq!(asked.last().unwrap(), "smartctl --json=c -n standby -t long -d scsi /dev/sdc", "{asked:?}");
    assert!(!asked.iter().any(|line| line.contains("sdd")), "{asked:?}");
    assert_eq!(night.asks(10 * MINUTE_MS), NONE, "drives without tests are not asked again");
}

#[test]
fn what_was_begun_is_remembered_over_restarts() {
    let directory = tempfile::tempdir().unwrap();
    let state = StateDir::open(directory.path()).unwrap();
    let mut night = Night::of(plan());
    night.proofs = Proofs::planned(Some(plan()), state.clone());
    assert_eq!(night.begins(0), short("sda"));
    night.proofs = Proofs::planned(Some(plan()), state);
    assert_eq!(night.begins(0), short("sdb"));
}

#[test]
fn nights_and_days_are_those_of_the_place() {
    let plan = Plan { at_minute: 23 * 60, within_minutes: 180, ..plan() };
    let at = |day: i64, hour: i64| plan.night((day * 24 + hour) * 60);
    assert_eq!((at(9, 22), at(9, 23), at(10, 1), at(10, 2)), (None, Some(9), Some(9), None));
    // 2024-02-29, 2026-11-29, 1970-01-01, 2100-02-28.
    assert_eq!([19_782, SUNDAY, 0, 47_540].map(day_of_month), [29, 29, 1, 28]);
    assert_eq!(plan.due_from(Test::Short, SUNDAY), Some(SUNDAY));
    assert_eq!(plan.due_from(Test::Short, SUNDAY + 6), Some(SUNDAY));
    assert_eq!(plan.due_from(Test::Short, SUNDAY + 7), Some(SUNDAY + 7));
    let monthly = Plan { long_test: Some(28), ..Plan::default() };
    assert_eq!(monthly.due_from(Test::Long, SUNDAY), Some(SUNDAY - 1));
    assert_eq!(monthly.due_from(Test::Long, SUNDAY - 2), Some(SUNDAY - 32), "28 October");
    // Without a zone the clock is UTC; two hours east it is five there when it is three here.
    let machine = Machine::new();
    assert_eq!(local_minutes(&machine.host(), NIGHT_MS), NIGHT_MS / MINUTE_MS);
}
