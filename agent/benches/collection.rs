//! `cargo bench -p muster-agent`: what one collection costs before anything is sent: reading all sources that are asked
//! at each report, on this machine and on one of 256 CPUs in files; packing one report; writing one page; and the inventory
//! of 3 000 packages, which is to take 250 ms of CPU at most.

use std::hint::black_box;
use std::sync::Arc;

use criterion::Criterion;
use muster_agent::clock::{self, Moment};
use muster_agent::exposition::{self, Format};
use muster_agent::gather::Gathered;
use muster_agent::host::Host;
use muster_agent::inventory::tell::{Order, Wanted, tell};
use muster_agent::probe::{Every, Names, SOURCES, Scratch, Section, Sink, Source, Table};
use muster_agent::report::{StreamEncoder, inventory_messages};
use muster_agent::state::StateDir;

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

/// Packages of the machine whose inventory is taken.
const PACKAGES: usize = 3_000;

/// A machine of so many packages, each described as at length as Debian's are.
fn packaged() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a directory");
    let info = root.path().join("var/lib/dpkg/info");
    std::fs::create_dir_all(&info).expect("a directory of our own");
    let mut status = String::new();
    for n in 0..PACKAGES {
        let about =
            " This is a line of the description that every package of Debian has, and there are some.\n".repeat(8);
        status += &format!(
            "Package: package-{n}\nStatus: install ok installed\nPriority: optional\nSection: libs\nInstalled-Size: {n}\n\
             Maintainer: Somebody <somebody@example.org>\nArchitecture: amd64\nSource: source-{n}\nVersion: 1.{n}-1\n\
             Depends: libc6 (>= 2.36), libgcc-s1 (>= 3.0), libstdc++6 (>= 12)\nDescription: short\n{about}\n"
        );
        std::fs::write(info.join(format!("package-{n}.list")), "/.\n").expect("a file of our own");
    }
    std::fs::write(root.path().join("var/lib/dpkg/status"), status).expect("a file of our own");
    root
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

    let (files, kept) = (packaged(), tempfile::tempdir().expect("a directory"));
    let host = Host::captured(files.path().to_path_buf(), None);
    let state = StateDir::open(kept.path()).expect("a directory of our own");
    criterion.bench_function("take the inventory of 3000 packages", |bencher| {
        bencher.iter(|| {
            tell(&host, &Wanted::default(), &Order::default(), &state, inventory_messages)
                .expect("the state is written")
        });
    });
    criterion.final_summary();
}
