//! The list of assets that somebody keeps in a spreadsheet: which host stands where and whose it is. A row of a host that
//! is not known yet waits for its enrolment.

pub mod sheet;

use std::collections::BTreeMap;

use super::{labels::Profile, layers::Says};

/// What the list says of each host, by its name or id in small letters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Assets(BTreeMap<String, Says>);

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asset {
    /// A host's name or id, in small letters.
    pub host: String,
    /// What it says.
    pub says: Says,
}

impl Assets {
    /// A list of these rows.
    #[must_use]
    pub fn new(rows: Vec<Asset>) -> Self {
        Self(rows.into_iter().map(|row| (row.host, row.says)).collect())
    }

    /// What it says of a host; its id counts before its name.
    #[must_use]
    pub fn of(&self, profile: &Profile) -> Says {
        let found = keys(profile).into_iter().find_map(|key| self.0.get(&key));
        found.cloned().unwrap_or_default()
    }

    /// Its rows, each with the hosts that it is about; none where it waits.
    #[must_use]
    pub fn matched<'a>(
        &'a self,
        hosts: impl Iterator<Item = &'a Profile>,
    ) -> Vec<(&'a str, &'a Says, Vec<&'a Profile>)> {
        let mut about: BTreeMap<&str, Vec<&Profile>> = BTreeMap::new();
        for host in hosts {
            let row = keys(host).iter().find_map(|key| self.0.get_key_value(key.as_str()));
            row.into_iter().for_each(|(row, _)| about.entry(row.as_str()).or_default().push(host));
        }
        self.rows().map(|(row, says)| (row, says, about.remove(row).unwrap_or_default())).collect()
    }

    /// Its rows.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &Says)> {
        self.0.iter().map(|(host, says)| (host.as_str(), says))
    }
}

/// How a row may name a host.
#[must_use]
pub fn keys(profile: &Profile) -> [String; 2] {
    [profile.id.to_string(), profile.name.to_lowercase()]
}
