//! What happens while nobody listens: hours pass on clocks of the test.

use std::cell::Cell;
use std::sync::Arc;

use muster_proto::v1::record::Body as Fact;
use prost::Message as _;

use super::*;
use crate::alive::End;
use crate::probe;
use crate::probe::{Scratch, Section, Sink, Table};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

thread_local! {
    static NOW: Cell<Moment> = const { Cell::new(Moment { wall_ms: 1_795_000_000_000, boottime_ms: 5_000 }) };
}

fn test_clock() -> Moment {
    NOW.get()
}

fn pass(ms: u64) {
    let now = NOW.get();
    NOW.set(Moment { wall_ms: now.wall_ms + ms as i64, boottime_ms: now.boottime_ms + ms });
}

fn set_wall(by_ms: i64) {
    let now = NOW.get();
    NOW.set(Moment { wall_ms: now.wall_ms + by_ms, ..now });
}

/// One load and some file systems, as a report has them.
fn readings(section: &mut Section, value: f64) -> Gathered {
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(section, &mut scratch, NOW.get());
    sink.single("node_load1", probe::Kind::Gauge, "", value);
    sink.family("node_filesystem_avail_bytes", probe::Kind::Gauge, "");
    for mountpoint in ["/", "/srv", "/var"] {
        sink.sample(&[("mountpoint", mountpoint)], value);
    }
    sink.finish(Ok(())).1.unwrap();
    Gathered { table: Table { sections: vec![Arc::new(section.clone())] }, at: NOW.get(), sources: Vec::new() }
}

/// The agent runs for this long with nobody to hear it: a tick each second, a report each 15 s.
fn live(uplink: &mut Uplink, ms: u64) {
    let mut section = Section::new("x", Arc::default());
    for second in 0..ms / 1_000 {
        pass(1_000);
        if second % 15 == 0 {
            uplink.apply(Event::Gathered(readings(&mut section, second as f64)));
        }
        uplink.ticked();
    }
}

async fn alone(limits: Limits) -> (World, Uplink) {
    let (world, mut uplink) = world_at(0, limits, test_clock).await;
    uplink.renewal_tried_ms = Some(NOW.get().wall_ms);
    (world, uplink)
}

/// What is in the spool, oldest first.
fn facts(uplink: &mut Uplink) -> Vec<Fact> {
    uplink.parts.spool.sync(NOW.get());
    uplink.parts.spool.rewind(0);
    let kept: Vec<_> = std::iter::from_fn(|| uplink.parts.spool.next_unsent()).collect();
    kept.iter().map(|kept| v1::Record::decode(&kept.payload[..]).unwrap().body.unwrap()).collect()
}

fn gaps(facts: &[Fact]) -> Vec<&v1::Gap> {
    facts.iter().filter_map(|fact| if let Fact::Gap(gap) = fact { Some(gap) } else { None }).collect()
}

fn rollups(facts: &[Fact]) -> usize {
    facts.iter().filter(|fact| matches!(fact, Fact::Rollup(_))).count()
}

fn bytes_below(dir: &std::path::Path) -> u64 {
    let sizes = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len());
    sizes.sum()
}

#[tokio::test]
async fn a_day_without_a_collector_is_kept_as_roll_ups_and_proved_and_told_when_it_is_back() {
    let (mut world, mut uplink) = alone(Limits::default()).await;
    live(&mut uplink, DAY_MS);
    assert!(uplink.lull.is_some() && uplink.session.is_none());
    assert!(bytes_below(&world.state.file("spool")) < 2 * 1024 * 1024, "a day is a megabyte or so");
    assert!(bytes_below(world.state.path()) < 3 * 1024 * 1024);
    let facts = facts(&mut uplink);
    assert!((1_439..=1_441).contains(&rollups(&facts)) && gaps(&facts).is_empty(), "{} minutes", rollups(&facts));
    let told = facts.len() as u64;
    uplink.parts.spool.rewind(0);
    uplink.parts.spool.begin_again(NOW.get());
    world.epoch = uplink.parts.spool.epoch().to_vec();
    play_on(world, uplink, async |world| {
        let (mut call, hello) = accept(world, 0).await;
        let [alive] = &hello.alive[..] else { panic!("one life: {:?}", hello.alive) };
        let lived_ms = alive.to.unwrap().boottime_ms - alive.from.unwrap().boottime_ms;
        assert!(lived_ms >= DAY_MS - 20_000, "{lived_ms}");
        for _ in 0..told {
            let sequence = call.record().await.sequence;
            call.tell(Told::Ack(v1::Ack { epoch: world.epoch.clone(), through: sequence, ..Default::default() })).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_day_that_does_not_fit_loses_its_oldest_minutes_counts_them_as_a_gap_and_keeps_every_event() {
    let limits = Limits { segment_bytes: 8 * 1024, quota_bytes: 64 * 1024, ..Limits::default() };
    let (world, mut uplink) = alone(limits).await;
    for hour in 0..24_u64 {
        live(&mut uplink, HOUR_MS);
        let event = report::gap_record("kernel", NOW.get(), NOW.get(), hour, "an event");
        uplink.record(Kind::Urgent, NOW.get(), event);
    }
    assert!(bytes_below(&world.state.file("spool")) <= 64 * 1024 + 100);
    uplink.tell_losses(NOW.get());
    let facts = facts(&mut uplink);
    let events: Vec<u64> = gaps(&facts).iter().filter(|gap| gap.what == "kernel").map(|gap| gap.lost).collect();
    assert_eq!(events, (0..24).collect::<Vec<_>>());
    let lost: u64 = gaps(&facts).iter().filter(|gap| gap.what == "records").map(|gap| gap.lost).sum();
    let kept = rollups(&facts) as u64;
    assert!(kept > 100 && lost > 100 && (1_439..=1_441).contains(&(kept + lost)), "{kept} kept, {lost} lost");
    assert!(matches!(facts[facts.len() - 3], Fact::Rollup(_)), "the newest minutes are there");
}

#[tokio::test]
async fn eight_hours_of_sleep_are_one_gap_two_lives_no_clock_step_and_no_burst_of_reports() {
    let (_world, mut uplink) = alone(Limits::default()).await;
    live(&mut uplink, 120_000);
    pass(8 * HOUR_MS);
    uplink.ticked();
    live(&mut uplink, 120_000);
    let facts = facts(&mut uplink);
    let gaps = gaps(&facts);
    let [gap] = gaps[..] else { panic!("{gaps:?}") };
    assert_eq!((gap.what.as_str(), gap.reason.as_str()), ("readings", "the machine slept for 28800 s"));
    let slept_ms = gap.to.unwrap().boottime_ms - gap.from.unwrap().boottime_ms;
    assert_eq!(slept_ms, 8 * HOUR_MS);
    assert!(!facts.iter().any(|fact| matches!(fact, Fact::ClockStep(_))), "both clocks went on");
    assert!(rollups(&facts) <= 5, "{}", rollups(&facts));
    let lives: Vec<End> = uplink.alive.spans().map(|span| span.end).collect();
    assert_eq!(lives, [End::Unknown, End::Open]);
}

#[tokio::test]
async fn a_wall_clock_set_back_an_hour_and_forward_a_day_is_recorded_as_such_and_moves_nothing_else() {
    let (_world, mut uplink) = alone(Limits::default()).await;
    live(&mut uplink, 300_000);
    for step_ms in [-(HOUR_MS as i64), DAY_MS as i64] {
        set_wall(step_ms);
        live(&mut uplink, 300_000);
    }
    let facts = facts(&mut uplink);
    let steps: Vec<i64> = facts
        .iter()
        .filter_map(|fact| if let Fact::ClockStep(step) = fact { Some(step) } else { None })
        .map(|step| step.after.unwrap().wall_ms - step.before.unwrap().wall_ms)
        .collect();
    assert_eq!(steps, [-(HOUR_MS as i64), DAY_MS as i64]);
    assert!(gaps(&facts).is_empty(), "nobody slept");
    assert!((15..=16).contains(&rollups(&facts)), "a minute is a minute: {}", rollups(&facts));
    assert_eq!(uplink.alive.spans().count(), 1, "one life");
    assert!(uplink.parts.spool.take_losses().is_empty());
}

/// The kernel says the last second of the day twice (adjtimex(2), TIME_OOP); servers of clouds make each second of a day longer
/// instead, which is a millisecond each 86 seconds.
#[tokio::test]
async fn a_leap_second_said_twice_or_smeared_over_a_day_is_no_step_and_no_gap_and_makes_no_minute_longer() {
    for (smeared, slices) in [(false, 100), (true, 1_000)] {
        let (_world, mut uplink) = alone(Limits::default()).await;
        let began = NOW.get();
        for slice in 0..slices {
            live(&mut uplink, 86_000);
            match smeared {
                true => set_wall(-1),
                false if slice == 50 => set_wall(-1_000),
                false => {}
            }
        }
        let (wall_ms, boot_ms) =
            (NOW.get().wall_ms - began.wall_ms, i64::try_from(NOW.get().boottime_ms - began.boottime_ms).unwrap());
        assert_eq!(boot_ms - wall_ms, 1_000, "one second was said twice");
        uplink.tell_losses(NOW.get());
        let facts = facts(&mut uplink);
        assert!(facts.iter().all(|fact| matches!(fact, Fact::Rollup(_))), "smeared: {smeared}: a step or a gap");
        let minutes: Vec<(u64, u64)> = facts
            .iter()
            .filter_map(|fact| if let Fact::Rollup(minute) = fact { Some(minute) } else { None })
            .map(|minute| (minute.from.unwrap().boottime_ms, minute.to.unwrap().boottime_ms))
            .collect();
        let expected = slices * 86 / 60;
        assert!(minutes.len().abs_diff(expected) <= 1, "{expected} minutes, smeared: {smeared}: {}", minutes.len());
        assert!(minutes.iter().all(|(from, to)| from <= to && to - from < 60_000), "{minutes:?}");
        assert!(minutes.windows(2).all(|pair| pair[0].1 < pair[1].0), "in order: {minutes:?}");
        let lives: Vec<u64> = uplink.alive.spans().map(|span| span.to.boottime_ms - span.from.boottime_ms).collect();
        assert!(
            matches!(lives[..], [lived] if lived >= slices as u64 * 86_000 - 11_000),
            "smeared: {smeared}: {lives:?}"
        );
    }
}

#[tokio::test]
async fn a_collector_that_acknowledges_nothing_is_left_for_a_new_session() {
    let (mut world, uplink) = world_at(0, Limits::default(), test_clock).await;
    world.epoch = uplink.parts.spool.epoch().to_vec();
    play_on(world, uplink, async |world| {
        let (mut deaf, _) = accept(world, 0).await;
        collect(world).await;
        deaf.readings().await;
        // The connection lives, and so does whoever holds it; three reports go unacknowledged.
        pass(60_001);
        let (mut call, _) = accept(world, 0).await;
        collect(world).await;
        assert!(call.readings().await.full);
    })
    .await;
}

/// Readings that need some 50 KB on the wire, because nothing of them was said before.
fn with_a_new_dictionary(section: &mut Section, number: u64) -> Gathered {
    let mut scratch = Scratch::default();
    let mut sink = Sink::new(section, &mut scratch, NOW.get());
    sink.family("node_load1", probe::Kind::Gauge, "");
    for series in 0..200 {
        sink.sample(&[("n", &format!("{number}-{series}-{:0200}", 0))], 1.0);
    }
    sink.finish(Ok(())).1.unwrap();
    Gathered { table: Table { sections: vec![Arc::new(section.clone())] }, at: NOW.get(), sources: Vec::new() }
}

#[tokio::test]
async fn of_a_stream_that_stalls_only_so_much_is_queued_and_the_rest_becomes_a_roll_up() {
    let (mut world, uplink) = world_at(0, Limits::default(), test_clock).await;
    world.epoch = uplink.parts.spool.epoch().to_vec();
    // Looked at when the agent has stopped, and with it the minute ended.
    let dir = std::mem::replace(&mut world._dir, tempfile::tempdir().unwrap());
    play_on(world, uplink, async |world| {
        let (_stalled, _) = accept(world, 0).await;
        let mut section = Section::new("x", Arc::default());
        // No time passes, so that the missing acknowledgements do not end the session.
        for number in 0..300 {
            world.collected.send(with_a_new_dictionary(&mut section, number)).await.unwrap();
        }
        while world.collected.capacity() < READINGS_MAX {
            tokio::task::yield_now().await;
        }
    })
    .await;
    let mut spool = Spool::open(&dir.path().join("spool"), Limits::default(), Box::new(RealFiles), NOW.get());
    let kept = std::iter::from_fn(|| spool.next_unsent());
    let folded = kept.filter_map(|kept| match v1::Record::decode(&kept.payload[..]).unwrap().body {
        Some(Fact::Rollup(rollup)) => rollup.series.iter().map(|series| series.count).max(),
        _ => None,
    });
    let folded: Vec<u32> = folded.collect();
    assert!(folded.iter().sum::<u32>() > 200, "of 300 reports: {folded:?}");
}

#[tokio::test]
async fn a_collector_that_reads_nothing_delays_no_collection_and_what_it_misses_becomes_roll_ups() {
    let (mut world, uplink) = world_at(0, Limits::default(), test_clock).await;
    world.epoch = uplink.parts.spool.epoch().to_vec();
    let spool = world.state.file("spool");
    play_on(world, uplink, async |world| {
        let (_stalled, _) = accept(world, 0).await;
        let mut section = Section::new("x", Arc::default());
        let mut reports = 0_u64;
        // Far more than all windows and buffers hold: each report brings a dictionary of its own.
        while bytes_below(&spool) < 2_000 {
            pass(15_000);
            let gathered = with_a_new_dictionary(&mut section, reports);
            let sent = tokio::time::timeout(Duration::from_secs(5), world.collected.send(gathered)).await;
            sent.expect("the uplink always takes a collection").unwrap();
            reports += 1;
        }
        assert!(reports < 2_000);
    })
    .await;
}

#[tokio::test]
async fn a_collector_that_takes_seconds_to_reach_is_told_the_time_at_which_it_is_reached() {
    let (mut world, mut uplink) = world_at(0, Limits::default(), test_clock).await;
    world.epoch = uplink.parts.spool.epoch().to_vec();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    uplink.parts.addresses = vec![listener.local_addr().unwrap().to_string()];
    let collector = uplink.identity.addresses[0].clone();
    play_on(world, uplink, async |world| {
        // As where the first packet is lost; longer would look like a sleep, after which the agent dials anew.
        let path = async {
            let (mut near, _) = listener.accept().await.unwrap();
            pass(1_500);
            let mut far = tokio::net::TcpStream::connect(&collector).await.unwrap();
            tokio::io::copy_bidirectional(&mut near, &mut far).await
        };
        let (_call, hello) = tokio::select! {
            accepted = accept(world, 0) => accepted,
            ended = path => panic!("the path ended: {ended:?}"),
        };
        let clock = |at: Moment| Some(v1::Clock { wall_ms: at.wall_ms, boottime_ms: at.boottime_ms });
        assert_eq!(hello.clock, clock(NOW.get()));
        let [alive] = &hello.alive[..] else { panic!("one life: {:?}", hello.alive) };
        // Whether its log had begun before it dialled is left to chance here.
        assert_eq!(alive.to, clock(NOW.get()));
    })
    .await;
}
