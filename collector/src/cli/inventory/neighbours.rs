//! `inventory neighbours` and `inventory foreign`: what agents have met that nobody manages, and whose it is.

use reqwest::Method;
use serde_json::{Value, json};

use super::super::{
    CliError,
    commands::{Desk, encode},
    print::{self, Column},
};

const NEIGHBOURS: [Column; 7] = [
    ("id", "id"),
    ("name", "name"),
    ("made up", "random"),
    ("addresses", "at"),
    ("met by", "met"),
    ("since", "since"),
    ("note", "note"),
];

impl Desk {
    /// Those that are not somebody else's, or those that are.
    pub(super) async fn neighbours(&self, foreign: bool) -> Result<(), CliError> {
        let asked = if foreign { "&foreign=yes" } else { "" };
        let items = self.client.all("/inventory/neighbours", asked).await?;
        if self.json {
            return print::json(&items);
        }
        let items = items.as_array().map(Vec::as_slice).unwrap_or_default();
        print::table(&NEIGHBOURS, &items.iter().map(shown).collect())
    }

    /// Somebody says whose one is.
    pub(super) async fn mark(&self, mac: &str, reason: String, ours: bool) -> Result<(), CliError> {
        let path = format!("/inventory/neighbours/{}/mark", encode(mac));
        self.done(Method::POST, &path, Some(json!({ "foreign": !ours, "reason": reason }))).await
    }
}

fn shown(one: &Value) -> Value {
    let texts = |list: &Value, text: fn(&Value) -> String| {
        let all = list.as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut row = one.clone();
    row["random"] = if one["made_up"] == true { "yes" } else { "no" }.into();
    row["at"] = texts(&one["addresses"], |address| address.as_str().unwrap_or_default().to_owned()).into();
    row["met"] = texts(&one["met_by"], |host| host["host"].as_str().unwrap_or_default().to_owned()).into();
    if let Some(by) = one["said"]["by"].as_str() {
        row["note"] = format!("{} ({by})", text(&one["said"]["reason"])).into();
    }
    row
}
