//! EDGE: the agent as a service of systemd, launchd or Windows: put in place, started, taken away. The files and their places are those of the
//! packages, so that one may follow the other.
//!
//! Everything here may be repeated: what is already as it should be is left alone, and each step says whether it did anything.

mod files;
#[cfg_attr(target_os = "linux", path = "systemd.rs")]
#[cfg_attr(target_os = "macos", path = "launchd.rs")]
#[cfg_attr(windows, path = "windows.rs")]
mod manager;
mod remove;
mod settings;
#[cfg(test)]
mod tests;
#[cfg(unix)]
mod tool;

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::clock;
use crate::config::{self, Config, ConfigError};
use crate::host::Host;
use crate::identity::{self, EnrolError, Enrolment, Identity, IdentityError, Outcome, Token, copied, hyphenated};
use crate::state::{FileError, StateDir, StateError};
use crate::{platform, report};
use files::{CONFIG, Place};
use manager::{PROGRAM, Services, packaged};
#[cfg(windows)]
pub use remove::withdraw;
pub use remove::{Removed, uninstall};
use settings::Wish;

/// The collector's clock and ours may differ by this before it is worth a word.
const OFFSET_TOLD_MS: i64 = 30_000;

/// Why it is not installed, or not removed. What was done before stays, and a repetition goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Not root.
    #[error("{0} changes files of the system: run it as {administrator}; nothing was changed", administrator = manager::ADMINISTRATOR)]
    NotRoot(&'static str),
    /// Another init, or none (a container).
    #[error(
        "this machine is not run by systemd (there is no /run/systemd/system); nothing was changed. Put the program where you want it and let your own supervisor run: muster-agent enrol ..., then muster-agent run"
    )]
    NoSystemd,
    /// A package's files are the package's.
    #[error("muster-agent is here as a package; nothing was changed. {0}")]
    Packaged(&'static str),
    /// What the service would not look at.
    #[error("{0}; nothing was changed")]
    Usage(String),
    /// The configuration file, as it is or as it would be.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the system.
    #[error(transparent)]
    File(#[from] FileError),
    /// The service manager, or one of its tools.
    #[error("{0}")]
    Tool(String),
    /// The state directory.
    #[error(transparent)]
    State(#[from] StateError),
    /// The identity that is there.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The collector.
    #[error(transparent)]
    Enrol(#[from] EnrolError),
}

/// What the installed agent shall be.
pub struct Order<T> {
    /// Where the collector listens, `host:port`, tried in turn; empty: as it is.
    pub addresses: Vec<String>,
    /// Labels of this host, beside those that are stated already.
    pub labels: Vec<(String, String)>,
    /// Let the agent ask about hardware through the privileged helper.
    pub helper: bool,
    /// The proxy on the way there, `http://[USER@]HOST:PORT` or `none`, and the file with its password.
    pub proxy: Option<(String, Option<PathBuf>)>,
    /// Reads the join token; asked only where this machine has to be enrolled.
    pub token: T,
}

/// What came of it; its fields are those of the line that is printed.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Installed {
    /// Whether anything was changed.
    pub changed: bool,
    /// What was: `user`, `configuration`, `enrolled`, `addresses`, `program`, `unit`, `helper`, `enabled`, `started`, `restarted`.
    pub did: Vec<&'static str>,
    /// The host's id.
    pub host_id: String,
    /// Its name at the collector.
    pub name: String,
    /// What somebody should look at.
    pub notes: Vec<String>,
}

/// Installs the agent on this machine, enrols it if it is not, and starts it.
///
/// # Errors
/// [`ServiceError`]; it says so where nothing was changed.
pub async fn install<E: From<ServiceError>>(
    host: &Host,
    config: Config,
    order: Order<impl FnOnce() -> Result<Token, E>>,
) -> Result<Installed, E> {
    let place = Place::live();
    let services = Services(host);
    able(host, "install")?;
    usual(&config)?;
    let packaged = packaged(host);
    if packaged && !files::runs_from(Path::new(PROGRAM)) {
        return Err(ServiceError::Packaged(manager::UPGRADE).into());
    }
    let wish = Wish {
        labels: &order.labels,
        addresses: &order.addresses,
        proxy: order.proxy.as_ref().map(|(proxy, file)| (proxy.as_str(), file.as_deref())),
    };
    let stated = settings::changed(&place.path(CONFIG), &config, wish)?;
    let known = identity_here(&config.state)?;
    let enrolled =
        known.as_ref().is_some_and(|identity| copied(&identity.fingerprint, &report::fingerprint(host)).is_ok());
    // Whatever is wrong with the token is said before anything is changed.
    let token = if enrolled { None } else { Some((order.token)()?) };
    let addresses = if order.addresses.is_empty() { config.addresses.clone() } else { order.addresses.clone() };
    if !enrolled && addresses.is_empty() {
        return Err(ServiceError::from(EnrolError::NoAddress).into());
    }
    let mut did = Vec::new();
    note(&mut did, "user", !packaged && place.put_users()?);
    note(&mut did, "user", services.make_user()?);
    let (config, written) = match stated {
        Some((config, text)) => (config, place.put_settings(&text)?),
        None => (config, place.put_if_absent(CONFIG, files::CONFIG_TEXT)?),
    };
    note(&mut did, "configuration", written);
    let mut notes = Vec::new();
    let identity = match token {
        Some(token) => {
            did.push("enrolled");
            enrol(host, &config, addresses, token, &mut notes).await?
        }
        None => {
            let mut identity = known.ok_or(ServiceError::Usage("there is no identity".into()))?;
            // What agent.toml states wins, and was written there.
            let own = config.addresses.is_empty() && prefer(&mut identity.addresses, &order.addresses);
            if own {
                services.stop()?;
                let state = StateDir::open(&config.state).map_err(ServiceError::from)?;
                let _lock = state.lock().map_err(ServiceError::from)?;
                identity.save(&state, identity::CURRENT).map_err(ServiceError::from)?;
            }
            note(&mut did, "addresses", own);
            identity
        }
    };
    if !packaged {
        note(&mut did, "program", place.put_program()?);
        note(&mut did, "unit", place.put_units()?);
    }
    note(&mut did, "helper", order.helper && services.enable_helper()?);
    did.extend(services.run(!did.is_empty())?);
    let host_id = hyphenated(&identity.host_id);
    Ok(Installed { changed: !did.is_empty(), did, host_id, name: identity.name, notes })
}

/// Whether an enrolled agent is here that is started at boot: after its package was changed, it shall run. Whether it ran just
/// before, nobody knows: its service was stopped to change its file.
///
/// # Errors
/// When the identity that is there cannot be read, or the service manager does not answer.
#[cfg(windows)]
pub fn shall_run(config: &Config) -> Result<bool, ServiceError> {
    Ok(identity_here(&config.state)?.is_some() && manager::is_wanted()?)
}

/// The settings with this proxy, as they are written into `file` with [`state_proxy`]; nothing where they are so already.
///
/// # Errors
/// When it is no proxy, or `file` is written in a way that is not changed by a program.
pub fn with_proxy(
    file: &Path,
    config: &Config,
    proxy: &str,
    password_file: Option<&Path>,
) -> Result<Option<(Config, String)>, ServiceError> {
    settings::changed(file, config, Wish { proxy: Some((proxy, password_file)), ..Wish::default() })
}

/// Writes settings that were made with [`with_proxy`].
///
/// # Errors
/// When the file cannot be written.
pub fn state_proxy(file: &Path, text: &str) -> Result<(), ServiceError> {
    files::put_settings(file, text).map(|_| ())
}

/// Whether this process may change the system, and there is something to run the agent.
fn able(host: &Host, what: &'static str) -> Result<(), ServiceError> {
    if !platform::is_administrator() {
        return Err(ServiceError::NotRoot(what));
    }
    manager::able(host)
}

/// The service looks at the usual places alone.
fn usual(config: &Config) -> Result<(), ServiceError> {
    if config.state == Path::new(config::DEFAULT_STATE) {
        return Ok(());
    }
    Err(ServiceError::Usage(format!(
        "the service keeps its state in {}, and {} is asked for: leave --state and `state` in agent.toml out",
        config::DEFAULT_STATE,
        config.state.display()
    )))
}

/// The identity that is there; looking for it makes no directory.
fn identity_here(state: &Path) -> Result<Option<Identity>, ServiceError> {
    if !state.is_dir() {
        return Ok(None);
    }
    Ok(Identity::load(&StateDir::open(state)?, identity::CURRENT)?)
}

async fn enrol(
    host: &Host,
    config: &Config,
    addresses: Vec<String>,
    token: Token,
    notes: &mut Vec<String>,
) -> Result<Identity, ServiceError> {
    let state = StateDir::open(&config.state)?;
    let _lock = state.lock()?;
    let order = Enrolment {
        addresses,
        proxy: config.proxy.clone(),
        token,
        facts: report::host_facts(host, &config.labels),
        fingerprint: report::fingerprint(host),
        replace: false,
    };
    match identity::enrol(&state, &order, clock::now).await? {
        Outcome::Already(identity) => Ok(identity),
        Outcome::Enrolled { identity, clock_offset_ms, clock_wrong } => {
            if clock_wrong || clock_offset_ms.abs() > OFFSET_TOLD_MS {
                notes.push(format!(
                    "this machine's clock differs from the collector's by {} s; set it (timedatectl set-ntp true)",
                    -clock_offset_ms / 1000
                ));
            }
            Ok(identity)
        }
    }
}

/// Lets `known` begin with `wanted`; whether that was another order.
fn prefer(known: &mut Vec<String>, wanted: &[String]) -> bool {
    if known.starts_with(wanted) {
        return false;
    }
    known.retain(|address| !wanted.contains(address));
    known.splice(0..0, wanted.iter().cloned());
    true
}

fn note(did: &mut Vec<&'static str>, what: &'static str, changed: bool) {
    if changed && !did.contains(&what) {
        did.push(what);
    }
}
