//! Escalation policies: who is called when nobody takes an incident.

/// Whom a step calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A person.
    Person(String),
    /// Whoever is on call in a rotation.
    Rotation(String),
    /// A receiver as such, such as a chat.
    Receiver(String),
}

impl Target {
    /// As it is configured: `rotation:ops`.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::Person(name) => format!("person:{name}"),
            Self::Rotation(name) => format!("rotation:{name}"),
            Self::Receiver(name) => format!("receiver:{name}"),
        }
    }

    /// The target in words.
    #[must_use]
    pub fn from_words(text: &str) -> Option<Self> {
        let (kind, name) = text.split_once(':')?;
        match kind {
            "person" => Some(Self::Person(name.to_owned())),
            "rotation" => Some(Self::Rotation(name.to_owned())),
            "receiver" => Some(Self::Receiver(name.to_owned())),
            _ => None,
        }
    }
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// So long after the escalation began, in milliseconds.
    pub after_ms: i64,
    /// Whom it calls.
    pub targets: Vec<Target>,
}

/// Steps that are taken until somebody has the incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// At least one, in the order of their delays.
    pub steps: Vec<Step>,
    /// How often all of it is done again.
    pub repeat: u32,
    /// How long after the last step it begins again, in milliseconds.
    pub pause_ms: i64,
}

impl Policy {
    /// What comes after step `step` of round `round`, both from 0: the next step, its round, and so many milliseconds
    /// later.
    #[must_use]
    pub fn after(&self, step: usize, round: u32) -> Option<(usize, u32, i64)> {
        let at = |step: usize| self.steps.get(step).map(|step| step.after_ms);
        let now = at(step)?;
        if let Some(next) = at(step + 1) {
            return Some((step + 1, round, next - now));
        }
        (round < self.repeat).then_some((0, round + 1, self.pause_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_and_the_whole_is_repeated_so_often() {
        let step = |after_ms| Step { after_ms, targets: vec![Target::Person("ann".into())] };
        let policy =
            Policy { name: "ops".into(), steps: vec![step(0), step(300), step(900)], repeat: 1, pause_ms: 600 };
        let taken: Vec<(usize, u32, i64)> =
            std::iter::successors(Some((0, 0, 0)), |(step, round, _)| policy.after(*step, *round)).collect();
        assert_eq!(taken, [(0, 0, 0), (1, 0, 300), (2, 0, 600), (0, 1, 600), (1, 1, 300), (2, 1, 600)]);
        assert_eq!(Target::from_words("rotation:ops").map(|target| target.words()).as_deref(), Some("rotation:ops"));
        assert_eq!(Target::from_words("ops"), None);
    }
}
