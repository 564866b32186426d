//! What changed in the fleet: what was declared, what was not, and why it was done.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Query, State as Given},
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{Event, address};
use crate::{
    domain::inventory::{change::Class, planned::REASON_CHARS},
    store::inventory::changes::Of,
    web::{
        Shared,
        access::Caller,
        api::inventory::{ChangesOf, give_reason},
        views::{Frame, Shown, When, show},
    },
};

#[derive(Template)]
#[template(path = "inventory_changes.html")]
struct ChangesPage {
    frame: Frame,
    asked: Asked,
    /// Word, words, and whether it is chosen.
    classes: Vec<(&'static str, String, bool)>,
    kinds: Vec<(&'static str, &'static str, bool)>,
    events: Vec<Event>,
    /// Whether anything ever changed, whatever is asked for.
    is_new: bool,
    next: Option<String>,
    here: String,
    api: String,
    most: usize,
}

/// What the address asks for.
#[derive(Debug, Default, Clone, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(default)]
    host: String,
    #[serde(default)]
    site: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    section: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    explained: String,
    #[serde(default)]
    after: String,
}

impl Asked {
    fn query(&self) -> [(&'static str, &str); 8] {
        [
            ("host", &self.host),
            ("site", &self.site),
            ("class", &self.class),
            ("section", &self.section),
            ("from", &self.from),
            ("to", &self.to),
            ("kind", &self.kind),
            ("explained", &self.explained),
        ]
    }

    fn of(&self) -> ChangesOf {
        ChangesOf::asked(self.query(), &self.after)
    }
}

/// The list.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Shown {
    let snapshot = web.snapshot();
    let (of, limit) = asked.of().checked(&snapshot)?;
    let page = web.context.store.inventory_changes(of, limit).await?;
    let is_new = page.rows.is_empty() && web.context.store.inventory_changes(Of::default(), 1).await?.rows.is_empty();
    let now = web.now();
    let when = |at| When::new(at, now, &web.zone);
    let events = page.rows.iter().filter_map(|noted| Some(Event::of(snapshot.hosts.get(&noted.id.host)?, noted, when)));
    let next = page.next.map(|id| {
        let after = id.to_string();
        let query: Vec<(&str, &str)> = asked.query().into_iter().chain([("after", after.as_str())]).collect();
        address("/inventory/changes", &query)
    });
    let kinds = [("", "all"), ("unplanned", "unplanned"), ("expected", "expected")];
    show(&ChangesPage {
        frame: Frame::new(&web, &caller, "add", "Changes"),
        classes: Class::ALL
            .into_iter()
            .map(|class| (class.word(), class.words(), class.word() == asked.class))
            .collect(),
        kinds: kinds.into_iter().map(|(word, said)| (word, said, word == asked.kind)).collect(),
        events: events.collect(),
        is_new,
        next,
        here: address("", &asked.query()),
        api: address("/api/v1/inventory/changes", &asked.query()),
        most: REASON_CHARS,
        asked,
    })
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct ReasonForm {
    id: String,
    #[serde(default)]
    reason: String,
    /// What was asked for where the form stood.
    #[serde(default)]
    here: String,
}

/// Takes a reason.
pub(in crate::web) async fn explain(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(form): Form<ReasonForm>,
) -> Shown {
    give_reason(&web, &caller, &form.id, &form.reason).await?;
    // Only a query of this very view.
    let here = if form.here.starts_with('?') && !form.here.contains(['\r', '\n']) { form.here.as_str() } else { "" };
    Ok(Redirect::to(&format!("/inventory/changes{here}")).into_response())
}
