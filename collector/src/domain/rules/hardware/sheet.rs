//! All that is known of one part of a machine on one sheet: who it is, where it sits, what lies on it, what redundancy is
//! left there, what is found and how its counters went. Whoever has to order and swap it needs nothing else.

use std::collections::BTreeSet;

use super::{
    Finding, Part, Verdict, Weight, assembly, counts, drive, judge,
    standing::{Seen, WEAR, component, findings, foretold, history, understood, used_percent},
    sum,
    together::Group,
    wear::Worn,
};
use crate::domain::{
    hardware::{
        Facts,
        assembly::{Assembly, Piece, Role, State},
        description::{self, Described},
        drive::Drive,
        topology::{Ports, Topology, Way},
    },
    time::Timestamp,
};

/// Why the health of something in an array is not known.
const NO_STATE: &str = "its tool does not say how it is";
/// Why the health of something is not known of which only old entries of a log tell.
const HISTORY: &str = "an old entry of a log says nothing of how it is now";
/// What the kernel said this long ago or longer stands for nothing any more, in milliseconds.
pub const LOG_MS: i64 = 24 * 3_600_000;
/// Parts of one machine: some hundred drives with their arrays.
const PARTS: usize = 1_024;
/// A serial number that is shorter may end another name by chance.
const SERIAL_CHARS: usize = 6;

/// What one source said of one part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What said it, such as `smartctl-json`.
    pub source: String,
    /// Of which device; empty: of the machine.
    pub device: String,
    /// What became of asking last: `read`, `asleep`, ...
    pub outcome: String,
    /// When it said what follows.
    pub at: Timestamp,
    /// What it said last.
    pub payload: Vec<u8>,
    /// What it had said a week before, or the first that is known since; of a log what it had said first.
    pub before: Option<Vec<u8>>,
}

/// One part.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet {
    /// What it is called in findings: `drive Z1Z0ABCD`.
    pub component: String,
    /// What else it is called there: by its device node, by its partitions.
    pub aliases: BTreeSet<String>,
    /// What would be replaced.
    pub part: Part,
    /// The evidence that describes it: source and device.
    pub evidence: (String, String),
    /// When that was said.
    pub at: Timestamp,
    /// What became of asking last.
    pub outcome: String,
    /// What is needed to order its like.
    pub description: Described,
    /// Where it sits.
    pub place: Ports,
    /// What lies on it.
    pub ways: Vec<Way>,
    /// The arrays and pools that it is in.
    pub arrays: Vec<InArray>,
    /// What is found of it now, what names the culprit first; then what is only told.
    pub findings: Vec<Finding>,
    /// Why nothing can be said of its health, if so.
    pub silence: Option<String>,
}

/// An array or a pool that a part is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InArray {
    /// `md0`, `tank`.
    pub name: String,
    /// `raid1`, ...; empty where it is not said.
    pub level: String,
    /// How it is, in the tool's words.
    pub words: String,
    /// How it is.
    pub state: State,
    /// How the part is in it, in the tool's words.
    pub member: String,
    /// What more members it could lose without losing data.
    pub spare_members: Option<u64>,
}

/// How one of a part's counters went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Course {
    /// What is counted.
    pub name: String,
    /// `°C`, `%`; empty for a count.
    pub unit: &'static str,
    /// The earliest first.
    pub points: Vec<(Timestamp, u64)>,
}

impl Sheet {
    /// Its findings of wear with when its rated life will be used up.
    pub fn foretell(&mut self, worn: &Worn) {
        for finding in self.findings.iter_mut().filter(|finding| WEAR.contains(&finding.rule)) {
            *finding = foretold(finding.clone(), worn);
        }
    }

    /// What became of the part, and why that is not known where it is not.
    #[must_use]
    pub fn verdict(&self) -> (Verdict, Option<String>) {
        sum(&self.findings, || self.silence.clone())
    }
}

/// Where what was seen of a part comes from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Origin {
    /// What said it, such as `smartctl-json`.
    pub source: String,
    /// What became of asking last.
    pub outcome: String,
    /// When it said what was seen.
    pub at: Timestamp,
    /// What of it is needed to order its like; whoever only counts parts leaves that out.
    pub description: Described,
}

/// All parts of a machine that its evidence names.
#[must_use]
pub fn sheets(told: &[Told]) -> Vec<Sheet> {
    let read = |told: &Told| {
        let facts = understood(&told.source, &told.payload)?;
        let before = told.before.as_deref().and_then(|before| understood(&told.source, before));
        let (source, outcome, at) = (told.source.clone(), told.outcome.clone(), told.at);
        let is_drive = matches!(facts, Facts::Drive(_));
        let description = if is_drive { description::of(&told.payload) } else { Described::default() };
        let seen = Seen { device: told.device.clone(), facts, before, used: Vec::new() };
        Some((Origin { source, outcome, at, description }, seen))
    };
    let (origins, seen): (Vec<Origin>, Vec<Seen>) = told.iter().filter_map(read).unzip();
    of_parts(&origins, &seen, findings(&seen))
}

/// The same of what was seen, each from its origin, and what is found in all of it.
#[must_use]
pub fn of_parts(origins: &[Origin], seen: &[Seen], groups: Vec<Group>) -> Vec<Sheet> {
    let topology = seen.iter().find_map(|seen| match &seen.facts {
        Facts::Topology(topology) => Some(&**topology),
        _ => None,
    });
    let known = || origins.iter().zip(seen);
    let mut sheets: Vec<Sheet> = Vec::new();
    for (origin, seen) in known() {
        if let Facts::Drive(found) = &seen.facts
            && !found.is_virtual
        {
            sheets.push(of_drive((origin, seen), found, topology));
        }
    }
    for (origin, seen) in known() {
        if let Facts::Assembly(found) = &seen.facts {
            members((origin, seen), found, &mut sheets);
        }
    }
    for group in groups {
        let place = place_or_new(&mut sheets, &group.part, None);
        if let Some(sheet) = sheets.get_mut(place) {
            sheet.findings.splice(0..0, group.signs);
        }
    }
    for event in history(seen) {
        let place = place_or_new(&mut sheets, &event.part, Some(HISTORY));
        if let Some(sheet) = sheets.get_mut(place) {
            sheet.findings.push(event);
        }
    }
    for sheet in sheets.iter_mut().filter(|sheet| sheet.evidence.0.is_empty()) {
        let counts = |(_, seen): &(&Origin, &Seen)| !counts::of(&seen.facts, &seen.device, &sheet.part).is_empty();
        if let Some((origin, seen)) = known().find(counts) {
            sheet.evidence = (origin.source.clone(), seen.device.clone());
            (sheet.at, sheet.outcome) = (origin.at, origin.outcome.clone());
        }
    }
    sheets.truncate(PARTS);
    sheets
}

/// The part that is called so: in findings, or as a device node.
#[must_use]
pub fn named(sheets: Vec<Sheet>, name: &str) -> Option<Sheet> {
    let place = sheets.iter().position(|sheet| sheet.component == name);
    let place = place.or_else(|| {
        let device = format!("drive {name}");
        sheets.iter().position(|sheet| {
            let is_asked_so = !name.is_empty() && sheet.evidence.1 == name;
            sheet.aliases.contains(name) || sheet.aliases.contains(&device) || is_asked_so
        })
    });
    sheets.into_iter().nth(place?)
}

/// How a part came to what it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Past {
    /// How its counters went; what moved comes first.
    pub courses: Vec<Course>,
    /// How much of its rated life is used, and until when all of it will be; where it tells so.
    pub worn: Option<Worn>,
}

/// The past of a part, from what its evidence said at these times, the latest last: of what was in its place before it nothing
/// is told.
#[must_use]
pub fn past(part: &Part, (source, device): (&str, &str), said: &[(Timestamp, Vec<u8>)]) -> Past {
    let (mut courses, mut used): (Vec<Course>, _) = (Vec::new(), Vec::new());
    for (at, payload) in said {
        let Some(facts) = understood(source, payload) else { continue };
        let counted = counts::of(&facts, device, part);
        if !counted.is_empty() {
            used.extend(used_percent(&facts).map(|used| (*at, used)));
        }
        for (name, unit, value) in counted {
            match courses.iter_mut().find(|course| course.name == name) {
                Some(course) => course.points.push((*at, value)),
                None => courses.push(Course { name, unit, points: vec![(*at, value)] }),
            }
        }
    }
    let is_still = |course: &Course| course.points.iter().all(|(_, value)| *value == course.points[0].1);
    courses.sort_by_key(is_still);
    Past { courses, worn: Worn::of(&used) }
}

fn of_drive((origin, seen): (&Origin, &Seen), found: &Drive, topology: Option<&Topology>) -> Sheet {
    let mut part = drive::part(found);
    if part.name.is_empty() {
        part.name.clone_from(&seen.device);
    }
    // Behind a controller the node is the controller's.
    let is_hidden = seen.device.contains(' ');
    let called = part.name.trim_start_matches("/dev/").to_owned();
    let node = topology.filter(|_| !is_hidden).and_then(|topology| topology.drive(&called));
    let device = topology.zip(node).and_then(|(topology, node)| topology.devices.get(node));
    let mut aliases: BTreeSet<String> = BTreeSet::new();
    if !is_hidden {
        aliases.extend([called.as_str(), node.unwrap_or(&called)].map(|name| format!("drive {name}")));
    }
    let ways = topology.zip(node).map(|(topology, node)| topology.ways(node)).unwrap_or_default();
    aliases.extend(ways.iter().filter_map(|way| Some(format!("drive {}", way.devices.first()?))));
    let mut place: Ports = Vec::new();
    if let Some(device) = device {
        place.extend((!device.bay.is_empty()).then(|| ("Bay", device.bay.clone())));
        part.slot.clone_from(&device.bay);
    }
    let shown = if is_hidden { seen.device.clone() } else { format!("/dev/{}", node.unwrap_or(&called)) };
    place.push(("Device", shown));
    place.extend(device.map(|device| device.ports()).unwrap_or_default());
    // What is wrong comes with all that others say of it.
    let only_told = judge(&seen.facts).into_iter().filter(|finding| finding.weight == Weight::Told);
    Sheet {
        component: component(&part),
        aliases,
        evidence: (origin.source.clone(), seen.device.clone()),
        at: origin.at,
        outcome: origin.outcome.clone(),
        description: origin.description.clone(),
        place,
        ways,
        arrays: Vec::new(),
        findings: only_told.collect(),
        silence: seen.facts.silence(),
        part,
    }
}

/// Takes what an array, a pool or a controller says of what is in it.
fn members(by: (&Origin, &Seen), found: &Assembly, sheets: &mut Vec<Sheet>) {
    for (number, piece) in found.pieces.iter().enumerate() {
        let part = assembly::part(piece);
        let place = place_of(sheets, &part).unwrap_or_else(|| {
            let silence = matches!(piece.state, State::Unsaid | State::NotPresent).then(|| NO_STATE.to_owned());
            sheets.push(Sheet { silence, ..of_part(Some(by), part.clone()) });
            sheets.len() - 1
        });
        let Some(sheet) = sheets.get_mut(place) else { continue };
        if piece.role == Role::Member {
            let is_array = found.pieces.iter().any(|array| array.name == piece.slot);
            sheet.place.extend((!piece.slot.is_empty() && !is_array).then(|| ("Slot", piece.slot.clone())));
            for array in arrays(found, number, piece) {
                // The same array may be told of by two sources.
                if !sheet.arrays.iter().any(|known| known.name == array.name) {
                    sheet.arrays.push(array);
                }
            }
        }
    }
}

/// The arrays that a member is in: the one that it names, or all that its controller has.
fn arrays(found: &Assembly, number: usize, member: &Piece) -> Vec<InArray> {
    let all = || found.pieces.iter().filter(|piece| piece.role == Role::Array);
    let named: Vec<&Piece> = all().filter(|piece| !member.slot.is_empty() && piece.name == member.slot).collect();
    // `mirror-0` of a pool stands between the pool and its devices.
    let before = found.pieces.iter().take(number).rfind(|piece| piece.role == Role::Array);
    let within = before.filter(|piece| piece.slot == member.slot && !named.is_empty() && piece.name != member.slot);
    let chosen: Vec<&Piece> =
        if named.is_empty() { all().collect() } else { named.into_iter().chain(within).collect() };
    let array = |piece: &Piece| InArray {
        name: piece.name.clone(),
        level: piece.model.clone(),
        words: piece.words.clone(),
        state: piece.state,
        member: member.words.clone(),
        spare_members: piece.spare_members,
    };
    chosen.into_iter().map(array).collect()
}

fn of_part(by: Option<(&Origin, &Seen)>, part: Part) -> Sheet {
    let described = [("Model", &part.model), ("Serial number", &part.serial), ("Firmware", &part.firmware)];
    let described = described.into_iter().filter(|(_, value)| !value.is_empty());
    let place = [("Slot", &part.slot), ("Name", &part.name)].into_iter().filter(|(_, value)| !value.is_empty());
    Sheet {
        component: component(&part),
        evidence: by.map(|(origin, seen)| (origin.source.clone(), seen.device.clone())).unwrap_or_default(),
        at: by.map(|(origin, _)| origin.at).unwrap_or_default(),
        outcome: by.map(|(origin, _)| origin.outcome.clone()).unwrap_or_default(),
        description: described.map(|(name, value)| (name, value.clone())).collect(),
        place: place.map(|(name, value)| (name, value.clone())).collect(),
        part,
        ..Sheet::default()
    }
}

/// The sheet of a part, a new one where there is none, which says why its health is not known if so.
fn place_or_new(sheets: &mut Vec<Sheet>, part: &Part, silence: Option<&str>) -> usize {
    place_of(sheets, part).unwrap_or_else(|| {
        sheets.push(Sheet { silence: silence.map(str::to_owned), ..of_part(None, part.clone()) });
        sheets.len() - 1
    })
}

/// The sheet of a part: by its serial number, by its name, or by a name that ends with its serial number, as those below
/// `/dev/disk/by-id` do.
fn place_of(sheets: &[Sheet], part: &Part) -> Option<usize> {
    let component = component(part);
    let exact = sheets.iter().position(|sheet| sheet.component == component);
    let named = format!("{} {}", part.kind, part.name.trim_start_matches("/dev/"));
    exact.or_else(|| sheets.iter().position(|sheet| sheet.aliases.contains(&named))).or_else(|| {
        let bears = |sheet: &Sheet| {
            let serial = &sheet.part.serial;
            let whole = part.name.split("-part").next().unwrap_or_default();
            sheet.part.kind == part.kind && serial.len() >= SERIAL_CHARS && whole.ends_with(serial.as_str())
        };
        sheets.iter().position(bears)
    })
}
