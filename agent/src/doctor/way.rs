//! The way to the collector: through which proxy, and whether somebody answers who is the collector that this host trusts.

use std::path::Path;
use std::time::Duration;

use super::{Finding, Standing};
use crate::config::Config;
use crate::dial::{DialError, PathWatch, Proxy, dial};
use crate::host::Host;
use crate::identity::{CURRENT, Identity};
use crate::platform;
use crate::state::StateDir;

/// Looked at, then gone.
const PATH: PathWatch =
    PathWatch { keep_alive: Duration::from_secs(5), probes: 3, user_timeout: Duration::from_secs(10), narrow: false };
/// Others may read it.
const READ_BY_ALL: u32 = 0o004;

/// Examines the way to each address of the collector. Of a captured machine it would be this one's, so there it is only told.
pub async fn examine_way(host: &Host, config: &Config, file: &Path) -> Vec<Finding> {
    let mut findings = vec![tell_proxy(config.proxy.as_ref(), file)];
    let identity = identity(config);
    let Some(identity) = identity.as_ref().filter(|_| host.is_live()) else { return findings };
    let addresses = if config.addresses.is_empty() { &identity.addresses } else { &config.addresses };
    for address in addresses {
        findings.push(examine_address(address, config.proxy.as_ref(), identity).await);
    }
    findings
}

fn identity(config: &Config) -> Option<Identity> {
    // Looking for an identity makes no directory.
    let state = config.state.is_dir().then(|| StateDir::open(&config.state).ok()).flatten()?;
    Identity::load(&state, CURRENT).ok().flatten()
}

fn tell_proxy(proxy: Option<&Proxy>, file: &Path) -> Finding {
    const WHAT: &str = "way to the collector";
    let Some(proxy) = proxy else { return Finding::new(WHAT, Standing::Fine, "direct", "") };
    let (told, shown) = (format!("through the proxy {proxy}"), file.display());
    let is_open = std::fs::metadata(file).is_ok_and(|meta| platform::mode_of(&meta) & READ_BY_ALL != 0);
    if proxy.states_password() && is_open {
        return Finding::new(
            WHAT,
            Standing::Limited,
            format!("{told}, whose password stands in {shown}, which everybody on this machine may read"),
            format!("`chgrp muster-agent {shown} && chmod 640 {shown}`, or `proxy_password_file`"),
        );
    }
    Finding::new(WHAT, Standing::Fine, told, "")
}

async fn examine_address(address: &str, proxy: Option<&Proxy>, identity: &Identity) -> Finding {
    let what = format!("collector {address}");
    let tls = match identity.client_config() {
        Ok(tls) => tls,
        Err(error) => return Finding::new(&what, Standing::Broken, error.to_string(), ""),
    };
    match dial(address, proxy, tls.clone(), identity.server_name(), PATH).await {
        Ok(_) => Finding::new(&what, Standing::Fine, "answers, and is the one this host trusts", ""),
        Err(error)
            if error.is_silence()
                && dial(address, proxy, tls, identity.server_name(), PathWatch { narrow: true, ..PATH })
                    .await
                    .is_ok() =>
        {
            Finding::new(
                &what,
                Standing::Limited,
                "is the one this host trusts, and answers to small packets alone: larger ones vanish on the way",
                "the agent gets by; let ICMP (\"packet too big\", \"fragmentation needed\") pass, or lower the MTU of the tunnel's ends",
            )
        }
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            let remedy = match &error {
                DialError::Unreachable { .. } | DialError::Silent { .. } => {
                    "let this machine's network pass TCP to that port, or name a proxy: `proxy` below [collector]"
                }
                _ => "the message above says what to do",
            };
            Finding::new(&what, Standing::Limited, format!("{error}{cause}").replace(char::is_control, " "), remedy)
        }
    }
}
