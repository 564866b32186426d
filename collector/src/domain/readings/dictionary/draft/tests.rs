use super::*;
use crate::domain::readings::dictionary::unit::Unit;

const NOW: Timestamp = Timestamp::from_ms(1_000_000);

struct Stream {
    draft: Draft,
    allowance: Allowance,
    omissions: Omissions,
}

impl Stream {
    fn new() -> Self {
        Self { draft: Draft::default(), allowance: Allowance::default(), omissions: Omissions::default() }
    }

    /// Declares family `id` with this many series, numbered from `first`, each with one label of its own.
    fn declare(&mut self, id: u32, first: u32, count: u32, now: Timestamp) {
        self.declare_valued(id, first, count, &|n| n.to_string(), now);
    }

    fn declare_valued(&mut self, id: u32, first: u32, count: u32, value: &dyn Fn(u32) -> String, now: Timestamp) {
        let family = FamilyEntry {
            id,
            name: format!("family_{id}"),
            kind: FamilyType::Gauge,
            help: String::new(),
            unit: Unit::One,
        };
        let series = (first..first + count).map(|n| SeriesEntry {
            id: n,
            family: id,
            suffix: String::new(),
            labels: vec!["n".into(), value(n)],
        });
        let update =
            DictionaryUpdate { families: vec![family], series: series.collect(), retired: vec![], bytes: vec![] };
        self.draft.check(&update).unwrap();
        self.draft.grow(update, &mut self.allowance, &mut self.omissions, now);
    }

    fn seal(&self) -> Arc<Dictionary> {
        self.draft.seal(&Interner::default()).0
    }
}

#[test]
fn over_the_cap_the_largest_families_are_left_out_whole_and_named() {
    let mut stream = Stream::new();
    stream.declare(1, 0, 5_000, NOW);
    stream.declare(2, 5_000, 12_000, NOW);
    stream.declare(3, 17_000, 3_000, NOW);
    assert_eq!((stream.seal().size(), stream.omissions.families_total), (20_000, 0));
    stream.declare(4, 20_000, 1, NOW);
    assert_eq!(stream.omissions.families, ["family_2"]);
    let sealed = stream.seal();
    assert_eq!(sealed.size(), 8_001);
    assert_eq!(sealed.place(6_000), Some(HIDDEN), "readings of what was left out are read over");
    stream.declare(2, 30_000, 10, NOW);
    assert_eq!(stream.seal().size(), 8_001, "what was left out stays out for this stream");
}

#[test]
fn label_text_is_capped_too() {
    let mut stream = Stream::new();
    stream.declare(1, 0, 100, NOW);
    let long = |n: u32| format!("{n:0>256}");
    stream.declare_valued(2, 1_000, 17_000, &long, NOW);
    assert_eq!((stream.omissions.families.as_slice(), stream.seal().size()), (&["family_2".to_owned()][..], 100));
}

#[test]
fn after_the_first_dictionary_a_thousand_new_series_a_minute_are_allowed_over_ten_minutes() {
    let mut stream = Stream::new();
    stream.declare(1, 0, 100, NOW);
    stream.allowance.begin(NOW);
    stream.declare(2, 1_000, 10_000, NOW);
    assert_eq!(stream.omissions.families_total, 0);
    stream.declare(3, 20_000, 1, NOW);
    assert_eq!(stream.omissions.families, ["family_3"]);
    let later = NOW.plus_ms(60_000);
    stream.declare(4, 30_000, 1_000, later);
    assert_eq!(stream.omissions.families_total, 1);
    stream.declare(4, 31_000, 1, later);
    assert_eq!(stream.omissions.families, ["family_3", "family_4"]);
}

#[test]
fn a_draft_of_a_sealed_dictionary_seals_into_the_same() {
    let interner: Interner = Interner::default();
    let mut stream = Stream::new();
    stream.declare(2, 10, 3, NOW);
    stream.declare(1, 0, 3, NOW);
    let bad = SeriesEntry { id: 50, family: 1, suffix: "{".into(), labels: vec![] };
    let twin = SeriesEntry { id: 51, family: 1, suffix: String::new(), labels: vec!["n".into(), "0".into()] };
    let odd = FamilyEntry { id: 9, name: "9".into(), kind: FamilyType::Gauge, help: String::new(), unit: Unit::One };
    let update = DictionaryUpdate { families: vec![odd], series: vec![bad, twin], retired: vec![], bytes: vec![] };
    stream.draft.grow(update, &mut stream.allowance, &mut stream.omissions, NOW);
    let (sealed, duplicates) = stream.draft.seal(&interner);
    assert_eq!((sealed.size(), duplicates, stream.omissions.invalid), (6, 1, 1));
    assert_eq!((sealed.place(51), sealed.place(50), sealed.place(52)), (Some(HIDDEN), Some(HIDDEN), None));
    let (again, _) = Draft::of(&sealed).seal(&interner);
    assert!(Arc::ptr_eq(&sealed, &again));
    assert_eq!(interner.sizes(), (1, 2));
}

#[test]
fn dictionaries_that_nobody_uses_are_forgotten() {
    let interner: Interner = Interner::default();
    for n in 0..5_000 {
        let mut stream = Stream::new();
        stream.declare(n, 0, 1, NOW);
        drop(stream.draft.seal(&interner));
    }
    assert_eq!(interner.sizes(), (0, 0));
    assert!(interner.blocks.inner.lock().unwrap().0.len() <= 1_024);
}
