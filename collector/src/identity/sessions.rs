//! Generations: the collector counts a host's sessions and the agent echoes the count, so that a copy of its disk or a
//! snapshot gives itself away.

use std::sync::{Arc, PoisonError};

use rusqlite::Connection;

use super::{Core, Denied, Identity, Known, Presented, Standing, fingerprint::Fingerprint, late::GRACE_MS};
use crate::{
    domain::{ids::HostNo, time::Timestamp},
    store::{
        StoreError,
        identity_rows::{self, CertificateState, SessionRecord},
        json,
    },
};

impl Identity {
    /// A session begins: checks generation and fingerprint, remembers the next. A renewed certificate proves itself
    /// here and nowhere sooner: from now on it is the host's only one.
    ///
    /// # Errors
    /// [`Denied::UnknownCertificate`] when another one was proven meanwhile, [`Denied::Store`].
    pub async fn begin_session(
        &self,
        known: &Known,
        presented: &Presented,
        now: Timestamp,
    ) -> Result<Standing, Denied> {
        let (host, generation) = (known.no, presented.generation);
        let fingerprint = Fingerprint::new(&presented.fingerprint);
        let serial = known.serial.clone();
        let write = move |connection: &Connection| {
            let state = identity_rows::certificate_state(connection, &serial)?;
            if state == Some(CertificateState::Dead) {
                return Ok(Err(Denied::UnknownCertificate));
            }
            let mut replaced = None;
            let last = identity_rows::session(connection, host)?
                .ok_or_else(|| StoreError::Broken(format!("host number {host} is not in the store")))?;
            let standing = standing(&last, generation, &fingerprint);
            if let Standing::Fine(next) | Standing::Restored(next) = standing {
                let next = SessionRecord {
                    generation: i64::try_from(next).unwrap_or(i64::MAX),
                    fingerprint: json(&fingerprint)?,
                };
                identity_rows::put_session(connection, host, &next)?;
                if state == Some(CertificateState::Next) {
                    let since = now.plus_ms(-GRACE_MS);
                    replaced = Some(identity_rows::other_certificates(connection, host, &serial, since)?);
                    identity_rows::promote_certificate(connection, host, &serial)?;
                }
            }
            Ok(Ok((standing, replaced)))
        };
        let (core, live) = (Arc::clone(&self.core), known.serial.clone());
        let committed = move |begun: &Result<Begun, Denied>| {
            if let Ok((_, Some(_))) = begun {
                core.promote(host, &live);
            }
        };
        let (standing, replaced) = self.store.write(write, committed).await??;
        if let Some(others) = replaced {
            let id = known.id;
            // The store has it; a ledger that could not be written is written with its next change.
            if let Err(error) = self.core.change_ledger(move |ledger| ledger.set_replaced(id, &others, now)).await {
                tracing::error!("certificates that were renewed are void, the ledger does not say so yet: {error}");
            }
        }
        Ok(standing)
    }
}

/// How a session stands, and the certificates that its own one replaces, if it is a renewed one.
type Begun = (Standing, Option<Vec<(Vec<u8>, Timestamp)>>);

impl Core {
    /// A renewed certificate has proven itself: in memory too it is the host's only one.
    fn promote(&self, host: HostNo, serial: &[u8]) {
        let mut certificates = self.certificates.write().unwrap_or_else(PoisonError::into_inner);
        for record in certificates.values_mut().filter(|record| record.host == host) {
            record.state = if record.serial == serial { CertificateState::Live } else { CertificateState::Dead };
        }
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
