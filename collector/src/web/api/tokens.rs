//! Join tokens: what lets a machine enrol.

use std::collections::BTreeMap;

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, done, hosts, list as page_of, ttl_ms};
use crate::{
    identity::{TokenKind, TokenRow, TokenSpec},
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

const HOUR_S: i64 = 3600;

/// The kind's word at the faces.
pub(in crate::web) const fn kind_word(kind: TokenKind) -> &'static str {
    match kind {
        TokenKind::Single => "single",
        TokenKind::Batch => "batch",
        TokenKind::Replace => "replace",
    }
}

/// Seconds of life: by default, and at most; uses at most.
const fn limits(kind: TokenKind) -> (i64, i64, u32) {
    match kind {
        TokenKind::Single => (HOUR_S, 24 * HOUR_S, 1),
        TokenKind::Batch => (24 * HOUR_S, 7 * 24 * HOUR_S, 500),
        TokenKind::Replace => (HOUR_S, HOUR_S, 1),
    }
}

pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let rows = web.context.identity.tokens(web.now()).await?;
    Ok(page_of(rows.iter().map(to_json).collect(), None))
}

fn to_json(row: &TokenRow) -> Value {
    json!({
        "id": row.id, "kind": kind_word(row.kind), "expires": row.expires.to_string(), "uses_left": row.uses_left,
        "host": row.host, "gives": row.gives, "made_by": row.made_by,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewToken {
    pub(in crate::web) kind: String,
    pub(in crate::web) ttl_seconds: Option<i64>,
    pub(in crate::web) uses: Option<u32>,
    pub(in crate::web) host: Option<String>,
    pub(in crate::web) class: Option<String>,
    pub(in crate::web) site: Option<String>,
    pub(in crate::web) watch: Option<String>,
    #[serde(default)]
    pub(in crate::web) labels: BTreeMap<String, String>,
}

/// Checks what is asked and makes the token; its text is returned once.
pub(in crate::web) async fn make(web: &Web, caller: &Caller, asked: NewToken) -> Result<String, Problem> {
    let kind = [TokenKind::Single, TokenKind::Batch, TokenKind::Replace]
        .into_iter()
        .find(|kind| kind_word(*kind) == asked.kind)
        .ok_or_else(|| Problem::invalid("kind", &asked.kind, "single, batch or replace"))?;
    let (default_s, max_s, max_uses) = limits(kind);
    let uses = asked.uses.unwrap_or(max_uses);
    if uses == 0 || uses > max_uses {
        return Err(Problem::invalid(
            "uses",
            &uses.to_string(),
            &format!("1 to {max_uses} for a {} token", asked.kind),
        ));
    }
    let host = match (kind, &asked.host) {
        (TokenKind::Replace, Some(host)) => Some(hosts::find(&web.snapshot(), host)?.profile.id),
        (TokenKind::Replace, None) => return Err(Problem::invalid("host", "", "the host that is installed anew")),
        (_, None) => None,
        (_, Some(host)) => {
            return Err(Problem::invalid("host", host, "nothing: only replace tokens are bound to a host"));
        }
    };
    hosts::check_says(&asked.labels)?;
    let spec = TokenSpec {
        kind,
        ttl_ms: ttl_ms(asked.ttl_seconds.unwrap_or(default_s), max_s)?,
        uses,
        host,
        labels: asked.labels.into_iter().collect(),
        class: hosts::class_of(asked.class.as_deref())?,
        site: asked.site.filter(|site| !site.is_empty()),
        watch: hosts::watch_of(asked.watch.as_deref())?,
    };
    let detail = format!("{}, {uses} uses, {} s", asked.kind, spec.ttl_ms / 1000);
    let by = caller.audit(web.now(), "token.create", &asked.kind, detail);
    Ok(web.context.identity.create_token(spec, by, web.now()).await?)
}

pub(in crate::web) async fn create(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewToken>,
) -> Answered {
    let addresses = web.context.config.grpc.addresses.clone();
    let token = make(&web, &caller, asked).await?;
    Ok(Json(json!({ "token": token, "addresses": addresses })))
}

/// Revokes a token at once.
pub(in crate::web) async fn end(web: &Web, caller: &Caller, id: &str) -> Result<(), Problem> {
    let by = caller.audit(web.now(), "token.revoke", id, String::new());
    if web.context.identity.revoke_token(id, by).await? {
        return Ok(());
    }
    Err(Problem::not_found(&format!("join token {id:?} that still works")))
}

pub(in crate::web) async fn revoke(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Answered {
    end(&web, &caller, &id).await?;
    Ok(done())
}
