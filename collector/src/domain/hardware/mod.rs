//! What hardware says of itself, read from the output of the tools that ask it into typed facts.
//!
//! [`read`] takes any of the formats that [`Kind`] lists and tells the kind from the content where it is not given. It never
//! looks at a file's name and judges nothing: that is what `rules::hardware` does. Whatever bytes come in, it ends with
//! facts or with a reason, within bounds.

pub mod assembly;
pub mod attribute;
pub mod description;
pub mod drive;
pub mod gpu;
pub mod kernel_log;
mod kind;
mod mdadm;
mod mdstat;
pub mod memory;
pub mod nic;
mod nvme;
pub mod power;
mod raid;
mod redfish;
pub mod sensors;
mod smartctl_json;
mod smartctl_text;
mod sysfs;
mod text;
pub mod topology;
mod volume;
mod zpool;

use serde_json::Value;

pub use self::kind::Kind;
use self::sensors::Level;
pub use self::sysfs::{
    fabric::{Port, Transport},
    flash::Flash,
    pcie::Pcie,
};
use self::{
    assembly::Assembly, drive::Drive, gpu::Gpu, kernel_log::Log, memory::Memory, nic::Nic, power::Power,
    sensors::Sensors, topology::Topology,
};

/// Largest output that is read, in bytes; a log that is longer can be cut.
pub const LARGEST_BYTES: usize = 10 << 20;

/// What a tool said.
#[derive(Debug, Clone, PartialEq)]
pub enum Facts {
    /// A drive.
    Drive(Box<Drive>),
    /// Arrays, pools, controllers and what is in them.
    Assembly(Assembly),
    /// The kernel's log.
    Log(Log),
    /// Sensors or events of a management controller.
    Sensors(Sensors),
    /// Memory modules.
    Memory(Memory),
    /// Uninterruptible supplies and batteries.
    Power(Power),
    /// GPUs.
    Gpus(Vec<Gpu>),
    /// A network interface, its module, or a bond.
    Nic(Nic),
    /// Which block device is what.
    Topology(Box<Topology>),
    /// Soldered flash.
    Flash(Vec<Flash>),
    /// PCI Express devices.
    Pcie(Vec<Pcie>),
    /// Ports of InfiniBand, Fibre Channel and SAS.
    Ports(Vec<Port>),
    /// It is understood, and says nothing of health: a list of devices, a configuration. Why.
    Nothing(&'static str),
}

/// Why nothing could be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Unreadable {
    /// Of what kind it seems to be.
    pub kind: Option<Kind>,
    /// What was expected, what was found, and the remedy.
    pub reason: String,
}

impl Facts {
    /// Why they tell nothing of health; `None` where they do.
    #[must_use]
    pub fn silence(&self) -> Option<String> {
        match self {
            Self::Nothing(why) => Some((*why).to_owned()),
            Self::Topology(_) => Some("it says which drive is which, and nothing of their health".into()),
            Self::Drive(drive) if drive.is_virtual => {
                Some("a volume and not a drive: ask its controller or its host for the drives below it".into())
            }
            Self::Drive(drive) if !drive.tells_of_health() => Some(match drive.complaints.first() {
                Some(complaint) => complaint.clone(),
                None => "the drive tells nothing of its health here: ask with smartctl -x".into(),
            }),
            Self::Drive(_) => None,
            Self::Assembly(found) if !found.tells_of_health() => {
                Some("no array, member or controller in it says how it is".into())
            }
            Self::Log(log) if log.events.is_empty() => {
                Some(format!("none of its {} lines speaks of hardware: a log vouches for nothing", log.lines))
            }
            Self::Sensors(sensors)
                if sensors.rows.iter().all(|row| row.level == Level::Unsaid && row.words.is_empty()) =>
            {
                Some("no sensor in it was read".into())
            }
            Self::Memory(memory) if memory.modules.is_empty() && memory.taken_out_kib.is_none() => {
                Some("no counter of memory errors in it".into())
            }
            Self::Power(power) if !power.tells_of_health() => {
                Some("neither a status nor what a battery still holds is in it".into())
            }
            Self::Gpus(gpus) if !gpus.iter().any(|gpu| gpu.is_readable) => {
                Some("no GPU in it counts errors of its memory".into())
            }
            Self::Nic(nic) if !nic.tells_of_health() => Some("no counters, alarms or members of a bond in it".into()),
            Self::Flash(chips) if !chips.iter().any(Flash::tells_of_health) => {
                Some("a card that does not say how much of its life is used".into())
            }
            Self::Pcie(devices) if !devices.iter().any(Pcie::tells_of_health) => {
                Some("no link and no counter of its errors in it".into())
            }
            Self::Ports(ports) if ports.is_empty() => Some("no port in it".into()),
            Self::Assembly(_)
            | Self::Log(_)
            | Self::Sensors(_)
            | Self::Memory(_)
            | Self::Power(_)
            | Self::Gpus(_)
            | Self::Nic(_)
            | Self::Flash(_)
            | Self::Pcie(_)
            | Self::Ports(_) => None,
        }
    }
}

/// Reads what a tool said; `kind` where it is known, else it is told from the content.
///
/// # Errors
/// When the bytes are too many, of no kind that is known, cut off, or not of the kind that was given.
pub fn read(kind: Option<Kind>, bytes: &[u8]) -> Result<(Kind, Facts), Unreadable> {
    let unreadable = |reason: String| Unreadable { kind, reason };
    if bytes.len() > LARGEST_BYTES {
        let (is, most) = (bytes.len() >> 20, LARGEST_BYTES >> 20);
        return Err(unreadable(format!(
            "larger than {most} MiB ({is} MiB): give the part that matters, such as the last day"
        )));
    }
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(unreadable("empty: the tool printed nothing; run it again as root".into()));
    }
    let text = text::text_of(bytes);
    let document = document(&text);
    let Some(kind) = kind.or_else(|| Kind::of(&text, document.as_ref().ok().and_then(Option::as_ref))) else {
        return Err(unreadable(match document {
            Err(why) => why,
            Ok(_) => "of no kind that is known: say which with --kind".into(),
        }));
    };
    match document {
        Err(reason) if kind.is_json() => Err(Unreadable { kind: Some(kind), reason }),
        Ok(None) if kind.is_json() => {
            Err(Unreadable { kind: Some(kind), reason: "expected a JSON document, found other text".into() })
        }
        document => facts(kind, &text, &document.ok().flatten().unwrap_or(Value::Null))
            .map(|facts| (kind, facts))
            .map_err(|reason| Unreadable { kind: Some(kind), reason }),
    }
}

/// The JSON document that a text is; `None` where it is none.
fn document(text: &str) -> Result<Option<Value>, String> {
    let start = text.trim_start();
    // A kernel log begins with a bracket too.
    if !start.starts_with(['{', '[']) {
        return Ok(None);
    }
    match serde_json::from_str(start) {
        Ok(document) => Ok(Some(document)),
        Err(_) if start.starts_with('[') => Ok(None),
        Err(error) if error.is_eof() => {
            Err(format!("a JSON document that is cut off at line {}: capture it again", error.line()))
        }
        Err(error) => Err(format!("no JSON document: {error}")),
    }
}

fn facts(kind: Kind, text: &str, document: &Value) -> Result<Facts, String> {
    let drive = |drive| Ok(Facts::Drive(Box::new(drive)));
    let assembly = |found| Ok(Facts::Assembly(found));
    match kind {
        Kind::SmartctlJson => drive(smartctl_json::read(document)),
        Kind::SmartctlText => drive(smartctl_text::read(text)),
        Kind::NvmeJson => drive(nvme::read_json(document)),
        Kind::NvmeText => drive(nvme::read_text(text)),
        Kind::Mdstat => assembly(mdstat::read(text)),
        Kind::Mdadm => assembly(mdadm::read(text)),
        Kind::Zpool => assembly(zpool::read(text)),
        Kind::ZpoolJson => assembly(zpool::read_json(document)),
        Kind::StorcliJson => assembly(raid::storcli::read_json(document)),
        Kind::Storcli => assembly(raid::storcli::read_text(text)),
        Kind::Megacli => assembly(raid::megacli::read(text)),
        Kind::Megarc => assembly(raid::megarc::read(text)),
        Kind::Ssacli => assembly(raid::ssacli::read(text)),
        Kind::Arcconf => assembly(raid::arcconf::read(text)),
        Kind::Sas2ircu => assembly(raid::sas2ircu::read(text)),
        Kind::TwCli => assembly(raid::tw_cli::read(text)),
        Kind::Areca => assembly(raid::areca::read(text)),
        Kind::Omreport => assembly(raid::omreport::read(text)),
        Kind::Powervault => assembly(raid::powervault::read(document)),
        Kind::LvsJson => assembly(raid::linux::lvs(document)),
        Kind::Dmsetup => assembly(raid::linux::dmsetup(text)),
        Kind::Drbd => assembly(raid::linux::drbd(text)),
        Kind::KernelLog => Ok(Facts::Log(kernel_log::read(text))),
        Kind::Ipmi => Ok(Facts::Sensors(sensors::read(text))),
        Kind::Edac => Ok(Facts::Memory(memory::read(text))),
        Kind::Ups => Ok(Facts::Power(power::supply(text))),
        Kind::Battery => Ok(Facts::Power(power::batteries(text))),
        Kind::Gpu => Ok(Facts::Gpus(gpu::read(text))),
        Kind::Nic => Ok(Facts::Nic(nic::read(text))),
        Kind::PlainRaid => assembly(raid::plain::read(text)),
        Kind::Redfish => assembly(redfish::read(document)),
        Kind::BlockSysfs => Ok(Facts::Topology(Box::new(topology::read(text)))),
        Kind::MdSysfs => assembly(sysfs::md::read(text)),
        Kind::BtrfsSysfs => assembly(sysfs::btrfs::read(text)),
        Kind::MultipathSysfs => assembly(sysfs::multipath::read(text)),
        Kind::MmcSysfs => Ok(Facts::Flash(sysfs::flash::read(text))),
        Kind::Pcie => Ok(Facts::Pcie(sysfs::pcie::read(text))),
        Kind::NicSysfs => Ok(Facts::Nic(sysfs::nic::read(text))),
        Kind::Meminfo => Ok(Facts::Memory(memory::read(text))),
        Kind::AmdRas => Ok(Facts::Gpus(sysfs::gpu::read(text))),
        Kind::Infiniband => Ok(Facts::Ports(sysfs::fabric::read(text))),
        Kind::FibreChannel => Ok(Facts::Ports(sysfs::links::fibre_channel(text))),
        Kind::SasPhy => Ok(Facts::Ports(sysfs::links::sas(text))),
        Kind::DeviceList => Ok(Facts::Nothing("a list of devices: it tells nothing of their health")),
    }
}
