//! The small second file beside the CA's key: what must not be forgotten when `state.db` is lost or older than it was
//! (set aside as damaged, restored from a backup): revocations, tokens and their uses, certificates that are void.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use super::{
    authority::{sync_directory, write_new},
    hex,
    labels::numbered,
    late::GRACE_MS,
};
use crate::{
    domain::{
        ids::{HostId, HostNo},
        labels::{Admission, Profile},
        layers::{Effective, Layers},
        time::Timestamp,
    },
    store::{
        Store, StoreError,
        identity_rows::{self, CertificateRecord, CertificateState, SessionRecord, TokenRecord},
    },
};

const FILE: &str = "ledger.json";
/// Longest ledger that is read: some 100 000 entries.
const LONGEST_BYTES: u64 = 64 * 1024 * 1024;
/// What ended longer ago than this is forgotten at start: nobody can ask for it any more.
const KEPT_MS: i64 = 30 * 86_400_000;

/// Replaced certificates kept per host; a host renews once in 15 days and each is of use for up to 120, so that there are eight
/// at a time. Of more, those that end first are forgotten.
const MOST_REPLACED: usize = 16;

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Ledger {
    tokens: BTreeMap<String, TokenRecord>,
    revoked: BTreeMap<HostId, RevokedHost>,
    /// Serials (hex) of certificates that a replace token voided, with their end.
    void: BTreeMap<String, Timestamp>,
    /// Serials (hex) of certificates that renewals replaced, with their end, by host.
    #[serde(default)]
    replaced: BTreeMap<HostId, BTreeMap<String, Timestamp>>,
    /// Serials (hex) of certificates that had ended and were recovered from, by host.
    #[serde(default)]
    recovered: BTreeMap<HostId, BTreeSet<String>>,
}

/// A revoked host with all that it takes to know it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct RevokedHost {
    profile: Profile,
    fingerprint: String,
}

impl Ledger {
    /// A token was made, used or revoked. Like its siblings it says whether anything is different now.
    pub(super) fn set_token(&mut self, token: TokenRecord) -> bool {
        self.tokens.insert(token.id.clone(), token.clone()) != Some(token)
    }

    /// A host was revoked, or (`None`) is not any more.
    pub(super) fn set_revoked(&mut self, host: HostId, revoked: Option<RevokedHost>) -> bool {
        match revoked {
            Some(revoked) => self.revoked.insert(host, revoked.clone()) != Some(revoked),
            None => self.revoked.remove(&host).is_some(),
        }
    }

    /// Certificates were voided before their end.
    pub(super) fn set_void(&mut self, certificates: &[(Vec<u8>, Timestamp)]) -> bool {
        let mut changed = false;
        for (serial, until) in certificates {
            changed |= self.void.insert(hex(serial), *until) != Some(*until);
        }
        changed
    }

    /// A renewed certificate is in use; these are the host's others, void from now on.
    pub(super) fn set_replaced(&mut self, host: HostId, others: &[(Vec<u8>, Timestamp)], now: Timestamp) -> bool {
        let before = self.replaced.remove(&host).unwrap_or_default();
        let mut all = before.clone();
        all.extend(others.iter().map(|(serial, until)| (hex(serial), *until)));
        let mut kept: Vec<_> = all.into_iter().filter(|(_, until)| is_of_use(*until, now)).collect();
        kept.sort_by_key(|(_, until)| std::cmp::Reverse(*until));
        kept.truncate(MOST_REPLACED);
        let kept: BTreeMap<_, _> = kept.into_iter().collect();
        let changed = kept != before;
        if !kept.is_empty() {
            self.replaced.insert(host, kept);
        }
        changed
    }

    /// Serials (hex) and ends of all certificates that are void before their end.
    fn voided(&self) -> impl Iterator<Item = (&String, &Timestamp)> {
        self.void.iter().chain(self.replaced.values().flatten())
    }

    /// Whether this certificate was voided or replaced before its end.
    pub(super) fn is_void(&self, serial: &str) -> bool {
        self.voided().any(|(void, _)| void == serial)
    }

    /// From how many certificates of a host, `serial` aside, others were recovered.
    pub(super) fn recoveries(&self, host: HostId, serial: &str) -> usize {
        self.recovered.get(&host).map_or(0, |serials| serials.iter().filter(|known| *known != serial).count())
    }

    /// The next certificate was issued for one that had ended.
    pub(super) fn add_recovery(&mut self, host: HostId, serial: String) -> bool {
        self.recovered.entry(host).or_default().insert(serial)
    }

    /// A person has said that this is the host.
    pub(super) fn forget_recoveries(&mut self, host: HostId) -> bool {
        self.recovered.remove(&host).is_some()
    }

    /// Whether this host is revoked.
    pub(super) fn is_revoked(&self, host: HostId) -> bool {
        self.revoked.contains_key(&host)
    }

    fn forget_ended(&mut self, now: Timestamp) {
        self.tokens.retain(|_, token| token.expires > now.plus_ms(-KEPT_MS));
        self.void.retain(|_, until| is_of_use(*until, now));
        self.replaced.values_mut().for_each(|of_host| of_host.retain(|_, until| is_of_use(*until, now)));
        self.replaced.retain(|_, of_host| !of_host.is_empty());
    }
}

/// Whether a certificate that ends then is good for anything: for a while it can still be recovered from.
fn is_of_use(until: Timestamp, now: Timestamp) -> bool {
    until > now.plus_ms(-GRACE_MS)
}

/// The file and what it holds.
#[derive(Debug)]
pub(super) struct LedgerFile {
    path: PathBuf,
    /// Held for a moment only, so that asking never waits for the disk.
    ledger: Mutex<Ledger>,
    /// Held while the file is written.
    writing: Mutex<()>,
    /// Whether the file says less than the memory.
    unwritten: AtomicBool,
}

impl LedgerFile {
    /// Reads the file in `directory`; one that cannot be read is set aside and reported, the store has the same.
    pub(super) fn open(directory: &Path, store: &Store, now: Timestamp) -> Result<(Self, Ledger), StoreError> {
        let path = directory.join(FILE);
        let ledger = match read(&path) {
            Ok(ledger) => ledger,
            Err(why) => {
                let aside = path.with_extension(format!("json.corrupt-{}", now.ms()));
                fs::rename(&path, &aside).map_err(|error| unwritten(&path, &error))?;
                store.report(format!(
                    "{} could not be read ({why}): it was set aside as {} and made again from the store",
                    path.display(),
                    aside.display()
                ));
                Ledger::default()
            }
        };
        Ok((
            Self { path, ledger: Mutex::default(), writing: Mutex::default(), unwritten: AtomicBool::default() },
            ledger,
        ))
    }

    /// Makes store and ledger say the same, the stricter word winning, and returns the certificates that still run.
    pub(super) fn reconcile(
        &self,
        store: &Store,
        mut kept: Ledger,
        now: Timestamp,
    ) -> Result<HashMap<Vec<u8>, CertificateRecord>, StoreError> {
        let before = kept.clone();
        kept.forget_ended(now);
        let given = kept.clone();
        let (agreed, certificates, revoked) = store.write_blocking(move |connection| {
            identity_rows::forget_ended(connection, now.plus_ms(-KEPT_MS), now.plus_ms(-GRACE_MS))?;
            let mut ledger = given.clone();
            let revoked = restore_revoked(connection, &mut ledger)?;
            restore_tokens(connection, &mut ledger)?;
            Ok((ledger, identity_rows::certificates(connection, now)?, revoked))
        })?;
        for profile in revoked {
            crate::store::remember(&store.profiles(), profile);
        }
        let mut certificates: HashMap<_, _> =
            certificates.into_iter().map(|certificate| (certificate.serial.clone(), certificate)).collect();
        for (serial, until) in agreed.voided() {
            let Some(serial) = unhex(serial) else { continue };
            let void = CertificateRecord {
                serial: serial.clone(),
                host: HostNo(0),
                from: now,
                until: *until,
                state: CertificateState::Dead,
            };
            certificates.entry(serial).or_insert(void).state = CertificateState::Dead;
        }
        if agreed != before || !self.path.exists() {
            write(&self.path, &bytes_of(&self.path, &agreed)?)?;
        }
        *self.ledger.lock().unwrap_or_else(PoisonError::into_inner) = agreed;
        Ok(certificates)
    }

    /// Changes the ledger, on the disk too before this returns; `change` says whether there is anything to write.
    /// Changes stay in memory when the disk refuses them and go with the next one.
    pub(super) fn change(&self, change: impl FnOnce(&mut Ledger) -> bool) -> Result<(), StoreError> {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = {
            let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            if !change(&mut ledger) && !self.is_unwritten() {
                return Ok(());
            }
            self.unwritten.store(true, Ordering::Release);
            bytes_of(&self.path, &ledger)?
        };
        write(&self.path, &bytes)?;
        self.unwritten.store(false, Ordering::Release);
        Ok(())
    }

    /// Whether the disk has still to be told something: a write is under way or was refused.
    pub(super) fn is_unwritten(&self) -> bool {
        self.unwritten.load(Ordering::Acquire)
    }

    /// Asks the ledger.
    pub(super) fn ask<T>(&self, question: impl FnOnce(&Ledger) -> T) -> T {
        question(&self.ledger.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A host as the ledger keeps it once it is revoked.
pub(super) fn revoked_host(connection: &Connection, no: HostNo) -> Result<Option<RevokedHost>, StoreError> {
    let Some(profile) = identity_rows::host_by_no(connection, no)? else { return Ok(None) };
    let fingerprint = identity_rows::session(connection, no)?.unwrap_or_default().fingerprint;
    Ok(Some(RevokedHost { profile, fingerprint }))
}

/// Revoked hosts that the store lacks or thinks active are revoked there; those that the ledger lacks are added.
/// Returns the profiles that were written.
fn restore_revoked(connection: &Connection, ledger: &mut Ledger) -> Result<Vec<Profile>, StoreError> {
    let mut written = Vec::new();
    for (id, host) in &ledger.revoked {
        let mut profile = match identity_rows::host_by_id(connection, *id)? {
            Some(known) if known.admission == Admission::Revoked => continue,
            Some(known) => known,
            None => Profile {
                no: identity_rows::next_host_no(connection)?,
                name: free_name(connection, &host.profile.name)?,
                layers: layers(&host.profile),
                ..host.profile.clone()
            },
        };
        profile.admission = Admission::Revoked;
        let generation = identity_rows::session(connection, profile.no)?.map_or(0, |session| session.generation);
        let session = SessionRecord { generation, fingerprint: host.fingerprint.clone() };
        identity_rows::put_host_with_session(connection, &profile, &session)?;
        written.push(profile);
    }
    for (profile, fingerprint) in identity_rows::revoked_hosts(connection)? {
        ledger.revoked.insert(profile.id, RevokedHost { profile, fingerprint });
    }
    Ok(written)
}

/// A ledger written before there were layers knows the values only.
fn layers(profile: &Profile) -> Layers {
    if profile.layers != Layers::default() {
        return profile.layers.clone();
    }
    let (class, site, watch, labels) = (profile.class, profile.site.clone(), profile.watch, profile.labels.clone());
    Layers::of_single_sources(&Effective { class, site, watch, labels }, &BTreeMap::new())
}

/// Tokens are in both afterwards, revoked if one says so, with the fewer uses left.
fn restore_tokens(connection: &Connection, ledger: &mut Ledger) -> Result<(), StoreError> {
    for known in identity_rows::tokens(connection)? {
        let merged = match ledger.tokens.get(&known.id) {
            Some(kept) => TokenRecord {
                uses_left: known.uses_left.min(kept.uses_left),
                revoked: known.revoked || kept.revoked,
                ..known
            },
            None => known,
        };
        ledger.tokens.insert(merged.id.clone(), merged);
    }
    ledger.tokens.values().try_for_each(|token| identity_rows::put_token(connection, token))
}

/// The first free one of `web`, `web-2`, `web-3`...
pub(super) fn free_name(connection: &Connection, base: &str) -> Result<String, StoreError> {
    let mut n = 1;
    loop {
        let name = numbered(base, n);
        if !identity_rows::is_name_taken(connection, &name)? {
            return Ok(name);
        }
        n += 1;
    }
}

fn read(path: &Path) -> Result<Ledger, String> {
    match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Ledger::default()),
        Err(error) => return Err(error.to_string()),
        Ok(meta) if meta.len() > LONGEST_BYTES => return Err(format!("{} bytes are too many", meta.len())),
        Ok(_) => {}
    }
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    serde_json::from_slice(&bytes).map_err(|error| error.to_string())
}

fn bytes_of(path: &Path, ledger: &Ledger) -> Result<Vec<u8>, StoreError> {
    serde_json::to_vec_pretty(ledger)
        .map_err(|error| StoreError::Broken(format!("{} cannot be written: {error}", path.display())))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let new = path.with_extension("json.new");
    write_new(&new, bytes)
        .and_then(|()| fs::rename(&new, path))
        .and_then(|()| path.parent().map_or(Ok(()), sync_directory))
        .map_err(|error| unwritten(path, &error))
}

fn unwritten(path: &Path, error: &std::io::Error) -> StoreError {
    if error.kind() == std::io::ErrorKind::StorageFull {
        StoreError::Full(path.display().to_string())
    } else {
        StoreError::Broken(format!("cannot write {}: {error}", path.display()))
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}
