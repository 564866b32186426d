//! What the registry of Windows says of the machine.

use ring::digest;
use ring::rand::{SecureRandom as _, SystemRandom};
use windows_registry::{Key, LOCAL_MACHINE};

const VERSION: &str = r"SOFTWARE\Microsoft\Windows NT\CurrentVersion";
const CRYPTOGRAPHY: &str = r"SOFTWARE\Microsoft\Cryptography";
const BIOS: &str = r"HARDWARE\DESCRIPTION\System\BIOS";
const FIRMWARE: &str = r"SYSTEM\CurrentControlSet\Services\mssmbios\Data";
const PREFETCH: &str = r"SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management\PrefetchParameters";
/// Ours: a volatile key, which is gone at the next boot.
const BOOT: &str = r"SOFTWARE\MusterBoot";
const BOOT_ID: &str = "Id";
/// Bytes before the table in `SMBiosData`: calling method, version, length (`RawSMBIOSData` of GetSystemFirmwareTable).
const FIRMWARE_HEADER: usize = 8;

/// `23H2`.
pub(crate) const DISPLAY_VERSION: &str = "DisplayVersion";
/// The edition.
pub(crate) const EDITION: &str = "EditionID";

/// What the package writes (`deploy/windows/muster-agent.wxs`).
const PACKAGE: &str = r"SOFTWARE\Muster\Agent";

fn open(path: &str) -> Option<Key> {
    LOCAL_MACHINE.open(path).ok()
}

fn text(path: &str, name: &str) -> String {
    open(path).and_then(|key| key.get_string(name).ok()).unwrap_or_default().trim().to_owned()
}

fn number(path: &str, name: &str) -> Option<u32> {
    open(path)?.get_u32(name).ok()
}

/// A value that says which Windows this is.
pub(crate) fn version(name: &str) -> String {
    text(VERSION, name)
}

/// Whether a package put the agent there.
pub(crate) fn is_packaged() -> bool {
    !text(PACKAGE, "Package").is_empty()
}

/// `10.0.22631.4317`.
pub(crate) fn release() -> String {
    let build = version("CurrentBuildNumber");
    let major = number(VERSION, "CurrentMajorVersionNumber");
    let first = match major {
        Some(major) => format!("{major}.{}", number(VERSION, "CurrentMinorVersionNumber").unwrap_or(0)),
        None => version("CurrentVersion"),
    };
    let revision = number(VERSION, "UBR").map_or_else(String::new, |revision| format!(".{revision}"));
    format!("{first}.{build}{revision}")
}

/// `Windows 11 Pro 23H2`.
pub(crate) fn os_release() -> String {
    let name = sysinfo::System::long_os_version().unwrap_or_else(|_| "Windows".to_owned());
    format!("{name} {}", version(DISPLAY_VERSION)).trim().to_owned()
}

/// When Windows was installed, in seconds since the epoch.
pub(crate) fn installed_s() -> Option<i64> {
    number(VERSION, "InstallDate").map(i64::from)
}

/// What set-up gave this installation.
pub(crate) fn machine_id() -> String {
    text(CRYPTOGRAPHY, "MachineGuid")
}

/// A value of the firmware's.
pub(crate) fn firmware(name: &str) -> String {
    text(BIOS, name)
}

/// The kind of enclosure, SMBIOS specification 3.7, table 17.
pub(crate) fn enclosure() -> Option<u8> {
    number(BIOS, "EnclosureType").and_then(|kind| u8::try_from(kind & 0x7f).ok())
}

/// The firmware's table of structures, as the driver of SMBIOS keeps it.
pub(crate) fn firmware_table() -> Option<Vec<u8>> {
    let data = open(FIRMWARE)?.get_value("SMBiosData").ok()?;
    data.get(FIRMWARE_HEADER..).map(<[u8]>::to_vec)
}

/// See `platform::boot_id`.
pub(crate) fn boot_id() -> Option<[u8; 16]> {
    let known = || open(BOOT).and_then(|key| key.get_string(BOOT_ID).ok()).and_then(|id| read(&id));
    known().or_else(begin).or_else(counted)
}

fn begin() -> Option<[u8; 16]> {
    let key = LOCAL_MACHINE.options().read().write().create().volatile().open(BOOT).ok()?;
    let id = random();
    key.set_string(BOOT_ID, id.iter().map(|byte| format!("{byte:02x}")).collect::<String>()).ok()?;
    Some(id)
}

fn read(id: &str) -> Option<[u8; 16]> {
    u128::from_str_radix(id, 16).ok().map(u128::to_be_bytes)
}

/// Without the right to write, from the number of boots that Windows keeps itself.
fn counted() -> Option<[u8; 16]> {
    let boots = number(PREFETCH, "BootId")?;
    let hash = digest::digest(&digest::SHA256, format!("{}\0{boots}", machine_id()).as_bytes());
    hash.as_ref()[..16].try_into().ok()
}

/// Random bytes.
pub(crate) fn random() -> [u8; 16] {
    let mut bytes = [0; 16];
    // Without randomness nothing else works either: the handshake says so.
    let _ = SystemRandom::new().fill(&mut bytes);
    bytes
}

/// Programs that are installed for all users: name, version, publisher, by their keys.
pub(crate) fn programs() -> Vec<Program> {
    const LISTS: [(&str, &str); 2] = [
        (r"SOFTWARE\Microsoft\Windows\CurrentVersion\Uninstall", "x86_64"),
        (r"SOFTWARE\WOW6432Node\Microsoft\Windows\CurrentVersion\Uninstall", "x86"),
    ];
    let mut programs = Vec::new();
    for (list, architecture) in LISTS {
        let Some(list) = open(list) else { continue };
        let Ok(names) = list.keys() else { continue };
        for id in names {
            let Ok(key) = list.open(&id) else { continue };
            let said = |name: &str| key.get_string(name).unwrap_or_default();
            // Parts and updates of other programs are not shown by Windows either.
            if said("DisplayName").is_empty()
                || key.get_u32("SystemComponent") == Ok(1)
                || !said("ParentKeyName").is_empty()
            {
                continue;
            }
            programs.push(Program {
                id,
                name: said("DisplayName"),
                version: said("DisplayVersion"),
                publisher: said("Publisher"),
                architecture,
            });
        }
    }
    programs
}

/// An installed program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) publisher: String,
    pub(crate) architecture: &'static str,
}
