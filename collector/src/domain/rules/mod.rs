//! From readings to judgements: everyday rules, with hysteresis. (bodies to come)

/// Thresholds of the everyday rules, as configured.
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// File system: warning when free space falls below this share (0-1).
    pub filesystem_warning_ratio: f64,
    /// Critical below this share.
    pub filesystem_critical_ratio: f64,
    /// Cleared only when free space is above the threshold by this much (share, 0-1).
    pub filesystem_hysteresis_ratio: f64,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { filesystem_warning_ratio: 0.10, filesystem_critical_ratio: 0.05, filesystem_hysteresis_ratio: 0.02 }
    }
}
