//! Who was told of what, and whether it arrived.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State as Given},
};
use serde::Deserialize;

use super::{
    Badge, Frame, Shown, When,
    chain::{Chain, chain},
    incidents::delivery,
    page_words, show,
};
use crate::{
    domain::{
        record::{Delivery, Page},
        snapshot::IncidentView,
    },
    web::{Shared, access::Caller},
};

/// Pages shown at once, the newest first.
const SHOWN: usize = 200;

struct Line {
    person: Option<String>,
    receiver: String,
    told: &'static str,
    number: i64,
    title: String,
    delivery: Badge,
    chain: Chain,
}

#[derive(Template)]
#[template(path = "deliveries.html")]
struct DeliveriesPage {
    frame: Frame,
    /// Accepted, being sent, given up.
    counts: (usize, usize, usize),
    only: bool,
    lines: Vec<Line>,
    more: usize,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in crate::web) struct Asked {
    only: String,
}

/// The view.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Shown {
    let (snapshot, now) = (web.snapshot(), web.now());
    let mut pages: Vec<(&IncidentView, &Page)> = Vec::new();
    for view in snapshot.incidents.values() {
        pages.extend(view.pages.iter().map(|page| (&**view, page)));
    }
    let count = |state: Delivery| pages.iter().filter(|(_, page)| page.delivery == state).count();
    let counts = (count(Delivery::Accepted), count(Delivery::Queued), count(Delivery::Failed));
    let only = asked.only == "trouble";
    pages.retain(|(_, page)| !only || page.delivery != Delivery::Accepted);
    pages.sort_by_key(|(_, page)| std::cmp::Reverse((page.decided, page.id)));
    let line = |(view, page): &(&IncidentView, &Page)| Line {
        person: page.person.clone(),
        receiver: page.receiver.clone(),
        told: page_words(page.kind),
        number: view.row.no.0,
        title: page.title.clone(),
        delivery: delivery(page.delivery),
        chain: chain(page, &view.events, &web.context.config, |at| When::new(at, now, &web.zone)),
    };
    show(&DeliveriesPage {
        frame: Frame::new(&web, &caller, "on-call", "Deliveries"),
        counts,
        only,
        lines: pages.iter().take(SHOWN).map(line).collect(),
        more: pages.len().saturating_sub(SHOWN),
    })
}
