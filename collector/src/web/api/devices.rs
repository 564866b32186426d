//! Hosts without an agent: added, listed, shown, removed; and what hosts are behind.

pub(in crate::web) mod import;

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answered, command,
    hosts::{check_says, find},
    list as page_of,
};
use crate::{
    domain::{
        device::{Device, Probe, is_address, is_name, obstacle::Obstacle},
        event::{Command, Event},
        ids::{HostId, HostNo},
        labels::Admission,
        layers::Says,
        snapshot::{HostView, Snapshot, WatcherView},
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

const NAME: &str = "a name of at most 128 printable ASCII characters without spaces";
const ADDRESS: &str = "an address, or a host name that its watchers can look up";
const CHECK: &str = "icmp, tcp:PORT, or a URL that begins with http:// or https://";

/// A device as asked for. What is left out is as it was for site, watch level and labels, and the default for the rest.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewDevice {
    name: String,
    address: String,
    check: Option<String>,
    site: Option<String>,
    watch: Option<String>,
    parent: Option<String>,
    #[serde(default)]
    watchers: Vec<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
}

impl NewDevice {
    /// The probe, if name, address and probe are right.
    fn checked(&self) -> Result<Probe, Problem> {
        if !is_name(&self.name) {
            return Err(Problem::invalid("name", &self.name, NAME));
        }
        if !is_address(&self.address) {
            return Err(Problem::invalid("address", &self.address, ADDRESS));
        }
        let check = self.check.as_deref().unwrap_or("icmp");
        Probe::from_words(check).ok_or_else(|| Problem::invalid("check", check, CHECK))
    }
}

/// The device with this id or name.
fn find_device(snapshot: &Snapshot, text: &str) -> Result<Arc<HostView>, Problem> {
    let is_known = |host: &Arc<HostView>| host.device.is_some() && host.profile.admission != Admission::Retired;
    find(snapshot, text).ok().filter(is_known).ok_or_else(|| {
        let shown: String = text.chars().take(80).collect();
        Problem::not_found(&format!("device {shown:?}: give its id or name (muster-collector device list)"))
    })
}

/// All devices.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let snapshot = web.snapshot();
    let devices = snapshot.hosts.values().filter(|host| host.profile.admission != Admission::Retired);
    Ok(page_of(devices.filter_map(|host| to_json(&snapshot, host)).collect(), None))
}

pub(in crate::web) async fn show(State(web): State<Shared>, Path(device): Path<String>) -> Answered {
    let snapshot = web.snapshot();
    let host = find_device(&snapshot, &device)?;
    Ok(Json(to_json(&snapshot, &host).unwrap_or_default()))
}

fn to_json(snapshot: &Snapshot, host: &HostView) -> Option<Value> {
    let (profile, view) = (&host.profile, host.device.as_ref()?);
    let watchers: Vec<Value> = view.watchers.iter().map(|watcher| watcher_json(snapshot, watcher)).collect();
    Some(json!({
        "id": profile.id, "name": profile.name, "address": view.device.address, "check": view.device.probe.words(),
        "site": profile.site, "watch": profile.watch, "labels": profile.labels, "state": host.state,
        "since": host.since.to_string(), "why": host.cause.words(), "incident": host.incident,
        "parent": name_of(snapshot, host.parent), "behind": behind(snapshot, profile.no),
        "chosen": view.device.watchers.is_empty(), "watchers": watchers, "file": view.device.place,
    }))
}

fn watcher_json(snapshot: &Snapshot, watcher: &WatcherView) -> Value {
    let said = watcher.said.as_ref();
    json!({
        "name": watcher.name, "heard": watcher.heard, "status": said.map(|said| said.status.word()),
        "since": said.map(|said| said.since.to_string()), "output": said.map(|said| &said.output),
        "cannot_watch": obstacle_of(snapshot, watcher).map(Obstacle::words),
    })
}

/// What keeps a watcher from watching, as far as is known.
pub(in crate::web) fn obstacle_of<'a>(snapshot: &'a Snapshot, watcher: &WatcherView) -> Option<&'a Obstacle> {
    snapshot.hosts.get(&watcher.host)?.cannot_watch.as_ref()
}

/// The display name of a host.
pub(in crate::web) fn name_of(snapshot: &Snapshot, host: Option<HostNo>) -> Option<String> {
    Some(snapshot.hosts.get(&host?)?.profile.name.clone())
}

/// Names of the hosts right behind a device.
fn behind(snapshot: &Snapshot, device: HostNo) -> Vec<String> {
    let children = snapshot.hosts.values().filter(|host| host.parent == Some(device));
    children.map(|host| host.profile.name.clone()).collect()
}

/// Adds a device, or makes the one with this name as asked.
pub(in crate::web) async fn add(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewDevice>,
) -> Answered {
    put(&web, &caller, asked).await
}

async fn put(web: &Web, caller: &Caller, asked: NewDevice) -> Answered {
    let probe = asked.checked()?;
    let snapshot = web.snapshot();
    let ids = |names: &[String]| -> Result<Vec<HostId>, Problem> {
        names.iter().map(|name| find(&snapshot, name).map(|host| host.profile.id)).collect()
    };
    let watchers = ids(&asked.watchers)?;
    let warnings = warnings(&snapshot, &watchers);
    let parent = ids(asked.parent.as_slice())?.pop();
    let fixed = [("site", asked.site), ("watch", asked.watch)];
    let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let says: Says = asked.labels.into_iter().chain(fixed).collect();
    check_says(&says)?;
    let (host, retired) = match snapshot.hosts.values().find(|host| host.profile.name == asked.name) {
        Some(known) if known.device.is_none() => {
            let why = "another name: a host with an agent is called so";
            return Err(Problem::invalid("name", &asked.name, why));
        }
        Some(known) => {
            if let Some(place) = place_of(known) {
                return Err(Problem::invalid("name", &asked.name, &format!("another name: {}", stands_in(place))));
            }
            (known.profile.id, known.profile.admission != Admission::Active)
        }
        None => (make(web, caller, &asked.name).await?, false),
    };
    if retired {
        let Json(_) = command(web, caller, Command::Admit { host, admission: Admission::Active }).await?;
    }
    if !says.is_empty() {
        let Json(_) = command(web, caller, Command::Label { hosts: vec![host], says }).await?;
    }
    let device = Box::new(Device { host: HostNo(0), address: asked.address, probe, watchers, place: None });
    let Json(mut done) = command(web, caller, Command::Device { host, device, parent }).await?;
    done["warnings"] = warnings.into();
    Ok(Json(done))
}

/// Where a device stands in the configuration, if there.
fn place_of(host: &HostView) -> Option<&str> {
    host.device.as_ref()?.device.place.as_deref()
}

fn stands_in(place: &str) -> String {
    format!("this device stands in {place}; change it there and start the collector anew")
}

/// What is known already to keep those that are named from watching.
fn warnings(snapshot: &Snapshot, watchers: &[HostId]) -> Vec<String> {
    let named = snapshot.hosts.values().filter(|host| watchers.contains(&host.profile.id));
    let cannot = named.filter_map(|host| Some((&host.profile.name, host.cannot_watch.as_ref()?.words())));
    cannot.map(|(name, why)| format!("{name} cannot watch it: {why}")).collect()
}

async fn make(web: &Web, caller: &Caller, name: &str) -> Result<HostId, Problem> {
    let now = web.now();
    let by = caller.audit(now, "device.add", name, String::new());
    let made = web.context.identity.make_device(name, by, now).await?;
    let profile = made.ok_or_else(|| Problem::invalid("name", name, "another name: a host is called so"))?;
    let id = profile.id;
    web.context.mailbox.send(Event::Enrolled(Box::new(profile))).await?;
    Ok(id)
}

/// It is gone for good; its records stay.
pub(in crate::web) async fn remove(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(device): Path<String>,
) -> Answered {
    let host = find_device(&web.snapshot(), &device)?.profile.id;
    command(&web, &caller, Command::Admit { host, admission: Admission::Retired }).await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewParent {
    parent: Option<String>,
}

/// Says what a host is behind.
pub(in crate::web) async fn set_parent(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
    Body(asked): Body<NewParent>,
) -> Answered {
    let snapshot = web.snapshot();
    let host = find(&snapshot, &host)?.profile.id;
    let parent = asked.parent.map(|parent| find_device(&snapshot, &parent).map(|host| host.profile.id)).transpose()?;
    command(&web, &caller, Command::Parent { host, parent }).await
}
