//! Run by the service control manager.

use std::ffi::OsString;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use windows_service::service::{
    ServiceControl, ServiceControlAccept, ServiceExitCode, ServiceState, ServiceStatus, ServiceType,
};
use windows_service::service_control_handler::{self, ServiceControlHandlerResult, ServiceStatusHandle};
use windows_service::{define_windows_service, service_dispatcher};

use super::{Stop, stop};

/// The service's name.
pub(crate) const NAME: &str = "muster-agent";
/// To start, and to say farewell: what the manager waits without another word.
const PATIENCE: Duration = Duration::from_secs(30);
/// ERROR_SERVICE_SPECIFIC_ERROR's own number: the agent's log says why.
const FAILED: u32 = 1;

/// Runs until it is asked to stop; whether it ended well.
type Body = Box<dyn FnOnce() -> bool + Send>;

static BODY: Mutex<Option<Body>> = Mutex::new(None);
static HANDLE: OnceLock<ServiceStatusHandle> = OnceLock::new();

define_windows_service!(service_main, serve);

/// Runs `body` as the service that the manager has just started; returns when it has ended.
///
/// # Errors
/// When no service manager started this process.
pub(crate) fn run(body: Body) -> Result<(), windows_service::Error> {
    *BODY.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
    service_dispatcher::start(NAME, service_main)
}

fn serve(_: Vec<OsString>) {
    let Ok(handle) = service_control_handler::register(NAME, heard) else { return };
    let _ = HANDLE.set(handle);
    say(ServiceState::StartPending, ServiceExitCode::NO_ERROR);
    let body = BODY.lock().unwrap_or_else(PoisonError::into_inner).take();
    let fine = body.is_some_and(|body| body());
    say(ServiceState::Stopped, if fine { ServiceExitCode::NO_ERROR } else { ServiceExitCode::ServiceSpecific(FAILED) });
}

fn heard(control: ServiceControl) -> ServiceControlHandlerResult {
    match control {
        ServiceControl::Interrogate => {}
        ServiceControl::Stop => stop(Stop::Agent),
        ServiceControl::Shutdown | ServiceControl::Preshutdown => stop(Stop::Machine),
        _ => return ServiceControlHandlerResult::NotImplemented,
    }
    ServiceControlHandlerResult::NoError
}

/// The agent runs.
pub(super) fn runs() {
    say(ServiceState::Running, ServiceExitCode::NO_ERROR);
}

/// It ends in good order.
pub(super) fn stops() {
    say(ServiceState::StopPending, ServiceExitCode::NO_ERROR);
}

fn say(state: ServiceState, exit_code: ServiceExitCode) {
    let Some(handle) = HANDLE.get() else { return };
    let running = state == ServiceState::Running;
    let waits = matches!(state, ServiceState::StartPending | ServiceState::StopPending);
    let _ = handle.set_service_status(ServiceStatus {
        service_type: ServiceType::OWN_PROCESS,
        current_state: state,
        controls_accepted: if running {
            ServiceControlAccept::STOP | ServiceControlAccept::SHUTDOWN
        } else {
            ServiceControlAccept::empty()
        },
        exit_code,
        checkpoint: u32::from(waits),
        wait_hint: if waits { PATIENCE } else { Duration::ZERO },
        process_id: None,
    });
}
