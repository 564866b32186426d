//! The kernel's log, from `dmesg`, journald, `/dev/kmsg` or pstore: the lines that speak of hardware, gathered by what they
//! say and of which part.

use super::text::{digits, short};

/// Most lines that are looked at.
const LINES: usize = 1_000_000;
/// Most different events that are kept; each device has a few.
const EVENTS: usize = 1_000;

/// What the log says of hardware.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Log {
    /// Events of one family and part, in the order in which they first came.
    pub events: Vec<Event>,
    /// Lines that were read.
    pub lines: usize,
    /// The machine is a guest: its disks are somebody else's.
    pub is_guest: bool,
}

/// Lines that say the same of one part.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// What they say.
    pub family: Family,
    /// Of which part: a device, a DIMM's label, a PCI address; empty where the line does not say.
    pub device: String,
    /// How often; more than the lines where a line says how many.
    pub count: u64,
    /// The first of them.
    pub line: String,
}

/// What a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// A disk could not read its medium (`UNC`, Medium Error).
    Medium,
    /// A disk says that its own hardware fails.
    DiskHardware,
    /// A SATA transfer was corrupted or the link lost.
    Link,
    /// A command was not answered in time.
    DiskTimeout,
    /// A command to a disk was aborted, its bus or adapter reset.
    TaskAbort,
    /// A disk was taken offline.
    DiskOffline,
    /// Reads or writes failed, for whatever reason.
    BlockError,
    /// An NVMe drive did not answer a command in time.
    NvmeTimeout,
    /// An NVMe controller does not answer any more, or was removed.
    NvmeGone,
    /// A disk adapter's firmware failed.
    Adapter,
    /// A member of an array failed.
    ArrayMember,
    /// A file system found damage, stopped or became read-only.
    Filesystem,
    /// A file system found data that differs from its checksum.
    Checksum,
    /// Memory errors that were corrected.
    MemoryCorrected,
    /// Memory errors that were not.
    MemoryUncorrected,
    /// A processor's error that was not corrected.
    MachineCheck,
    /// Corrected errors that say no more, and other notes of the machine check architecture.
    MachineCheckNote,
    /// Firmware reports an error of a part that is not memory, and it was fatal.
    FirmwareFatal,
    /// PCI Express errors that were corrected.
    PcieCorrected,
    /// PCI Express errors that were not, and the device goes on.
    PcieNonfatal,
    /// PCI Express errors after which the device cannot go on.
    PcieFatal,
    /// An NVIDIA driver's error number.
    Xid(u64),
    /// A GPU does not answer on its bus.
    GpuGone,
    /// A GPU's work hung and was reset.
    GpuHang,
    /// A network adapter's transmit unit hung.
    NicHang,
    /// A part became so hot that the machine must stop.
    TooHot,
    /// A USB port's supply was overloaded.
    UsbOverCurrent,
    /// The kernel stopped for a reason that names hardware.
    HardwarePanic,
    /// The kernel stopped.
    Panic,
}

/// What a line has to have, all of it, and what it then says; the first that fits wins.
const PATTERNS: &[(&[&str], Family)] = &[
    (&["fallen off the bus"], Family::GpuGone),
    (&["NVRM: Xid"], Family::Xid(0)),
    (&["Kernel panic", "machine check"], Family::HardwarePanic),
    (&["Kernel panic", "Machine check"], Family::HardwarePanic),
    (&["Kernel panic", "Hardware Error"], Family::HardwarePanic),
    (&["Kernel panic", "hardware error"], Family::HardwarePanic),
    (&["Kernel panic"], Family::Panic),
    (&["BUG: unable to handle"], Family::Panic),
    (&["EDAC MC", " UE "], Family::MemoryUncorrected),
    (&["EDAC", "CE error"], Family::MemoryCorrected),
    (&["EDAC MC", " CE "], Family::MemoryCorrected),
    (&["Memory failure: 0x"], Family::MemoryUncorrected),
    (&["Uncorrected hardware memory error"], Family::MemoryUncorrected),
    (&["Machine Check Exception"], Family::MachineCheck),
    (&["[Hardware Error]", "Uncorrected"], Family::MachineCheck),
    (&["Machine check events logged"], Family::MachineCheckNote),
    (&["severity=Corrected"], Family::PcieCorrected),
    (&["AER", "Corrected error"], Family::PcieCorrected),
    (&["AER", "Correctable error"], Family::PcieCorrected),
    (&["severity=Uncorrected (Non-Fatal)"], Family::PcieNonfatal),
    (&["severity=Uncorrectable (Non-Fatal)"], Family::PcieNonfatal),
    (&["severity=Uncorrected (Fatal)"], Family::PcieFatal),
    (&["severity=Uncorrectable (Fatal)"], Family::PcieFatal),
    (&["Sense Key : Medium Error"], Family::Medium),
    (&["critical medium error"], Family::Medium),
    (&["(media error)"], Family::Medium),
    (&["error: {", "UNC"], Family::Medium),
    (&["Sense Key : Hardware Error"], Family::DiskHardware),
    (&["SError: {", "BadCRC"], Family::Link),
    (&["SError: {", "10B8B"], Family::Link),
    (&["SError: {", "Handshk"], Family::Link),
    (&["interface fatal error"], Family::Link),
    (&["Emask 0x10 "], Family::Link),
    (&["error: {", "ICRC"], Family::Link),
    (&["limiting SATA link speed"], Family::Link),
    (&["(timeout)", "Emask"], Family::DiskTimeout),
    (&["attempting task abort"], Family::TaskAbort),
    (&["attempting host reset"], Family::TaskAbort),
    (&["rejecting I/O to offline device"], Family::DiskOffline),
    (&["Device offlined"], Family::DiskOffline),
    (&["ata", ".00: disabled"], Family::DiskOffline),
    (&["nvme", "I/O", "timeout"], Family::NvmeTimeout),
    (&["nvme", "Removing after probe failure"], Family::NvmeGone),
    (&["nvme", "Device not ready; aborting reset"], Family::NvmeGone),
    (&["nvme", "Disabling device after reset failure"], Family::NvmeGone),
    (&["nvme", "controller is down", "0xffffffff"], Family::NvmeGone),
    (&["mpt", "fault_state("], Family::Adapter),
    (&["megaraid_sas", "FW in FAULT state"], Family::Adapter),
    (&["hpsa", "lockup detected"], Family::Adapter),
    (&["aacraid", "Host adapter", "dead"], Family::Adapter),
    (&["Disk failure on "], Family::ArrayMember),
    (&["blk_update_request", "I/O error"], Family::BlockError),
    (&["print_req_error", "I/O error"], Family::BlockError),
    (&["end_request: I/O error"], Family::BlockError),
    (&["I/O error, dev "], Family::BlockError),
    (&["Buffer I/O error"], Family::BlockError),
    (&["csum failed"], Family::Checksum),
    (&["checksum verify failed"], Family::Checksum),
    (&["EXT4-fs error"], Family::Filesystem),
    (&["EXT3-fs error"], Family::Filesystem),
    (&["Remounting filesystem read-only"], Family::Filesystem),
    (&["XFS", "Shutting down filesystem"], Family::Filesystem),
    (&["XFS", "shutting down filesystem"], Family::Filesystem),
    (&["JBD2", "abort"], Family::Filesystem),
    (&["BTRFS", "forced readonly"], Family::Filesystem),
    (&["NETDEV WATCHDOG", "timed out"], Family::NicHang),
    (&["Detected Hardware Unit Hang"], Family::NicHang),
    (&["amdgpu", "ring", "timeout"], Family::GpuHang),
    (&["critical temperature reached"], Family::TooHot),
    (&["over-current condition"], Family::UsbOverCurrent),
];

/// What of a log's lines shows that the machine is a guest.
const GUESTS: [&str; 5] = [
    "Hypervisor detected:",
    "Booting paravirtualized kernel on KVM",
    "DMI: QEMU",
    "DMI: VMware",
    "systemd[1]: Detected virtualization",
];

/// The events in a log.
pub(super) fn read(text: &str) -> Log {
    let mut log = Log::default();
    let mut firmware = Firmware::default();
    for line in text.lines().take(LINES) {
        log.lines += 1;
        log.is_guest |= GUESTS.iter().any(|guest| line.contains(guest));
        firmware.hear(line, &mut log);
        log.forget_what_was_mended(line);
        let Some(family) = family(line) else { continue };
        let (device, times) = match family {
            Family::MemoryCorrected => (dimm(line), times(line)),
            _ => (device(line, family), 1),
        };
        log.note(family, device, times, line);
    }
    firmware.done(&mut log);
    log
}

/// Whether a text looks like a kernel's log: most of its first lines have a time stamp of the kernel, of syslog with the
/// kernel's name, or of `/dev/kmsg`, or it has a line of one of the families.
pub(super) fn is_one(text: &str) -> bool {
    let lines = || text.lines().filter(|line| !line.trim().is_empty()).take(40);
    let stamped = lines().filter(|line| is_stamped(line)).count();
    stamped * 2 >= lines().count().max(1)
        || text.contains(" kernel: ")
        || text.lines().any(|line| family(line).is_some())
}

fn is_stamped(line: &str) -> bool {
    let line = line.trim_start();
    let line = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).map_or(line, |(_, rest)| rest);
    let inside = line.strip_prefix('[').and_then(|rest| rest.split_once(']')).map(|(inside, _)| inside.trim());
    inside.is_some_and(|stamp| stamp.contains('.') && stamp.chars().all(|c| c.is_ascii_digit() || c == '.'))
        || inside.is_some_and(|stamp| stamp.len() == 24 && stamp.contains(':'))
        || line.contains(" kernel: ")
        || line.starts_with("kern  :")
        || line
            .split_once(";")
            .is_some_and(|(head, _)| head.split(',').filter(|part| digits(part).is_some()).count() >= 3)
}

/// Bit 61 of a bank's status: the error was not corrected (Intel SDM 3B, 17.3.2.2; AMD's is the same).
const UNCORRECTED: u64 = 1 << 61;

/// `mce: [Hardware Error]: CPU 0: Machine Check: 0 Bank 5: be00000000800400`
fn bank(line: &str) -> Option<Family> {
    let (_, rest) = line.split_once("Machine Check").filter(|_| !line.contains("Machine Check Exception"))?;
    let status = rest.split_once("Bank ")?.1.split_once(": ")?.1.split_whitespace().next()?;
    let status = u64::from_str_radix(status, 16).ok()?;
    Some(if status & UNCORRECTED == 0 { Family::MachineCheckNote } else { Family::MachineCheck })
}

fn family(line: &str) -> Option<Family> {
    if let Some(family) = bank(line) {
        return Some(family);
    }
    let (_, family) = PATTERNS.iter().find(|(parts, _)| parts.iter().all(|part| line.contains(part)))?;
    Some(match family {
        // NVRM: Xid (PCI:0000:9b:00): 119, pid=...
        Family::Xid(_) => Family::Xid(line.split("): ").nth(1).and_then(digits)?),
        family => *family,
    })
}

impl Log {
    fn note(&mut self, family: Family, device: String, times: u64, line: &str) {
        if let Some(event) = self.events.iter_mut().find(|event| event.family == family && event.device == device) {
            event.count = event.count.saturating_add(times);
        } else if self.events.len() < EVENTS {
            self.events.push(Event { family, device, count: times, line: short(line) });
        }
    }

    /// `md: md0: recovery done.`: an array that lost a member is whole again.
    fn forget_what_was_mended(&mut self, line: &str) {
        let recovered = line.split_once("md: ").and_then(|(_, rest)| rest.strip_suffix(": recovery done."));
        if let Some(array) = recovered {
            let of = format!(":{array}:");
            self.events.retain(|event| event.family != Family::ArrayMember || !event.line.contains(&of));
        }
    }

    /// How often a family was seen, on whatever part.
    #[must_use]
    pub fn count(&self, family: Family) -> u64 {
        self.events.iter().filter(|event| event.family == family).map(|event| event.count).sum()
    }
}

/// The part that a line speaks of.
fn device(line: &str, family: Family) -> String {
    let after = |mark: &str| line.split_once(mark).map(|(_, rest)| rest);
    let word = |text: &str, until: &[char]| text.split(until).next().unwrap_or_default().trim().to_owned();
    let ends = [' ', ',', ':', ')', ']', '.'];
    if let Some(disk) = after("[sd") {
        return format!("sd{}", word(disk, &ends));
    }
    if let Some(disk) = after("dev ").filter(|_| matches!(family, Family::BlockError | Family::Medium)) {
        return word(disk, &ends);
    }
    if let Some(device) = after("on device ").filter(|_| family == Family::BlockError) {
        return word(device, &ends);
    }
    if let Some(device) = after("Disk failure on ") {
        return word(device, &ends);
    }
    if let Family::Xid(_) | Family::GpuGone = family {
        return after("(PCI:").or_else(|| after("GPU ")).map(|address| word(address, &[')', ' '])).unwrap_or_default();
    }
    let words = || line.split([' ', '\t']).map(|word| word.trim_end_matches(':'));
    let starts = |word: &str, letters: &str| {
        word.strip_prefix(letters).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    // ata1.00 and its link ata1 are one device's port.
    if let Some(port) = words().find(|word| starts(word, "ata")) {
        return word(port, &['.']);
    }
    if let Some(device) = words().find(|word| starts(word, "nvme")) {
        return device.to_owned();
    }
    let is_pci = |word: &str| word.len() >= 12 && word.as_bytes()[4] == b':' && word.as_bytes()[7] == b':';
    if let Some(address) = words().find(|word| is_pci(word)) {
        return address.to_owned();
    }
    if let Some(filesystem) = after("(device ").or_else(|| after("XFS (")).or_else(|| after("-fs (")) {
        return word(filesystem, &[')', ' ']);
    }
    if let Some(address) =
        words().find(|word| word.split(':').count() == 4 && word.starts_with(|c: char| c.is_ascii_digit()))
    {
        return address.to_owned();
    }
    String::new()
}

/// `EDAC MC0: 4 CE error on CPU#0Channel#2_DIMM#0 (channel:2 slot:0 ...`
fn dimm(line: &str) -> String {
    let label = line.split_once(" on ").map(|(_, rest)| rest.split(" (").next().unwrap_or(rest));
    let controller = || line.find("MC").map(|at| line[at..].split([':', ' ']).next().unwrap_or_default());
    short(label.or_else(controller).unwrap_or_default())
}

fn times(line: &str) -> u64 {
    let before = line.split(" CE ").next().unwrap_or_default();
    before.split_whitespace().next_back().and_then(digits).filter(|times| *times > 0).unwrap_or(1)
}

/// Errors that firmware found come in blocks of lines: `{35}[Hardware Error]: ...`, the number counting them since the boot.
#[derive(Default)]
struct Firmware {
    number: u64,
    is_corrected: bool,
    is_fatal: bool,
    is_memory: bool,
    place: String,
    line: String,
    seen: u64,
}

impl Firmware {
    fn hear(&mut self, line: &str, log: &mut Log) {
        let Some((head, said)) = line.split_once("}[Hardware Error]:") else { return };
        let number = head.rsplit_once('{').and_then(|(_, number)| digits(number)).unwrap_or(0);
        if said.contains("Hardware error from APEI") || number != self.number {
            self.done(log);
            self.number = number;
            self.line = short(line);
        }
        if let Some((_, severity)) = said.split_once("event severity:") {
            (self.is_corrected, self.is_fatal) = (severity.contains("corrected"), severity.contains("fatal"));
        }
        if let Some((_, text)) = said.split_once("fru_text:") {
            self.place = short(text);
        }
        self.is_memory |= said.contains("section_type: memory error");
    }

    fn done(&mut self, log: &mut Log) {
        let found = std::mem::take(self);
        self.seen = found.seen;
        if found.line.is_empty() {
            return;
        }
        let family = match (found.is_memory, found.is_corrected, found.is_fatal) {
            (true, true, _) => Family::MemoryCorrected,
            (true, false, _) => Family::MemoryUncorrected,
            (false, _, true) => Family::FirmwareFatal,
            (false, _, false) => Family::MachineCheckNote,
        };
        // The first block that is shown stands for those before it as well: they are counted from the boot on.
        let times = if self.seen == 0 { found.number.max(1) } else { 1 };
        self.seen = found.number;
        log.note(family, found.place, times, &found.line);
    }
}
