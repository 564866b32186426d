//! The formats that are understood, and telling them from the content.

use serde_json::Value;

use super::{
    gpu, kernel_log, memory, nic,
    raid::{plain, powervault},
    redfish, sensors, sysfs, zpool,
};

/// A format: one tool's way to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `smartctl --json`.
    SmartctlJson,
    /// `smartctl -a`, `-x` for people.
    SmartctlText,
    /// `nvme smart-log -o json`.
    NvmeJson,
    /// `nvme smart-log`.
    NvmeText,
    /// `/proc/mdstat`.
    Mdstat,
    /// `mdadm --detail`, `--examine`.
    Mdadm,
    /// `zpool status`, `zpool list -v`, `/proc/spl/kstat/zfs/*/state`.
    Zpool,
    /// `zpool status -j`.
    ZpoolJson,
    /// mpt-status, dmraid, cciss_vol_status and their like.
    PlainRaid,
    /// Redfish.
    Redfish,
    /// storcli and perccli with `J`.
    StorcliJson,
    /// storcli and perccli.
    Storcli,
    /// MegaCli, CmdTool2.
    Megacli,
    /// megarc.
    Megarc,
    /// ssacli, hpssacli, hpacucli.
    Ssacli,
    /// arcconf.
    Arcconf,
    /// sas2ircu, sas3ircu.
    Sas2ircu,
    /// tw_cli.
    TwCli,
    /// cli64 of Areca.
    Areca,
    /// omreport of Dell.
    Omreport,
    /// JSON of storage arrays of Dell and Dot Hill.
    Powervault,
    /// `lvs --reportformat json`.
    LvsJson,
    /// `dmsetup status`.
    Dmsetup,
    /// `/proc/drbd`.
    Drbd,
    /// The kernel's log.
    KernelLog,
    /// FreeIPMI and ipmitool: sensors, event log.
    Ipmi,
    /// Counters of memory errors.
    Edac,
    /// Uninterruptible power supplies.
    Ups,
    /// Batteries of laptops.
    Battery,
    /// NVIDIA GPUs.
    Gpu,
    /// Network interfaces.
    Nic,
    /// Block devices of sysfs, one `path:value` a line, as the agent writes them.
    BlockSysfs,
    /// Files of `/sys/block/md*/md/`.
    MdSysfs,
    /// Files of `/sys/fs/btrfs/`.
    BtrfsSysfs,
    /// Files of multipath devices.
    MultipathSysfs,
    /// Files of eMMC.
    MmcSysfs,
    /// Files of PCI Express devices.
    Pcie,
    /// Files of a network interface.
    NicSysfs,
    /// `/proc/meminfo`.
    Meminfo,
    /// Files of AMD's GPUs.
    AmdRas,
    /// Files of InfiniBand adapters.
    Infiniband,
    /// Files of ports of Fibre Channel.
    FibreChannel,
    /// Files of links of SAS.
    SasPhy,
    /// A list of devices by any tool: `smartctl --scan --json`, `nvme list`.
    DeviceList,
}

/// Each kind with its name on the command line and what prints it.
const KINDS: &[(Kind, &str, &str)] = &[
    (Kind::SmartctlJson, "smartctl-json", "smartctl -x --json"),
    (Kind::SmartctlText, "smartctl-text", "smartctl -x"),
    (Kind::NvmeJson, "nvme-json", "nvme smart-log -o json"),
    (Kind::NvmeText, "nvme-text", "nvme smart-log"),
    (Kind::Mdstat, "mdstat", "/proc/mdstat"),
    (Kind::Mdadm, "mdadm", "mdadm --detail, mdadm --examine"),
    (Kind::Zpool, "zpool", "zpool status, zpool list -v, /proc/spl/kstat/zfs/POOL/state"),
    (Kind::ZpoolJson, "zpool-json", "zpool status -j"),
    (Kind::StorcliJson, "storcli-json", "storcli /cALL show all J, perccli"),
    (Kind::Storcli, "storcli", "storcli /cALL show all, perccli"),
    (Kind::Megacli, "megacli", "MegaCli -PDList -aALL, -LDInfo -Lall -aALL, -AdpBbuCmd -aALL"),
    (Kind::Megarc, "megarc", "megarc -dispCfg -a0"),
    (Kind::Ssacli, "ssacli", "ssacli ctrl all show config detail, hpacucli"),
    (Kind::Arcconf, "arcconf", "arcconf getconfig 1"),
    (Kind::Sas2ircu, "sas2ircu", "sas2ircu 0 display, sas3ircu"),
    (Kind::TwCli, "tw-cli", "tw_cli info c0"),
    (Kind::Areca, "areca", "cli64 vsf info, disk info"),
    (Kind::Omreport, "omreport", "omreport storage pdisk controller=0, vdisk, chassis"),
    (Kind::Powervault, "powervault", "JSON of the API of ME4 and MSA arrays"),
    (Kind::PlainRaid, "raid-plain", "mpt-status, dmraid -r, cciss_vol_status, mvcli, ipssend, metastat"),
    (Kind::Redfish, "redfish", "JSON of a Redfish service: systems, chassis, storage, power, thermal"),
    (Kind::LvsJson, "lvs-json", "lvs --reportformat json -o +lv_health_status"),
    (Kind::Dmsetup, "dmsetup", "dmsetup status"),
    (Kind::Drbd, "drbd", "/proc/drbd"),
    (Kind::KernelLog, "kernel-log", "dmesg, journalctl -k, /dev/kmsg, pstore"),
    (Kind::Ipmi, "ipmi", "ipmi-sensors, ipmi-sel, ipmitool sensor, sdr elist, sel list"),
    (Kind::Edac, "edac", "grep . /sys/devices/system/edac/mc/mc*/csrow*/*_count, edac-util -v, mcelog --client"),
    (Kind::Ups, "ups", "upsc NAME, apcaccess status"),
    (Kind::Battery, "battery", "acpi -V, upower -i, /sys/class/power_supply/BAT0/uevent"),
    (Kind::Gpu, "gpu", "nvidia-smi -q, nvidia-smi -q -x"),
    (Kind::Nic, "nic", "ethtool -S, ethtool -m, /proc/net/bonding/bond0"),
    (Kind::BlockSysfs, "block-sysfs", "links, holders and sizes of /sys/block as `path:value`: which drive is which"),
    (Kind::MdSysfs, "md-sysfs", "grep . /sys/block/md*/md/* /sys/block/md*/md/dev-*/*"),
    (Kind::BtrfsSysfs, "btrfs-sysfs", "grep . /sys/fs/btrfs/*/label /sys/fs/btrfs/*/devinfo/*/*"),
    (
        Kind::MultipathSysfs,
        "multipath-sysfs",
        "grep . /sys/block/dm-*/dm/{name,uuid} /sys/block/dm-*/slaves/*/device/state",
    ),
    (Kind::MmcSysfs, "mmc-sysfs", "grep . /sys/block/mmcblk*/device/*"),
    (Kind::Pcie, "pcie", "grep . /sys/bus/pci/devices/*/aer_dev_* /sys/bus/pci/devices/*/*_link_width"),
    (Kind::NicSysfs, "nic-sysfs", "grep . /sys/class/net/eth0/* /sys/class/net/eth0/statistics/*"),
    (Kind::Meminfo, "meminfo", "/proc/meminfo"),
    (Kind::AmdRas, "amd-ras", "grep . /sys/class/drm/card*/device/ras/*_err_count"),
    (Kind::Infiniband, "infiniband", "grep . /sys/class/infiniband/*/ports/*/{state,phys_state,counters/*}"),
    (Kind::FibreChannel, "fc-sysfs", "grep . /sys/class/fc_host/host*/* /sys/class/fc_host/host*/statistics/*"),
    (Kind::SasPhy, "sas-sysfs", "grep . /sys/class/sas_phy/phy-*/*"),
    (Kind::DeviceList, "device-list", "smartctl --scan, nvme list: tells nothing of health"),
];

/// What the kernel says of a pool, alone in a file.
const POOL_STATES: [&str; 5] = ["ONLINE", "DEGRADED", "FAULTED", "SUSPENDED", "UNAVAIL"];
/// So much of a text is looked at for what it is, in bytes.
const LOOKED_AT: usize = 1 << 20;

impl Kind {
    /// All kinds with their names and what prints them.
    pub fn all() -> impl Iterator<Item = (Self, &'static str, &'static str)> {
        KINDS.iter().copied()
    }

    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|(_, known, _)| *known == name).map(|(kind, _, _)| kind)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::all().find(|(kind, _, _)| *kind == self).map_or("", |(_, name, _)| name)
    }

    /// Whether it is a JSON document.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(
            self,
            Self::SmartctlJson
                | Self::NvmeJson
                | Self::ZpoolJson
                | Self::StorcliJson
                | Self::Powervault
                | Self::LvsJson
        )
    }

    /// Which one the content is.
    #[must_use]
    pub(super) fn of(text: &str, document: Option<&Value>) -> Option<Self> {
        if let Some(document) = document {
            return of_document(document);
        }
        let cut = (0..=LOOKED_AT.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        of_text(&text[..cut])
    }
}

fn of_document(document: &Value) -> Option<Kind> {
    let has = |key: &str| !document[key].is_null();
    match () {
        () if has("devices") || has("Devices") => Some(Kind::DeviceList),
        () if has("smartctl") || has("smart_status") || has("ata_smart_attributes") => Some(Kind::SmartctlJson),
        () if has("critical_warning") => Some(Kind::NvmeJson),
        () if has("Controllers") => Some(Kind::StorcliJson),
        () if powervault::is_one(document) => Some(Kind::Powervault),
        () if redfish::is_one(document) => Some(Kind::Redfish),
        () if has("report") && document["report"].is_array() => Some(Kind::LvsJson),
        () if has("pools") && document["pools"].is_object() => Some(Kind::ZpoolJson),
        () => None,
    }
}

fn of_text(text: &str) -> Option<Kind> {
    let has = |part: &str| text.contains(part);
    let starts = |part: &str| text.trim_start().starts_with(part);
    match () {
        // Models of drives may be called like anything else.
        () if starts("/sys/block/") && (has("/holders:") || has("/size:") || has(":../devices/")) => {
            Some(Kind::BlockSysfs)
        }
        () if has("=== START OF") || has("SMART Attributes Data Structure") || has("SMART overall-health") => {
            Some(Kind::SmartctlText)
        }
        () if has("SMART/Health Information (NVMe Log") || has("SMART Health Status:") => Some(Kind::SmartctlText),
        () if has("Smart Log for NVME") || has("critical_warning") && has("available_spare") => Some(Kind::NvmeText),
        () if starts("Personalities :") || has("\nunused devices:") => Some(Kind::Mdstat),
        () if has("Raid Level :") && (has("Raid Devices :") || has("Total Devices :") || has("Magic :")) => {
            Some(Kind::Mdadm)
        }
        () if has("Magic : de11de11") || has("Magic : Intel Raid") => Some(Kind::Mdadm),
        () if has("  pool:") && has(" state:") || zpool::is_list(text) => Some(Kind::Zpool),
        () if text.trim() == zpool::ALL_WELL => Some(Kind::Zpool),
        () if POOL_STATES.contains(&text.trim()) => Some(Kind::Zpool),
        () if text.starts_with("smartctl ") || has("www.smartmontools.org") => Some(Kind::SmartctlText),
        () if sysfs::has(text, &["md/array_state", "md/level"]) => Some(Kind::MdSysfs),
        () if sysfs::has(text, &["error_stats", "in_fs_metadata"]) => Some(Kind::BtrfsSysfs),
        () if text.contains("/slaves/") && sysfs::has(text, &["device/state"]) => Some(Kind::MultipathSysfs),
        () if sysfs::has(text, &["life_time", "pre_eol_info"]) => Some(Kind::MmcSysfs),
        () if sysfs::has(text, &["aer_dev_fatal", "aer_dev_correctable", "current_link_width"]) => Some(Kind::Pcie),
        () if sysfs::has(text, &["carrier_changes", "rx_crc_errors"]) => Some(Kind::NicSysfs),
        () if text.contains("/ras/") && text.contains("_err_count:") => Some(Kind::AmdRas),
        () if sysfs::has(text, &["phys_state", "link_error_recovery"]) => Some(Kind::Infiniband),
        () if sysfs::has(text, &["invalid_crc_count", "loss_of_sync_count"]) => Some(Kind::FibreChannel),
        () if sysfs::has(text, &["negotiated_linkrate", "invalid_dword_count"]) => Some(Kind::SasPhy),
        () if text.lines().any(|line| line.starts_with("HardwareCorrupted:")) => Some(Kind::Meminfo),
        () => of_controller(text),
    }
}

/// The tools of RAID controllers.
fn of_controller(text: &str) -> Option<Kind> {
    let has = |part: &str| text.contains(part);
    let starts = |part: &str| text.trim_start().starts_with(part);
    match () {
        () if has("CLI Version = ") && has("Controller = ") => Some(Kind::Storcli),
        () if has("MEGARC MegaRAID") => Some(Kind::Megarc),
        () if has("Enclosure Device ID:") || has("BBU status for Adapter") || has("Virtual Drive Information") => {
            Some(Kind::Megacli)
        }
        () if has("Virtual Disk Information") && has("Adapter") || has("Virtual Drive:") && has("Target Id:") => {
            Some(Kind::Megacli)
        }
        () if has("Product Name    :") && has("Critical Disks") => Some(Kind::Megacli),
        () if has("Slot Number:") && has("Firmware state:") => Some(Kind::Megacli),
        () if plain::is_one(text) => Some(Kind::PlainRaid),
        () if has("Smart Array") || has("Smart HBA") || has("physicaldrive ") => Some(Kind::Ssacli),
        () if has("Controllers found:") || has("Logical device information") => Some(Kind::Arcconf),
        () if has("SAS2IRCU") || has("SAS3IRCU") || has("IR Configuration Utility") => Some(Kind::Sas2ircu),
        () if has("GuiErrMsg<") => Some(Kind::Areca),
        () if has("%RCmpl") || has("(V)Ports") || has("VPort Status") || has("Port   Status") => Some(Kind::TwCli),
        () if has("OnlineState  BBUReady") || has("/c0/e") || has("// tw_cli") || has("/c0 Model =") => {
            Some(Kind::TwCli)
        }
        () if starts("Encl ") && has("Slot ") => Some(Kind::TwCli),
        () if has("Failure Predicted")
            || has("List of Physical Disks")
            || has("List of Virtual Disks")
            || has("SEVERITY : COMPONENT") =>
        {
            Some(Kind::Omreport)
        }
        () if has("(api:") && has("version:") && has("proto:") => Some(Kind::Drbd),
        () if sensors::is_one(text) => Some(Kind::Ipmi),
        () if gpu::is_one(text) => Some(Kind::Gpu),
        () if memory::is_one(text) => Some(Kind::Edac),
        () if has("UPSMODE") || has("ups.status") || has("STATFLAG") => Some(Kind::Ups),
        () if has("POWER_SUPPLY_NAME=") || starts("Battery 0:") || has("native-path:") => Some(Kind::Battery),
        () if nic::is_one(text) => Some(Kind::Nic),
        () if kernel_log::is_one(text) => Some(Kind::KernelLog),
        () if starts("/dev/") && has(" -d ") && has(" # ") || starts("Node ") && has("Namespace") => {
            Some(Kind::DeviceList)
        }
        () if text.lines().any(is_device_mapper) => Some(Kind::Dmsetup),
        () => None,
    }
}

/// `vg-root: 0 2097152 linear`
fn is_device_mapper(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [name, first, length, target, ..] = words[..] else { return false };
    let is_number = |text: &str| text.parse::<u64>().is_ok();
    const TARGETS: [&str; 8] = ["linear", "raid", "mirror", "striped", "multipath", "thin-pool", "thin", "cache"];
    name.ends_with(':') && is_number(first) && is_number(length) && TARGETS.contains(&target)
}
