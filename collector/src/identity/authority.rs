//! The collector's own certificate authority: one P-256 root and the issuers below it, kept as files that only the collector's
//! user may read.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
    time::Duration,
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKey, SanType, SerialNumber,
};
use rustls::pki_types::CertificateDer;
use uuid::Uuid;

use super::{
    hex,
    issuer::{Issuers, Root, Signer},
    random, sha256,
};
use crate::{
    domain::{ids::HostId, time::Timestamp},
    store::StoreError,
};

/// Below the state directory.
pub(super) const DIRECTORY: &str = "authority";
const KEY_FILE: &str = "root.key.pem";
const CERTIFICATE_FILE: &str = "root.der";
const ID_FILE: &str = "collector-id";

const MINUTE_MS: i64 = 60_000;
pub(super) const DAY_MS: i64 = 86_400_000;
/// Hosts whose clocks are behind by less than this accept a certificate at once.
pub(super) const BACKDATED_MS: i64 = 5 * MINUTE_MS;
const ROOT_LIFE_MS: i64 = 3_653 * DAY_MS;
/// A laptop that was off for two weeks still renews (enrolment-and-transport, part b).
const HOST_LIFE_MS: i64 = 30 * DAY_MS;
/// Life of the collector's own server certificates; renewed at half of it.
pub(super) const SERVER_LIFE_MS: i64 = 90 * DAY_MS;
/// A PEM key is some 250 bytes; nothing longer is read.
const LONGEST_FILE_BYTES: u64 = 16 * 1024;

/// The authority, opened.
pub(super) struct Authority {
    collector: Uuid,
    root: CertificateDer<'static>,
    root_expires: Timestamp,
    /// The root's own key.
    issuer: Issuer<'static, KeyPair>,
    /// Who signs for it; nobody below a root that was made before there were issuers.
    issuers: Option<Issuers>,
    pin: String,
}

/// A certificate as signed.
pub(super) struct Issued {
    pub(super) der: CertificateDer<'static>,
    /// What lies between it and the root.
    pub(super) between: Option<CertificateDer<'static>>,
    pub(super) serial: Vec<u8>,
    pub(super) from: Timestamp,
    pub(super) until: Timestamp,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").field("collector", &self.collector).field("pin", &self.pin).finish_non_exhaustive()
    }
}

impl Authority {
    /// Opens the authority below `state`, or creates it whole: it is made beside its place and then renamed.
    pub(super) fn open(state: &Path, now: Timestamp) -> Result<Self, StoreError> {
        let directory = state.join(DIRECTORY);
        if !directory.exists() {
            let making = state.join(format!("{DIRECTORY}.new"));
            create(&making, now).map_err(|error| cannot("make", &making, &error))?;
            fs::rename(&making, &directory).map_err(|error| cannot("make", &directory, &error))?;
            sync_directory(state).map_err(|error| cannot("make", &directory, &error))?;
        }
        Self::read(&directory)
    }

    fn read(directory: &Path) -> Result<Self, StoreError> {
        let (key_path, root_path) = (directory.join(KEY_FILE), directory.join(CERTIFICATE_FILE));
        check_private(&key_path)?;
        let remedy = "restore the directory from a backup; without its key every agent has to enrol again";
        let bad = |path: &Path, what: &str| StoreError::Broken(format!("{} {what}: {remedy}", path.display()));
        let pem = String::from_utf8(read_small(&key_path)?).map_err(|_| bad(&key_path, "is not a PEM private key"))?;
        let key = KeyPair::from_pkcs8_pem_and_sign_algo(&pem, &PKCS_ECDSA_P256_SHA256)
            .map_err(|_| bad(&key_path, "is not a whole P-256 private key"))?;
        let root = CertificateDer::from(read_small(&root_path)?);
        let (_, parsed) =
            x509_parser::parse_x509_certificate(&root).map_err(|_| bad(&root_path, "is not a whole certificate"))?;
        if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
            return Err(bad(&root_path, "does not belong to the key beside it"));
        }
        let pin = hex(&sha256(parsed.public_key().raw)[..16]);
        let root_expires = Timestamp::from_ms(parsed.validity().not_after.timestamp().saturating_mul(1_000));
        let id_path = directory.join(ID_FILE);
        let collector = String::from_utf8_lossy(&read_small(&id_path)?)
            .trim()
            .parse()
            .map_err(|_| bad(&id_path, "does not hold the collector's id"))?;
        let constraints = parsed.basic_constraints().ok().flatten();
        let depth = constraints.map_or(Some(0), |constraints| constraints.value.path_len_constraint);
        let issuers = if depth == Some(0) { None } else { Some(Issuers::open(directory)?) };
        let issuer = Issuer::from_ca_cert_der(&root, key).map_err(|_| bad(&root_path, "cannot sign"))?;
        Ok(Self { collector, root: root.clone(), root_expires, issuer, issuers, pin })
    }

    pub(super) const fn collector(&self) -> Uuid {
        self.collector
    }

    pub(super) fn pin(&self) -> &str {
        &self.pin
    }

    pub(super) const fn root(&self) -> &CertificateDer<'static> {
        &self.root
    }

    pub(super) const fn root_expires(&self) -> Timestamp {
        self.root_expires
    }

    /// What this authority and its issuers are called in certificates begins so.
    pub(super) fn name(&self) -> String {
        name_of(self.collector)
    }

    /// The root and all issuers that are known.
    pub(super) fn signers(&self) -> Vec<CertificateDer<'static>> {
        let issuers = self.issuers.as_ref().map(Issuers::all).unwrap_or_default();
        issuers.into_iter().chain([self.root.clone()]).collect()
    }

    /// Signs by the issuer whose turn it is, else by the root; `until` is when the latter ends.
    fn sign<T>(
        &self,
        now: Timestamp,
        sign: impl FnOnce(&Issuer<'static, KeyPair>, Option<CertificateDer<'static>>, Timestamp) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let Some(issuers) = &self.issuers else { return sign(&self.issuer, None, self.root_expires) };
        let root = Root { name: &self.name(), issuer: &self.issuer, until: self.root_expires };
        issuers.sign(&root, now, |Signer { issuer, between, until }| sign(issuer, Some(between), until))
    }

    /// The name of a host in its certificate.
    pub(super) fn host_uri(&self, host: HostId) -> String {
        format!("muster://{}/host/{host}", self.collector)
    }

    /// The host named by a certificate's URI, if it is one of ours.
    pub(super) fn host_of_uri(&self, uri: &str) -> Option<HostId> {
        let (collector, host) = uri.strip_prefix("muster://")?.split_once("/host/")?;
        (collector == self.collector.to_string()).then(|| host.parse().ok())?
    }

    /// Signs a host's certificate: every field is ours, only the key is theirs.
    pub(super) fn sign_host(&self, host: HostId, key: &PublicKey, now: Timestamp) -> Result<Issued, StoreError> {
        let (serial, from) = (serial()?, now.plus_ms(-BACKDATED_MS));
        let uri = self.host_uri(host);
        self.sign(now, |issuer, between, ends| {
            let until = now.plus_ms(HOST_LIFE_MS).min(ends);
            let mut params = params(&uri, &serial, from, until);
            params.subject_alt_names = vec![SanType::URI(uri.clone().try_into().map_err(unsigned)?)];
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            // What the request asks for is replaced wholesale: rcgen would sign it (a CA certificate, if asked for).
            let request = CertificateSigningRequestParams { params, public_key: key.clone() };
            let der = request.signed_by(issuer).map_err(unsigned)?.into();
            let (from, until) = (whole_seconds(from), whole_seconds(until));
            Ok(Issued { der, between, serial: serial.to_vec(), from, until })
        })
    }

    /// Signs a server certificate of our own for these names and addresses: its chain to the root, and its key.
    pub(super) fn sign_server(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<(Vec<CertificateDer<'static>>, KeyPair), StoreError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(unsigned)?;
        let common = names.first().map_or("muster-collector", String::as_str);
        // X.509 allows 64 characters here (RFC 5280, ub-common-name); clients look at the names below.
        let common: String = common.chars().take(64).collect();
        let serial = serial()?;
        let chain = self.sign(now, |issuer, between, ends| {
            let until = now.plus_ms(SERVER_LIFE_MS).min(ends);
            let mut params = params(&common, &serial, now.plus_ms(-BACKDATED_MS), until);
            params.subject_alt_names = CertificateParams::new(names).map_err(unsigned)?.subject_alt_names;
            params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            let leaf: CertificateDer<'static> = params.signed_by(&key, issuer).map_err(unsigned)?.into();
            // The root goes along: agents that enrol have only its pin.
            Ok([Some(leaf), between, Some(self.root.clone())].into_iter().flatten().collect())
        })?;
        Ok((chain, key))
    }

    /// A certificate, its issuer's and the root as agents are sent them: each preceded by its length.
    pub(super) fn chain(&self, leaf: &Issued) -> Vec<u8> {
        let mut chain = Vec::new();
        for certificate in [Some(&leaf.der), leaf.between.as_ref(), Some(&self.root)].into_iter().flatten() {
            let length = u32::try_from(certificate.len()).expect("a certificate of ours is some hundred bytes long");
            chain.extend_from_slice(&length.to_be_bytes());
            chain.extend_from_slice(certificate);
        }
        chain
    }
}

fn name_of(collector: Uuid) -> String {
    format!("Muster {collector}")
}

pub(super) fn params(common_name: &str, serial: &[u8], from: Timestamp, until: Timestamp) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.serial_number = Some(SerialNumber::from_slice(serial));
    params.is_ca = IsCa::ExplicitNoCa;
    params.use_authority_key_identifier_extension = true;
    params.not_before = rcgen::date_time_ymd(1970, 1, 1) + since_1970(from);
    params.not_after = rcgen::date_time_ymd(1970, 1, 1) + since_1970(until);
    params
}

/// Certificates say years up to 9999; a clock that is beyond gets the last of them.
fn since_1970(at: Timestamp) -> Duration {
    const LAST_MS: i64 = 253_370_764_800_000;
    Duration::from_secs(u64::try_from(at.ms().clamp(0, LAST_MS) / 1_000).unwrap_or(0))
}

fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_ms(at.ms().div_euclid(1_000).saturating_mul(1_000))
}

/// 126 random bits, of a fixed length and positive as X.509 wants (RFC 5280, 4.1.2.2).
pub(super) fn serial() -> Result<[u8; 16], StoreError> {
    let mut serial = random::<16>()?;
    serial[0] = (serial[0] & 0x3f) | 0x40;
    Ok(serial)
}

pub(super) fn unsigned(error: rcgen::Error) -> StoreError {
    StoreError::Broken(format!("a certificate cannot be made: {error}"))
}

fn create(directory: &Path, now: Timestamp) -> Result<(), std::io::Error> {
    if directory.exists() {
        // Half made by a start that was broken off; nobody has been given anything of it.
        fs::remove_dir_all(directory)?;
    }
    fs::DirBuilder::new().mode(0o700).create(directory)?;
    let other = |error: rcgen::Error| std::io::Error::other(error.to_string());
    let bytes = random::<16>().map_err(|error| std::io::Error::other(error.to_string()))?;
    let collector = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(other)?;
    let (from, until) = (now.plus_ms(-DAY_MS), now.plus_ms(ROOT_LIFE_MS));
    let mut params = params(&name_of(collector), &bytes, from, until);
    params.serial_number = None;
    params.use_authority_key_identifier_extension = false;
    // An issuer below it, and what that signs.
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let root = params.self_signed(&key).map_err(other)?;
    write_new(&directory.join(KEY_FILE), key.serialize_pem().as_bytes())?;
    write_new(&directory.join(CERTIFICATE_FILE), root.der())?;
    write_new(&directory.join(ID_FILE), format!("{collector}\n").as_bytes())?;
    sync_directory(directory)
}

/// Writes a file that only we may read, down to the disk.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> Result<(), std::io::Error> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes renames and new names in a directory durable.
pub(super) fn sync_directory(directory: &Path) -> Result<(), std::io::Error> {
    fs::File::open(directory)?.sync_all()
}

/// Reads a file of at most 16 KiB.
pub(super) fn read_small(path: &Path) -> Result<Vec<u8>, StoreError> {
    let size = fs::metadata(path).map_err(|error| cannot("read", path, &error))?.len();
    if size > LONGEST_FILE_BYTES {
        return Err(StoreError::Broken(format!(
            "{} has {size} bytes, more than 16 KiB: it is not ours",
            path.display()
        )));
    }
    fs::read(path).map_err(|error| cannot("read", path, &error))
}

/// Refuses a key that others may read or own.
pub(super) fn check_private(path: &Path) -> Result<(), StoreError> {
    let meta = fs::metadata(path).map_err(|error| cannot("read", path, &error))?;
    let (mode, owner, us) = (meta.mode() & 0o777, meta.uid(), rustix::process::geteuid().as_raw());
    if mode & 0o077 != 0 {
        let path = path.display();
        return Err(StoreError::Broken(format!(
            "{path} has mode {mode:04o}, others may read the key of the authority: chmod 0600 {path} and think of who did"
        )));
    }
    if owner != us {
        return Err(StoreError::Broken(format!(
            "{} belongs to user {owner}, this is user {us}: start the collector as the user that owns it, or chown it",
            path.display()
        )));
    }
    Ok(())
}

pub(super) fn cannot(verb: &str, path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Broken(format!("cannot {verb} {}: {error}", path.display()))
}
