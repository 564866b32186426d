//! Devices of the configuration on their way into the engine: whoever is not known yet is made, and all are declared.

use std::collections::BTreeSet;

use crate::{
    config::Config,
    domain::{engine::Engine, event::Effect, record::AuditRow, record::Loaded, time::Timestamp},
    identity::Identity,
    store::{Store, StoreError},
};

/// What the store knows, and the hosts of devices that stand in the file: whoever is not known is made.
pub(super) async fn load(
    config: &Config,
    identity: &Identity,
    store: &Store,
    now: Timestamp,
) -> Result<Loaded, StoreError> {
    let mut loaded = store.load().await?;
    let known: BTreeSet<String> = loaded.hosts.iter().map(|host| host.name.clone()).collect();
    for device in config.devices.iter().filter(|device| !known.contains(&device.name)) {
        let by = AuditRow {
            at: now,
            who: "collector".into(),
            from: device.place.clone(),
            action: "device.add".into(),
            subject: device.name.clone(),
            detail: String::new(),
        };
        loaded.hosts.extend(identity.make_device(&device.name, by, now).await?);
    }
    Ok(loaded)
}

/// Declares them to the engine. What cannot be is logged too.
pub(super) fn declare(config: &Config, engine: &mut Engine, now: Timestamp) -> Vec<Effect> {
    let (effects, troubles) = engine.declare(config.devices.clone(), now);
    troubles.iter().for_each(|trouble| tracing::warn!("{trouble}"));
    effects
}
