//! A copy of everything, taken while the collector runs.

use std::path::Path;

use axum::{Extension, extract::State, http::StatusCode};
use serde::Deserialize;

use super::{Answered, done};
use crate::{
    domain::record::Row,
    store::StoreError,
    web::{
        Shared,
        access::{Caller, Proof},
        problem::{Body, Problem},
    },
};

/// As long as Linux takes (`PATH_MAX`).
const MAX_PATH_BYTES: usize = 4_096;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewBackup {
    directory: String,
}

/// Copies records and authority into a new directory on this machine. Only over the unix socket: the copy holds the
/// authority's key, and the path means nothing elsewhere.
pub(in crate::web) async fn create(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewBackup>,
) -> Answered {
    if caller.proof != Proof::Socket {
        let why = "a backup holds the key of the authority and is taken on the collector's own machine only: \
                   muster-collector backup DIRECTORY";
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let directory = asked.directory;
    if !Path::new(&directory).is_absolute() || directory.len() > MAX_PATH_BYTES {
        return Err(Problem::invalid("directory", &directory, "an absolute path of at most 4096 bytes"));
    }
    let by = caller.audit(web.now(), "backup.create", &directory, String::new());
    web.context.store.commit(vec![Row::Audit(by)]).await?;
    web.context.store.backup(Path::new(&directory)).await.map_err(not_taken)?;
    Ok(done())
}

fn not_taken(error: StoreError) -> Problem {
    match error {
        StoreError::Broken(why) => Problem::new(StatusCode::CONFLICT, format!("no backup was taken: {why}")),
        other => other.into(),
    }
}
