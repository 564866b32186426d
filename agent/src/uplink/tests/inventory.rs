//! The inventory is told section by section, remembered when it is acknowledged, and in full where hashes differ.

use std::sync::{Arc, Mutex};

use super::super::inventory::{Plan, Telling};
use super::*;
use crate::inventory::SECTIONS;
use crate::inventory::tell::{Order, Wanted, tell};
use crate::inventory::testing::Machine;

/// So often, where a story wants to see many of them.
const OFTEN: Duration = Duration::from_millis(20);
/// So seldom that one more is none of the interval.
const SELDOM: Duration = Duration::from_secs(3600);

/// A machine whose inventory is taken, and what was ordered.
struct Taken {
    machine: Machine,
    orders: Mutex<Vec<Order>>,
}

impl Taken {
    fn version(&self, version: &str) {
        let status = format!("Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n");
        self.machine.file("var/lib/dpkg/status", status);
    }
}

/// An uplink whose inventory is that of a captured machine of one package.
async fn telling(interval: Duration) -> (World, Uplink, Arc<Taken>) {
    let (world, mut uplink) = world(0).await;
    let taken = Arc::new(Taken { machine: Machine::new(), orders: Mutex::default() });
    taken.version("1");
    let (own, state) = (Arc::clone(&taken), world.state.clone());
    let take = move |order: &Order| {
        own.orders.lock().unwrap().push(order.clone());
        let off = SECTIONS.iter().map(|source| source.name.to_owned()).filter(|name| name != "packages").collect();
        tell(
            &own.machine.host(),
            &Wanted { off, ..Wanted::default() },
            order,
            &state,
            crate::report::inventory_messages,
        )
        .unwrap();
    };
    uplink.telling = Telling::new(Some(Plan { interval, take: Arc::new(take) }), &world.state);
    (world, uplink, taken)
}

async fn acknowledge(call: &Call, world: &World, through: u64) {
    call.tell(Told::Ack(v1::Ack { epoch: world.epoch.clone(), through, ..Default::default() })).await;
}

/// The next that is told of packages; all that is told before and with it is acknowledged.
async fn packages(call: &mut Call, world: &World) -> (u64, v1::InventoryDelta) {
    section(call, world, "packages").await
}

/// The same of any section.
async fn section(call: &mut Call, world: &World, name: &str) -> (u64, v1::InventoryDelta) {
    loop {
        let record = call.record().await;
        let Some(v1::record::Body::Inventory(delta)) = record.body else { panic!("{:?}", record.body) };
        acknowledge(call, world, record.sequence).await;
        if delta.section == name {
            return (record.sequence, delta);
        }
    }
}

fn version(delta: &v1::InventoryDelta) -> &str {
    let fields = &delta.put[0].durable;
    let at = fields.iter().position(|name| name == "version").unwrap();
    &fields[at + 1]
}

async fn accept_with(world: &mut World, through: u64, hash: &[u8]) -> (Call, v1::Hello) {
    let mut call = world.calls.recv().await.unwrap();
    let hello = call.hello().await;
    let sections = vec![v1::SectionHash { section: "packages".to_owned(), hash: hash.to_vec() }];
    call.tell(Told::Welcome(v1::Welcome { sections, ..welcome(world, through) })).await;
    (call, hello)
}

#[tokio::test]
async fn a_section_is_told_in_full_once_and_then_only_what_differs() {
    let (world, uplink, taken) = telling(OFTEN).await;
    play_on(world, uplink, async |world| {
        let (mut call, hello) = accept(world, 0).await;
        assert_eq!(hello.inventory_hash, b"", "nobody has anything of it");
        let (_, first) = packages(&mut call, world).await;
        assert_eq!((first.full, version(&first), first.base_hash.len()), (true, "1", 0));
        taken.version("2");
        let (_, second) = packages(&mut call, world).await;
        assert_eq!((second.full, version(&second)), (false, "2"));
        assert_eq!(second.base_hash, first.new_hash, "it builds on what was acknowledged");
    })
    .await;
}

#[tokio::test]
async fn what_the_collector_has_is_not_told_again_and_what_it_has_not_is_told_in_full() {
    let (world, uplink, taken) = telling(OFTEN).await;
    play_on(world, uplink, async |world| {
        let (mut call, _) = accept(world, 0).await;
        let (through, first) = packages(&mut call, world).await;
        drop(call);
        let (mut call, hello) = accept_with(world, through, &first.new_hash).await;
        assert_eq!(hello.inventory_hash.len(), 16);
        taken.version("2");
        let (through, second) = packages(&mut call, world).await;
        assert_eq!((second.full, &second.base_hash), (false, &first.new_hash));
        drop(call);
        let (mut call, _) = accept_with(world, through, &first.new_hash).await;
        let (_, third) = packages(&mut call, world).await;
        assert_eq!((third.full, version(&third)), (true, "2"), "it forgot what it had acknowledged");
    })
    .await;
}

#[tokio::test]
async fn a_section_that_is_asked_for_comes_in_full_at_once_and_alone() {
    let (world, mut uplink, taken) = telling(SELDOM).await;
    uplink.telling.hasten();
    play_on(world, uplink, async |world| {
        let (mut call, _) = accept(world, 0).await;
        // The last by name: nothing is under way any more.
        section(&mut call, world, "volumes").await;
        for (id, section) in [(1, "packages"), (2, "pakages\u{1b}")] {
            let what = Some(v1::ask::What::Section(section.to_owned()));
            call.tell(Told::Ask(v1::Ask { id, what })).await;
        }
        let answer = |body| if let Body::Answer(answer) = body { Some(answer.error) } else { None };
        assert_eq!(call.until(answer).await, "");
        let refused = call.until(answer).await;
        assert!(refused.starts_with("\"pakages\\u{1b}\" is no section known to this agent: expected "), "{refused}");
        let (_, again) = packages(&mut call, world).await;
        assert!(again.full);
        let orders = taken.orders.lock().unwrap().clone();
        assert_eq!(orders.len(), 2, "{orders:?}");
        assert_eq!((orders[1].full.clone(), orders[1].only), (vec!["packages".to_owned()], true));
    })
    .await;
}

#[tokio::test]
async fn records_under_way_when_the_stream_breaks_count_when_the_collector_says_that_it_has_them() {
    let (world, uplink, taken) = telling(OFTEN).await;
    play_on(world, uplink, async |world| {
        let (mut call, _) = accept(world, 0).await;
        let (through, first) = loop {
            let record = call.record().await;
            let Some(v1::record::Body::Inventory(delta)) = record.body else { panic!("{:?}", record.body) };
            if delta.section == "packages" {
                break (record.sequence, delta);
            }
            acknowledge(&call, world, record.sequence).await;
        };
        assert!(!world.state.file("inventory-packages.kept").exists(), "nobody has acknowledged it");
        assert_eq!(Telling::new(None, &world.state).pending_section(), Some("packages"), "also after a restart");
        drop(call);
        taken.version("2");
        let (mut call, _) = accept_with(world, through, &first.new_hash).await;
        let (_, second) = packages(&mut call, world).await;
        assert_eq!((second.full, &second.base_hash), (false, &first.new_hash));
    })
    .await;
}
