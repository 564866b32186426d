//! A page of metrics as an answer: its end, its type, its coding.

use axum::{
    http::{
        HeaderName, HeaderValue, StatusCode,
        header::{CONTENT_ENCODING, CONTENT_TYPE, VARY},
    },
    response::{IntoResponse, Response},
};

use super::{
    ExpositionContext,
    gzip::Compressors,
    negotiation::{Coding, Wanted},
    refusal,
};
use crate::domain::readings::dictionary::text::Format;

/// Compressing more than this takes milliseconds: it is not done where others wait for their answers.
const INLINE_BYTES: usize = 256 * 1024;
/// Another client may get another answer from the same address.
const VARIES: (HeaderName, &str) = (VARY, "Accept, Accept-Encoding");

/// The type of pages in this format.
pub(super) const fn content_type(format: Format) -> &'static str {
    match format {
        Format::Text => "text/plain; version=0.0.4; charset=utf-8",
        Format::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
    }
}

/// Answers with a page of families, or with the reason why there is none.
pub(super) async fn answer(
    context: &ExpositionContext,
    wanted: Wanted,
    page: Result<Vec<u8>, (StatusCode, String)>,
) -> Response {
    let mut body = match page {
        Ok(families) => families,
        Err((status, reason)) => return ([VARIES], refusal(status, reason)).into_response(),
    };
    body.extend_from_slice(wanted.format.end());
    let headers = [(CONTENT_TYPE, content_type(wanted.format)), VARIES];
    if wanted.coding == Coding::Identity {
        return (headers, body).into_response();
    }
    match compressed(context.compressors.clone(), body).await {
        Some(small) => {
            let mut response = (headers, small).into_response();
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            response
        }
        None => refusal(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be compressed".to_owned()),
    }
}

async fn compressed(compressors: Compressors, body: Vec<u8>) -> Option<Vec<u8>> {
    if body.len() <= INLINE_BYTES {
        return compressors.gzip(&body);
    }
    tokio::task::spawn_blocking(move || compressors.gzip(&body)).await.ok().flatten()
}
