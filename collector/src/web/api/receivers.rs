//! Receivers as configured, and test pages to them.

use axum::{
    Extension,
    extract::{Path, State},
};
use serde_json::json;

use super::{Answered, command, list as page_of};
use crate::{
    domain::event::Command,
    web::{Shared, access::Caller},
};

pub(in crate::web) async fn list(State(web): State<Shared>) -> Answered {
    let items = web.context.config.receivers.iter().map(|receiver| json!({ "name": receiver.name })).collect();
    Ok(page_of(items, None))
}

pub(in crate::web) async fn test(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Path(receiver): Path<String>,
) -> Answered {
    command(&web, &caller, Command::TestPage { receiver }).await
}
