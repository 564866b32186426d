//! A host that reports what a test says, each 15 s of its own time.

use std::{cell::Cell, sync::Arc};

use crate::domain::{
    finding::{FindingRow, Judgement, Verdict},
    host::{
        slot::{ReadingsUpdate, Slot},
        slots::Slots,
    },
    ids::{HostId, HostNo, SessionId},
    labels::{Admission, Class, Facts, Profile},
    readings::dictionary::{DictionaryUpdate, FamilyEntry, FamilyType, SeriesEntry, unit::Unit},
    rules::Settings,
    time::Timestamp,
    watch::Watch,
};

const HOST: HostNo = HostNo(1);
/// The tests' day begins here: 2026-11-22.
pub(super) const DAY_MS: i64 = 1_795_305_600_000;
pub(super) const STEP_S: u64 = 15;

pub(super) fn profile(name: &str, class: Class, labels: &[(&str, &str)]) -> Profile {
    Profile {
        no: HOST,
        id: HostId(uuid::Uuid::from_bytes([7; 16])),
        name: name.into(),
        class,
        site: Some("berlin".into()),
        watch: Watch::Normal,
        labels: labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        layers: Default::default(),
        admission: Admission::Active,
        facts: Facts::default(),
    }
}

/// One host with these series, `name` or `name{label=value,...}`.
pub(super) struct Bench {
    pub(super) slots: Slots,
    pub(super) slot: Arc<Slot>,
    series: Vec<String>,
    session: Cell<i64>,
    /// Milliseconds since boot and since the day began; how far its wall clock is ahead.
    pub(super) uptime_ms: Cell<u64>,
    pub(super) now_ms: Cell<i64>,
    pub(super) ahead_ms: Cell<i64>,
}

impl Bench {
    pub(super) fn new(series: &[&str]) -> Self {
        Self::with(Settings::default(), &profile("web-1", Class::Server, &[]), series)
    }

    pub(super) fn with(settings: Settings, profile: &Profile, series: &[&str]) -> Self {
        let slots = Slots::new(settings);
        let slot = slots.open(HOST, SessionId(1), Watch::Normal, Timestamp::from_ms(DAY_MS));
        slots.know(profile);
        let series = series.iter().map(|name| (*name).to_owned()).collect();
        let bench = Self {
            slots,
            slot,
            series,
            session: Cell::new(1),
            uptime_ms: Cell::new(5_000_000),
            now_ms: Cell::new(0),
            ahead_ms: Cell::new(0),
        };
        bench.declare();
        bench
    }

    fn declare(&self) {
        let (mut families, mut entries) = (Vec::new(), Vec::new());
        for (id, series) in (1_u32..).zip(&self.series) {
            let (name, labels) = series.split_once('{').unwrap_or((series, ""));
            let labels = labels.trim_end_matches('}').split(',').filter_map(|pair| pair.split_once('='));
            let labels = labels.flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect();
            let known = families.iter().find(|family: &&FamilyEntry| family.name == name).map(|family| family.id);
            let family = known.unwrap_or(id);
            if known.is_none() {
                let (kind, help) = (FamilyType::Gauge, String::new());
                families.push(FamilyEntry { id, name: name.into(), kind, help, unit: Unit::One });
            }
            entries.push(SeriesEntry { id, family, suffix: String::new(), labels });
        }
        let update = DictionaryUpdate { families, series: entries, retired: vec![], bytes: vec![] };
        self.slot.grow(SessionId(self.session.get()), update, Timestamp::from_ms(DAY_MS)).unwrap();
    }

    /// Another session of the same boot: the agent or the way to it was restarted.
    pub(super) fn reconnect(&self) {
        self.session.set(self.session.get() + 1);
        let now = Timestamp::from_ms(DAY_MS + self.now_ms.get());
        self.slots.open(HOST, SessionId(self.session.get()), Watch::Normal, now);
        self.declare();
    }

    /// It boots: another session, and time since boot begins anew.
    pub(super) fn reboot(&self, took_s: u64) {
        self.now_ms.set(self.now_ms.get() + i64::try_from(took_s).unwrap() * 1_000);
        self.uptime_ms.set(took_s * 500);
        self.reconnect();
    }

    /// Time passes without a report.
    pub(super) fn wait(&self, seconds: u64) {
        self.uptime_ms.set(self.uptime_ms.get() + seconds * 1_000);
        self.now_ms.set(self.now_ms.get() + i64::try_from(seconds).unwrap() * 1_000);
    }

    pub(super) fn judge(&self, values: &[(&str, f64)]) -> Vec<Judgement> {
        let mut by_id: Vec<(u32, f64)> = values
            .iter()
            .map(|(name, value)| {
                let place = self.series.iter().position(|known| known == name).unwrap_or_else(|| panic!("{name}"));
                (u32::try_from(place).unwrap() + 1, *value)
            })
            .collect();
        by_id.sort_by_key(|(id, _)| *id);
        let mut last = 0;
        let gaps = by_id.iter().map(|(id, _)| id - std::mem::replace(&mut last, *id)).collect();
        let now = Timestamp::from_ms(DAY_MS + self.now_ms.get());
        let update = ReadingsUpdate {
            agent_wall_ms: now.ms() + self.ahead_ms.get(),
            agent_uptime_ms: self.uptime_ms.get(),
            full: true,
            real_gaps: gaps,
            reals: by_id.iter().map(|(_, value)| *value).collect(),
            ..ReadingsUpdate::default()
        };
        self.slot.apply(SessionId(self.session.get()), &update, now).unwrap().judgements
    }

    /// 15 s later it reports these values; what the rules say of it.
    pub(super) fn report(&self, values: &[(&str, f64)]) -> Vec<String> {
        self.wait(STEP_S);
        said(&self.judge(values))
    }

    /// It reports the same for so long; what was said, all together.
    pub(super) fn hold(&self, seconds: u64, values: &[(&str, f64)]) -> Vec<String> {
        (0..seconds / STEP_S).flat_map(|_| self.report(values)).collect()
    }

    /// It reports for so long, a counter growing by so much a second from what it was.
    pub(super) fn grow(&self, seconds: u64, counter: (&str, &mut f64, f64), others: &[(&str, f64)]) -> Vec<String> {
        let (name, value, rate) = counter;
        let mut told = Vec::new();
        for _ in 0..seconds / STEP_S {
            *value += rate * 15.0;
            let all: Vec<_> = others.iter().copied().chain([(name, *value)]).collect();
            told.extend(self.report(&all));
        }
        told
    }
}

/// `warning oom_kill: words`
pub(super) fn said(judgements: &[Judgement]) -> Vec<String> {
    let words = |judgement: &Judgement| match &judgement.verdict {
        Verdict::Holds { severity, evidence } => format!("{} {}: {evidence}", severity.word(), judgement.rule),
        Verdict::Cleared { evidence } => format!("cleared {}: {evidence}", judgement.rule),
        Verdict::CannotTell(reason) => format!("cannot tell {}: {reason}", judgement.rule),
    };
    judgements.iter().map(words).collect()
}

/// The findings that stand after these judgements.
pub(super) fn rows(open: &[Judgement]) -> Vec<FindingRow> {
    let row = |judgement: &Judgement| match &judgement.verdict {
        Verdict::Holds { severity, evidence } => Some(FindingRow {
            host: HOST,
            part: judgement.part.clone(),
            rule: judgement.rule.into(),
            open: true,
            severity: *severity,
            since: Timestamp::default(),
            evidence: evidence.clone(),
            cause: None,
        }),
        _ => None,
    };
    open.iter().filter_map(row).collect()
}
