//! EDGE. The enrolment service: join with a token, renew with a certificate, come back with one that has ended.

use std::sync::{Arc, PoisonError};

use muster_proto::v1;
use tonic::{Code, Request, Response, Status};

use super::{Context, control::ConnectInfo, decode, limits::TooMuch, refusal};
use crate::{
    domain::event::Event,
    identity::{Denied, Enrolment},
};

/// A busy door asks callers to come back after this long, in milliseconds.
const BUSY_MS: i64 = 1_000;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct EnrolmentDoor {
    context: Arc<Context>,
}

impl EnrolmentDoor {
    pub(crate) const fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    fn count(&self, outcome: &'static str) {
        self.context.metrics().enrolment(outcome);
    }

    fn admit(&self, info: &ConnectInfo) -> Result<(), Status> {
        let mut limits = self.context.enrol_limits.lock().unwrap_or_else(PoisonError::into_inner);
        limits.admit(info.address(), self.context.now()).map_err(|too_much: TooMuch| {
            self.count(too_much.word());
            refusal::later(Code::Unavailable, too_much.to_string(), too_much.wait_ms())
        })
    }

    fn place(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Status> {
        self.context.enrolling.try_acquire().map_err(|_| {
            self.count("busy");
            let message = format!("{} enrolments are under way: try again", super::ENROLMENTS_AT_ONCE);
            refusal::later(Code::Unavailable, message, BUSY_MS)
        })
    }

    fn note_token(&self, info: &ConnectInfo, result: &Result<Enrolment, Denied>) {
        let mut limits = self.context.enrol_limits.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(_) => limits.token_worked(info.address()),
            Err(Denied::UnknownToken | Denied::ExpiredToken(_) | Denied::UsedToken) => {
                limits.token_failed(info.address(), self.context.now());
            }
            Err(_) => {}
        }
    }

    fn refused(&self, info: &ConnectInfo, denied: &Denied) -> Status {
        let (word, status) = refusal::denied(denied);
        self.count(word);
        tracing::warn!(network.peer.address = %info.address(), error.type = word, "an enrolment was refused: {denied}");
        status
    }

    fn enrolled(&self, enrolment: Enrolment) -> Response<v1::Enrolled> {
        Response::new(v1::Enrolled {
            certificate_chain: enrolment.chain,
            host_id: enrolment.profile.id.0.as_bytes().to_vec(),
            server_wall_ms: self.context.now().ms(),
            addresses: self.context.rooms.addresses.clone(),
            collector_id: self.context.rooms.identity.collector_id().as_bytes().to_vec(),
            name: enrolment.profile.name,
        })
    }
}

#[tonic::async_trait]
impl v1::enrolment_server::Enrolment for EnrolmentDoor {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::Enrolled>, Status> {
        let info = connect_info(&request)?;
        self.admit(&info)?;
        let _place = self.place()?;
        let facts = decode::enrolment(request.into_inner(), info.address()).map_err(|error| {
            self.count("bad_request");
            refusal::unreadable(&error)
        })?;
        let result = self.context.rooms.identity.enrol(facts, self.context.now()).await;
        self.note_token(&info, &result);
        let enrolment = result.map_err(|denied| self.refused(&info, &denied))?;
        // Told each time: the reply, or this very message, of an earlier try may have been lost on the way.
        let told = self.context.rooms.mailbox.send(Event::Enrolled(Box::new(enrolment.profile.clone()))).await;
        told.map_err(|closed| Status::unavailable(closed.to_string()))?;
        self.count(if enrolment.created { "created" } else { "repeated" });
        let (id, name) = (enrolment.profile.id, &enrolment.profile.name);
        tracing::info!(host.id = %id, host.name = ?name, network.peer.address = %info.address(), "host {name:?} enrolled");
        Ok(self.enrolled(enrolment))
    }

    async fn recover(&self, request: Request<v1::RecoverRequest>) -> Result<Response<v1::Enrolled>, Status> {
        let info = connect_info(&request)?;
        self.admit(&info)?;
        let _place = self.place()?;
        let late = decode::late(request.into_inner()).map_err(|error| {
            self.count("bad_request");
            refusal::unreadable(&error)
        })?;
        let result = self.context.rooms.identity.recover_late(&late, self.context.now()).await;
        let enrolment = result.map_err(|denied| self.refused(&info, &denied))?;
        self.count("recovered");
        let (id, name) = (enrolment.profile.id, &enrolment.profile.name);
        tracing::info!(host.id = %id, host.name = ?name, network.peer.address = %info.address(),
            "host {name:?} was away for longer than its certificate and has a new one");
        Ok(self.enrolled(enrolment))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::Enrolled>, Status> {
        let info = connect_info(&request)?;
        let Some(certificate) = info.certificate.clone() else {
            self.count("no_certificate");
            return Err(Status::unauthenticated("a renewal needs the present client certificate"));
        };
        self.admit(&info)?;
        let _place = self.place()?;
        let csr = request.into_inner().csr;
        if csr.len() > decode::CERTIFICATE_BYTES {
            self.count("bad_request");
            return Err(Status::invalid_argument(format!(
                "csr is {} bytes, the limit is {}",
                csr.len(),
                decode::CERTIFICATE_BYTES
            )));
        }
        let (identity, now) = (&self.context.rooms.identity, self.context.now());
        let (known, _) = identity.known(&certificate, now).await.map_err(|denied| self.refused(&info, &denied))?;
        let enrolment = identity.renew(&known, &csr, now).await.map_err(|denied| self.refused(&info, &denied))?;
        self.count("renewed");
        Ok(self.enrolled(enrolment))
    }
}

/// What is known of the connection under a request.
pub(crate) fn connect_info<T>(request: &Request<T>) -> Result<ConnectInfo, Status> {
    let info = request.extensions().get::<ConnectInfo>().cloned();
    info.ok_or_else(|| Status::internal("a request without its connection"))
}
