//! Does a URL answer as it should? HTTP/1.1, over TLS where the URL says so.

use std::time::Duration;

use http_body_util::{BodyExt as _, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST, LOCATION, USER_AGENT};
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::tls;
use crate::check::url::Url;
use crate::check::{Http, Outcome, Status, spell};
use crate::host::Host;

/// Read of a body, in bytes; what comes after it is not looked at.
const BODY_MAX: usize = 1024 * 1024;
/// `HTTP/1.1` as servers log it.
const AGENT: &str = concat!("muster-agent/", env!("CARGO_PKG_VERSION"));

/// What a server answered.
struct Answer {
    code: u16,
    location: Option<String>,
    body: Vec<u8>,
}

pub(super) async fn run(check: &Http, host: &Host) -> Outcome {
    let begun = Instant::now();
    let mut url = check.url.clone();
    let mut redirected = 0;
    let answer = loop {
        let answer = match ask(&url, check, host).await {
            Ok(answer) => answer,
            Err(error) => return Outcome::new(Status::Critical, format!("{url}: {error}")),
        };
        let Some(location) = answer.location.as_deref().filter(|_| check.redirects > 0) else { break answer };
        if redirected == check.redirects {
            return Outcome::new(Status::Critical, format!("{url}: redirected more than {redirected} times"));
        }
        redirected += 1;
        url = match url.join(location) {
            Some(next) => next,
            None => {
                return Outcome::new(
                    Status::Critical,
                    format!("{url}: redirects to {location:?}, which is no URL of http or https"),
                );
            }
        };
    };
    judge(check, &url, &answer, begun.elapsed())
}

fn judge(check: &Http, url: &Url, answer: &Answer, took: Duration) -> Outcome {
    let right = check.status.iter().any(|(from, to)| (*from..=*to).contains(&answer.code));
    let contains = |text: &str| answer.body.windows(text.len()).any(|part| part == text.as_bytes());
    let latency = check.latency.judge(took);
    let (status, why) = match &check.body_contains {
        _ if !right => (Status::Critical, "which is not the status asked for"),
        Some(text) if !contains(text) => (Status::Critical, "without the text asked for"),
        _ if latency != Status::Ok => (latency, "which is too slow"),
        _ => (Status::Ok, ""),
    };
    let comma = if why.is_empty() { "" } else { ", " };
    let said = format!("{url} answers {} in {}{comma}{why}", answer.code, spell(took));
    Outcome::new(status, said).with("time", took.as_secs_f64(), "s").with("size", answer.body.len() as f64, "B")
}

async fn ask(url: &Url, check: &Http, host: &Host) -> Result<Answer, String> {
    let bare = url.host.trim_matches(['[', ']']);
    let stream = TcpStream::connect((bare, url.port)).await.map_err(|error| error.to_string())?;
    if !url.tls {
        return exchange(url, check, stream).await;
    }
    let config = tls::believing(host, check.ca.as_deref())?;
    let stream = tls::connect(config, bare, stream).await?;
    exchange(url, check, stream).await
}

async fn exchange<S>(url: &Url, check: &Http, stream: S) -> Result<Answer, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let said = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = http1::handshake::<_, Empty<Bytes>>(TokioIo::new(stream)).await.map_err(said)?;
    let request = Request::builder()
        .method(if check.head { Method::HEAD } else { Method::GET })
        .uri(&url.path)
        .header(HOST, url.authority())
        .header(USER_AGENT, AGENT)
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    // The connection has to be driven; when it ends the exchange hears of it by itself.
    let driven = async {
        let _ = connection.await;
        std::future::pending::<()>().await;
    };
    let exchanged = async {
        let response = sender.send_request(request).await.map_err(said)?;
        read(response).await
    };
    tokio::select! {
        answer = exchanged => answer,
        () = driven => Err("the connection ended".to_owned()),
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, String> {
    let code = response.status().as_u16();
    let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.filter(|_| matches!(code, 301 | 302 | 303 | 307 | 308)).map(str::to_owned);
    let (mut incoming, mut body) = (response.into_body(), Vec::new());
    while let Some(frame) = incoming.frame().await {
        let frame = frame.map_err(|error| format!("the body breaks off: {error}"))?;
        let Some(data) = frame.data_ref() else { continue };
        let room = BODY_MAX - body.len();
        body.extend_from_slice(&data[..data.len().min(room)]);
        if body.len() == BODY_MAX {
            break;
        }
    }
    Ok(Answer { code, location, body })
}
