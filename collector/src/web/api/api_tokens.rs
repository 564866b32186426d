//! API tokens: what lets a program in. Shown once, hashed at rest, scoped, expiring.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::json;

use super::{Answered, done, list as page_of, ttl_ms};
use crate::{
    store::people::{ApiTokenRow, Role},
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
        secret,
    },
};

const DAY_S: i64 = 24 * 3600;
const DEFAULT_TTL_S: i64 = 90 * DAY_S;
/// Two years: a token that nobody remembers must end by itself.
const MAX_TTL_S: i64 = 730 * DAY_S;
const MAX_NOTE_BYTES: usize = 200;

pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let rows = web.context.store.api_tokens(web.now()).await?;
    let item = |row: &ApiTokenRow| json!({ "id": row.id, "role": row.role.word(), "note": row.note, "expires": row.expires.to_string() });
    Ok(page_of(rows.iter().map(item).collect(), None))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewApiToken {
    pub(in crate::web) role: String,
    pub(in crate::web) ttl_seconds: Option<i64>,
    #[serde(default)]
    pub(in crate::web) note: String,
}

/// The role named by a word.
pub(in crate::web) fn role_of(word: &str) -> Result<Role, Problem> {
    Role::from_word(word).ok_or_else(|| Problem::invalid("role", word, "alert, scrape, viewer, operator or admin"))
}

/// Checks what is asked and makes the token; its text is returned once.
pub(in crate::web) async fn make(web: &Web, caller: &Caller, asked: NewApiToken) -> Result<String, Problem> {
    let role = role_of(&asked.role)?;
    if asked.note.len() > MAX_NOTE_BYTES {
        return Err(Problem::invalid("note", &asked.note, "at most 200 bytes"));
    }
    let now = web.now();
    let expires = now.plus_ms(ttl_ms(asked.ttl_seconds.unwrap_or(DEFAULT_TTL_S), MAX_TTL_S)?);
    let (id, text) = secret::new_api_token()?;
    let (_, secret) = secret::split_api_token(&text).ok_or_else(|| Problem::internal("a new token has no parts"))?;
    let by = caller.audit(now, "api_token.create", &id, format!("{}, until {expires}", role.word()));
    let row = ApiTokenRow { id, hash: secret::digest_of(secret), role, note: asked.note, expires };
    web.context.store.put_api_token(row, by).await?;
    Ok(text)
}

pub(in crate::web) async fn create(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewApiToken>,
) -> Answered {
    Ok(Json(json!({ "token": make(&web, &caller, asked).await? })))
}

/// Ends a token at once.
pub(in crate::web) async fn end(web: &Web, caller: &Caller, id: &str) -> Result<(), Problem> {
    let by = caller.audit(web.now(), "api_token.revoke", id, String::new());
    if web.context.store.end_api_token(id, by).await? {
        return Ok(());
    }
    Err(Problem::not_found(&format!("API token {id:?} that still works")))
}

pub(in crate::web) async fn revoke(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answered {
    end(&web, &caller, &id).await?;
    Ok(done())
}
