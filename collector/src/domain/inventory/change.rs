//! Differences of rows in a manager's words: which class of change each is, and what belongs to one event.

mod class;
mod hardware;

use std::{cmp::Ordering, collections::BTreeMap};

use serde::{Deserialize, Serialize};

pub use self::class::Class;
use super::{Fields, apply::Difference, field, first_of, name, versions};
use crate::domain::readings::dictionary::text::clean;

/// Rows that are listed of one event; more are counted.
pub const LISTED: usize = 500;
/// What the listed rows of one event take, in bytes: some 500 of what a package says; of larger ones fewer are listed.
const LISTED_BYTES: usize = 256 * 1024;
/// Differences of one class in one section, seen at one look, that are events of their own; more are one event.
const APART: usize = 5;
/// Characters of a title.
const TITLE_CHARS: usize = 250;

/// A field that is other than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Its name.
    pub name: String,
    /// What it was; none: it was not there.
    pub before: Option<String>,
    /// What it is; none: it is not there any more.
    pub after: Option<String>,
}

/// A row that is other than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowChange {
    /// Its key.
    pub key: String,
    /// What happened to it.
    pub class: Class,
    /// Its fields that differ; of a row that came or went all.
    pub fields: Vec<FieldChange>,
}

/// One event: what somebody did, as far as one look can tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What kind of change.
    pub class: Class,
    /// In which section.
    pub section: String,
    /// In words.
    pub title: String,
    /// How many rows.
    pub count: usize,
    /// The rows, the first [`LISTED`] of them.
    pub rows: Vec<RowChange>,
}

/// A difference with its class and its words.
struct Named {
    class: Class,
    title: String,
    rows: Vec<RowChange>,
}

impl Named {
    fn of(class: Class, title: String, difference: &Difference) -> Self {
        Self { class, title, rows: vec![row_change(class, difference)] }
    }
}

/// The events that differences seen at one look are.
#[must_use]
pub fn named(section: &str, differences: &[Difference]) -> Vec<Change> {
    let told: Vec<Difference> = differences.iter().filter(|one| is_told(section, one)).cloned().collect();
    let differences = &told[..];
    let named: Vec<Named> = match section {
        "packages" => return packages(differences),
        "users" => differences.iter().map(user).collect(),
        "listeners" | "listening_ports" | "ports" => differences.iter().map(listener).collect(),
        "system" | "os" | "kernel" | "firmware" | "cpu" => {
            differences.iter().map(|one| hardware::system(section, one)).collect()
        }
        "memory_modules" | "memory" | "disks" | "power_supplies" | "gpus" | "pci" | "batteries" => {
            hardware::components(section, differences)
        }
        _ => differences.iter().map(|one| plain(section, one)).collect(),
    };
    grouped(section, named)
}

/// Whether a difference is an event at all. Who is in a group is told by the users, an address that is leased comes and
/// goes by itself, and so does whom a host meets; that a backup was made again is what it is for. All have their history.
fn is_told(section: &str, one: &Difference) -> bool {
    match section {
        "groups" if one.before.is_some() && one.after.is_some() => {
            field_changes(one).iter().any(|field| field.name != "members")
        }
        "addresses" => {
            let is_leased =
                |side: &Option<Fields>| side.as_deref().and_then(|side| field(side, "assigned")) == Some("leased");
            !is_leased(&one.before) && !is_leased(&one.after)
        }
        "neighbours" => false,
        "backups" if one.before.is_some() && one.after.is_some() => {
            field_changes(one).iter().any(|field| !matches!(field.name.as_str(), "last_at" | "evidence"))
        }
        _ => true,
    }
}

/// Few of a class are events of their own, many are one.
fn grouped(section: &str, named: Vec<Named>) -> Vec<Change> {
    let mut of_class: BTreeMap<Class, Vec<Named>> = BTreeMap::new();
    for one in named {
        of_class.entry(one.class).or_default().push(one);
    }
    let event = |class, title: &str, count, rows: Vec<RowChange>| Change {
        class,
        section: section.to_owned(),
        title: clean(title).chars().take(TITLE_CHARS).collect(),
        count,
        rows: listed(rows),
    };
    let mut events = Vec::new();
    for (class, all) in of_class {
        if all.len() <= APART {
            events.extend(all.into_iter().map(|one| event(class, &one.title, one.rows.len(), one.rows)));
            continue;
        }
        let title = format!("{} {}: {}", all.len(), section.replace('_', " "), class.plural());
        let rows: Vec<RowChange> = all.into_iter().flat_map(|one| one.rows).collect();
        events.push(event(class, &title, rows.len(), rows));
    }
    events
}

/// The first rows of an event, as many as are listed.
fn listed(rows: impl IntoIterator<Item = RowChange>) -> Vec<RowChange> {
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let size = |row: &RowChange| {
        let field = |field: &FieldChange| field.name.len() + text(&field.before) + text(&field.after);
        row.key.len() + row.fields.iter().map(field).sum::<usize>()
    };
    let mut bytes = 0;
    let fits = |row: &RowChange| {
        bytes += size(row);
        bytes <= LISTED_BYTES
    };
    rows.into_iter().take(LISTED).take_while(fits).collect()
}

/// All that happened to packages between two looks is one event: what one command did.
fn packages(differences: &[Difference]) -> Vec<Change> {
    let named: Vec<Named> = differences.iter().map(package).collect();
    if named.len() <= 1 {
        return grouped("packages", named);
    }
    let mut counts: BTreeMap<Class, usize> = BTreeMap::new();
    named.iter().for_each(|one| *counts.entry(one.class).or_default() += 1);
    let said: Vec<String> = counts.iter().map(|(class, count)| format!("{count} {}", class.plural())).collect();
    let names: Vec<&str> = differences.iter().take(3).map(called).collect();
    let more = if differences.len() > names.len() { ", ..." } else { "" };
    let title = format!("{} packages: {} ({}{more})", differences.len(), said.join(", "), names.join(", "));
    let rows = listed(named.into_iter().flat_map(|one| one.rows));
    let title = clean(&title).chars().take(TITLE_CHARS).collect();
    vec![Change { class: Class::PackagesChanged, section: "packages".into(), title, count: differences.len(), rows }]
}

fn package(one: &Difference) -> Named {
    let version =
        |fields: &Option<Fields>| fields.as_ref().and_then(|fields| field(fields, "version")).map(str::to_owned);
    let (before, after) = (version(&one.before), version(&one.after));
    let shown = |version: Option<String>| version.unwrap_or_else(|| "unknown".into());
    let name = called(one);
    let (class, title) = match (&one.before, &one.after) {
        (None, _) => (Class::PackageInstalled, format!("{name} {} installed", shown(after))),
        (_, None) => (Class::PackageRemoved, format!("{name} {} removed", shown(before))),
        _ => {
            let order = before.as_deref().zip(after.as_deref()).map(|(old, new)| versions::compare(old, new));
            let (class, word) = match order {
                Some(Ordering::Less) => (Class::PackageUpgraded, "upgraded"),
                Some(Ordering::Greater) => (Class::PackageDowngraded, "downgraded"),
                _ => return Named::of(Class::PackageChanged, changed_title("package", one), one),
            };
            (class, format!("{name} {word} {} -> {}", shown(before), shown(after)))
        }
    };
    Named::of(class, title, one)
}

/// Groups whose members may become root: of Debian and its like, of Red Hat and its like, of old Ubuntu and macOS.
const ROOT_GROUPS: [&str; 4] = ["sudo", "wheel", "admin", "root"];

/// Whether a user may become root, as far as its row says.
#[must_use]
pub fn is_privileged(fields: &[(String, String)]) -> bool {
    let says = |name: &str| field(fields, name).is_some_and(|value| matches!(value, "yes" | "true" | "1"));
    let groups = first_of(fields, &["groups", "supplementary_groups"]).unwrap_or_default();
    says("sudo")
        || says("administrator")
        || says("privileged")
        || groups.split([',', ' ', ';']).any(|group| ROOT_GROUPS.contains(&group))
}

fn user(one: &Difference) -> Named {
    let name = called(one);
    let privileged = |fields: &Option<Fields>| fields.as_deref().is_some_and(is_privileged);
    let (class, title) = match (&one.before, &one.after) {
        (None, _) if privileged(&one.after) => (Class::UserAdded, format!("user {name} added, with sudo")),
        (None, _) => (Class::UserAdded, format!("user {name} added")),
        (_, None) => (Class::UserRemoved, format!("user {name} removed")),
        _ => match (privileged(&one.before), privileged(&one.after)) {
            (false, true) => (Class::UserGainedSudo, format!("user {name} gained sudo")),
            (true, false) => (Class::UserLostSudo, format!("user {name} lost sudo")),
            _ => (Class::UserChanged, changed_title("user", one)),
        },
    };
    Named::of(class, title, one)
}

fn listener(one: &Difference) -> Named {
    let fields = one.after.as_deref().or(one.before.as_deref()).unwrap_or_default();
    let what = match (field(fields, "protocol"), first_of(fields, &["address", "local_address"]), field(fields, "port"))
    {
        (Some(protocol), Some(address), Some(port)) if address.contains(':') => {
            format!("{protocol} [{address}]:{port}")
        }
        (Some(protocol), Some(address), Some(port)) => format!("{protocol} {address}:{port}"),
        _ => one.key.clone(),
    };
    let owner = first_of(fields, &["process", "program", "command", "owner"]);
    let by = owner.map_or_else(String::new, |owner| format!(" by {owner}"));
    let (class, title) = match (&one.before, &one.after) {
        (None, _) => (Class::NewListener, format!("{what} is listened on{by}")),
        (_, None) => (Class::ListenerGone, format!("{what} is not listened on any more{by}")),
        _ => (Class::ListenerChanged, changed_title("listener", one)),
    };
    Named::of(class, title, one)
}

fn plain(section: &str, one: &Difference) -> Named {
    let (noun, name) = (noun(section), called(one));
    let (class, title) = match (&one.before, &one.after) {
        (None, _) => (Class::Added, format!("{noun} {name} added")),
        (_, None) => (Class::Removed, format!("{noun} {name} removed")),
        _ => (Class::Changed, changed_title(&noun, one)),
    };
    Named::of(class, title, one)
}

/// A row of a section: `services` has a `service`.
fn noun(section: &str) -> String {
    let words = section.replace('_', " ");
    match words.as_str() {
        "batteries" => "battery".into(),
        "power supplies" => "power supply".into(),
        "repositories" => "repository".into(),
        "addresses" => "address".into(),
        "usb" | "pci" | "tls" | "antivirus" => words,
        _ => words.strip_suffix('s').map_or(words.clone(), str::to_owned),
    }
}

fn called(one: &Difference) -> &str {
    let fields = one.after.as_deref().or(one.before.as_deref()).unwrap_or_default();
    name(&one.key, fields)
}

/// `service nginx: state running -> stopped, 2 more`
fn changed_title(noun: &str, one: &Difference) -> String {
    let fields = field_changes(one);
    let said = |field: &FieldChange| {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".into());
        format!("{} {} -> {}", field.name.replace('_', " "), shown(&field.before), shown(&field.after))
    };
    let first: Vec<String> = fields.iter().take(2).map(said).collect();
    let more = fields.len().saturating_sub(2);
    let more = if more > 0 { format!(", {more} more") } else { String::new() };
    format!("{noun} {}: {}{more}", called(one), first.join(", "))
}

fn row_change(class: Class, one: &Difference) -> RowChange {
    RowChange { key: one.key.clone(), class, fields: field_changes(one) }
}

fn field_changes(one: &Difference) -> Vec<FieldChange> {
    let side = |fields: &Option<Fields>| -> BTreeMap<String, String> {
        fields.clone().unwrap_or_default().into_iter().collect()
    };
    let (before, after) = (side(&one.before), side(&one.after));
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort();
    names.dedup();
    let change = |name: &&String| FieldChange {
        name: (*name).clone(),
        before: before.get(*name).cloned(),
        after: after.get(*name).cloned(),
    };
    names.iter().map(change).filter(|field| field.before != field.after).collect()
}
