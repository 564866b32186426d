//! Evidence of the hardware on its way to the collector: what differs from what was told last becomes a record.

use tokio::sync::mpsc;

use super::Uplink;
use crate::hardware::Batch;
use crate::report;
use crate::spool::Kind;

/// The next look at a source, where there are any.
pub(super) async fn next(found: &mut Option<mpsc::Receiver<Batch>>) -> Option<Batch> {
    match found {
        Some(found) => found.recv().await,
        None => std::future::pending().await,
    }
}

impl Uplink {
    /// What is news becomes records, on the disk before it counts as told.
    pub(super) fn found(&mut self, batch: Batch) {
        let (now, kind) = (self.now(), if batch.source.urgent { Kind::Urgent } else { Kind::Bulk });
        let news = self.told.news(batch, self.parts.spool.epoch());
        if news.is_empty() {
            return;
        }
        for body in news.iter().filter_map(report::hardware_record) {
            self.record(kind, now, body);
        }
        self.parts.spool.sync(now);
        self.told.save(&self.parts.state);
    }
}
