//! Gives each heartbeat of the configuration its secret.

use anyhow::Context as _;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ring::rand::{SecureRandom, SystemRandom};

use crate::{config::Config, domain::heartbeat::secrets::PingSecrets, store::Store};

/// 192 bits: guessing is hopeless.
const SECRET_BYTES: usize = 24;

/// The secrets of those that are configured; who has none yet gets one.
pub(super) async fn secrets(config: &Config, store: &Store) -> anyhow::Result<PingSecrets> {
    let mut fresh = Vec::new();
    for heartbeat in &config.heartbeats {
        let mut bytes = [0; SECRET_BYTES];
        SystemRandom::new().fill(&mut bytes).ok().context("the operating system gives no random bytes")?;
        fresh.push((heartbeat.name.clone(), URL_SAFE_NO_PAD.encode(bytes)));
    }
    let is_configured = |name: &String| config.heartbeats.iter().any(|heartbeat| heartbeat.name == *name);
    let known = store.heartbeat_secrets(fresh).await?;
    Ok(PingSecrets::new(known.into_iter().filter(|(name, _)| is_configured(name)).collect()))
}
