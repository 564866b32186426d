//! People with local accounts, and links that sign in once.

use axum::{
    Extension, Json,
    extract::{Path, State},
};
use serde::Deserialize;
use serde_json::json;

use super::{Answered, api_tokens::role_of, done, list as page_of};
use crate::{
    domain::record::Row,
    store::people::{Person, Role, WebSessionRow},
    web::{
        Shared, Web,
        access::Caller,
        problem::{Body, Problem},
        secret,
    },
};

const LINK_MS: i64 = 15 * 60_000;
const MAX_NAME_BYTES: usize = 64;

pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let people = web.context.store.people().await?;
    let item = |person: &Person| json!({ "name": person.name, "role": person.role.word(), "enabled": person.enabled });
    Ok(page_of(people.iter().map(item).collect(), None))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewPerson {
    pub(in crate::web) name: String,
    pub(in crate::web) role: String,
    pub(in crate::web) password: String,
}

/// Adds a person; one of that name gets the new role and password, and their sessions end.
pub(in crate::web) async fn put(web: &Web, caller: &Caller, asked: NewPerson) -> Result<(), Problem> {
    let fits = |c: char| c.is_alphanumeric() || "._@+-".contains(c);
    if asked.name.is_empty() || asked.name.len() > MAX_NAME_BYTES || !asked.name.chars().all(fits) {
        return Err(Problem::invalid("name", &asked.name, "1 to 64 bytes of letters, digits and . _ @ + -"));
    }
    let role = role_of(&asked.role)?;
    if role == Role::Alert {
        return Err(Problem::invalid(
            "role",
            role.word(),
            "scrape, viewer, operator or admin: only programs post alerts",
        ));
    }
    let password_hash = web.passwords.hash(asked.password).await?;
    let by = caller.audit(web.now(), "person.add", &asked.name, format!("role {}", role.word()));
    let person = Person { name: asked.name.clone(), role, password_hash, enabled: true };
    web.context.store.put_person(person, by).await?;
    Ok(web.context.store.end_web_sessions(None, Some(&asked.name)).await?)
}

pub(in crate::web) async fn add(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewPerson>,
) -> Answered {
    put(&web, &caller, asked).await?;
    Ok(done())
}

async fn find(web: &Web, name: &str) -> Result<Person, Problem> {
    let people = web.context.store.people().await?;
    let found = people.into_iter().find(|person| person.name == name);
    found.ok_or_else(|| Problem::not_found(&format!("person {name:?} (muster-collector person list)")))
}

/// Disables a person and ends their sessions.
pub(in crate::web) async fn forbid(web: &Web, caller: &Caller, name: &str) -> Result<(), Problem> {
    let person = find(web, name).await?;
    let by = caller.audit(web.now(), "person.disable", name, String::new());
    web.context.store.put_person(Person { enabled: false, ..person }, by).await?;
    Ok(web.context.store.end_web_sessions(None, Some(name)).await?)
}

pub(in crate::web) async fn disable(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(name): Path<String>,
) -> Answered {
    forbid(&web, &caller, &name).await?;
    Ok(done())
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewLink {
    /// Signs in as this person; without one, as an admin under the name of who asked.
    person: Option<String>,
}

pub(in crate::web) async fn link(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewLink>,
) -> Answered {
    let (name, role) = match &asked.person {
        None => (caller.name.clone(), Role::Admin),
        Some(name) => {
            let person = find(&web, name).await?;
            if !person.enabled {
                let remedy = "add them anew with a password (muster-collector person add)";
                return Err(Problem::new(axum::http::StatusCode::CONFLICT, format!("{name} is disabled: {remedy}")));
            }
            (person.name, person.role)
        }
    };
    let now = web.now();
    let secret = secret::new_secret()?;
    let audit = caller.audit(now, "sign_in_link.create", &name, format!("role {}", role.word()));
    web.context.store.commit(vec![Row::Audit(audit)]).await?;
    let expires = now.plus_ms(LINK_MS);
    let row = WebSessionRow { hash: secret::digest_of(&secret), name, role, expires, link: true };
    web.context.store.put_web_session(row).await?;
    let url = format!("{}/sign-in/{secret}", web.context.config.http.url.trim_end_matches('/'));
    Ok(Json(json!({ "url": url, "path": format!("/sign-in/{secret}"), "expires": expires.to_string() })))
}
