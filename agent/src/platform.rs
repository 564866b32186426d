//! EDGE: what systems do each in their own way and is no fact of the machine: files that nobody else may read, clocks, the
//! word to stop, what the service manager is told. Beside it, for systems whose files do not tell of the machine (all but
//! Linux), what they say of it by their own calls: [`known`](own::known) and, in `probe` and `inventory`, readings and
//! sections by `sysinfo`.

#[cfg_attr(target_os = "linux", path = "platform/linux.rs")]
#[cfg_attr(target_os = "macos", path = "platform/macos.rs")]
#[cfg_attr(windows, path = "platform/windows.rs")]
mod own;
#[cfg(windows)]
#[path = "platform/registry.rs"]
pub(crate) mod registry;
mod uname;
#[cfg(unix)]
#[path = "platform/unix.rs"]
mod unix;

pub use own::{DEFAULT_CONFIG, DEFAULT_CUSTOM, DEFAULT_STATE, asked_to_stop};
#[cfg(not(target_os = "linux"))]
pub(crate) use own::{NAME, boot_id, command, cpu_times, firmware_table};
#[cfg(windows)]
pub(crate) use own::{
    Owner, Socket, duplicate, give, has_mode, is_administrator, is_lost, keep_alive, make_private_dir, mode_of,
    owner_of, private, public, put_in_place, remove_program, room, same_file, same_owner, sync_dir, sync_file,
    why_not_private, why_not_usable,
};
pub(crate) use own::{boottime, going_down, known, lower_priority, notify, own_program};
#[cfg(windows)]
pub(crate) use own::{service, uname};
pub use uname::Uname;
#[cfg(unix)]
pub(crate) use unix::{
    Owner, Socket, duplicate, give, has_mode, is_administrator, is_lost, keep_alive, make_private_dir, mode_of,
    owner_of, private, public, put_in_place, remove_program, room, same_file, same_owner, sync_dir, sync_file, uname,
    why_not_private, why_not_usable,
};

/// Whether it is a whole path on this system.
pub(crate) fn is_absolute(path: &str) -> bool {
    std::path::Path::new(path).is_absolute()
}

/// What the service manager is told.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "systemd alone is told how it does"))]
pub(crate) enum Notice<'a> {
    /// The agent runs, and how it does.
    Ready(&'a str),
    /// How it does.
    Status(&'a str),
    /// The main loop turns.
    Alive,
    /// It ends in good order.
    Stopping,
}

/// What a system says of the machine by its own calls; empty where it does not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known {
    /// The system's name for people, with its version.
    pub(crate) os_release: String,
    /// What it was given when it was installed.
    pub(crate) machine_id: String,
    /// The firmware's id of the machine.
    pub(crate) product_uuid: String,
    /// Its serial number.
    pub(crate) serial: String,
    /// Addresses of network cards, `00:1b:21:00:00:01`.
    pub(crate) macs: Vec<String>,
    /// The kind of its enclosure, SMBIOS specification 3.7, table 17.
    pub(crate) chassis: Option<u8>,
    /// Whether it is a virtual machine.
    pub(crate) is_virtual: bool,
}

/// How long one processor was in which mode since boot, in seconds; no mode is part of another.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[cfg_attr(target_os = "linux", expect(dead_code, reason = "Linux says it in a file"))]
pub(crate) struct CpuTimes {
    pub(crate) idle: f64,
    pub(crate) user: f64,
    /// Of the kernel, without interrupts.
    pub(crate) system: f64,
    /// User time at low priority (macOS).
    pub(crate) nice: f64,
    /// Interrupts (Windows).
    pub(crate) interrupt: f64,
    /// Deferred procedure calls (Windows).
    pub(crate) deferred: f64,
}

/// Runs `body`, which says whether it ended well, as the service that the manager of Windows has just started.
///
/// # Errors
/// When no service manager started this process.
#[cfg(windows)]
pub fn run_as_service(body: Box<dyn FnOnce() -> bool + Send>) -> Result<(), windows_service::Error> {
    service::run(body)
}

/// Addresses of network cards that are not locally administered (second bit of the first byte, IEEE 802).
#[cfg(not(target_os = "linux"))]
fn burnt_in() -> Vec<String> {
    let Ok(networks) = sysinfo::Networks::new_with_refreshed_list() else { return Vec::new() };
    let macs = networks.values().map(|network| network.mac_address());
    let mut macs: Vec<String> =
        macs.filter(|mac| mac.0 != [0; 6] && mac.0[0] & 0b10 == 0).map(|mac| mac.to_string()).collect();
    macs.sort_unstable();
    macs.dedup();
    macs
}
