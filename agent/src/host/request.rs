//! All that can be asked of the helper. Nothing of a command line is in it: a device is a name that sysfs lists, everything
//! else a choice among constants.

use serde::{Deserialize, Serialize};

use super::Host;

/// A name of a device in sysfs; the longest of the kernel's are shorter (`DISK_NAME_LEN`, include/linux/blkdev.h).
const NAME_BYTES_MAX: usize = 32;
/// A ZFS pool (`ZFS_MAX_DATASET_NAME_LEN`, include/sys/fs/zfs.h).
const POOL_BYTES_MAX: usize = 255;
/// One drive must have answered by then, in milliseconds, as for the agent itself.
const DRIVE_MS: u64 = if cfg!(test) { 1_000 } else { 30_000 };
/// A BMC is a slow computer.
const BMC_MS: u64 = 90_000;
/// The others answer out of memory.
const MEMORY_MS: u64 = 15_000;

/// A device, by the name that sysfs gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Device(String);

/// A ZFS pool, by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pool(String);

/// What is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a name of a device")]
pub struct NoName;

impl TryFrom<String> for Device {
    type Error = NoName;

    fn try_from(text: String) -> Result<Self, NoName> {
        let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_!-".contains(&byte);
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_lowercase);
        if begins && text.len() <= NAME_BYTES_MAX && text.bytes().all(is_fine) { Ok(Self(text)) } else { Err(NoName) }
    }
}

impl TryFrom<String> for Pool {
    type Error = NoName;

    // zpool-create(8): begins with a letter, then letters, digits and these.
    fn try_from(text: String) -> Result<Self, NoName> {
        let is_fine = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.: ".contains(&byte);
        let begins = text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic);
        if begins && text.len() <= POOL_BYTES_MAX && text.bytes().all(is_fine) { Ok(Self(text)) } else { Err(NoName) }
    }
}

impl From<Device> for String {
    fn from(device: Device) -> Self {
        device.0
    }
}

impl From<Pool> for String {
    fn from(pool: Pool) -> Self {
        pool.0
    }
}

/// How smartctl reaches a drive (`-d`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Reached {
    /// NVMe.
    Nvme,
    /// SATA, also behind USB bridges.
    Sat,
    /// SAS.
    Scsi,
    /// NVMe behind a JMicron bridge.
    Sntjmicron,
    /// NVMe behind an ASMedia bridge.
    Sntasmedia,
    /// NVMe behind a Realtek bridge.
    Sntrealtek,
    /// A drive of an HPE controller, by its number.
    Cciss(u8),
    /// A drive of an Areca controller, by its number.
    Areca(u8),
}

/// What smartctl is asked of a drive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    /// All that it says.
    Everything,
    /// Without the logs that some drives hang at.
    Most,
    /// Who it is, its own verdict, its attributes.
    Least,
    /// How its self-tests went.
    SelfTests,
    /// The same, and which it can do.
    Abilities,
    /// Begins the short self-test.
    BeginShort,
    /// Begins the long self-test.
    BeginLong,
}

/// What the BMC is asked, and with which tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bmc {
    /// Its sensors, with ipmitool.
    Sensors,
    /// The newest of its log, with ipmitool.
    Events,
    /// Its sensors, with FreeIPMI.
    FreeSensors,
    /// The newest of its log, with FreeIPMI.
    FreeEvents,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// A drive is asked, or begins a self-test.
    Drive {
        /// The drive, or the controller's door to it.
        device: Device,
        /// How it is reached.
        reached: Reached,
        /// It is not asked while it sleeps.
        unless_asleep: bool,
        /// What.
        asks: Asks,
    },
    /// The BMC is asked.
    Bmc(Bmc),
    /// How volumes of device mapper are.
    Volumes,
    /// An md array is checked.
    CheckArray(Device),
    /// A ZFS pool is scrubbed.
    ScrubPool(Pool),
    /// A file, open for reading.
    Open(Guarded),
}

/// A file that is not for everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarded {
    /// The kernel's log.
    KernelLog,
    /// The firmware's table of the machine's parts (SMBIOS).
    FirmwareTable,
    /// The machine's serial number.
    ProductSerial,
    /// The machine's UUID.
    ProductUuid,
    /// The serial number of its board.
    BoardSerial,
    /// The serial number of its case.
    ChassisSerial,
}

const REACHED: [(Reached, &str); 6] = [
    (Reached::Nvme, "nvme"),
    (Reached::Sat, "sat"),
    (Reached::Scsi, "scsi"),
    (Reached::Sntjmicron, "sntjmicron"),
    (Reached::Sntasmedia, "sntasmedia"),
    (Reached::Sntrealtek, "sntrealtek"),
];
const ASKS: [Asks; 7] =
    [Asks::Everything, Asks::Most, Asks::Least, Asks::SelfTests, Asks::Abilities, Asks::BeginShort, Asks::BeginLong];
const BMC: [Bmc; 4] = [Bmc::Sensors, Bmc::Events, Bmc::FreeSensors, Bmc::FreeEvents];
const GUARDED: [Guarded; 6] = [
    Guarded::KernelLog,
    Guarded::FirmwareTable,
    Guarded::ProductSerial,
    Guarded::ProductUuid,
    Guarded::BoardSerial,
    Guarded::ChassisSerial,
];

impl Asks {
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Everything => &["-x"],
            Self::Most => &["-a"],
            Self::Least => &["-i", "-H", "-A"],
            Self::SelfTests => &["-l", "selftest"],
            Self::Abilities => &["-c", "-l", "selftest"],
            Self::BeginShort => &["-t", "short"],
            Self::BeginLong => &["-t", "long"],
        }
    }
}

impl Bmc {
    fn command(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Sensors => ("ipmitool", &["sdr", "elist", "all"]),
            Self::Events => ("ipmitool", &["sel", "elist", "last", "200"]),
            Self::FreeSensors => {
                ("ipmi-sensors", &["--output-sensor-state", "--ignore-not-available-sensors", "--output-event-bitmask"])
            }
            Self::FreeEvents => ("ipmi-sel", &["--output-event-state", "--tail", "200"]),
        }
    }
}

impl Guarded {
    /// Where it is. Those of sysfs are for root alone: drivers/firmware/dmi-id.c and dmi_scan.c give them the mode 0400.
    fn path(self) -> &'static str {
        match self {
            Self::KernelLog => "/dev/kmsg",
            Self::FirmwareTable => "/sys/firmware/dmi/tables/DMI",
            Self::ProductSerial => "/sys/class/dmi/id/product_serial",
            Self::ProductUuid => "/sys/class/dmi/id/product_uuid",
            Self::BoardSerial => "/sys/class/dmi/id/board_serial",
            Self::ChassisSerial => "/sys/class/dmi/id/chassis_serial",
        }
    }
}

impl Reached {
    fn of(word: &str) -> Option<Self> {
        if let Some((reached, _)) = REACHED.iter().find(|(_, known)| *known == word) {
            return Some(*reached);
        }
        let (kind, number) = word.split_once(',')?;
        let number = number.parse().ok()?;
        match kind {
            "cciss" => Some(Self::Cciss(number)),
            "areca" => Some(Self::Areca(number)),
            _ => None,
        }
    }

    fn word(self) -> String {
        match self {
            Self::Cciss(number) => format!("cciss,{number}"),
            Self::Areca(number) => format!("areca,{number}"),
            _ => REACHED.iter().find(|(known, _)| *known == self).map_or("", |(_, word)| word).to_owned(),
        }
    }
}

impl Request {
    /// The request that stands for opening this file, if there is one.
    #[must_use]
    pub fn of_file(path: &str) -> Option<Self> {
        GUARDED.into_iter().find(|guarded| guarded.path() == path).map(Self::Open)
    }

    /// The request that stands for this run of a tool, if there is one.
    #[must_use]
    pub fn of(tool: &str, words: &[&str]) -> Option<Self> {
        match (tool, words) {
            ("smartctl", ["--json=c", "-n", "standby", asks @ .., "-d", reached, path]) => {
                Self::drive(true, asks, reached, path)
            }
            ("smartctl", ["--json=c", asks @ .., "-d", reached, path]) => Self::drive(false, asks, reached, path),
            ("dmsetup", ["status"]) => Some(Self::Volumes),
            ("mdadm", ["--action=check", path]) => Some(Self::CheckArray(device(path)?)),
            ("zpool", ["scrub", pool]) => Some(Self::ScrubPool(Pool::try_from((*pool).to_owned()).ok()?)),
            _ => BMC.into_iter().find(|bmc| bmc.command() == (tool, words)).map(Self::Bmc),
        }
    }

    fn drive(unless_asleep: bool, asks: &[&str], reached: &str, path: &str) -> Option<Self> {
        let asks = ASKS.into_iter().find(|known| known.words() == asks)?;
        Some(Self::Drive { device: device(path)?, reached: Reached::of(reached)?, unless_asleep, asks })
    }

    /// What is done.
    pub(crate) fn errand(&self) -> Errand {
        let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (tool, words) = match self {
            Self::Drive { device, reached, unless_asleep, asks } => {
                let mut words = owned(if *unless_asleep { &["--json=c", "-n", "standby"] } else { &["--json=c"] });
                words.extend(owned(asks.words()));
                words.extend(["-d".to_owned(), reached.word(), format!("/dev/{}", device.0)]);
                ("smartctl", words)
            }
            Self::Bmc(bmc) => {
                let (tool, words) = bmc.command();
                (tool, owned(words))
            }
            Self::Volumes => ("dmsetup", owned(&["status"])),
            Self::CheckArray(array) => ("mdadm", vec!["--action=check".to_owned(), format!("/dev/{}", array.0)]),
            Self::ScrubPool(pool) => ("zpool", vec!["scrub".to_owned(), pool.0.clone()]),
            Self::Open(guarded) => return Errand::Open(guarded.path()),
        };
        Errand::Run(tool, words)
    }

    /// What no two may be asked at once, as a name of a file.
    pub(crate) fn thing(&self) -> String {
        match self {
            Self::Drive { device, .. } => format!("drive-{}", device.0),
            Self::Bmc(_) => "bmc".to_owned(),
            Self::Volumes => "volumes".to_owned(),
            Self::CheckArray(array) => format!("array-{}", array.0),
            Self::ScrubPool(_) => "pools".to_owned(),
            Self::Open(_) => "file".to_owned(),
        }
    }

    /// Whether it begins a test, which is done only where this machine's own file plans tests.
    pub(crate) fn begins_test(&self) -> bool {
        match self {
            Self::Drive { asks, .. } => matches!(asks, Asks::BeginShort | Asks::BeginLong),
            Self::CheckArray(_) | Self::ScrubPool(_) => true,
            Self::Bmc(_) | Self::Volumes | Self::Open(_) => false,
        }
    }

    /// Whether this machine has what is asked about.
    pub(crate) fn is_here(&self, host: &Host) -> bool {
        match self {
            Self::Drive { device, .. } => ["block", "nvme", "scsi_generic"]
                .iter()
                .any(|class| host.exists(&format!("/sys/class/{class}/{}", device.0))),
            Self::CheckArray(array) => host.exists(&format!("/sys/block/{}/md/level", array.0)),
            Self::ScrubPool(pool) => host.exists(&format!("/proc/spl/kstat/zfs/{}/state", pool.0)),
            Self::Bmc(_) | Self::Volumes | Self::Open(_) => true,
        }
    }

    /// By when the tool must have ended, in milliseconds.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        match self {
            Self::Drive { .. } => DRIVE_MS,
            Self::Bmc(_) => BMC_MS,
            _ => MEMORY_MS,
        }
    }
}

/// What the helper does to answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Errand {
    /// Runs this tool with these arguments.
    Run(&'static str, Vec<String>),
    /// Opens this file.
    Open(&'static str),
}

/// The device behind `/dev/NAME`.
fn device(path: &str) -> Option<Device> {
    Device::try_from(path.strip_prefix("/dev/")?.to_owned()).ok()
}
