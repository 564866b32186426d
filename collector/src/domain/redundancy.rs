//! Redundancy groups: how many of some hosts or checks must be up for the whole to stand.
//!
//! While a group holds, the loss of a member wakes nobody; when it breaks, that is one cause of its own. Icinga knows the
//! same as `redundancy_group`; here the rule is said, so that nobody has to know what all and any mean.

use std::collections::{BTreeMap, BTreeSet};

use super::labels::matches_pattern;
use crate::domain::severity::Severity;

/// A group, as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What is redundant.
    pub members: Vec<Member>,
    /// How many of them must be up.
    pub needs: usize,
    /// Names of hosts with `*` and `?` that are cut off when the group is broken.
    pub behind: Vec<String>,
    /// How bad it is when it breaks.
    pub severity: Severity,
}

/// A host, or a check of a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// The host's display name.
    pub host: String,
    /// The check's name.
    pub check: Option<String>,
}

impl Member {
    /// From `HOST` or `HOST/CHECK`.
    #[must_use]
    pub fn from_words(text: &str) -> Option<Self> {
        let (host, check) = text.split_once('/').map_or((text, None), |(host, check)| (host, Some(check)));
        let is_good = |name: &str| !name.is_empty() && name.len() <= 128 && !name.contains([' ', '*', '?']);
        let check_is_good = check.is_none_or(is_good);
        (is_good(host) && check_is_good).then(|| Self { host: host.to_owned(), check: check.map(str::to_owned) })
    }

    /// `web-1`, `web-1/http`
    #[must_use]
    pub fn words(&self) -> String {
        self.check.as_ref().map_or_else(|| self.host.clone(), |check| format!("{}/{check}", self.host))
    }
}

/// What is known of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is up.
    Up,
    /// It is not.
    Lost,
    /// Nobody can say.
    Unknown,
}

/// How a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Enough are known to be up.
    Holds,
    /// So many are lost that the rest is not enough.
    Broken,
    /// It depends on those of which nobody can say.
    CannotTell,
}

/// How many are up, and who is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Count {
    /// Up.
    pub up: usize,
    /// Lost, in words.
    pub lost: Vec<String>,
}

impl Group {
    /// The dedup key of its problem.
    #[must_use]
    pub fn key(&self) -> String {
        format!("redundancy/{}/group", self.name)
    }

    /// Counts its members.
    #[must_use]
    pub fn count(&self, known: impl Fn(&Member) -> Known) -> Count {
        let mut count = Count::default();
        for member in &self.members {
            match known(member) {
                Known::Up => count.up += 1,
                Known::Lost => count.lost.push(member.words()),
                Known::Unknown => {}
            }
        }
        count
    }

    /// How it stands with so many.
    #[must_use]
    pub fn standing(&self, count: &Count) -> Standing {
        if count.up >= self.needs {
            Standing::Holds
        } else if self.members.len() - count.lost.len() < self.needs {
            Standing::Broken
        } else {
            Standing::CannotTell
        }
    }

    /// `web: 2 of 3 up, needs 2`
    #[must_use]
    pub fn words(&self, count: &Count) -> String {
        let spare = match self.standing(count) {
            Standing::Holds => match count.up - self.needs {
                0 => ", none to spare".to_owned(),
                spare => format!(", {spare} to spare"),
            },
            Standing::Broken => ": broken".into(),
            Standing::CannotTell => ", the others are not known".into(),
        };
        format!("{}: {} of {} up, needs {}{spare}", self.name, count.up, self.members.len(), self.needs)
    }

    /// Whether a host is behind it.
    #[must_use]
    pub fn is_before(&self, host: &str) -> bool {
        self.behind.iter().any(|pattern| matches_pattern(pattern, host))
    }
}

/// Groups that are behind themselves, by their place: a member of one is behind another that is behind the first, or the same.
#[must_use]
pub fn circles(groups: &[Group]) -> BTreeSet<usize> {
    let before = |group: &Group| {
        let is_before = |other: &&Group| group.members.iter().any(|member| other.is_before(&member.host));
        groups.iter().enumerate().filter(move |(_, other)| is_before(other)).map(|(at, _)| at).collect()
    };
    let before: BTreeMap<usize, BTreeSet<usize>> =
        groups.iter().enumerate().map(|(at, group)| (at, before(group))).collect();
    let reaches_itself = |start: &usize| {
        let (mut seen, mut next) = (BTreeSet::new(), vec![*start]);
        while let Some(at) = next.pop() {
            next.extend(before[&at].iter().copied().filter(|at| seen.insert(*at)));
        }
        seen.contains(start)
    };
    (0..groups.len()).filter(reaches_itself).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(name: &str, members: &[&str], needs: usize, behind: &[&str]) -> Group {
        Group {
            name: name.into(),
            members: members.iter().map(|text| Member::from_words(text).unwrap()).collect(),
            needs,
            behind: behind.iter().map(|name| (*name).to_owned()).collect(),
            severity: Severity::Critical,
        }
    }

    #[test]
    fn a_group_holds_breaks_or_cannot_be_told() {
        use Known::{Lost, Unknown, Up};
        let stands = |needs: usize, known: [Known; 3]| {
            let group = group("web", &["a", "b", "c"], needs, &[]);
            let count = group.count(|member| known["abc".find(&member.host).unwrap()]);
            (group.standing(&count), group.words(&count))
        };
        assert_eq!(stands(2, [Up, Up, Up]), (Standing::Holds, "web: 3 of 3 up, needs 2, 1 to spare".into()));
        assert_eq!(stands(2, [Up, Lost, Up]), (Standing::Holds, "web: 2 of 3 up, needs 2, none to spare".into()));
        assert_eq!(stands(2, [Up, Lost, Lost]), (Standing::Broken, "web: 1 of 3 up, needs 2: broken".into()));
        assert_eq!(
            stands(2, [Up, Lost, Unknown]),
            (Standing::CannotTell, "web: 1 of 3 up, needs 2, the others are not known".into())
        );
        assert_eq!(
            [stands(1, [Lost, Lost, Up]).0, stands(3, [Lost, Unknown, Up]).0],
            [Standing::Holds, Standing::Broken]
        );
    }

    #[test]
    fn members_are_hosts_or_checks_of_hosts() {
        let words = |text: &str| Member::from_words(text).map(|member| (member.host.clone(), member.check.clone()));
        assert_eq!(words("web-1"), Some(("web-1".into(), None)));
        assert_eq!(words("web-1/http"), Some(("web-1".into(), Some("http".into()))));
        assert_eq!([words(""), words("web-*"), words("web-1/"), words("a b")], [None, None, None, None]);
    }

    #[test]
    fn a_group_that_is_behind_itself_however_far_is_a_circle() {
        let groups = [
            group("routers", &["r-1", "r-2"], 1, &["sw-*"]),
            group("switches", &["sw-1", "sw-2"], 1, &["web-*"]),
            group("web", &["web-1"], 1, &[]),
        ];
        assert_eq!(circles(&groups), BTreeSet::new());
        let mut round = groups.clone();
        round[2].behind = vec!["r-2".into()];
        assert_eq!(circles(&round), [0, 1, 2].into());
        assert_eq!(circles(&[group("all", &["a"], 1, &["*"])]), [0].into());
    }
}
