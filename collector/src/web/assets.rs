//! The style sheet and the script, inside the program.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

const STYLE: &str = include_str!("../../assets/muster.css");
const SCRIPT: &str = include_str!("../../assets/muster.js");
const ICON: &str = include_str!("../../assets/icon.svg");
/// Long enough for a visit, short enough that an upgrade shows at once (the pages name the version besides).
const CACHE: &str = "public, max-age=600";

pub(super) async fn style() -> Response {
    asset("text/css; charset=utf-8", STYLE)
}

pub(super) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", SCRIPT)
}

pub(super) async fn icon() -> Response {
    asset("image/svg+xml", ICON)
}

fn asset(kind: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, CACHE)], text).into_response()
}
