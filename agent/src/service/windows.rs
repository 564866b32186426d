//! What is asked of the service control manager, and where Windows keeps what it starts.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use windows_service::service::{
    Service, ServiceAccess, ServiceAction, ServiceActionType, ServiceErrorControl, ServiceFailureActions,
    ServiceFailureResetPeriod, ServiceInfo, ServiceStartType, ServiceState, ServiceType,
};
use windows_service::service_manager::{ServiceManager, ServiceManagerAccess};

use super::ServiceError;
use crate::host::Host;
use crate::platform::registry;
use crate::platform::service::NAME;

/// Where it is started from.
pub(super) const PROGRAM: &str = r"C:\Program Files\Muster\muster-agent.exe";
/// What to do instead where a package put it there.
pub(super) const UPGRADE: &str = r"Upgrade it as one (msiexec /i muster-agent_VERSION_x64.msi), or run this as C:\Program Files\Muster\muster-agent.exe install";
/// The same of taking it away.
pub(super) const REMOVE: &str = "Remove it as one: Settings, Apps, Muster agent, or msiexec /x with the package (PURGE=1 also removes who it was). It says goodbye to the collector, too";
/// It runs as LocalSystem, which may read what others may not.
pub(super) const USERS: [(&str, &str); 0] = [];
/// The manager keeps what it is told in the registry.
pub(super) const UNITS: [(&str, &str); 0] = [];
/// Who may change the system.
pub(super) const ADMINISTRATOR: &str = "administrator (an elevated prompt, or as SYSTEM)";
/// What people read.
const TITLE: &str = "Muster agent";
const ABOUT: &str = "Reports what this machine is and how it does to a Muster collector.";
/// ERROR_SERVICE_DOES_NOT_EXIST of winerror.h.
const NO_SERVICE: i32 = 1060;
/// ERROR_INVALID_LEVEL of winerror.h.
const NO_SUCH_SETTING: i32 = 124;
/// Restarts after a failure, in seconds; the last one goes on. Counted anew after a day without one.
const RESTARTS_S: [u64; 3] = [5, 30, 60];
const CALM: Duration = Duration::from_secs(86_400);
/// A stop says farewell first; between two looks whether it is over.
const STOP: Duration = Duration::from_secs(40);
const LOOK: Duration = Duration::from_millis(250);

/// The manager is always there.
pub(super) fn able(_: &Host) -> Result<(), ServiceError> {
    Ok(())
}

/// Whether a package put the program where it is.
pub(super) fn packaged(_: &Host) -> bool {
    registry::is_packaged()
}

/// Whether the service is started at boot, or there is none: a package that was removed and is here again.
pub(super) fn is_wanted() -> Result<bool, ServiceError> {
    let Some(service) = find()? else { return Ok(true) };
    let config = service.query_config().map_err(|error| broken("looked at", &error))?;
    Ok(config.start_type == ServiceStartType::AutoStart)
}

/// The services of this machine.
pub(super) struct Services<'a>(
    #[expect(dead_code, reason = "no tool is run: the manager is asked by calls")] pub(super) &'a Host,
);

impl Services<'_> {
    pub(super) fn make_user(&self) -> Result<bool, ServiceError> {
        Ok(false)
    }

    pub(super) fn remove_user(&self) -> Result<bool, ServiceError> {
        Ok(false)
    }

    /// Lets the agent be started at boot, and run now: anew where something `changed`. What had to be done for it.
    pub(super) fn run(&self, changed: bool) -> Result<Vec<&'static str>, ServiceError> {
        let mut did = Vec::new();
        let service = match find()? {
            Some(service) => service,
            None => {
                did.extend(["unit", "enabled"]);
                create()?
            }
        };
        let runs = state(&service)? != ServiceState::Stopped;
        if runs && !changed {
            return Ok(did);
        }
        if runs {
            end(&service)?;
        }
        service.start(&[] as &[&OsStr]).map_err(|error| broken("started", &error))?;
        did.push(if runs { "restarted" } else { "started" });
        Ok(did)
    }

    /// Stops the agent; whether it ran.
    pub(super) fn stop(&self) -> Result<bool, ServiceError> {
        let Some(service) = find()? else { return Ok(false) };
        let runs = state(&service)? != ServiceState::Stopped;
        if runs {
            end(&service)?;
        }
        Ok(runs)
    }

    /// Removes the service; whether there was one.
    pub(super) fn disable(&self) -> Result<bool, ServiceError> {
        let Some(service) = find()? else { return Ok(false) };
        service.delete().map_err(|error| broken("removed", &error))?;
        Ok(true)
    }

    /// There is no helper here.
    pub(super) fn enable_helper(&self) -> Result<bool, ServiceError> {
        Ok(false)
    }

    /// The same.
    pub(super) fn disable_helper(&self) -> Result<bool, ServiceError> {
        Ok(false)
    }

    pub(super) fn forget(&self) -> Result<(), ServiceError> {
        Ok(())
    }
}

fn manager() -> Result<ServiceManager, ServiceError> {
    let access = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    ServiceManager::local_computer(None::<&str>, access).map_err(|error| broken("looked for", &error))
}

fn access() -> ServiceAccess {
    ServiceAccess::QUERY_STATUS
        | ServiceAccess::QUERY_CONFIG
        | ServiceAccess::CHANGE_CONFIG
        | ServiceAccess::START
        | ServiceAccess::STOP
        | ServiceAccess::DELETE
}

fn find() -> Result<Option<Service>, ServiceError> {
    match manager()?.open_service(NAME, access()) {
        Ok(service) => Ok(Some(service)),
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(NO_SERVICE) => Ok(None),
        Err(error) => Err(broken("looked for", &error)),
    }
}

/// Started at boot, after what the machine itself needs, and again when it fails.
fn create() -> Result<Service, ServiceError> {
    let info = ServiceInfo {
        name: NAME.into(),
        display_name: TITLE.into(),
        service_type: ServiceType::OWN_PROCESS,
        start_type: ServiceStartType::AutoStart,
        error_control: ServiceErrorControl::Normal,
        executable_path: PROGRAM.into(),
        launch_arguments: vec![OsString::from("service"), OsString::from("run")],
        dependencies: Vec::new(),
        account_name: None,
        account_password: None,
    };
    let restart =
        |seconds: u64| ServiceAction { action_type: ServiceActionType::Restart, delay: Duration::from_secs(seconds) };
    let failing = ServiceFailureActions {
        reset_period: ServiceFailureResetPeriod::After(CALM),
        reboot_msg: None,
        command: None,
        actions: Some(RESTARTS_S.into_iter().map(restart).collect()),
    };
    let service = manager_of(&info).map_err(|error| broken("made", &error))?;
    let settled = (|| {
        service.set_description(ABOUT)?;
        where_known(service.set_delayed_auto_start(true))?;
        where_known(service.update_failure_actions(failing))?;
        where_known(service.set_failure_actions_on_non_crash_failures(true))
    })();
    if let Err(error) = settled {
        // One that is there is taken for one that is as it should be.
        let _ = service.delete();
        return Err(broken("made", &error));
    }
    Ok(service)
}

/// A setting that this manager has no word for (wine's) stays as it is.
fn where_known(set: Result<(), windows_service::Error>) -> Result<(), windows_service::Error> {
    match set {
        Err(windows_service::Error::Winapi(error)) if error.raw_os_error() == Some(NO_SUCH_SETTING) => Ok(()),
        set => set,
    }
}

fn manager_of(info: &ServiceInfo) -> Result<Service, windows_service::Error> {
    let access_to_manager = ServiceManagerAccess::CONNECT | ServiceManagerAccess::CREATE_SERVICE;
    ServiceManager::local_computer(None::<&str>, access_to_manager)?.create_service(info, access())
}

fn state(service: &Service) -> Result<ServiceState, ServiceError> {
    Ok(service.query_status().map_err(|error| broken("looked at", &error))?.current_state)
}

fn end(service: &Service) -> Result<(), ServiceError> {
    service.stop().map_err(|error| broken("stopped", &error))?;
    for _ in 0..STOP.as_millis() / LOOK.as_millis() {
        if state(service)? == ServiceState::Stopped {
            return Ok(());
        }
        std::thread::sleep(LOOK);
    }
    Err(ServiceError::Tool(format!("the service {NAME} was told to stop and has not within {} s", STOP.as_secs())))
}

fn broken(did: &str, error: &windows_service::Error) -> ServiceError {
    // The crate's own text says which call it was, its cause why.
    let why = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    ServiceError::Tool(format!("the service {NAME} cannot be {did}: {why}"))
}
