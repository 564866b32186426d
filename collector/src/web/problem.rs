//! What is answered when something cannot be done: `application/problem+json` (RFC 9457) for programs, a page for people.

use askama::Template;
use axum::{
    extract::{FromRequest, Request},
    http::{HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::{domain::event::Answer, identity::Denied, mailbox::Closed, store::StoreError};

/// Why a request was not done, for people and programs.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub(super) struct Problem {
    /// HTTP status.
    pub(super) status: StatusCode,
    /// Names the thing, the limit and the remedy.
    pub(super) detail: String,
    /// The field at fault, its value and what was expected.
    pub(super) field: Option<(String, String, String)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), field: None }
    }

    pub(super) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("there is no {what}"))
    }

    pub(super) fn internal(detail: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// A value that cannot be taken: names field, value and expectation.
    pub(super) fn invalid(field: &str, value: &str, expectation: &str) -> Self {
        let shown: String = value.chars().take(80).collect();
        Self {
            status: StatusCode::BAD_REQUEST,
            detail: format!("{field} is {shown:?}, expected {expectation}"),
            field: Some((field.into(), shown, expectation.into())),
        }
    }

    /// This problem as a page for people.
    pub(super) fn into_page(self) -> Response {
        let page = ProblemPage {
            status: self.status.as_u16(),
            title: self.status.canonical_reason().unwrap_or("Problem"),
            detail: &self.detail,
        };
        match page.render() {
            Ok(html) => (self.status, Html(html)).into_response(),
            Err(_) => (self.status, self.detail).into_response(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Problem"),
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let Some((field, value, expectation)) = self.field {
            body["field"] = json!(field);
            body["value"] = json!(value);
            body["expected"] = json!(expectation);
        }
        let mut response = (self.status, body.to_string()).into_response();
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        response.headers_mut().insert(header::LINK, HeaderValue::from_static("</help>; rel=\"help\""));
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"muster\""));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        let status = match error {
            StoreError::Full(_) => StatusCode::INSUFFICIENT_STORAGE,
            StoreError::Busy(_) | StoreError::Fenced => StatusCode::SERVICE_UNAVAILABLE,
            StoreError::Broken(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, format!("this cannot be recorded or read now: {error}"))
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Store(error) => error.into(),
            Denied::BadRequest(why) => Self::new(StatusCode::BAD_REQUEST, why),
            other => Self::new(StatusCode::CONFLICT, other.to_string()),
        }
    }
}

impl From<Closed> for Problem {
    fn from(closed: Closed) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, closed.to_string())
    }
}

/// What the engine answered, as success or problem.
pub(super) fn settled(answer: Answer) -> Result<(), Problem> {
    match answer {
        Answer::Done | Answer::Made(_) | Answer::Alerts(_) => Ok(()),
        Answer::NotFound(what) => Err(Problem::new(StatusCode::NOT_FOUND, what)),
        Answer::Refused(why) => Err(Problem::new(StatusCode::CONFLICT, why)),
    }
}

/// A JSON body; refused with a problem that names the field. An empty body is an empty object.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes = axum::body::Bytes::from_request(request, state).await.map_err(|refused| {
            let detail = format!("the body cannot be read (64 KiB at most): {}", refused.body_text());
            Problem::new(refused.status(), detail)
        })?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        serde_json::from_slice(text).map(Self).map_err(|error| {
            Problem::new(StatusCode::BAD_REQUEST, format!("the JSON body is not what is expected: {error}"))
        })
    }
}

/// A view's outcome: problems become pages.
pub(super) struct PageProblem(pub(super) Problem);

impl<E: Into<Problem>> From<E> for PageProblem {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageProblem {
    fn into_response(self) -> Response {
        self.0.into_page()
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    status: u16,
    title: &'a str,
    detail: &'a str,
}

/// Whether people look at this path (a page) rather than programs.
pub(super) fn is_for_people(path: &str) -> bool {
    !(path.starts_with("/api/")
        || path.starts_with("/ping/")
        || path.starts_with("/-/")
        || path.starts_with("/prometheus/")
        || path.starts_with("/assets/")
        || path.ends_with("/metrics"))
}

/// Answers what no route answers.
pub(super) async fn no_such_page(uri: Uri) -> Response {
    let problem = Problem::not_found(&format!("{} here", uri.path()));
    if is_for_people(uri.path()) { problem.into_page() } else { problem.into_response() }
}
