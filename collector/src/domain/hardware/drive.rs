//! A drive as it describes itself, whichever tool was asked.

use super::attribute::Attribute;

/// What a drive says of itself. Nothing in it is judged; what it did not say is `None` or empty, never zero.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Drive {
    /// Who it is.
    pub identity: Identity,
    /// What it speaks.
    pub protocol: Protocol,
    /// What it stores on.
    pub medium: Medium,
    /// No drive at all, but a volume of a RAID controller or of a virtual machine.
    pub is_virtual: bool,
    /// What it says of its own health.
    pub self_verdict: SelfVerdict,
    /// ATA: vendor attributes, in their order.
    pub attributes: Vec<Attribute>,
    /// ATA: device statistics (General Purpose Log 04h).
    pub statistics: Statistics,
    /// NVMe: health information (log page 02h).
    pub nvme: Option<NvmeHealth>,
    /// SCSI: counters and defect list.
    pub scsi: Option<ScsiHealth>,
    /// Self-tests, the latest first.
    pub self_tests: Vec<SelfTest>,
    /// Errors that it has logged.
    pub errors: ErrorLog,
    /// Hours for which it was on.
    pub hours: Option<u64>,
    /// Its temperature in degrees Celsius.
    pub temperature_celsius: Option<i64>,
    /// Above this it says that it is damaged or switches itself off, in degrees Celsius.
    pub trip_celsius: Option<i64>,
    /// The exit status of smartctl, a set of bits (smartctl(8), EXIT STATUS).
    pub exit_status: Option<u64>,
    /// What the tool complained of.
    pub complaints: Vec<String>,
}

/// Who a drive is; empty where it does not say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// Model as the drive says it.
    pub model: String,
    /// Family by smartmontools' drive database; empty where it does not know the model.
    pub family: String,
    /// Serial number.
    pub serial: String,
    /// Firmware revision.
    pub firmware: String,
    /// World wide name or logical unit id.
    pub wwn: String,
    /// Device node or address that was asked.
    pub device: String,
}

/// What a drive speaks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Protocol {
    /// SATA or PATA.
    Ata,
    /// NVM Express.
    Nvme,
    /// SAS, parallel SCSI, or a translation that shows no more than SCSI.
    Scsi,
    /// It does not say.
    #[default]
    Unsaid,
}

/// What a drive stores on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Medium {
    /// Rotating disks.
    Rotating,
    /// Flash.
    Flash,
    /// It does not say.
    #[default]
    Unsaid,
}

/// What a drive says of its own health.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SelfVerdict {
    /// It passes.
    Passed,
    /// It has failed or is about to.
    Failed,
    /// It was not asked, cannot say, or the answer did not arrive. Not a failure.
    #[default]
    Unsaid,
}

/// The device statistics that say how a drive does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Number of Reallocated Logical Sectors.
    pub reallocated: Option<u64>,
    /// Pending Error Count / Number of Realloc. Candidate Logical Sectors.
    pub pending: Option<u64>,
    /// Number of Reported Uncorrectable Errors.
    pub uncorrectable: Option<u64>,
    /// Percentage Used Endurance Indicator; may exceed 100.
    pub percentage_used: Option<u64>,
}

/// NVMe health information (NVM Express base specification, SMART / Health Information log, 02h).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NvmeHealth {
    /// Critical warning, a set of bits.
    pub critical_warning: u64,
    /// Available spare in percent.
    pub available_spare: Option<u64>,
    /// Below this the spare is too little, in percent.
    pub spare_threshold: Option<u64>,
    /// Endurance used in percent; stops at 255.
    pub percentage_used: Option<u64>,
    /// Media and data integrity errors.
    pub media_errors: Option<u64>,
    /// Entries of the error log over its life.
    pub error_log_entries: Option<u64>,
}

/// SCSI counters; `None` where the drive keeps none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ScsiHealth {
    /// Elements in the grown defect list.
    pub grown_defects: Option<u64>,
    /// Uncorrected errors of reads (log page 03h).
    pub read_uncorrected: Option<u64>,
    /// Uncorrected errors of writes (log page 02h).
    pub write_uncorrected: Option<u64>,
    /// Uncorrected errors of verifications (log page 05h).
    pub verify_uncorrected: Option<u64>,
    /// Errors that are not of the medium (log page 06h).
    pub non_medium: Option<u64>,
    /// Endurance used in percent (solid state media log page).
    pub percentage_used: Option<u64>,
}

/// One self-test.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SelfTest {
    /// It read all of the medium.
    pub is_extended: bool,
    /// How it ended.
    pub outcome: TestOutcome,
    /// The drive's words for that.
    pub words: String,
    /// Hours that the drive had run; they wrap at 65 536 in old logs.
    pub hours: Option<u64>,
}

/// How a self-test ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TestOutcome {
    /// It found nothing.
    Passed,
    /// It could not read, seek, or work.
    Failed,
    /// Aborted, interrupted, running, or said in words that nobody knows.
    #[default]
    Neither,
}

/// The drive's error log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorLog {
    /// Errors over the drive's life.
    pub count: Option<u64>,
    /// Those still in the log whose medium could not be read (`UNC`).
    pub unreadable: u64,
    /// Those still in the log that happened on the way to the drive (`ICRC`).
    pub link: u64,
    /// Those still in the log that only refused a command (`ABRT`, `IDNF`).
    pub refused: u64,
}

impl ErrorLog {
    /// Counts one line of the log that describes an error.
    pub(super) fn note(&mut self, description: &str) {
        if description.contains("UNC") {
            self.unreadable += 1;
        } else if description.contains("ICRC") {
            self.link += 1;
        } else if description.contains("ABRT") || description.contains("IDNF") {
            self.refused += 1;
        }
    }
}

impl Drive {
    /// Whether anything in it tells of its health; a bare "passed" with nothing behind it does not.
    #[must_use]
    pub fn tells_of_health(&self) -> bool {
        !self.attributes.is_empty()
            || self.nvme.is_some()
            || self.scsi.is_some()
            || self.self_verdict == SelfVerdict::Failed
    }

    /// How much of its rated life is used, in percent; may exceed 100.
    #[must_use]
    pub fn used_percent(&self) -> Option<u64> {
        let nvme = self.nvme.and_then(|log| log.percentage_used);
        nvme.or(self.statistics.percentage_used).or(self.scsi.and_then(|scsi| scsi.percentage_used))
    }

    /// The attribute of this number.
    #[must_use]
    pub fn attribute(&self, id: u64) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.id == id)
    }
}

impl TestOutcome {
    /// From smartctl's words for an ATA, SCSI or NVMe self-test.
    pub(super) fn of(words: &str) -> Self {
        let words = words.to_ascii_lowercase();
        // A test that the host or a reset stopped, or that runs now, says nothing of the drive.
        if ["abort", "interrupt", "progress", "reset", "cancel", "removed", "running"]
            .iter()
            .any(|word| words.contains(word))
        {
            Self::Neither
        } else if words.contains("fail") || words.contains("damage") || words.contains("fatal or unknown") {
            Self::Failed
        } else if words.contains("without error") || words.starts_with("completed") {
            Self::Passed
        } else {
            Self::Neither
        }
    }
}
