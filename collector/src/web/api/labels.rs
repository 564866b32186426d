//! Labels of many hosts at once: by a selection, and from a list of assets; each with a preview.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answered, cursor_of,
    hosts::{check_says, selection_of},
    limit_of, list as page_of,
};
use crate::{
    domain::{
        assets::sheet,
        event::Command,
        labels::Profile,
        layers::{Layer, Says},
        relabelling::{self, Planned, Turned},
        selection::Selection,
    },
    web::{
        Shared, Web,
        access::Caller,
        problem::{self, Body, Problem},
        secret,
        words::counted,
    },
};

/// The largest list of assets, in bytes of its request: 100 000 rows of 80 letters.
pub(in crate::web) const ASSET_BYTES: usize = 8 << 20;
/// Mistakes of a list told in one answer.
const MISTAKES_TOLD: usize = 20;

/// What hosts are meant, in words.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct Where {
    state: Option<String>,
    site: Option<String>,
    #[serde(default)]
    unsorted: bool,
    class: Option<String>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    name: Option<String>,
    search: Option<String>,
}

impl Where {
    fn selection(&self) -> Result<Selection, Problem> {
        let texts = [
            ("state", &self.state),
            ("site", &self.site),
            ("class", &self.class),
            ("name", &self.name),
            ("search", &self.search),
        ];
        let texts = texts.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
        let mut selection = selection_of(texts)?;
        selection.unsorted = self.unsorted;
        selection.labels = self.labels.clone().into_iter().collect();
        Ok(selection)
    }
}

/// A change of many hosts.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct ManyLabels {
    #[serde(default, rename = "where")]
    hosts: Where,
    set: BTreeMap<String, String>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
    preview: Option<String>,
}

/// What would be done, and by which mark it is known again.
pub(in crate::web) struct Plan {
    /// Hosts that are meant.
    pub(in crate::web) hits: usize,
    /// Those that it would touch.
    pub(in crate::web) touched: Vec<Planned>,
    /// Differs where anything else would be done.
    pub(in crate::web) mark: String,
}

impl Plan {
    fn new(hits: usize, touched: Vec<Planned>) -> Self {
        let lines: String =
            touched.iter().map(|planned| format!("{} {}\n", planned.host, planned.difference)).collect();
        Self { hits, mark: secret::mark_of(&lines), touched }
    }

    /// What a person's word about some hosts would do.
    pub(in crate::web) fn of_selection(web: &Web, selection: &Selection, says: &Says) -> Self {
        let (hits, touched) = relabelling::of_selection(&web.snapshot(), selection, says);
        Self::new(hits, touched)
    }

    /// Refuses what is not what was looked at.
    fn check(&self, preview: Option<&str>) -> Result<(), Problem> {
        if preview.is_none_or(|preview| preview == self.mark) {
            return Ok(());
        }
        let detail = "the hosts that fit, or their labels, have changed since the preview: look again, then do it";
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, detail))
    }

    fn to_json(&self, done: bool) -> Value {
        let side = |side: &Option<(String, Layer)>| {
            side.as_ref().map(|(value, layer)| json!({ "value": value, "from": layer }))
        };
        let turned = |turned: &Turned| json!({ "label": turned.label, "before": side(&turned.before), "after": side(&turned.after) });
        let host = |planned: &Planned| {
            let labels: Vec<Value> = planned.labels.iter().map(turned).collect();
            json!({ "id": planned.host, "name": planned.name, "change": planned.difference, "labels": labels })
        };
        let hosts: Vec<Value> = self.touched.iter().map(host).collect();
        json!({ "done": done, "preview": self.mark, "hits": self.hits, "changed": hosts.len(), "hosts": hosts })
    }

    /// Does it, if it is still what was looked at.
    pub(in crate::web) async fn carry_out(
        &self,
        web: &Web,
        caller: &Caller,
        says: Says,
        preview: Option<&str>,
    ) -> Result<(), Problem> {
        self.check(preview)?;
        let hosts = self.touched.iter().map(|planned| planned.host).collect();
        let command = Command::Label { hosts, says };
        problem::settled(web.context.mailbox.command(caller.principal(), command).await?)
    }
}

pub(in crate::web) async fn many(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<ManyLabels>,
) -> Answered {
    let selection = asked.hosts.selection()?;
    if asked.set.is_empty() {
        return Err(Problem::invalid("set", "", "at least one label, such as {\"site\": \"berlin\"}"));
    }
    if selection.is_empty() && !asked.all {
        return Err(Problem::invalid("where", "", "a condition, or \"all\": true for every host"));
    }
    check_says(&asked.set)?;
    let plan = Plan::of_selection(&web, &selection, &asked.set);
    if !asked.dry_run {
        plan.carry_out(&web, &caller, asked.set, asked.preview.as_deref()).await?;
    }
    Ok(Json(plan.to_json(!asked.dry_run)))
}

/// A list of assets, as text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct AssetList {
    csv: String,
    #[serde(default)]
    dry_run: bool,
    preview: Option<String>,
}

pub(in crate::web) async fn assets(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(list): Body<AssetList>,
) -> Answered {
    let rows = sheet::read(&list.csv).map_err(|mistakes| wrong_list(&mistakes))?;
    let lines: Vec<usize> = rows.iter().map(|row| row.line).collect();
    let rows: Vec<_> = rows.into_iter().map(|row| row.asset).collect();
    let (touched, waiting) = relabelling::of_assets(&web.snapshot(), &rows).map_err(|(first, second)| {
        let (host, before) = (rows[second].host.clone(), lines[first]);
        let what = format!("host {host:?} has a row on line {before} already, under its other name");
        wrong_list(&[sheet::Mistake { line: lines[second], column: 1, what }])
    })?;
    let plan = Plan::new(rows.len() - waiting.len(), touched);
    let waiting: Vec<&str> = waiting.iter().map(|at| rows[*at].host.as_str()).collect();
    let mut answer = plan.to_json(!list.dry_run);
    answer["rows"] = json!(rows.len());
    answer["waiting"] = json!(waiting);
    if !list.dry_run {
        plan.check(list.preview.as_deref())?;
        let command = Command::Assets { rows };
        problem::settled(web.context.mailbox.command(caller.principal(), command).await?)?;
    }
    Ok(Json(answer))
}

/// The rows of the list imported last, each with the hosts that it is about.
pub(in crate::web) async fn listed(State(web): State<Shared>, Query(asked): Query<Rows>) -> Answered {
    let after = usize::try_from(cursor_of(asked.after.as_deref())?.unwrap_or(0)).unwrap_or(0);
    let (assets, snapshot) = (web.context.store.assets().await?, web.snapshot());
    let rows = assets.matched(snapshot.hosts.values().map(|host| &host.profile));
    let limit = limit_of(asked.limit);
    let item = |(row, says, hosts): &(&str, &Says, Vec<&Profile>)| {
        let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
        json!({ "name": row, "says": says, "hosts": names })
    };
    let items: Vec<Value> = rows.iter().skip(after).take(limit).map(item).collect();
    let next = after + items.len();
    Ok(page_of(items, (next < rows.len()).then(|| next.to_string())))
}

/// Which rows of the list.
#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Rows {
    after: Option<String>,
    limit: Option<usize>,
}

fn wrong_list(mistakes: &[sheet::Mistake]) -> Problem {
    let told: Vec<String> = mistakes.iter().take(MISTAKES_TOLD).map(ToString::to_string).collect();
    let more = mistakes.len().saturating_sub(told.len());
    let more = if more > 0 { format!("\nand {more} more") } else { String::new() };
    let expected = format!("a list without mistakes; nothing was changed\n{}{more}", told.join("\n"));
    let given = format!("a list with {}", counted(mistakes.len(), "mistake", "mistakes"));
    let mut problem = Problem::invalid("csv", &given, &expected);
    problem.detail = format!("the list was not taken, nothing was changed:\n{}{more}", told.join("\n"));
    problem
}
