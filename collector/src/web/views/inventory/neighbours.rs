//! Seen, not managed: what agents have met on their networks, and whose it is.

use askama::Template;
use axum::{
    Extension, Form,
    extract::State as Given,
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use crate::{
    domain::{
        inventory::neighbours::{REASON_CHARS, is_made_up},
        snapshot::Snapshot,
        time::Timestamp,
    },
    web::{
        Shared,
        access::Caller,
        neighbours::Stranger,
        views::{Frame, Shown, When, show},
        words,
    },
};

/// Rows of each list; the API has all.
const ROWS: usize = 500;
/// Hosts named that met one.
const NAMED: usize = 3;

struct Line {
    identity: String,
    mac: String,
    name: String,
    addresses: String,
    met_by: String,
    since: When,
    said: Option<(String, String)>,
}

/// One of the lists.
struct List {
    lines: Vec<Line>,
    count: String,
    left_out: usize,
}

#[derive(Template)]
#[template(path = "neighbours.html")]
struct NeighboursPage {
    frame: Frame,
    /// Burnt-in addresses: hardware that somebody bought.
    unknown: List,
    made_up: List,
    foreign: List,
    is_all: bool,
    most: usize,
}

/// The lists.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    let (snapshot, met, now) = (web.snapshot(), web.neighbours().await?, web.now());
    let list = |fits: &dyn Fn(&Stranger) -> bool| {
        let fitting: Vec<&Stranger> = met.strangers.iter().filter(|one| fits(one)).collect();
        let when = |at| When::new(at, now, &web.zone);
        List {
            lines: fitting.iter().take(ROWS).map(|one| line(&snapshot, one, &when)).collect(),
            count: words::count(fitting.len()),
            left_out: fitting.len().saturating_sub(ROWS),
        }
    };
    show(&NeighboursPage {
        unknown: list(&|one| !one.is_foreign() && !is_made_up(&one.neighbour.mac)),
        made_up: list(&|one| !one.is_foreign() && is_made_up(&one.neighbour.mac)),
        foreign: list(&Stranger::is_foreign),
        is_all: met.is_all,
        most: REASON_CHARS,
        frame: Frame::new(&web, &caller, "add", "Seen, not managed"),
    })
}

fn line(snapshot: &Snapshot, stranger: &Stranger, when: &impl Fn(Timestamp) -> When) -> Line {
    let one = &stranger.neighbour;
    let addresses: Vec<String> = one.addresses.iter().map(ToString::to_string).collect();
    let named = one.met_by.iter().take(NAMED).filter_map(|(host, interface)| {
        let host = snapshot.hosts.get(host)?;
        let site = host.profile.site.as_ref().map_or_else(String::new, |site| format!(", {site}"));
        Some(format!("{} ({interface}{site})", host.profile.name))
    });
    let more = one.met_by.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    Line {
        identity: one.identity.clone(),
        mac: one.mac.clone(),
        name: one.name.clone(),
        addresses: addresses.join(", "),
        met_by: format!("{}{more}", named.collect::<Vec<_>>().join(", ")),
        since: when(one.since),
        said: stranger.mark.as_ref().map(|mark| (mark.reason.clone(), format!("{}, {}", mark.by, when(mark.at).at))),
    }
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct MarkForm {
    mac: String,
    #[serde(default)]
    reason: String,
    /// `foreign` or `ours`.
    action: String,
}

/// Somebody says whose one is.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(form): Form<MarkForm>,
) -> Shown {
    web.mark(&caller, &form.mac, form.action == "foreign", &form.reason).await?;
    Ok(Redirect::to("/neighbours").into_response())
}
