//! All rules of hardware: what an open finding means, what it is judged by, where the limit comes from.

use askama::Template;
use axum::{Extension, extract::State as Given};

use super::super::{Frame, Shown, show};
use crate::{
    domain::rules::hardware::catalogue::{Rule, all},
    web::{Shared, access::Caller},
};

#[derive(Template)]
#[template(path = "hardware_rules.html")]
struct RulesPage {
    frame: Frame,
    rules: &'static [&'static Rule],
}

/// The view.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    show(&RulesPage { frame: Frame::new(&web, &caller, "hardware", "Rules of hardware"), rules: all() })
}
