//! A host says so many series and no more: beyond that whole families are left out, the largest first, as half of one
//! would be taken for all of it. PURE.

use super::Section;
use super::table::LeftOut;

/// More series than this are worth a word: an ordinary host has a tenth of it.
pub const MANY: usize = 5_000;

/// Series of all sections, with those that are left out.
pub fn wanted<'a>(sections: impl IntoIterator<Item = &'a Section>) -> usize {
    let of = |section: &Section| section.series.len() + section.left_out.iter().map(|left| left.wanted).sum::<usize>();
    sections.into_iter().map(of).sum()
}

/// The families of all sections: which section, name, series, and whether it is left out now.
fn families<'a>(sections: &[&'a Section]) -> Vec<(usize, &'a str, usize, bool)> {
    let mut families = Vec::new();
    for (place, section) in sections.iter().enumerate() {
        let mut counts = vec![0_usize; section.families.len()];
        section.series.iter().for_each(|series| counts[series.family as usize] += 1);
        families
            .extend(section.families.iter().zip(counts).map(|(family, count)| (place, &*family.name, count, false)));
        families.extend(section.left_out.iter().map(|left| (place, &*left.family, left.wanted, true)));
    }
    families
}

/// What each section is to leave out so that all of them together say `limit` series at most; `None` when nothing is
/// left out and nothing need be. A family comes back only when it fits with a tenth to spare: else one that is about as
/// large as the room for it would come and go.
#[must_use]
pub fn choose(limit: usize, sections: &[&Section]) -> Option<Vec<Vec<LeftOut>>> {
    let mut total = wanted(sections.iter().copied());
    if total <= limit && sections.iter().all(|section| section.left_out.is_empty()) {
        return None;
    }
    let mut choice = vec![Vec::new(); sections.len()];
    let mut families = families(sections);
    // Of two as large the one that is left out already.
    families.sort_by(|one, two| (two.2, two.3).cmp(&(one.2, one.3)).then(one.1.cmp(two.1)));
    for (place, family, wanted, is_left_out) in families {
        let room = if is_left_out { limit - limit / 10 } else { limit };
        if total > room {
            total -= wanted;
            choice[place].push(LeftOut { family: family.into(), wanted, decided: wanted });
        }
    }
    Some(choice)
}

/// The largest family and its series.
#[must_use]
pub fn largest<'a>(sections: &[&'a Section]) -> Option<(&'a str, usize)> {
    families(sections).into_iter().map(|(_, family, count, _)| (family, count)).max_by_key(|(_, count)| *count)
}

impl Section {
    /// Families that it leaves out.
    #[must_use]
    pub fn left_out(&self) -> &[LeftOut] {
        &self.left_out
    }

    /// Whether it leaves out these families, and no others.
    #[must_use]
    pub fn leaves_out(&self, choice: &[LeftOut]) -> bool {
        let has = |list: &[LeftOut], family: &str| list.iter().any(|left| *left.family == *family);
        self.left_out.len() == choice.len() && choice.iter().all(|left| has(&self.left_out, &left.family))
    }

    /// Leaves out these families from now on; what is left out no longer is said again at the next reading.
    pub fn leave_out(&mut self, choice: Vec<LeftOut>) {
        let before = std::mem::replace(&mut self.left_out, choice);
        for left in &mut self.left_out {
            let known = before.iter().find(|known| known.family == left.family);
            left.decided = known.map_or(left.decided, |known| known.decided);
        }
        // What is known by its material must be said anew, with what was left out of it.
        self.stamp = None;
        let kept: Vec<u32> = self.sequence.iter().copied().filter(|index| !self.is_left_out(*index)).collect();
        if kept.len() < self.sequence.len() {
            self.retain(&kept);
        }
    }

    pub(super) fn is_left_out(&self, index: u32) -> bool {
        let family = &self.families[self.series[index as usize].family as usize].name;
        !self.left_out.is_empty() && self.left_out.iter().any(|left| left.family == *family)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Kind, Scratch, Sink};
    use super::*;
    use crate::clock::Moment;

    /// Says families with so many series each.
    fn say(section: &mut Section, families: &[(&str, usize)]) {
        let mut scratch = Scratch::default();
        let mut sink = Sink::new(section, &mut scratch, Moment::default());
        for (family, series) in families {
            for number in 0..*series {
                sink.family(family, Kind::Gauge, "");
                sink.sample(&[("number", &number.to_string())], 1.0);
            }
        }
        sink.finish(Ok(())).1.unwrap();
    }

    fn hold(limit: usize, sections: &mut [Section]) -> Vec<String> {
        let seen: Vec<&Section> = sections.iter().collect();
        if let Some(choice) = choose(limit, &seen) {
            sections.iter_mut().zip(choice).for_each(|(section, choice)| section.leave_out(choice));
        }
        let left = sections.iter().flat_map(|section| section.left_out().iter().map(|left| left.family.to_string()));
        left.collect()
    }

    fn count(sections: &[Section]) -> usize {
        sections.iter().map(|section| section.samples().count()).sum()
    }

    #[test]
    fn the_largest_families_go_whole_and_come_back_when_there_is_room_to_spare() {
        let mut sections = [Section::new("a", Arc::default()), Section::new("b", Arc::default())];
        say(&mut sections[0], &[("small", 10), ("large", 60)]);
        say(&mut sections[1], &[("middle", 30)]);
        assert_eq!((hold(100, &mut sections), count(&sections)), (vec![], 100));
        assert_eq!((hold(99, &mut sections), count(&sections)), (vec!["large".to_owned()], 40));

        say(&mut sections[0], &[("small", 10), ("large", 55)]);
        assert_eq!(wanted(&sections), 95, "it is counted while it is left out");
        assert_eq!(hold(99, &mut sections), ["large"], "it would just fit");
        assert_eq!(sections[0].left_out()[0].decided, 60);
        say(&mut sections[0], &[("small", 10), ("large", 50)]);
        assert_eq!(hold(99, &mut sections), Vec::<String>::new());
        say(&mut sections[0], &[("small", 10), ("large", 50)]);
        assert_eq!(count(&sections), 90, "it is said again");
    }

    #[test]
    fn what_another_source_needs_is_found_in_the_largest() {
        let mut sections = [Section::new("a", Arc::default()), Section::new("b", Arc::default())];
        say(&mut sections[0], &[("one", 40), ("two", 40)]);
        say(&mut sections[1], &[("three", 41), ("four", 1)]);
        assert_eq!(hold(50, &mut sections), ["one", "three"]);
        assert_eq!(count(&sections), 41);
    }
}
