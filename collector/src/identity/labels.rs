//! What a new host is called and how it is classed: guess < its own agent.toml < token < rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    config::HostRule,
    domain::{
        ids::{HostId, HostNo},
        labels::{Admission, Class, Facts, Profile},
        watch::Watch,
    },
};

/// Longest display name in characters.
pub(super) const LONGEST_NAME: usize = 128;
/// Labels of one host.
pub(super) const MOST_LABELS: usize = 30;
/// Longest label name in characters.
const LONGEST_LABEL_NAME: usize = 128;
/// Longest label value in bytes.
const LONGEST_LABEL_VALUE: usize = 256;

/// What a token gives to the hosts that enrol with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gives {
    pub(super) labels: Vec<(String, String)>,
    pub(super) class: Option<Class>,
    pub(super) site: Option<String>,
    pub(super) watch: Option<Watch>,
}

impl Gives {
    /// In words for lists, such as `class=server site=berlin team=web`.
    pub(super) fn words(&self) -> String {
        let class = self.class.map(|class| format!("class={}", class.word()));
        let site = self.site.as_ref().map(|site| format!("site={site}"));
        let watch = self.watch.map(|watch| format!("watch={}", watch.word()));
        let labels = self.labels.iter().map(|(name, value)| format!("{name}={value}"));
        [class, site, watch].into_iter().flatten().chain(labels).collect::<Vec<_>>().join(" ")
    }
}

/// Who a new host is, before its labels.
pub(super) struct Newcomer {
    pub(super) no: HostNo,
    pub(super) id: HostId,
    pub(super) name: String,
    pub(super) facts: Facts,
}

/// The profile of a new host; `own` are the labels that it states itself.
pub(super) fn profile(host: Newcomer, own: &[(String, String)], gives: &Gives, rules: &[HostRule]) -> Profile {
    let guess = match host.facts.chassis.as_str() {
        "desktop" | "laptop" => Class::Workstation,
        _ => Class::Server,
    };
    let mut draft = Draft { class: guess, ..Draft::default() };
    draft.sources.insert("class".into(), "guess".into());
    draft.take("agent", &Gives { labels: own.to_vec(), ..Gives::default() });
    draft.take("token", gives);
    let called = safe_name(&host.facts.name);
    for rule in rules.iter().filter(|rule| crate::domain::labels::matches_pattern(&rule.name, &called)) {
        let gives =
            Gives { labels: rule.labels.clone(), class: rule.class, site: rule.site.clone(), watch: rule.watch };
        draft.take("rule", &gives);
    }
    if draft.watch.is_none() {
        draft.sources.insert("watch".into(), "guess".into());
    }
    Profile {
        no: host.no,
        id: host.id,
        name: host.name,
        class: draft.class,
        site: draft.site,
        watch: draft.watch.unwrap_or_else(|| draft.class.default_watch()),
        labels: draft.labels,
        sources: draft.sources,
        admission: Admission::Active,
        facts: host.facts,
    }
}

struct Draft {
    class: Class,
    site: Option<String>,
    watch: Option<Watch>,
    labels: BTreeMap<String, String>,
    sources: BTreeMap<String, String>,
}

impl Default for Draft {
    fn default() -> Self {
        Self { class: Class::Server, site: None, watch: None, labels: BTreeMap::new(), sources: BTreeMap::new() }
    }
}

impl Draft {
    /// Takes what a source says over what was said before; what is not acceptable is left out.
    fn take(&mut self, source: &str, gives: &Gives) {
        self.set_class(source, gives.class);
        self.set_site(source, gives.site.as_deref());
        self.set_watch(source, gives.watch);
        for (name, value) in gives.labels.iter().filter(|(name, value)| label_trouble(name, value).is_none()) {
            match name.as_str() {
                "class" => self.set_class(source, Class::from_word(value)),
                "site" => self.set_site(source, Some(value)),
                "watch" => self.set_watch(source, Watch::from_word(value)),
                _ if self.labels.len() < MOST_LABELS || self.labels.contains_key(name) => {
                    self.labels.insert(name.clone(), value.clone());
                    self.sources.insert(name.clone(), source.to_owned());
                }
                _ => {}
            }
        }
    }

    fn set_class(&mut self, source: &str, class: Option<Class>) {
        if let Some(class) = class {
            self.class = class;
            self.sources.insert("class".into(), source.to_owned());
        }
    }

    fn set_site(&mut self, source: &str, site: Option<&str>) {
        if let Some(site) = site.filter(|site| !site.is_empty()) {
            self.site = Some(site.to_owned());
            self.sources.insert("site".into(), source.to_owned());
        }
    }

    fn set_watch(&mut self, source: &str, watch: Option<Watch>) {
        if let Some(watch) = watch {
            self.watch = Some(watch);
            self.sources.insert("watch".into(), source.to_owned());
        }
    }
}

/// Why a label is not taken, if so: its name is no Prometheus label name or is reserved, it is too long, it has control
/// characters, or it names a class or level that there is not.
pub(super) fn label_trouble(name: &str, value: &str) -> Option<String> {
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
        "class" if Class::from_word(value).is_none() => Some(format!("there is no class {value:?}")),
        "watch" if Watch::from_word(value).is_none() => Some(format!("there is no watch level {value:?}")),
        _ => None,
    }
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
