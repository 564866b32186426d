//! Add machines: a token made here, and the exact commands for the new machine.

use askama::Template;
use axum::{Extension, Form, extract::State as Given};
use serde::Deserialize;

use super::{Frame, Shown, show};
use crate::web::{
    Shared, Web,
    access::Caller,
    api::tokens::{NewToken, make},
    problem::Problem,
};

#[derive(Template)]
#[template(path = "add.html")]
struct AddPage {
    frame: Frame,
    /// Shown once.
    token: Option<String>,
    is_batch: bool,
    collectors: String,
}

fn page(web: &Web, caller: &Caller, token: Option<String>, is_batch: bool) -> AddPage {
    AddPage {
        frame: Frame::new(web, caller, "add", "Add machines"),
        token,
        is_batch,
        collectors: web.context.config.grpc.addresses.join(" --collector "),
    }
}

/// The view with its form.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    show(&page(&web, &caller, None, false))
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Wanted {
    kind: String,
    #[serde(default)]
    uses: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    site: String,
}

/// Makes the token and shows it once.
pub(in crate::web) async fn create(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(wanted): Form<Wanted>,
) -> Shown {
    let is_batch = wanted.kind == "batch";
    let uses = match wanted.uses.trim() {
        text if is_batch && !text.is_empty() => {
            Some(text.parse().map_err(|_| Problem::invalid("uses", text, "1 to 500"))?)
        }
        _ => None,
    };
    let asked = NewToken {
        kind: wanted.kind,
        uses,
        class: Some(wanted.class).filter(|class| !class.is_empty()),
        site: Some(wanted.site.trim().to_owned()),
        ..NewToken::default()
    };
    let token = make(&web, &caller, asked).await?;
    show(&page(&web, &caller, Some(token), is_batch))
}
