//! What a new host is called and how it is classed: guess < its own agent.toml < token < rules.

use std::{collections::BTreeMap, net::IpAddr};

use serde::{Deserialize, Serialize};

pub(super) use crate::domain::labels::{MOST_LABELS, label_trouble};
use crate::domain::{
    ids::{HostId, HostNo},
    label_rule::HostRule,
    labels::{Admission, Class, Facts, Profile},
    layers::{Layer, Layers, Says, measured},
    network::Network,
    watch::Watch,
};

/// Longest display name in characters.
pub(super) const LONGEST_NAME: usize = 128;
/// What a token gives to the hosts that enrol with it, and which hosts these may be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gives {
    pub(super) labels: Vec<(String, String)>,
    pub(super) class: Option<Class>,
    pub(super) site: Option<String>,
    pub(super) watch: Option<Watch>,
    /// Ranges that it may be used from; empty: anywhere.
    #[serde(default)]
    pub(super) from: Vec<String>,
}

impl Gives {
    /// In words for lists, such as `class=server site=berlin team=web`.
    pub(super) fn words(&self) -> String {
        let class = self.class.map(|class| format!("class={}", class.word()));
        let site = self.site.as_ref().map(|site| format!("site={site}"));
        let watch = self.watch.map(|watch| format!("watch={}", watch.word()));
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={value}"));
        let from = self.from.iter().map(|range| format!("from={range}"));
        [class, site, watch].into_iter().flatten().chain(labels).chain(from).collect::<Vec<_>>().join(" ")
    }
}

impl Gives {
    /// Whether a machine with this address may use it; a range that cannot be read lets nobody in.
    pub(super) fn is_for(&self, address: IpAddr) -> bool {
        let holds = |range: &String| range.parse().is_ok_and(|range: Network| range.contains(address.to_canonical()));
        self.from.is_empty() || self.from.iter().any(holds)
    }

    /// As a layer of labels; what is not acceptable is left out.
    pub(super) fn says(&self) -> Says {
        let fixed = [
            ("class", self.class.map(|class| class.word().to_owned())),
            ("site", self.site.clone()),
            ("watch", self.watch.map(|watch| watch.word().to_owned())),
        ];
        let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let all = fixed.chain(self.labels.iter().cloned());
        all.filter(|(name, value)| label_trouble(name, value).is_none()).collect()
    }
}

/// Who a new host is, before its labels.
pub(super) struct Newcomer {
    pub(super) no: HostNo,
    pub(super) id: HostId,
    pub(super) name: String,
    pub(super) facts: Facts,
}

/// The profile of a new host; `own` are the labels that it states itself, `address` is where it enrols from.
pub(super) fn profile(
    host: Newcomer,
    own: &[(String, String)],
    gives: &Gives,
    rules: &[HostRule],
    address: IpAddr,
) -> Profile {
    let mut profile = Profile {
        no: host.no,
        id: host.id,
        name: host.name,
        class: Class::Server,
        site: None,
        watch: Class::Server.default_watch(),
        labels: BTreeMap::new(),
        layers: Layers::default().with(Layer::Token, &gives.says()),
        admission: Admission::Active,
        facts: host.facts,
    };
    profile.relabel(measured(&profile, own, rules, Some(address)));
    profile
}

/// A host's own name made safe to show anywhere: printable ASCII without spaces, at most 128 characters, never empty.
pub(super) fn safe_name(name: &str) -> String {
    let safe: String = name
        .chars()
        .take(LONGEST_NAME)
        .map(|character| if character.is_ascii_graphic() { character } else { '-' })
        .collect();
    let trimmed = safe.trim_matches('-');
    if trimmed.is_empty() { "host".to_owned() } else { trimmed.to_owned() }
}

/// The `n`th choice for a name that is taken: `web`, `web-2`, `web-3`.
pub(super) fn numbered(base: &str, n: u64) -> String {
    if n < 2 {
        return base.to_owned();
    }
    let suffix = format!("-{n}");
    let kept: String = base.chars().take(LONGEST_NAME - suffix.len()).collect();
    kept + &suffix
}
