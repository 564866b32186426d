//! How a roll-out goes.

use axum::{Json, extract::State};
use serde_json::{Value, json};

use super::Answered;
use crate::web::{Shared, roll_out::Came};

pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let all = web.roll_out().await?;
    let came = |these: &[Came]| {
        let one = |one: &Came| {
            json!({
                "host": one.host.profile.name, "host_id": one.host.profile.id, "site": one.host.profile.site,
                "os": one.host.profile.facts.os, "enrolled": one.at.map(|at| at.to_string()),
            })
        };
        these.iter().map(one).collect::<Vec<Value>>()
    };
    let tokens = all.invited.iter().map(|one| {
        json!({
            "id": one.token.id, "kind": one.token.kind.word(), "expires": one.token.expires.to_string(),
            "enrolled": one.enrolled, "uses_left": one.token.uses_left, "gives": one.token.gives,
            "made_by": one.token.made_by,
        })
    });
    let refused = all.refused.iter().map(|one| {
        json!({
            "at": one.at.to_string(), "from": one.from, "name": one.name, "token": one.token, "why": one.why,
            "times": one.times,
        })
    });
    Ok(Json(json!({
        "tokens": tokens.collect::<Vec<_>>(), "waiting": came(&all.waiting), "unheard": came(&all.unheard),
        "refused": refused.collect::<Vec<_>>(),
    })))
}
