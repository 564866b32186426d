//! Whether an agent can watch devices: it must take checks from here, and what it answers to its settings tells.
//!
//! An agent takes its settings whole or refuses them whole: one that refuses runs no check of a device, whatever it is
//! that it refuses. One of which nothing is known yet is not chosen, so that nobody is told of a refusal that was asked for.

use crate::domain::labels::remote_checks::RemoteChecks;

/// What an agent answered to the settings that it was given last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it says of checks from here.
    pub remote_checks: RemoteChecks,
    /// Why it refuses them, where it does.
    pub refused: Option<String>,
    /// Whether checks of devices were among them.
    pub with_devices: bool,
}

/// A refusal that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// In the agent's words.
    pub why: String,
    with_devices: bool,
}

impl Refusal {
    /// What stands after this answer.
    #[must_use]
    pub fn after(before: Option<Self>, reply: Reply) -> Option<Self> {
        match (reply.refused, before) {
            // That is known by itself, and told in better words.
            _ if reply.remote_checks != RemoteChecks::Taken => None,
            (Some(why), _) => Some(Self { why, with_devices: reply.with_devices }),
            // It took what was left: the devices are what it refuses, and asked again it would refuse again.
            (None, Some(before)) if before.with_devices && !reply.with_devices => Some(before),
            (None, _) => None,
        }
    }
}

/// Why an agent cannot watch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Its machine's own file takes no check from here.
    SwitchedOff,
    /// It is too old.
    TooOld,
    /// It refuses its settings, in these words.
    Refused(String),
}

impl Obstacle {
    /// What stands in the way, if anything is known to.
    #[must_use]
    pub fn of(remote_checks: RemoteChecks, refusal: Option<&Refusal>) -> Option<Self> {
        match remote_checks {
            RemoteChecks::SwitchedOff => Some(Self::SwitchedOff),
            RemoteChecks::TooOld => Some(Self::TooOld),
            RemoteChecks::Unsaid | RemoteChecks::Taken => refusal.map(|refusal| Self::Refused(refusal.why.clone())),
        }
    }

    /// In words, with the remedy.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::SwitchedOff => "its own agent.toml says remote_checks = \"none\": set it to \"built_in\" there and \
                                  restart the agent, or name another watcher"
                .into(),
            Self::TooOld => "its agent is too old to take checks from here: bring it to a newer release, or name \
                             another watcher"
                .into(),
            Self::Refused(why) => format!(
                "it refuses its settings, and so every check in them: put that right, or name another watcher. It says: \
                 {why}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_takes_follows_from_the_keys_that_it_knows_and_its_own_word() {
        let said = |keys: &[&str], local: &[&str]| {
            let texts = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
            RemoteChecks::said(&texts(keys), &texts(local))
        };
        assert_eq!(said(&["watch", "report_ms", "beat_ms", "check"], &["interval", "check.ssh"]), RemoteChecks::Taken);
        assert_eq!(said(&["watch", "report_ms", "beat_ms", "check"], &["remote_checks"]), RemoteChecks::SwitchedOff);
        assert_eq!(said(&[], &[]), RemoteChecks::TooOld);
        assert_eq!(said(&["watch"], &[]), RemoteChecks::TooOld);
    }
}
