//! Which machines have something, or had it: a search whose question stays in the address.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State as Given},
};
use serde::Deserialize;

use super::address;
use crate::{
    domain::snapshot::HostView,
    store::inventory::search::Hit,
    web::{
        Shared,
        access::Caller,
        api::inventory::SearchFor,
        views::{Frame, Shown, When, show},
        words,
    },
};

/// Fields shown of a row that was found.
const FIELDS: usize = 6;

#[derive(Template)]
#[template(path = "machines.html")]
struct MachinesPage {
    frame: Frame,
    asked: Asked,
    searched: bool,
    rows: Vec<Row>,
    hosts: String,
    next: Option<String>,
    api: String,
    /// Whether any host has told an inventory.
    is_new: bool,
}

struct Row {
    host: String,
    url: String,
    key: String,
    fields: String,
    from: When,
    to: Option<When>,
}

/// What the address asks for.
#[derive(Debug, Default, Clone, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    section: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    after: String,
}

impl Asked {
    fn query(&self) -> [(&'static str, &str); 6] {
        [
            ("section", &self.section),
            ("name", &self.name),
            ("version", &self.version),
            ("field", &self.field),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }

    fn is_empty(&self) -> bool {
        [&self.name, &self.version, &self.field].iter().all(|text| text.is_empty())
    }
}

/// The search.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Shown {
    let snapshot = web.snapshot();
    let searched = !asked.is_empty();
    let hits = match searched {
        true => {
            let search = SearchFor::asked(asked.query(), &asked.after).checked(web.now())?;
            web.context.store.inventory_search(search).await?
        }
        false => Default::default(),
    };
    let now = web.now();
    let when = |at| When::new(at, now, &web.zone);
    let rows: Vec<Row> =
        hits.rows.iter().filter_map(|hit| Some(row(snapshot.hosts.get(&hit.host)?, hit, &when))).collect();
    let mut hosts: Vec<&str> = rows.iter().map(|row| row.url.as_str()).collect();
    hosts.dedup();
    let hosts = words::counted(hosts.len(), "host", "hosts");
    let is_new = !web.context.store.has_inventory().await?;
    let next = hits.next.map(|host| {
        let after = host.0.to_string();
        let query: Vec<(&str, &str)> = asked.query().into_iter().chain([("after", after.as_str())]).collect();
        address("/machines", &query)
    });
    show(&MachinesPage {
        frame: Frame::new(&web, &caller, "add", "Machines"),
        searched,
        rows,
        hosts,
        next,
        api: address("/api/v1/inventory/search", &asked.query()),
        is_new,
        asked,
    })
}

fn row(host: &HostView, hit: &Hit, when: &impl Fn(crate::domain::time::Timestamp) -> When) -> Row {
    let shown = hit.durable.iter().filter(|(name, _)| name != "name").take(FIELDS);
    Row {
        host: host.profile.name.clone(),
        url: format!("/hosts/{}/inventory", host.profile.id),
        key: hit.key.clone(),
        fields: shown.map(|(name, value)| format!("{} {value}", name.replace('_', " "))).collect::<Vec<_>>().join(", "),
        from: when(hit.first),
        to: hit.removed.map(when),
    }
}
