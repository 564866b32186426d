//! Taking the agent away.

use serde::Serialize;

use super::files::{CONFIG, Place};
use super::manager::{PROGRAM, Services, UNITS, USERS, packaged};
use super::{ServiceError, able, manager, note, usual};
use crate::config::{Config, DEFAULT_STATE};
use crate::helper;
use crate::host::Host;

/// Where an administrator's additions to the units are.
const DROP_INS: [&str; 3] = [
    "/etc/systemd/system/muster-agent.service.d",
    "/etc/systemd/system/muster-helper.socket.d",
    "/etc/systemd/system/muster-helper@.service.d",
];

/// What came of it; its fields are those of the line that is printed.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Removed {
    /// Whether anything was changed.
    pub changed: bool,
    /// What was: `stopped`, `disabled`, `helper`, `said_goodbye`, `unit`, `program`, `state`, `configuration`, `user`.
    pub did: Vec<&'static str>,
    /// What is left or was not heard.
    pub notes: Vec<String>,
}

/// Stops the agent, lets `farewell` tell the collector that it goes, and removes it; with `purge` also who it was, its
/// settings and its user. An absent collector keeps nothing from being removed.
///
/// # Errors
/// [`ServiceError`]; it says so where nothing was changed.
pub async fn uninstall(
    host: &Host,
    config: &Config,
    purge: bool,
    farewell: impl AsyncFnOnce() -> Option<Result<(), String>>,
) -> Result<Removed, ServiceError> {
    let place = Place::live();
    let services = Services(host);
    able(host, "uninstall")?;
    usual(config)?;
    if packaged(host) {
        return Err(ServiceError::Packaged(manager::REMOVE));
    }
    let (mut did, mut notes) = (Vec::new(), Vec::new());
    quit(&place, &services, farewell, &mut did, &mut notes).await?;
    for (name, _) in UNITS {
        note(&mut did, "unit", place.remove(name)?);
    }
    services.forget()?;
    // Left from one answer of the helper to the next.
    place.remove(helper::LOCKS)?;
    place.tidy_above(helper::SOCKET);
    note(&mut did, "program", place.remove_program(PROGRAM)?);
    for (name, _) in USERS {
        note(&mut did, "unit", place.remove(name)?);
    }
    leave(&place, &services, purge, &mut did, &mut notes)?;
    Ok(Removed { changed: !did.is_empty(), did, notes })
}

/// What [`uninstall`] does for a package, whose program is its own to remove.
///
/// # Errors
/// [`ServiceError`].
#[cfg(windows)]
pub async fn withdraw(
    host: &Host,
    config: &Config,
    purge: bool,
    farewell: impl AsyncFnOnce() -> Option<Result<(), String>>,
) -> Result<Removed, ServiceError> {
    let (place, services) = (Place::live(), Services(host));
    able(host, "withdrawn")?;
    usual(config)?;
    let (mut did, mut notes) = (Vec::new(), Vec::new());
    quit(&place, &services, farewell, &mut did, &mut notes).await?;
    leave(&place, &services, purge, &mut did, &mut notes)?;
    Ok(Removed { changed: !did.is_empty(), did, notes })
}

/// The agent runs no more, is not started again, and its collector knows.
async fn quit(
    place: &Place,
    services: &Services<'_>,
    farewell: impl AsyncFnOnce() -> Option<Result<(), String>>,
    did: &mut Vec<&'static str>,
    notes: &mut Vec<String>,
) -> Result<(), ServiceError> {
    note(did, "stopped", services.stop()?);
    note(did, "disabled", services.disable()?);
    note(did, "helper", services.disable_helper()?);
    let was_here = [PROGRAM].iter().chain(UNITS.iter().map(|(name, _)| name)).any(|name| place.path(name).exists());
    // Told once: what is removed already said so.
    match if was_here { farewell().await } else { None } {
        Some(Ok(())) => did.push("said_goodbye"),
        Some(Err(reason)) => notes.push(format!("the collector was not told: {reason}")),
        None => {}
    }
    Ok(())
}

/// With `purge` nothing is left of who it was.
fn leave(
    place: &Place,
    services: &Services<'_>,
    purge: bool,
    did: &mut Vec<&'static str>,
    notes: &mut Vec<String>,
) -> Result<(), ServiceError> {
    if purge {
        note(did, "state", place.remove(DEFAULT_STATE)?);
        place.tidy_above(DEFAULT_STATE);
        note(did, "configuration", place.remove(CONFIG)?);
        for name in DROP_INS {
            note(did, "configuration", place.remove(name)?);
        }
        place.tidy_above(CONFIG);
        note(did, "user", services.remove_user()?);
    } else if place.path(DEFAULT_STATE).exists() {
        notes.push(format!(
            "{DEFAULT_STATE} and {CONFIG} are left: who it was, and its settings; --purge removes them too"
        ));
    }
    Ok(())
}
