//! Windows, as a service or by hand.

#[path = "windows/files.rs"]
mod files;
#[path = "windows/service.rs"]
pub(crate) mod service;

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use sysinfo::{Product, System};
use tokio::sync::watch;
use windows_sys::Wdk::System::SystemInformation::{NtQuerySystemInformation, SystemProcessorPerformanceInformation};
use windows_sys::Win32::System::SystemInformation::GetTickCount64;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, IDLE_PRIORITY_CLASS, SetPriorityClass};
use windows_sys::Win32::System::WindowsProgramming::SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION;

use super::{CpuTimes, Known, Notice, Uname, registry};

pub(crate) use files::{
    Owner, Socket, duplicate, give, has_mode, is_administrator, is_lost, keep_alive, make_private_dir, mode_of,
    owner_of, private, public, put_in_place, remove_program, room, same_file, same_owner, sync_dir, sync_file,
    why_not_private, why_not_usable,
};

/// What this system is called.
pub(crate) const NAME: &str = "Windows";
/// Where settings are read from when no other file is named (`FOLDERID_ProgramData` as it is unless somebody moved it).
pub const DEFAULT_CONFIG: &str = r"C:\ProgramData\Muster\agent.toml";
/// Where the agent keeps its state when nothing else is configured.
pub const DEFAULT_STATE: &str = r"C:\ProgramData\Muster\agent";
/// Where a site's own sections are where nothing else is configured.
pub const DEFAULT_CUSTOM: &str = r"C:\ProgramData\Muster\inventory.d";
/// Processors of the answer: those of one group.
const PROCESSORS_MAX: usize = 64;
/// Units of 100 ns.
const PER_SECOND: f64 = 1e7;
/// What virtual machines are called by their firmware.
const VIRTUAL: [&str; 7] = ["virtual machine", "vmware", "virtualbox", "kvm", "qemu", "xen", "hvm domu"];

/// Whoever sends true here asks the agent to stop.
static STOP: LazyLock<watch::Sender<Stop>> = LazyLock::new(|| watch::Sender::new(Stop::No));

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    No,
    Agent,
    /// The machine goes down.
    Machine,
}

/// Asks the agent to stop.
pub(crate) fn stop(why: Stop) {
    STOP.send_replace(why);
}

/// Ends when the service manager, the console or the end of the session asks for it.
///
/// # Errors
/// When the console's events cannot be received.
pub fn asked_to_stop() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};
    let (mut c, mut brk, mut close, mut shutdown) = (ctrl_c()?, ctrl_break()?, ctrl_close()?, ctrl_shutdown()?);
    let mut told = STOP.subscribe();
    Ok(async move {
        tokio::select! {
            _ = c.recv() => {}
            _ = brk.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
            _ = told.wait_for(|stop| *stop != Stop::No) => {}
        }
    })
}

/// Whether the machine stops and not the agent alone.
pub(crate) fn going_down() -> bool {
    *STOP.borrow() == Stop::Machine
}

/// Says it to the service manager, if that started us.
pub(crate) fn notify(notice: Notice<'_>) {
    match notice {
        Notice::Ready(_) => service::runs(),
        Notice::Stopping => service::stops(),
        Notice::Status(_) | Notice::Alive => {}
    }
}

/// Time since boot, sleep included; it moves every 16 ms.
#[expect(unsafe_code, reason = "std has no clock that counts sleep from boot")]
pub(crate) fn boottime() -> Duration {
    // SAFETY: it takes no arguments and touches no memory of ours.
    Duration::from_millis(unsafe { GetTickCount64() })
}

/// This very program.
pub(crate) fn own_program() -> PathBuf {
    std::env::current_exe().unwrap_or_else(|_| PathBuf::from("muster-agent"))
}

/// Whoever waits for this process can go on when it is late.
#[expect(unsafe_code, reason = "std does not set priorities")]
pub(crate) fn lower_priority() {
    // SAFETY: the handle is the pseudo handle of this process, which is always valid.
    let _ = unsafe { SetPriorityClass(GetCurrentProcess(), IDLE_PRIORITY_CLASS) };
}

/// What there is of `uname`.
pub(crate) fn uname() -> Uname {
    Uname {
        sysname: "Windows".to_owned(),
        nodename: System::host_name().unwrap_or_default(),
        release: registry::release(),
        version: registry::version(registry::DISPLAY_VERSION),
        machine: System::cpu_arch(),
        domainname: "(none)".to_owned(),
    }
}

/// An id that a volatile key of the registry keeps: it lives until the next boot, as the tick count does, and like that
/// survives what Windows calls a fast start-up.
pub(crate) fn boot_id() -> Option<[u8; 16]> {
    registry::boot_id()
}

/// The firmware's table of structures.
pub(crate) fn firmware_table() -> Option<Vec<u8>> {
    registry::firmware_table()
}

/// What the system says of the machine.
pub(crate) fn known() -> Option<Known> {
    let said = |said: Result<String, sysinfo::Error>| said.unwrap_or_default();
    let [vendor, name] = [said(Product::vendor_name()), said(Product::name())].map(|text| text.to_ascii_lowercase());
    Some(Known {
        os_release: registry::os_release(),
        machine_id: registry::machine_id(),
        product_uuid: said(Product::uuid()),
        serial: said(Product::serial_number()),
        macs: super::burnt_in(),
        chassis: registry::enclosure(),
        is_virtual: VIRTUAL.iter().any(|kind| vendor.contains(kind) || name.contains(kind)),
    })
}

/// Times of each processor by mode.
#[expect(unsafe_code, reason = "no safe wrapper says the time of each mode")]
pub(crate) fn cpu_times() -> Option<Vec<CpuTimes>> {
    let mut all = vec![SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION::default(); PROCESSORS_MAX];
    let (bytes, mut said) = (u32::try_from(size_of_val(&all[..])).ok()?, 0);
    // SAFETY: the buffer is ours and as long as is said, and what is written into it are plain numbers.
    let status = unsafe {
        NtQuerySystemInformation(SystemProcessorPerformanceInformation, all.as_mut_ptr().cast(), bytes, &raw mut said)
    };
    if status < 0 {
        return None;
    }
    all.truncate(said as usize / size_of::<SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION>());
    #[expect(clippy::cast_precision_loss, reason = "2^53 units of 100 ns are 28 years")]
    let seconds = |units: i64| units.max(0) as f64 / PER_SECOND;
    let of = |one: &SYSTEM_PROCESSOR_PERFORMANCE_INFORMATION| {
        // KernelTime counts idling, DPCs and interrupts too (winternl.h's documentation; the two are its reserved fields).
        let [deferred, interrupt] = one.Reserved1;
        CpuTimes {
            idle: seconds(one.IdleTime),
            user: seconds(one.UserTime),
            system: seconds(one.KernelTime - one.IdleTime - deferred - interrupt),
            nice: 0.0,
            interrupt: seconds(interrupt),
            deferred: seconds(deferred),
        }
    };
    Some(all.iter().map(of).collect())
}

/// Programs.
pub(crate) mod command {
    use std::process::{Command, Stdio};

    /// Where tools are looked up, in this order; the caller's `PATH` is not trusted.
    pub(crate) const TOOL_DIRECTORIES: [&str; 2] =
        [r"C:\Windows\System32", r"C:\Windows\System32\WindowsPowerShell\v1.0"];
    const SEARCHED: &str = r"C:\Windows\System32;C:\Windows;C:\Windows\System32\WindowsPowerShell\v1.0";
    /// What programs of Windows do not start without.
    const KEPT: [&str; 8] = ["SystemRoot", "SystemDrive", "windir", "TEMP", "TMP", "ProgramData", "PATHEXT", "ComSpec"];

    /// A program's file.
    pub(crate) fn file_name(tool: &str) -> String {
        format!("{tool}.exe")
    }

    /// Without the caller's environment, but for what each program needs.
    pub(crate) fn bare(command: &mut Command) -> &mut Command {
        command.env_clear().env("PATH", SEARCHED);
        let kept = KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?)));
        command.envs(kept)
    }

    /// There is no such thing here: no user of /etc/passwd is ever found.
    pub(crate) fn become_user(command: &mut Command, _: u32, _: u32) -> &mut Command {
        command
    }

    /// Windows keeps track of whose child a process is.
    pub(crate) fn in_own_group(_: &mut Command) {}

    /// Kills a program with its children; it may be gone already, which is what is wanted.
    pub(crate) fn kill_group(id: u32) {
        let mut kill = Command::new(r"C:\Windows\System32\taskkill.exe");
        kill.args(["/T", "/F", "/PID", &id.to_string()]);
        let _ = kill.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    }
}
