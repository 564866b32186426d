mod bench;
mod faults;
mod hardware_readings;
mod replay;
mod resolve;
mod restart;

use crate::domain::{
    finding::Verdict,
    host::{
        slot::{ReadingsUpdate, Slot},
        slots::Slots,
    },
    ids::{HostNo, SessionId},
    readings::dictionary::{DictionaryUpdate, FamilyEntry, FamilyType, SeriesEntry, unit::Unit},
    severity::Severity,
    time::Timestamp,
    watch::Watch,
};
use std::{cell::Cell, collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::*;

const HOST: HostNo = HostNo(1);
const SESSION: SessionId = SessionId(1);
const GIB: f64 = 1_073_741_824.0;

/// A host with one file system of each of these (mount point, device) and one unit `nginx.service`.
struct Machine {
    slot: Arc<Slot>,
    filesystems: u32,
    /// Seconds since boot of the last report; they come every 15.
    uptime_s: Cell<u64>,
}

impl Machine {
    fn new(filesystems: &[(&str, &str)]) -> Self {
        let slot = Slots::default().open(HOST, SESSION, Watch::Normal, Timestamp::from_ms(0));
        let names = ["node_filesystem_size_bytes", "node_filesystem_avail_bytes", "node_filesystem_readonly"];
        let all = names.into_iter().chain(["node_filesystem_device_error", "node_systemd_unit_state"]);
        let family = |(id, name): (u32, &str)| FamilyEntry {
            id,
            name: name.into(),
            kind: FamilyType::Gauge,
            help: String::new(),
            unit: Unit::One,
        };
        let families = (0..).zip(all).map(family).collect();
        let mut series = Vec::new();
        for (n, (mount_point, device)) in (0..).zip(filesystems) {
            for family in 0..4 {
                let labels = ["mountpoint", mount_point, "device", device, "fstype", "ext4"].map(str::to_owned);
                series.push(SeriesEntry { id: 4 * n + family, family, suffix: String::new(), labels: labels.into() });
            }
        }
        let labels = ["name", "nginx.service", "state", "failed"].map(str::to_owned);
        series.push(SeriesEntry { id: 1_000, family: 4, suffix: String::new(), labels: labels.into() });
        slot.grow(
            SESSION,
            DictionaryUpdate { families, series, retired: vec![], bytes: vec![] },
            Timestamp::from_ms(0),
        )
        .unwrap();
        let count = u32::try_from(filesystems.len()).unwrap();
        let machine = Self { slot, filesystems: count, uptime_s: Cell::new(0) };
        assert_eq!(machine.report(&[], None, &[]), []);
        machine
    }

    /// Reports size, free bytes and whether read-only of the first file systems, whether the unit failed, and sources.
    fn report(&self, space: &[(f64, f64, bool)], failed: Option<bool>, sources: &[(&str, u32)]) -> Vec<Judgement> {
        let mut values = BTreeMap::new();
        for (n, (size, avail, readonly)) in (0..self.filesystems).zip(space) {
            values.insert(4 * n, *size);
            values.insert(4 * n + 1, *avail);
            values.insert(4 * n + 2, f64::from(u8::from(*readonly)));
        }
        if let Some(failed) = failed {
            values.insert(1_000, f64::from(u8::from(failed)));
        }
        self.values(&values, sources)
    }

    fn values(&self, values: &BTreeMap<u32, f64>, sources: &[(&str, u32)]) -> Vec<Judgement> {
        let mut last = 0;
        let gaps = values.keys().map(|id| id - std::mem::replace(&mut last, *id)).collect();
        self.uptime_s.set(self.uptime_s.get() + 15);
        let update = ReadingsUpdate {
            agent_wall_ms: 1,
            agent_uptime_ms: self.uptime_s.get() * 1_000,
            full: true,
            real_gaps: gaps,
            reals: values.values().copied().collect(),
            sources: sources.iter().map(|(name, state)| ((*name).to_owned(), *state, "slow".to_owned())).collect(),
            ..ReadingsUpdate::default()
        };
        self.slot.apply(SESSION, &update, Timestamp::from_ms(1)).unwrap().judgements
    }
}

fn said(judgements: &[Judgement]) -> Vec<String> {
    let words = |judgement: &Judgement| match &judgement.verdict {
        Verdict::Holds { severity, evidence } => format!("{}: {evidence}", severity.word()),
        Verdict::Cleared { evidence } => format!("cleared: {evidence}"),
        Verdict::CannotTell(reason) => format!("cannot tell: {reason}"),
    };
    judgements.iter().map(words).collect()
}

fn of_100_gib(free: f64) -> [(f64, f64, bool); 1] {
    [(100.0 * GIB, free * GIB, false)]
}

#[test]
fn a_file_system_is_judged_by_its_share_with_hysteresis() {
    let machine = Machine::new(&[("/var", "/dev/sda1")]);
    let report = |free: f64| said(&machine.report(&of_100_gib(free), None, &[]));
    assert_eq!(report(10.0), [""; 0]);
    assert_eq!(report(9.99), ["warning: /var: 10 GiB of 100 GiB free (10.0 %), below 10 %"]);
    assert_eq!(report(11.9), [""; 0]);
    assert_eq!(report(4.9), ["critical: /var: 4.9 GiB of 100 GiB free (4.9 %), below 5 %"]);
    assert_eq!(report(6.9), [""; 0]);
    assert_eq!(report(7.1), ["warning: /var: 7.1 GiB of 100 GiB free (7.1 %), below 10 %"]);
    assert_eq!(report(12.1), ["cleared: /var: 12 GiB of 100 GiB free (12.1 %)"]);
    assert_eq!(report(10.5), [""; 0]);
}

#[test]
fn a_large_disk_with_much_free_is_no_trouble_whatever_its_share() {
    let machine = Machine::new(&[("/data", "/dev/sdb1")]);
    let report = |free: f64| said(&machine.report(&[(20_000.0 * GIB, free * GIB, false)], None, &[])).len();
    assert_eq!([51.0, 50.5, 49.0, 59.0, 61.0, 19.0, 23.0, 25.0].map(report), [0, 0, 1, 0, 1, 1, 0, 1]);
}

#[test]
fn read_only_and_empty_file_systems_are_not_judged() {
    let machine = Machine::new(&[("/snap/core", "/dev/loop0"), ("/sys/x", "none")]);
    assert_eq!(machine.report(&[(GIB, 0.0, true), (0.0, 0.0, false)], None, &[]), []);
    assert_eq!(machine.report(&[(GIB, 0.0, false), (GIB, f64::NAN, false)], None, &[]).len(), 1);
    let words = said(&machine.report(&[(GIB, 0.0, true)], None, &[]));
    assert_eq!(words, ["cleared: /snap/core: 0 B of 1.0 GiB free (0.0 %), mounted read-only: it cannot fill"]);
}

#[test]
fn mounts_of_one_device_are_one_trouble_and_those_without_a_device_are_each_their_own() {
    let mounts = [("/var/lib/docker", "/dev/sda1"), ("/", "/dev/sda1"), ("/tmp", "tmpfs"), ("/run", "tmpfs")];
    let machine = Machine::new(&mounts);
    let judgements = machine.report(&[(GIB, 0.0, false); 4], None, &[]);
    let parts: Vec<&str> = judgements.iter().map(|judgement| judgement.part.as_str()).collect();
    assert_eq!(parts, ["/", "/tmp", "/run"]);
}

#[test]
fn what_cannot_be_seen_is_neither_held_nor_cleared() {
    let machine = Machine::new(&[("/var", "/dev/sda1")]);
    machine.report(&of_100_gib(3.0), None, &[]);
    let words = said(&machine.report(&[], None, &[("filesystem", 5)]));
    assert_eq!(words, ["cannot tell: the source filesystem is stuck: slow"]);
    assert_eq!(machine.report(&[], None, &[("filesystem", 5)]), [], "told once");
    assert_eq!(machine.report(&of_100_gib(3.0), None, &[("filesystem", 0)]).len(), 1, "told again when seen again");
    let unanswered = BTreeMap::from([(3, 1.0)]);
    assert_eq!(said(&machine.values(&unanswered, &[])), ["cannot tell: /var: the file system did not answer"]);
    let words = said(&machine.report(&[], None, &[("filesystem", 0)]));
    assert_eq!(words, ["cleared: /var: no such file system is mounted any more"]);
}

#[test]
fn a_unit_fails_when_it_stays_failed_and_is_cleared_when_it_runs_or_is_gone() {
    let machine = Machine::new(&[]);
    let report = |failed| said(&machine.report(&[], failed, &[]));
    assert_eq!(report(Some(true)), [""; 0]);
    assert_eq!(report(Some(false)), [""; 0]);
    assert_eq!(report(Some(true)), [""; 0], "not twice in a row");
    assert_eq!(report(Some(true)), ["warning: nginx.service: in state failed"]);
    assert_eq!(report(Some(true)), [""; 0]);
    assert_eq!(report(Some(false)), ["cleared: nginx.service: no longer in state failed"]);
    report(Some(true));
    report(Some(true));
    let words = said(&machine.report(&[], None, &[("systemd", 3)]));
    assert_eq!(words, ["cannot tell: the source systemd is failed: slow"]);
    assert_eq!(report(None), ["cleared: nginx.service: not loaded any more"]);
}

#[test]
fn a_host_has_so_many_open_findings_of_a_rule_and_no_more() {
    let names: Vec<String> = (0..300).map(|n| format!("/m{n}")).collect();
    let mounts: Vec<(&str, &str)> = names.iter().take(240).map(|name| (name.as_str(), "tmpfs")).collect();
    let machine = Machine::new(&mounts);
    assert_eq!(machine.report(&vec![(GIB, 0.0, false); 240], None, &[]).len(), 240);
    let mut standing = standing::Standing::default();
    let mut told = Vec::new();
    for name in &names {
        standing.hold(&FILESYSTEM_SPACE, name, Severity::Warning, String::new, &mut told);
    }
    assert_eq!(told.len(), standing::OPEN);
}

/// What a judgement makes of what is open: the severity, if it is.
fn follow(open: &mut BTreeMap<String, Severity>, judgement: &Judgement) -> Result<(), TestCaseError> {
    if judgement.rule == "filesystem_read_only" {
        return Ok(());
    }
    match &judgement.verdict {
        Verdict::Holds { severity, .. } => {
            let before = open.insert(judgement.part.clone(), *severity);
            prop_assert_ne!(before, Some(*severity), "told twice");
        }
        Verdict::Cleared { .. } => prop_assert!(open.remove(&judgement.part).is_some(), "cleared but not open"),
        Verdict::CannotTell(_) => prop_assert!(open.contains_key(&judgement.part), "in doubt but not open"),
    }
    Ok(())
}

fn rows(open: &BTreeMap<String, Severity>) -> Vec<FindingRow> {
    let row = |(part, severity): (&String, &Severity)| FindingRow {
        host: HOST,
        part: part.clone(),
        rule: if part.starts_with('/') { "filesystem_space" } else { "systemd_unit_failed" }.into(),
        open: true,
        severity: *severity,
        since: Timestamp::default(),
        evidence: String::new(),
        cause: None,
    };
    open.iter().map(row).collect()
}

proptest! {
    #[test]
    fn any_readings_lead_to_alternating_verdicts(
        reports in proptest::collection::vec((0.0..14.0_f64, any::<bool>(), proptest::option::of(any::<bool>())), 1..60)
    ) {
        let machine = Machine::new(&[("/var", "/dev/sda1")]);
        let mut open = BTreeMap::new();
        for (free, readonly, failed) in reports {
            let space = [(100.0 * GIB, free * GIB, readonly && free > 12.0)];
            for judgement in machine.report(&space, failed, &[]) {
                follow(&mut open, &judgement)?;
            }
        }
    }

    #[test]
    fn a_value_that_stays_inside_the_band_never_flaps(frees in proptest::collection::vec(10.01..11.99_f64, 1..60)) {
        let machine = Machine::new(&[("/var", "/dev/sda1")]);
        let first = machine.report(&of_100_gib(frees[0]), None, &[]);
        prop_assert!(first.is_empty());
        prop_assert_eq!(machine.report(&of_100_gib(9.0), None, &[]).len(), 1);
        for free in frees {
            prop_assert!(machine.report(&of_100_gib(free), None, &[]).is_empty());
        }
    }

    #[test]
    fn a_restart_at_any_point_opens_nothing_earlier_and_a_unit_at_most_one_report_later(
        reports in proptest::collection::vec((0.0..14.0_f64, any::<bool>()), 1..40),
        restart in 0..40_usize,
    ) {
        let steady = Machine::new(&[("/var", "/dev/sda1")]);
        let mut restarted = Machine::new(&[("/var", "/dev/sda1")]);
        let (mut open, mut open_after) = (BTreeMap::new(), BTreeMap::new());
        let mut late = false;
        for (n, (free, failed)) in reports.into_iter().enumerate() {
            if n == restart {
                restarted = Machine::new(&[("/var", "/dev/sda1")]);
                restarted.slot.adopt(&rows(&open_after));
                late = true;
            }
            for judgement in steady.report(&of_100_gib(free), Some(failed), &[]) {
                follow(&mut open, &judgement)?;
            }
            for judgement in restarted.report(&of_100_gib(free), Some(failed), &[]) {
                follow(&mut open_after, &judgement)?;
            }
            for (part, severity) in &open_after {
                prop_assert_eq!(open.get(part), Some(severity));
            }
            prop_assert!(late || open == open_after);
            late = late && open != open_after;
        }
    }
}

#[test]
fn a_family_left_out_is_told_once_and_cleared_when_it_fits_again() {
    let slots = Slots::default();
    let slot = slots.open(HOST, SESSION, Watch::Normal, Timestamp::from_ms(0));
    let declare = |session: SessionId, count: u32| {
        let family =
            FamilyEntry { id: 1, name: "bomb".into(), kind: FamilyType::Gauge, help: String::new(), unit: Unit::One };
        let entry =
            |id: u32| SeriesEntry { id, family: 1, suffix: String::new(), labels: vec!["n".into(), id.to_string()] };
        let update = DictionaryUpdate {
            families: vec![family],
            series: (1..=count).map(entry).collect(),
            retired: vec![],
            bytes: vec![],
        };
        slot.grow(session, update, Timestamp::from_ms(0)).unwrap();
        let readings = ReadingsUpdate { full: true, ..ReadingsUpdate::default() };
        said(&slot.apply(session, &readings, Timestamp::from_ms(1)).unwrap().judgements)
    };
    let told = declare(SESSION, 20_001);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("warning: bomb: ") && told[0].contains("20000"), "{told:?}");
    let readings = ReadingsUpdate { full: true, ..ReadingsUpdate::default() };
    assert_eq!(slot.apply(SESSION, &readings, Timestamp::from_ms(2)).unwrap().judgements, []);
    let second = SessionId(2);
    slots.open(HOST, second, Watch::Normal, Timestamp::from_ms(3));
    assert_eq!(declare(second, 20_000), ["cleared: bomb: no longer left out"]);
}
