//! Labels of hosts: one, those that fit, or by a list of assets.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    CliError,
    arguments::{AssetTask, LabelHosts, ListFormat},
    commands::{Desk, encode, object},
    print::{self, Column},
    sheet,
};
use crate::{
    domain::{
        assets,
        layers::{Layer, Says},
    },
    web::counted,
};

const CHANGES: [Column; 2] = [("name", "name"), ("change", "change")];
const ASSETS: [Column; 3] = [("row", "name"), ("host", "host"), ("says", "says")];

impl Desk {
    /// One host; who says what of it stands below, the winner first.
    pub(super) async fn show_host(&self, host: &str) -> Result<(), CliError> {
        let mut answer = self.client.get(&format!("/hosts/{}", encode(host))).await?;
        if self.json {
            return print::json(&answer);
        }
        let layers = answer["layers"].take();
        let said = Layer::ALL.iter().rev().filter_map(|layer| {
            let says = layers[layer.word()].as_object()?;
            let words: Vec<String> =
                says.iter().map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or_default())).collect();
            Some(json!({ "layer": layer.word(), "says": words.join(" ") }))
        });
        answer["layers"] = said.collect();
        print::thing(&answer)
    }

    pub(super) async fn label(&self, asked: LabelHosts) -> Result<(), CliError> {
        let fixed = [("class", asked.class), ("site", asked.site), ("watch", asked.watch)];
        let fixed = fixed.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let set: Vec<(String, String)> = asked.labels.into_iter().chain(asked.set).chain(fixed).collect();
        if set.is_empty() {
            return Err(CliError::Usage("nothing to say: give NAME=VALUE, --set, --site, --class or --watch".into()));
        }
        let conditions = match &asked.host {
            Some(host) if asked.dry_run => {
                let name = self.client.get(&format!("/hosts/{}", encode(host))).await?["name"].take();
                json!({ "name": name })
            }
            Some(host) => {
                let mut body = object(Vec::new());
                body["labels"] = object(set);
                return self.done(Method::PATCH, &format!("/hosts/{}", encode(host)), Some(body)).await;
            }
            None => conditions(&asked.conditions)?,
        };
        let body = json!({ "where": conditions, "set": object(set), "all": asked.all, "dry_run": asked.dry_run });
        let answer = self.client.post("/hosts/labels", body).await?;
        self.relabelled(&answer, ("host fits", "hosts fit"))
    }

    pub(super) async fn asset(&self, task: AssetTask) -> Result<(), CliError> {
        let (file, dry_run) = match task {
            AssetTask::List { format } => return self.assets(if self.json { ListFormat::Json } else { format }).await,
            AssetTask::Import { file, dry_run } => (file, dry_run),
        };
        let answer = self.client.post("/assets", json!({ "csv": sheet::text(&file)?, "dry_run": dry_run })).await;
        let answer = answer.map_err(|error| match error {
            CliError::Refused(why) => CliError::Refused(format!("{}: {why}", file.display())),
            other => other,
        })?;
        self.relabelled(&answer, ("host is in the list", "hosts are in the list"))?;
        let waiting: Vec<&str> = answer["waiting"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if self.json || waiting.is_empty() {
            return Ok(());
        }
        let hosts = ("row waits for a host that has not enrolled", "rows wait for hosts that have not enrolled");
        print::line(&format!("{}: {}", counted(waiting.len(), hosts.0, hosts.1), waiting.join(", ")))
    }

    /// The list as imported last.
    async fn assets(&self, format: ListFormat) -> Result<(), CliError> {
        let rows = self.client.all("/assets", "").await?;
        match format {
            ListFormat::Json => print::json(&rows),
            ListFormat::Csv => print::text(&sheet_of(&rows)?),
            ListFormat::Text => print::table(&ASSETS, &rows.as_array().into_iter().flatten().map(asset_line).collect()),
        }
    }

    /// `hits`: what one is said to do, and several.
    fn relabelled(&self, answer: &Value, hits: (&str, &str)) -> Result<(), CliError> {
        if self.json {
            return print::json(answer);
        }
        print::table(&CHANGES, &answer["hosts"])?;
        let verb = if answer["done"] == true { "changed" } else { "would change" };
        let number = answer["hits"].as_u64().and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
        print::line(&format!("{}, {} {verb}", counted(number, hits.0, hits.1), answer["changed"]))
    }
}

/// A row of the list for people.
fn asset_line(row: &Value) -> Value {
    let hosts: Vec<&str> = row["hosts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let says: Vec<String> = said(row).map(|(name, value)| format!("{name}={value}")).collect();
    let host = if hosts.is_empty() { "waits".to_owned() } else { hosts.join(", ") };
    json!({ "name": row["name"], "host": host, "says": says.join(" ") })
}

fn said(row: &Value) -> impl Iterator<Item = (&str, &str)> {
    let says = row["says"].as_object().into_iter().flatten();
    says.filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
}

/// The list as `asset import` takes it.
fn sheet_of(rows: &Value) -> Result<String, CliError> {
    let unreadable =
        || CliError::Failed("the collector answers rows of another form: bring both to one release".into());
    let row = |row: &Value| {
        let says: Says = said(row).map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some((row["name"].as_str()?.to_owned(), says))
    };
    let rows: Option<Vec<(String, Says)>> = rows.as_array().into_iter().flatten().map(row).collect();
    let rows = rows.ok_or_else(unreadable)?;
    Ok(assets::sheet::write(rows.iter().map(|(host, says)| (host.as_str(), says))))
}

/// `--where` conditions as the API takes them.
fn conditions(given: &[String]) -> Result<Value, CliError> {
    let wrong = |text: &str| {
        CliError::Usage(format!(
            "--where {text:?} is no condition: expected state=, site=, class=, label:NAME=, name=, search= or unsorted"
        ))
    };
    let (mut asked, mut labels) = (Map::new(), Map::new());
    for text in given {
        if text == "unsorted" {
            asked.insert("unsorted".into(), true.into());
            continue;
        }
        let (name, value) = text.split_once('=').ok_or_else(|| wrong(text))?;
        match name.strip_prefix("label:") {
            Some(label) => drop(labels.insert(label.to_owned(), value.into())),
            None if ["state", "site", "class", "name", "search"].contains(&name) => {
                asked.insert(name.to_owned(), value.into());
            }
            None => return Err(wrong(text)),
        }
    }
    asked.insert("labels".into(), Value::Object(labels));
    Ok(Value::Object(asked))
}
