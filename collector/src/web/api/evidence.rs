//! What agents found of the hardware of a host, part by part.

use axum::{
    Json,
    extract::{Path, Query, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, hosts::find, list as page_of};
use crate::{
    store::hardware::{Found, Of},
    web::{Shared, problem::Problem},
};

/// Payloads in one answer, in bytes; what comes after is without.
const PAYLOADS_BYTES: usize = 4 * 1024 * 1024;

#[derive(Debug, Default, Deserialize)]
pub(in crate::web) struct Asked {
    source: Option<String>,
    part: Option<String>,
    payload: Option<String>,
}

impl Asked {
    fn of(&self) -> Result<Of, Problem> {
        match (&self.source, &self.part) {
            (None, None) => Ok(Of::AllParts),
            (Some(source), part) => Ok(Of::Part { source: source.clone(), part: part.clone().unwrap_or_default() }),
            (None, Some(part)) => Err(Problem::invalid("part", part, "a source too, such as source=smartctl-json")),
        }
    }

    fn wants_payload(&self) -> Result<bool, Problem> {
        match self.payload.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(other) => Err(Problem::invalid("payload", other, "true or false")),
        }
    }
}

pub(in crate::web) async fn of_host(
    State(web): State<Shared>,
    Path(host): Path<String>,
    Query(asked): Query<Asked>,
) -> Answered {
    let host = find(&web.snapshot(), &host)?;
    let (of, with_payload) = (asked.of()?, asked.wants_payload()?);
    let found = web.context.store.hardware(host.profile.no, of).await?;
    let mut room = if with_payload { PAYLOADS_BYTES } else { 0 };
    let items = found.iter().map(|found| item(found, &mut room)).collect();
    Ok(Json(page_of(items, None).0))
}

fn item(found: &Found, room: &mut usize) -> Value {
    let mut item = json!({
        "source": found.source, "part": found.part, "outcome": found.outcome, "reason": found.reason,
        "at": found.at.to_string(), "size": found.size,
    });
    let size = usize::try_from(found.size).unwrap_or(usize::MAX);
    if size > 0 && size <= *room {
        *room -= size;
        let payload = found.payload();
        item["payload"] =
            serde_json::from_slice(&payload).unwrap_or_else(|_| String::from_utf8_lossy(&payload).into_owned().into());
    }
    item
}
