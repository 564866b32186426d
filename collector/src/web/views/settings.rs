//! Settings: who may come in, who is told, and what was changed.

use askama::Template;
use axum::{
    Extension, Form,
    extract::State as Given,
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{Frame, Shown, When, show};
use crate::{
    domain::event::Command,
    web::{
        Shared, Web,
        access::Caller,
        api::{
            api_tokens::{self, NewApiToken},
            people::{self, NewPerson},
            tokens,
        },
        problem::{Problem, settled},
    },
};

/// Lines of the audit log shown.
const AUDIT_LINES: usize = 50;

struct JoinToken {
    id: String,
    kind: &'static str,
    uses_left: u32,
    gives: String,
    made_by: String,
    expires: When,
}

struct ApiToken {
    id: String,
    role: &'static str,
    note: String,
    expires: When,
}

struct Someone {
    name: String,
    role: &'static str,
    enabled: bool,
}

struct AuditLine {
    when: When,
    who: String,
    from: String,
    action: String,
    subject: String,
    detail: String,
}

/// What only admins see.
struct Secrets {
    tokens: Vec<JoinToken>,
    api_tokens: Vec<ApiToken>,
    people: Vec<Someone>,
    audit: Vec<AuditLine>,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    frame: Frame,
    receivers: Vec<String>,
    pager: String,
    secrets: Option<Secrets>,
    /// Shown once.
    new_token: Option<String>,
    done: String,
}

/// The view.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    show(&page(&web, &caller, None, String::new()).await?)
}

async fn page(web: &Web, caller: &Caller, new_token: Option<String>, done: String) -> Result<SettingsPage, Problem> {
    let frame = Frame::new(web, caller, "settings", "Settings");
    let secrets = if frame.may_administer { Some(secrets(web).await?) } else { None };
    let receivers = web.context.config.receivers.iter().map(|receiver| receiver.name.clone()).collect();
    let pager = web.context.config.pager();
    Ok(SettingsPage { frame, receivers, pager, secrets, new_token, done })
}

async fn secrets(web: &Web) -> Result<Secrets, Problem> {
    let now = web.now();
    let when = |at| When::new(at, now, &web.zone);
    let tokens = web.context.identity.tokens(now).await?;
    let api_tokens = web.context.store.api_tokens(now).await?;
    let people = web.context.store.people().await?;
    let audit = web.context.store.audit(AUDIT_LINES).await?;
    Ok(Secrets {
        tokens: tokens
            .into_iter()
            .map(|row| JoinToken {
                kind: row.kind.word(),
                id: row.id,
                uses_left: row.uses_left,
                gives: row.gives,
                made_by: row.made_by,
                expires: when(row.expires),
            })
            .collect(),
        api_tokens: api_tokens
            .into_iter()
            .map(|row| ApiToken { id: row.id, role: row.role.word(), note: row.note, expires: when(row.expires) })
            .collect(),
        people: people
            .into_iter()
            .map(|person| Someone { name: person.name, role: person.role.word(), enabled: person.enabled })
            .collect(),
        audit: audit
            .into_iter()
            .map(|row| AuditLine {
                when: when(row.at),
                who: row.who,
                from: row.from,
                action: row.action,
                subject: row.subject,
                detail: row.detail,
            })
            .collect(),
    })
}

#[derive(Deserialize)]
pub(in crate::web) struct Act {
    action: String,
    #[serde(default)]
    subject: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    password: String,
}

/// Does what a button or form of this view asks.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Act>,
) -> Shown {
    match asked.action.as_str() {
        "revoke-token" => tokens::end(&web, &caller, &asked.subject).await?,
        "revoke-api-token" => api_tokens::end(&web, &caller, &asked.subject).await?,
        "disable-person" => people::forbid(&web, &caller, &asked.subject).await?,
        "add-person" => {
            let person = NewPerson { name: asked.subject.trim().into(), role: asked.role, password: asked.password };
            people::put(&web, &caller, person).await?;
        }
        "create-api-token" => {
            let wanted = NewApiToken { role: asked.role, ttl_seconds: None, note: asked.note.trim().into() };
            let token = api_tokens::make(&web, &caller, wanted).await?;
            return show(&page(&web, &caller, Some(token), String::new()).await?);
        }
        "test" => {
            let command = Command::TestPage { receiver: asked.subject.clone() };
            settled(web.context.mailbox.command(caller.principal(), command).await.map_err(Problem::from)?)?;
            let done = format!("A test page to {} is on its way.", asked.subject);
            return show(&page(&web, &caller, None, done).await?);
        }
        other => return Err(Problem::invalid("action", other, "one of this view's buttons").into()),
    }
    Ok(Redirect::to("/settings").into_response())
}
