//! Signing in: with name and password, or with a link that works once. Attempts are limited.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use askama::Template;
use axum::{
    Extension, Form,
    extract::{Path, Query, State},
    http::{HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Redirect, Response},
};
use serde::Deserialize;

use super::{
    Shared, Web,
    access::{self, Caller, Door, Proof},
    problem::{PageProblem, Problem},
    secret,
    words::encode,
};
use crate::{
    domain::{record::AuditRow, time::Timestamp},
    store::people::{Role, WebSessionRow},
};

/// A working day's half: long enough not to annoy, short enough for a forgotten desk.
const SESSION_MS: i64 = 12 * 3600 * 1000;
const WINDOW_MS: i64 = 60_000;
/// Attempts per minute for one name from one address.
const PER_NAME: u32 = 5;
/// Attempts per minute from one address, whatever the names.
const PER_ADDRESS: u32 = 30;
/// Counters kept; when full and none is over, strangers wait.
const MAX_COUNTERS: usize = 10_000;
const MAX_NAME_BYTES: usize = 128;

/// Who is counted: an address with a name, or alone.
type Counted = (IpAddr, Option<String>);

/// Counts attempts per minute, by name and address, and by address alone.
#[derive(Debug)]
pub(super) struct Limits {
    counters: Mutex<HashMap<Counted, (Timestamp, u32)>>,
    per_name: u32,
    per_address: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self::of((PER_NAME, PER_ADDRESS))
    }
}

impl Limits {
    /// So many attempts per minute for one name from one address, and from one address altogether.
    pub(super) fn of((per_name, per_address): (u32, u32)) -> Self {
        Self { counters: Mutex::default(), per_name, per_address }
    }

    /// Counts an attempt; false when there were too many.
    pub(super) fn try_once(&self, address: IpAddr, name: &str, now: Timestamp) -> bool {
        let mut counters = self.counters.lock().unwrap_or_else(PoisonError::into_inner);
        if counters.len() >= MAX_COUNTERS {
            counters.retain(|_, (began, _)| now.since_ms(*began) < WINDOW_MS);
            if counters.len() >= MAX_COUNTERS {
                return false;
            }
        }
        let mut count = |key, limit| {
            let (began, n) = counters.entry(key).or_insert((now, 0));
            if now.since_ms(*began) >= WINDOW_MS {
                (*began, *n) = (now, 0);
            }
            *n = n.saturating_add(1);
            *n <= limit
        };
        let address_fits = count((address, None), self.per_address);
        count((address, Some(name.to_owned())), self.per_name) && address_fits
    }
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignInPage<'a> {
    trouble: &'a str,
    next: &'a str,
    name: &'a str,
}

#[derive(Template)]
#[template(path = "sign_in_link.html")]
struct LinkPage<'a> {
    link: &'a str,
}

/// Where the sign-in view is, with the way back.
pub(super) fn path_with_next(next: &str) -> String {
    if next == "/" { "/sign-in".into() } else { format!("/sign-in?next={}", encode(next)) }
}

#[derive(Debug, Deserialize)]
pub(super) struct Next {
    #[serde(default)]
    next: String,
}

/// The sign-in view.
pub(super) async fn form(Query(query): Query<Next>) -> Result<Response, PageProblem> {
    show(StatusCode::OK, "", &query.next, "")
}

fn show(status: StatusCode, trouble: &str, next: &str, name: &str) -> Result<Response, PageProblem> {
    let page =
        SignInPage { trouble, next, name }.render().map_err(|_| Problem::internal("the view cannot be drawn"))?;
    Ok((status, Html(page)).into_response())
}

#[derive(Deserialize)]
pub(super) struct Credentials {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

/// Takes name and password.
pub(super) async fn with_password(
    State(web): State<Shared>,
    Extension(door): Extension<Door>,
    Form(given): Form<Credentials>,
) -> Result<Response, PageProblem> {
    let Door::Tcp { peer, .. } = door else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "on the unix socket nobody needs to sign in").into());
    };
    let address = peer.ip().to_canonical();
    let name = given.name.trim();
    let count = |outcome: &str| web.context.metrics.sign_ins.with_label_values(&[outcome]).inc();
    if name.len() > MAX_NAME_BYTES || !web.sign_ins.try_once(address, name, web.now()) {
        count("limited");
        let trouble = "Too many attempts: wait a minute and try again.";
        return show(StatusCode::TOO_MANY_REQUESTS, trouble, &given.next, name);
    }
    let people = web.context.store.people().await?;
    let person = people.into_iter().find(|person| person.enabled && person.name == name);
    let hash = person.as_ref().map(|person| person.password_hash.clone());
    if !web.passwords.matches(given.password, hash).await? {
        count("refused");
        tracing::warn!(client.address = %address, "somebody could not sign in");
        return show(StatusCode::UNAUTHORIZED, "Name or password is wrong.", &given.next, name);
    }
    let Some(person) = person else { return Err(Problem::internal("a person without name signed in").into()) };
    count("accepted");
    begin(&web, door, address, &person.name, person.role, &given.next, "password").await
}

/// Shows one button: opening a link in a preview must not use it up.
pub(super) async fn link_form(Path(link): Path<String>) -> Result<Response, PageProblem> {
    let page = LinkPage { link: &link }.render().map_err(|_| Problem::internal("the view cannot be drawn"))?;
    Ok(Html(page).into_response())
}

/// Takes a one-time link.
pub(super) async fn with_link(
    State(web): State<Shared>,
    Extension(door): Extension<Door>,
    Path(link): Path<String>,
) -> Result<Response, PageProblem> {
    let Door::Tcp { peer, .. } = door else {
        return Err(Problem::new(StatusCode::BAD_REQUEST, "on the unix socket nobody needs to sign in").into());
    };
    let taken = web.context.store.take_link(&secret::digest_of(&link), web.now()).await?;
    let Some(row) = taken else {
        web.context.metrics.sign_ins.with_label_values(&["refused"]).inc();
        let trouble = "This link was used already or is older than 15 minutes. Make a new one on the collector's \
                       machine: muster-collector person link";
        return show(StatusCode::UNAUTHORIZED, trouble, "", "");
    };
    web.context.metrics.sign_ins.with_label_values(&["accepted"]).inc();
    begin(&web, door, peer.ip().to_canonical(), &row.name, row.role, "", "link").await
}

async fn begin(
    web: &Web,
    door: Door,
    address: IpAddr,
    name: &str,
    role: Role,
    next: &str,
    how: &str,
) -> Result<Response, PageProblem> {
    let now = web.now();
    let session = secret::new_secret()?;
    let row = WebSessionRow {
        hash: secret::digest_of(&session),
        name: name.to_owned(),
        role,
        expires: now.plus_ms(SESSION_MS),
        link: false,
    };
    web.context.store.put_web_session(row).await?;
    record(web, Caller { name: name.to_owned(), role, proof: Proof::Loopback, address: Some(address) }, how).await?;
    let mut response = Redirect::to(safe_next(next)).into_response();
    set_cookie(&mut response, &access::cookie_line(door, &session, SESSION_MS / 1000));
    Ok(response)
}

async fn record(web: &Web, caller: Caller, how: &str) -> Result<(), Problem> {
    let row: AuditRow = caller.audit(web.now(), "sign-in", &caller.name, format!("with {how}"));
    Ok(web.context.store.commit(vec![crate::domain::record::Row::Audit(row)]).await?)
}

/// Ends the session.
pub(super) async fn sign_out(
    State(web): State<Shared>,
    Extension(door): Extension<Door>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, PageProblem> {
    if let Proof::Session(session) = &caller.proof {
        web.context.store.end_web_sessions(Some(&secret::digest_of(session)), None).await?;
    }
    let mut response = Redirect::to("/").into_response();
    set_cookie(&mut response, &access::cookie_line(door, "", 0));
    Ok(response)
}

fn set_cookie(response: &mut Response, line: &str) {
    if let Ok(value) = HeaderValue::from_str(line) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// Only paths of our own: never another site's address.
fn safe_next(next: &str) -> &str {
    let own = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && next.is_ascii();
    if own && !next.chars().any(char::is_control) { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_attempt_for_a_name_within_a_minute_waits() {
        let (limits, here) = (Limits::default(), IpAddr::from([10, 0, 0, 1]));
        let at = Timestamp::from_ms;
        assert!((0..5).all(|n| limits.try_once(here, "ann", at(n))));
        assert!(!limits.try_once(here, "ann", at(59_999)));
        assert!(limits.try_once(here, "bob", at(59_999)), "another name");
        assert!(limits.try_once(IpAddr::from([10, 0, 0, 2]), "ann", at(59_999)), "another address");
        assert!(limits.try_once(here, "ann", at(60_000)), "a minute later");
    }

    #[test]
    fn one_address_cannot_try_many_names() {
        let (limits, here) = (Limits::default(), IpAddr::from([10, 0, 0, 1]));
        let tries = (0..40).filter(|n| limits.try_once(here, &format!("name-{n}"), Timestamp::from_ms(0))).count();
        assert_eq!(tries, 30);
    }

    #[test]
    fn the_way_back_never_leaves_this_site() {
        assert_eq!(safe_next("/hosts/1?x=y"), "/hosts/1?x=y");
        for hostile in ["", "https://evil.example/", "//evil.example", "/\\evil.example", "/\r\nSet-Cookie: a=b"] {
            assert_eq!(safe_next(hostile), "/", "{hostile:?}");
        }
    }
}
