//! Priority: when somebody must act. Severity says how bad it is; what it touches says how soon.
//!
//! | what | priority |
//! |---|---|
//! | critical | P2 |
//! | warning | P4 |
//! | info | P5 |
//! | the label `priority` (`P1` to `P5`) of a host or alert | takes the place of P2; a warning is two steps less urgent |
//! | a cut, or a broken redundancy group | one step more urgent |
//! | nothing but workstations | one step less urgent |
//!
//! What a person says is left as it is.

use serde::{Deserialize, Serialize};

use super::{hold::Subject, labels::Class, severity::Severity};

/// The label that says how important what carries it is.
const LABEL: &str = "priority";

/// When somebody must act: `P1` is the most urgent, and the least of its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Priority {
    /// At once, everything else waits.
    P1,
    /// At once.
    P2,
    /// Within the shift.
    P3,
    /// Within the day.
    P4,
    /// When there is time.
    P5,
}

impl Priority {
    /// All of them, the most urgent first.
    pub const ALL: [Self; 5] = [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5];

    /// From `P1` to `P5`, in either case.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|priority| priority.word().eq_ignore_ascii_case(word))
    }

    /// The priority's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
        }
    }

    /// As many steps less urgent, or more where negative.
    fn after(self, steps: i64) -> Self {
        let at = (self as i64 + steps).clamp(0, 4);
        Self::ALL.into_iter().find(|priority| *priority as i64 == at).unwrap_or(self)
    }
}

/// The priority of trouble with these hosts. `is_whole`: with a whole site, network or redundancy group.
#[must_use]
pub fn derived(severity: Severity, hosts: &[Subject<'_>], is_whole: bool) -> Priority {
    let said = hosts.iter().filter_map(|host| Priority::from_word(host.labels.get(LABEL)?)).min();
    let lesser = match severity {
        Severity::Critical => 0,
        Severity::Warning => 2,
        Severity::Info => 3,
    };
    let only_workstations = !hosts.is_empty() && hosts.iter().all(|host| host.class == Some(Class::Workstation));
    said.unwrap_or(Priority::P2).after(lesser + i64::from(only_workstations) - i64::from(is_whole))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::hold::Labels;

    fn of(severity: Severity, label: Option<&str>, class: Class, is_whole: bool) -> &'static str {
        let labels: Vec<(String, String)> = label.into_iter().map(|word| (LABEL.into(), word.into())).collect();
        let host = Subject { name: "h", site: None, class: Some(class), labels: Labels(&labels) };
        derived(severity, &[host], is_whole).word()
    }

    #[test]
    fn severity_label_class_and_what_is_touched_make_the_priority() {
        use Severity::{Critical, Info, Warning};
        let plain = |severity| of(severity, None, Class::Server, false);
        assert_eq!([plain(Critical), plain(Warning), plain(Info)], ["P2", "P4", "P5"]);
        let labelled = |severity, label| of(severity, Some(label), Class::Server, false);
        assert_eq!([labelled(Critical, "P1"), labelled(Warning, "P1"), labelled(Info, "p1")], ["P1", "P3", "P4"]);
        assert_eq!([labelled(Critical, "P5"), labelled(Warning, "P5")], ["P5", "P5"]);
        assert_eq!(labelled(Critical, "urgent"), "P2", "a word that is none says nothing");
        let whole = |label| of(Critical, label, Class::Server, true);
        assert_eq!([whole(None), whole(Some("P1")), whole(Some("P4"))], ["P1", "P1", "P3"]);
        assert_eq!(of(Critical, None, Class::Workstation, false), "P3");
        assert_eq!(derived(Critical, &[], false).word(), "P2");
    }

    #[test]
    fn the_most_important_of_several_hosts_counts() {
        let labels = |word: &str| vec![(LABEL.to_owned(), word.to_owned())];
        let (low, high) = (labels("P4"), labels("P1"));
        let subject = |labels| Subject { name: "h", site: None, class: Some(Class::Server), labels: Labels(labels) };
        assert_eq!(derived(Severity::Critical, &[subject(&low), subject(&high)], false), Priority::P1);
    }
}
