//! Storms at many sites: what cuts all of them off at once is the collector's own network.

use super::*;
use crate::domain::{
    calendar::Span,
    sla::{
        agreement::Agreement,
        history::observations,
        lattice::{Bucket, Stretch},
        reckon,
        target::Target,
    },
};

/// So many hosts, scattered over this many sites.
fn at_sites(sites: i64, hosts: i64, watch: Watch) -> Fleet {
    let mut fleet = Fleet::of(&[]);
    for no in 1..=hosts {
        let site = Some(format!("site-{}", site_of(no, sites)));
        fleet.apply(Event::Enrolled(Box::new(Profile { site, ..profile(no, watch) })));
        fleet.connect(no);
    }
    fleet
}

/// Irregular, so that each site has another moment at which a third of it is silent.
fn site_of(no: i64, sites: i64) -> i64 {
    (no * no * 31 + no * 17) / 7 % sites
}

/// These fall silent as hosts do whose cable is cut: each when its last beat is too old.
fn cut(fleet: &mut Fleet, hosts: &[i64], watch: Watch) {
    let timers = watch.timers();
    for (at, no) in hosts.iter().enumerate() {
        let beat = i64::from(timers.beat_ms) * i64::try_from(at).unwrap() / i64::try_from(hosts.len()).unwrap();
        fleet.until(timers.suspect_ms + beat);
        let proof = Timestamp::from_ms(fleet.now - timers.suspect_ms);
        fleet.host(*no, HostEvent::Silent { session: SessionId(*no), proof });
    }
}

fn kinds(fleet: &Fleet) -> Vec<(PageKind, &str)> {
    fleet.pages.iter().map(|page| (page.kind, page.title.as_str())).collect()
}

#[test]
fn a_collector_that_is_cut_off_from_all_its_sites_at_once_pages_once_and_recovers_once() {
    for (sites, hosts, watch) in [(10, 500, Watch::Normal), (40, 300, Watch::Normal), (10, 300, Watch::Fast)] {
        let mut fleet = at_sites(sites, hosts, watch);
        cut(&mut fleet, &(1..=hosts).collect::<Vec<_>>(), watch);
        fleet.until(120_000);
        let told = format!("the collector's network: {hosts} hosts cut off from here");
        assert_eq!(fleet.pages.len(), 1, "{sites} sites, {watch:?}: {:#?}", kinds(&fleet));
        assert_eq!(fleet.pages[0].kind, PageKind::Opened);
        if watch == Watch::Normal {
            // At the fast level it goes out while the last still fall silent.
            assert_eq!(fleet.pages[0].title, told);
        }
        assert!((1..=hosts).all(|no| fleet.state(no) == State::Unreachable), "{sites} sites, {watch:?}");
        (1..=hosts).for_each(|no| fleet.connect(no));
        fleet.until(240_000);
        let after: Vec<PageKind> = fleet.pages.iter().map(|page| page.kind).collect();
        assert_eq!(after, [PageKind::Opened, PageKind::Resolved], "{sites} sites, {watch:?}: {:#?}", kinds(&fleet));
    }
}

#[test]
fn one_site_of_many_that_is_cut_off_is_that_sites_cut() {
    for watch in [Watch::Normal, Watch::Fast] {
        let mut fleet = at_sites(10, 500, watch);
        let site: Vec<i64> = (1..=500).filter(|no| site_of(*no, 10) == 4).collect();
        cut(&mut fleet, &site, watch);
        fleet.until(120_000);
        let told = kinds(&fleet);
        assert!(matches!(told[..], [(PageKind::Opened, title)] if title.starts_with("site site-4: ")), "{told:#?}");
        site.iter().for_each(|no| fleet.connect(*no));
        fleet.until(240_000);
        assert_eq!(fleet.pages.len(), 2, "{:#?}", kinds(&fleet));
    }
}

#[test]
fn five_hundred_agents_that_were_cut_off_at_once_were_all_unreachable_and_none_was_down() {
    let mut fleet = at_sites(10, 500, Watch::Normal);
    let start = Timestamp::from_ms(START);
    cut(&mut fleet, &(1..=500).collect::<Vec<_>>(), Watch::Normal);
    fleet.until(120_000);
    let now = Timestamp::from_ms(fleet.now);
    let alive = vec![AliveProof { boot_id: [1; 16], from: start, to: now, clean_end: false, resumed: true }];
    (1..=500).for_each(|no| fleet.connect_with(no, [1; 16], alive.clone()));
    fleet.until(240_000);
    let now = Timestamp::from_ms(fleet.now);
    let window = Span { from: start, until: now };
    let agreement = Agreement::new("all", Target::parse("100").unwrap());
    for no in 1..=500 {
        let rows: Vec<SpanRow> = fleet.spans(no).into_iter().cloned().collect();
        let open = &fleet.engine.snapshot().hosts[&HostNo(no)].observed;
        let observed: Vec<Stretch> =
            observations(&rows, open, start, window, now).into_iter().map(|one| one.stretch).collect();
        let reckoned = reckon(&agreement, &observed, window);
        let unreachable = reckoned.stretches.iter().filter(|stretch| stretch.bucket == Bucket::Unreachable).count();
        assert_eq!((unreachable, reckoned.buckets.ms(Bucket::Down)), (1, 0), "h{no}: {reckoned:#?}");
        assert_eq!(reckoned.figures.availability.unwrap().percent(4), "100.0000", "h{no}");
    }
}
