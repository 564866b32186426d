//! PURE: what whoever runs this machine wants nobody else to know of it, family by family: which sections and fields that are, and
//! what files and tools say without it. [`crate::inventory`] takes it out of its sections.

use std::fmt;

use serde_json::Value;

/// A family of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Serial numbers, world-wide names, UUIDs and asset tags of system, boards, memory, disks, batteries, monitors, USB devices.
    Serials,
    /// Who has accounts here and who runs what.
    UserNames,
    /// Addresses of its interfaces, those on which it listens, and those nearby.
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
            Self::Addresses => &[("interfaces", &["mac", "permanent_mac"]), ("listening_ports", &["address"])],
        }
    }

    /// Its fields in a section.
    #[must_use]
    pub fn fields_of(self, section: &str) -> &'static [&'static str] {
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

    /// The families that are.
    pub fn families(self) -> impl Iterator<Item = Family> {
        Family::ALL.into_iter().map(|(_, family)| family).filter(move |family| self.holds(*family))
    }

    /// The family because of which a section is not looked at.
    #[must_use]
    pub fn section(self, name: &str) -> Option<&'static str> {
        let known =
            Family::ALL.into_iter().find(|(_, family)| self.holds(*family) && family.sections().contains(&name));
        known.map(|(name, _)| name)
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
