//! Receivers and their settings. (to come)

/// One configured receiver.
#[derive(Debug, Clone)]
pub struct ReceiverConfig {
    /// Its name, unique.
    pub name: String,
}
