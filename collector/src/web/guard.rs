//! Stands before every route: the right name, the right person, from our own pages, in time, with the right headers.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{Form, FromRequest, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Redirect, Response},
};

use super::{
    MAX_BODY_BYTES, Shared, Web,
    access::{self, Caller, Door, Proof},
    problem::{Problem, is_for_people},
    routes::{self, Need},
    secret,
};

/// Any answer takes far less; this bounds what a stuck store can hold.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
const CONTENT_POLICY: &str =
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'";

/// Admits or refuses, and dresses the answer.
pub(super) async fn guard(State(web): State<Shared>, request: Request, next: Next) -> Response {
    let for_people = is_for_people(request.uri().path());
    let is_asset = request.uri().path().starts_with("/assets/");
    let answer = async {
        match admit(&web, request).await {
            Ok(request) => next.run(request).await,
            Err(refusal) => refusal.into_response(for_people),
        }
    };
    let mut response = tokio::time::timeout(ANSWER_WITHIN, answer).await.unwrap_or_else(|_| {
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no answer within 30 s: try again").into_response()
    });
    dress(response.headers_mut(), is_asset);
    web.context.metrics.requests.with_label_values(&[class_of(response.status())]).inc();
    response
}

fn class_of(status: StatusCode) -> &'static str {
    match status.as_u16() {
        100..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    }
}

fn dress(headers: &mut HeaderMap, is_asset: bool) {
    // A document that carries its own style says so, and allows nothing else.
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(CONTENT_POLICY));
    // Not `no-referrer`: browsers would then send `Origin: null` with our own forms. What has no forms may say so.
    headers.entry(header::REFERRER_POLICY).or_insert(HeaderValue::from_static("same-origin"));
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::X_FRAME_OPTIONS, "DENY");
    if !is_asset {
        set(header::CACHE_CONTROL, "no-store");
    }
}

/// Why somebody was turned away.
enum Refusal {
    Problem(Problem),
    /// People are sent to the sign-in view and back.
    SignIn(String),
}

impl<E: Into<Problem>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl Refusal {
    fn into_response(self, for_people: bool) -> Response {
        match self {
            Self::SignIn(next) => Redirect::to(&super::sign_in::path_with_next(&next)).into_response(),
            Self::Problem(problem) if for_people => problem.into_page(),
            Self::Problem(problem) => problem.into_response(),
        }
    }
}

async fn admit(web: &Web, mut request: Request) -> Result<Request, Refusal> {
    let Some(door) = request.extensions().get::<Door>().copied() else {
        return Err(Problem::new(StatusCode::FORBIDDEN, "this request came through no known door").into());
    };
    if matches!(door, Door::Tcp { .. }) {
        check_host(web, &request)?;
    }
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let need = routes::need(request.method(), matched.as_deref());
    if need == Need::Secret {
        return Ok(request);
    }
    if need == Need::Nothing {
        if changes(request.method()) {
            check_same_origin(request.headers(), door)?;
        }
        return Ok(request);
    }
    let Some(caller) = access::caller(web, door, request.headers()).await? else {
        return Err(unknown_caller(&request, door));
    };
    if !need.allows(caller.role) {
        return Err(too_little(&request, &caller, need));
    }
    if let (true, Proof::Session(session)) = (changes(request.method()), &caller.proof) {
        check_same_origin(request.headers(), door)?;
        request = check_csrf(request, session).await?;
    }
    request.extensions_mut().insert(caller);
    Ok(request)
}

fn check_host(web: &Web, request: &Request) -> Result<(), Problem> {
    let host = host_of(request.headers()).or(request.uri().authority().map(|authority| authority.as_str()));
    if host.is_some_and(|host| web.hosts.accepts(host)) {
        return Ok(());
    }
    let shown = host.unwrap_or("(none)");
    let remedy = "use a loopback address or add the name to `names` under [http] in collector.toml";
    Err(Problem::new(
        StatusCode::MISDIRECTED_REQUEST,
        format!("the name {shown:?} is not one of this collector's: {remedy}"),
    ))
}

fn unknown_caller(request: &Request, door: Door) -> Refusal {
    if let Door::Unix { uid, .. } = door {
        let detail = format!("user id {uid} may not use this socket: only root, its owner and group muster may");
        return Problem::new(StatusCode::FORBIDDEN, detail).into();
    }
    if request.method() == Method::GET && is_for_people(request.uri().path()) {
        return Refusal::SignIn(request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned());
    }
    let remedy = "send `Authorization: Bearer TOKEN` (muster-collector api-token create) or sign in";
    Problem::new(StatusCode::UNAUTHORIZED, format!("nobody known asks, or the credential expired: {remedy}")).into()
}

fn too_little(request: &Request, caller: &Caller, need: Need) -> Refusal {
    if caller.proof == Proof::Loopback {
        if request.method() == Method::GET && is_for_people(request.uri().path()) {
            return Refusal::SignIn(request.uri().path().to_owned());
        }
        let detail =
            format!("this needs the role {}: sign in or send an API token; loopback alone may only look", need.word());
        return Problem::new(StatusCode::UNAUTHORIZED, detail).into();
    }
    let detail = format!("this needs the role {}; {} has {}", need.word(), caller.name, caller.role.word());
    Problem::new(StatusCode::FORBIDDEN, detail).into()
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn host_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::HOST).and_then(|host| host.to_str().ok())
}

/// Changes must come from our own pages: browsers say so in `Sec-Fetch-Site` or `Origin`. Neither: refused.
fn check_same_origin(headers: &HeaderMap, door: Door) -> Result<(), Problem> {
    let Door::Tcp { tls, .. } = door else { return Ok(()) };
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let scheme = if tls { "https" } else { "http" };
    let own = host_of(headers).map(|host| format!("{scheme}://{host}"));
    let origin_fits = text("origin").map(|origin| own.as_deref().is_some_and(|own| origin.eq_ignore_ascii_case(own)));
    let site_fits = text("sec-fetch-site").map(|site| site == "same-origin");
    match (origin_fits, site_fits) {
        (Some(false), _) | (_, Some(false)) | (None, None) => Err(Problem::new(
            StatusCode::FORBIDDEN,
            "changes are taken from this collector's own pages only: open it under its own address and try again",
        )),
        _ => Ok(()),
    }
}

/// The session's CSRF token must be in the header `X-CSRF-Token` or the form field `csrf`.
async fn check_csrf(request: Request, session: &str) -> Result<Request, Problem> {
    if let Some(presented) = request.headers().get("x-csrf-token").and_then(|value| value.to_str().ok()) {
        return if secret::is_csrf_of(session, presented) { Ok(request) } else { Err(csrf_problem()) };
    }
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, MAX_BODY_BYTES)
        .await
        .map_err(|_| Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is larger than 64 KiB"))?;
    let copy = Request::from_parts(parts.clone(), Body::from(bytes.clone()));
    let fields = Form::<Vec<(String, String)>>::from_request(copy, &()).await.map_err(|_| csrf_problem())?;
    let fits = fields.0.iter().any(|(name, value)| name == "csrf" && secret::is_csrf_of(session, value));
    if fits { Ok(Request::from_parts(parts, Body::from(bytes))) } else { Err(csrf_problem()) }
}

fn csrf_problem() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "this form does not belong to your present session: load the page again and repeat what you did",
    )
}
