//! One vendor attribute of an ATA drive, and what it means.
//!
//! The same number means different things on different drives. What it means here comes from the name that
//! smartmontools' drive database gives it for this family; a number counts alone only where all vendors agree.

/// A vendor attribute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attribute {
    /// Its number, 1-255.
    pub id: u64,
    /// Its name by the drive database.
    pub name: String,
    /// What it means, by number and name ([`Meaning::of`]).
    pub meaning: Meaning,
    /// Normalised value: higher is better.
    pub value: u64,
    /// The lowest value ever.
    pub worst: u64,
    /// At or below it the attribute has failed; 0 never fails.
    pub threshold: u64,
    /// The count, decoded as the drive database says: the first number of the raw value's text.
    pub raw: Option<u64>,
    /// Failing means that the drive is about to fail, not that it is worn or hot.
    pub is_prefailure: bool,
    /// Whether it has failed.
    pub when_failed: WhenFailed,
}

/// Whether an attribute has failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum WhenFailed {
    /// Never.
    #[default]
    Never,
    /// Once, not now.
    Past,
    /// Now.
    Now,
}

/// What an attribute means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Meaning {
    /// Sectors or blocks that were replaced by spare ones.
    Reallocated,
    /// How often sectors were replaced.
    ReallocationEvents,
    /// Sectors that could not be read and wait to be written.
    Pending,
    /// Sectors that could not be read when the drive looked by itself.
    OfflineUncorrectable,
    /// Reads that failed for the host.
    ReportedUncorrectable,
    /// Commands that were not answered in time.
    CommandTimeout,
    /// Data that changed on its way through the drive.
    EndToEnd,
    /// The motor had to be started again.
    SpinRetry,
    /// Transfers that were corrupted between drive and controller.
    InterfaceErrors,
    /// Temperature, of the medium or of the air.
    Temperature,
    /// Helium in a sealed drive.
    Helium,
    /// How much of its life is left or used.
    Wear,
    /// Spare blocks left.
    Reserve,
    /// The capacitor that finishes writes when the power goes.
    PowerLossProtection,
    /// A rate that packs errors and operations in one number (Seagate 1, 7, 195): its raw value is no count.
    PackedRate,
    /// Anything else.
    #[default]
    Other,
}

impl Meaning {
    /// What an attribute of this number means, by its name where the number alone does not say.
    #[must_use]
    pub fn of(id: u64, name: &str) -> Self {
        let name = name.to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        let unnamed = name.is_empty() || name.starts_with("unknown");
        match id {
            _ if has(&["temperature", "airflow"]) && id != 231 => Self::Temperature,
            1 | 7 | 195 | 201 | 204 => Self::PackedRate,
            5 if unnamed || has(&["realloc", "retired", "remap", "bad_block"]) => Self::Reallocated,
            10 if unnamed || has(&["spin_retry"]) => Self::SpinRetry,
            22 if unnamed || has(&["helium"]) => Self::Helium,
            184 if unnamed || has(&["end-to-end", "end_to_end", "e2e"]) => Self::EndToEnd,
            187 if unnamed || has(&["uncorrect", "unc_"]) => Self::ReportedUncorrectable,
            188 if unnamed || has(&["timeout"]) => Self::CommandTimeout,
            196 if has(&["realloc"]) => Self::ReallocationEvents,
            197 if unnamed || has(&["pending"]) => Self::Pending,
            198 if unnamed || has(&["offline", "uncorrect"]) => Self::OfflineUncorrectable,
            199 if unnamed || has(&["crc"]) => Self::InterfaceErrors,
            // Solid state drives number their wear in many ways; all say "life", "wear" or "lifetime" where known, and
            // SF-2281 drives are known to the database by the number's older name, Temperature_Celsius.
            231 if unnamed || has(&["life", "wear", "temperature"]) => Self::Wear,
            173 | 177 | 202 | 233 if unnamed || has(&["life", "wear", "erase", "percent"]) => Self::Wear,
            _ if has(&["wearout", "wear_level", "life_left", "lifetime", "life_remain", "ssd_life"]) => Self::Wear,
            _ if has(&["available_res", "avail_res", "reserve"]) => Self::Reserve,
            _ if has(&["power_loss_cap", "plp_fail", "capacitor"]) => Self::PowerLossProtection,
            _ => Self::Other,
        }
    }
}
