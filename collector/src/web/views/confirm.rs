//! The link in a test page: shows one big button, by which its person says that the page came. Opening it says nothing.

use askama::Template;
use axum::{
    Extension,
    extract::{Path, State as Given},
    http::StatusCode,
};

use super::{Shown, act::by_link, show};
use crate::{
    domain::{event::Command, oncall::test_page::TestPageRow},
    links::Link,
    web::{
        Shared, Web,
        access::Door,
        problem::{Problem, settled},
    },
};

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    link: String,
    who: String,
    through: Option<String>,
    /// A newer test was sent.
    is_old: bool,
}

fn opened(web: &Web, text: &str) -> Result<(Link, TestPageRow), Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "this link is not one of this collector's");
    let link = web.context.links.read_confirming(text).ok_or_else(none)?;
    if web.now() >= link.ends {
        return Err(Problem::new(StatusCode::GONE, format!("this test was to be confirmed until {}", link.ends)));
    }
    let row = web.snapshot().test_pages.iter().find(|row| row.person == link.who).cloned();
    Ok((link, row.ok_or_else(none)?))
}

fn page(text: String, link: Link, row: &TestPageRow) -> ConfirmPage {
    let is_old = !row.pages.iter().any(|(page, _)| *page == link.page);
    let through = row.is_confirmed.then(|| row.through.clone());
    ConfirmPage { link: text, who: link.who, through, is_old }
}

/// Shows it; says nothing.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Path(text): Path<String>) -> Shown {
    let (link, row) = opened(&web, &text)?;
    show(&page(text, link, &row))
}

/// It came.
pub(in crate::web) async fn take(
    Given(web): Given<Shared>,
    Extension(door): Extension<Door>,
    Path(text): Path<String>,
) -> Shown {
    let (link, _) = opened(&web, &text)?;
    let by = by_link(&link, door);
    settled(web.context.mailbox.command(by, Command::ConfirmTest(link.page)).await.map_err(Problem::from)?)?;
    let (link, row) = opened(&web, &text)?;
    show(&page(text, link, &row))
}
