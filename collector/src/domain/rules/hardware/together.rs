//! What different sources say of one part, as one: SMART, the kernel's log, arrays and file systems each have a name of their
//! own for a drive, and each tells a share of what is wrong with it.
//!
//! First every finding is told to be about the part that it is about, whatever name it came with. Then drive, cable and adapter
//! are told apart: what fails on the way to a drive that itself counts no damage is the way's fault, and the same on several
//! drives of one adapter is the adapter's. What is left of one part is one group, the sign that names the culprit first.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{
    finding::{Finding, Part, Weight},
    kernel_log::ADAPTER_DISKS,
    standing::{Seen, component},
};
use crate::domain::{
    hardware::{
        Facts,
        assembly::{Piece, Role, State},
        drive::Identity,
        topology::Topology,
    },
    severity::Severity,
};

/// Rules that see that something went wrong with a drive and not where: on its medium, on the way to it, or above it.
const UNDECIDED: [&str; 10] = [
    "kernel-adapter-suspected",
    "kernel-checksum",
    "kernel-disk-offline",
    "kernel-disk-timeout",
    "kernel-filesystem",
    "kernel-io-error",
    "kernel-task-abort",
    "kernel-array-member-failed",
    "member-errors",
    "member-failed",
];
/// Shorter serial numbers are not looked for in the names of devices.
const SERIAL_CHARS: usize = 6;
/// Losses that an array can still bear for a member that fails not to be a call in the night: it goes, and one more may.
const SPARED: u64 = 2;

/// Everything that is wrong with one part.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Which part.
    pub part: Part,
    /// What is wrong, what names the culprit first, then the worst. Never empty.
    pub signs: Vec<Finding>,
    /// How bad all of it is.
    pub severity: Severity,
    /// What the part carries and what stands behind it: `md0 (raid1, no other member may fail)`, `/var`.
    pub carries: Vec<String>,
    /// The part whose failing is why, if it is another one.
    pub cause: Option<String>,
}

/// Findings as they came, gathered by the part that they are about. What is only told is left out.
#[must_use]
pub fn together(seen: &[Seen], findings: Vec<Finding>) -> Vec<Group> {
    let machine = Machine::of(seen);
    let mut signs: Vec<Sign> = findings
        .into_iter()
        .filter(|finding| finding.weight > Weight::Told)
        .map(|finding| machine.sign(finding))
        .collect();
    machine.what_it_stands_on(&mut signs);
    machine.blame_adapters(&mut signs);
    blame_links(&mut signs);
    let mut groups: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for Sign { finding, .. } in signs {
        groups.entry(component(&finding.part)).or_default().push(finding);
    }
    let mut groups: Vec<Group> = groups.into_values().filter_map(|signs| machine.group(signs)).collect();
    machine.causes(&mut groups);
    groups
}

/// A finding and the drive that it is about, by the machine's name for it.
struct Sign {
    finding: Finding,
    drive: Option<String>,
}

impl Sign {
    fn is_undecided(&self) -> bool {
        UNDECIDED.contains(&self.finding.rule)
    }

    /// Says of the drive itself that it is going.
    fn blames_drive(&self) -> bool {
        self.finding.part.kind == "drive" && self.finding.weight >= Weight::Failing && !self.is_undecided()
    }

    fn blames_link(&self) -> bool {
        self.finding.part.kind == "link" && self.finding.weight >= Weight::Failing
    }
}

/// What is known of a machine's drives and what is made of them.
struct Machine<'a> {
    topology: Option<&'a Topology>,
    /// Drives by the machine's names.
    drives: BTreeMap<String, &'a Identity>,
    arrays: Vec<&'a Piece>,
    /// Members; each says in its slot which array it is in.
    members: Vec<&'a Piece>,
}

impl<'a> Machine<'a> {
    fn of(seen: &'a [Seen]) -> Self {
        let mut machine = Self { topology: None, drives: BTreeMap::new(), arrays: Vec::new(), members: Vec::new() };
        machine.topology = seen.iter().find_map(|seen| match &seen.facts {
            Facts::Topology(topology) => Some(&**topology),
            _ => None,
        });
        for seen in seen {
            match &seen.facts {
                Facts::Drive(drive) if !drive.is_virtual && !drive.identity.serial.is_empty() => {
                    let called = seen.device.trim_start_matches("/dev/");
                    let named = machine.topology.and_then(|topology| topology.drive(called)).unwrap_or(called);
                    machine.drives.insert(named.to_owned(), &drive.identity);
                }
                Facts::Assembly(assembly) => {
                    machine.arrays.extend(assembly.pieces.iter().filter(|piece| piece.role == Role::Array));
                    machine.members.extend(assembly.pieces.iter().filter(|piece| piece.role == Role::Member));
                }
                _ => {}
            }
        }
        machine
    }

    /// The drive that is called so: a device, a partition, a port, an address, or a name with the serial number in it.
    fn drive(&self, called: &str) -> Option<String> {
        let called = called.trim_start_matches("/dev/").trim_start_matches("disk/by-id/");
        let by_topology = self.topology.and_then(|topology| topology.drive(called)).map(str::to_owned);
        let by_name = || self.drives.contains_key(called).then(|| called.to_owned());
        let by_serial = || {
            let has = |identity: &Identity| {
                identity.serial.len() >= SERIAL_CHARS && called.contains(&identity.serial.replace(' ', "_"))
            };
            self.drives.iter().find(|(_, identity)| has(identity)).map(|(name, _)| name.clone())
        };
        by_topology.or_else(by_name).or_else(by_serial).filter(|name| !is_made(name))
    }

    /// What a finding is about.
    fn sign(&self, mut finding: Finding) -> Sign {
        let part = &mut finding.part;
        let is_of_drive = matches!(part.kind, "drive" | "storage" | "link");
        let by_serial = |serial: &str| {
            let named = self.drives.iter().find(|(_, identity)| identity.serial == serial);
            named.map(|(name, _)| name.clone()).filter(|_| !serial.is_empty())
        };
        let Some(drive) = is_of_drive.then(|| by_serial(&part.serial).or_else(|| self.drive(&part.name))).flatten()
        else {
            return Sign { finding, drive: None };
        };
        self.name(part, &drive);
        Sign { finding, drive: Some(drive) }
    }

    /// Gives a part the name, number and place of a drive.
    fn name(&self, part: &mut Part, drive: &str) {
        if part.kind == "storage" {
            part.kind = "drive";
        }
        let device = self.topology.and_then(|topology| topology.devices.get(drive));
        match (self.drives.get(drive), device) {
            (Some(identity), _) => {
                part.serial.clone_from(&identity.serial);
                part.model.clone_from(&identity.model);
                part.firmware.clone_from(&identity.firmware);
            }
            (None, Some(device)) if part.serial.is_empty() => {
                part.serial.clone_from(&device.serial);
                if part.model.is_empty() {
                    part.model.clone_from(&device.model);
                }
            }
            _ => {}
        }
        part.name = format!("/dev/{drive}");
        // What a tool calls the slot may be the array.
        if let Some(bay) = device.map(|device| &device.bay).filter(|bay| !bay.is_empty()) {
            part.slot.clone_from(bay);
        } else if self.arrays.iter().any(|array| array.name == part.slot) {
            part.slot.clear();
        }
    }

    /// What fails on an array or a volume fails because of the drive below it that is going, or of the only one.
    fn what_it_stands_on(&self, signs: &mut [Sign]) {
        let going: BTreeSet<String> =
            signs.iter().filter(|sign| sign.blames_drive()).filter_map(|sign| sign.drive.clone()).collect();
        for sign in signs.iter_mut().filter(|sign| sign.finding.part.kind == "storage") {
            let below = self.topology.map(|topology| topology.below(&sign.finding.part.name)).unwrap_or_default();
            let culprit = match below[..] {
                [only] => Some(only),
                _ => below.into_iter().find(|drive| going.contains(*drive)),
            };
            if let Some(drive) = culprit {
                let on = sign.finding.part.name.clone();
                self.name(&mut sign.finding.part, drive);
                sign.finding = sign.finding.clone().seen("on", on);
                sign.drive = Some(drive.to_owned());
            }
        }
    }

    /// Several drives of one adapter that fail in the same way, none of which says that it is damaged itself.
    fn blame_adapters(&self, signs: &mut Vec<Sign>) {
        let Some(topology) = self.topology else { return };
        let going: BTreeSet<String> =
            signs.iter().filter(|sign| sign.blames_drive()).filter_map(|sign| sign.drive.clone()).collect();
        let mut behind: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for sign in signs.iter().filter(|sign| sign.is_undecided() || sign.blames_link()) {
            let drive = sign.drive.iter().find(|drive| !going.contains(*drive));
            if let Some((drive, adapter)) = drive.and_then(|drive| Some((drive, topology.adapter(drive)?))) {
                behind.entry(adapter).or_default().insert(drive.clone());
            }
        }
        for (adapter, drives) in behind.into_iter().filter(|(_, drives)| drives.len() >= ADAPTER_DISKS) {
            let is_its = |sign: &Sign| {
                let of = sign.drive.as_ref().is_some_and(|drive| drives.contains(drive));
                of && (sign.is_undecided() || sign.finding.part.kind == "link")
            };
            let part = Part { kind: "adapter", name: adapter.to_owned(), ..Part::default() };
            let summary =
                format!("{} drives behind it fail alike, and none of them counts damage of its own", drives.len());
            let mut finding = Finding::new(part, "adapter-suspected", Severity::Warning, Weight::Failing, summary);
            for sign in signs.iter().filter(|sign| is_its(sign)) {
                finding = finding.seen(component(&sign.finding.part), &sign.finding.summary);
            }
            signs.retain(|sign| !is_its(sign));
            let action = "look at the adapter, its cables, the backplane and their power before any drive";
            signs.push(Sign { finding: finding.so(action), drive: None });
        }
    }

    fn group(&self, mut signs: Vec<Finding>) -> Option<Group> {
        // What grows says more than what is merely there.
        signs.sort_by_key(|sign| {
            let is_undecided = UNDECIDED.contains(&sign.rule);
            (is_undecided, Reverse((sign.weight, sign.severity)), !sign.rule.ends_with("-growing"))
        });
        let mut rules = BTreeSet::new();
        signs.retain(|sign| rules.insert(sign.rule));
        let part = signs.first()?.part.clone();
        let worst = signs.iter().map(|sign| sign.severity).max()?;
        let drive = Some(part.name.trim_start_matches("/dev/")).filter(|_| matches!(part.kind, "drive" | "link"));
        let (carries, is_spared) = drive.map(|drive| self.carried(drive)).unwrap_or_default();
        let severity = if is_spared { worst.min(Severity::Warning) } else { worst };
        Some(Group { part, signs, severity, carries, cause: None })
    }

    /// What a drive carries, and whether all of it bears its loss and one more.
    fn carried(&self, drive: &str) -> (Vec<String>, bool) {
        let above = self.topology.map(|topology| topology.above(drive)).unwrap_or_default();
        let is_its = |member: &&&Piece| self.drive(&member.name).as_deref() == Some(drive);
        let mut names: BTreeSet<&str> = self.members.iter().filter(is_its).map(|member| member.slot.as_str()).collect();
        names.extend(above.iter().filter(|name| name.starts_with("md")));
        // Two sources may tell of one array; the one that says what it can lose is heard.
        let mut arrays: BTreeMap<&str, &Piece> = BTreeMap::new();
        for array in self.arrays.iter().filter(|array| names.contains(array.name.as_str())) {
            let known = arrays.entry(&array.name).or_insert(array);
            if known.spare_members.is_none() {
                *known = array;
            }
        }
        let mut carries: Vec<String> = arrays.values().map(|array| array_words(array)).collect();
        let mounted = self.topology.map(|topology| topology.mounted(drive)).unwrap_or_default();
        carries.extend(mounted.into_iter().map(str::to_owned));
        let outside = self.topology.is_none_or(|topology| topology.is_used_beside(drive, &names));
        let bears = |array: &&Piece| array.spare_members.is_some_and(|left| left >= SPARED);
        let is_spared = !arrays.is_empty() && !outside && arrays.values().all(bears);
        (carries, is_spared)
    }

    /// An array that lost a member is told with the drive that it lost.
    fn causes(&self, groups: &mut [Group]) {
        let mut lost: BTreeMap<&str, (Weight, String)> = BTreeMap::new();
        for group in groups.iter().filter(|group| group.part.kind == "drive") {
            let drive = group.part.name.trim_start_matches("/dev/");
            let weight = group.signs.iter().map(|sign| sign.weight).max().unwrap_or(Weight::Told);
            let is_out = |member: &&&Piece| {
                let is_gone = matches!(member.state, State::Failed | State::Missing);
                let is_same = member.name.trim_start_matches("/dev/") == drive;
                is_gone && (is_same || self.drive(&member.name).as_deref() == Some(drive))
            };
            for member in self.members.iter().filter(is_out) {
                let worst = lost.entry(&member.slot).or_insert((Weight::Told, String::new()));
                if weight > worst.0 {
                    *worst = (weight, component(&group.part));
                }
            }
        }
        let pool_of = |array: &Part| {
            let known = self.arrays.iter().find(|known| known.name == array.name);
            known.map(|known| known.slot.as_str()).filter(|pool| !pool.is_empty())
        };
        for group in groups.iter_mut().filter(|group| group.part.kind == "array") {
            let by = lost.get(group.part.name.as_str()).or_else(|| lost.get(pool_of(&group.part)?));
            group.cause = by.map(|(_, part)| part.clone());
        }
    }
}

/// On the way to a drive that counts no damage of its own, what went wrong is the way's fault.
fn blame_links(signs: &mut [Sign]) {
    let of = |signs: &[Sign], blames: fn(&Sign) -> bool| -> BTreeSet<String> {
        signs.iter().filter(|sign| blames(sign)).filter_map(|sign| sign.drive.clone()).collect()
    };
    let (links, going) = (of(signs, Sign::blames_link), of(signs, Sign::blames_drive));
    for sign in signs.iter_mut().filter(|sign| sign.is_undecided()) {
        if sign.drive.as_ref().is_some_and(|drive| links.contains(drive) && !going.contains(drive)) {
            sign.finding.part.kind = "link";
        }
    }
}

/// Made of drives.
fn is_made(name: &str) -> bool {
    name.starts_with("md") || name.starts_with("dm-")
}

fn array_words(array: &Piece) -> String {
    let left = match array.spare_members {
        Some(0) => "no other member may fail".to_owned(),
        Some(1) => "1 more member may fail".to_owned(),
        Some(left) => format!("{left} more members may fail"),
        None => return array.name.clone(),
    };
    let level = if array.model.is_empty() { String::new() } else { format!("{}, ", array.model) };
    format!("{} ({level}{left})", array.name)
}
