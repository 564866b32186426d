//! Renewals that break off halfway, and a ledger that is written only when it has to be.

use std::os::unix::fs::MetadataExt;

use super::*;

impl World {
    async fn begins(&self, enrolment: &Enrolment) -> Result<Standing, Denied> {
        let known = self.known(enrolment).await?;
        self.identity.begin_session(&known, &presented(0, machine(1)), NOW).await
    }

    fn ledger_inode(&self) -> u64 {
        fs::metadata(self.directory.path().join("authority/ledger.json")).unwrap().ino()
    }
}

#[tokio::test]
async fn both_certificates_are_valid_until_a_session_began_with_the_new_one() {
    let world = World::new();
    let first = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let known = world.known(&first).await.unwrap();
    // The first answer was lost before the agent had it; it asks again with the old certificate.
    let lost = world.identity.renew(&known, &csr(&key()), NOW).await.unwrap();
    let second = world.identity.renew(&known, &csr(&key()), NOW).await.unwrap();
    let world = World::at(world.reopened());
    let waiting = world.known(&lost).await.unwrap();
    // A request alone proves nothing: the session that follows it may break off.
    assert!(world.known(&second).await.is_ok());
    assert!(world.begins(&first).await.is_ok());
    assert!(world.begins(&second).await.is_ok());
    for void in [&first, &lost] {
        assert!(matches!(world.known(void).await, Err(Denied::UnknownCertificate)));
    }
    let late = world.identity.begin_session(&waiting, &presented(0, machine(1)), NOW).await;
    assert!(matches!(late, Err(Denied::UnknownCertificate)), "{late:?}");
    assert!(matches!(world.identity.renew(&known, &csr(&key()), NOW).await, Err(Denied::UnknownCertificate)));
    let over = NOW.plus_ms(30 * DAY_MS);
    assert!(matches!(world.identity.known(&leaf(&second), over).await, Err(Denied::UnknownCertificate)));
    assert!(world.identity.known(&leaf(&second), over.plus_ms(-1_000)).await.is_ok());
}

#[tokio::test]
async fn a_copy_that_uses_a_renewed_certificate_does_not_void_the_old_one() {
    let world = World::new();
    let first = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let known = world.known(&first).await.unwrap();
    for generation in [0, 1, 2] {
        world.identity.begin_session(&known, &presented(generation, machine(1)), NOW).await.unwrap();
    }
    let second = world.identity.renew(&known, &csr(&key()), NOW).await.unwrap();
    let copied = world.known(&second).await.unwrap();
    let standing = world.identity.begin_session(&copied, &presented(0, machine(9)), NOW).await.unwrap();
    assert_eq!(standing, Standing::Clone);
    assert!(world.known(&first).await.is_ok());
}

#[tokio::test]
async fn certificates_that_renewals_replaced_stay_void_when_the_database_is_lost() {
    let world = World::new();
    let first = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let mut all = vec![first];
    for _ in 0..3 {
        let known = world.known(all.last().unwrap()).await.unwrap();
        let next = world.identity.renew(&known, &csr(&key()), NOW).await.unwrap();
        world.begins(&next).await.unwrap();
        all.push(next);
    }
    let world = world.without_state();
    for void in &all[..3] {
        assert!(matches!(world.known(void).await, Err(Denied::UnknownCertificate)));
    }
    assert!(world.known(&all[3]).await.is_ok());
}

#[tokio::test]
async fn the_ledger_is_written_only_when_it_says_something_else() {
    let world = World::new();
    let enrolment = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let host = enrolment.profile.no;
    let before = world.ledger_inode();
    for admission in [Admission::Active, Admission::Suspended, Admission::Active] {
        world.identity.admission_changed(host, admission).await.unwrap();
    }
    assert_eq!(world.ledger_inode(), before);
    world.revoke(&enrolment).await;
    let revoked = world.ledger_inode();
    assert_ne!(revoked, before);
    world.identity.admission_changed(host, Admission::Revoked).await.unwrap();
    assert_eq!(world.ledger_inode(), revoked);
    world.identity.admission_changed(host, Admission::Active).await.unwrap();
    assert_ne!(world.ledger_inode(), revoked);
}

#[tokio::test]
async fn a_revocation_that_the_disk_refused_is_written_with_the_next_row() {
    let world = World::new();
    let enrolment = world.enrol(&world.token(TokenKind::Single, 1).await, 1).await.unwrap();
    let blocked = world.directory.path().join("authority/ledger.json.new");
    fs::create_dir(&blocked).unwrap();
    let profile = crate::domain::labels::Profile { admission: Admission::Revoked, ..enrolment.profile.clone() };
    world.store.commit(vec![Row::Host(Box::new(profile))]).await.unwrap();
    assert!(world.identity.admission_changed(enrolment.profile.no, Admission::Revoked).await.is_err());
    fs::remove_dir(&blocked).unwrap();
    world.identity.admission_changed(enrolment.profile.no, Admission::Revoked).await.unwrap();
    let world = world.without_state();
    assert!(matches!(world.known(&enrolment).await, Err(Denied::NotAdmitted { .. })));
}
