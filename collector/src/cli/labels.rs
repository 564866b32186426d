//! Labels of hosts: one, those that fit, or by a list of assets.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::{
    CliError,
    arguments::{AssetTask, LabelHosts},
    commands::{Desk, encode, object},
    print::{self, Column},
    sheet,
};
use crate::domain::layers::Layer;

const CHANGES: [Column; 2] = [("name", "name"), ("change", "change")];

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
        self.relabelled(&answer, "hosts fit")
    }

    pub(super) async fn asset(&self, task: AssetTask) -> Result<(), CliError> {
        let AssetTask::Import { file, dry_run } = task;
        let answer = self.client.post("/assets", json!({ "csv": sheet::text(&file)?, "dry_run": dry_run })).await;
        let answer = answer.map_err(|error| match error {
            CliError::Refused(why) => CliError::Refused(format!("{}: {why}", file.display())),
            other => other,
        })?;
        self.relabelled(&answer, "hosts are in the list")?;
        let waiting: Vec<&str> = answer["waiting"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if self.json || waiting.is_empty() {
            return Ok(());
        }
        print::line(&format!("{} rows wait for hosts that have not enrolled: {}", waiting.len(), waiting.join(", ")))
    }

    fn relabelled(&self, answer: &Value, hits: &str) -> Result<(), CliError> {
        if self.json {
            return print::json(answer);
        }
        print::table(&CHANGES, &answer["hosts"])?;
        let verb = if answer["done"] == true { "changed" } else { "would change" };
        print::line(&format!("{} {hits}, {} {verb}", answer["hits"], answer["changed"]))
    }
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
