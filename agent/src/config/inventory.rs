//! `[inventory]`: what the machine is made of, runs and lets in.

use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use crate::inspection::{Inspection, parse_duration};
use crate::inventory;
use crate::inventory::tell::Wanted;
use crate::platform::is_absolute;

/// `[inventory]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawInventory {
    /// Whether it is taken and sent. Default true.
    enabled: Option<bool>,
    /// How often, "1m" to "24h". Default "1h".
    interval: Option<Spanned<String>>,
    /// Sections that are not looked at, such as "users". Default: none.
    #[serde(default)]
    off: Vec<Spanned<String>>,
    /// Directories with own sections, `NAME.json`. Default ["/etc/muster/inventory.d"].
    custom: Option<Vec<Spanned<String>>>,
}

impl Inspection<'_> {
    pub(super) fn inventory(&mut self, raw: RawInventory) -> (Option<Duration>, Wanted) {
        let mut interval = inventory::INTERVAL;
        if let Some(text) = &raw.interval {
            let range = inventory::INTERVAL_MIN..=inventory::INTERVAL_MAX;
            match parse_duration(text.get_ref()).filter(|value| range.contains(value)) {
                Some(value) => interval = value,
                None => self.expected("inventory.interval", text, "a time from \"1m\" to \"24h\""),
            }
        }
        let mut wanted = Wanted::default();
        for name in raw.off {
            if inventory::SECTIONS.iter().any(|source| source.name == name.get_ref()) {
                wanted.off.push(name.into_inner());
            } else {
                let known: Vec<&str> = inventory::SECTIONS.iter().map(|source| source.name).collect();
                self.expected("inventory.off", &name, &format!("names of sections: {}", known.join(", ")));
            }
        }
        if let Some(directories) = raw.custom {
            wanted.custom.clear();
            for directory in directories {
                if is_absolute(directory.get_ref()) {
                    wanted.custom.push(directory.into_inner());
                } else {
                    self.expected("inventory.custom", &directory, "absolute paths");
                }
            }
        }
        (raw.enabled.unwrap_or(true).then_some(interval), wanted)
    }
}
