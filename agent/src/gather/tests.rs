use std::sync::mpsc::{Receiver, Sender, channel};

use super::*;
use crate::host::FsStat;

/// Longer than any of these tests takes; they never wait for it.
const PATIENT: Duration = Duration::from_secs(60);

fn fine(_: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.single("fine", Kind::Gauge, "", 1.0);
    Ok(())
}

/// Hangs for as long as the host's `statfs` of the right path does, and is itself asked with all the time there is.
fn hanging(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let stat = host.statfs("/hung", 60_000).map_err(|error| ProbeError::Stuck(error.to_string()))?;
    sink.single("hung", Kind::Gauge, "", f64::from(u32::try_from(stat.blocks).unwrap_or(0)));
    Ok(())
}

fn absent(_: &Host, _: &mut Sink<'_>) -> Result<(), ProbeError> {
    Err(ProbeError::Absent("no such thing".to_owned()))
}

const HANGING_FIRST: &[Source] = &[
    Source { name: "hanging", read: hanging, every: Every::Report, deadline_ms: 30 },
    Source { name: "fine", read: fine, every: Every::Report, deadline_ms: 60_000 },
    Source { name: "absent", read: absent, every: Every::Report, deadline_ms: 60_000 },
];
const SLOW_FIRST: &[Source] = &[
    Source { name: "hanging", read: hanging, every: Every::Report, deadline_ms: 60_000 },
    Source { name: "fine", read: fine, every: Every::Report, deadline_ms: 60_000 },
];

/// A machine whose mount answers once per message.
fn machine() -> (Host, Sender<()>) {
    let (release, hold): (Sender<()>, Receiver<()>) = channel();
    let hold = Mutex::new(hold);
    let ask = move |_: &str| {
        hold.lock().unwrap().recv().unwrap();
        Ok(FsStat { blocks: 7, ..FsStat::default() })
    };
    (Host::with_statfs(None, Box::new(ask)), release)
}

fn at(boottime_ms: u64) -> Moment {
    Moment { wall_ms: 0, boottime_ms }
}

fn state(gathered: &Gathered, source: &str) -> SourceState {
    gathered.sources.iter().find(|status| status.source == source).unwrap().state
}

fn value(gathered: &Gathered, family: &str) -> Option<f64> {
    gathered.table.family(family).next().map(|(_, value)| value)
}

#[tokio::test]
async fn a_source_that_hangs_is_left_alone_and_the_others_arrive() {
    let (host, release) = machine();
    let mut gatherer = Gatherer::with_sources(host, HANGING_FIRST);
    let first = gatherer.collect(at(1000), PATIENT).await;
    assert_eq!((state(&first, "hanging"), value(&first, "fine")), (SourceState::Stuck, Some(1.0)));
    assert_eq!((state(&first, "absent"), value(&first, "hung")), (SourceState::Absent, None));
    let success = first.table.family("node_scrape_collector_success");
    let of_hanging = success.filter(|(series, _)| series.label("collector") == Some("hanging"));
    assert_eq!(of_hanging.map(|(_, value)| value).collect::<Vec<_>>(), [0.0], "also of one that hung from the first");
    let second = gatherer.collect(at(600_000), PATIENT).await;
    assert_eq!((state(&second, "hanging"), value(&second, "fine")), (SourceState::Stuck, Some(1.0)));
    assert_eq!(gatherer.abandoned.len(), 1, "it is not asked again while it hangs");

    release.send(()).unwrap();
    // The hung thread notices its release in its own time; once it has, one answer per question.
    release.send(()).unwrap();
    let mut now_ms = 700_000;
    let mut later = gatherer.collect(at(now_ms), PATIENT).await;
    while value(&later, "hung").is_none() {
        release.send(()).unwrap();
        now_ms += 400_000;
        later = gatherer.collect(at(now_ms), PATIENT).await;
    }
    assert_eq!((state(&later, "hanging"), value(&later, "hung")), (SourceState::Ok, Some(7.0)));
    assert!(gatherer.abandoned.is_empty());
}

#[tokio::test]
async fn a_sensor_that_is_slow_each_time_is_asked_ever_less_often_and_holds_one_thread_at_most() {
    let (host, release) = machine();
    let mut gatherer = Gatherer::with_sources(host, HANGING_FIRST);
    let (mut asked_at_s, mut stuck) = (Vec::new(), false);
    // A report each 15 s for an hour; the sensor takes 20 s, ten times what it may.
    for second in (15..3_600_u64).step_by(15) {
        if stuck && asked_at_s.last().is_some_and(|asked| second - asked >= 20) {
            release.send(()).unwrap();
            // The thread that hung has its own time to notice.
            while !gatherer.abandoned.iter().all(|reader| reader.desk().running.is_none()) {
                tokio::task::yield_now().await;
            }
            stuck = false;
        }
        let gathered = gatherer.collect(at(second * 1000), PATIENT).await;
        assert_eq!(value(&gathered, "fine"), Some(1.0), "{second}");
        assert!(gatherer.abandoned.len() <= 1);
        if state(&gathered, "hanging") == SourceState::Stuck && !stuck {
            asked_at_s.push(second);
            stuck = true;
        }
    }
    let waits_s: Vec<u64> = asked_at_s.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(waits_s.windows(2).take(4).all(|pair| pair[0] <= pair[1]), "{waits_s:?}");
    assert!(waits_s[0] < 60 && waits_s.last() >= Some(&300) && asked_at_s.len() < 18, "{waits_s:?}");
}

#[tokio::test]
async fn a_collection_ends_at_its_deadline_and_the_next_takes_over_what_was_being_read() {
    let (host, release) = machine();
    let mut gatherer = Gatherer::with_sources(host, SLOW_FIRST);
    let first = gatherer.collect(at(1000), Duration::from_millis(20)).await;
    assert_eq!((state(&first, "hanging"), state(&first, "fine")), (SourceState::Late, SourceState::Late));
    assert_eq!(first.table.family("fine").count(), 0);
    release.send(()).unwrap();
    let second = gatherer.collect(at(2000), PATIENT).await;
    assert_eq!((value(&second, "hung"), value(&second, "fine")), (Some(7.0), Some(1.0)));
    assert_eq!((state(&second, "hanging"), state(&second, "fine")), (SourceState::Ok, SourceState::Ok));
}

#[tokio::test]
async fn each_source_says_whether_and_how_long_it_was_read() {
    let (host, release) = machine();
    release.send(()).unwrap();
    let mut gatherer = Gatherer::with_sources(host, &HANGING_FIRST[1..]);
    let gathered = gatherer.collect(at(1000), PATIENT).await;
    let success: Vec<(String, f64)> = gathered
        .table
        .family("node_scrape_collector_success")
        .map(|(series, value)| (series.label("collector").unwrap().to_owned(), value))
        .collect();
    assert_eq!(success, [("fine".to_owned(), 1.0), ("absent".to_owned(), 0.0)]);
    assert_eq!(gathered.table.family("node_scrape_collector_duration_seconds").count(), 2);
}

#[tokio::test]
async fn the_live_machine_is_collected_twice_with_the_same_series() {
    let mut gatherer = Gatherer::start(Host::live());
    let ids = |gathered: &Gathered| -> Vec<u32> {
        gathered
            .table
            .samples()
            .filter(|(family, ..)| family.name.starts_with("node_memory"))
            .map(|(_, s, _)| s.id)
            .collect()
    };
    let first = gatherer.collect(clock::now(), PATIENT).await;
    let second = gatherer.collect(clock::now(), PATIENT).await;
    assert!(ids(&first).len() > 20);
    assert_eq!(ids(&first), ids(&second));
}
