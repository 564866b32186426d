//! `[[host_rule]]`: labels for hosts whose name, address or system fits.

use super::{
    read::{CLASS, WATCH, label, short_text},
    section::Section,
};
use crate::domain::{
    label_rule::HostRule,
    labels::{Class, MOST_LABELS},
    layers::Says,
    watch::Watch,
};

/// Most rules; each is tried on every host.
pub(super) const MOST: usize = 1_000;
const NAME: &str = "a host name with * and ?, such as \"ws-*\"";
const RANGE: &str = "an address range such as \"10.1.0.0/16\" or \"2001:db8::/32\"";
const OS: &str = "a system such as \"windows\", or its release with * and ?, such as \"debian*\"";

/// Reads the rules in the order of the file.
pub(super) fn read(sections: Vec<Section<'_, '_>>) -> Vec<HostRule> {
    sections.into_iter().filter_map(one).collect()
}

fn one(mut section: Section<'_, '_>) -> Option<HostRule> {
    let fits_some = ["name", "address", "os"].into_iter().any(|key| section.has(key));
    let name = section.text("name", NAME, short_text);
    let address = section.text("address", RANGE, |text| text.parse().map_err(|_| RANGE.to_owned()));
    let os = section.text("os", OS, short_text);
    if !fits_some {
        section.wrong("name", "name, address or os: which hosts it is about; name = \"*\" is about all");
    }
    let says = says(&mut section);
    section.finish();
    fits_some.then_some(HostRule { name, address, os, says })
}

fn says(section: &mut Section<'_, '_>) -> Says {
    let word =
        |known: bool, word: &str, expected: &str| if known { Ok(word.to_owned()) } else { Err(expected.to_owned()) };
    let fixed = [
        ("class", section.text("class", CLASS, |text| word(Class::from_word(text).is_some(), text, CLASS))),
        ("site", section.text("site", "the name of a site", short_text)),
        ("watch", section.text("watch", WATCH, |text| word(Watch::from_word(text).is_some(), text, WATCH))),
    ];
    let free = section.pairs("labels", |name, value| match name {
        "class" | "site" | "watch" => Err(format!("{name} beside labels, not in them")),
        _ => label(name, value),
    });
    if free.len() > MOST_LABELS {
        section.wrong("labels", format!("at most {MOST_LABELS} labels"));
    }
    let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    fixed.chain(free).collect()
}
