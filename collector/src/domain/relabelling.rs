//! What a change of labels would do to which hosts, before it is done.

use std::collections::BTreeMap;

use super::{
    assets::{Asset, Assets, keys},
    ids::HostId,
    labels::Profile,
    layers::{Layer, Layers, Says},
    selection::Selection,
    snapshot::Snapshot,
};

/// A host that a change would touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its id.
    pub host: HostId,
    /// Its display name.
    pub name: String,
    /// Labels that would have another value or another source.
    pub labels: Vec<Turned>,
    /// The whole difference in words, as the audit log would say it.
    pub difference: String,
}

/// One label before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turned {
    /// Its name.
    pub label: String,
    /// Its value and source before.
    pub before: Option<(String, Layer)>,
    /// Its value and source afterwards.
    pub after: Option<(String, Layer)>,
}

/// What a person's word about some hosts would do: how many hosts are meant, and those that it would touch.
#[must_use]
pub fn of_selection(snapshot: &Snapshot, selection: &Selection, says: &Says) -> (usize, Vec<Planned>) {
    let mut meant = 0;
    let fitting = snapshot.hosts.values().filter(|host| selection.fits(host)).inspect(|_| meant += 1);
    let touched = fitting.filter_map(|host| planned(&host.profile, host.profile.layers.changed(Layer::Person, says)));
    let mut touched: Vec<Planned> = touched.collect();
    touched.sort_by(|a, b| a.name.cmp(&b.name));
    (meant, touched)
}

/// What a list of assets would do: the hosts that it would touch, and its rows that wait for a host.
///
/// # Errors
/// Two rows for one host, one by its name and one by its id: their places in the list.
pub fn of_assets(snapshot: &Snapshot, rows: &[Asset]) -> Result<(Vec<Planned>, Vec<usize>), (usize, usize)> {
    let places: BTreeMap<&str, usize> = rows.iter().enumerate().map(|(at, row)| (row.host.as_str(), at)).collect();
    let assets = Assets::new(rows.to_vec());
    let mut waiting: Vec<bool> = vec![true; rows.len()];
    let mut touched = Vec::new();
    for host in snapshot.hosts.values() {
        let named = keys(&host.profile).map(|key| places.get(key.as_str()).copied());
        if let [Some(by_id), Some(by_name)] = named {
            return Err((by_id.min(by_name), by_id.max(by_name)));
        }
        named.into_iter().flatten().for_each(|at| waiting[at] = false);
        touched.extend(planned(&host.profile, host.profile.layers.with(Layer::Asset, &assets.of(&host.profile))));
    }
    touched.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((touched, (0..rows.len()).filter(|at| waiting[*at]).collect()))
}

fn planned(profile: &Profile, layers: Layers) -> Option<Planned> {
    if layers == profile.layers {
        return None;
    }
    let winner =
        |layers: &Layers, name: &str| layers.about(name).next_back().map(|(layer, value)| (value.to_owned(), layer));
    let names: std::collections::BTreeSet<String> =
        profile.layers.sources().into_keys().chain(layers.sources().into_keys()).collect();
    let turned = names.into_iter().filter_map(|label| {
        let (before, after) = (winner(&profile.layers, &label), winner(&layers, &label));
        (before != after).then_some(Turned { label, before, after })
    });
    Some(Planned {
        host: profile.id,
        name: profile.name.clone(),
        labels: turned.collect(),
        difference: layers.difference(&profile.layers),
    })
}
