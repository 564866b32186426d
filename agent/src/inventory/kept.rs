//! What the collector has of a section, row by row as hashes, and what it must be told.
//!
//! Rows themselves are not kept: they are read anew when they are sent.

use std::collections::BTreeMap;

use super::{Row, Section, hash};

/// First words of the file.
const HEAD: &str = "muster inventory 1";
/// Longest file read back, in bytes: 20 000 rows with keys of 256 bytes are less.
pub const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// A section as the collector has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The section's hash.
    pub hash: u128,
    /// By key: hashes of what is durable and of what moves.
    pub rows: BTreeMap<String, (u128, u128)>,
    /// What it rested on when it was read; none where it was not whole, or is read each time.
    pub rests: Option<u128>,
}

impl Kept {
    /// As it is in a file.
    #[must_use]
    pub fn to_text(&self) -> String {
        let rests = self.rests.map(|rests| format!(" {}", hash::spelled(rests))).unwrap_or_default();
        let mut text = format!("{HEAD} {}{rests}\n", hash::spelled(self.hash));
        for (key, (durable, latest)) in &self.rows {
            text.extend([&hash::spelled(*durable), " ", &hash::spelled(*latest), " ", key, "\n"]);
        }
        text
    }

    /// Reads a file; nothing where it is not whole.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut first = lines.next()?.strip_prefix(HEAD)?.split_ascii_whitespace().map(hash::read);
        let (hash, rests) = (first.next()??, first.next());
        let rests = if let Some(read) = rests { Some(read?) } else { None };
        let row = |line: &str| {
            let (durable, rest) = line.split_once(' ')?;
            let (latest, key) = rest.split_once(' ')?;
            Some((key.to_owned(), (hash::read(durable)?, hash::read(latest)?)))
        };
        Some(Self { hash, rows: lines.map(row).collect::<Option<_>>()?, rests })
    }
}

/// What the collector is to be told of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta<'a> {
    /// The section it is about.
    pub section: &'a Section,
    /// What it applies to.
    pub base: u128,
    /// What the section is then.
    pub new: u128,
    /// The section anew, whatever was there.
    pub full: bool,
    /// Rows that are new or changed.
    pub put: Vec<&'a Row>,
    /// Keys of rows that are no more.
    pub gone: Vec<String>,
}

/// What is to be told of a section, of which the collector has `kept` where that is known, and what it has then. Nothing
/// where nothing differs, unless it is told so that the hashes are compared.
#[must_use]
pub fn delta<'a>(section: &'a Section, kept: Option<&Kept>, compare: bool) -> (Option<Delta<'a>>, Kept) {
    let head = hash::head(section);
    let mut rows: BTreeMap<String, (u128, u128)> =
        section.rows.iter().map(|row| (row.key.clone(), (hash::row(row), hash::latest(row)))).collect();
    if let Some(kept) = kept.filter(|_| !section.whole) {
        for (key, hashes) in &kept.rows {
            rows.entry(key.clone()).or_insert(*hashes);
        }
    }
    let new = rows.values().fold(head, |sum, (durable, _)| sum.wrapping_add(*durable));
    let delta = match kept {
        None => Some(Delta { section, base: 0, new, full: true, put: section.rows.iter().collect(), gone: Vec::new() }),
        Some(kept) => {
            let put: Vec<&Row> =
                section.rows.iter().filter(|row| kept.rows.get(&row.key) != rows.get(&row.key)).collect();
            let gone: Vec<String> = kept.rows.keys().filter(|key| !rows.contains_key(*key)).cloned().collect();
            let differs = compare || new != kept.hash || !put.is_empty() || !gone.is_empty();
            differs.then_some(Delta { section, base: kept.hash, new, full: false, put, gone })
        }
    };
    (delta, Kept { hash: new, rows, rests: None })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Status;
    use super::*;

    fn section(rows: &[(&str, &str, &str)]) -> Section {
        Section {
            name: "packages".to_owned(),
            status: Status::Complete,
            reason: String::new(),
            source: "here".to_owned(),
            collected_ms: 1,
            rows: rows.iter().map(|(key, d, l)| Row::new(key).durable("d", d).latest("l", l)).collect(),
            whole: true,
        }
    }

    fn keys(delta: &Delta<'_>) -> (Vec<String>, Vec<String>) {
        (delta.put.iter().map(|row| row.key.clone()).collect(), delta.gone.clone())
    }

    #[test]
    fn what_is_not_known_is_told_in_full_and_then_only_what_differs() {
        let one = section(&[("a", "1", ""), ("b", "1", "x")]);
        let (full, kept) = delta(&one, None, false);
        let full = full.unwrap();
        assert_eq!((full.full, full.put.len(), full.new), (true, 2, kept.hash));
        assert_eq!(delta(&one, Some(&kept), false), (None, kept.clone()), "the same again is no news");

        let two = section(&[("b", "1", "y"), ("c", "1", "")]);
        let (second, then) = delta(&two, Some(&kept), false);
        let second = second.unwrap();
        assert_eq!((second.full, second.base, second.new), (false, kept.hash, then.hash));
        assert_eq!(keys(&second), (vec!["b".into(), "c".into()], vec!["a".into()]));

        let moved = section(&[("b", "1", "z"), ("c", "1", "")]);
        let (third, after) = delta(&moved, Some(&then), false);
        assert_eq!(keys(&third.unwrap()).0, ["b"], "what moves is told");
        assert_eq!(after.hash, then.hash, "and is no part of the hash");
    }

    #[test]
    fn rows_that_could_not_be_read_are_not_gone() {
        let (_, kept) = delta(&section(&[("a", "1", ""), ("b", "1", "")]), None, false);
        let failed = Section {
            status: Status::Unreadable,
            reason: "it hangs".to_owned(),
            whole: false,
            ..section(&[("b", "2", "")])
        };
        let (told, then) = delta(&failed, Some(&kept), false);
        assert_eq!(keys(&told.unwrap()), (vec!["b".into()], vec![]));
        assert_eq!(then.rows.keys().collect::<Vec<_>>(), ["a", "b"]);
        let absent = Section { whole: true, ..failed };
        assert_eq!(keys(&delta(&absent, Some(&kept), false).0.unwrap()).1, ["a"]);
    }

    #[test]
    fn hashes_are_compared_on_demand_although_nothing_differs() {
        let one = section(&[("a", "1", "")]);
        let (_, kept) = delta(&one, None, false);
        let (told, _) = delta(&one, Some(&kept), true);
        let told = told.unwrap();
        assert_eq!((told.base, keys(&told)), (told.new, (vec![], vec![])));
    }

    #[test]
    fn the_file_is_read_back_as_it_was_and_half_of_it_is_not() {
        let (_, kept) = delta(&section(&[("a b/c", "1", ""), ("é", "1", "x")]), None, false);
        let text = kept.to_text();
        assert_eq!(Kept::parse(&text), Some(kept.clone()));
        let settled = Kept { rests: Some(7), ..kept };
        assert_eq!(Kept::parse(&settled.to_text()), Some(settled));
        assert_eq!(Kept::parse(&text[..text.len() - 3]), None);
        assert_eq!(Kept::parse(""), None);
        assert_eq!(Kept::parse("muster inventory 2 00\n"), None);
        assert_eq!(Kept::parse(&format!("{HEAD} {} half\n", hash::spelled(1))), None);
    }

    proptest! {
        /// What the other end makes of a delta is what the section is.
        #[test]
        fn a_delta_leads_from_any_rows_to_any_other(
            before in prop::collection::btree_map(0_u8..12, (0_u8..3, 0_u8..3), 0..12),
            after in prop::collection::btree_map(0_u8..12, (0_u8..3, 0_u8..3), 0..12),
        ) {
            let of = |rows: &BTreeMap<u8, (u8, u8)>| Section {
                rows: rows.iter().map(|(key, (d, l))| Row::new(key).durable("d", d).latest("l", l)).collect(),
                ..section(&[])
            };
            let (before, after) = (of(&before), of(&after));
            let (_, kept) = delta(&before, None, false);
            let (told, then) = delta(&after, Some(&kept), true);
            let told = told.unwrap();
            let mut rows: BTreeMap<String, Row> = before.rows.iter().map(|row| (row.key.clone(), row.clone())).collect();
            told.gone.iter().for_each(|key| drop(rows.remove(key)));
            rows.extend(told.put.iter().map(|row| (row.key.clone(), (*row).clone())));
            prop_assert_eq!(rows.into_values().collect::<Vec<_>>(), {
                let mut wanted = after.rows.clone();
                wanted.sort_by(|a, b| a.key.cmp(&b.key));
                wanted
            });
            let sum = after.rows.iter().fold(hash::head(&after), |sum, row| sum.wrapping_add(hash::row(row)));
            prop_assert_eq!((told.new, then.hash), (sum, sum));
        }
    }
}
