//! EDGE. The maintenance service: a machine begins and ends a window over itself. The host is who its certificate says.

use std::sync::Arc;

use muster_proto::v1;
use tonic::{Request, Response, Status};

use super::{Context, control::ConnectInfo, decode, enrolment::connect_info, refusal};
use crate::{
    domain::{
        event::{Answer, Command, Principal},
        hold::own::OwnWindow,
        labels::Profile,
    },
    identity::Known,
};

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct MaintenanceDoor {
    context: Arc<Context>,
}

impl MaintenanceDoor {
    pub(crate) const fn new(context: Arc<Context>) -> Self {
        Self { context }
    }

    /// Which host asks.
    async fn host(&self, info: &ConnectInfo) -> Result<(Known, Profile), Status> {
        let Some(certificate) = info.certificate.clone() else {
            return Err(Status::unauthenticated("maintenance is begun with the host's own certificate"));
        };
        let known = self.context.rooms.identity.known(&certificate, self.context.now()).await;
        known.map_err(|denied| refusal::denied(&denied).1)
    }

    async fn command(&self, info: &ConnectInfo, profile: &Profile, command: Command) -> Result<Answer, Status> {
        let name = format!("host {} itself", profile.name);
        let by = Principal { name, via: "agent".into(), address: Some(info.address()) };
        let answer = self.context.rooms.mailbox.command(by, command).await;
        match answer.map_err(|closed| Status::unavailable(closed.to_string()))? {
            Answer::Refused(why) => Err(Status::failed_precondition(why)),
            Answer::NotFound(what) => Err(Status::not_found(format!("there is no {what}"))),
            done => Ok(done),
        }
    }
}

#[tonic::async_trait]
impl v1::maintenance_server::Maintenance for MaintenanceDoor {
    async fn begin(&self, request: Request<v1::BeginMaintenance>) -> Result<Response<v1::MaintenanceBegun>, Status> {
        let info = connect_info(&request)?;
        let (known, profile) = self.host(&info).await?;
        let asked = decode::own_maintenance(request.into_inner()).map_err(|error| refusal::unreadable(&error))?;
        let most_ms = self.context.rooms.own_maintenance_ms;
        let until = self.context.now().plus_ms(asked.lasts_ms).to_string();
        let window = OwnWindow { host: known.no, most_ms, ..asked };
        let answer = self.command(&info, &profile, Command::BeginOwn(window)).await?;
        let number = if let Answer::Made(number) = answer { number } else { 0 };
        tracing::info!(host.id = %known.id, host.name = ?profile.name, "host {:?} began maintenance {number} of itself", profile.name);
        Ok(Response::new(v1::MaintenanceBegun { number, until }))
    }

    async fn end(&self, request: Request<v1::EndMaintenance>) -> Result<Response<v1::MaintenanceEnded>, Status> {
        let info = connect_info(&request)?;
        let (known, profile) = self.host(&info).await?;
        self.command(&info, &profile, Command::EndOwn(known.no)).await?;
        Ok(Response::new(v1::MaintenanceEnded {}))
    }
}
