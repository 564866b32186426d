//! A table of devices: looked through as a whole, shown before it is done, and done with parents first.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Extension, Json, extract::State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{NewDevice, place_of, put, stands_in};
use crate::{
    domain::{
        device::{
            kin::{self, Kin, WrongParent},
            table::{self, Mistake, Row},
        },
        snapshot::{HostView, Snapshot},
    },
    web::{
        Shared,
        access::Caller,
        api::{
            Answered,
            hosts::{class_of, find, watch_of},
        },
        problem::{Body, Problem},
        words::counted,
    },
};

const COLUMNS: [&str; 8] = ["name", "address", "check", "site", "watch", "parent", "watchers", "labels"];
/// Mistakes that are told at once.
const TOLD: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Import {
    csv: String,
    #[serde(default)]
    dry_run: bool,
}

/// Adds or changes all devices of a table, or says what that would do.
pub(in crate::web) async fn import(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<Import>,
) -> Answered {
    let snapshot = web.snapshot();
    let devices = read(&asked.csv, &snapshot).map_err(|mistakes| refused(&mistakes))?;
    let rows: Vec<Value> = devices
        .iter()
        .map(|(line, device)| json!({ "line": line, "name": device.name, "does": does(&snapshot, device) }))
        .collect();
    if !asked.dry_run {
        for device in parents_first(devices.into_iter().map(|(_, device)| device).collect()) {
            let Json(_) = put(&web, &caller, device).await?;
        }
    }
    Ok(Json(json!({ "rows": rows, "done": !asked.dry_run })))
}

fn refused(mistakes: &[Mistake]) -> Problem {
    let lines: Vec<String> =
        mistakes.iter().take(TOLD).map(|mistake| format!("line {}: {}", mistake.line, mistake.text)).collect();
    let more = mistakes.len().saturating_sub(TOLD);
    let tail = if more > 0 { format!("\nand {more} more") } else { String::new() };
    let count = counted(mistakes.len(), "mistake", "mistakes");
    Problem::invalid("csv", &count, &format!("a table of devices\n{}{tail}", lines.join("\n")))
}

/// All devices of a table with their lines, or everything that is wrong.
fn read(text: &str, snapshot: &Snapshot) -> Result<Vec<(usize, NewDevice)>, Vec<Mistake>> {
    let rows = table::read(text, &COLUMNS)?;
    let mut mistakes = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut devices = Vec::new();
    for row in &rows {
        let mut wrong = |text: String| mistakes.push(Mistake { line: row.line, text });
        let device = match device(row) {
            Ok(device) => device,
            Err(text) => {
                wrong(text);
                continue;
            }
        };
        if let Some(first) = seen.insert(device.name.clone(), row.line) {
            wrong(format!("{:?} stands on line {first} already, expected one row for each device", device.name));
        }
        if let Err(problem) = device.checked() {
            wrong(problem.detail);
        }
        if known(snapshot, &device.name).is_some_and(|host| host.device.is_none()) {
            wrong(format!("name is {:?}, expected another name: a host with an agent is called so", device.name));
        }
        if let Some(place) = known(snapshot, &device.name).and_then(place_of) {
            wrong(format!("name is {:?}: {}", device.name, stands_in(place)));
        }
        if let Err(problem) = watch_of(device.watch.as_deref()).and(class_of(None)) {
            wrong(problem.detail);
        }
        for watcher in &device.watchers {
            if find(snapshot, watcher).is_err() {
                wrong(format!("watchers names {watcher:?}, which is no host"));
            }
        }
        devices.push((row.line, device));
    }
    mistakes.extend(wrong_parents(&devices, snapshot));
    mistakes.sort_by_key(|mistake| mistake.line);
    if mistakes.is_empty() { Ok(devices) } else { Err(mistakes) }
}

fn device(row: &Row) -> Result<NewDevice, String> {
    let text = |column: &str| row.get(column).map(str::to_owned);
    let required = |column: &str| text(column).ok_or_else(|| format!("{column} is missing"));
    let labels = row.get("labels").into_iter().flat_map(|labels| labels.split(';')).map(str::trim);
    let labels = labels.filter(|label| !label.is_empty()).map(|label| {
        let pair =
            label.split_once('=').ok_or_else(|| format!("labels has {label:?}, expected name=value; name=value"))?;
        Ok((pair.0.trim().to_owned(), pair.1.trim().to_owned()))
    });
    let watchers =
        row.get("watchers").into_iter().flat_map(|names| names.split([';', ' '])).filter(|name| !name.is_empty());
    Ok(NewDevice {
        name: required("name")?,
        address: required("address")?,
        check: text("check"),
        site: text("site"),
        watch: text("watch"),
        parent: text("parent"),
        watchers: watchers.map(str::to_owned).collect(),
        labels: labels.collect::<Result<_, String>>()?,
    })
}

fn known<'a>(snapshot: &'a Snapshot, name: &str) -> Option<&'a HostView> {
    snapshot.hosts.values().map(AsRef::as_ref).find(|host| host.profile.name == name)
}

/// Parents that are nothing, and circles, counting what is behind what already.
fn wrong_parents(devices: &[(usize, NewDevice)], snapshot: &Snapshot) -> Vec<Mistake> {
    let list: Vec<_> = devices.iter().map(|(_, device)| (device.name.as_str(), device.parent.as_deref())).collect();
    fn name(host: &HostView) -> &str {
        &host.profile.name
    }
    let hosts = || snapshot.hosts.values().map(AsRef::as_ref);
    let known = Kin {
        devices: hosts().filter(|host| host.device.is_some()).map(name).collect(),
        parents: hosts().filter_map(|host| Some((name(host), name(snapshot.hosts.get(&host.parent?)?)))).collect(),
    };
    let mistake = |(at, why): (usize, WrongParent)| {
        let (line, NewDevice { name, parent, .. }) = &devices[at];
        let parent = parent.as_deref().unwrap_or_default();
        let text = match why {
            WrongParent::Unknown => {
                format!("parent is {parent:?}, expected a device that is known or stands in the table")
            }
            WrongParent::Circle => format!("parent is {parent:?}, which is behind {name:?} itself: expected no circle"),
        };
        Mistake { line: *line, text }
    };
    kin::wrong_parents(&list, &known).into_iter().map(mistake).collect()
}

/// What importing a row would do.
fn does(snapshot: &Snapshot, asked: &NewDevice) -> &'static str {
    let Some((host, view)) = known(snapshot, &asked.name).and_then(|host| Some((host, host.device.as_ref()?))) else {
        return "adds it";
    };
    let profile = &host.profile;
    let names = |ids: &[crate::domain::ids::HostId]| -> Vec<String> {
        let of = |id: &crate::domain::ids::HostId| snapshot.hosts.values().find(|host| host.profile.id == *id);
        ids.iter().filter_map(|id| Some(of(id)?.profile.name.clone())).collect()
    };
    let parent = host.parent.and_then(|no| snapshot.hosts.get(&no)).map(|host| host.profile.name.clone());
    let same = view.device.address == asked.address
        && view.device.probe.words() == asked.check.as_deref().unwrap_or("icmp")
        && names(&view.device.watchers) == asked.watchers
        && parent == asked.parent
        && asked.site.as_ref().is_none_or(|site| profile.site.as_ref() == Some(site))
        && asked.watch.as_deref().is_none_or(|watch| profile.watch.word() == watch)
        && asked.labels.iter().all(|(name, value)| profile.labels.get(name) == Some(value))
        && profile.admission == crate::domain::labels::Admission::Active;
    if same { "nothing, it is so already" } else { "changes it" }
}

/// The same devices, each after what it is behind.
fn parents_first(mut left: Vec<NewDevice>) -> Vec<NewDevice> {
    let mut ordered = Vec::with_capacity(left.len());
    while !left.is_empty() {
        let names: BTreeSet<String> = left.iter().map(|device| device.name.clone()).collect();
        let waits = |device: &NewDevice| device.parent.as_ref().is_some_and(|parent| names.contains(parent));
        let (later, ready): (Vec<_>, Vec<_>) = left.into_iter().partition(waits);
        if ready.is_empty() {
            // A circle, which was refused before.
            return ordered;
        }
        ordered.extend(ready);
        left = later;
    }
    ordered
}
