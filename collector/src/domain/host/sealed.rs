//! A host's dictionary with the places in it at which rules and trends look, found once when it is sealed.

use crate::domain::{readings::dictionary::Dictionary, rules, trend};

/// Shared by all hosts that say the same.
#[derive(Debug)]
pub(super) struct Sealed {
    /// What the numbers mean.
    pub(super) dictionary: Dictionary,
    /// Where the rules look.
    pub(super) rules: rules::Index,
    /// Where the trends look.
    pub(super) trends: trend::Index,
}

impl From<Dictionary> for Sealed {
    fn from(dictionary: Dictionary) -> Self {
        let (rules, trends) = (rules::Index::of(&dictionary), trend::Index::of(&dictionary));
        Self { dictionary, rules, trends }
    }
}
