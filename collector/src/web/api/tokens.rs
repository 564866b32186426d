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
    domain::network::Network,
    identity::{TokenKind, TokenRow, TokenSpec},
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let rows = web.context.identity.tokens(web.now()).await?;
    Ok(page_of(rows.iter().map(to_json).collect(), None))
}

fn to_json(row: &TokenRow) -> Value {
    json!({
        "id": row.id, "kind": row.kind.word(), "expires": row.expires.to_string(), "uses_left": row.uses_left,
        "host": row.host, "gives": row.gives, "made_by": row.made_by,
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewToken {
    pub(in crate::web) kind: String,
    pub(in crate::web) ttl_seconds: Option<i64>,
    pub(in crate::web) uses: Option<u32>,
    #[serde(default)]
    pub(in crate::web) from: Vec<String>,
    pub(in crate::web) host: Option<String>,
    pub(in crate::web) class: Option<String>,
    pub(in crate::web) site: Option<String>,
    pub(in crate::web) watch: Option<String>,
    #[serde(default)]
    pub(in crate::web) labels: BTreeMap<String, String>,
}

/// Checks what is asked and makes the token; its text is returned once.
pub(in crate::web) async fn make(web: &Web, caller: &Caller, asked: NewToken) -> Result<String, Problem> {
    let kind = TokenKind::from_word(&asked.kind)
        .ok_or_else(|| Problem::invalid("kind", &asked.kind, "single, batch, image or replace"))?;
    let from = asked
        .from
        .iter()
        .map(|range| range.parse::<Network>().map_err(|error| Problem::invalid("from", range, &error.to_string())));
    let from = from.collect::<Result<Vec<_>, _>>()?;
    let (default_s, max_s) = (kind.default_ttl_ms() / 1_000, kind.longest_ttl_ms(!from.is_empty()) / 1_000);
    let max_uses = kind.most_uses();
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
        from,
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
