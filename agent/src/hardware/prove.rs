//! Tests that prove whether drives and arrays are well: self-tests of drives, checks of md arrays, scrubs of ZFS pools, at an
//! agreed hour of the night. Off unless this machine's own agent.toml plans them: nothing that the collector sends begins any.
//!
//! One at a time on the whole machine, none while an array has lost a member or is worked on, and none on a drive that sleeps.
//! What came of it is in the evidence: the drive's log of self-tests, the array's mismatches, the pool's scan.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::block::{self, Drive, Kind};
use super::{Found, Look};
use crate::clock;
use crate::host::{Host, Output};
use crate::probe::zone;
use crate::state::StateDir;

/// Days of the week, in their order from the first (ISO 8601).
pub const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const FILE: &str = "proofs.json";
const SMARTCTL: &str = "smartctl";
/// Beginning a test takes milliseconds; a drive that retries a sector, half a minute.
const DEADLINE_MS: u64 = if cfg!(test) { 2_000 } else { 30_000 };
/// What is kept of an answer, in bytes.
const ANSWER_BYTES: usize = 256 * 1024;
const DAY_MINUTES: i64 = 1_440;
/// Things of which it is remembered when they were tested.
const KEPT: usize = 1_024;
/// Levels that can be checked (Documentation/admin-guide/md.rst, sync_action).
const CHECKED: [&str; 5] = ["raid1", "raid4", "raid5", "raid6", "raid10"];

/// What is tried when, in local time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Minute of the day from which a test may begin.
    pub at_minute: i64,
    /// For so many minutes.
    pub within_minutes: i64,
    /// Day of the week, 0 to 6, from which short self-tests are due.
    pub short_test: Option<i64>,
    /// Day of the month from which long self-tests are due.
    pub long_test: Option<i64>,
    /// Day of the month from which checks and scrubs are due.
    pub scrub: Option<i64>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { at_minute: 180, within_minutes: 240, short_test: None, long_test: None, scrub: None }
    }
}

/// A test of one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Test {
    Long,
    Short,
    Scrub,
}

/// How a drive stands to a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It can be tested.
    Idle,
    /// A test runs in it.
    Testing,
    /// It cannot be tested now.
    Unfit,
    /// It has no self-tests.
    Unable,
}

/// The plan, and what was begun when.
#[derive(Debug, Default)]
pub struct Proofs {
    plan: Option<Plan>,
    state: Option<StateDir>,
    begun: Begun,
}

/// By test and thing, such as `long sda`: the night, in days since 1970.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
struct Begun(BTreeMap<String, i64>);

impl Plan {
    /// The night that it is, in days since 1970, while a test may begin.
    fn night(&self, local_minutes: i64) -> Option<i64> {
        let since = local_minutes - self.at_minute;
        (since.rem_euclid(DAY_MINUTES) < self.within_minutes).then_some(since.div_euclid(DAY_MINUTES))
    }

    /// The night from which a test is due, at the latest this one.
    fn due_from(&self, test: Test, night: i64) -> Option<i64> {
        let of_month = |day: i64| (0..31).map(|ago| night - ago).find(|night| day_of_month(*night) == day);
        match test {
            // 1970-01-01 was a Thursday.
            Test::Short => self.short_test.map(|day| night - (night + 3 - day).rem_euclid(7)),
            Test::Long => self.long_test.and_then(of_month),
            Test::Scrub => self.scrub.and_then(of_month),
        }
    }
}

/// Of days since 1970 (the algorithm of RFC 9557's calendars: 400 years have 146 097 days, counted from March).
fn day_of_month(days: i64) -> i64 {
    let of_era = (days + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    of_year - (153 * ((5 * of_year + 2) / 153) + 2) / 5 + 1
}

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    look.memory.proofs.go_on(look.host, clock::now().wall_ms);
    Vec::new()
}

impl Proofs {
    /// As planned, with what was begun before.
    #[must_use]
    pub fn planned(plan: Option<Plan>, state: StateDir) -> Self {
        let read = || serde_json::from_slice(&state.read(FILE).ok()??).ok();
        let begun = plan.is_some().then(read).flatten().unwrap_or_default();
        Self { plan, state: Some(state), begun }
    }

    /// Begins the next test, if one is due and nothing speaks against it.
    fn go_on(&mut self, host: &Host, wall_ms: i64) {
        let Some(plan) = self.plan.clone() else { return };
        let Some(night) = plan.night(local_minutes(host, wall_ms)) else { return };
        let is_due = |test: Test, name: &str| {
            let begun = self.begun.0.get(&key(test, name)).copied().unwrap_or(i64::MIN);
            plan.due_from(test, night).is_some_and(|from| begun < from)
        };
        let drives: Vec<Drive> = block::drives(host).into_iter().filter(is_tested).collect();
        let (arrays, pools) = (arrays(host), pools(host));
        let of_drives =
            [Test::Long, Test::Short].into_iter().flat_map(|test| drives.iter().map(move |drive| (test, drive)));
        let due: Vec<(Test, &Drive)> = of_drives.filter(|(test, drive)| is_due(*test, &drive.name)).collect();
        let due_array = arrays.iter().find(|array| is_due(Test::Scrub, array)).cloned();
        let due_pool = pools.iter().find(|pool| is_due(Test::Scrub, pool)).cloned();
        if due.is_empty() && due_array.is_none() && due_pool.is_none() {
            return;
        }
        if let Some(why) = why_not(host, !pools.is_empty()) {
            tracing::debug!("no test begins: {why}");
            return;
        }
        let standing: BTreeMap<&str, Standing> =
            drives.iter().map(|drive| (drive.name.as_str(), standing(host, drive))).collect();
        if standing.values().any(|standing| *standing == Standing::Testing) {
            return;
        }
        let mut begun = Vec::new();
        let of = |drive: &Drive| standing.get(drive.name.as_str()).copied();
        let unable = due.iter().filter(|(_, drive)| of(drive) == Some(Standing::Unable));
        begun.extend(unable.map(|(test, drive)| key(*test, &drive.name)));
        let next = due.iter().find(|(_, drive)| of(drive) == Some(Standing::Idle));
        if let Some((test, drive)) = next {
            begin_self_test(host, *test, drive);
            begun.push(key(*test, &drive.name));
        } else if let Some(array) = due_array {
            begin(host, "mdadm", &["--action=check", &format!("/dev/{array}")]);
            begun.push(key(Test::Scrub, &array));
        } else if let Some(pool) = due_pool {
            begin(host, "zpool", &["scrub", &pool]);
            begun.push(key(Test::Scrub, &pool));
        }
        self.note(begun, night);
    }

    /// What failed to begin is not tried again before it is due anew.
    fn note(&mut self, begun: Vec<String>, night: i64) {
        if begun.is_empty() {
            return;
        }
        self.begun.0.extend(begun.into_iter().map(|key| (key, night)));
        while self.begun.0.len() > KEPT {
            let oldest = self.begun.0.iter().min_by_key(|(_, night)| **night).map(|(key, _)| key.clone());
            if let Some(key) = oldest {
                self.begun.0.remove(&key);
            }
        }
        let Some(state) = &self.state else { return };
        if let Err(error) = state.write(FILE, &serde_json::to_vec(&self.begun).unwrap_or_default()) {
            tracing::warn!("what was tested is forgotten when the agent ends: {error}");
        }
    }
}

fn key(test: Test, name: &str) -> String {
    let test = match test {
        Test::Long => "long",
        Test::Short => "short",
        Test::Scrub => "scrub",
    };
    format!("{test} {name}")
}

/// Minutes of local time since 1970; UTC where no zone is set.
fn local_minutes(host: &Host, wall_ms: i64) -> i64 {
    let at_s = wall_ms.div_euclid(1_000);
    let mut file = Vec::new();
    let offset_s = match host.read("/etc/localtime", &mut file) {
        Ok(_) => zone::at(&file, at_s).map_or(0, |(_, offset_s)| i64::from(offset_s)),
        Err(_) => 0,
    };
    (at_s + offset_s).div_euclid(60)
}

/// Through USB bridges tests end with a reset sooner or later; a volume has none of its own.
fn is_tested(drive: &Drive) -> bool {
    matches!(drive.kind, Kind::Nvme | Kind::Ata | Kind::Scsi) && !drive.suspended
}

/// Arrays that can be checked.
fn arrays(host: &Host) -> Vec<String> {
    let names = host.list("/sys/block").unwrap_or_default();
    let level = |array: &str| host.read_text(&format!("/sys/block/{array}/md/level")).unwrap_or_default();
    names.into_iter().filter(|name| name.starts_with("md") && CHECKED.contains(&level(name).trim())).collect()
}

/// Pools that are imported.
fn pools(host: &Host) -> Vec<String> {
    const KSTATS: &str = "/proc/spl/kstat/zfs";
    let names = host.list(KSTATS).unwrap_or_default();
    names.into_iter().filter(|name| host.exists(&format!("{KSTATS}/{name}/state"))).collect()
}

/// Why nothing may be tested now: an array has lost a member, or something is worked on.
fn why_not(host: &Host, has_pools: bool) -> Option<String> {
    let names = host.list("/sys/block").unwrap_or_default();
    for array in names.iter().filter(|name| name.starts_with("md")) {
        let read = |file: &str| host.read_text(&format!("/sys/block/{array}/md/{file}")).unwrap_or_default();
        let (degraded, action) = (read("degraded"), read("sync_action"));
        if !matches!(degraded.trim(), "" | "0") {
            return Some(format!("{array} is degraded"));
        }
        if !matches!(action.trim(), "" | "idle") {
            return Some(format!("{array} is worked on: {}", action.trim()));
        }
    }
    if !has_pools {
        return None;
    }
    let output = host.run_for("status", "zpool", &["status", "-p"], ANSWER_BYTES, DEADLINE_MS);
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let states = || text.lines().filter_map(|line| line.trim().strip_prefix("state:"));
    if states().next().is_none() || states().any(|state| state.trim() != "ONLINE") {
        return Some("a pool is not online, or does not say so".to_owned());
    }
    text.contains("in progress").then(|| "a pool is worked on".to_owned())
}

const fn kind(drive: &Drive) -> &'static str {
    match drive.kind {
        Kind::Nvme => "nvme",
        Kind::Ata => "sat",
        _ => "scsi",
    }
}

/// Asks smartctl about a drive, which is not woken for it.
fn ask(host: &Host, drive: &Drive, arguments: &[&str]) -> Option<Output> {
    let mut all = vec!["--json=c"];
    if drive.turns {
        all.extend(["-n", "standby"]);
    }
    let path = format!("/dev/{}", drive.name);
    all.extend(arguments);
    all.extend(["-d", kind(drive), &path]);
    host.run_for(&drive.name, SMARTCTL, &all, ANSWER_BYTES, DEADLINE_MS).ok()
}

fn standing(host: &Host, drive: &Drive) -> Standing {
    let arguments: &[&str] = if drive.kind == Kind::Ata { &["-c", "-l", "selftest"] } else { &["-l", "selftest"] };
    // The first two bits say that it was not asked: it sleeps, or cannot be opened (smartctl(8), "EXIT STATUS").
    let Some(output) = ask(host, drive, arguments).filter(|output| output.code.is_some_and(|code| code & 3 == 0))
    else {
        return Standing::Unfit;
    };
    let Ok(said) = serde_json::from_slice::<Value>(&output.stdout) else { return Standing::Unfit };
    match drive.kind {
        Kind::Ata => {
            let data = &said["ata_smart_data"];
            // ATA8-ACS, table "self-test execution status": 15 in the upper half is in progress.
            match data["self_test"]["status"]["value"].as_u64() {
                Some(status) if status >> 4 == 15 => Standing::Testing,
                _ if data["capabilities"]["self_tests_supported"] == Value::Bool(false) => Standing::Unable,
                Some(_) => Standing::Idle,
                None => Standing::Unfit,
            }
        }
        Kind::Nvme => match said["nvme_self_test_log"]["current_self_test_operation"]["value"].as_u64() {
            Some(0) => Standing::Idle,
            Some(_) => Standing::Testing,
            None => Standing::Unable,
        },
        _ => {
            // SPC-4, table "self-test results": 15 is in progress.
            let latest = &said["scsi_self_test_0"];
            let is_testing = latest["result"]["value"] == 15 || said["scsi_self_test_in_progress"] == Value::Bool(true);
            if is_testing { Standing::Testing } else { Standing::Idle }
        }
    }
}

fn begin_self_test(host: &Host, test: Test, drive: &Drive) {
    let test = if test == Test::Long { "long" } else { "short" };
    let output = ask(host, drive, &["-t", test]);
    // The first three bits: not understood, not opened, refused.
    if output.is_some_and(|output| output.code.is_some_and(|code| code & 7 == 0)) {
        tracing::info!(device = drive.name, "{} begins its {test} self-test", drive.name);
    } else {
        tracing::warn!(device = drive.name, "{} does not begin its {test} self-test", drive.name);
    }
}

fn begin(host: &Host, tool: &str, arguments: &[&str]) {
    let shown = format!("{tool} {}", arguments.join(" "));
    match host.run_for(&arguments.join(" "), tool, arguments, ANSWER_BYTES, DEADLINE_MS) {
        Ok(output) if output.code == Some(0) => tracing::info!("{shown}: begun"),
        Ok(_) => tracing::warn!("{shown} failed: it may need more rights than the agent has"),
        Err(error) => tracing::warn!("{shown} failed: {error}"),
    }
}

#[cfg(test)]
mod tests;
