//! What is asked of systemd, by its own tools, and where Linux keeps what it starts.

use super::{ServiceError, tool};
use crate::host::Host;

/// Where the unit starts it from.
pub(super) const PROGRAM: &str = "/usr/bin/muster-agent";
/// Who may change the system.
pub(super) const ADMINISTRATOR: &str = "root, for example with sudo";
/// What to do instead where a package put it there.
pub(super) const UPGRADE: &str =
    "Upgrade it as one (apt-get install ./muster-agent_*.deb), or run this as /usr/bin/muster-agent install";
/// The same of taking it away.
pub(super) const REMOVE: &str = "Remove it as one: apt-get remove muster-agent (or purge; dnf remove muster-agent). It says goodbye to the collector, too";
/// Who the agent runs as, and whose its state is.
pub(super) const USERS: [(&str, &str); 2] = [
    ("/usr/lib/sysusers.d/muster-agent.conf", include_str!("../../../deploy/systemd/muster-agent.sysusers")),
    ("/usr/lib/tmpfiles.d/muster-agent.conf", include_str!("../../../deploy/systemd/muster-agent.tmpfiles")),
];
/// What systemd is told.
pub(super) const UNITS: [(&str, &str); 3] = [
    ("/usr/lib/systemd/system/muster-agent.service", include_str!("../../../deploy/systemd/muster-agent.service")),
    ("/usr/lib/systemd/system/muster-helper.socket", include_str!("../../../deploy/systemd/muster-helper.socket")),
    ("/usr/lib/systemd/system/muster-helper@.service", include_str!("../../../deploy/systemd/muster-helper@.service")),
];
/// The list of files that dpkg keeps of an installed package (of a removed one only its settings are left in it).
const DPKG_LIST: &str = "/var/lib/dpkg/info/muster-agent.list";
/// For `rpm --query`.
const RPM_MS: u64 = 20_000;

/// The agent's unit.
pub(super) const UNIT: &str = "muster-agent.service";
/// The helper's socket.
const HELPER: &str = "muster-helper.socket";
/// The user of the unit.
pub(super) const USER: &str = "muster-agent";
/// A start waits until the agent says that it runs, at most 90 s (`DefaultTimeoutStartSec`), a stop 10 s
/// (`TimeoutStopSec` of the unit).
const JOB_MS: u64 = 120_000;
/// The other questions.
const ASK_MS: u64 = 30_000;

/// Whether there is a systemd to run the agent.
pub(super) fn able(host: &Host) -> Result<(), ServiceError> {
    if host.exists("/run/systemd/system") { Ok(()) } else { Err(ServiceError::NoSystemd) }
}

/// Whether a package put the program where it is.
pub(super) fn packaged(host: &Host) -> bool {
    let of_dpkg = host.read_text(DPKG_LIST).is_ok_and(|list| list.lines().any(|line| line == PROGRAM));
    let of_rpm = || host.run("rpm", &["--query", "--quiet", "muster-agent"], RPM_MS);
    of_dpkg || of_rpm().is_ok_and(|answer| answer.code == Some(0))
}

/// The services of this machine.
pub(super) struct Services<'a>(pub(super) &'a Host);

impl Services<'_> {
    /// Makes the user and its directory; whether the user is new.
    pub(super) fn make_user(&self) -> Result<bool, ServiceError> {
        let is_new = !self.has_user();
        if is_new {
            self.must("systemd-sysusers", &[USERS[0].0], "journalctl -t systemd-sysusers")?;
        }
        // Also gives the directory back to the user where it is not.
        self.must("systemd-tmpfiles", &["--create", USERS[1].0], "journalctl -t systemd-tmpfiles")?;
        Ok(is_new)
    }

    /// Whether the user is there.
    pub(super) fn has_user(&self) -> bool {
        let is = |line: &str| line.split(':').next() == Some(USER);
        self.0.read_text("/etc/passwd").is_ok_and(|users| users.lines().any(is))
    }

    /// Removes the user; whether it was there.
    pub(super) fn remove_user(&self) -> Result<bool, ServiceError> {
        let is_there = self.has_user();
        if is_there {
            self.must("userdel", &[USER], "userdel muster-agent")?;
        }
        Ok(is_there)
    }

    /// Lets the agent be started at boot, and run now: anew where something `changed`. What had to be done for it.
    pub(super) fn run(&self, changed: bool) -> Result<Vec<&'static str>, ServiceError> {
        let mut did = Vec::new();
        if changed || self.property("NeedDaemonReload")? == "yes" {
            self.control(&["daemon-reload"])?;
        }
        if self.property("UnitFileState")? != "enabled" {
            self.control(&["enable", UNIT])?;
            did.push("enabled");
        }
        if self.property("ActiveState")? != "active" {
            self.control(&["start", UNIT])?;
            did.push("started");
        } else if changed {
            self.control(&["restart", UNIT])?;
            did.push("restarted");
        }
        // A start whose condition does not hold is no failed one.
        let state = self.property("ActiveState")?;
        if state == "active" {
            Ok(did)
        } else {
            Err(ServiceError::Tool(format!("{UNIT} was started and is {state}; see: journalctl -u {UNIT}")))
        }
    }

    /// Lets the helper be asked, now and after a boot; whether it was not.
    pub(super) fn enable_helper(&self) -> Result<bool, ServiceError> {
        self.control(&["daemon-reload"])?;
        let is_on =
            self.state_of(HELPER, "UnitFileState")? == "enabled" && self.state_of(HELPER, "ActiveState")? == "active";
        if !is_on {
            self.control(&["enable", "--now", HELPER])?;
        }
        Ok(!is_on)
    }

    /// The opposite; whether it was.
    pub(super) fn disable_helper(&self) -> Result<bool, ServiceError> {
        let is_on =
            self.state_of(HELPER, "UnitFileState")? == "enabled" || self.state_of(HELPER, "ActiveState")? == "active";
        if is_on {
            self.control(&["disable", "--now", HELPER])?;
        }
        Ok(is_on)
    }

    /// Stops the agent; whether it ran.
    pub(super) fn stop(&self) -> Result<bool, ServiceError> {
        let ran = ["active", "activating", "reloading"].contains(&self.property("ActiveState")?.as_str());
        if ran {
            self.control(&["stop", UNIT])?;
        }
        Ok(ran)
    }

    /// Lets the agent not be started at boot; whether it would have been.
    pub(super) fn disable(&self) -> Result<bool, ServiceError> {
        let is_enabled = self.property("UnitFileState")? == "enabled";
        if is_enabled {
            self.control(&["disable", UNIT])?;
        }
        Ok(is_enabled)
    }

    /// Forgets what the unit was.
    pub(super) fn forget(&self) -> Result<(), ServiceError> {
        self.control(&["daemon-reload"])?;
        // It says no where there is nothing to forget.
        let _ = self.0.run("systemctl", &["reset-failed", UNIT], ASK_MS);
        Ok(())
    }

    fn property(&self, name: &str) -> Result<String, ServiceError> {
        self.state_of(UNIT, name)
    }

    fn state_of(&self, unit: &str, name: &str) -> Result<String, ServiceError> {
        let words = ["show", "--value", "--property", name, unit];
        let output = tool::ask(self.0, "systemctl", &words, ASK_MS)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn control(&self, words: &[&str]) -> Result<(), ServiceError> {
        self.must("systemctl", words, "journalctl -u muster-agent")
    }

    fn must(&self, tool: &str, words: &[&str], look: &str) -> Result<(), ServiceError> {
        tool::must(self.0, tool, words, JOB_MS, look)
    }
}
