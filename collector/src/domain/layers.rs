//! What each source says of a host's labels, kept side by side: the last source that speaks of a label wins, and where
//! it falls silent the one before it is heard again.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{
    label_rule::{self, HostRule, Subject},
    labels::{Class, MOST_LABELS, Profile, guessed_class, label_trouble},
    watch::Watch,
};

/// Who says something of a host, later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layer {
    /// Measured: what its chassis suggests.
    Guess,
    /// The host itself: `[labels]` of its agent.toml.
    Agent,
    /// The token that it enrolled with.
    Token,
    /// `[[host_rule]]` of the configuration.
    Rule,
    /// The imported list of assets.
    Asset,
    /// A person.
    Person,
}

impl Layer {
    /// All of them, later wins.
    pub const ALL: [Self; 6] = [Self::Guess, Self::Agent, Self::Token, Self::Rule, Self::Asset, Self::Person];

    /// The layer's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Guess => "guess",
            Self::Agent => "agent",
            Self::Token => "token",
            Self::Rule => "rule",
            Self::Asset => "asset",
            Self::Person => "person",
        }
    }

    /// The layer named by `word`, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.word() == word)
    }

    /// Whether a later source than the host itself stands behind it.
    #[must_use]
    pub fn is_confirmed(self) -> bool {
        self > Self::Agent
    }
}

/// What one source says: `class`, `site`, `watch` and free labels by name. No value is empty.
pub type Says = BTreeMap<String, String>;

/// Everything that is said of one host. Cloning is cheap: what is said is shared.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "BTreeMap<Layer, Says>", into = "BTreeMap<Layer, Says>")]
pub struct Layers(Arc<[Said]>);

/// One value of one source; sorted by name, then by layer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Said {
    name: Box<str>,
    layer: Layer,
    value: Box<str>,
}

/// What follows from all layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// Class; a server where nobody says.
    pub class: Class,
    /// Site, if somebody says.
    pub site: Option<String>,
    /// Watch level; the class's where nobody says.
    pub watch: Watch,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
}

impl From<BTreeMap<Layer, Says>> for Layers {
    fn from(nested: BTreeMap<Layer, Says>) -> Self {
        let said = nested.into_iter().flat_map(|(layer, says)| {
            says.into_iter().map(move |(name, value)| Said { name: name.into(), layer, value: value.into() })
        });
        Self::sorted(said)
    }
}

impl From<Layers> for BTreeMap<Layer, Says> {
    fn from(layers: Layers) -> Self {
        let mut nested = Self::new();
        for said in layers.0.iter() {
            nested.entry(said.layer).or_default().insert(said.name.to_string(), said.value.to_string());
        }
        nested
    }
}

impl Layers {
    fn sorted(said: impl Iterator<Item = Said>) -> Self {
        let mut said: Vec<Said> = said.filter(|said| !said.value.is_empty()).collect();
        said.sort_unstable();
        Self(said.into())
    }

    /// With this layer saying exactly this, whatever it said before.
    #[must_use]
    pub fn with(&self, layer: Layer, says: &Says) -> Self {
        let others = self.0.iter().filter(|said| said.layer != layer).cloned();
        let new =
            says.iter().map(|(name, value)| Said { name: name.as_str().into(), layer, value: value.as_str().into() });
        Self::sorted(others.chain(new))
    }

    /// With these values of a layer changed; an empty one is withdrawn.
    #[must_use]
    pub fn changed(&self, layer: Layer, changes: &Says) -> Self {
        let mut says = self.of(layer);
        says.extend(changes.clone());
        self.with(layer, &says)
    }

    /// What one layer says.
    #[must_use]
    pub fn of(&self, layer: Layer) -> Says {
        let own = self.0.iter().filter(|said| said.layer == layer);
        own.map(|said| (said.name.to_string(), said.value.to_string())).collect()
    }

    /// Who says what of `name`, the winner last.
    pub fn about<'a>(&'a self, name: &'a str) -> impl DoubleEndedIterator<Item = (Layer, &'a str)> {
        let from = self.0.partition_point(|said| &*said.name < name);
        let until = self.0.partition_point(|said| &*said.name <= name);
        self.0[from..until].iter().filter(|said| is_meant(said)).map(|said| (said.layer, &*said.value))
    }

    /// Where the value of `name` comes from; `None`: nobody says, it has its default.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<Layer> {
        self.about(name).next_back().map(|(layer, _)| layer)
    }

    /// The value of `name`, if somebody else than the host itself stands behind it. A host's own word is shown, but
    /// nobody is told elsewhere because of it.
    #[must_use]
    pub fn confirmed(&self, name: &str) -> Option<&str> {
        let from = self.0.partition_point(|said| &*said.name < name);
        let until = self.0.partition_point(|said| &*said.name <= name);
        let last = self.0[from..until].iter().rfind(|said| is_meant(said))?;
        last.layer.is_confirmed().then_some(&*last.value)
    }

    /// Which source the value of each name comes from.
    #[must_use]
    pub fn sources(&self) -> BTreeMap<String, Layer> {
        // Sorted by name, then layer: the last of a name stays.
        self.0.iter().filter(|said| is_meant(said)).map(|said| (said.name.to_string(), said.layer)).collect()
    }

    /// What follows from all of them. Of more free labels than a host may have, those of later sources stay.
    #[must_use]
    pub fn effective(&self) -> Effective {
        let last = |name: &'static str| self.about(name).next_back().map(|(_, value)| value);
        let class = last("class").and_then(Class::from_word).unwrap_or(Class::Server);
        let mut free: BTreeMap<&str, &Said> = BTreeMap::new();
        free.extend(self.0.iter().filter(|said| !is_fixed(&said.name)).map(|said| (&*said.name, said)));
        let mut free: Vec<&Said> = free.into_values().collect();
        free.sort_by_key(|said| std::cmp::Reverse(said.layer));
        free.truncate(MOST_LABELS);
        Effective {
            class,
            site: last("site").map(str::to_owned),
            watch: last("watch").and_then(Watch::from_word).unwrap_or_else(|| class.default_watch()),
            labels: free.into_iter().map(|said| (said.name.to_string(), said.value.to_string())).collect(),
        }
    }

    /// Free labels, all sources together.
    #[must_use]
    pub fn free_labels(&self) -> usize {
        self.sources().keys().filter(|name| !is_fixed(name)).count()
    }

    /// What a store of a time before layers knew: one source for each value. Values without one are the token's.
    #[must_use]
    pub fn of_single_sources(values: &Effective, sources: &BTreeMap<String, String>) -> Self {
        let layer = |name: &str| sources.get(name).and_then(|word| Layer::from_word(word));
        let mut nested: BTreeMap<Layer, Says> = BTreeMap::new();
        let mut say = |layer: Layer, name: &str, value: &str| {
            nested.entry(layer).or_default().insert(name.to_owned(), value.to_owned());
        };
        say(layer("class").unwrap_or(Layer::Guess), "class", values.class.word());
        if let Some(site) = &values.site {
            say(layer("site").unwrap_or(Layer::Token), "site", site);
        }
        // A guessed level is that of the class.
        if let Some(layer) = layer("watch").filter(|layer| *layer != Layer::Guess) {
            say(layer, "watch", values.watch.word());
        }
        for (name, value) in &values.labels {
            say(layer(name).unwrap_or(Layer::Token), name, value);
        }
        nested.into()
    }

    /// How it differs from `before`, in words: `person: site=berlin; asset: owner=`; empty where it does not.
    #[must_use]
    pub fn difference(&self, before: &Self) -> String {
        let mut layers = Vec::new();
        for layer in Layer::ALL {
            let (old, new) = (before.of(layer), self.of(layer));
            let gone = old.keys().filter(|name| !new.contains_key(*name)).map(|name| format!("{name}="));
            let set = new.iter().filter(|(name, value)| old.get(*name) != Some(value));
            let words: Vec<String> = gone.chain(set.map(|(name, value)| format!("{name}={value}"))).collect();
            if !words.is_empty() {
                layers.push(format!("{}: {}", layer.word(), words.join(" ")));
            }
        }
        layers.join("; ")
    }
}

/// A host's layers with those that follow from what it is now: the guess, its own word, and the rules that fit it.
#[must_use]
pub fn measured(profile: &Profile, own: &[(String, String)], rules: &[HostRule], address: Option<IpAddr>) -> Layers {
    let guess = [("class".to_owned(), guessed_class(&profile.facts.chassis).word().to_owned())].into();
    let acceptable = own.iter().filter(|(name, value)| label_trouble(name, value).is_none());
    let own: Says = acceptable.take(MOST_LABELS).cloned().collect();
    profile
        .layers
        .with(Layer::Guess, &guess)
        .with(Layer::Agent, &own)
        .with(Layer::Rule, &ruled(profile, rules, address))
}

/// What the rules say of a host.
#[must_use]
pub fn ruled(profile: &Profile, rules: &[HostRule], address: Option<IpAddr>) -> Says {
    let (os, os_release) = (&profile.facts.os, &profile.facts.os_release);
    label_rule::says(rules, &Subject { name: &profile.name, address, os, os_release })
}

fn is_fixed(name: &str) -> bool {
    matches!(name, "class" | "site" | "watch")
}

/// A class or level of a newer or older collector that there is not here says nothing.
fn is_meant(said: &Said) -> bool {
    match &*said.name {
        "class" => Class::from_word(&said.value).is_some(),
        "watch" => Watch::from_word(&said.value).is_some(),
        _ => true,
    }
}

#[cfg(test)]
mod tests;
