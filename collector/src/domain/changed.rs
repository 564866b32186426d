//! What changed on a host: facts of the machine, what was set for it, what people did. When an incident opens, what
//! changed in the 24 hours before is collected and stays with it: most outages follow a change.
//!
//! A new kind of change is a [`Kind`], and whoever sees it happen tells it to the desk: what changed of a host's inventory
//! comes that way.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{ids::HostNo, labels::Facts, time::Timestamp};

/// How far back is looked, in milliseconds.
pub const LOOKS_BACK_MS: i64 = 24 * 3_600_000;
/// Changes that are listed of one incident.
pub const LISTED: usize = 20;
/// Of one kind: a service that restarts all day does not hide the new kernel.
const OF_ONE_KIND: usize = 6;
/// Changes said in a page.
const IN_A_PAGE: usize = 3;
/// Longest text, in characters.
const TEXT_CHARS: usize = 300;

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The machine was booted anew.
    Boot,
    /// Kernel, release of the system, name or kind of the machine.
    System,
    /// The agent's version.
    Agent,
    /// A file system, disk, interface or unit came or went.
    Part,
    /// A service was restarted by systemd.
    Service,
    /// Packages were installed, removed or changed.
    Package,
    /// A user came, went, or may do other things.
    Account,
    /// A port was opened or closed.
    Listener,
    /// Something else of its inventory.
    Inventory,
    /// Class, site, watch level or labels.
    Label,
    /// By which limits it is judged.
    Limit,
    /// What its agent is told.
    Setting,
    /// A maintenance window was made or has ended.
    Maintenance,
    /// A silence was made or has ended.
    Silence,
    /// Another incident of this host, or of what it is behind.
    Incident,
    /// Something else that somebody did.
    Person,
}

impl Kind {
    /// The kind's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Boot => "boot",
            Self::System => "system",
            Self::Agent => "agent",
            Self::Part => "part",
            Self::Service => "service",
            Self::Package => "package",
            Self::Account => "account",
            Self::Listener => "listener",
            Self::Inventory => "inventory",
            Self::Label => "label",
            Self::Limit => "limit",
            Self::Setting => "setting",
            Self::Maintenance => "maintenance",
            Self::Silence => "silence",
            Self::Incident => "incident",
            Self::Person => "person",
        }
    }

    /// Whether it says something of the machine or of how it is judged, rather than of what was said about it.
    const fn explains(self) -> bool {
        !matches!(self, Self::Incident | Self::Person | Self::Silence)
    }
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// When, or when it was seen.
    pub at: Timestamp,
    /// What kind.
    pub kind: Kind,
    /// In words, with before and after.
    pub text: String,
    /// Who did it, if a person.
    #[serde(default)]
    pub by: Option<String>,
}

/// A change as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChangedRow {
    /// On which host.
    pub host: HostNo,
    /// What.
    pub changed: Changed,
}

impl Changed {
    /// A change with words of bounded length.
    #[must_use]
    pub fn new(at: Timestamp, kind: Kind, text: &str, by: Option<String>) -> Self {
        Self { at, kind, text: text.chars().take(TEXT_CHARS).collect(), by }
    }
}

/// What is listed of changes between `since` and `now`: the newest first, each once, and of one kind only some.
#[must_use]
pub fn listed(all: impl IntoIterator<Item = Changed>, since: Timestamp, now: Timestamp) -> Vec<Changed> {
    let mut all: Vec<Changed> = all.into_iter().filter(|change| change.at >= since && change.at <= now).collect();
    all.sort_by(|a, b| (b.at, a.kind, &a.text).cmp(&(a.at, b.kind, &b.text)));
    let mut seen: BTreeSet<(Kind, String)> = BTreeSet::new();
    let mut counts: BTreeMap<Kind, usize> = BTreeMap::new();
    all.retain(|change| {
        let count = counts.entry(change.kind).or_default();
        let keep = *count < OF_ONE_KIND && seen.insert((change.kind, change.text.clone()));
        *count += usize::from(keep);
        keep
    });
    all.truncate(LISTED);
    all
}

/// The line of a page, such as `changed before: kernel 6.1 -> 6.2 (3 h before)`; nothing where nothing explains anything.
#[must_use]
pub fn line(changes: &[Changed], since: Timestamp) -> Option<String> {
    let explaining: Vec<&Changed> = changes.iter().filter(|change| change.kind.explains()).collect();
    let said = explaining.iter().take(IN_A_PAGE).map(|change| {
        let by = change.by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
        format!("{}{by} ({})", change.text, before(since.since_ms(change.at)))
    });
    let mut said: Vec<String> = said.collect();
    let more = explaining.len().saturating_sub(IN_A_PAGE);
    said.extend((more > 0).then(|| format!("{more} more")));
    (!said.is_empty()).then(|| format!("changed in the 24 h before: {}", said.join("; ")))
}

fn before(ms: i64) -> String {
    match ms / 60_000 {
        ..0 => "since then".into(),
        0 => "just before".into(),
        minutes @ 1..60 => format!("{minutes} min before"),
        minutes => format!("{} h before", minutes / 60),
    }
}

/// What a host says of itself otherwise than before; what it says for the first time is no change.
#[must_use]
pub fn of_facts(before: &Facts, after: &Facts) -> Vec<(Kind, String)> {
    let fields = [
        (Kind::System, "kernel", &before.kernel, &after.kernel),
        (Kind::System, "system", &before.os_release, &after.os_release),
        (Kind::System, "its own name", &before.name, &after.name),
        (Kind::System, "architecture", &before.architecture, &after.architecture),
        (Kind::System, "kind of machine", &before.chassis, &after.chassis),
        (Kind::Agent, "agent", &before.agent_version, &after.agent_version),
    ];
    let other = fields.into_iter().filter(|(_, _, before, after)| before != after && !before.is_empty());
    other.map(|(kind, name, before, after)| (kind, format!("{name} {before} -> {}", shown(after)))).collect()
}

fn shown(text: &str) -> &str {
    if text.is_empty() { "unknown" } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_ms(1_795_000_000_000 + minutes * MINUTE)
    }

    fn change(minutes: i64, kind: Kind, text: &str) -> Changed {
        Changed::new(at(minutes), kind, text, None)
    }

    #[test]
    fn the_newest_come_first_each_once_and_one_kind_does_not_hide_the_others() {
        let restarts = (0..30).map(|n| change(n, Kind::Service, &format!("nginx.service restarted ({n} in all)")));
        let kernel = change(-600, Kind::System, "kernel 6.1 -> 6.2");
        let twice = [change(-700, Kind::Boot, "booted"), change(-650, Kind::Boot, "booted")];
        let outside = [change(-1_441, Kind::Agent, "agent 1 -> 2"), change(31, Kind::Agent, "agent 2 -> 3")];
        let found = listed(restarts.chain([kernel]).chain(twice).chain(outside), at(-1_440), at(30));
        let shown: Vec<_> = found.iter().map(|change| (change.at, change.kind)).collect();
        let expected: Vec<_> = (24..30).rev().map(|n| (at(n), Kind::Service)).collect();
        assert_eq!(shown[..6], expected);
        assert_eq!(shown[6..], [(at(-600), Kind::System), (at(-650), Kind::Boot)]);
    }

    #[test]
    fn a_list_has_an_end() {
        let kinds = [Kind::Boot, Kind::Label, Kind::Part, Kind::Limit, Kind::Setting];
        let many = (0..100).map(|n| change(n, kinds[usize::try_from(n).unwrap() % 5], &n.to_string()));
        assert_eq!(listed(many, at(0), at(100)).len(), LISTED);
        let long = Changed::new(at(0), Kind::Label, &"x".repeat(500), None);
        assert_eq!(long.text.len(), 300);
    }

    #[test]
    fn a_page_says_what_may_explain_it_and_how_long_before() {
        let mut changes = vec![
            change(1, Kind::Part, "file system /backup is gone"),
            change(0, Kind::Incident, "#3"),
            change(-1, Kind::Service, "nginx.service restarted"),
            change(-119, Kind::Limit, "override small"),
            change(-1_440, Kind::System, "kernel 6.1 -> 6.2"),
        ];
        changes[3].by = Some("ana".into());
        assert_eq!(
            line(&changes, at(0)).as_deref(),
            Some(
                "changed in the 24 h before: file system /backup is gone (since then); nginx.service restarted (1 min \
                 before); override small by ana (1 h before); 1 more"
            )
        );
        assert_eq!(line(&changes[1..2], at(0)), None);
        let then = line(&[change(0, Kind::Boot, "booted")], at(0));
        assert_eq!(then.as_deref(), Some("changed in the 24 h before: booted (just before)"));
    }

    #[test]
    fn facts_that_differ_are_said_with_before_and_after() {
        let before = Facts { kernel: "6.1".into(), agent_version: "0.1".into(), name: "a".into(), ..Facts::default() };
        let after =
            Facts { kernel: "6.2".into(), agent_version: String::new(), chassis: "vm".into(), ..before.clone() };
        let expected = [(Kind::System, "kernel 6.1 -> 6.2"), (Kind::Agent, "agent 0.1 -> unknown")];
        let found = of_facts(&before, &after);
        assert_eq!(found.iter().map(|(kind, text)| (*kind, text.as_str())).collect::<Vec<_>>(), expected);
        assert_eq!(of_facts(&Facts::default(), &after), [], "it says so for the first time");
        assert_eq!(of_facts(&after, &after), []);
    }
}
