//! Machines that start from an image wait for a person; whoever is refused is told of to whoever rolls out.

use super::*;

impl World {
    async fn admit(&self, enrolment: &Enrolment, admission: Admission) {
        let profile = crate::domain::labels::Profile { admission, ..enrolment.profile.clone() };
        self.store.commit(vec![Row::Host(Box::new(profile))]).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_comes_from_an_image_waits_until_a_person_lets_it_in() {
    let world = World::new();
    let token = world.token(TokenKind::Image, 2).await;
    let (first, second) = (key(), key());
    let waits = world.identity.enrol(request(&token, 1, &first), NOW).await.unwrap();
    assert_eq!((waits.profile.admission, waits.created), (Admission::Waiting, true));
    let again = world.identity.enrol(request(&token, 1, &first), NOW).await.unwrap();
    assert_eq!((again.profile.id, again.created), (waits.profile.id, false), "a lost answer is given again");
    let refused = world.known(&waits).await.unwrap_err();
    assert!(matches!(refused, Denied::NotAdmitted { admission: Admission::Waiting, .. }), "{refused}");
    assert!(refused.to_string().contains("host activate"), "{refused}");
    world.admit(&waits, Admission::Active).await;
    assert_eq!(world.known(&waits).await.unwrap().id, waits.profile.id);

    // One that was sent away does not come back with the same image.
    let sent = world.identity.enrol(request(&token, 2, &second), NOW).await.unwrap();
    world.revoke(&sent).await;
    assert!(matches!(world.known(&sent).await, Err(Denied::NotAdmitted { admission: Admission::Revoked, .. })));
    let used = world.enrol(&token, 3).await;
    assert!(matches!(used, Err(Denied::UsedToken | Denied::NotAdmitted { .. })), "{used:?}");
}

#[tokio::test]
async fn an_image_lives_for_a_month_and_no_longer_than_three() {
    let world = World::new();
    let token = world.token(TokenKind::Image, 1).await;
    let on = |days: i64| NOW.plus_ms(days * DAY_MS);
    assert_eq!(world.identity.tokens(on(29)).await.unwrap().len(), 1);
    assert_eq!(world.identity.tokens(on(30)).await.unwrap().len(), 0);
    assert!(matches!(world.identity.enrol(request(&token, 1, &key()), on(30)).await, Err(Denied::ExpiredToken(_))));
    let long = TokenSpec { ttl_ms: 91 * DAY_MS, ..spec(TokenKind::Image, 1) };
    let refused = world.identity.create_token(long, by(), NOW).await.unwrap_err().to_string();
    assert!(refused.contains("at most 2160 h"), "{refused}");
}

#[tokio::test]
async fn who_was_refused_is_said_with_the_reason_once_each() {
    let world = World::new();
    assert_eq!(world.identity.refusals(), []);
    for _ in 0..3 {
        world.enrol("mu1_no_token_at_all", 1).await.unwrap_err();
    }
    let token = world.token(TokenKind::Single, 1).await;
    world.enrol(&token, 1).await.unwrap();
    world.enrol(&token, 2).await.unwrap_err();
    let refusals = world.identity.refusals();
    let brief: Vec<_> = refusals.iter().map(|one| (one.token.as_str(), one.times)).collect();
    let id = token.split('_').nth(1).unwrap();
    assert_eq!(brief, [(id, 1), ("", 3)]);
    assert!(refusals[0].why.contains("no uses left") && refusals[1].why.contains("not known"), "{refusals:?}");
    assert!(!format!("{refusals:?}").contains(token.split('_').nth(2).unwrap()), "no secret is held");
    for n in 0..=250_u8 {
        let peer = IpAddr::from([10, 0, 1, n]);
        let facts = EnrolFacts { peer, ..request(&token, 3, &key()) };
        world.identity.enrol(facts, NOW).await.unwrap_err();
    }
    assert_eq!(world.identity.refusals().len(), 200);
}
