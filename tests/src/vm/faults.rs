//! The faults: what is done to the machine, what is to be found of which part, and how it is mended.

/// Something done to the machine.
pub(crate) enum Deed {
    /// A script of its shell.
    Shell(&'static str),
    /// The critical warning of its NVMe drive (NVM Express base specification 2.0, figure 207), from outside.
    NvmeWarning(u8),
}

/// How a finding ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The part says that it is well again.
    Mended,
    /// The log said nothing more for a day.
    Silent,
}

/// A finding that a fault leads to.
#[derive(Debug)]
pub(crate) struct Told {
    /// Any of these, the first that it was found by: several signs of one part are one finding.
    pub(crate) rules: &'static [&'static str],
    pub(crate) part: &'static str,
    pub(crate) severity: &'static str,
    /// What an engineer needs to read in it.
    pub(crate) says: &'static [&'static str],
    pub(crate) end: End,
}

/// A fault.
pub(crate) struct Fault {
    pub(crate) what: &'static str,
    pub(crate) breaks: Deed,
    pub(crate) mends: Deed,
    pub(crate) told: &'static [Told],
}

/// All of them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        what: "NVMe drive: SMART turns FAILED",
        // Bit 2: its reliability is degraded.
        breaks: Deed::NvmeWarning(4),
        mends: Deed::NvmeWarning(0),
        told: &[Told {
            rules: &["nvme-unreliable"],
            part: "drive VM-NVME-1",
            severity: "critical",
            says: &["/dev/nvme0", "QEMU NVMe Ctrl", "critical warning 0x04", "replace"],
            end: End::Mended,
        }],
    },
    Fault {
        what: "RAID 1 of md: a member fails",
        breaks: Deed::Shell("mdadm /dev/md0 --fail $(disk VM-DISK-2)"),
        mends: Deed::Shell(
            "set -e; it=$(disk VM-DISK-2); mdadm /dev/md0 --remove $it; mdadm /dev/md0 --add $it; mdadm --wait /dev/md0 || true",
        ),
        told: &[
            Told {
                rules: &["array-degraded"],
                part: "array md0",
                severity: "critical",
                says: &["raid1", "no redundancy left", "back up"],
                end: End::Mended,
            },
            Told {
                rules: &["member-failed", "kernel-array-member-failed"],
                part: "drive VM-DISK-2",
                severity: "warning",
                says: &["/dev/sd", "VM-DISK", "failed", "replace"],
                end: End::Mended,
            },
        ],
    },
    Fault {
        what: "SCSI disk: sectors cannot be read",
        // The module's own error: SCSI_DEBUG_OPT_MEDIUM_ERR at ten sectors from 0x1234 (drivers/scsi/scsi_debug.c).
        breaks: Deed::Shell(
            "echo 2 >/sys/bus/pseudo/drivers/scsi_debug/opts; dd if=/dev/sdc of=/dev/null bs=4k skip=582 count=1 iflag=direct; true",
        ),
        mends: Deed::Shell(
            "set -e; echo 0 >/sys/bus/pseudo/drivers/scsi_debug/opts; dd if=/dev/sdc of=/dev/null bs=4k iflag=direct",
        ),
        told: &[Told {
            rules: &["kernel-medium-error"],
            part: "drive 14000",
            severity: "warning",
            says: &["/dev/sdc", "Linux scsi_debug", "Medium Error", "self-test"],
            end: End::Silent,
        }],
    },
    Fault {
        what: "BMC: a power supply fails",
        // Revision, sensor type, number, assertion and event type, three bytes of data: IPMI 2.0, table 42-3.
        breaks: Deed::Shell("echo 0x04 0x08 0x51 0x6f 0x01 0xff 0xff >/run/event && ipmitool sel add /run/event"),
        mends: Deed::Shell("echo 0x04 0x08 0x51 0xef 0x01 0xff 0xff >/run/event && ipmitool sel add /run/event"),
        told: &[Told {
            rules: &["bmc-event"],
            part: "sensor Power Supply #0x51",
            severity: "warning",
            says: &["Failure detected", "replace"],
            end: End::Mended,
        }],
    },
    Fault {
        what: "BMC: it is too hot",
        breaks: Deed::Shell("echo 0x04 0x01 0x30 0x01 0x59 0x50 0x4b >/run/event && ipmitool sel add /run/event"),
        mends: Deed::Shell("echo 0x04 0x01 0x30 0x81 0x59 0x50 0x4b >/run/event && ipmitool sel add /run/event"),
        told: &[Told {
            rules: &["bmc-event"],
            part: "sensor Temperature #0x30",
            severity: "warning",
            says: &["Upper Critical going high"],
            end: End::Mended,
        }],
    },
];
