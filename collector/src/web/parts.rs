//! The parts of a host's hardware, read from its evidence for views and for the API.

use super::Web;
use crate::{
    domain::{
        finding::FindingRow,
        rules::hardware::{
            named as rule_named,
            sheet::{self, LOG_MS, Past, Sheet},
        },
        snapshot::HostView,
    },
    store::{StoreError, hardware::Of},
};

/// Rows of one drive's past: one a day for forty days, and the latest.
const PAST: usize = 64;

impl Web {
    /// A sheet for each part that the evidence names.
    pub(super) async fn sheets(&self, host: &HostView) -> Result<Vec<Sheet>, StoreError> {
        let log_from = self.now().plus_ms(-LOG_MS);
        let told = self.context.store.told(host.profile.no, log_from).await?;
        // Reading hundreds of documents takes tens of milliseconds.
        Ok(tokio::task::spawn_blocking(move || sheet::sheets(&told)).await.unwrap_or_default())
    }

    /// The past of a part, as long as its evidence is kept; its sheet is told how long it will last.
    pub(super) async fn past_of(&self, host: &HostView, sheet: &mut Sheet) -> Result<Past, StoreError> {
        let (source, device) = sheet.evidence.clone();
        if source.is_empty() {
            return Ok(Past::default());
        }
        let (part, is_of) = (device.clone(), source.clone());
        let rows = self.context.store.hardware(host.profile.no, Of::Part { source, part }).await?;
        let read = rows.iter().filter(|row| row.outcome == "read").take(PAST);
        let mut said: Vec<_> = read.map(|row| (row.at, row.payload())).collect();
        said.reverse();
        let part = sheet.part.clone();
        let past =
            tokio::task::spawn_blocking(move || sheet::past(&part, (&is_of, &device), &said)).await.unwrap_or_default();
        past.worn.iter().for_each(|worn| sheet.foretell(worn));
        Ok(past)
    }
}

/// The open findings of a part, whichever of its names they were made under.
pub(super) fn findings_of<'a>(host: &'a HostView, sheet: &Sheet) -> Vec<&'a FindingRow> {
    let is_its = |row: &&FindingRow| {
        let is_called = row.part == sheet.component || sheet.aliases.contains(&row.part);
        row.open && rule_named(&row.rule).is_some() && is_called
    };
    host.findings.iter().filter(is_its).collect()
}
