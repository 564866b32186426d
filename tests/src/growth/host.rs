//! What one server tells in a month beside its trends, as records and rows of the store.

use std::io::Write as _;

use anyhow::Result;
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use flate2::{Compression, write::GzEncoder};
use muster_collector::{
    domain::{
        changed::{Changed, ChangedRow, Kind},
        finding::FindingRow,
        host::{Cause, State},
        ids::{HostId, HostNo, IncidentNo, PageId},
        inventory::{
            Head, Status,
            delta::Part,
            hash::{self, Hash, Sum},
        },
        labels::{Admission, Class, Facts, Profile},
        record::{
            AttemptRow, AuditRow, Delivery, IncidentEventRow, IncidentRow, IncidentState, LivenessRow, Observed, Page,
            PageKind, Row, SpanRow,
        },
        severity::Severity,
        time::Timestamp,
        watch::Watch,
    },
    store::{Fact, Store},
};
use serde_json::{Value, json};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;

/// Rows of the inventory of a Debian server: packages, services, users; what changes with each look besides (processes,
/// sessions) replaces what was there and does not grow.
const PACKAGES: usize = 900;
const OF_ALL_PACKAGES: usize = 1_500;
const SERVICES: usize = 120;
const USERS: usize = 30;
/// Packages that a week's updates bring.
pub(crate) const UPDATED_A_WEEK: usize = 6;
/// Roll-ups of the time in which nobody listened to it: the collector's own updates, and the network's.
pub(crate) const ROLLUPS_A_MONTH: i64 = 30;
/// Evidence of its drives that differs from what was there before: their hours and temperatures, each hour.
pub(crate) const DRIVES: usize = 2;

/// One simulated server.
pub(crate) struct Server {
    pub(crate) no: HostNo,
    sequence: u64,
    spans: i64,
    stands: Timestamp,
    /// Place in the list of all packages, and how often it was updated.
    packages: Vec<(usize, u32)>,
}

impl Server {
    /// Enrolled at that time.
    pub(crate) fn new(no: i64, begun: Timestamp) -> Self {
        // Most packages are on all machines, the others on some.
        let has = |place: &usize| *place < PACKAGES * 3 / 4 || (place + no.unsigned_abs() as usize).is_multiple_of(3);
        let packages = (0..OF_ALL_PACKAGES).filter(has).take(PACKAGES).map(|place| (place, 0)).collect();
        Self { no: HostNo(no), sequence: 0, spans: 0, stands: begun, packages }
    }

    /// Makes it known.
    pub(crate) async fn enrol(&mut self, store: &Store, at: Timestamp) -> Result<()> {
        let name = format!("server-{:04}", self.no.0);
        let profile = Profile {
            no: self.no,
            id: self.id()?,
            name: name.clone(),
            class: Class::Server,
            site: Some("berlin".into()),
            watch: Watch::Normal,
            labels: [("department".into(), "sales".into()), ("environment".into(), "production".into())].into(),
            layers: Default::default(),
            admission: Admission::Active,
            facts: Facts { name, ..Facts::default() },
        };
        let up = LivenessRow {
            host: self.no,
            state: State::Up,
            since: at,
            cause: Cause::Reporting,
            boot_id: Some([7; 16]),
            proof: at,
            peer: Some("192.0.2.10".into()),
            answered: None,
        };
        let entry = audit(at, "host.enrol", &format!("server-{:04}", self.no.0));
        store.commit(vec![Row::Host(Box::new(profile)), Row::Liveness(up), entry]).await?;
        for section in ["packages", "services", "users"] {
            self.tell_section(store, section, at).await?;
        }
        Ok(())
    }

    fn id(&self) -> Result<HostId> {
        Ok(format!("01a20010-b3e9-7566-b91b-{:012}", self.no.0).parse()?)
    }

    /// A part of the inventory, whole.
    async fn tell_section(&mut self, store: &Store, section: &str, at: Timestamp) -> Result<()> {
        let rows: Vec<(String, Vec<(String, String)>)> = match section {
            "packages" => self.packages.iter().map(package).collect(),
            "services" => (0..SERVICES).map(|n| plain(n, "service", &["enabled", "name", "state"])).collect(),
            _ => (0..USERS).map(|n| plain(n, "user", &["name", "shell", "uid"])).collect(),
        };
        let head = Head { status: Status::Complete, reason: String::new(), source: "dpkg".into() };
        let sum = rows.iter().fold(Sum::of(hash::head(&head)), |sum, (key, pairs)| sum.plus(hash::row(key, pairs)));
        let put = rows.into_iter().map(|(key, pairs)| {
            let durable = pairs.into_iter().flat_map(|(name, value)| [name, value]).collect();
            (key, durable, Vec::new(), String::new())
        });
        let part = Part {
            section: section.into(),
            base: Hash::default(),
            new: sum.hash(),
            full: true,
            part: 1,
            parts: 1,
            head,
            collected_ms: at.ms(),
            put: put.collect(),
            gone: Vec::new(),
        };
        let body = serde_json::to_string(&part)?;
        self.tell(store, vec![(at, "inventory", body)]).await
    }

    async fn tell(&mut self, store: &Store, facts: Vec<(Timestamp, &'static str, String)>) -> Result<()> {
        let numbered = facts.into_iter().map(|(at, kind, body)| {
            self.sequence += 1;
            Fact { sequence: self.sequence, at, kind, body }
        });
        let numbered = numbered.collect();
        let stored = store.commit_facts(self.no, [7; 16], numbered).await?;
        anyhow::ensure!(stored.inventory.iter().all(|taken| taken.refused.is_none()), "{stored:?}");
        Ok(())
    }

    /// The updates of a week, each machine at a time of its own.
    pub(crate) async fn week(&mut self, store: &Store, week: usize, at: Timestamp) -> Result<()> {
        let at = at.plus_ms(self.no.0 % 120 * MINUTE_MS);
        for n in 0..UPDATED_A_WEEK {
            let place = (week * UPDATED_A_WEEK + n) % self.packages.len();
            self.packages[place].1 += 1;
        }
        let text = format!("{UPDATED_A_WEEK} packages changed");
        let changed = Changed::new(at, Kind::Package, &text, None);
        store.commit(vec![Row::Changed(Box::new(ChangedRow { host: self.no, changed }))]).await?;
        self.tell_section(store, "packages", at).await
    }

    /// What its drives say in an hour.
    pub(crate) async fn hour(&mut self, store: &Store, hour: i64, at: Timestamp) -> Result<()> {
        let facts = (0..DRIVES).map(|drive| Ok((at, "evidence", smart(self.no.0, drive, hour)?.to_string())));
        self.tell(store, facts.collect::<Result<_>>()?).await
    }

    /// The rest of a month: a boot for a kernel, an incident that was paged and taken, a check that failed for a while, half
    /// an hour without a collector, some lines of the kernel.
    pub(crate) async fn month(&mut self, store: &Store, month: i64, at: Timestamp) -> Result<()> {
        let at = at.plus_ms(self.no.0 * MINUTE_MS);
        let mut rows = self.outage(at, at.plus_ms(90_000), Cause::Silence);
        rows.extend(self.outage(at.plus_ms(48 * HOUR_MS), at.plus_ms(48 * HOUR_MS + 600_000), Cause::Silence));
        rows.extend(self.incident(month * 10_000 + self.no.0, at.plus_ms(48 * HOUR_MS))?);
        rows.push(Row::Finding(FindingRow {
            host: self.no,
            part: "/var".into(),
            rule: "filesystem_space".into(),
            open: false,
            severity: Severity::Warning,
            since: at,
            evidence: "/var has 4.9 % free, 3.2 GiB of 64 GiB; it was 5.1 % an hour ago".into(),
            cause: None,
        }));
        store.commit(rows).await?;
        let mut facts = Vec::new();
        for n in 0..ROLLUPS_A_MONTH {
            facts.push((at.plus_ms(n * MINUTE_MS), "rollup", rollup(at.plus_ms(n * MINUTE_MS)).to_string()));
        }
        let gap = json!({ "what": "readings", "from": clock(at), "to": clock(at), "lost": 2, "reason": "the collector was away" });
        facts.push((at, "gap", gap.to_string()));
        for n in 0..10 {
            let message = format!("nfs: server files-{n} not responding, still trying");
            let event = json!({ "sequence": n, "priority": 4, "boottime_us": 1_000_000, "message": message });
            facts.push((at, "kernel", json!({ "events": [event] }).to_string()));
            let result = json!({ "check": "shop", "status": n % 2 * 2, "attempt": 1, "attempts": 3, "ok_ago_ms": 30_000,
                "output": "connection refused by 192.0.2.10:443", "perfdata": [{ "label": "time", "value": 0.02, "unit": "s" }] });
            facts.push((at, "checks", json!({ "results": [result] }).to_string()));
        }
        self.tell(store, facts).await
    }

    /// Entries of the ledger: up until then, down until it was back.
    fn outage(&mut self, down: Timestamp, back: Timestamp, cause: Cause) -> Vec<Row> {
        let mut entry = |to: Timestamp, state: Observed, cause: Cause| {
            self.spans += 1;
            let (from, evidence) = (std::mem::replace(&mut self.stands, to), cause.words());
            let (host, n) = (self.no, self.spans);
            Row::Span(SpanRow { host, n, from, to, state, cause, evidence, learned: to, replaces: None })
        };
        vec![entry(down, Observed::Up, Cause::Reporting), entry(back, Observed::Down, cause)]
    }

    /// An incident with its timeline, a page of its beginning and one of its end, and what people did.
    fn incident(&self, no: i64, at: Timestamp) -> Result<Vec<Row>> {
        let key = format!("liveness/{}/host", self.id()?);
        let name = format!("server-{:04}", self.no.0);
        let title = format!("{name} is down");
        let changed = Changed::new(at, Kind::Package, "6 packages changed: openssl 3.0.11 to 3.0.12", None);
        let row = IncidentRow {
            no: IncidentNo(no),
            id: format!("01a20010-b3e9-7566-b91c-{no:012}"),
            key: key.clone(),
            state: IncidentState::Resolved,
            severity: Severity::Critical,
            title: title.clone(),
            host: Some(self.no),
            component: "host".into(),
            since: at,
            opened: at.plus_ms(9_000),
            resolved: Some(at.plus_ms(600_000)),
            closed: None,
            acknowledged_by: Some("ann".into()),
            acknowledged_until: None,
            page_at: at.plus_ms(39_000),
            paged: true,
            part_of: None,
            followed: Vec::new(),
            escalations: Vec::new(),
            calls: Vec::new(),
            alert: None,
            changes: vec![changed],
            swings: Default::default(),
            priority: None,
        };
        let mut rows = vec![Row::Incident(Box::new(row))];
        for (n, (kind, text)) in (1..).zip(TIMELINE) {
            let (incident, at, kind) = (IncidentNo(no), at.plus_ms(n * 30_000), kind.to_owned());
            let by = (kind == "acknowledged").then(|| "ann".to_owned());
            rows.push(Row::IncidentEvent(IncidentEventRow { incident, n, at, kind, text: text.into(), by }));
        }
        for (n, kind) in (1..).zip([PageKind::Opened, PageKind::Resolved]) {
            let id = PageId(no * 2 + n);
            rows.push(Row::Page(Box::new(Page {
                id,
                message_id: format!("msg-{no}-{n}"),
                receiver: "on-call".into(),
                to: None,
                person: Some("ann".into()),
                incident: Some(IncidentNo(no)),
                n,
                kind,
                key: key.clone(),
                state: IncidentState::Open,
                severity: Severity::Critical,
                title: title.clone(),
                host: name.clone(),
                component: "host".into(),
                since: at,
                decided: at.plus_ms(39_000),
                details: "no message for 9 s; it answers no echo and no connection".into(),
                path: format!("/incidents/{no}"),
                act: None,
                delivery: Delivery::Accepted,
                facts: Default::default(),
                proof: Default::default(),
            })));
            let (outcome, detail) = ("accepted".into(), "204 No Content".into());
            rows.push(Row::Attempt(AttemptRow { page: id, n: 1, at: at.plus_ms(40_000), outcome, detail }));
        }
        rows.push(audit(at, "incident.acknowledge", &format!("#{no}")));
        rows.push(audit(at, "sign_in", "ann"));
        Ok(rows)
    }
}

/// What happens in an incident.
const TIMELINE: [(&str, &str); 5] = [
    ("opened", "no message for 9 s; it answers no echo and no connection"),
    ("paged", "on-call was told, by on-call"),
    ("acknowledged", "ann takes it"),
    ("changed", "it answers again"),
    ("resolved", "server is up again"),
];

fn audit(at: Timestamp, action: &str, subject: &str) -> Row {
    Row::Audit(AuditRow {
        at,
        who: "ann".into(),
        from: "192.0.2.20".into(),
        action: action.into(),
        subject: subject.into(),
        detail: String::new(),
    })
}

fn package((place, updates): &(usize, u32)) -> (String, Vec<(String, String)>) {
    let name = format!("package-{place:04}");
    let version = format!("1.{}.{}-2+deb12u{}", place % 10, updates, updates % 7);
    // Fields are told in the order of their names.
    let pairs = [("architecture", "amd64"), ("manager", "dpkg"), ("name", name.as_str()), ("version", &version)];
    (format!("dpkg/{name}:amd64"), pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

fn plain(n: usize, what: &str, fields: &[&str]) -> (String, Vec<(String, String)>) {
    let key = format!("{what}-{n:03}");
    let pairs = fields.iter().map(|field| ((*field).to_owned(), format!("{field} of {key}")));
    (key.clone(), pairs.collect())
}

fn clock(at: Timestamp) -> Value {
    json!({ "wall_ms": at.ms(), "boottime_ms": 1_000_000 })
}

/// Thirty readings of a minute.
fn rollup(at: Timestamp) -> Value {
    let reading = |n: i64| json!({ "name": format!("node_reading_{n}_bytes"), "labels": ["device", "sda"], "count": 4, "min": 1.5, "mean": 2.25, "max": 3.5 });
    json!({ "from": clock(at), "to": clock(at.plus_ms(MINUTE_MS)), "series": (0..30).map(reading).collect::<Vec<_>>() })
}

/// What smartctl says of a drive in JSON, 30 attributes, compressed as agents send it.
fn smart(host: i64, drive: usize, hour: i64) -> Result<Value> {
    let attribute = |id: i64| {
        let raw = if id == 9 {
            20_000 + hour
        } else if id == 194 {
            30 + (hour + host) % 9
        } else {
            id * 7 % 5
        };
        json!({ "id": id, "name": format!("Attribute_{id}"), "value": 100 - id % 20, "worst": 90, "thresh": 10,
            "when_failed": "", "flags": { "value": 51, "string": "PO--CK", "prefailure": true },
            "raw": { "value": raw, "string": raw.to_string() } })
    };
    let attributes: Vec<Value> = (1..=30).map(|n| attribute(if n == 30 { 194 } else { n })).collect();
    let payload = json!({ "device": { "name": format!("/dev/sd{}", (b'a' + drive as u8) as char), "type": "sat" },
        "model_name": "SERVER DRIVE 4000", "serial_number": format!("S{host:06}{drive}"),
        "smart_status": { "passed": true }, "ata_smart_attributes": { "table": attributes } });
    let payload = payload.to_string();
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(payload.as_bytes())?;
    Ok(
        json!({ "source": "smartctl-json", "part": format!("S{host:06}{drive}"), "outcome": "read", "reason": "", "format": 2,
        "size": payload.len(), "payload_base64": BASE64.encode(packed.finish()?) }),
    )
}
