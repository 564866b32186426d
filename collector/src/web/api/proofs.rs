//! What can be asked of reports that were issued: whether they are what the records say, what has changed since, what would
//! have been otherwise; and how the agreements read.

use axum::{
    Json,
    extract::{Path, State},
};
use serde_json::{Value, json};

use super::{Answered, agreements::extend, list as page_of};
use crate::{
    domain::sla::verification::{Difference, Trouble},
    store::agreements::AgreementVersion,
    web::{
        Shared,
        issued::Verification,
        problem::{Body, Problem},
        what_if::WhatIf,
    },
};

/// Largest report that is looked at, in bytes: some ten thousand subjects.
pub(in crate::web) const REPORT_BYTES: usize = 32 << 20;

/// What was declared under a name, and since when; one that was withdrawn has its versions still.
pub(in crate::web) async fn versions(State(web): State<Shared>, Path(name): Path<String>) -> Answered {
    let versions = web.context.store.agreement_versions(name.clone()).await?;
    if versions.is_empty() {
        return Err(Problem::not_found(&format!("agreement {name:?}, now or before")));
    }
    let item = |version: &AgreementVersion| {
        json!({
            "version": version.version, "since": version.at.to_string(), "withdrawn": version.definition.is_empty(),
            "definition": version.definition,
        })
    };
    Ok(page_of(versions.iter().map(item).collect(), None))
}

/// Whether a report that somebody shows is what the records say.
pub(in crate::web) async fn verify(State(web): State<Shared>, Body(shown): Body<Value>) -> Answered {
    let Verification { trouble, notes } = web.verify(&shown).await?;
    let mut answer = json!({ "outcome": "verified", "notes": notes });
    match trouble {
        None => {}
        Some(Trouble::Cannot(why)) => extend(&mut answer, json!({ "outcome": "cannot", "why": why })),
        Some(Trouble::Differs(Difference { path, stated, recomputed })) => {
            extend(
                &mut answer,
                json!({ "outcome": "differs", "path": path, "stated": stated, "recomputed": recomputed }),
            );
        }
    }
    Ok(Json(answer))
}

/// A report that was issued beside what would be issued now.
pub(in crate::web) async fn compare(State(web): State<Shared>, Body(shown): Body<Value>) -> Answered {
    Ok(Json(web.compare(&shown).await?))
}

/// What came of an agreement, and what would have come of another.
pub(in crate::web) async fn what_if(
    State(web): State<Shared>,
    Path(name): Path<String>,
    Body(asked): Body<WhatIf>,
) -> Answered {
    Ok(Json(web.what_if(&name, &asked).await?))
}
