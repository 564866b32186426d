//! EDGE. HTTP/2 on one agent's connection, with small windows and little patience for strangers.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use muster_proto::v1::{
    enrolment_server::EnrolmentServer, maintenance_server::MaintenanceServer, uplink_server::UplinkServer,
};
use tokio::{
    sync::watch,
    time::{Sleep, sleep, timeout},
};
use tonic::{Code, Status, body::Body, codec::CompressionEncoding, codegen::Service as _};

use super::{
    Context,
    control::{ConnectInfo, Wire},
    enrolment::EnrolmentDoor,
    exchange::{Answering, Exchange},
    maintenance::MaintenanceDoor,
    refusal,
    session::UplinkDoor,
};

/// A decoded message of a session, in bytes.
pub const SESSION_BYTES: usize = 4 * 1024 * 1024;
/// A decoded request to enrol, in bytes.
pub const ENROL_BYTES: usize = 512 * 1024;
/// A decoded request to renew, in bytes.
pub const RENEW_BYTES: usize = 64 * 1024;
/// A decoded word about maintenance, in bytes.
const MAINTENANCE_BYTES: usize = 8 * 1024;
/// HTTP/2 headers of one request, in bytes.
const HEADER_BYTES: u32 = 8 * 1024;
/// Requests at once on one connection: a session and a renewal, and the same while moving.
const STREAMS: u32 = 4;
/// Streams that were reset before they were accepted (CVE-2023-44487).
const RESETS: usize = 20;
/// Receive windows: a report is under 1 KiB, a dictionary part 2 KiB.
const WINDOW_BYTES: u32 = 64 * 1024;
/// HTTP/2's smallest allowed maximum (RFC 9113, 6.5.2).
const FRAME_BYTES: u32 = 16 * 1024;
/// What may wait to be sent on one stream; we send little.
const SEND_BYTES: usize = 16 * 1024;
/// The first request must arrive within this.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Without a session open by then, a connection has done what it came for.
const WITHOUT_SESSION: Duration = Duration::from_secs(50);
/// One enrolment, from its first byte to its answer.
const ENROLMENT: Duration = Duration::from_secs(30);
/// How long an orderly end may take.
const LEAVING: Duration = Duration::from_secs(5);

/// The services behind the door.
#[derive(Clone)]
pub(crate) struct Services {
    context: Arc<Context>,
    uplink: UplinkServer<UplinkDoor>,
    enrol: EnrolmentServer<EnrolmentDoor>,
    renew: EnrolmentServer<EnrolmentDoor>,
    maintenance: MaintenanceServer<MaintenanceDoor>,
}

impl Services {
    pub(crate) fn new(context: &Arc<Context>) -> Self {
        let uplink = UplinkServer::new(UplinkDoor::new(context.clone()));
        let enrolment = EnrolmentServer::new(EnrolmentDoor::new(context.clone()));
        Self {
            context: context.clone(),
            maintenance: MaintenanceServer::new(MaintenanceDoor::new(context.clone()))
                .max_decoding_message_size(MAINTENANCE_BYTES),
            uplink: uplink.accept_compressed(CompressionEncoding::Gzip).max_decoding_message_size(SESSION_BYTES),
            enrol: enrolment
                .clone()
                .accept_compressed(CompressionEncoding::Gzip)
                .max_decoding_message_size(ENROL_BYTES),
            renew: enrolment.accept_compressed(CompressionEncoding::Gzip).max_decoding_message_size(RENEW_BYTES),
        }
    }

    fn route(&self, request: http::Request<Body>) -> Answering {
        match request.uri().path() {
            "/muster.v1.Uplink/Session" => self.uplink.clone().call(request),
            "/muster.v1.Enrolment/Renew" => self.enrolment(self.renew.clone(), request),
            path if path.starts_with("/muster.v1.Maintenance/") => self.maintenance.clone().call(request),
            path if path.starts_with("/muster.v1.Enrolment/") => self.enrolment(self.enrol.clone(), request),
            _ => {
                self.context.metrics().refuse("unknown_method");
                let answer = Status::unimplemented("this collector knows muster.v1.Enrolment and muster.v1.Uplink");
                Box::pin(async move { Ok(answer.into_http()) })
            }
        }
    }

    fn enrolment(&self, mut service: EnrolmentServer<EnrolmentDoor>, request: http::Request<Body>) -> Answering {
        let context = self.context.clone();
        Box::pin(async move {
            let Ok(answer) = tokio::time::timeout(ENROLMENT, service.call(request)).await else {
                context.metrics().enrolment("timed_out");
                return Ok(Status::deadline_exceeded("an enrolment must be complete within 30 s").into_http());
            };
            if let Ok(response) = &answer
                && Status::from_header_map(response.headers()).is_some_and(|status| refusal::is_size(&status))
            {
                context.metrics().refuse("message_too_large");
            }
            answer
        })
    }
}

/// Speaks HTTP/2 with a peer, if it does.
pub(crate) async fn greet(wire: Wire) -> Option<Box<Exchange>> {
    timeout(FIRST_REQUEST, Exchange::begin(wire, &http2())).await.ok()?.ok()
}

/// Serves one connection until it ends, is asked to end, or does nothing.
pub(crate) async fn serve(
    mut exchange: Box<Exchange>,
    info: ConnectInfo,
    services: Services,
    mut stopping: watch::Receiver<bool>,
) {
    let control = info.control.clone();
    let mut answer = |mut request: http::Request<Body>| {
        info.control.requests.fetch_add(1, Ordering::Relaxed);
        request.extensions_mut().insert(info.clone());
        services.route(request)
    };
    let mut patience = Some(Box::pin(sleep(FIRST_REQUEST)));
    let (mut first, mut leaving) = (true, false);
    loop {
        let leave = tokio::select! {
            ended = poll_fn(|cx| exchange.poll(cx, &mut answer)) => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection of an agent ended");
                }
                // What does not notice in time is cut.
                let _ = timeout(LEAVING, exchange.end()).await;
                return;
            }
            () = control.closed() => true,
            _ = stopping.changed(), if !leaving => true,
            () = elapsed(&mut patience) => {
                let busy = control.sessions.load(Ordering::Relaxed) > 0;
                let asked = control.requests.load(Ordering::Relaxed) > 0;
                match (leaving, std::mem::take(&mut first)) {
                    (true, _) => return,
                    (false, true) if asked => {
                        patience = Some(Box::pin(sleep(WITHOUT_SESSION)));
                        false
                    }
                    (false, _) => !busy,
                }
            }
        };
        if leave && !leaving {
            leaving = true;
            exchange.leave();
            patience = Some(Box::pin(sleep(LEAVING)));
        }
    }
}

fn http2() -> h2::server::Builder {
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(HEADER_BYTES)
        .max_pending_accept_reset_streams(RESETS)
        .max_local_error_reset_streams(Some(RESETS))
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_frame_size(FRAME_BYTES)
        .max_send_buffer_size(SEND_BYTES);
    builder
}

/// Waits for a timer and forgets it; without one, for ever.
async fn elapsed(timer: &mut Option<Pin<Box<Sleep>>>) {
    match timer {
        Some(sleep) => {
            sleep.as_mut().await;
            *timer = None;
        }
        None => std::future::pending().await,
    }
}

/// The code for a connection that may do nothing more.
#[must_use]
pub(crate) fn size_refusal(limit: usize) -> Status {
    Status::new(Code::ResourceExhausted, format!("a message is larger than {limit} bytes: send less at once"))
}
