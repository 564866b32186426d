//! PURE: what whoever runs this machine wants nobody else to know of it, family by family, taken out of all that is said.
//!
//! A section of the inventory that lacks such fields says which, and that they are switched off, so that nobody takes them for
//! absent. Where what is withheld is a row's key, a stand-in tells the rows apart: it is the same as long as the machine is, and
//! nobody learns from it what it stands for.

use std::fmt;

use ring::hmac;
use serde_json::Value;

use crate::inventory::{Section, Status};

/// A family of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Serial numbers, world-wide names, UUIDs and asset tags of system, boards, memory, disks, batteries, monitors, USB devices.
    Serials,
    /// Who has accounts here and who runs what.
    UserNames,
    /// Addresses of its interfaces and of those nearby.
    Addresses,
}

impl Family {
    /// All of them, by the name that agent.toml calls them.
    pub const ALL: [(&'static str, Self); 3] =
        [("serials", Self::Serials), ("user_names", Self::UserNames), ("addresses", Self::Addresses)];

    /// Sections that are nothing but this.
    #[must_use]
    pub const fn sections(self) -> &'static [&'static str] {
        match self {
            Self::Serials => &[],
            Self::UserNames => &["users", "groups", "ssh_keys"],
            Self::Addresses => &["addresses", "neighbours"],
        }
    }

    /// Fields of other sections: the section, and their names.
    const fn fields(self) -> &'static [(&'static str, &'static [&'static str])] {
        match self {
            Self::Serials => &[
                ("system", &["serial", "uuid", "asset_tag"]),
                ("boards", &["serial", "asset_tag"]),
                ("memory_modules", &["serial", "asset_tag"]),
                ("power_supplies", &["serial", "asset_tag"]),
                ("batteries", &["serial"]),
                ("disks", &["serial", "wwn"]),
                ("usb", &["serial"]),
                ("monitors", &["serial"]),
                ("volumes", &["uuid"]),
                ("containers", &["uuid"]),
            ],
            Self::UserNames => &[("listening_ports", &["user"]), ("scheduled_jobs", &["user"])],
            Self::Addresses => &[("interfaces", &["mac", "permanent_mac"])],
        }
    }

    /// Its fields in a section.
    fn fields_of(self, section: &str) -> &'static [&'static str] {
        self.fields().iter().find(|(name, _)| *name == section).map_or(&[], |(_, names)| names)
    }
}

/// What is withheld; nothing by default.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Withheld([bool; Family::ALL.len()]);

impl Withheld {
    /// The same, and this family.
    #[must_use]
    pub fn and(mut self, family: Family) -> Self {
        self.0[family as usize] = true;
        self
    }

    /// Whether a family is.
    #[must_use]
    pub fn holds(self, family: Family) -> bool {
        self.0[family as usize]
    }

    /// The text, or nothing where its family is withheld.
    #[must_use]
    pub fn shown(self, family: Family, text: &str) -> &str {
        if self.holds(family) { "" } else { text }
    }

    fn families(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().map(|(_, family)| family).filter(move |family| self.holds(*family))
    }

    /// The family because of which a section is not looked at.
    #[must_use]
    pub fn section(self, name: &str) -> Option<&'static str> {
        let known =
            Family::ALL.into_iter().find(|(_, family)| self.holds(*family) && family.sections().contains(&name));
        known.map(|(name, _)| name)
    }

    /// Takes out of a section what is withheld. `secret` is what this machine alone knows.
    pub fn clean(self, section: &mut Section, secret: &[u8]) {
        let names: Vec<&str> = self.families().flat_map(|family| family.fields_of(&section.name)).copied().collect();
        if names.is_empty() || section.rows.is_empty() {
            return;
        }
        for row in &mut section.rows {
            for fields in [&mut row.durable, &mut row.latest] {
                for (_, value) in fields.iter().filter(|(name, _)| names.contains(&name.as_ref())) {
                    if row.key.contains(value.as_str()) {
                        row.key = row.key.replace(value.as_str(), &stand_in(value, secret));
                    }
                }
                fields.retain(|(name, _)| !names.contains(&name.as_ref()));
            }
        }
        section.rows.sort_by(|one, other| one.key.cmp(&other.key));
        let told = format!("switched off by [collect] off in agent.toml: {}", names.join(", "));
        section.reason = if section.reason.is_empty() { told } else { format!("{told}; {}", section.reason) };
        if section.status == Status::Complete {
            section.status = Status::Partial;
        }
    }

    /// Takes serial numbers out of what a file or a tool said, JSON or lines of text; `None` where nothing is withheld or there
    /// is none.
    #[must_use]
    pub fn cleaned(self, payload: &[u8]) -> Option<Vec<u8>> {
        if !self.holds(Family::Serials) {
            return None;
        }
        if let Ok(mut json) = serde_json::from_slice::<Value>(payload) {
            return without_serials(&mut json).then(|| json.to_string().into_bytes());
        }
        let text = String::from_utf8_lossy(payload);
        let lines: Vec<String> = text.split('\n').map(line_without_serial).collect();
        let cleaned = lines.join("\n");
        (cleaned != text).then(|| cleaned.into_bytes())
    }
}

impl fmt::Debug for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.families()).finish()
    }
}

/// Bytes of a stand-in's number: one of 2^32 for the few parts of a machine.
const STAND_IN_BYTES: usize = 4;

fn stand_in(value: &str, secret: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let tag = hmac::sign(&key, value.as_bytes());
    let digits: String = tag.as_ref()[..STAND_IN_BYTES].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("off-{digits}")
}

/// Removes members that are serial numbers; whether there was one.
fn without_serials(json: &mut Value) -> bool {
    match json {
        Value::Object(members) => {
            let before = members.len();
            members.retain(|name, _| !names_a_serial(name));
            let mut changed = members.len() < before;
            for member in members.values_mut() {
                changed |= without_serials(member);
            }
            changed
        }
        Value::Array(values) => values.iter_mut().fold(false, |changed, value| without_serials(value) | changed),
        _ => false,
    }
}

/// What tools call a serial number, a world-wide name or a UUID, whatever blanks, dashes and capitals are in it.
fn names_a_serial(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    let is_one = ["sn", "wwn", "eui64", "ieeeeui64", "nguid", "logicalunitid", "assettag", "guid", "uuid"];
    is_one.contains(&plain.as_str())
        || ["serial", "serialno", "serialnum", "uuid", "guid"].iter().any(|end| plain.ends_with(end))
        || ["serialnumber", "wwn"].iter().any(|part| plain.contains(part))
}

/// `Serial Number: X`, `usb 1-1: SerialNumber: X`, `SN = X` without what stands behind. What is no such line stays.
fn line_without_serial(line: &str) -> String {
    let mut from = 0;
    for (at, _) in line.match_indices([':', '=']) {
        if names_a_serial(&line[from..at]) && !line[at + 1..].trim().is_empty() {
            return format!("{} (switched off)", &line[..=at]);
        }
        from = at + 1;
    }
    line.to_owned()
}

#[cfg(test)]
mod tests;
