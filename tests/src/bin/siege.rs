//! How much slower the others are while the collector's door is besieged
//!
//! `siege [--half-open 1000] [--records 600]`
//!
//! One host says a record and waits until the collector has committed and acknowledged it, again and again, first in quiet and
//! then while so many handshakes are begun and never ended (half of them a byte a second, from twenty addresses) and another
//! host opens streams and resets them as fast as it can. The siege runs on the same machine, so that what it costs its own
//! processor is in the figures. Beside it stands how long an agent takes to enrol, which the door lets in meanwhile.

use std::time::Duration;

use anyhow::{Context as _, Result};
use muster_agent::clock::boottime_ns;
use muster_tests::Collector;
use muster_tests::measure::figures::{Table, flag, percentile, progress, say, short};
use muster_tests::measure::{ground, meter};
use muster_tests::raw::{Raw, Talk, facts, hello, record};
use muster_tests::siege::Siege;
use muster_tests::wait::pass;

/// Between two records: less than the rate that one host may have.
const EVERY: Duration = Duration::from_millis(50);
/// Enrolments in each part.
const ENROLMENTS: usize = 10;
/// Between two of them.
const ENROL_EVERY: Duration = Duration::from_millis(500);
/// The siege stands before anything is measured.
const SETTLE: Duration = Duration::from_secs(15);
/// Bytes of a record: those of a change of a check.
const BYTES: usize = 200;

fn main() -> Result<()> {
    ground::raise_files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(measure())
}

/// Milliseconds, in quiet or under siege.
struct Part {
    acknowledged: Vec<f64>,
    enrolled: Vec<f64>,
}

async fn measure() -> Result<()> {
    let (half_open, records): (usize, u64) = (flag("--half-open", 1_000), flag("--records", 600));
    let collector = Collector::start("").await;
    let host = Raw::enrolled(&collector, facts("healthy")).await;
    let besieger = Raw::enrolled(&collector, facts("besieger")).await;
    let said = hello(1);
    let mut talk = host.session(muster_proto::v1::Hello { last_record: 2 * records, ..said }, false).await?;
    let quiet = part(&collector, &mut talk, 0, records).await?;
    progress("measured in quiet");

    let siege = Siege::lay(collector.grpc, half_open, besieger);
    pass(SETTLE).await;
    let (resets, began_ns) = (siege.resets(), boottime_ns());
    let besieged = part(&collector, &mut talk, records, records).await?;
    let seconds = (boottime_ns() - began_ns) as f64 / 1e9;
    let rate = (siege.resets() - resets) as f64 / seconds;
    let (held, load) = (siege.held(), meter::load_average());
    drop(siege);

    say(&format!(
        "{half_open} who begin handshakes, {held} of them held at the end; streams reset {}/s; load average at the end {load}",
        short(rate)
    ));
    say("milliseconds");
    say("");
    let mut table = Table::new(&["", "n", "p50", "p90", "p99", "max"]);
    let mut row = |what: &str, values: &[f64]| {
        let of = |share| short(percentile(values, share));
        table.row([what.to_owned(), values.len().to_string(), of(0.5), of(0.9), of(0.99), of(1.0)]);
    };
    row("a record, committed and acknowledged: in quiet", &quiet.acknowledged);
    row("  under siege", &besieged.acknowledged);
    row("an enrolment: in quiet", &quiet.enrolled);
    row("  under siege", &besieged.enrolled);
    table.print();
    say("");
    let mut table = Table::new(&["figure", "measured", "goal", "of the goal"]);
    let times = percentile(&besieged.acknowledged, 0.99) / percentile(&quiet.acknowledged, 0.99);
    table.against("p99 of an acknowledgement under siege, of that in quiet", times, "times", Some(2.0));
    for outcome in ["too_many_pending", "displaced", "timed_out"] {
        let series = format!("muster_handshakes_total{{outcome=\"{outcome}\"}}");
        let count = collector.metric(&series).await.unwrap_or(0.0);
        table.against(&format!("handshakes: {outcome}"), count, "", None);
    }
    table.print();
    Ok(())
}

async fn part(collector: &Collector, talk: &mut Talk, after: u64, records: u64) -> Result<Part> {
    let mut part = Part { acknowledged: Vec::new(), enrolled: Vec::new() };
    for sequence in after + 1..=after + records {
        pass(EVERY).await;
        let from_ns = boottime_ns();
        talk.send(record(sequence, BYTES)).await;
        talk.acknowledged(sequence).await.context("the healthy host is sent away")?;
        part.acknowledged.push(milliseconds_since(from_ns));
    }
    for n in 0..ENROLMENTS {
        pass(ENROL_EVERY).await;
        // Its token is made in it, too.
        let from_ns = boottime_ns();
        let _host = Raw::enrolled(collector, facts(&format!("newcomer-{after}-{n}"))).await;
        part.enrolled.push(milliseconds_since(from_ns));
    }
    Ok(part)
}

fn milliseconds_since(ns: u64) -> f64 {
    (boottime_ns() - ns) as f64 / 1e6
}
