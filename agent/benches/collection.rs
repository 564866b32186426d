//! `cargo bench -p muster-agent`: what one collection costs before anything is sent: reading all sources that are asked
//! at each report, on this machine and on one of 256 CPUs in files; packing one report; writing one page.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use muster_agent::clock::{self, Moment};
use muster_agent::exposition::{self, Format};
use muster_agent::gather::Gathered;
use muster_agent::host::Host;
use muster_agent::probe::{Every, Names, SOURCES, Scratch, Section, Sink, Source, Table};
use muster_agent::report::StreamEncoder;

#[path = "../../tests/e2e/captured/hypervisor.rs"]
mod hypervisor;

/// A machine that is collected again and again, as by the reading thread.
struct Machine {
    host: Host,
    sources: Vec<(&'static Source, Arc<Section>)>,
    scratch: Scratch,
    now: Moment,
}

impl Machine {
    fn new(host: Host) -> Self {
        let names = Arc::new(Names::starting_at(1));
        let at_each_report = SOURCES.iter().filter(|source| source.every == Every::Report);
        let section = |source: &'static Source| (source, Arc::new(Section::new(source.name, Arc::clone(&names))));
        Self { host, sources: at_each_report.map(section).collect(), scratch: Scratch::default(), now: clock::now() }
    }

    fn collect(&mut self) {
        // What two sources read is read once for one instant.
        self.now.boottime_ms += 1;
        for (source, section) in &mut self.sources {
            let mut sink = Sink::new(Arc::make_mut(section), &mut self.scratch, self.now);
            let outcome = (source.read)(&self.host, &mut sink);
            // Sources that this machine does not have are asked like all others.
            let _ = sink.finish(outcome);
        }
    }

    fn gathered(&mut self) -> Gathered {
        self.collect();
        let sections = self.sources.iter().map(|(_, section)| Arc::clone(section)).collect();
        Gathered { table: Table { sections }, at: self.now, sources: Vec::new() }
    }
}

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let mut live = Machine::new(Host::live());
    criterion.bench_function("collect this machine", |bencher| bencher.iter(|| live.collect()));

    let files = hypervisor::build();
    let mut large = Machine::new(Host::captured(files.path().to_path_buf(), None));
    criterion.bench_function("collect 256 CPUs in files", |bencher| bencher.iter(|| large.collect()));

    // Two collections in turn, so that what changes on a machine that runs is packed each time.
    let pair = [live.gathered(), live.gathered()];
    let mut encoder = StreamEncoder::new();
    let mut turn = 0;
    criterion.bench_function("pack a report", |bencher| {
        bencher.iter(|| {
            turn = 1 - turn;
            let mut bytes = Vec::new();
            encoder.encode(&pair[turn]).iter().for_each(|message| message.encode(&mut bytes));
            black_box(bytes.len())
        });
    });
    criterion.bench_function("write a page", |bencher| {
        bencher.iter(|| black_box(exposition::page(&pair[0].table, Format::Text).len()));
    });
    criterion.final_summary();
}
