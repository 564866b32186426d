//! Where the hosts are: `http_sd` for Prometheus, one target per host, always the whole list.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE, header::HOST, uri::Authority},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{ExpositionContext, refusal};
use crate::domain::{labels::Admission, readings::dictionary::text, snapshot::HostView};

/// One group of targets; ours have one target each.
#[derive(Debug, Serialize)]
struct Group<'a> {
    targets: [&'a str; 1],
    labels: BTreeMap<&'a str, String>,
}

/// `GET /prometheus/sd`
pub(super) async fn targets(State(context): State<ExpositionContext>, headers: HeaderMap) -> Response {
    let Some(snapshot) = context.taken_snapshot() else {
        // Never an empty or partial list with 200: Prometheus would drop every target. On an error it keeps the last.
        return refusal(StatusCode::SERVICE_UNAVAILABLE, "the collector is starting".to_owned());
    };
    let Some(address) = context.address.clone().or_else(|| asked_address(&headers)) else {
        return refusal(StatusCode::BAD_REQUEST, "the Host header must be host or host:port".to_owned());
    };
    // A device has no exporter that could be asked.
    let has_readings = |view: &&Arc<HostView>| view.profile.admission == Admission::Active && view.device.is_none();
    let admitted = snapshot.hosts.values().filter(has_readings);
    let groups: Vec<_> = admitted.map(|view| group(&address, context.tls, view)).collect();
    match serde_json::to_vec(&groups) {
        Ok(body) => ([(CONTENT_TYPE, "application/json")], body).into_response(),
        Err(error) => refusal(StatusCode::INTERNAL_SERVER_ERROR, format!("the list cannot be written: {error}")),
    }
}

/// The address that the client used, if it is one and nothing else.
fn asked_address(headers: &HeaderMap) -> Option<String> {
    let asked: Authority = headers.get(HOST)?.to_str().ok()?.parse().ok()?;
    (!asked.as_str().contains('@')).then(|| asked.to_string())
}

fn group<'a>(address: &'a str, tls: bool, view: &'a HostView) -> Group<'a> {
    let profile = &view.profile;
    let free = profile.labels.iter().filter(|(name, _)| text::is_label_name(name) && !text::is_reserved_label(name));
    let mut labels: BTreeMap<&str, String> = free.map(|(name, value)| (name.as_str(), text::clean(value))).collect();
    labels.insert("__metrics_path__", format!("/hosts/{}/metrics", profile.id));
    labels.insert("__scheme__", if tls { "https" } else { "http" }.to_owned());
    labels.insert("instance", text::clean(&profile.name));
    labels.insert("job", "node".to_owned());
    labels.insert("class", profile.class.word().to_owned());
    labels.insert("watch", profile.watch.word().to_owned());
    labels.remove("site");
    if let Some(site) = &profile.site {
        labels.insert("site", text::clean(site));
    }
    Group { targets: [address], labels }
}
