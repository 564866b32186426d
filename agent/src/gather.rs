//! (stub; replaced at merge)
use crate::clock::Moment;
use crate::host::Host;
use std::time::Duration;
/// One collection.
#[derive(Debug, Clone, Default)]
pub struct Gathered {
    /// When.
    pub at: Moment,
}
/// Collects.
#[derive(Debug)]
pub struct Gatherer;
impl Gatherer {
    /// Starts.
    #[must_use]
    pub fn start(_host: Host) -> Self {
        Self
    }
    /// Collects once.
    pub async fn collect(&mut self, now: Moment, _deadline: Duration) -> Gathered {
        Gathered { at: now }
    }
}
