//! What agents have met that nobody manages.

use axum::{
    Extension,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, done, limit_of, list as page_of};
use crate::{
    domain::{inventory::neighbours::is_made_up, snapshot::Snapshot},
    web::{
        Shared,
        access::Caller,
        neighbours::Stranger,
        problem::{Body, Problem},
    },
};

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Filter {
    /// `yes`: those that are somebody else's; else all others.
    foreign: Option<String>,
    after: Option<String>,
    limit: Option<usize>,
}

pub(in crate::web) async fn list(State(web): State<Shared>, Query(filter): Query<Filter>) -> Answered {
    let is_foreign = match filter.foreign.as_deref().unwrap_or("no") {
        "yes" => true,
        "no" | "" => false,
        other => return Err(Problem::invalid("foreign", other, "yes or no")),
    };
    let snapshot = web.snapshot();
    let met = web.neighbours().await?;
    let after = filter.after.unwrap_or_default();
    let mut fitting = met
        .strangers
        .iter()
        .filter(|one| one.is_foreign() == is_foreign && one.neighbour.identity.as_str() > after.as_str());
    let items: Vec<&Stranger> = fitting.by_ref().take(limit_of(filter.limit)).collect();
    let next = fitting.next().and_then(|_| items.last()).map(|last| last.neighbour.identity.clone());
    Ok(page_of(items.into_iter().map(|one| stranger_json(&snapshot, one)).collect(), next))
}

fn stranger_json(snapshot: &Snapshot, stranger: &Stranger) -> Value {
    let one = &stranger.neighbour;
    let met_by = one.met_by.iter().filter_map(|(host, interface)| {
        let host = snapshot.hosts.get(host)?;
        Some(json!({ "host": host.profile.name, "site": host.profile.site, "interface": interface }))
    });
    json!({
        "id": one.identity, "mac": one.mac, "name": one.name, "addresses": one.addresses, "made_up": is_made_up(&one.mac), "since": one.since.to_string(),
        "met_by": met_by.collect::<Vec<_>>(), "foreign": stranger.is_foreign(),
        "said": stranger.mark.as_ref().map(|mark| json!({
            "foreign": mark.is_foreign, "reason": mark.reason, "by": mark.by, "at": mark.at.to_string(),
        })),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewMark {
    foreign: bool,
    reason: String,
}

pub(in crate::web) async fn mark(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(mac): Path<String>,
    Body(asked): Body<NewMark>,
) -> Answered {
    web.mark(&caller, &mac, asked.foreign, &asked.reason).await?;
    Ok(done())
}
