//! `sla compare` and `sla what-if`: two reports of an agreement side by side.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{
    CliError,
    commands::{Desk, encode},
    given,
    holds::time,
    print::{self, Column},
    verification::report,
};
use crate::domain::sla::table::summed_up;

/// What might have been otherwise.
#[derive(Debug, Args)]
pub(super) struct WhatIf {
    /// Its name, as in collector.toml
    #[arg(long, value_name = "NAME")]
    agreement: String,
    /// Over which period [default: the present one]
    #[arg(long)]
    period: Option<String>,
    /// The declaration that is in force on this date, where there are several of the name
    #[arg(long, value_name = "DATE")]
    on: Option<String>,
    /// Another agreement: a file with the keys of an [[agreement]], and perhaps [[service]]; without subjects it is about the
    /// present ones, with these services in the place of those of the same names
    #[arg(long, value_name = "FILE.toml")]
    definition: Option<PathBuf>,
    /// Another target, in percent
    #[arg(long, value_name = "PERCENT")]
    target: Option<String>,
    /// As if this maintenance window had not been; may be repeated
    #[arg(long = "without-window", value_name = "NUMBER")]
    without: Vec<i64>,
    /// As if there had been maintenance then; may be repeated, and is about --host
    #[arg(long = "add-window", value_name = "FROM..UNTIL", requires = "hosts")]
    add: Vec<String>,
    /// Hosts of --add-window, with * and ?; may be repeated
    #[arg(long = "host", value_name = "NAME", requires = "add")]
    hosts: Vec<String>,
}

const THEN_AND_NOW: [Column; 9] = [
    ("subject", "subject"),
    ("verdict then", "verdict_1"),
    ("now", "verdict_2"),
    ("availability % then", "availability_1"),
    ("now", "availability_2"),
    ("down s then", "down_1"),
    ("now", "down_2"),
    ("maintenance s then", "maintenance_1"),
    ("now", "maintenance_2"),
];
const IS_AND_MIGHT_BE: [Column; 9] = [
    ("subject", "subject"),
    ("verdict", "verdict_1"),
    ("what if", "verdict_2"),
    ("availability %", "availability_1"),
    ("what if", "availability_2"),
    ("down s", "down_1"),
    ("what if", "down_2"),
    ("maintenance s", "maintenance_1"),
    ("what if", "maintenance_2"),
];

impl Desk {
    /// A report that was issued beside what would be issued now.
    pub(super) async fn compare(&self, file: &Path) -> Result<(), CliError> {
        let answer = self.client.post("/agreements/compare", report(file)?).await?;
        if self.json {
            return print::json(&answer);
        }
        let (then, now) = (summed_up(&answer["then"]), summed_up(&answer["now"]));
        print::line(&format!(
            "{}, {}: {} with {} % on {}, {} with {} % now\n",
            text(&answer["name"]),
            text(&answer["period"]),
            text(&then["verdict"]),
            text(&then["availability"]),
            text(&answer["then_as_of"]),
            text(&now["verdict"]),
            text(&now["availability"]),
        ))?;
        print::table(&THEN_AND_NOW, &rows(&answer, "then", "now"))?;
        let changes = changes(&answer);
        let none = "\nNothing that it was reckoned from has changed.".to_owned();
        print::line(&if changes.is_empty() { none } else { format!("\n{}", changes.join("\n")) })
    }

    /// What came of an agreement, and what would have come of another.
    pub(super) async fn what_if(&self, asked: WhatIf) -> Result<(), CliError> {
        let path = format!("/agreements/{}/what-if", encode(&asked.agreement));
        let answer = self.client.post(&path, body(asked)?).await?;
        if self.json {
            return print::json(&answer);
        }
        for note in answer["notes"].as_array().into_iter().flatten() {
            print::warning(&text(note));
        }
        let (present, other) = (summed_up(&answer["present"]), summed_up(&answer["what_if"]));
        print::line(&format!(
            "{}, {}: {} with {} % of {} %; it would be {} with {} % of {} %. {} of {} subjects would have another verdict.\n",
            text(&answer["name"]),
            text(&answer["period"]),
            text(&present["verdict"]),
            text(&present["availability"]),
            text(&present["target"]),
            text(&other["verdict"]),
            text(&other["availability"]),
            text(&other["target"]),
            text(&answer["subjects_that_change_verdict"]),
            answer["subjects"].as_array().map_or(0, Vec::len),
        ))?;
        print::table(&IS_AND_MIGHT_BE, &rows(&answer, "present", "what_if"))
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "-".into(),
        other => other.to_string(),
    }
}

/// Each subject's figures under both names.
fn rows(answer: &Value, first: &str, second: &str) -> Value {
    let subjects = answer["subjects"].as_array().map(Vec::as_slice).unwrap_or_default();
    let row = |subject: &Value| {
        let mut row = json!({ "subject": subject["subject"] });
        for (number, name) in [(1, first), (2, second)] {
            let told = if subject[name].is_null() { Value::Null } else { summed_up(&subject[name]) };
            for figure in ["verdict", "availability", "down", "maintenance"] {
                row[format!("{figure}_{number}")] = told[figure].clone();
            }
        }
        row
    };
    Value::Array(subjects.iter().map(row).collect())
}

/// What has changed since a report, one line each.
fn changes(answer: &Value) -> Vec<String> {
    let differs = |what: &str, one: &Value, other: &Value| {
        (one != other).then(|| format!("{what}: {} then, {} now", text(one), text(other)))
    };
    let agreement = differs("version of the agreement", &answer["then_version"], &answer["now_version"]);
    let zones = differs("time zones", &answer["then_tzdata"], &answer["now_tzdata"]);
    let mut lines: Vec<String> = agreement.into_iter().chain(zones).collect();
    for subject in answer["subjects"].as_array().into_iter().flatten() {
        let name = text(&subject["subject"]);
        let all = |key: &str| subject[key].as_array().map(Vec::as_slice).unwrap_or_default().to_vec();
        for (key, word) in [("windows", "maintenance"), ("amendments", "amendment"), ("false_alarms", "false alarm")] {
            let told = all(key)
                .into_iter()
                .map(|change| format!("{name}: {word} {} {}", text(&change["number"]), text(&change["says"])));
            lines.extend(told);
        }
        lines.extend(all("entries").into_iter().map(|entry| {
            format!(
                "{}: {} from {} to {} ({}), learned {}",
                text(&entry["of"]),
                text(&entry["state"]),
                text(&entry["from"]),
                text(&entry["to"]),
                text(&entry["evidence"]),
                text(&entry["learned"])
            )
        }));
    }
    lines
}

fn body(asked: WhatIf) -> Result<Value, CliError> {
    let windows: Result<Vec<Value>, CliError> = asked
        .add
        .iter()
        .map(|window| {
            let (from, until) = window.split_once("..").ok_or_else(|| {
                let expected = "two times such as 2026-10-03T22:00:00Z..2026-10-04T02:00:00Z";
                CliError::Usage(format!("--add-window {window:?}: expected {expected}"))
            })?;
            let at = |text: &str| time("add-window", text.trim());
            Ok(json!({ "from": at(from)?, "until": at(until)?, "hosts": asked.hosts }))
        })
        .collect();
    let mut body = json!({ "without_windows": asked.without, "add_windows": windows? });
    let given = [("period", asked.period), ("on", asked.on)];
    for (key, value) in given.into_iter().filter_map(|(key, value)| Some((key, value?))) {
        body[key] = value.into();
    }
    if let Some(target) = asked.target {
        let number = serde_json::from_str::<serde_json::Number>(&target);
        body["target"] = number
            .map_err(|_| CliError::Usage(format!("--target {target:?}: expected a percentage such as 99.95")))?
            .into();
    }
    if let Some(file) = asked.definition {
        let text = given::definition(&file)?;
        // Its mistakes are told with its own name.
        crate::config::parse_declaration(&text, &file).map_err(|errors| CliError::Usage(errors.to_string()))?;
        body["definition"] = text.into();
    }
    Ok(body)
}
