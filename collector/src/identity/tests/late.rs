//! Hosts that were away for longer than their certificate, and those who only say so.

use rcgen::SigningKey as _;

use super::*;
use crate::identity::LateRequest;

/// When a certificate of `NOW` ends: agents' certificates live for 30 days.
const END: Timestamp = NOW.plus_ms(30 * DAY_MS);

/// A host with the key that it keeps.
struct Host {
    key: KeyPair,
    enrolment: Enrolment,
}

impl World {
    async fn host(&self, nonce: u8) -> Host {
        let (key, token) = (key(), self.token(TokenKind::Single, 1).await);
        let enrolment = self.identity.enrol(request(&token, nonce, &key), NOW).await.unwrap();
        Host { key, enrolment }
    }

    /// What the host asks, as the protocol says it: by `key`, over purpose, collector, host, nonce and the request's digest.
    fn asks(&self, host: &Host, key: &KeyPair, next: &KeyPair) -> LateRequest {
        let (id, nonce, csr) = (*host.enrolment.profile.id.0.as_bytes(), [7; 16], csr(next));
        let digest = ring::digest::digest(&ring::digest::SHA256, &csr);
        let collector = self.identity.collector_id();
        let text = [b"muster recover v1", &collector.as_bytes()[..], &id, &nonce, digest.as_ref()].concat();
        let certificate = leaf(&host.enrolment);
        LateRequest { host: id, certificate, csr, nonce, signature: key.sign(&text).unwrap() }
    }

    async fn late(&self, host: &Host, now: Timestamp) -> Result<Host, Denied> {
        let next = key();
        let enrolment = self.identity.recover_late(&self.asks(host, &host.key, &next), now).await?;
        Ok(Host { key: next, enrolment })
    }

    async fn session(&self, host: &Host, generation: u64, now: Timestamp) {
        let (known, _) = self.identity.known(&leaf(&host.enrolment), now).await.unwrap();
        self.identity.begin_session(&known, &presented(generation, machine(1)), now).await.unwrap();
    }
}

#[tokio::test]
async fn a_host_is_back_by_its_key_until_ninety_days_after_its_certificate_and_not_later() {
    let world = World::new();
    let host = world.host(1).await;
    assert!(world.identity.known(&leaf(&host.enrolment), NOW.plus_ms(29 * DAY_MS)).await.is_ok(), "29 days away");
    let early = world.late(&host, NOW.plus_ms(29 * DAY_MS)).await;
    assert!(matches!(early, Err(Denied::BadRequest(ref why)) if why.contains("renew it")));
    // An answer that is lost can be asked for again; a collector that is started anew meanwhile knows as much.
    assert!(world.late(&host, NOW.plus_ms(31 * DAY_MS)).await.is_ok());
    let late = NOW.plus_ms(120 * DAY_MS);
    let world = World::starting(world.reopened(), late);
    let back = world.late(&host, late).await.unwrap();
    assert_eq!((back.enrolment.profile.id, back.enrolment.created), (host.enrolment.profile.id, false));
    world.session(&back, 0, late).await;

    let other = World::new();
    let host = other.host(1).await;
    let lapsed = other.late(&host, NOW.plus_ms(121 * DAY_MS)).await;
    assert!(matches!(lapsed, Err(Denied::Lapsed(end)) if end == END), "121 days away");
    assert!(lapsed.err().unwrap().to_string().contains("replace token"));
}

#[tokio::test]
async fn only_the_last_certificate_of_an_admitted_host_recovers_and_only_with_its_own_key() {
    let world = World::new();
    let (first, late) = (world.host(1).await, END.plus_ms(DAY_MS));
    let next = key();
    let asked = world.asks(&first, &first.key, &next);
    let refused = async |asked: LateRequest| {
        matches!(world.identity.recover_late(&asked, late).await, Err(Denied::UnknownCertificate))
    };
    let foreign = World::new();
    let stranger = foreign.host(1).await;
    assert!(refused(world.asks(&first, &key(), &next)).await, "signed by another key");
    assert!(refused(foreign.asks(&stranger, &stranger.key, &next)).await, "a certificate of another collector");
    assert!(refused(LateRequest { csr: csr(&key()), ..asked.clone() }).await, "another request than was signed");
    assert!(refused(LateRequest { nonce: [8; 16], ..asked.clone() }).await, "another nonce than was signed");
    assert!(refused(LateRequest { host: [9; 16], ..asked.clone() }).await, "the name of another host");
    let mut made_up = asked.clone();
    let last = made_up.certificate.len() - 1;
    made_up.certificate[last] ^= 1;
    assert!(refused(made_up).await, "a certificate that our root did not sign");
    assert!(refused(LateRequest { certificate: vec![0x30; 4], ..asked.clone() }).await, "no certificate at all");

    // Once a session began with the new one the old one is good for nothing, whatever the database says later.
    let back = world.late(&first, late).await.unwrap();
    world.session(&back, 0, late).await;
    assert!(refused(asked.clone()).await, "a certificate that was replaced");
    let world = World::starting(world.without_state().reopened(), late);
    let again = world.identity.recover_late(&asked, late).await;
    assert!(matches!(again, Err(Denied::UnknownCertificate)), "{again:?}");

    let world = World::new();
    let host = world.host(1).await;
    world.revoke(&host.enrolment).await;
    assert!(matches!(world.late(&host, late).await, Err(Denied::NotAdmitted { .. })), "a revoked host stays out");
}

#[tokio::test]
async fn a_host_that_is_late_for_the_fourth_time_needs_a_person() {
    let world = World::new();
    let (mut host, mut now) = (world.host(1).await, NOW);
    for generation in 0..3 {
        now = now.plus_ms(40 * DAY_MS);
        host = world.late(&host, now).await.unwrap();
        world.session(&host, generation, now).await;
    }
    now = now.plus_ms(40 * DAY_MS);
    let refused = world.late(&host, now).await;
    assert!(matches!(refused, Err(Denied::LateTooOften(3))));
    assert!(refused.err().unwrap().to_string().contains("replace token"));

    let replace = TokenSpec { host: Some(host.enrolment.profile.id), ..spec(TokenKind::Replace, 1) };
    let token = world.identity.create_token(replace, by(), now).await.unwrap();
    let key = key();
    let enrolment = world.identity.enrol(request(&token, 2, &key), now).await.unwrap();
    let host = Host { key, enrolment };
    assert!(world.late(&host, now.plus_ms(40 * DAY_MS)).await.is_ok(), "a person has looked at it");
}

#[tokio::test]
async fn a_collector_that_was_restored_to_before_an_issuer_knows_the_hosts_of_it() {
    let world = World::new();
    world.host(1).await;
    let later = NOW.plus_ms(91 * DAY_MS);
    let token = world.identity.create_token(spec(TokenKind::Single, 1), by(), later).await.unwrap();
    let enrolment = world.identity.enrol(request(&token, 2, &key()), later).await.unwrap();
    let directory = world.reopened();
    let issuers = || {
        let files = fs::read_dir(directory.path().join("authority")).unwrap().flatten();
        let mut files: Vec<_> = files.map(|file| file.file_name().into_string().unwrap()).collect();
        files.retain(|name| name.starts_with("issuer-"));
        files.sort();
        files
    };
    assert_eq!(issuers(), ["issuer-0001.der", "issuer-0002.der", "issuer-0002.key.pem"]);
    for file in ["issuer-0002.der", "issuer-0002.key.pem"] {
        fs::remove_file(directory.path().join("authority").join(file)).unwrap();
    }
    let world = World::at(directory).without_state();
    // TLS has verified the chain that the host brings along.
    let (known, _) = world.identity.known(&leaf(&enrolment), later).await.unwrap();
    assert_eq!(known.id, enrolment.profile.id);
}
