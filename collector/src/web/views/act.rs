//! The link in a page: shows the incident with one big button, which takes it for the person that the page went to.
//!
//! Opening it does nothing: mail scanners and previews of chats open links too. Only the button's request takes it.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, State as Given},
    http::StatusCode,
};

use super::{Badge, Shown, When, show};
use crate::{
    domain::{
        event::{Command, Principal},
        record::IncidentState,
        snapshot::IncidentView,
    },
    links::Link,
    web::{
        Shared, Web,
        access::Door,
        problem::{Problem, settled},
    },
};

/// Names of hosts shown.
const NAMES: usize = 5;

#[derive(Template)]
#[template(path = "act.html")]
struct ActPage {
    link: String,
    number: i64,
    title: String,
    state: Badge,
    severity: Badge,
    since: When,
    hosts: String,
    said: Option<String>,
    taken: bool,
    may_take: bool,
    who: String,
}

/// The link and its incident, or why there is nothing to take.
fn opened(web: &Web, text: &str) -> Result<(Link, std::sync::Arc<IncidentView>), Problem> {
    let link = web.context.links.read(text).ok_or_else(|| {
        Problem::new(StatusCode::NOT_FOUND, "this link is not one of this collector's: open the incident and sign in")
    })?;
    if web.now() >= link.ends {
        let why = format!("this link worked until {}: sign in to act on incident #{}", link.ends, link.incident);
        return Err(Problem::new(StatusCode::GONE, why));
    }
    let snapshot = web.snapshot();
    let view = snapshot.incidents.get(&link.incident).cloned();
    let view =
        view.ok_or_else(|| Problem::not_found(&format!("incident #{} any more: it is long over", link.incident)))?;
    Ok((link, view))
}

fn page(web: &Web, text: String, link: Link, view: &IncidentView) -> ActPage {
    let (row, now) = (&view.row, web.now());
    let mine = row.acknowledged_by.as_deref() == Some(&*link.who);
    let said = match (row.state, &row.acknowledged_by) {
        (IncidentState::Resolved, _) => Some("It is over: there is nothing left to do.".to_owned()),
        (IncidentState::Acknowledged, Some(_)) if mine => {
            Some("You have it. Everybody who was called knows.".to_owned())
        }
        (IncidentState::Acknowledged, Some(who)) => Some(format!("{who} has it. Take it over if you have agreed so.")),
        _ => None,
    };
    let more = view.hosts.len().saturating_sub(NAMES);
    let mut names: Vec<String> = view.hosts.iter().take(NAMES).cloned().collect();
    names.extend((more > 0).then(|| format!("{more} more")));
    ActPage {
        link: text,
        number: row.no.0,
        title: row.title.clone(),
        state: Badge::incident(row.state),
        severity: Badge::severity(row.severity),
        since: When::new(row.since, now, &web.zone),
        hosts: names.join(", "),
        said,
        taken: mine || row.state == IncidentState::Resolved,
        may_take: row.state != IncidentState::Resolved && !(row.state == IncidentState::Acknowledged && mine),
        who: link.who,
    }
}

/// Shows it; changes nothing.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Path(text): Path<String>) -> Shown {
    let (link, view) = opened(&web, &text)?;
    show(&page(&web, text, link, &view))
}

/// Whom a link stands for.
pub(super) fn by_link(link: &Link, door: Door) -> Principal {
    let address = match door {
        Door::Tcp { peer, .. } => Some(peer.ip().to_canonical()),
        Door::Unix { .. } => None,
    };
    Principal { name: link.who.clone(), via: format!("link of page {}", link.page), address }
}

/// Takes it.
pub(in crate::web) async fn take(
    Given(web): Given<Shared>,
    Extension(door): Extension<Door>,
    Path(text): Path<String>,
) -> Shown {
    let (link, _) = opened(&web, &text)?;
    let by = by_link(&link, door);
    let command = Command::Acknowledge { incident: link.incident, note: String::new(), for_ms: None };
    settled(web.context.mailbox.command(by, command).await.map_err(Problem::from)?)?;
    let (link, view) = opened(&web, &text)?;
    show(&page(&web, text, link, &view))
}
