//! What is found of the hardware becomes records, once, unless they are lost.

use super::*;
use crate::hardware::{Found, SOURCES};

fn batch(said: &str) -> Batch {
    let source = SOURCES.iter().find(|source| source.name == "drives").unwrap();
    let found = vec![Found::read("smartctl-json", "sda", said.into(), String::new())];
    Batch { source, found, position: None }
}

async fn said(call: &mut Call) -> (u64, String) {
    let record = call.record().await;
    let Some(v1::record::Body::Evidence(evidence)) = record.body else { panic!("{:?}", record.body) };
    (record.sequence, String::from_utf8(evidence.payload).unwrap())
}

#[tokio::test]
async fn what_is_found_is_told_once_until_it_differs() {
    let (world, mut uplink) = world(0).await;
    let (found, hardware) = mpsc::channel(1);
    uplink.parts.hardware = Some(hardware);
    play_on(world, uplink, async |world| {
        let (mut call, _) = accept(world, 0).await;
        for said in ["one", "one", "two"] {
            found.send(batch(said)).await.unwrap();
        }
        assert_eq!(said(&mut call).await, (1, "one".into()));
        assert_eq!(said(&mut call).await, (2, "two".into()), "what is the same is not told again");
    })
    .await;
}

#[tokio::test]
async fn where_records_were_lost_everything_is_told_again() {
    let (_world, mut uplink) = world(0).await;
    for said in ["one", "one"] {
        uplink.found(batch(said));
    }
    assert_eq!(uplink.parts.spool.last(), 1);
    let (now, too_large) = (clock::now(), vec![0; (1 << 20) + 1]);
    assert_eq!(uplink.parts.spool.append(Kind::Bulk, now, too_large), 2, "it is lost, whatever it was");
    uplink.tell_losses(now);
    let before = uplink.parts.spool.last();
    uplink.found(batch("one"));
    assert_eq!(uplink.parts.spool.last(), before + 1);
}
