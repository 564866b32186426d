//! `cargo bench -p muster-collector --bench service_levels`: what reckoning costs, from ledgers in memory to the answer of
//! the API. A month of 1 000 hosts with 50 000 entries, and how that grows with the entries of one host.

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput};
use muster_collector::config::parse_declaration;
use muster_collector::domain::{
    calendar::zone,
    host::{Cause, ledger::OpenSpan},
    ids::{HostId, HostNo},
    record::{Observed, SpanRow},
    sla::{
        amendment::Amended,
        history::observations,
        inputs::{Basis, Position},
        period::Period,
        report::{Declared, Known, Report},
        subject::Subject,
    },
    time::Timestamp,
};

/// With hours and holidays, as the dearest agreements have.
const AGREEMENT: &str = r#"
name = "office"
target = 99.9
zone = "Europe/Berlin"
service_hours = [{ days = ["mon", "tue", "wed", "thu", "fri"], from = "07:00", to = "19:00" }]
holidays = ["2026-10-03"]
"#;
const MONTH: &str = "2026-10";
/// After the month.
const NOW_MS: i64 = 1_793_500_000_000;

/// A host with so many entries in the month, each as long as the others: up, and away in turn.
fn ledger(no: i64, entries: i64, period: &Period) -> (Vec<SpanRow>, OpenSpan) {
    let host = HostNo(no);
    let (from, until) = (period.span.from.ms(), period.span.until.ms());
    let edge = |n: i64| Timestamp::from_ms(from + (until - from) / entries * n);
    let away = [
        (Observed::Down, Cause::Silence),
        (Observed::Unreachable, Cause::AliveLog),
        (Observed::CollectorDown, Cause::CollectorAway),
        (Observed::Unknown, Cause::NotBack),
    ];
    let entry = |n: i64| {
        let (state, cause) = match n % 2 {
            0 => (Observed::Up, Cause::Reporting),
            _ => away[usize::try_from((n / 2 + no) % 4).unwrap_or_default()].clone(),
        };
        let (from, to, evidence) = (edge(n), edge(n + 1), cause.evidence());
        SpanRow { host, n: n + 1, from, to, state, cause, evidence, learned: to, replaces: None }
    };
    let open = OpenSpan { after: entries, from: edge(entries), state: Observed::Up, cause: Cause::Reporting };
    ((0..entries).map(entry).collect(), open)
}

/// What reading a host's ledger comes to.
fn known((rows, open): &(Vec<SpanRow>, OpenSpan), no: i64, period: &Period) -> Known {
    let id: HostId = format!("00000000-0000-7000-8000-{no:012}").parse().expect("an id");
    let now = Timestamp::from_ms(NOW_MS);
    let begun = rows.first().map_or(open.from, |row| row.from);
    let subject = Subject::Host { no: HostNo(no), id, name: format!("host-{no:06}") };
    let basis = Basis::new(&format!("host-{no:06}"), Some(id), Position::at(open, begun));
    Known {
        subject,
        observed: observations(rows, open, begun, period.span, now),
        with_others: None,
        maintenance: Vec::new(),
        amended: Amended::default(),
        basis,
        members: Vec::new(),
    }
}

fn report(declared: &Declared, period: &Period, ledgers: &[(Vec<SpanRow>, OpenSpan)]) -> usize {
    let subjects = ledgers.iter().zip(1..).map(|(ledger, no)| known(ledger, no, period)).collect();
    let report = Report::of(declared, period.clone(), period.span, subjects, Timestamp::from_ms(NOW_MS));
    black_box(report).lines.len()
}

fn main() {
    let (declared, _) = parse_declaration(AGREEMENT, Path::new("office.toml")).expect("the agreement is sound");
    let berlin = zone(&declared.agreement.zone).expect("a zone of the database");
    let period = Period::named(MONTH, &berlin, Timestamp::from_ms(NOW_MS)).expect("a month");
    let mut criterion = Criterion::default().configure_from_args();
    let fleet: Vec<_> = (1..=1_000).map(|no| ledger(no, 50, &period)).collect();
    criterion.bench_function("a month of 1 000 hosts with 50 000 entries", |bencher| {
        bencher.iter(|| report(&declared, &period, &fleet));
    });
    let mut growth = criterion.benchmark_group("one host, by its entries in a month");
    for entries in [50, 500, 5_000, 50_000] {
        let host = [ledger(1, entries, &period)];
        growth.throughput(Throughput::Elements(entries.unsigned_abs()));
        growth.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            bencher.iter(|| report(&declared, &period, &host));
        });
    }
    growth.finish();
    criterion.final_summary();
}
