//! Who asks: through which door, with which credential, as whom.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, header};

use super::{Web, problem::Problem, secret};
use crate::{
    config::Http,
    domain::{event::Principal, record::AuditRow, time::Timestamp},
    store::people::Role,
};

/// The session cookie over plain loopback HTTP.
const COOKIE_PLAIN: &str = "muster_session";
/// Over TLS: the prefix binds it to this very host and to `Secure` (RFC 6265bis).
const COOKIE_TLS: &str = "__Host-muster_session";

/// Where a connection came in; added to every request by the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// Over TCP.
    Tcp {
        /// The other end.
        peer: SocketAddr,
        /// Whether TLS protects it.
        tls: bool,
    },
    /// Over the unix socket in the state directory.
    Unix {
        /// The peer's user id, as the kernel says.
        uid: u32,
        /// Whether that is root, the socket's owner or a member of group `muster`.
        trusted: bool,
    },
}

/// How somebody proved who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing but being on this machine.
    Loopback,
    /// The kernel's word on the unix socket.
    Socket,
    /// An API token.
    Token,
    /// A browser session: its secret, to which CSRF tokens are bound.
    Session(String),
}

/// Who asks, and what they may do.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) name: String,
    pub(super) role: Role,
    pub(super) proof: Proof,
    pub(super) address: Option<IpAddr>,
}

impl Caller {
    /// As the engine records it.
    pub(super) fn principal(&self) -> Principal {
        let via = match self.proof {
            Proof::Socket => "socket",
            Proof::Token => "api",
            Proof::Loopback | Proof::Session(_) => "web",
        };
        Principal { name: self.name.clone(), via: via.into(), address: self.address }
    }

    /// As documents say who asked for them.
    pub(super) fn in_words(&self) -> String {
        match self.proof {
            Proof::Session(_) => self.name.clone(),
            Proof::Token => format!("a program ({})", self.name),
            Proof::Socket => format!("the command line ({})", self.name),
            Proof::Loopback => "somebody at the collector, not signed in".to_owned(),
        }
    }

    /// A line for the audit log.
    pub(super) fn audit(&self, at: Timestamp, action: &str, subject: &str, detail: String) -> AuditRow {
        let principal = self.principal();
        let from = match principal.address {
            Some(address) => format!("{} {address}", principal.via),
            None => principal.via,
        };
        AuditRow { at, who: principal.name, from, action: action.into(), subject: subject.into(), detail }
    }

    /// The CSRF token for this caller's forms; empty where none is needed.
    pub(super) fn csrf(&self) -> String {
        match &self.proof {
            Proof::Session(session) => secret::csrf_of(session),
            _ => String::new(),
        }
    }

    /// The name of a person who signed in.
    pub(super) fn signed_in(&self) -> Option<&str> {
        matches!(self.proof, Proof::Session(_)).then_some(self.name.as_str())
    }
}

/// Finds out who asks. `None`: nobody we know.
pub(super) async fn caller(web: &Web, door: Door, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
    let address = match door {
        Door::Unix { uid, trusted } => {
            let name = format!("uid:{uid}");
            return Ok(trusted.then_some(Caller { name, role: Role::Admin, proof: Proof::Socket, address: None }));
        }
        Door::Tcp { peer, .. } => peer.ip().to_canonical(),
    };
    if let Some(presented) = headers.get(header::AUTHORIZATION) {
        // A credential that does not work is an error even where none is needed: the owner wants to know.
        let presented = presented.to_str().unwrap_or_default();
        return by_token(web, presented.strip_prefix("Bearer ").unwrap_or_default().trim(), address).await;
    }
    if let Some(session) = session_cookie(door, headers) {
        let found = web.context.store.find_web_session(&secret::digest_of(&session), web.now()).await?;
        if let Some(row) = found.filter(|row| !row.link) {
            let proof = Proof::Session(session);
            return Ok(Some(Caller { name: row.name, role: row.role, proof, address: Some(address) }));
        }
    }
    let open = may_look_without_sign_in(&web.context.config.http, door, headers);
    Ok(open.then(|| Caller {
        name: "loopback".into(),
        role: Role::Viewer,
        proof: Proof::Loopback,
        address: Some(address),
    }))
}

async fn by_token(web: &Web, text: &str, address: IpAddr) -> Result<Option<Caller>, Problem> {
    let Some((id, secret)) = secret::split_api_token(text) else { return Ok(None) };
    let row = web.context.store.find_api_token(&secret::digest_of(secret), web.now()).await?;
    Ok(row.filter(|row| row.id == id).map(|row| Caller {
        name: format!("token:{}", row.id),
        role: row.role,
        proof: Proof::Token,
        address: Some(address),
    }))
}

/// Loopback over plain HTTP, unless the configuration asks for sign-in there too. A request that a proxy forwarded is
/// not from this machine, whatever the socket says.
fn may_look_without_sign_in(http: &Http, door: Door, headers: &HeaderMap) -> bool {
    let Door::Tcp { peer, tls: false } = door else { return false };
    let forwarded = ["forwarded", "x-forwarded-for", "x-real-ip", "via"].iter().any(|name| headers.contains_key(*name));
    peer.ip().to_canonical().is_loopback() && !http.require_authentication && !forwarded
}

/// The secret in the session cookie.
pub(super) fn session_cookie(door: Door, headers: &HeaderMap) -> Option<String> {
    let name = cookie_name(door);
    headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok()).find_map(|line| {
        line.split(';')
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    })
}

/// The `Set-Cookie` line for a session; an empty secret with `max_age_s` 0 removes it.
pub(super) fn cookie_line(door: Door, secret: &str, max_age_s: i64) -> String {
    // Plain loopback HTTP leaves Secure out: some browsers would not send the cookie back there.
    let secure = if is_tls(door) { "; Secure" } else { "" };
    format!("{}={secret}; Path=/; Max-Age={max_age_s}; HttpOnly; SameSite=Strict{secure}", cookie_name(door))
}

fn cookie_name(door: Door) -> &'static str {
    if is_tls(door) { COOKIE_TLS } else { COOKIE_PLAIN }
}

fn is_tls(door: Door) -> bool {
    matches!(door, Door::Tcp { tls: true, .. })
}

/// The names under which this door may be asked: guards against DNS rebinding.
#[derive(Debug)]
pub(super) struct HostNames(Vec<String>);

impl HostNames {
    pub(super) fn of(http: &Http) -> Self {
        let mut names: Vec<String> = http.names.iter().map(|name| name.to_ascii_lowercase()).collect();
        names.push("localhost".into());
        if !http.listen.ip().is_unspecified() {
            names.push(http.listen.ip().to_string());
        }
        if let Some(authority) = http.url.split("://").nth(1).and_then(|rest| rest.split('/').next()) {
            names.push(without_port(authority).to_ascii_lowercase());
        }
        Self(names)
    }

    /// Whether a `Host` header (with or without port) names us.
    pub(super) fn accepts(&self, host: &str) -> bool {
        let name = without_port(host).trim_end_matches('.').to_ascii_lowercase();
        name.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback()) || self.0.contains(&name)
    }
}

/// `[::1]:7461` -> `::1`, `name:7461` -> `name`.
fn without_port(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    }
}
