//! What a host is called and how it is classed.

pub mod remote_checks;

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

use self::remote_checks::RemoteChecks;
use super::{
    ids::{HostId, HostNo},
    layers::{Effective, Layers},
    watch::Watch,
};

/// Free labels of one host.
pub const MOST_LABELS: usize = 30;
/// Longest label name in characters.
const LONGEST_LABEL_NAME: usize = 128;
/// Longest label value in bytes.
pub const LONGEST_LABEL_VALUE: usize = 256;

/// What kind of machine it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Serves others; watched at the normal level by default.
    Server,
    /// Somebody's machine; watched at the relaxed level by default.
    Workstation,
    /// Something without an agent.
    Device,
}

impl Class {
    /// The class's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Workstation => "workstation",
            Self::Device => "device",
        }
    }

    /// The class named by `word`, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Server, Self::Workstation, Self::Device].into_iter().find(|class| class.word() == word)
    }

    /// The watch level of hosts of this class that name none.
    #[must_use]
    pub const fn default_watch(self) -> Watch {
        match self {
            Self::Server | Self::Device => Watch::Normal,
            Self::Workstation => Watch::Relaxed,
        }
    }
}

/// Whether the host may speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Heard and judged.
    Active,
    /// Enrolled from an image, and not heard until a person lets it in.
    Waiting,
    /// Not heard for now; its history stays.
    Suspended,
    /// Its certificates are void; it may not enrol again with a batch token.
    Revoked,
    /// Gone for good; kept for the records.
    Retired,
}

impl Admission {
    /// In a sentence: `host web-1 is ...`, with what to do where somebody has to.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Active => "let in",
            Self::Waiting => "waiting for a person to let it in: muster-collector host activate NAME",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Retired => "retired",
        }
    }
}

/// A host's identity and labels, as stored and as edges see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Inside number.
    pub no: HostNo,
    /// Outside id.
    pub id: HostId,
    /// Unique display name; `host` and Prometheus' `instance`.
    pub name: String,
    /// Server, workstation or device.
    pub class: Class,
    /// Where it stands; `unsorted` views list those without.
    pub site: Option<String>,
    /// How closely it is watched.
    pub watch: Watch,
    /// Free labels, `department`, `owner`, `environment` among them.
    pub labels: BTreeMap<String, String>,
    /// What each source says of these; class, site, watch and labels follow from them ([`Profile::relabel`]).
    #[serde(default)]
    pub layers: Layers,
    /// Whether it may speak.
    pub admission: Admission,
    /// What it last said of itself.
    pub facts: Facts,
}

impl Profile {
    /// Takes over what is said of it now.
    pub fn relabel(&mut self, layers: Layers) {
        let Effective { class, site, watch, labels } = layers.effective();
        self.layers = layers;
        (self.class, self.site, self.watch, self.labels) = (class, site, watch, labels);
    }

    /// Its site, if somebody else than the host itself says so: who is told of it, and what it counts for, depends on it.
    #[must_use]
    pub fn confirmed_site(&self) -> Option<&str> {
        let is_own = self.layers.source("site").is_some_and(|layer| !layer.is_confirmed());
        self.site.as_deref().filter(|_| !is_own)
    }
}

/// What a host says of itself; shown, never trusted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Facts {
    /// Its own host name.
    pub name: String,
    /// `linux`, `windows`, `macos`.
    pub os: String,
    /// The release's pretty name.
    pub os_release: String,
    /// Kernel release.
    pub kernel: String,
    /// Machine architecture.
    pub architecture: String,
    /// `server`, `desktop`, `laptop`, `vm`, `container`, `unknown`.
    pub chassis: String,
    /// The agent's version.
    pub agent_version: String,
    /// What its end of its connection is called there, where it says so. Another one than it is heard from is somebody's between.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_address: Option<IpAddr>,
    /// What its answers say of checks from here.
    #[serde(default, skip_serializing_if = "RemoteChecks::is_unsaid")]
    pub remote_checks: RemoteChecks,
}

/// The class that a chassis suggests.
#[must_use]
pub fn guessed_class(chassis: &str) -> Class {
    match chassis {
        "desktop" | "laptop" => Class::Workstation,
        _ => Class::Server,
    }
}

/// Why a label is not taken, if so: its name is no Prometheus label name or is reserved, it is too long, it has control
/// characters, or it names a class or level that there is not.
#[must_use]
pub fn label_trouble(name: &str, value: &str) -> Option<String> {
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_');
    if !begins || !characters.all(|other| other.is_ascii_alphanumeric() || other == '_') {
        return Some(format!("label {name:?} is not a name: letters, digits and _, not beginning with a digit"));
    }
    if name.len() > LONGEST_LABEL_NAME || value.len() > LONGEST_LABEL_VALUE {
        return Some(format!(
            "label {name} is too long: at most {LONGEST_LABEL_NAME} characters, its value {LONGEST_LABEL_VALUE} bytes"
        ));
    }
    if matches!(name, "host" | "host_id" | "instance" | "job") || name.starts_with("__") {
        return Some(format!("label {name} is reserved: choose another name"));
    }
    if value.chars().any(char::is_control) {
        return Some(format!("the value of label {name} has control characters"));
    }
    match name {
        "class" if Class::from_word(value).is_none() => {
            Some(format!("there is no class {value:?}: server, workstation or device"))
        }
        "watch" if Watch::from_word(value).is_none() => {
            Some(format!("there is no watch level {value:?}: fast, normal, relaxed or none"))
        }
        _ => None,
    }
}

/// Whether `name` matches `pattern`, where `*` is any text and `?` any one character, in letters of either case.
#[must_use]
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.to_lowercase().chars().collect();
    let name: Vec<char> = name.to_lowercase().chars().collect();
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < name.len() {
        match pattern.get(at) {
            Some('*') => {
                star = Some((at, read));
                at += 1;
            }
            Some(&expected) if expected == '?' || expected == name[read] => {
                at += 1;
                read += 1;
            }
            _ => match star {
                // The star takes one character more.
                Some((place, taken)) => {
                    star = Some((place, taken + 1));
                    at = place + 1;
                    read = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|&left| left == '*')
}
