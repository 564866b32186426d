//! The settings that agents are told, as the configuration and the store have them.

use std::sync::Arc;

use crate::{
    config::{Config, parse_settings},
    domain::settings::{Part, Scope, shelf::Shelf},
    store::{Store, StoreError, settings::SettingsRow},
};

/// The shelf as it was left.
pub(super) async fn shelf(config: &Config, store: &Store) -> Result<Arc<Shelf>, StoreError> {
    let made = store.settings().await?.iter().filter_map(made).collect();
    Ok(Arc::new(Shelf::new(config.settings.clone(), made, store.given().await?)))
}

/// One that can no longer be read is left out and said so in the log.
fn made(row: &SettingsRow) -> Option<Part> {
    let scope = Scope::from_words(&row.scope)?;
    let part = parse_settings(&row.document, scope, row.origin());
    part.map_err(|errors| tracing::warn!("{} are left out: {errors}", row.origin())).ok()
}
