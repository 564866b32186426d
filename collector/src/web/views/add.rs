//! Add machines: a token made here, and the exact commands for the new machine.

use askama::Template;
use axum::{
    Extension, Form,
    extract::State as Given,
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{Frame, Shown, When, show};
use crate::{
    domain::{event::Command, labels::Admission},
    web::{
        Shared, Web,
        access::Caller,
        api::{
            hosts,
            tokens::{NewToken, make},
        },
        problem::{Problem, settled},
        roll_out::Came,
    },
};

/// Rows of each list of the roll-out; the API has all.
const ROWS: usize = 100;

#[derive(Template)]
#[template(path = "add.html")]
struct AddPage {
    frame: Frame,
    /// Shown once.
    token: Option<String>,
    kind: String,
    collectors: String,
    /// For those who may make tokens.
    roll_out: Option<RollOut>,
}

/// How the roll-out goes.
struct RollOut {
    invited: Vec<Invited>,
    waiting: Vec<Machine>,
    unheard: Vec<Machine>,
    refused: Vec<Refused>,
    left_out: usize,
}

struct Invited {
    id: String,
    kind: &'static str,
    enrolled: usize,
    uses_left: u32,
    gives: String,
    made_by: String,
    expires: When,
}

struct Machine {
    id: String,
    name: String,
    site: String,
    os: String,
    since: Option<When>,
}

struct Refused {
    at: When,
    from: String,
    name: String,
    token: String,
    why: String,
    times: u32,
}

async fn page(web: &Web, caller: &Caller, token: Option<String>, kind: String) -> Result<AddPage, Problem> {
    let frame = Frame::new(web, caller, "add", "Add machines");
    let roll_out = if frame.may_administer { Some(roll_out(web).await?) } else { None };
    Ok(AddPage { frame, token, kind, collectors: web.context.config.grpc.addresses.join(" --collector "), roll_out })
}

async fn roll_out(web: &Web) -> Result<RollOut, Problem> {
    let all = web.roll_out().await?;
    let now = web.now();
    let when = |at| When::new(at, now, &web.zone);
    let machines = |these: &[Came]| {
        let one = |one: &Came| Machine {
            id: one.host.profile.id.to_string(),
            name: one.host.profile.name.clone(),
            site: one.host.profile.site.clone().unwrap_or_default(),
            os: one.host.profile.facts.os.clone(),
            since: one.at.map(when),
        };
        these.iter().take(ROWS).map(one).collect()
    };
    let counts = [all.waiting.len(), all.unheard.len(), all.refused.len()];
    let refused = all.refused.into_iter().take(ROWS).map(|one| Refused {
        at: when(one.at),
        from: one.from.to_canonical().to_string(),
        name: one.name,
        token: one.token,
        why: one.why,
        times: one.times,
    });
    Ok(RollOut {
        waiting: machines(&all.waiting),
        unheard: machines(&all.unheard),
        refused: refused.collect(),
        left_out: counts.iter().map(|count| count.saturating_sub(ROWS)).sum(),
        invited: all
            .invited
            .into_iter()
            .map(|one| Invited {
                kind: one.token.kind.word(),
                enrolled: one.enrolled,
                uses_left: one.token.uses_left,
                expires: when(one.token.expires),
                gives: one.token.gives,
                made_by: one.token.made_by,
                id: one.token.id,
            })
            .collect(),
    })
}

/// The view with its form.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    show(&page(&web, &caller, None, String::new()).await?)
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
    let is_for_many = ["batch", "image"].contains(&wanted.kind.as_str());
    let uses = match wanted.uses.trim() {
        text if is_for_many && !text.is_empty() => {
            Some(text.parse().map_err(|_| Problem::invalid("uses", text, "1 to 500"))?)
        }
        _ => None,
    };
    let kind = wanted.kind.clone();
    let asked = NewToken {
        kind: wanted.kind,
        uses,
        class: Some(wanted.class).filter(|class| !class.is_empty()),
        site: Some(wanted.site.trim().to_owned()),
        ..NewToken::default()
    };
    let token = make(&web, &caller, asked).await?;
    show(&page(&web, &caller, Some(token), kind).await?)
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Decision {
    host: String,
    /// `activate` or `revoke`.
    action: String,
}

/// Lets a machine in that waits, or sends it away for good.
pub(in crate::web) async fn decide(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(decision): Form<Decision>,
) -> Shown {
    let admission = match decision.action.as_str() {
        "activate" => Admission::Active,
        "revoke" => Admission::Revoked,
        other => return Err(Problem::invalid("action", other, "activate or revoke").into()),
    };
    let host = hosts::find(&web.snapshot(), &decision.host)?.profile.id;
    let command = Command::Admit { host, admission };
    settled(web.context.mailbox.command(caller.principal(), command).await.map_err(Problem::from)?)?;
    Ok(Redirect::to("/add").into_response())
}
