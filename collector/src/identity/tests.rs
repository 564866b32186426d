//! Enrolment, renewal and revocation as an attacker and a bad network would have them.

mod images;
mod late;
mod places;
mod renewal;

use std::{fs, net::IpAddr, os::unix::fs::PermissionsExt, path::Path};

use rcgen::{CertificateParams, CertificateSigningRequestParams, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use x509_parser::prelude::X509Certificate;

use super::{Denied, EnrolFacts, Enrolment, Identity, Known, Presented, Standing, TokenKind, TokenSpec};
use crate::{
    domain::{
        label_rule::HostRule,
        labels::{Admission, Class, Facts},
        record::{AuditRow, Row},
        time::Timestamp,
        watch::Watch,
    },
    store::Store,
};

const NOW: Timestamp = Timestamp::from_ms(1_795_000_000_000);
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

struct World {
    directory: tempfile::TempDir,
    identity: Identity,
    store: Store,
}

impl World {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self::at(directory)
    }

    fn at(directory: tempfile::TempDir) -> Self {
        Self::starting(directory, NOW)
    }

    fn starting(directory: tempfile::TempDir, now: Timestamp) -> Self {
        let store = Store::open(directory.path(), now).unwrap();
        let identity = Identity::open(directory.path(), store.clone(), now).unwrap();
        Self { directory, identity, store }
    }

    /// A collector that was stopped and lost its `state.db`.
    fn without_state(self) -> Self {
        let Self { directory, identity, store } = self;
        drop((identity, store));
        for file in ["state.db", "state.db-wal", "state.db-shm"] {
            let _ = fs::remove_file(directory.path().join(file));
        }
        Self::at(directory)
    }

    async fn token(&self, kind: TokenKind, uses: u32) -> String {
        self.identity.create_token(spec(kind, uses), by(), NOW).await.unwrap()
    }

    async fn enrol(&self, token: &str, nonce: u8) -> Result<Enrolment, Denied> {
        self.identity.enrol(request(token, nonce, &key()), NOW).await
    }

    async fn known(&self, enrolment: &Enrolment) -> Result<Known, Denied> {
        self.identity.known(&leaf(enrolment), NOW).await.map(|(known, _)| known)
    }

    async fn revoke(&self, enrolment: &Enrolment) {
        let profile = crate::domain::labels::Profile { admission: Admission::Revoked, ..enrolment.profile.clone() };
        let host = profile.no;
        self.store.commit(vec![Row::Host(Box::new(profile))]).await.unwrap();
        self.identity.admission_changed(host, Admission::Revoked).await.unwrap();
    }

    async fn hosts(&self) -> usize {
        self.store.load().await.unwrap().hosts.len()
    }
}

fn by() -> AuditRow {
    AuditRow {
        at: NOW,
        who: "ada".into(),
        from: "socket".into(),
        action: "token.create".into(),
        subject: String::new(),
        detail: String::new(),
    }
}

fn spec(kind: TokenKind, uses: u32) -> TokenSpec {
    TokenSpec {
        kind,
        ttl_ms: 0,
        uses,
        from: Vec::new(),
        host: None,
        labels: Vec::new(),
        class: None,
        site: None,
        watch: None,
    }
}

fn key() -> KeyPair {
    KeyPair::generate().unwrap()
}

fn csr(key: &KeyPair) -> Vec<u8> {
    CertificateParams::default().serialize_request(key).unwrap().der().to_vec()
}

fn request(token: &str, nonce: u8, key: &KeyPair) -> EnrolFacts {
    EnrolFacts {
        token: token.to_owned(),
        csr: csr(key),
        nonce: vec![nonce; 16],
        fingerprint: machine(nonce),
        facts: Facts { name: "web".into(), ..Facts::default() },
        labels: Vec::new(),
        peer: IpAddr::from([10, 0, 0, 7]),
    }
}

fn machine(n: u8) -> Vec<(String, Vec<u8>)> {
    ["machine_id", "product_uuid", "root_fs_uuid"].map(|kind| (kind.to_owned(), vec![n; 16])).into()
}

fn leaf(enrolment: &Enrolment) -> Vec<u8> {
    let length = u32::from_be_bytes(enrolment.chain[..4].try_into().unwrap()) as usize;
    enrolment.chain[4..4 + length].to_vec()
}

/// Of the first certificate of these bytes.
fn x509_length(der: &[u8]) -> usize {
    der.len() - x509_parser::parse_x509_certificate(der).unwrap().0.len()
}

fn parsed(der: &[u8]) -> X509Certificate<'_> {
    x509_parser::parse_x509_certificate(der).unwrap().1
}

fn presented(generation: u64, fingerprint: Vec<(String, Vec<u8>)>) -> Presented {
    Presented { generation, boot_id: [1; 16], fingerprint, peer: IpAddr::from([10, 0, 0, 7]) }
}

#[tokio::test]
async fn a_token_that_is_used_expired_revoked_or_made_up_is_refused_without_a_trace() {
    let world = World::new();
    let token = world.token(TokenKind::Single, 1).await;
    assert!(world.enrol(&token, 1).await.unwrap().created);
    assert!(matches!(world.enrol(&token, 2).await, Err(Denied::UsedToken)));

    let token = world.token(TokenKind::Single, 1).await;
    let late = world.identity.enrol(request(&token, 3, &key()), NOW.plus_ms(HOUR_MS)).await;
    assert!(matches!(late, Err(Denied::ExpiredToken(at)) if at == NOW.plus_ms(HOUR_MS)));
    let id = token.split('_').nth(1).unwrap();
    assert!(world.identity.revoke_token(id, by()).await.unwrap());
    assert!(!world.identity.revoke_token(id, by()).await.unwrap());
    assert!(matches!(world.enrol(&token, 3).await, Err(Denied::UnknownToken)));

    let good = world.token(TokenKind::Single, 1).await;
    let (rest, pin) = good.rsplit_once('_').unwrap();
    let other_pin = format!("{rest}_{}", "0".repeat(pin.len()));
    let other_secret = good.replacen(&rest[13..20], "AAAAAAA", 1);
    for made_up in ["", "mu1", "mu1_a_b_c", &good[1..], &other_pin, &other_secret] {
        assert!(matches!(world.enrol(made_up, 4).await, Err(Denied::UnknownToken)), "{made_up}");
    }
    assert_eq!(world.hosts().await, 1);
    assert_eq!(world.identity.tokens(NOW).await.unwrap().len(), 1);
    // One millisecond before its end it works.
    assert!(world.identity.enrol(request(&good, 5, &key()), NOW.plus_ms(HOUR_MS - 1)).await.is_ok());
}

#[tokio::test]
async fn the_501st_use_of_a_batch_token_is_refused() {
    let world = World::new();
    let token = world.token(TokenKind::Batch, 500).await;
    let one = key();
    for n in 0..500_u32 {
        let mut request = request(&token, 0, &one);
        request.nonce[..4].copy_from_slice(&n.to_be_bytes());
        world.identity.enrol(request, NOW).await.unwrap();
    }
    assert!(matches!(world.enrol(&token, 255).await, Err(Denied::UsedToken)));
    let hosts = world.store.load().await.unwrap().hosts;
    assert_eq!((hosts[0].name.as_str(), hosts[499].name.as_str()), ("web", "web-500"));
}

#[tokio::test]
async fn limits_of_tokens_are_named() {
    let world = World::new();
    let day = TokenSpec { ttl_ms: DAY_MS + 1, ..spec(TokenKind::Single, 1) };
    let reserved = TokenSpec { labels: vec![("instance".into(), "x".into())], ..spec(TokenKind::Single, 1) };
    for (spec, named) in [
        (day, "24 h"),
        (spec(TokenKind::Batch, 501), "at most 500 uses"),
        (spec(TokenKind::Single, 2), "at most 1 uses"),
        (spec(TokenKind::Replace, 1), "--host"),
        (reserved, "reserved"),
    ] {
        let refused = world.identity.create_token(spec, by(), NOW).await.unwrap_err().to_string();
        assert!(refused.contains(named), "{refused}");
    }
    assert!(world.store.audit(9).await.unwrap().is_empty());
}

#[tokio::test]
async fn ten_retries_after_a_lost_reply_make_one_host() {
    let world = World::new();
    let token = world.token(TokenKind::Single, 1).await;
    let one = key();
    let first = world.identity.enrol(request(&token, 1, &one), NOW).await.unwrap();
    for _ in 0..10 {
        let again = world.identity.enrol(request(&token, 1, &one), NOW.plus_ms(2 * HOUR_MS)).await.unwrap();
        assert_eq!((again.created, again.profile.id), (false, first.profile.id));
        assert_eq!(again.chain, first.chain);
    }
    assert_eq!(world.hosts().await, 1);
    assert!(matches!(world.enrol(&token, 1).await, Err(Denied::BadRequest(_))), "another key");
}

#[tokio::test]
async fn of_two_agents_with_one_single_use_token_one_wins() {
    let world = World::new();
    let token = world.token(TokenKind::Single, 1).await;
    let (one, two) = tokio::join!(world.enrol(&token, 1), world.enrol(&token, 2));
    assert_eq!([&one, &two].iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!([one, two].iter().any(|outcome| matches!(outcome, Err(Denied::UsedToken))));
    assert_eq!(world.hosts().await, 1);
}

#[tokio::test]
async fn a_request_for_a_ca_certificate_gets_a_host_certificate_with_our_name() {
    let world = World::new();
    let token = world.token(TokenKind::Single, 1).await;
    let one = key();
    let mut asked = CertificateParams::new(vec!["collector.example".to_owned()]).unwrap();
    asked.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    asked.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ServerAuth];
    asked.not_after = rcgen::date_time_ymd(2400, 1, 1);
    let csr = asked.serialize_request(&one).unwrap().der().to_vec();
    assert!(
        CertificateSigningRequestParams::from_der(&csr.as_slice().into()).unwrap().params.is_ca != rcgen::IsCa::NoCa
    );
    let enrolment = world.identity.enrol(EnrolFacts { csr, ..request(&token, 1, &one) }, NOW).await.unwrap();

    let der = leaf(&enrolment);
    let certificate = parsed(&der);
    let name = format!("muster://{}/host/{}", world.identity.collector_id(), enrolment.profile.id);
    assert!(!certificate.is_ca());
    assert_eq!(certificate.subject().to_string(), format!("CN={name}"));
    let names = &certificate.subject_alternative_name().unwrap().unwrap().value.general_names;
    assert_eq!(format!("{names:?}"), format!("[URI({name:?})]"));
    let usage = certificate.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth && !usage.any);
    assert_eq!(certificate.raw_serial().len(), 16);
    let seconds = (certificate.validity().not_before.timestamp(), certificate.validity().not_after.timestamp());
    assert_eq!(seconds, (NOW.ms() / 1_000 - 300, (NOW.ms() + 30 * DAY_MS) / 1_000));
    let rest = &enrolment.chain[8 + der.len()..];
    let (between, last) = (parsed(rest), parsed(&rest[x509_length(rest) + 4..]).public_key().raw.to_vec());
    assert_eq!(certificate.issuer().as_raw(), between.subject().as_raw());
    assert!(between.is_ca() && token.ends_with(&super::hex(&super::sha256(&last)[..16])));
}

#[tokio::test]
async fn requests_of_other_keys_sizes_and_signers_are_refused() {
    let world = World::new();
    let token = world.token(TokenKind::Single, 1).await;
    let p384 = csr(&KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap());
    let mut forged = csr(&key());
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let mut longer = csr(&key());
    longer.push(0);
    for bad in [p384, forged, longer, Vec::new(), vec![0x30; 4097], vec![0x30; 1024 * 1024], b"RSA".to_vec()] {
        let outcome = world.identity.enrol(EnrolFacts { csr: bad, ..request(&token, 1, &key()) }, NOW).await;
        assert!(matches!(outcome, Err(Denied::BadRequest(_))), "{outcome:?}");
    }
    assert_eq!(world.hosts().await, 0);
    let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    assert!(world.identity.enrol(request(&token, 1, &ed25519), NOW).await.is_ok());
}

#[tokio::test]
async fn a_replace_token_keeps_the_record_and_voids_the_old_certificate() {
    let world = World::new();
    let first = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let old = world.known(&first).await.unwrap();
    world.identity.begin_session(&old, &presented(0, machine(1)), NOW).await.unwrap();
    let bound = TokenSpec { host: Some(first.profile.id), ..spec(TokenKind::Replace, 1) };
    let token = world.identity.create_token(bound, by(), NOW).await.unwrap();
    let second = world.enrol(&token, 2).await.unwrap();
    assert_eq!((second.created, second.profile.no, second.profile.id), (false, first.profile.no, first.profile.id));
    assert!(matches!(world.known(&first).await, Err(Denied::UnknownCertificate)));
    let new = world.known(&second).await.unwrap();
    let standing = world.identity.begin_session(&new, &presented(0, machine(2)), NOW).await.unwrap();
    assert_eq!(standing, Standing::Fine(1));
    // Void for good, even when the database is lost.
    let world = world.without_state();
    assert!(matches!(world.known(&first).await, Err(Denied::UnknownCertificate)));
    assert!(world.known(&second).await.is_ok());
}

impl World {
    fn reopened(self) -> tempfile::TempDir {
        let Self { directory, identity, store } = self;
        drop((identity, store));
        directory
    }
}

#[tokio::test]
async fn unused_certificates_do_not_pile_up() {
    let world = World::new();
    let first = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let known = world.known(&first).await.unwrap();
    let oldest = world.identity.renew(&known, &csr(&key()), NOW.plus_ms(-1_000)).await.unwrap();
    for _ in 0..4 {
        world.identity.renew(&known, &csr(&key()), NOW).await.unwrap();
    }
    assert!(matches!(world.known(&oldest).await, Err(Denied::UnknownCertificate)));
    assert!(world.known(&first).await.is_ok());
}

#[tokio::test]
async fn copies_are_told_from_snapshots_and_lost_answers() {
    let world = World::new();
    let enrolment = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let known = world.known(&enrolment).await.unwrap();
    let begin = |generation, fingerprint| {
        let (identity, known) = (world.identity.clone(), known.clone());
        async move { identity.begin_session(&known, &presented(generation, fingerprint), NOW).await.unwrap() }
    };
    assert_eq!(begin(0, machine(1)).await, Standing::Fine(1));
    assert_eq!(begin(0, machine(1)).await, Standing::Fine(2), "the answer was lost");
    assert_eq!(begin(2, machine(1)).await, Standing::Fine(3));
    assert_eq!(begin(1, machine(9)).await, Standing::Clone);
    let mut copied_disk = machine(1);
    copied_disk[1].1 = vec![9; 16];
    assert_eq!(begin(1, copied_disk).await, Standing::Clone, "another product_uuid");
    assert_eq!(begin(1, machine(1)).await, Standing::Restored(4));
    assert_eq!(begin(4, machine(1)).await, Standing::Fine(5));
    let mut new_disk = machine(1);
    new_disk[2].1 = vec![9; 16];
    assert_eq!(begin(1, new_disk).await, Standing::Restored(6), "one swapped part is no other machine");
    assert_eq!(begin(90, machine(1)).await, Standing::Fine(91), "the collector was restored from a backup");
    assert!(matches!(begin(u64::MAX, machine(1)).await, Standing::Fine(_)));
    assert!(matches!(begin(u64::MAX, machine(1)).await, Standing::Fine(_)));
}

#[tokio::test]
async fn a_revoked_host_is_out_and_stays_out_of_batch_tokens_even_without_its_database() {
    let world = World::new();
    let batch = world.token(TokenKind::Batch, 5).await;
    let enrolment = world.enrol(&batch, 1).await.unwrap();
    let spent = world.token(TokenKind::Single, 1).await;
    world.enrol(&spent, 3).await.unwrap();
    assert!(world.known(&enrolment).await.is_ok());
    world.revoke(&enrolment).await;
    let check = async |world: &World, nonce| {
        assert!(matches!(world.known(&enrolment).await, Err(Denied::NotAdmitted { .. })));
        let again = EnrolFacts { nonce: vec![nonce; 16], ..request(&batch, 1, &key()) };
        assert!(matches!(world.identity.enrol(again, NOW).await, Err(Denied::NotAdmitted { .. })));
        assert!(matches!(world.enrol(&spent, nonce).await, Err(Denied::UsedToken)));
    };
    check(&world, 50).await;
    let world = world.without_state();
    check(&world, 51).await;
    assert_eq!(world.identity.tokens(NOW).await.unwrap()[0].uses_left, 4);
    // Others of that batch are as welcome as before.
    assert!(world.enrol(&batch, 2).await.is_ok());
    let by_hand = world.token(TokenKind::Single, 1).await;
    let again = EnrolFacts { nonce: vec![60; 16], ..request(&by_hand, 1, &key()) };
    assert!(world.identity.enrol(again, NOW).await.unwrap().created, "by hand it may");
}

#[tokio::test]
async fn a_host_whose_records_are_lost_is_known_by_its_certificate() {
    let world = World::new();
    let enrolment = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let world = world.without_state();
    assert_eq!(world.hosts().await, 0);
    let (known, profile) = world.identity.known(&leaf(&enrolment), NOW).await.unwrap();
    assert_eq!((known.id, profile.id), (enrolment.profile.id, enrolment.profile.id));
    assert_eq!(world.identity.take_recovered(known.no), Some(profile));
    assert_eq!(world.identity.take_recovered(known.no), None);
    assert_eq!(world.known(&enrolment).await.unwrap().no, known.no);
    // Certificates of another collector say nothing here.
    let other = World::new();
    assert!(matches!(other.known(&enrolment).await, Err(Denied::UnknownCertificate)));
    assert!(matches!(other.identity.known(b"", NOW).await, Err(Denied::UnknownCertificate)));
}

#[tokio::test]
async fn a_collector_clock_that_is_years_off_neither_breaks_enrolment_nor_renewal() {
    let world = World::new();
    for (nonce, now) in
        [NOW.plus_ms(-3_650 * DAY_MS), NOW.plus_ms(DAY_MS), NOW.plus_ms(600_000)].into_iter().enumerate()
    {
        let token = world.identity.create_token(spec(TokenKind::Single, 1), by(), now).await.unwrap();
        let nonce = u8::try_from(nonce).unwrap();
        let enrolment = world.identity.enrol(request(&token, nonce, &key()), now).await.unwrap();
        let (known, _) = world.identity.known(&leaf(&enrolment), now).await.unwrap();
        for later in [now, Timestamp::from_ms(i64::MIN), Timestamp::from_ms(i64::MAX)] {
            // Beyond the ends of time it may refuse, but answers.
            let outcome = world.identity.renew(&known, &csr(&key()), later).await;
            assert!(outcome.is_ok() || later != now, "{outcome:?}");
        }
    }
    assert_eq!(world.hosts().await, 3);
}

#[tokio::test]
async fn labels_come_from_guess_agent_token_and_rules_in_this_order() {
    let world = World::new();
    let rule = HostRule {
        name: Some("LAP*-?".into()),
        says: [("site", "home"), ("team", "rule")].map(|(name, value)| (name.into(), value.into())).into(),
        ..HostRule::default()
    };
    let identity = world.identity.clone().with_rules(vec![rule]);
    let spec = TokenSpec {
        labels: vec![("team".into(), "token".into()), ("owner".into(), "token".into())],
        site: Some("office".into()),
        ..spec(TokenKind::Single, 1)
    };
    let token = identity.create_token(spec, by(), NOW).await.unwrap();
    let own = [("team", "own"), ("owner", "own"), ("floor", "3"), ("__x", "no"), ("host", "no"), ("bad", "a\nb")];
    let facts = Facts { name: "lap\u{202e}top \n1".into(), chassis: "laptop".into(), ..Facts::default() };
    let labels = own.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let enrolment = identity.enrol(EnrolFacts { facts, labels, ..request(&token, 1, &key()) }, NOW).await.unwrap();
    let profile = enrolment.profile;
    assert_eq!(
        (profile.name.as_str(), profile.class, profile.watch),
        ("lap-top--1", Class::Workstation, Watch::Relaxed)
    );
    assert_eq!(profile.site.as_deref(), Some("home"));
    let labels: Vec<_> = profile.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(labels, ["floor=3", "owner=token", "team=rule"]);
    let sources = profile.layers.sources();
    let sources: Vec<_> = sources.iter().map(|(name, source)| format!("{name}={}", source.word())).collect();
    assert_eq!(sources, ["class=guess", "floor=agent", "owner=token", "site=rule", "team=rule"]);
    let team: Vec<_> = profile.layers.about("team").map(|(layer, value)| (layer.word(), value)).collect();
    assert_eq!(team, [("agent", "own"), ("token", "token"), ("rule", "rule")]);
}

#[test]
fn a_key_that_others_may_read_or_that_is_not_whole_is_refused_in_clear_words() {
    let open = |directory: &Path| {
        let store = Store::open(directory, NOW).unwrap();
        Identity::open(directory, store, NOW)
            .map(|identity| identity.pin().to_owned())
            .map_err(|error| error.to_string())
    };
    let directory = tempfile::tempdir().unwrap();
    let pin = open(directory.path()).unwrap();
    assert_eq!(open(directory.path()).unwrap(), pin);
    let path = directory.path().join("authority/root.key.pem");
    let whole = fs::read(&path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let refused = open(directory.path()).unwrap_err();
    assert!(refused.contains("0644") && refused.contains("chmod 0600"), "{refused}");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    for bad in [&b""[..], &whole[..whole.len() / 2], b"\xff\xfe", key().serialize_pem().as_bytes()] {
        fs::write(&path, bad).unwrap();
        let refused = open(directory.path()).unwrap_err();
        assert!(refused.contains("root.") && refused.contains("restore"), "{refused}");
    }
    fs::write(&path, &whole).unwrap();
    if std::os::unix::fs::chown(&path, Some(4_242), None).is_ok() {
        let refused = open(directory.path()).unwrap_err();
        assert!(refused.contains("belongs to user 4242"), "{refused}");
        std::os::unix::fs::chown(&path, Some(rustix::process::geteuid().as_raw()), None).unwrap();
    }
    assert_eq!(open(directory.path()).unwrap(), pin);
}

#[test]
fn server_certificates_are_renewed_at_half_of_their_life() {
    let world = World::new();
    world.identity.agent_tls(NOW).unwrap();
    world.identity.web_tls(&["127.0.0.1".to_owned(), "muster.example".to_owned()], NOW).unwrap();
    let half = NOW.plus_ms(45 * DAY_MS);
    assert_eq!(world.identity.renew_server_certificates(half.plus_ms(-1)).unwrap(), 0);
    assert_eq!(world.identity.renew_server_certificates(half).unwrap(), 2);
    assert_eq!(world.identity.renew_server_certificates(half).unwrap(), 0);
    assert!(world.directory.path().join("authority/ledger.json").exists());
}
