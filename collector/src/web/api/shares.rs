//! Links that show some agreements, and nothing else, to whoever has them: made, listed, revoked.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answered, done, list as page_of, ttl_ms};
use crate::{
    domain::sla::share::{AGREEMENTS, Share, Standing},
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
    },
};

const DAY_S: i64 = 24 * 3600;
const DEFAULT_TTL_S: i64 = 90 * DAY_S;
/// Two years: a link that nobody remembers must end by itself.
const MAX_TTL_S: i64 = 730 * DAY_S;
const MAX_AUDIENCE_BYTES: usize = 200;

/// All of them, newest first. Their addresses are shown once, when they are made.
pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let shares = web.context.store.shares().await?;
    Ok(page_of(shares.iter().map(|share| item(&web, share)).collect(), None))
}

fn item(web: &Web, share: &Share) -> Value {
    json!({
        "number": share.no, "agreements": share.agreements, "for": share.audience, "made": share.made.to_string(),
        "by": share.by, "expires": share.ends.to_string(), "state": share.at(web.now()).word(),
        "revoked": share.revoked.as_ref().map(|(at, _)| at.to_string()),
        "revoked_by": share.revoked.as_ref().map(|(_, who)| who),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewShare {
    agreements: Vec<String>,
    ttl_seconds: Option<i64>,
    #[serde(default, rename = "for")]
    audience: String,
}

impl NewShare {
    fn checked(self, web: &Web, caller: &Caller) -> Result<Share, Problem> {
        let promised = web.promised();
        let known = |name: &String| promised.iter().any(|declared| declared.agreement.name == *name);
        if let Some(unknown) = self.agreements.iter().find(|name| !known(name)) {
            return Err(Problem::invalid("agreements", unknown, "one that is promised (muster-collector sla list)"));
        }
        if self.agreements.is_empty() || self.agreements.len() > AGREEMENTS {
            let given = self.agreements.len().to_string();
            return Err(Problem::invalid("agreements", &given, &format!("1 to {AGREEMENTS} names")));
        }
        if self.audience.len() > MAX_AUDIENCE_BYTES {
            return Err(Problem::invalid("for", &self.audience, "at most 200 bytes"));
        }
        let mut agreements: Vec<String> = Vec::with_capacity(self.agreements.len());
        for name in self.agreements {
            if !agreements.contains(&name) {
                agreements.push(name);
            }
        }
        let (made, by) = (web.now(), caller.name.clone());
        let ends = made.plus_ms(ttl_ms(self.ttl_seconds.unwrap_or(DEFAULT_TTL_S), MAX_TTL_S)?);
        Ok(Share { no: 0, agreements, audience: self.audience.trim().to_owned(), made, by, ends, revoked: None })
    }
}

/// Makes one; its address is answered once.
pub(in crate::web) async fn create(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewShare>,
) -> Answered {
    let share = asked.checked(&web, &caller)?;
    let audience = if share.audience.is_empty() { String::new() } else { format!(" for {}", share.audience) };
    let detail = format!("{}{audience}, until {}", share.agreements.join(", "), share.ends);
    let by = caller.audit(share.made, "agreement_link.create", "", detail);
    let share = web.context.store.put_share(share, by).await?;
    let url = format!("{}/shared/{}", web.context.config.http.url, web.context.links.share(share.no));
    let mut answer = item(&web, &share);
    answer["url"] = json!(url);
    Ok(Json(answer))
}

/// Ends one at once.
pub(in crate::web) async fn revoke(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(number): Path<String>,
) -> Answered {
    let no: i64 = number.parse().map_err(|_| Problem::invalid("number", &number, "a whole number (sla links)"))?;
    let now = web.now();
    let share = web.context.store.share(no).await?;
    let share = share.ok_or_else(|| Problem::not_found(&format!("link {no} (muster-collector sla links)")))?;
    let detail = share.agreements.join(", ");
    let by = caller.audit(now, "agreement_link.revoke", &no.to_string(), detail);
    if share.at(now) == Standing::Works && web.context.store.revoke_share(no, now, by).await? {
        return Ok(done());
    }
    Err(Problem::not_found(&format!("link {no} that still works (muster-collector sla links)")))
}
