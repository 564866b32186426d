//! `[[device]]`: things without an agent, as `muster-collector device add` takes them.

use std::collections::BTreeMap;

use super::{
    read::{WATCH, label, short_text},
    section::Section,
};
use crate::domain::{
    device::{
        Probe,
        declared::{self, Declared, Fleet},
        is_address, is_name,
    },
    labels::MOST_LABELS,
    layers::Says,
    watch::Watch,
};

/// Most devices in the file; more belong into a table (`device import`).
pub(super) const MOST: usize = 2_000;
/// Most agents that watch one device.
const WATCHERS: usize = 8;
const NAME: &str = "a name of at most 128 printable ASCII characters without spaces";
const ADDRESS: &str = "an address, or a host name that its watchers can look up";
const CHECK: &str = "icmp, tcp:PORT, or a URL that begins with http:// or https://";
const OTHER: &str = "the name of a device";

/// A device with the places of what the fleet may contradict.
struct Read<'s, 'i> {
    section: Section<'s, 'i>,
    declared: Declared,
    at: BTreeMap<&'static str, usize>,
}

/// Reads all `[[device]]`; what the fleet contradicts is a mistake too, as far as it is known.
pub(super) fn read(sections: Vec<Section<'_, '_>>, fleet: Option<&Fleet>) -> Vec<Declared> {
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let read: Vec<Read<'_, '_>> = sections.into_iter().filter_map(|section| one(section, &mut seen)).collect();
    let all: Vec<Declared> = read.iter().map(|device| device.declared.clone()).collect();
    // Without the fleet nothing is known of names that do not stand here, but a circle in the file is one anyhow.
    let alone = alone(&all);
    for wrong in declared::wrong(fleet.map_or(&alone, |_| &all), fleet.unwrap_or(&Fleet::default())) {
        let Read { section, at, .. } = &read[wrong.which];
        section.wrong_at(at.get(wrong.key).copied(), wrong.key, &wrong.value, wrong.expected);
    }
    read.into_iter().for_each(|device| device.section.finish());
    all
}

/// The same devices as far as they speak of each other.
fn alone(all: &[Declared]) -> Vec<Declared> {
    let names: Vec<&str> = all.iter().map(|device| device.name.as_str()).collect();
    let inside = |name: &String| names.contains(&name.as_str());
    let alone = |device: &Declared| Declared {
        parent: device.parent.clone().filter(inside),
        watchers: device.watchers.iter().filter(|name| inside(name)).cloned().collect(),
        ..device.clone()
    };
    all.iter().map(alone).collect()
}

fn one<'s, 'i>(mut section: Section<'s, 'i>, seen: &mut BTreeMap<String, String>) -> Option<Read<'s, 'i>> {
    let place = section.place();
    let at = ["name", "parent", "watchers"].into_iter().filter_map(|key| Some((key, section.at(key)?))).collect();
    let fits = |good: bool, text: &str, expected: &str| if good { Ok(text.to_owned()) } else { Err(expected.into()) };
    let name = section.required("name", NAME, |text| match seen.insert(text.to_owned(), place.clone()) {
        Some(first) => Err(format!("another name: {first} is called so already")),
        None => fits(is_name(text), text, NAME),
    });
    let address = section.required("address", ADDRESS, |text| fits(is_address(text), text, ADDRESS));
    let probe = section.text("check", CHECK, |text| Probe::from_words(text).ok_or_else(|| CHECK.into()));
    let parent = section.text("parent", OTHER, short_text);
    let watchers = section.texts("watchers", "the name of a host", WATCHERS, short_text).unwrap_or_default();
    let says = says(&mut section);
    let Some(name) = name else {
        section.finish();
        return None;
    };
    // Others may speak of it whatever else is wrong with it.
    let (address, probe) = (address.unwrap_or_default(), probe.unwrap_or(Probe::Icmp));
    Some(Read { section, declared: Declared { name, address, probe, says, parent, watchers, place }, at })
}

fn says(section: &mut Section<'_, '_>) -> Says {
    let site = section.text("site", "the name of a site", short_text);
    let watch = section.text("watch", WATCH, |text| {
        Watch::from_word(text).map(|watch| watch.word().to_owned()).ok_or_else(|| WATCH.into())
    });
    let free = section.pairs("labels", |name, value| match name {
        "class" => Err("no class: it is a device".into()),
        "site" | "watch" => Err(format!("{name} beside labels, not in them")),
        _ => label(name, value),
    });
    if free.len() > MOST_LABELS {
        section.wrong("labels", format!("at most {MOST_LABELS} labels"));
    }
    let fixed = [("site", site), ("watch", watch)].into_iter();
    fixed.filter_map(|(name, value)| Some((name.to_owned(), value?))).chain(free).collect()
}
