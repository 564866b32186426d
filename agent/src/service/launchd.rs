//! What is asked of launchd, by its own tool, and where macOS keeps what it starts.

use super::{ServiceError, tool};
use crate::host::Host;

/// Where it is started from.
pub(super) const PROGRAM: &str = "/usr/local/bin/muster-agent";
/// What to do instead where a package put it there, which none does.
pub(super) const UPGRADE: &str = "Run muster-agent install from the newer archive";
/// The same of taking it away.
pub(super) const REMOVE: &str = "Run muster-agent uninstall";
/// It runs as root, as launchd's daemons do.
pub(super) const USERS: [(&str, &str); 0] = [];
/// What launchd is told.
pub(super) const UNITS: [(&str, &str); 1] =
    [("/Library/LaunchDaemons/org.muster.agent.plist", include_str!("../../../deploy/launchd/org.muster.agent.plist"))];
/// Who may change the system.
pub(super) const ADMINISTRATOR: &str = "root, for example with sudo";
/// The daemon, as launchctl(1) names it.
const DAEMON: &str = "system/org.muster.agent";
/// A stop waits 10 s (`ExitTimeOut`).
const JOB_MS: u64 = 60_000;

/// launchd is always there.
pub(super) fn able(_: &Host) -> Result<(), ServiceError> {
    Ok(())
}

/// The archive for macOS calls `muster-agent install`; it is no package.
pub(super) fn packaged(_: &Host) -> bool {
    false
}

/// The services of this machine.
pub(super) struct Services<'a>(pub(super) &'a Host);

impl Services<'_> {
    pub(super) fn make_user(&self) -> Result<bool, ServiceError> {
        Ok(false)
    }

    pub(super) fn remove_user(&self) -> Result<bool, ServiceError> {
        Ok(false)
    }

    /// Lets the agent be started at boot, and run now: anew where something `changed`. What had to be done for it.
    pub(super) fn run(&self, changed: bool) -> Result<Vec<&'static str>, ServiceError> {
        let ran = self.is_loaded()?;
        if ran && !changed {
            return Ok(Vec::new());
        }
        if ran {
            self.must(&["bootout", DAEMON])?;
        }
        self.must(&["bootstrap", "system", UNITS[0].0])?;
        Ok(if ran { vec!["restarted"] } else { vec!["enabled", "started"] })
    }

    /// Stops the agent; whether it ran.
    pub(super) fn stop(&self) -> Result<bool, ServiceError> {
        let ran = self.is_loaded()?;
        if ran {
            self.must(&["bootout", DAEMON])?;
        }
        Ok(ran)
    }

    /// Its file is removed with the others.
    pub(super) fn disable(&self) -> Result<bool, ServiceError> {
        Ok(false)
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

    fn is_loaded(&self) -> Result<bool, ServiceError> {
        let output = tool::ask(self.0, "launchctl", &["print", DAEMON], JOB_MS)?;
        Ok(output.code == Some(0))
    }

    fn must(&self, words: &[&str]) -> Result<(), ServiceError> {
        tool::must(self.0, "launchctl", words, JOB_MS, "/Library/Logs/muster-agent.log")
    }
}
