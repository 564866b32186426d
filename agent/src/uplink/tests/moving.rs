//! Machines that move to another network.

use super::*;

#[tokio::test]
async fn a_machine_that_has_moved_tries_at_once_unless_it_is_refused() {
    let (_world, mut uplink) = world(0).await;
    let later = Instant::now() + Duration::from_secs(50);
    uplink.open_at = Some(later);
    uplink.moving.forget_place();
    uplink.apply(Event::NetworkChanged);
    assert!(uplink.open_at.unwrap() < Instant::now() + Duration::from_secs(1));

    uplink.open_at = Some(later);
    uplink.apply(Event::NetworkChanged);
    assert_eq!(uplink.open_at, Some(later), "links came and went, and it is where it was");

    let message = "revoked".to_owned();
    uplink.apply(Event::Opened(Err(OpenError::Refused { address: "a:1".into(), message })));
    let asked_again = uplink.open_at;
    uplink.moving.forget_place();
    uplink.apply(Event::NetworkChanged);
    assert_eq!(uplink.open_at, asked_again, "the collector does not want it, wherever it is");
}

#[tokio::test]
async fn a_session_over_an_address_that_stays_is_kept_when_the_machine_moves() {
    let (mut world, mut uplink) = world(0).await;
    uplink.begin_opening();
    let opening = uplink.opening.take().unwrap();
    let (opened, (_call, _)) = tokio::join!(opening, accept(&mut world, 0));
    uplink.apply(Event::Opened(opened));
    assert!(uplink.session.is_some());
    uplink.moving.forget_place();
    uplink.apply(Event::NetworkChanged);
    assert!(uplink.session.is_some(), "loopback never goes");
}
