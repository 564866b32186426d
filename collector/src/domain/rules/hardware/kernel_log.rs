//! The kernel's log: which part the lines blame, and whether they are enough.

use super::finding::{Finding, Part, Weight};
use crate::domain::{
    hardware::kernel_log::{Event, Family, Log},
    severity::Severity,
};

/// Corrected memory errors of one module that are too many; fewer come to a third of all machines in a year (Google 2009), and
/// machine check handlers take ten in 24 h for the limit (mcelog).
pub(super) const MEMORY_CORRECTED: u64 = 10;
/// Lines about a link that are one exception with its reset, not a bit that fell over once.
const LINK_LINES: u64 = 3;
/// Hangs of a network adapter that are no coincidence.
const NIC_HANGS: u64 = 2;
/// Aborted commands on so many disks blame what they share.
pub(super) const ADAPTER_DISKS: usize = 3;

/// Error numbers of NVIDIA's driver that come from hardware, and what helps (Xid catalogue; gpud's reading of it). All others
/// come from programs, 13, 31, 43 and 45 above all.
const XIDS: &[(u64, &str)] = &[
    (46, "reset the GPU"),
    (48, "restart what runs on it; if it comes back, ask the maker"),
    (62, "reset the GPU"),
    (64, "reset the GPU, then have it replaced"),
    (74, "look at the NVLink connections"),
    (79, "power-cycle the machine; if it comes back, have the GPU replaced"),
    (92, "ask the maker: too many corrected errors"),
    (94, "restart what runs on it"),
    (95, "reset the GPU"),
    (109, "reset the GPU"),
    (119, "reset the GPU"),
    (120, "reset the GPU"),
    (136, "look at the NVLink connections"),
    (140, "reset the GPU"),
    (143, "reset the GPU"),
    (145, "look at the NVLink connections"),
    (149, "look at the NVLink connections"),
    (158, "reset the GPU"),
];

/// Devices whose medium can be taken out or is on the network: their errors are no hardware's.
const REMOVABLE: [&str; 6] = ["fd", "sr", "loop", "nbd", "rbd", "zram"];

/// All findings about a log.
pub(super) fn judge(log: &Log) -> Vec<Finding> {
    log.events.iter().map(|event| one(event, log)).collect()
}

type Said = (&'static str, Severity, Weight, &'static str, &'static str);

fn one(event: &Event, log: &Log) -> Finding {
    let (kind, said) = match event.family {
        Family::Medium | Family::DiskHardware | Family::DiskOffline | Family::DiskTimeout | Family::TaskAbort => {
            ("drive", disk(event, log))
        }
        Family::BlockError | Family::Filesystem | Family::Checksum | Family::ArrayMember => ("storage", storage(event)),
        Family::NvmeTimeout | Family::NvmeGone => ("drive", nvme(event, log)),
        Family::Link => ("link", link(event)),
        Family::MemoryCorrected | Family::MemoryUncorrected => ("memory", memory(event)),
        Family::Xid(_) | Family::GpuGone | Family::GpuHang => ("gpu", gpu(event)),
        Family::PcieFatal | Family::PcieNonfatal | Family::PcieCorrected => ("card", machine(event)),
        _ => ("machine", machine(event)),
    };
    let (rule, severity, weight, summary, action) = said;
    let part = Part { kind, name: event.device.clone(), ..Part::default() };
    Finding::new(part, rule, severity, weight, summary)
        .seen("times", event.count)
        .seen("first line", &event.line)
        .so(action)
}

fn disk(event: &Event, log: &Log) -> Said {
    let (warning, info, failing) = (Severity::Warning, Severity::Info, Weight::Failing);
    match event.family {
        Family::Medium => {
            let summary = "sectors of it cannot be read";
            (
                "kernel-medium-error",
                warning,
                failing,
                summary,
                "back up what is on it, run a long self-test, and replace it if that fails",
            )
        }
        Family::DiskHardware => {
            ("kernel-disk-hardware-error", warning, failing, "it says that its hardware fails", "replace it")
        }
        Family::DiskOffline => {
            ("kernel-disk-offline", Severity::Critical, Weight::Failed, "the kernel has given it up", "replace it")
        }
        Family::TaskAbort => {
            let disks = log.events.iter().filter(|other| other.family == Family::TaskAbort).count();
            if disks >= ADAPTER_DISKS {
                let summary = "many disks do not answer at once: adapter, expander or power";
                (
                    "kernel-adapter-suspected",
                    warning,
                    failing,
                    summary,
                    "look at adapter, cables and power before any disk",
                )
            } else {
                let summary = "a command had to be aborted";
                ("kernel-task-abort", info, Weight::Doubt, summary, "look at the disk's own counts")
            }
        }
        _ => {
            let summary = "a command was not answered in time: drive, link or error recovery";
            ("kernel-disk-timeout", info, Weight::Doubt, summary, "look at the disk's own counts")
        }
    }
}

fn storage(event: &Event) -> Said {
    let (warning, info, failing) = (Severity::Warning, Severity::Info, Weight::Failing);
    let is_removable = REMOVABLE.iter().any(|name| event.device.starts_with(name));
    match event.family {
        _ if is_removable => {
            let summary = "a medium that can be taken out, an image file or a disk of the network had errors";
            ("kernel-removable-medium", info, Weight::Told, summary, "")
        }
        Family::BlockError => {
            ("kernel-io-error", warning, failing, "reads or writes failed", "look at the disk's own counts")
        }
        Family::Checksum => {
            let summary = "data differs from its checksum";
            ("kernel-checksum", warning, failing, summary, "scrub; look at the disks below and test the memory")
        }
        Family::ArrayMember => {
            ("kernel-array-member-failed", warning, Weight::Failed, "a member of an array failed", "replace it")
        }
        _ => {
            let summary = "a file system found damage or stopped";
            ("kernel-filesystem", warning, failing, summary, "look at the storage below, then check the file system")
        }
    }
}

/// A guest's NVMe drive is a volume, and late answers are its host's or network's.
fn nvme(event: &Event, log: &Log) -> Said {
    if event.family == Family::NvmeGone && !log.is_guest {
        let summary = "the drive does not answer any more";
        return (
            "kernel-nvme-gone",
            Severity::Critical,
            Weight::Failed,
            summary,
            "power-cycle the machine; if it comes back, replace it",
        );
    }
    let summary = "a command was not answered in time, once in a while no sign of anything";
    ("kernel-nvme-timeout", Severity::Info, Weight::Told, summary, "")
}

fn link(event: &Event) -> Said {
    let summary = "transfers to the disk are corrupted: cable, port or backplane, not the disk";
    let action = "reseat or replace the cable; move the disk to another port to prove it";
    if event.count >= LINK_LINES {
        ("kernel-link-errors", Severity::Warning, Weight::Failing, summary, action)
    } else {
        ("kernel-link-errors", Severity::Info, Weight::Doubt, summary, action)
    }
}

fn memory(event: &Event) -> Said {
    let action = "reseat this module once; if it goes on, replace it";
    match event.family {
        Family::MemoryUncorrected => {
            let summary = "memory lost data";
            ("memory-uncorrected", Severity::Critical, Weight::Failed, summary, "replace this module")
        }
        _ if event.count >= MEMORY_CORRECTED => (
            "memory-corrected",
            Severity::Warning,
            Weight::Failing,
            "one module makes many errors, corrected so far",
            action,
        ),
        _ => {
            let summary = "a few errors were corrected; a third of all machines see that in a year";
            ("memory-corrected", Severity::Info, Weight::Doubt, summary, "watch whether they go on")
        }
    }
}

fn gpu(event: &Event) -> Said {
    let (warning, failing) = (Severity::Warning, Weight::Failing);
    match event.family {
        Family::GpuGone | Family::Xid(79) => {
            let action = "power-cycle the machine; if it comes back, have the GPU replaced";
            ("gpu-off-the-bus", Severity::Critical, Weight::Failed, "the GPU does not answer on its bus", action)
        }
        Family::Xid(code) => match XIDS.iter().find(|(known, _)| *known == code) {
            Some((_, action)) => ("gpu-xid", warning, failing, "the driver reports a fault of the GPU", action),
            None => {
                ("gpu-xid-of-a-program", Severity::Info, Weight::Told, "the driver reports a fault of a program", "")
            }
        },
        _ => ("gpu-hang", warning, failing, "the GPU's work hung", "update the driver; if it goes on, replace it"),
    }
}

fn machine(event: &Event) -> Said {
    let (critical, warning, info) = (Severity::Critical, Severity::Warning, Severity::Info);
    let look = "look at the log of the management controller for the part";
    match event.family {
        Family::MachineCheck => {
            ("machine-check", critical, Weight::Failing, "the processor reports errors it could not correct", look)
        }
        Family::HardwarePanic => {
            ("hardware-panic", critical, Weight::Failed, "the kernel stopped because of hardware", look)
        }
        Family::FirmwareFatal => {
            ("firmware-fatal-error", critical, Weight::Failed, "firmware reports a fatal error", look)
        }
        Family::PcieFatal => {
            ("pcie-fatal", critical, Weight::Failed, "a PCI Express device cannot go on", "reseat the card")
        }
        Family::PcieNonfatal => {
            ("pcie-nonfatal", warning, Weight::Failing, "PCI Express transfers were lost", "reseat the card")
        }
        Family::PcieCorrected => {
            let summary = "PCI Express errors were corrected; some platforms do that all the time";
            ("pcie-corrected", info, Weight::Told, summary, "")
        }
        Family::Adapter => (
            "disk-adapter-fault",
            warning,
            Weight::Failing,
            "the disk adapter's firmware failed",
            "update it; else replace it",
        ),
        Family::NicHang if event.count >= NIC_HANGS => (
            "nic-hang",
            warning,
            Weight::Failing,
            "the network adapter hangs",
            "update its driver and firmware; else replace it",
        ),
        Family::NicHang => {
            ("nic-hang", info, Weight::Doubt, "the network adapter hung once", "watch whether it does again")
        }
        Family::TooHot => {
            ("too-hot", warning, Weight::Failing, "a part became too hot to go on", "mend the airflow and the fans")
        }
        Family::UsbOverCurrent => {
            ("usb-over-current", info, Weight::Doubt, "a USB port was overloaded", "look at what is plugged in")
        }
        Family::Panic => {
            ("kernel-panic", info, Weight::Doubt, "the kernel stopped; nothing says that hardware did it", "")
        }
        _ => ("machine-check-note", info, Weight::Told, "errors were corrected, of which nothing more is said", ""),
    }
}
