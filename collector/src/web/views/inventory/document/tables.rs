//! The tables of a host's document: what of each section an auditor reads.

use std::collections::BTreeMap;

use jiff::{civil::Date, tz::TimeZone};

use super::{Cell, Table, lacking, shown};
use crate::{
    domain::{inventory::Status, time::Timestamp},
    store::inventory::read::{HeldRow, Section},
    web::{
        views::{Badge, inventory::host::cell},
        words,
    },
};

/// Rows of a table; the section in the view, CSV and JSON have all.
const ROWS: usize = 200;
/// A certificate that ends within so many days is marked: what the usual authorities renew before (Let's Encrypt, 30).
pub(super) const SOON_DAYS: i64 = 30;

/// A heading and the fields it shows: the first that there is.
type Column = (&'static str, &'static [&'static str]);

/// A table of a section.
struct Spec {
    group: Option<&'static str>,
    title: &'static str,
    section: &'static str,
    columns: &'static [Column],
    /// Which rows; the rest is counted.
    wanted: fn(&HeldRow) -> bool,
    /// What the rest is.
    rest: (&'static str, &'static str),
}

const ALL: fn(&HeldRow) -> bool = |_| true;
const NO_REST: (&str, &str) = ("", "");

const fn spec(
    group: Option<&'static str>,
    title: &'static str,
    section: &'static str,
    columns: &'static [Column],
) -> Spec {
    Spec { group, title, section, columns, wanted: ALL, rest: NO_REST }
}

/// Everything that is told row by row, in the order of the document.
const SPECS: &[Spec] = &[
    spec(
        Some("Hardware"),
        "Processors",
        "cpu",
        &[("Model", &["model"]), ("Cores", &["cores"]), ("Threads", &["threads"]), ("Microcode", &["microcode"])],
    ),
    Spec {
        wanted: |row| cell(row, "populated") != "no",
        rest: ("memory slot is free", "memory slots are free"),
        ..spec(
            None,
            "Memory",
            "memory_modules",
            &[
                ("Slot", &["slot", "bank"]),
                ("Size", &["size_bytes"]),
                ("Type", &["type"]),
                ("MT/s", &["configured_speed_mts", "speed_mts"]),
                ("Maker", &["manufacturer"]),
                ("Part", &["part_number"]),
                ("Serial", &["serial"]),
            ],
        )
    },
    spec(
        None,
        "Disks",
        "disks",
        &[
            ("Disk", &["name"]),
            ("Model", &["model"]),
            ("Serial", &["serial", "wwn"]),
            ("Firmware", &["firmware"]),
            ("Size", &["size_bytes"]),
            ("Kind", &["media"]),
            ("Bus", &["transport"]),
        ],
    ),
    spec(
        None,
        "Boards and chassis",
        "boards",
        &[
            ("Kind", &["kind"]),
            ("Maker", &["manufacturer"]),
            ("Product", &["product", "form"]),
            ("Serial", &["serial"]),
            ("Asset tag", &["asset_tag"]),
        ],
    ),
    spec(
        None,
        "Power supplies",
        "power_supplies",
        &[
            ("Place", &["location", "name"]),
            ("Maker", &["manufacturer"]),
            ("Part", &["part_number", "name"]),
            ("Serial", &["serial"]),
            ("Watts", &["watts"]),
        ],
    ),
    spec(
        None,
        "Batteries",
        "batteries",
        &[
            ("Battery", &["name"]),
            ("Maker", &["manufacturer"]),
            ("Model", &["model"]),
            ("Serial", &["serial"]),
            ("Health %", &["health_percent"]),
        ],
    ),
    spec(
        None,
        "Firmware",
        "firmware",
        &[
            ("Maker", &["vendor"]),
            ("Version", &["version"]),
            ("Of", &["date"]),
            ("Boots by", &["boot_mode"]),
            ("Secure boot", &["secure_boot"]),
            ("TPM", &["tpm"]),
        ],
    ),
    spec(
        Some("Network"),
        "Interfaces",
        "interfaces",
        &[
            ("Name", &["name"]),
            ("Kind", &["kind"]),
            ("MAC", &["permanent_mac", "mac"]),
            ("Driver", &["driver"]),
            ("Firmware", &["firmware"]),
            ("Mbit/s", &["speed_mbits"]),
            ("State", &["state"]),
        ],
    ),
    spec(
        None,
        "Addresses",
        "addresses",
        &[
            ("Interface", &["interface"]),
            ("Address", &["address"]),
            ("Prefix", &["prefix"]),
            ("Given by", &["assigned"]),
        ],
    ),
    Spec {
        wanted: |row| cell(row, "scope") != "loopback",
        rest: ("more port is open on this machine alone", "more ports are open on this machine alone"),
        ..spec(
            None,
            "Ports that the network may reach",
            "listening_ports",
            &[
                ("Port", &["port"]),
                ("Protocol", &["protocol"]),
                ("Address", &["address"]),
                ("Program", &["program"]),
                ("User", &["user"]),
            ],
        )
    },
    spec(
        Some("Storage and encryption"),
        "File systems and swap",
        "volumes",
        &[
            ("Mounted on", &["mount_point", "device"]),
            ("Kind", &["file_system"]),
            ("Size", &["size_bytes"]),
            ("Encrypted", &["encrypted"]),
            ("By", &["encryption"]),
            ("Layers", &["layers"]),
            ("Disks", &["disks"]),
        ],
    ),
    spec(
        None,
        "Backups",
        "backups",
        &[
            ("By", &["tool"]),
            ("Of", &["what", "name"]),
            ("Last", &["last_at"]),
            ("Ended", &["result"]),
            ("Known from", &["evidence"]),
        ],
    ),
    Spec {
        wanted: is_administrator,
        rest: ("other account may not become root", "other accounts may not become root"),
        ..spec(
            Some("Who may do what"),
            "Users with administrative rights",
            "users",
            &[
                ("User", &["name"]),
                ("Name", &["full_name"]),
                ("UID", &["uid"]),
                ("By", &["sudo_by"]),
                ("May log in", &["can_log_in"]),
                ("Password", &["password"]),
                ("Last log-in", &["last_login"]),
            ],
        )
    },
    spec(
        None,
        "Keys that may log in",
        "ssh_keys",
        &[("User", &["user"]), ("Type", &["type"]), ("Comment", &["comment"]), ("Fingerprint", &["fingerprint"])],
    ),
    spec(
        None,
        "Certificates",
        "certificates",
        &[
            ("Subject", &["subject"]),
            ("Names", &["names"]),
            ("Issuer", &["issuer"]),
            ("Ends", &["not_after"]),
            ("File", &["path"]),
        ],
    ),
    spec(
        Some("Software"),
        "Security updates that are pending",
        "updates",
        &[
            ("Package", &["name"]),
            ("Installed", &["installed"]),
            ("Offered", &["candidate"]),
            ("By", &["origin", "manager"]),
        ],
    ),
    spec(
        None,
        "Protection",
        "protection",
        &[("Program", &["name"]), ("Runs", &["running"]), ("Signatures of", &["signatures_at"]), ("At", &["path"])],
    ),
    spec(
        None,
        "Remote control",
        "remote_control",
        &[("Program", &["name"]), ("Runs", &["running"]), ("At", &["path"])],
    ),
    spec(
        None,
        "Containers and virtual machines",
        "containers",
        &[
            ("Name", &["name"]),
            ("Kind", &["kind"]),
            ("By", &["manager"]),
            ("Image", &["image"]),
            ("State", &["state"]),
            ("Privileged", &["privileged"]),
        ],
    ),
];

/// Sections that are summed up rather than told.
const SUMMED_UP: [&str; 6] = ["system", "os", "packages", "update_state", "virtualization", "repositories"];

/// All sections that a document reads rows of.
pub(super) fn sections() -> impl Iterator<Item = &'static str> {
    SUMMED_UP.into_iter().chain(SPECS.iter().map(|spec| spec.section))
}

/// Whether a user's row says that they may become root, or are.
pub(super) fn is_administrator(row: &HeldRow) -> bool {
    cell(row, "sudo") == "yes" || cell(row, "uid") == "0"
}

/// What is held of a host.
pub(super) struct Held {
    pub(super) sections: Vec<Section>,
    pub(super) rows: BTreeMap<String, Vec<HeldRow>>,
}

impl Held {
    pub(super) fn section(&self, name: &str) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == name)
    }

    pub(super) fn rows(&self, name: &str) -> &[HeldRow] {
        self.rows.get(name).map(Vec::as_slice).unwrap_or_default()
    }

    /// A field of a section's first row.
    pub(super) fn said(&self, section: &str, field: &str) -> String {
        self.rows(section).first().map_or_else(String::new, |row| cell(row, field))
    }
}

/// Every table of which there is something to say.
pub(super) fn tables(held: &Held, now: Timestamp, zone: &TimeZone) -> Vec<Table> {
    let mut tables = Vec::new();
    let mut group = None;
    for spec in SPECS {
        // A group whose first table is not there is named by its next.
        group = spec.group.or(group);
        if let Some(mut table) = table(spec, held, now, zone) {
            table.group = group.take();
            tables.push(table);
        }
    }
    tables
}

fn table(spec: &Spec, held: &Held, now: Timestamp, zone: &TimeZone) -> Option<Table> {
    let section = held.section(spec.section)?;
    let status = section.head.status;
    // What a machine does not have is told with all sections, at the end.
    if matches!(status, Status::Absent | Status::SwitchedOff) {
        return None;
    }
    let mut rows: Vec<&HeldRow> = held.rows(spec.section).iter().filter(|row| (spec.wanted)(row)).collect();
    let rest = held.rows(spec.section).len() - rows.len();
    let mut notes = Vec::new();
    match spec.section {
        "updates" => {
            let unknown = rows.iter().filter(|row| cell(row, "security").is_empty()).count();
            notes.extend(
                (unknown > 0).then(|| format!("Of {unknown} more it is not known whether they are for security.")),
            );
            rows.retain(|row| cell(row, "security") == "yes");
        }
        "certificates" => rows.sort_by_key(|row| cell(row, "not_after")),
        _ => {}
    }
    let columns: Vec<&Column> =
        spec.columns.iter().filter(|(_, fields)| rows.iter().any(|row| has(row, fields))).collect();
    if rows.is_empty() {
        notes.insert(0, if status == Status::Complete { "None.".to_owned() } else { "None is known.".to_owned() });
    }
    if rows.len() > ROWS {
        let (more, name) = (words::count(rows.len() - ROWS), spec.section);
        notes.push(format!("{more} more are in the section {name}, which the view, CSV and JSON have whole."));
    }
    if rest > 0 && !spec.rest.0.is_empty() {
        notes.push(format!("{}.", words::counted(rest, spec.rest.0, spec.rest.1)));
    }
    let body = rows.iter().take(ROWS).map(|row| columns.iter().map(|column| value(row, column, now, zone)).collect());
    Some(Table {
        group: None,
        title: spec.title.to_owned(),
        lead: lacking(status, &section.head.reason),
        columns: columns.iter().map(|(heading, _)| *heading).collect(),
        rows: body.collect(),
        note: notes.join(" "),
    })
}

fn has(row: &HeldRow, fields: &[&str]) -> bool {
    fields.iter().any(|field| !cell(row, field).is_empty())
}

fn value(row: &HeldRow, (_, fields): &Column, now: Timestamp, zone: &TimeZone) -> Cell {
    let Some(field) = fields.iter().find(|field| !cell(row, field).is_empty()) else {
        return Cell::default();
    };
    let value = cell(row, field);
    match (*field, value.as_str()) {
        ("encrypted", "yes") => Cell::badge(Badge { class: "good", sign: "✓", word: "yes".into() }),
        ("encrypted", "no") => Cell::badge(Badge { class: "warning", sign: "▲", word: "no".into() }),
        ("not_after", _) => ends(&value, now),
        _ => Cell::text(shown(field, &value, zone)),
    }
}

/// Days until the end of an instant's day; negative after it.
pub(super) fn days_until(instant: &str, now: Timestamp) -> Option<i64> {
    let day: Date = instant.get(..10)?.parse().ok()?;
    let today = jiff::Timestamp::from_millisecond(now.ms()).ok()?.to_zoned(TimeZone::UTC).date();
    Some(i64::from(day.since(today).ok()?.get_days()))
}

fn ends(instant: &str, now: Timestamp) -> Cell {
    let day = instant.get(..10).unwrap_or(instant);
    let Some(left) = days_until(instant, now) else { return Cell::text(day) };
    let badge =
        |class, sign, word: String| Cell { text: format!("{day} "), ..Cell::badge(Badge { class, sign, word }) };
    match left {
        ..0 => badge("critical", "✕", format!("ended {} days ago", -left)),
        0..=SOON_DAYS => {
            badge("warning", "▲", words::counted(usize::try_from(left).unwrap_or(0), "day left", "days left"))
        }
        _ => Cell::text(format!("{day}, {left} days")),
    }
}
