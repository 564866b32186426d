//! What a process of its own does and ends: it takes the inventory, compares it with what the collector has, and leaves in
//! the state directory what is to be told.
//!
//! Of each section that differs there are then `inventory-NAME.records`, which are sent, and `inventory-NAME.next`,
//! which becomes `inventory-NAME.kept` when the collector has them ([`Kept`]).

use std::collections::{BTreeMap, BTreeSet};

use super::kept::{self, Delta, Kept};
use super::{Section, Status, custom, hash, is_name, rests, sections};
use crate::clock;
use crate::host::Host;
use crate::state::{StateDir, StateError};

/// What is to be taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Order {
    /// The sections that the collector has, with their hashes.
    pub known: BTreeMap<String, u128>,
    /// Sections that it wants in full.
    pub full: Vec<String>,
    /// Nothing but those.
    pub only: bool,
    /// Hashes are to be told although nothing differs.
    pub compare: bool,
}

impl Order {
    /// As arguments of the command that carries it out.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let mut arguments = vec!["tell-inventory".to_owned()];
        for (name, hash) in &self.known {
            arguments.extend(["--known".to_owned(), format!("{name}={}", hash::spelled(*hash))]);
        }
        for name in &self.full {
            arguments.extend(["--full".to_owned(), name.clone()]);
        }
        arguments.extend(self.only.then(|| "--only".to_owned()));
        arguments.extend(self.compare.then(|| "--compare".to_owned()));
        arguments
    }
}

/// What whoever runs this machine wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Sections that are not looked at.
    pub off: Vec<String>,
    /// Directories with a site's own sections.
    pub custom: Vec<String>,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { off: Vec::new(), custom: vec![CUSTOM.to_owned()] }
    }
}

/// Where a site's own sections are where nothing else is configured.
pub const CUSTOM: &str = crate::platform::DEFAULT_CUSTOM;

/// Files of a section in the state directory.
#[must_use]
pub fn file(section: &str, what: &str) -> String {
    format!("inventory-{section}.{what}")
}

/// The section to which a file belongs, if it is of this kind.
#[must_use]
pub fn section_of<'a>(file: &'a str, what: &str) -> Option<&'a str> {
    let name = file.strip_prefix("inventory-")?.strip_suffix(what)?.strip_suffix('.')?;
    is_name(name).then_some(name)
}

/// Takes the inventory, section by section.
pub fn take(host: &Host, wanted: &Wanted, mut picked: impl FnMut(&str) -> bool, mut taken: impl FnMut(Section)) {
    let withheld = host.withheld();
    // Known to this machine alone: the collector has only what is signed with it.
    let secret = host.read_text("/etc/machine-id").unwrap_or_default();
    for source in sections(host) {
        if !picked(source.name) {
            continue;
        }
        if wanted.off.iter().any(|name| name == source.name) {
            taken(super::switched_off(source.name, "`off`"));
        } else if let Some(family) = withheld.section(source.name) {
            taken(super::switched_off(source.name, &format!("{family:?} in [collect] off")));
        } else {
            super::collect(host, std::iter::once(source), |mut section| {
                withheld.clean(&mut section, secret.as_bytes());
                taken(section);
            });
        }
    }
    for (name, path) in custom::found(host, &wanted.custom) {
        if picked(&name) {
            taken(custom::read(host, &name, &path));
        }
    }
}

/// What is told of a section, as messages.
pub type Encode = fn(&Delta<'_>) -> Vec<Vec<u8>>;

/// Takes what is ordered and leaves in the state directory what is to be told, encoded.
///
/// # Errors
/// When the state directory cannot be written.
pub fn tell(host: &Host, wanted: &Wanted, order: &Order, state: &StateDir, encode: Encode) -> Result<(), StateError> {
    // Whoever waits for this can go on when it is late; nobody waits for a report of it.
    crate::platform::lower_priority();
    let (mut outcome, mut seen) = (Ok(()), Vec::new());
    let rests = numbers(host, wanted);
    let settled: BTreeSet<&str> =
        rests.iter().filter(|(name, rests)| is_settled(name, **rests, order, state)).map(|(name, _)| *name).collect();
    let is_picked = |name: &str| !settled.contains(name) && (!order.only || order.full.iter().any(|full| full == name));
    take(host, wanted, is_picked, |section| {
        seen.push(section.name.clone());
        let left = leave(&section, rests.get(section.name.as_str()).copied(), order, state, encode);
        if outcome.is_ok() {
            outcome = left;
        }
    });
    for name in order.known.keys().filter(|name| is_picked(name) && is_name(name) && !seen.contains(name)) {
        let left = leave(&no_more(name), None, order, state, encode);
        outcome = outcome.and(left);
    }
    outcome
}

/// A section that the collector has and this agent does not know.
fn no_more(name: &str) -> Section {
    Section {
        name: name.to_owned(),
        status: Status::Absent,
        reason: "there is no such section on this machine any more".to_owned(),
        source: String::new(),
        collected_ms: clock::now().wall_ms,
        rows: Vec::new(),
        whole: true,
    }
}

/// What the sections that are looked at rest on, by name ([`rests`]).
fn numbers(host: &Host, wanted: &Wanted) -> BTreeMap<&'static str, u128> {
    let withheld = host.withheld();
    let is_off = |name: &str| wanted.off.iter().any(|off| off == name) || withheld.section(name).is_some();
    let sources = sections(host).iter().filter(|source| !source.rests_on.is_empty() && !is_off(source.name));
    let withheld = format!("{withheld:?}");
    sources.filter_map(|source| Some((source.name, rests::number(host, source, &withheld)?))).collect()
}

/// Whether the collector has the section as it would be read now.
fn is_settled(name: &str, rests: u128, order: &Order, state: &StateDir) -> bool {
    !order.compare && kept(name, order, state).is_some_and(|kept| kept.rests == Some(rests))
}

/// A section as the collector has it, where that is known and it need not be told in full.
fn kept(name: &str, order: &Order, state: &StateDir) -> Option<Kept> {
    let hash = order.known.get(name).filter(|_| !order.full.iter().any(|full| full == name))?;
    let bytes = state.read_long(&file(name, "kept"), kept::FILE_BYTES_MAX).ok().flatten()?;
    Kept::parse(std::str::from_utf8(&bytes).ok()?).filter(|kept| kept.hash == *hash)
}

fn leave(
    section: &Section,
    rests: Option<u128>,
    order: &Order,
    state: &StateDir,
    encode: Encode,
) -> Result<(), StateError> {
    let name = &section.name;
    let kept = kept(name, order, state);
    let (delta, mut next) = kept::delta(section, kept.as_ref(), order.compare);
    // What could not be read is tried again.
    next.rests = rests.filter(|_| matches!(section.status, Status::Complete | Status::Absent));
    let Some(delta) = delta else {
        let is_same = kept.is_some_and(|kept| kept.rests == next.rests);
        return if is_same { Ok(()) } else { state.write_unsynced(&file(name, "kept"), next.to_text().as_bytes()) };
    };
    let mut records = Vec::new();
    for message in encode(&delta) {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
        records.extend_from_slice(&length.to_be_bytes());
        records.extend_from_slice(&message);
    }
    state.write_unsynced(&file(name, "next"), next.to_text().as_bytes())?;
    state.write_unsynced(&file(name, "records"), &records)
}

/// The messages in a file of records; nothing where it is not whole.
#[must_use]
pub fn messages(records: &[u8]) -> Option<Vec<&[u8]>> {
    let (mut rest, mut messages) = (records, Vec::new());
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>()?;
        let (message, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        messages.push(message);
        rest = after;
    }
    Some(messages)
}

/// `NAME=HASH`, as in an argument.
#[must_use]
pub fn known_in(argument: &str) -> Option<(String, u128)> {
    let (name, spelled) = argument.split_once('=')?;
    Some((name.to_owned(), hash::read(spelled)?)).filter(|_| is_name(name))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::*;
    use crate::report;
    use crate::withheld::{Family, Withheld};

    const STATUS: &str = "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-1\n\n";

    #[test]
    fn what_differs_is_left_to_be_told_and_nothing_when_nothing_does() {
        let machine = Machine::new();
        machine.file("var/lib/dpkg/status", STATUS);
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let mut order = Order { full: vec!["packages".into()], only: true, ..Order::default() };
        let told = |order: &Order| {
            tell(&machine.host(), &Wanted::default(), order, &state, report::inventory_messages).unwrap();
            let records = state.read_long(&file("packages", "records"), 1 << 20).unwrap();
            state.remove(&file("packages", "records")).unwrap();
            records.map(|records| messages(&records).unwrap().len())
        };
        assert_eq!(told(&order), Some(1));
        assert!(!state.file(&file("system", "next")).exists(), "nothing but what was asked for");
        state.promote(&file("packages", "next"), &file("packages", "kept")).unwrap();
        let bytes = state.read_long(&file("packages", "kept"), 1 << 20).unwrap().unwrap();
        let kept = Kept::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
        order = Order { known: [("packages".to_owned(), kept.hash)].into(), ..Order::default() };
        assert_eq!(told(&order), None);
        machine.file("var/lib/dpkg/status", STATUS.replace("5.2-1", "5.2-2"));
        assert_eq!(told(&order), Some(1));
        order.known.insert("packages".to_owned(), kept.hash ^ 1);
        assert_eq!(told(&order), Some(1), "in full, since the collector has something else");
    }

    #[test]
    fn a_resolver_is_asked_again_when_what_it_rests_on_has_changed_and_once_a_day() {
        let machine = Machine::new();
        machine.files(&[("var/lib/dpkg/status", STATUS), ("var/lib/apt/lists/main_Packages", "one")]);
        let asked = machine.root().join("asked");
        let answer = "echo 'Inst bash [5.2-1] (5.2-2 Debian:12.5/stable [amd64])'";
        machine.tool("apt-get", &format!("echo >> {}; {answer}", asked.display()));
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let mut order = Order::default();
        // How often it was asked by then, and whether there is something to tell.
        let told = |order: &mut Order, wanted: &Wanted| {
            tell(&machine.host(), wanted, order, &state, report::inventory_messages).unwrap();
            let is_told = state.read_long(&file("updates", "records"), 1 << 20).unwrap().is_some();
            if is_told {
                state.remove(&file("updates", "records")).unwrap();
                state.promote(&file("updates", "next"), &file("updates", "kept")).unwrap();
                let bytes = state.read_long(&file("updates", "kept"), 1 << 20).unwrap().unwrap();
                let kept = Kept::parse(std::str::from_utf8(&bytes).unwrap()).unwrap();
                order.known.insert("updates".to_owned(), kept.hash);
            }
            (std::fs::read(&asked).unwrap().len(), is_told)
        };
        let wanted = Wanted::default();
        assert_eq!(told(&mut order, &wanted), (1, true));
        assert_eq!(told(&mut order, &wanted), (1, false), "nothing has changed");
        machine.file("var/lib/apt/lists/main_Packages", "one two");
        assert_eq!(told(&mut order, &wanted), (2, false), "the answer is the same");
        assert_eq!(told(&mut order, &wanted), (2, false), "and is that of the new lists");
        order.compare = true;
        assert_eq!(told(&mut order, &wanted), (3, true));
        order.compare = false;
        order.full = vec!["updates".to_owned()];
        assert_eq!(told(&mut order, &wanted), (4, true));
        order.full.clear();
        machine.tool("apt-get", &format!("echo >> {}; exit 100", asked.display()));
        assert_eq!(told(&mut order, &wanted), (4, false));
        machine.file("var/lib/dpkg/status", format!("{STATUS}\n"));
        assert_eq!(told(&mut order, &wanted), (5, true), "it failed, which is told");
        assert_eq!(told(&mut order, &wanted), (6, false), "and it is tried again");
        let off = Wanted { off: vec!["updates".to_owned()], ..Wanted::default() };
        assert_eq!(told(&mut order, &off), (6, true));
    }

    #[test]
    fn a_section_that_is_switched_off_or_no_more_says_so() {
        let machine = Machine::new();
        machine.file("var/lib/dpkg/status", STATUS);
        let dir = tempfile::tempdir().unwrap();
        let state = StateDir::open(dir.path()).unwrap();
        let order = Order { known: [("custom_racks".to_owned(), 7), ("Bad".to_owned(), 7)].into(), ..Order::default() };
        tell(
            &machine.host(),
            &Wanted { off: vec!["packages".into()], ..Wanted::default() },
            &order,
            &state,
            report::inventory_messages,
        )
        .unwrap();
        let kept = |name: &str| {
            let bytes = state.read_long(&file(name, "next"), 1 << 20).unwrap().unwrap();
            Kept::parse(std::str::from_utf8(&bytes).unwrap()).unwrap()
        };
        assert_eq!(kept("packages").rows.len(), 0);
        let off = super::super::switched_off("packages", "`off`");
        assert_eq!(kept("packages").hash, hash::head(&off));
        assert_eq!(kept("custom_racks").hash, hash::head(&no_more("custom_racks")));
        assert!(!state.file(&file("Bad", "next")).exists());
    }

    #[test]
    fn a_withheld_family_takes_its_sections_and_its_fields_of_others() {
        let machine = Machine::new();
        machine.file("etc/passwd", "alice:x:1000:1000::/home/alice:/bin/sh\n");
        machine.file("etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        machine.file("sys/class/dmi/id/product_serial", "S1\n");
        machine.file("sys/class/dmi/id/product_name", "ACME\n");
        let host = machine.host().with_withheld(Withheld::default().and(Family::UserNames).and(Family::Serials));
        let mut sections = Vec::new();
        take(&host, &Wanted::default(), |name| ["users", "system"].contains(&name), |section| sections.push(section));
        let of = |name: &str| sections.iter().find(|section| section.name == name).unwrap();
        assert_eq!((of("users").status, of("users").rows.len()), (Status::SwitchedOff, 0));
        assert_eq!(of("users").reason, "switched off by \"user_names\" in [collect] off in agent.toml");
        assert!(of("system").reason.contains("switched off by [collect] off in agent.toml: serial"), "{sections:?}");
        assert!(!format!("{sections:?}").contains("S1") && !format!("{sections:?}").contains("alice"), "{sections:?}");
    }

    #[test]
    fn records_that_are_cut_off_are_none() {
        assert_eq!(messages(&[0, 0, 0, 1, 9, 0, 0, 0, 0]), Some(vec![&[9][..], &[]]));
        assert_eq!(messages(&[0, 0, 0, 2, 9]), None);
        assert_eq!(messages(&[0, 0]), None);
        assert_eq!(section_of("inventory-packages.next", "next"), Some("packages"));
        assert_eq!(section_of("inventory-../x.next", "next"), None);
    }
}
