//! `[[runbook]]`: where the instructions for some incidents stand.

use super::{oncall::scope, section::Section};
use crate::domain::{alert::link, oncall::runbook::Runbook};

/// Most of them.
pub(super) const MOST: usize = 500;
const URL: &str = "the http or https address of the instructions";

/// Reads all of them; those with mistakes are noted and left out.
pub(super) fn read(sections: Vec<Section<'_, '_>>) -> Vec<Runbook> {
    let one = |mut section: Section<'_, '_>| {
        let scope = scope(&mut section);
        let url = section.required("url", URL, |text| link(text).ok_or_else(|| URL.to_owned()));
        section.finish();
        Some(Runbook { scope, url: url? })
    };
    sections.into_iter().filter_map(one).collect()
}
