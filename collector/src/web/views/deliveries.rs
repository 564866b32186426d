//! Who was told of what, and whether it arrived.

use askama::Template;
use axum::{
    Extension,
    extract::{Query, State as Given},
};
use serde::Deserialize;

use super::{Badge, Frame, Shown, When, incidents::delivery, page_words, show};
use crate::{
    domain::record::{Delivery, Page},
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
    decided: When,
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
    let mut pages: Vec<(i64, &Page)> = Vec::new();
    for (no, view) in snapshot.incidents.iter() {
        pages.extend(view.pages.iter().map(|page| (no.0, page)));
    }
    let count = |state: Delivery| pages.iter().filter(|(_, page)| page.delivery == state).count();
    let counts = (count(Delivery::Accepted), count(Delivery::Queued), count(Delivery::Failed));
    let only = asked.only == "trouble";
    pages.retain(|(_, page)| !only || page.delivery != Delivery::Accepted);
    pages.sort_by_key(|(_, page)| std::cmp::Reverse((page.decided, page.id)));
    let line = |(number, page): &(i64, &Page)| Line {
        person: page.person.clone(),
        receiver: page.receiver.clone(),
        told: page_words(page.kind),
        number: *number,
        title: page.title.clone(),
        delivery: delivery(page.delivery),
        decided: When::new(page.decided, now, &web.zone),
    };
    show(&DeliveriesPage {
        frame: Frame::new(&web, &caller, "on-call", "Deliveries"),
        counts,
        only,
        lines: pages.iter().take(SHOWN).map(line).collect(),
        more: pages.len().saturating_sub(SHOWN),
    })
}
