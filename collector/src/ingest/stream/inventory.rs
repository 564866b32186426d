//! EDGE. The inventory on a session: which sections are known here, and asking for one that differs from what is.

use muster_proto::v1::{self, ask::What};

use super::Running;
use crate::{
    domain::ids::HostNo,
    ingest::Context,
    store::{StoreError, inventory::Taken},
};

/// The sections that are known of a host, with their hashes, as it is greeted with them.
pub(crate) async fn known(context: &Context, host: HostNo) -> Result<Vec<v1::SectionHash>, StoreError> {
    let known = context.rooms.store.inventory_hashes(host).await?;
    Ok(known.into_iter().map(|(section, hash)| v1::SectionHash { section, hash: hash.to_vec() }).collect())
}

impl Running {
    /// Says what became of sections that were told, and asks anew for those that do not fit.
    pub(super) fn on_inventory(&mut self, taken: Vec<Taken>) {
        for section in taken {
            let Some(refusal) = &section.refused else { continue };
            self.metrics().refuse("inventory");
            let name = &self.profile.name;
            let kind = refusal.kind();
            let what = &section.section;
            if section.ask {
                tracing::debug!(host.id = %self.profile.id, error.type = kind, "section {what:?} of host {name:?} is asked for: {refusal}");
                self.ask(What::Section(section.section));
            } else {
                tracing::warn!(host.id = %self.profile.id, error.type = kind, "section {what:?} of host {name:?} was not taken: {refusal}");
            }
        }
    }
}
