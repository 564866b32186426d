//! That addresses or routes of this machine may have changed, where the system is not listened to: it is looked now and then.

use std::time::Duration;

use super::super::Host;

/// How often, which is as often as changes are acted upon anyway.
const EVERY: Duration = Duration::from_secs(5);

/// Who looks for changes. On a captured machine there never is one.
#[derive(Debug, Default)]
pub struct Changes {
    is_live: bool,
}

impl Changes {
    /// Waits until something may have changed. May be dropped and called again.
    pub async fn next(&mut self) {
        if !self.is_live {
            return std::future::pending().await;
        }
        tokio::time::sleep(EVERY).await;
    }
}

impl Host {
    /// Looks from now on.
    #[must_use]
    pub fn network_changes(&self) -> Changes {
        Changes { is_live: self.is_live() }
    }
}
