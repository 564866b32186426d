//! macOS under launchd.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use sysinfo::Product;

use super::{CpuTimes, Known, Notice};

/// What this system is called.
pub(crate) const NAME: &str = "macOS";
/// Where settings are read from when no other file is named.
pub const DEFAULT_CONFIG: &str = "/Library/Application Support/Muster/agent.toml";
/// Where the agent keeps its state when nothing else is configured.
pub const DEFAULT_STATE: &str = "/Library/Application Support/Muster/agent";
/// Where a site's own sections are where nothing else is configured.
pub const DEFAULT_CUSTOM: &str = "/Library/Application Support/Muster/inventory.d";
/// SMBIOS has no part in a Mac; these are its numbers for what the model's name says.
const LAPTOP: u8 = 9;
const DESKTOP: u8 = 3;

/// Time since boot, sleep included: `CLOCK_MONOTONIC` goes on while a Mac sleeps (clock_gettime(3)).
pub(crate) fn boottime() -> Duration {
    let boot = clock_gettime(ClockId::Monotonic);
    Duration::new(u64::try_from(boot.tv_sec).unwrap_or(0), u32::try_from(boot.tv_nsec).unwrap_or(0))
}

/// Ends on SIGTERM and on SIGINT.
///
/// # Errors
/// When signals cannot be received.
pub fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    super::unix::asked_to_stop()
}

/// launchd asks for no word.
pub(crate) fn notify(_: Notice<'_>) {}

/// launchd does not say it.
pub(crate) fn going_down() -> bool {
    false
}

/// This very program.
pub(crate) fn own_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("muster-agent"))
}

/// Whoever waits for this process can go on when it is late.
pub(crate) fn lower_priority() {
    let _ = rustix::process::setpriority_process(None, 19);
}

/// The kernel's id of this boot.
pub(crate) fn boot_id() -> Option<[u8; 16]> {
    let said = Command::new("/usr/sbin/sysctl").args(["-n", "kern.bootsessionuuid"]).env_clear().output().ok()?;
    let digits: String = String::from_utf8_lossy(&said.stdout).trim().chars().filter(|c| *c != '-').collect();
    Some(u128::from_str_radix(&digits, 16).ok()?.to_be_bytes())
}

/// A Mac has none.
pub(crate) fn firmware_table() -> Option<Vec<u8>> {
    None
}

/// What the system says of the machine.
pub(crate) fn known() -> Option<Known> {
    let model = Product::name().or_else(|_| Product::family()).unwrap_or_default();
    let uuid = Product::uuid().unwrap_or_default();
    Some(Known {
        os_release: sysinfo::System::long_os_version().unwrap_or_default(),
        machine_id: uuid.clone(),
        product_uuid: uuid,
        serial: Product::serial_number().unwrap_or_default(),
        macs: super::burnt_in(),
        chassis: Some(if model.contains("Book") { LAPTOP } else { DESKTOP }),
        is_virtual: model.contains("VirtualMac") || model.contains("VMware"),
    })
}

/// Ticks of each processor by mode, in seconds.
#[expect(unsafe_code, reason = "no safe wrapper says the time of each mode")]
#[expect(deprecated, reason = "libc wants another crate for the same two functions")]
pub(crate) fn cpu_times() -> Option<Vec<CpuTimes>> {
    /// CPU_STATE_* of mach/machine.h, in their order: user, system, idle, nice.
    const MODES: usize = 4;
    /// CLK_TCK: ticks of a second that Mach counts by.
    const TICKS: f64 = 100.0;
    let (mut processors, mut info, mut count) = (0, std::ptr::null_mut(), 0);
    // SAFETY: all three pointers are to variables of our own, which the kernel fills in when it says success.
    let said = unsafe {
        libc::host_processor_info(
            libc::mach_host_self(),
            libc::PROCESSOR_CPU_LOAD_INFO,
            &raw mut processors,
            &raw mut info,
            &raw mut count,
        )
    };
    if said != libc::KERN_SUCCESS || info.is_null() {
        return None;
    }
    // SAFETY: the kernel has put `count` numbers there, which are ours until they are given back below.
    let ticks: Vec<u32> =
        unsafe { std::slice::from_raw_parts(info, count as usize) }.iter().map(|n| n.cast_unsigned()).collect();
    // SAFETY: exactly what the kernel gave us is given back, and nothing refers to it any more.
    unsafe {
        libc::vm_deallocate(libc::mach_task_self(), info as libc::vm_address_t, count as usize * size_of::<u32>());
    }
    let seconds = |ticks: u32| f64::from(ticks) / TICKS;
    let of = |ticks: &[u32]| CpuTimes {
        user: seconds(ticks[0]),
        system: seconds(ticks[1]),
        idle: seconds(ticks[2]),
        nice: seconds(ticks[3]),
        ..CpuTimes::default()
    };
    Some(ticks.chunks_exact(MODES).take(processors as usize).map(of).collect())
}

/// Programs.
pub(crate) mod command {
    use std::os::unix::process::CommandExt as _;
    use std::process::Command;

    use rustix::process::{Pid, Signal, kill_process_group};

    /// Where tools are looked up, in this order; the caller's `PATH` is not trusted.
    pub(crate) const TOOL_DIRECTORIES: [&str; 6] =
        ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
    const SEARCHED: &str = "/usr/bin:/bin:/usr/sbin:/sbin";

    /// A program's file.
    pub(crate) fn file_name(tool: &str) -> String {
        tool.to_owned()
    }

    /// Without the caller's environment.
    pub(crate) fn bare(command: &mut Command) -> &mut Command {
        command.env_clear().env("PATH", SEARCHED)
    }

    /// As another user.
    pub(crate) fn become_user(command: &mut Command, uid: u32, gid: u32) -> &mut Command {
        command.uid(uid).gid(gid)
    }

    /// So that it is killed with its children.
    pub(crate) fn in_own_group(command: &mut Command) {
        command.process_group(0);
    }

    /// Kills a program with its children. The group may be gone already, which is what is wanted.
    pub(crate) fn kill_group(id: u32) {
        if let Some(group) = i32::try_from(id).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}
