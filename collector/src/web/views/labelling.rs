//! Labels of the hosts that a list shows: first what would change, then, by the same mark, the change.

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Query, State as Given},
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{Frame, Shown, show, status::Filter};
use crate::{
    domain::{
        layers::{Layer, Says},
        relabelling::Planned,
    },
    web::{
        Shared,
        access::Caller,
        api::{hosts::check_says, labels::Plan},
        problem::Problem,
        words,
    },
};

/// Hosts named in the preview; the rest is counted.
const SHOWN: usize = 500;

/// The list's filter and what is to be said of its hosts.
#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    #[serde(flatten)]
    filter: Filter,
    #[serde(default)]
    to_site: String,
    #[serde(default)]
    to_class: String,
    #[serde(default)]
    to_watch: String,
    #[serde(default)]
    to_label: String,
    #[serde(default)]
    to_value: String,
    #[serde(default)]
    preview: String,
}

impl Asked {
    fn fields(&self) -> [(&'static str, &str); 5] {
        [
            ("to_site", self.to_site.trim()),
            ("to_class", &self.to_class),
            ("to_watch", &self.to_watch),
            ("to_label", self.to_label.trim()),
            ("to_value", self.to_value.trim()),
        ]
    }

    fn says(&self) -> Result<Says, Problem> {
        let fixed = [("site", self.to_site.trim()), ("class", &self.to_class), ("watch", &self.to_watch)];
        let fixed = fixed.into_iter().filter(|(_, value)| !value.is_empty());
        let mut says: Says = fixed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        // Naming a label with an empty value withdraws it, class, site and level too.
        if !self.to_label.trim().is_empty() {
            says.insert(self.to_label.trim().to_owned(), self.to_value.trim().to_owned());
        }
        if says.is_empty() {
            return Err(Problem::invalid("label", "", "a site, class, watch level or label to give"));
        }
        check_says(&says)?;
        Ok(says)
    }
}

struct Line {
    url: String,
    name: String,
    /// Label, before, after.
    labels: Vec<(String, String, String)>,
}

#[derive(Template)]
#[template(path = "label.html")]
struct Preview {
    frame: Frame,
    back: String,
    hits: String,
    changed: usize,
    changed_words: String,
    says: String,
    lines: Vec<Line>,
    more: Option<String>,
    hidden: Vec<(&'static str, String)>,
    mark: String,
}

/// What would change.
pub(in crate::web) async fn view(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Query(asked): Query<Asked>,
) -> Shown {
    let says = asked.says()?;
    let plan = Plan::of_selection(&web, &asked.filter.selection()?, &says);
    let hidden = asked.filter.fields().into_iter().chain(asked.fields()).filter(|(_, value)| !value.is_empty());
    let word = |(name, value): (&String, &String)| match value.as_str() {
        "" => format!("{name} is no longer said by a person"),
        value => format!("{name}={value}"),
    };
    let more = plan.touched.len().saturating_sub(SHOWN);
    show(&Preview {
        frame: Frame::new(&web, &caller, "status", "Label hosts"),
        back: asked.filter.url(),
        hits: words::count(plan.hits),
        changed: plan.touched.len(),
        changed_words: words::count(plan.touched.len()),
        says: says.iter().map(word).collect::<Vec<_>>().join(", "),
        lines: plan.touched.iter().take(SHOWN).map(line).collect(),
        more: (more > 0).then(|| words::count(more)),
        hidden: hidden.map(|(name, value)| (name, value.to_owned())).collect(),
        mark: plan.mark,
    })
}

fn line(planned: &Planned) -> Line {
    let side = |side: &Option<(String, Layer)>| match side {
        Some((value, layer)) => format!("{value} ({})", layer.word()),
        None => "nothing".to_owned(),
    };
    let labels = planned.labels.iter().map(|turned| (turned.label.clone(), side(&turned.before), side(&turned.after)));
    Line { url: format!("/hosts/{}", planned.host), name: planned.name.clone(), labels: labels.collect() }
}

/// Does what was looked at, and nothing else.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Asked>,
) -> Shown {
    let says = asked.says()?;
    let plan = Plan::of_selection(&web, &asked.filter.selection()?, &says);
    plan.carry_out(&web, &caller, says, Some(&asked.preview)).await?;
    Ok(Redirect::to(&asked.filter.url()).into_response())
}
