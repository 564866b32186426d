//! Which hosts are meant: by state, site, class, labels, name. Lists show by it, and what is changed at once is chosen by
//! it, so that the change hits what the list showed.

use super::{
    host::State,
    labels::{Admission, Class, matches_pattern},
    snapshot::HostView,
};

/// What a host has to be. Empty: every host that is not retired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Its standing.
    pub state: Option<Standing>,
    /// Its site.
    pub site: Option<String>,
    /// It has no site.
    pub unsorted: bool,
    /// Its class.
    pub class: Option<Class>,
    /// Labels that it has, all of them; values with `*` and `?`.
    pub labels: Vec<(String, String)>,
    /// Its name, with `*` and `?`.
    pub name: Option<String>,
    /// A part of its name.
    pub search: Option<String>,
    /// The version of its agent, with `*` and `?`.
    pub agent: Option<String>,
}

/// Where a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Observed so.
    Observed(State),
    /// Something is wrong with it.
    Findings,
    /// Gone for good.
    Retired,
}

impl Standing {
    /// The standing named by `word`, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "findings" => Some(Self::Findings),
            "retired" => Some(Self::Retired),
            _ => State::ALL.into_iter().find(|state| state.word() == word).map(Self::Observed),
        }
    }
}

/// A condition that says nothing: names it, and what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoCondition {
    /// The condition's name.
    pub name: String,
    /// Its value.
    pub value: String,
    /// What was expected.
    pub expected: String,
}

impl Selection {
    /// Adds one condition in words; an empty value asks for nothing.
    ///
    /// # Errors
    /// [`NoCondition`].
    pub fn add(&mut self, name: &str, value: &str) -> Result<(), NoCondition> {
        let wrong = |expected: &str| NoCondition { name: name.into(), value: value.into(), expected: expected.into() };
        if value.is_empty() && name != "unsorted" {
            return Ok(());
        }
        match name {
            "state" => {
                let standing = Standing::from_word(value);
                self.state = Some(standing.ok_or_else(|| wrong("a state such as up or down, findings or retired"))?);
            }
            "site" => self.site = Some(value.to_owned()),
            "unsorted" => self.unsorted = !matches!(value, "0" | "false"),
            "class" => {
                self.class = Some(Class::from_word(value).ok_or_else(|| wrong("server, workstation or device"))?);
            }
            "label" => {
                let (label, text) = value.split_once('=').ok_or_else(|| wrong("a label such as owner=ann"))?;
                self.labels.push((label.to_owned(), text.to_owned()));
            }
            "name" => self.name = Some(value.to_owned()),
            "search" => self.search = Some(value.to_lowercase()),
            "agent" => self.agent = Some(value.to_owned()),
            _ => return Err(wrong("one of state, site, unsorted, class, label, name, search, agent")),
        }
        Ok(())
    }

    /// Whether anything is asked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a host is meant.
    #[must_use]
    pub fn fits(&self, host: &HostView) -> bool {
        let profile = &host.profile;
        let stands = match self.state {
            Some(Standing::Retired) => profile.admission == Admission::Retired,
            _ if profile.admission == Admission::Retired => false,
            Some(Standing::Observed(state)) => host.state == state,
            Some(Standing::Findings) => host.troubles().next().is_some(),
            None => true,
        };
        let has = |(name, value): &(String, String)| {
            profile.labels.get(name).is_some_and(|given| matches_pattern(value, given))
        };
        stands
            && self.site.as_deref().is_none_or(|site| profile.site.as_deref() == Some(site))
            && (!self.unsorted || profile.site.is_none())
            && self.class.is_none_or(|class| profile.class == class)
            && self.labels.iter().all(has)
            && self.name.as_deref().is_none_or(|pattern| matches_pattern(pattern, &profile.name))
            && self.agent.as_deref().is_none_or(|pattern| matches_pattern(pattern, &profile.facts.agent_version))
            && self.search.as_deref().is_none_or(|part| profile.name.to_lowercase().contains(part))
    }
}
