//! Everything in one sealed file, taken while the collector runs.

use std::io::{self, Write};

use axum::{
    Extension,
    body::Body as Stream,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use crate::{
    domain::{backup::check_passphrase, record::Row},
    store::{
        StoreError,
        backup::{Besides, Kind, Last},
    },
    web::{
        Shared,
        access::{Caller, Proof},
        problem::{Body, Problem},
    },
};

/// Pieces that wait for who asked, of some 64 KiB.
const WAITING: usize = 16;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::web) struct NewBackup {
    passphrase: Option<String>,
}

/// Only over the unix socket: what opens it opens the authority's key too.
pub(in crate::web) async fn create(
    State(web): State<Shared>,
    Extension(caller): Extension<Caller>,
    Body(asked): Body<NewBackup>,
) -> Result<Response, Problem> {
    if caller.proof != Proof::Socket {
        let why = "a backup holds the key of the authority and is taken on the collector's own machine only: \
                   muster-collector backup FILE";
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let configured = web.context.config.backup.as_ref().map(|backup| backup.passphrase.expose().to_owned());
    let Some(passphrase) = asked.passphrase.or(configured) else {
        let why =
            "there is nothing to seal the backup with: give --passphrase-file, or set passphrase_file in [backup]";
        return Err(Problem::new(StatusCode::BAD_REQUEST, why));
    };
    check_passphrase(&passphrase).map_err(|expected| Problem::invalid("passphrase", "(hidden)", &expected))?;
    let now = web.now();
    let by = caller.audit(now, "backup.create", "state", String::new());
    web.context.store.commit(vec![Row::Audit(by)]).await?;
    let (configuration, named) = web.context.config.besides();
    let besides = Besides { configuration, named };
    let staged = web.context.store.stage_backup(besides, now).await.map_err(not_taken)?;
    let missing = staged.missing().join("; ");
    let (pieces, taken) = mpsc::channel(WAITING);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let out = Pieces { to: pieces.clone(), bytes: 0 };
        // Noted once who asked has all but the end of the answer.
        let noted = staged.seal(out, &passphrase).and_then(|out| {
            let last = Last { at_ms: now.ms(), took_ms: web.now().since_ms(now), bytes: out.bytes };
            runtime.block_on(web.context.store.note_backup(Kind::Asked, last)).map_err(io::Error::other)
        });
        if let Err(error) = noted {
            tracing::warn!("the backup broke off: {error}");
            // Whoever still waits sees the answer break off.
            let _ = pieces.blocking_send(Err(error));
        }
    });
    let mut response = Response::new(Stream::from_stream(ReceiverStream::new(taken)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    if let Ok(missing) = HeaderValue::from_bytes(missing.as_bytes()) {
        headers.insert("muster-missing", missing);
    }
    Ok(response)
}

/// Gives what is written to whoever takes it.
struct Pieces {
    to: mpsc::Sender<io::Result<Bytes>>,
    bytes: u64,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to
            .blocking_send(Ok(Bytes::copy_from_slice(bytes)))
            .map_err(|_| io::Error::new(io::ErrorKind::BrokenPipe, "nobody takes the backup any more"))?;
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn not_taken(error: StoreError) -> Problem {
    match error {
        StoreError::Busy(_) => {
            Problem::new(StatusCode::CONFLICT, "another backup is being taken: try again when it is done")
        }
        StoreError::Broken(why) => Problem::new(StatusCode::CONFLICT, format!("no backup was taken: {why}")),
        other => other.into(),
    }
}
