//! `/ping/...`: other people's jobs say that they start, have run or failed, as healthchecks.io takes it. The secret in the
//! path is the credential; it is in no log and no answer.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{PoisonError, RwLockReadGuard},
};

use axum::{
    body::Body,
    extract::{Path, Request, State},
    http::StatusCode,
};
use tokio_stream::StreamExt;

use super::{Shared, Web, access::Door, problem::Problem};
use crate::domain::{
    event::{Answer, Command, Principal},
    heartbeat::{Ping, SAID_BYTES, Signal, secrets::PingSecrets},
};

/// More of a body is not read: the word counts all the same.
const READ_BYTES: usize = 1 << 20;
/// Words per minute that are taken for one heartbeat from one address, and from one address altogether.
pub(super) const PER_MINUTE: (u32, u32) = (60, 600);
const SIGNALS: &str = "start, fail or an exit status from 0 to 255";

/// A run has ended well.
pub(super) async fn success(
    State(web): State<Shared>,
    Path(secret): Path<String>,
    request: Request,
) -> Result<&'static str, Problem> {
    take(&web, &secret, Signal::Success, request).await
}

/// A run begins, fails or has ended with this exit status.
pub(super) async fn signal(
    State(web): State<Shared>,
    Path((secret, signal)): Path<(String, String)>,
    request: Request,
) -> Result<&'static str, Problem> {
    let signal = match signal.as_str() {
        "start" => Signal::Start,
        "fail" => Signal::Fail(None),
        "0" => Signal::Success,
        status => match status.parse() {
            Ok(status) => Signal::Fail(Some(status)),
            Err(_) => return Err(Problem::invalid("signal", status, SIGNALS)),
        },
    };
    take(&web, &secret, signal, request).await
}

async fn take(web: &Web, secret: &str, signal: Signal, request: Request) -> Result<&'static str, Problem> {
    let address = match request.extensions().get::<Door>() {
        Some(Door::Tcp { peer, .. }) => peer.ip().to_canonical(),
        Some(Door::Unix { .. }) | None => IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let name = secrets(web).name_of(secret).map(str::to_owned);
    if !web.pings.try_once(address, name.as_deref().unwrap_or_default(), web.now()) {
        let detail = format!("too many: at most {} a minute are taken for one heartbeat", PER_MINUTE.0);
        return Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, detail));
    }
    let Some(name) = name else {
        return Err(Problem::not_found("heartbeat with this URL: it may be gone from collector.toml"));
    };
    let said = end_of(request.into_body()).await;
    let by = Principal { name: format!("heartbeat:{name}"), via: "ping".into(), address: Some(address) };
    let answer = web.context.mailbox.command(by, Command::Ping(Box::new(Ping { name, signal, said }))).await?;
    match answer {
        Answer::Done | Answer::Made(_) | Answer::Alerts(_) => Ok("OK\n"),
        Answer::NotFound(what) => Err(Problem::not_found(&what)),
        Answer::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}

/// What leads to which heartbeat now.
pub(super) fn secrets(web: &Web) -> RwLockReadGuard<'_, PingSecrets> {
    web.context.pings.read().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a body as text. A body that breaks off is taken as far as it came.
async fn end_of(body: Body) -> String {
    let (mut stream, mut kept, mut read) = (body.into_data_stream(), Vec::new(), 0);
    while let Some(Ok(chunk)) = stream.next().await {
        read += chunk.len();
        kept.extend_from_slice(&chunk);
        let over = kept.len().saturating_sub(SAID_BYTES);
        kept.drain(..over);
        if read > READ_BYTES {
            break;
        }
    }
    let mut text = String::from_utf8_lossy(&kept).into_owned();
    let mut from = text.len().saturating_sub(SAID_BYTES);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    text.split_off(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn of_a_long_body_the_end_is_kept() {
        let body = format!("{}no space left", "é".repeat(10_000));
        let said = end_of(Body::from(body)).await;
        assert!(said.ends_with("no space left") && said.len() <= SAID_BYTES, "{}", said.len());
        assert_eq!(end_of(Body::empty()).await, "");
        assert!(end_of(Body::from(vec![0xff; SAID_BYTES * 2])).await.len() <= SAID_BYTES);
    }
}
