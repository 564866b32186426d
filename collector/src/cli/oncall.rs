//! `on-call ...` and `route ...`: who is called, and who would be.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    CliError,
    arguments::{AbsenceTask, FiguresOf, OnCallTask, Tried},
    commands::{Desk, encode, query},
    given,
    holds::time,
    print::{self, Column},
};

const ROTATIONS: [Column; 5] =
    [("rotation", "rotation"), ("on call", "on_call"), ("until", "until"), ("next", "next"), ("zone", "zone")];
const SHIFTS: [Column; 4] = [("person", "person"), ("from", "from"), ("until", "until"), ("override", "override")];
const OVERRIDES: [Column; 7] = [
    ("no", "number"),
    ("rotation", "rotation"),
    ("person", "person"),
    ("instead of", "instead_of"),
    ("from", "from"),
    ("until", "until"),
    ("by", "by"),
];
/// The largest calendar that is sent, in bytes: as much as is read.
const CALENDAR_BYTES: u64 = 1 << 20;
const ABSENCES: [Column; 6] =
    [("no", "number"), ("person", "person"), ("from", "from"), ("until", "until"), ("what", "summary"), ("by", "by")];
const FIGURES: [Column; 6] = [
    ("person", "person"),
    ("from", "from"),
    ("days", "days"),
    ("pages", "pages"),
    ("at night", "pages_at_night"),
    ("nights", "nights"),
];
const TESTS: [Column; 6] = [
    ("person", "person"),
    ("last sent", "sent"),
    ("last confirmed", "confirmed"),
    ("through", "through"),
    ("to be confirmed until", "waits_until"),
    ("next", "due"),
];
const TOLD: [Column; 4] = [("at", "at"), ("who", "who"), ("through", "through"), ("why", "why")];
const RECEIVERS: [Column; 1] = [("name", "name")];

impl Desk {
    pub(super) async fn on_call(&self, task: OnCallTask) -> Result<(), CliError> {
        match task {
            OnCallTask::Show { rotation: None } => self.list("/on-call", "", &ROTATIONS).await,
            OnCallTask::Show { rotation: Some(name) } => {
                let all = self.client.all("/on-call", "").await?;
                let found = all.as_array().into_iter().flatten().find(|one| one["rotation"] == name.as_str());
                let shifts = found.ok_or_else(|| CliError::Refused(format!("there is no rotation {name:?}")))?;
                if self.json { print::json(shifts) } else { print::table(&SHIFTS, &shifts["shifts"]) }
            }
            OnCallTask::Override(asked) => {
                let mut body = json!({ "rotation": asked.rotation, "person": asked.person });
                let times = [("from", asked.from), ("until", asked.until)];
                for (field, text) in times.into_iter().filter_map(|(field, text)| Some((field, text?))) {
                    body[field] = time(field, &text)?.into();
                }
                let more =
                    [("for_seconds", asked.lasts.map(Value::from)), ("instead_of", asked.instead_of.map(Value::from))];
                for (field, value) in more.into_iter().filter_map(|(field, value)| Some((field, value?))) {
                    body[field] = value;
                }
                self.done(Method::POST, "/on-call/overrides", Some(body)).await
            }
            OnCallTask::Swap(asked) => {
                let mut body = json!({ "rotation": asked.rotation, "person": asked.person, "with": asked.with });
                let times = [("turn", asked.turn), ("for_turn", asked.for_turn)];
                for (field, text) in times.into_iter().filter_map(|(field, text)| Some((field, text?))) {
                    body[field] = time(field, &text)?.into();
                }
                self.done(Method::POST, "/on-call/swaps", Some(body)).await
            }
            OnCallTask::Absences(task) => self.absences(task).await,
            OnCallTask::Calendar { rotation, person } => {
                let asked = query(&[("rotation", rotation), ("person", person)]);
                let answer = self.client.get(&format!("/on-call/calendar?{}", asked.trim_start_matches('&'))).await?;
                if self.json { print::json(&answer) } else { print::text(answer["url"].as_str().unwrap_or_default()) }
            }
            OnCallTask::Figures(asked) => self.figures(asked).await,
            OnCallTask::Overrides => self.list("/on-call/overrides", "", &OVERRIDES).await,
            OnCallTask::Tests => self.list("/on-call/tests", "", &TESTS).await,
            OnCallTask::Test { person } => {
                self.done(Method::POST, "/on-call/tests", Some(json!({ "person": person }))).await
            }
            OnCallTask::Withdraw { number } => {
                self.done(Method::DELETE, &format!("/on-call/overrides/{number}"), None).await
            }
        }
    }

    async fn absences(&self, task: AbsenceTask) -> Result<(), CliError> {
        let body = match task {
            AbsenceTask::List => return self.list("/on-call/absences", "", &ABSENCES).await,
            AbsenceTask::Remove { number } => {
                return self.done(Method::DELETE, &format!("/on-call/absences/{number}"), None).await;
            }
            AbsenceTask::Add { person, from, until, summary, confirm_gaps } => json!({
                "person": person, "from": time("from", &from)?, "until": time("until", &until)?, "summary": summary,
                "confirm_gaps": confirm_gaps,
            }),
            AbsenceTask::Import { file, person, confirm_gaps } => json!({
                "person": person, "calendar": given::text(&file, CALENDAR_BYTES, "export less at once")?, "confirm_gaps": confirm_gaps }),
        };
        let answer = self.client.post("/on-call/absences", body).await?;
        if self.json {
            return print::json(&answer);
        }
        print::line(&format!("{} added, {} known already, {} over", answer["added"], answer["known"], answer["over"]))
    }

    async fn figures(&self, asked: FiguresOf) -> Result<(), CliError> {
        let from = asked.from.map(|text| time("from", &text)).transpose()?;
        let until = asked.until.map(|text| time("until", &text)).transpose()?;
        let asked = query(&[("from", from), ("until", until), ("per", asked.per)]);
        let answer = self.client.get(&format!("/on-call/figures?{}", asked.trim_start_matches('&'))).await?;
        if self.json {
            return print::json(&answer);
        }
        print::table(&FIGURES, &answer["people"])?;
        print::thing(&answer["answers"])
    }

    pub(super) async fn route_test(&self, tried: Tried) -> Result<(), CliError> {
        if let Some(receiver) = tried.receiver {
            return self.done(Method::POST, &format!("/receivers/{}/test", encode(&receiver)), None).await;
        }
        let at = tried.at.map(|text| time("at", &text)).transpose()?;
        let asked = [
            ("host", tried.host),
            ("incident", tried.incident),
            ("what", tried.what),
            ("severity", tried.severity),
            ("at", at),
        ];
        if asked.iter().all(|(_, value)| value.is_none()) {
            return self.list("/receivers", "", &RECEIVERS).await;
        }
        let answer = self.client.get(&format!("/routes/test?{}", query(&asked).trim_start_matches('&'))).await?;
        if self.json {
            return print::json(&answer);
        }
        for line in answer["why"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            print::line(line)?;
        }
        print::table(&TOLD, &answer["told"])
    }
}
