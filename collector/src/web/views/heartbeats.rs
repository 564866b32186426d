//! Other people's jobs: how each stands, when it is expected next, and the line that goes into its crontab.

use askama::Template;
use axum::{
    Extension, Form,
    extract::State as Given,
    response::{IntoResponse, Redirect},
};
use serde::Deserialize;

use super::{Badge, Frame, Shown, When, show};
use crate::{
    domain::{
        calendar,
        heartbeat::{HeartbeatView, State},
        severity::Severity,
    },
    web::{
        Shared, Web,
        access::Caller,
        api::heartbeats::{renew_secret, signal_words, url_of},
        problem::Problem,
        words,
    },
};

struct Job {
    name: String,
    badge: Badge,
    expected: String,
    grace: String,
    belongs: String,
    last: Option<When>,
    last_signal: String,
    success: Option<When>,
    took: Option<String>,
    due: Option<String>,
    next_run: Option<String>,
    said: String,
    line: Option<String>,
}

#[derive(Template)]
#[template(path = "heartbeats.html")]
struct HeartbeatsPage {
    frame: Frame,
    jobs: Vec<Job>,
}

/// The view.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    let snapshot = web.snapshot();
    let jobs = snapshot.heartbeats.iter().map(|view| job(&web, &caller, view)).collect();
    show(&HeartbeatsPage { frame: Frame::new(&web, &caller, "on-call", "Heartbeats"), jobs })
}

#[derive(Debug, Deserialize)]
pub(in crate::web) struct Asked {
    action: String,
    name: String,
}

/// Gives a job another URL.
pub(in crate::web) async fn act(
    Given(web): Given<Shared>,
    Extension(caller): Extension<Caller>,
    Form(asked): Form<Asked>,
) -> Shown {
    if asked.action != "renew" {
        return Err(Problem::invalid("action", &asked.action, "renew").into());
    }
    renew_secret(&web, &caller, &asked.name).await?;
    Ok(Redirect::to("/heartbeats").into_response())
}

fn job(web: &Web, caller: &Caller, view: &HeartbeatView) -> Job {
    let (job, row) = (&view.heartbeat, view.row.as_ref());
    let when = |at| When::new(at, web.now(), &web.zone);
    // By the clocks that it is expected by.
    let zone = job.expected.zone().and_then(calendar::zone).unwrap_or_else(|| web.zone.clone());
    let mut belongs: Vec<String> = job.host.iter().map(|host| format!("host {host}")).collect();
    belongs.extend(job.site.iter().map(|site| format!("site {site}")));
    belongs.extend(job.labels.iter().map(|(name, value)| format!("{name}={value}")));
    Job {
        name: job.name.clone(),
        badge: badge(view.state, job.severity),
        expected: job.expected.words(),
        grace: words::duration(job.grace_ms),
        belongs: belongs.join(", "),
        last: row.map(|row| when(row.pinged)),
        last_signal: row.map(|row| signal_words(row.signal)).unwrap_or_default(),
        success: row.and_then(|row| row.success).map(when),
        took: row.and_then(|row| row.took_ms).map(words::duration),
        due: row.map(|row| words::clock_time(row.due, &zone)),
        next_run: job.expected.next_run(web.now()).map(|at| words::clock_time(at, &zone)),
        said: row.map(|row| row.said.trim().to_owned()).unwrap_or_default(),
        line: url_of(web, caller, &job.name).map(|url| format!("&& curl -fsS -m 10 --retry 5 {url}")),
    }
}

fn badge(state: State, severity: Severity) -> Badge {
    let (class, sign) = match state {
        State::New => ("quiet", "○"),
        State::Up => ("good", "✓"),
        State::Running => ("good", "▶"),
        State::Late | State::Overrun | State::Failed => {
            let trouble = Badge::severity(severity);
            (trouble.class, trouble.sign)
        }
    };
    let word = match state {
        State::New => "never heard",
        State::Overrun => "runs too long",
        other => other.word(),
    };
    Badge { class, sign, word: word.into() }
}
