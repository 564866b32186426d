//! The rules of the inventory as properties: what is told twice is no change, the order of rows does not matter, steps
//! come to the same as the whole, and what is plugged in and out is not news.

mod changes;

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::{
    Fields, Head, Row, Status,
    apply::{After, Before, Difference, Held, Step, apply},
    delta::{Delta, Part, Refusal, whole},
    hash::{self, Hash, Sum},
};
use crate::domain::time::Timestamp;

const MINUTE: i64 = 60_000;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_ms(1_795_000_000_000 + minutes * MINUTE)
}

fn fields(pairs: &[(&str, &str)]) -> Fields {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn row(key: &str, durable: &[(&str, &str)]) -> Row {
    Row { key: key.into(), durable: fields(durable), latest: Fields::new(), source: String::new() }
}

/// What a host tells, and what is held of it: as the store does, without a store.
#[derive(Debug, Clone, Default, PartialEq)]
struct Book {
    section: String,
    told: Option<(Head, Hash, Timestamp)>,
    rows: usize,
    bytes: usize,
    held: BTreeMap<String, Held>,
}

impl Book {
    fn of(section: &str) -> Self {
        Self { section: section.into(), ..Self::default() }
    }

    fn before(&self) -> Before {
        let (told, held) = (self.told.clone(), self.held.clone());
        Before { told, rows: self.rows, bytes: self.bytes, held, ..Before::default() }
    }

    /// Takes a difference; what differs.
    fn take(&mut self, delta: &Delta) -> Result<Vec<Difference>, Refusal> {
        let After { hash, rows, bytes, steps, differences } = apply(&self.before(), delta)?;
        for step in steps {
            match step {
                Step::Begin { key, durable } => drop(self.held.insert(key, Held { durable, away: None })),
                Step::End { key } => drop(self.held.remove(&key)),
                Step::Mark { key, away } => self.held.get_mut(&key).expect("it is held").away = away,
            }
        }
        (self.rows, self.bytes, self.told) = (rows, bytes, Some((delta.head.clone(), hash, delta.at)));
        Ok(differences)
    }

    fn hash(&self) -> Hash {
        self.told.as_ref().map(|(_, hash, _)| *hash).unwrap_or_default()
    }

    /// The host looked and told all.
    fn look(&mut self, rows: &[Row], minutes: i64) -> Vec<Difference> {
        let delta = full(&self.section, rows, Status::Complete, minutes);
        self.take(&delta).unwrap()
    }
}

fn head(status: Status) -> Head {
    Head { status, reason: String::new(), source: "/somewhere".into() }
}

fn total(rows: &[Row], status: Status) -> Hash {
    rows.iter().map(|row| hash::row(&row.key, &row.durable)).fold(Sum::of(hash::head(&head(status))), Sum::plus).hash()
}

fn full(section: &str, rows: &[Row], status: Status, minutes: i64) -> Delta {
    Delta {
        section: section.into(),
        base: Hash::default(),
        new: total(rows, status),
        full: true,
        head: head(status),
        at: at(minutes),
        put: rows.to_vec(),
        gone: Vec::new(),
    }
}

/// From what one list was to another, as an agent makes it.
fn delta(section: &str, from: &[Row], to: &[Row], minutes: i64) -> Delta {
    let gone = from.iter().filter(|row| !to.iter().any(|other| other.key == row.key));
    Delta {
        base: total(from, Status::Complete),
        full: false,
        put: to.iter().filter(|row| !from.contains(row)).cloned().collect(),
        gone: gone.map(|row| row.key.clone()).collect(),
        ..full(section, to, Status::Complete, minutes)
    }
}

/// Lists of packages, each key once.
fn lists() -> impl Strategy<Value = Vec<Row>> {
    proptest::collection::btree_map("[a-e]", "[1-3]", 0..6).prop_map(|all| {
        all.into_iter().map(|(key, version)| row(&key, &[("name", &key), ("version", &version)])).collect()
    })
}

proptest! {
    #[test]
    fn what_is_told_twice_is_no_change(rows in lists()) {
        let mut book = Book::of("packages");
        prop_assert_eq!(book.look(&rows, 0), [], "the first time is no change either");
        let before = book.clone();
        prop_assert_eq!(book.look(&rows, 60), []);
        prop_assert_eq!(&book.held, &before.held);
        prop_assert_eq!(book.take(&delta("packages", &rows, &rows, 120)), Ok(Vec::new()));
        prop_assert_eq!(book.held, before.held);
    }

    #[test]
    fn an_idle_host_has_no_change_in_a_day(
        section in prop::sample::select(vec!["packages", "users", "usb", "interfaces", "volumes", "custom_x"]),
        rows in lists(),
        looks in prop::collection::vec((0_usize..6, "[a-z]{0,4}", any::<bool>()), 24),
    ) {
        let mut book = Book::of(section);
        book.look(&rows, 0);
        let before = book.clone();
        let mut last = rows.clone();
        for (hour, (turned, volatile, is_whole)) in (1_i64..).zip(looks) {
            // The same in another order, and what has no history is other than before.
            let mut seen = last.clone();
            let turned = turned.min(seen.len());
            seen.rotate_left(turned);
            seen.iter_mut().for_each(|row| row.latest = fields(&[("seen", &volatile)]));
            let told = match is_whole {
                true => full(section, &seen, Status::Complete, hour * 60),
                false => delta(section, &last, &seen, hour * 60),
            };
            prop_assert_eq!(book.take(&told), Ok(Vec::new()));
            last = seen;
        }
        prop_assert_eq!((book.held, book.rows, book.bytes), (before.held, before.rows, before.bytes));
    }

    #[test]
    fn the_order_of_rows_does_not_matter(rows in lists().prop_shuffle(), other in lists()) {
        let mut sorted = rows.clone();
        sorted.sort();
        let (mut one, mut two) = (Book::of("packages"), Book::of("packages"));
        one.look(&rows, 0);
        two.look(&sorted, 0);
        prop_assert_eq!(&one, &two);
        prop_assert_eq!(one.look(&other, 60), two.look(&other, 60));
    }

    #[test]
    fn steps_come_to_the_same_as_the_whole(lists in proptest::collection::vec(lists(), 2..6)) {
        let (mut steps, mut wholes) = (Book::of("packages"), Book::of("packages"));
        steps.look(&lists[0], 0);
        wholes.look(&lists[0], 0);
        for (n, pair) in (1_i64..).zip(lists.windows(2)) {
            let by_step = steps.take(&delta("packages", &pair[0], &pair[1], n * 60)).unwrap();
            prop_assert_eq!(by_step, wholes.look(&pair[1], n * 60));
            prop_assert_eq!(&steps, &wholes);
            prop_assert_eq!(steps.rows, pair[1].len());
            // A key and a name of one letter, a version of one, and the names of both fields.
            prop_assert_eq!(steps.bytes, pair[1].len() * (1 + 1 + 1 + 4 + 7));
        }
        let held: Vec<&String> = steps.held.keys().collect();
        prop_assert_eq!(held, lists.last().unwrap().iter().map(|row| &row.key).collect::<Vec<_>>());
    }

    #[test]
    fn every_order_of_parts_comes_to_the_same(rows in lists(), order in Just([1_u32, 2, 3]).prop_shuffle()) {
        let whole_delta = full("packages", &rows, Status::Complete, 0);
        let part = |number: u32| Part {
            section: "packages".into(), base: Hash::default(), new: whole_delta.new, full: true, part: number, parts: 3,
            head: whole_delta.head.clone(), collected_ms: 0, gone: Vec::new(),
            put: rows.iter().enumerate().filter(|(n, _)| n % 3 == number as usize - 1).map(|(_, row)| {
                let flat = row.durable.iter().flat_map(|(name, value)| [name.clone(), value.clone()]).collect();
                (row.key.clone(), flat, Vec::new(), String::new())
            }).collect(),
        };
        let joined = whole(order.into_iter().map(part).collect(), at(0)).unwrap();
        let mut book = Book::of("packages");
        prop_assert_eq!(book.take(&joined), Ok(Vec::new()));
        prop_assert_eq!(book.hash(), whole_delta.new);
        prop_assert!(whole(vec![part(1), part(3)], at(0)).is_err(), "a part is missing");
        prop_assert!(whole(vec![part(1), part(2), part(2), part(3)], at(0)).is_err(), "a part came twice");
    }
}

#[test]
fn a_difference_to_something_else_is_refused_and_nothing_is_changed() {
    let (old, new) = ([row("a", &[("version", "1")])], [row("a", &[("version", "2")]), row("b", &[("version", "1")])]);
    let mut book = Book::of("packages");
    assert_eq!(book.take(&delta("packages", &old, &new, 0)), Err(Refusal::OtherBase), "nothing is held yet");
    book.look(&old, 0);
    let before = book.clone();
    let good = delta("packages", &old, &new, 60);
    let wrong_base = Delta { base: [1; 16], ..good.clone() };
    let wrong_end = Delta { new: [1; 16], ..good.clone() };
    let never_there = Delta { gone: vec!["x".into()], ..good.clone() };
    let refused = [wrong_base, wrong_end, never_there].map(|delta| book.take(&delta).unwrap_err());
    assert_eq!(refused, [Refusal::OtherBase, Refusal::OtherHash, Refusal::OtherHash]);
    assert_eq!(book, before);
    assert_eq!(book.take(&good).unwrap().len(), 2);
    assert_eq!(book.rows, 2);
}

#[test]
fn what_is_plugged_in_and_out_ten_times_is_two_events_at_most() {
    let mouse = row("1-2", &[("name", "mouse")]);
    let mut book = Book::of("usb");
    book.look(&[], 0);
    let mut events = 0;
    for turn in 0..10 {
        events += book.look(std::slice::from_ref(&mouse), turn * 100 + 10).len();
        // Away for an hour less a minute, at many looks.
        events += (0..4).map(|n| book.look(&[], turn * 100 + 11 + n * 19).len()).sum::<usize>();
    }
    assert_eq!(events, 1, "it was plugged in");
}

#[test]
fn a_peripheral_is_gone_after_two_looks_and_an_hour() {
    let mouse = [row("1-2", &[("name", "mouse")])];
    let after = |looks: &[i64]| {
        let mut book = Book::of("usb");
        book.look(&mouse, 0);
        looks.iter().map(|minutes| book.look(&[], *minutes).len()).collect::<Vec<_>>()
    };
    assert_eq!(after(&[1, 60, 61]), [0, 0, 1]);
    assert_eq!(after(&[1, 61, 62]), [0, 1, 0], "and once");
    assert_eq!(after(&[1]), [0]);
    let mut packages = Book::of("packages");
    packages.look(&mouse, 0);
    assert_eq!(packages.look(&[], 1).len(), 1, "what nobody plugs is gone at once");
}

#[test]
fn what_could_not_be_read_is_not_gone() {
    let rows = [row("ann", &[("uid", "1000")]), row("bob", &[("uid", "1001")])];
    for hidden in [Status::Unreadable, Status::Partial, Status::SwitchedOff] {
        let mut book = Book::of("users");
        book.look(&rows, 0);
        assert_eq!(book.take(&full("users", &rows[..1], hidden, 60)), Ok(Vec::new()), "{hidden:?}");
        assert_eq!(book.held.len(), 2);
        assert_eq!(book.look(&rows, 120), [], "there all the time");
        assert_eq!(book.take(&full("users", &[], hidden, 180)), Ok(Vec::new()));
        let gone = book.look(&rows[..1], 240);
        assert_eq!(gone.iter().map(|one| (one.key.as_str(), one.after.is_none())).collect::<Vec<_>>(), [("bob", true)]);
        assert_eq!(book.held.keys().collect::<Vec<_>>(), ["ann"]);
    }
    // No such thing on this machine: that is an answer.
    let mut book = Book::of("users");
    book.look(&rows, 0);
    assert_eq!(book.take(&full("users", &[], Status::Absent, 60)).unwrap().len(), 2);
}

#[test]
fn what_was_hidden_when_it_was_first_looked_at_is_not_new_later() {
    let rows = [row("ann", &[("uid", "1000")])];
    for hidden in [Status::Unreadable, Status::Partial, Status::SwitchedOff] {
        let mut book = Book::of("users");
        assert_eq!(book.take(&full("users", &[], hidden, 0)), Ok(Vec::new()));
        assert_eq!(book.look(&rows, 60), [], "{hidden:?}");
    }
    let mut book = Book::of("users");
    book.look(&[], 0);
    assert_eq!(book.look(&rows, 60).len(), 1);
}

#[test]
fn more_than_is_taken_is_refused_whole() {
    let many: Vec<Row> = (0..50_001).map(|n| row(&n.to_string(), &[("name", "x")])).collect();
    let mut book = Book::of("packages");
    book.look(&many[..50_000], 0);
    let refused = book.take(&full("packages", &many, Status::Complete, 60)).unwrap_err();
    assert_eq!(refused, Refusal::TooMany { what: "the section", found: 50_001, most: 50_000 });
    let before = Before { other_rows: 59_999, other_sections: 63, ..Before::default() };
    let two = full("users", &many[..2], Status::Complete, 0);
    assert_eq!(apply(&before, &two), Err(Refusal::TooMany { what: "the host", found: 60_001, most: 60_000 }));
    let one = full("users", &many[..1], Status::Complete, 0);
    assert!(apply(&before, &one).is_ok());
    // The row takes 6 bytes.
    let heavy = |other_bytes: usize| apply(&Before { other_bytes, ..before.clone() }, &one);
    let refused = Refusal::TooBig { what: "what the host tells", bytes: 33_554_433, most: 33_554_432 };
    assert_eq!(heavy(33_554_427), Err(refused));
    assert!(heavy(33_554_426).is_ok());
    let before = Before { other_sections: 64, ..before };
    assert_eq!(apply(&before, &one), Err(Refusal::TooMany { what: "the host", found: 65, most: 64 }));
}

#[test]
fn a_part_is_held_to_the_contract() {
    let good = Part {
        section: "packages".into(),
        base: Hash::default(),
        new: Hash::default(),
        full: true,
        part: 0,
        parts: 0,
        head: Head::default(),
        collected_ms: 0,
        put: vec![("k".into(), vec!["name".into(), "x".repeat(1_024)], vec!["seen".into(), "y".into()], String::new())],
        gone: vec!["z".into()],
    };
    assert_eq!(good.check(), Ok(()));
    let with = |change: &dyn Fn(&mut Part)| {
        let mut part = good.clone();
        change(&mut part);
        part.check().is_err()
    };
    let refused: [&dyn Fn(&mut Part); 11] = [
        &|part| part.section = "Packages".into(),
        &|part| part.section = String::new(),
        &|part| (part.part, part.parts) = (3, 2),
        &|part| part.parts = 1_101,
        &|part| part.put[0].0 = "k".repeat(257),
        &|part| part.put[0].0 = "a\nb".into(),
        &|part| part.put[0].1[1].push('x'),
        &|part| part.put[0].1[1].clear(),
        &|part| part.put[0].1[0] = "na me".into(),
        &|part| part.put[0].1 = ["b", "1", "a", "1"].map(str::to_owned).to_vec(),
        &|part| part.put[0].2.push("odd".into()),
    ];
    for (n, change) in refused.iter().enumerate() {
        assert!(with(*change), "{n}");
    }
    let many: Vec<String> = (0..65).flat_map(|n| [format!("f{n:02}"), "v".into()]).collect();
    assert!(with(&|part| part.put[0].1 = many.clone()));
    assert!(whole(vec![Part { gone: vec!["k".into()], ..good.clone() }], at(0)).is_err(), "put and gone at once");
}
