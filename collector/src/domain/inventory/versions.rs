//! Which of two versions of a package is newer, as Debian's policy 5.6.12 says; rpm's rules agree on all that is usual.

use std::cmp::Ordering;

/// Compares two versions.
pub(super) fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (split(a), split(b));
    a.0.cmp(&b.0).then_with(|| parts(a.1, b.1)).then_with(|| parts(a.2, b.2))
}

/// Epoch, upstream version and revision.
fn split(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = match version.split_once(':') {
        Some((epoch, rest)) => (epoch.parse().unwrap_or(0), rest),
        None => (0, version),
    };
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch, upstream, revision)
}

fn parts(mut a: &str, mut b: &str) -> Ordering {
    while !a.is_empty() || !b.is_empty() {
        let (text_a, text_b) = (take(&mut a, |c| !c.is_ascii_digit()), take(&mut b, |c| !c.is_ascii_digit()));
        let words = weights(text_a).cmp(weights(text_b));
        let (number_a, number_b) = (take(&mut a, |c| c.is_ascii_digit()), take(&mut b, |c| c.is_ascii_digit()));
        let (number_a, number_b) = (number_a.trim_start_matches('0'), number_b.trim_start_matches('0'));
        let numbers = number_a.len().cmp(&number_b.len()).then_with(|| number_a.cmp(number_b));
        match words.then(numbers) {
            Ordering::Equal => {}
            other => return other,
        }
    }
    Ordering::Equal
}

fn take<'a>(text: &mut &'a str, fits: impl Fn(char) -> bool) -> &'a str {
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    let (taken, rest) = text.split_at(end);
    *text = rest;
    taken
}

/// `~` sorts before the end, letters before all else.
fn weights(text: &str) -> impl Iterator<Item = u32> {
    let weight = |c: char| match c {
        '~' => 0,
        c if c.is_ascii_alphabetic() => 1 + u32::from(c),
        c => 1_000 + u32::from(c),
    };
    // The end stands between the tilde and everything else.
    text.chars().map(weight).chain([1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_dpkg_orders_them() {
        // Each answered by `dpkg --compare-versions A lt B`.
        let older_first = [
            ("5.2.15-2+b7", "5.2.15-2+b8"),
            ("1.0~rc1-1", "1.0-1"),
            ("1.0", "1.0a"),
            ("2.9", "2.10"),
            ("9.0", "1:0.1"),
            ("3.0.9-1", "3.0.11-1~deb12u2"),
            ("3.0.11-1~deb12u2", "3.0.11-1"),
            ("1.0a", "1.0+"),
            ("1.0-1", "1.0-1.1"),
        ];
        for (older, newer) in older_first {
            assert_eq!(compare(older, newer), Ordering::Less, "{older} {newer}");
            assert_eq!(compare(newer, older), Ordering::Greater, "{newer} {older}");
        }
        assert_eq!(compare("1.02-03", "1.2-3"), Ordering::Equal);
    }
}
