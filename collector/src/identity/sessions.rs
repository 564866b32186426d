//! Generations: the collector counts a host's sessions and the agent echoes the count, so that a copy of its disk or a
//! snapshot gives itself away (decisions 8).

use rusqlite::Connection;

use super::{Denied, Identity, Known, Presented, Standing, fingerprint::Fingerprint};
use crate::{
    domain::time::Timestamp,
    store::{
        StoreError,
        identity_rows::{self, SessionRecord},
        json,
    },
};

impl Identity {
    /// A session begins: checks generation and fingerprint, remembers the next.
    ///
    /// # Errors
    /// [`Denied::Store`].
    pub async fn begin_session(
        &self,
        known: &Known,
        presented: &Presented,
        _now: Timestamp,
    ) -> Result<Standing, Denied> {
        let (host, generation) = (known.no, presented.generation);
        let fingerprint = Fingerprint::new(&presented.fingerprint);
        let write = move |connection: &Connection| {
            let last = identity_rows::session(connection, host)?
                .ok_or_else(|| StoreError::Broken(format!("host number {host} is not in the store")))?;
            let standing = standing(&last, generation, &fingerprint);
            if let Standing::Fine(next) | Standing::Restored(next) = standing {
                let next = SessionRecord {
                    generation: i64::try_from(next).unwrap_or(i64::MAX),
                    fingerprint: json(&fingerprint)?,
                };
                identity_rows::put_session(connection, host, &next)?;
            }
            Ok(standing)
        };
        Ok(self.store.write(write, |_| {}).await?)
    }
}

/// The current or the previous generation (its answer was lost) is fine, and so is one ahead of ours: we are restored
/// from a backup. Further back, the same machine was restored, another one is a copy.
fn standing(last: &SessionRecord, presented: u64, fingerprint: &Fingerprint) -> Standing {
    let current = u64::try_from(last.generation).unwrap_or(0);
    // A host can only count itself to the end of numbers, where it stays.
    let next = current.max(presented).min(i64::MAX as u64 - 1) + 1;
    if presented.saturating_add(1) >= current {
        Standing::Fine(next)
    } else if fingerprint.is_same_machine(&Fingerprint::from_stored(&last.fingerprint)) {
        Standing::Restored(next)
    } else {
        Standing::Clone
    }
}
