//! The firmware's table of structures (SMBIOS).

use super::{Host, HostError, os};

/// Where Linux has it.
pub const FIRMWARE_TABLE: &str = "/sys/firmware/dmi/tables/DMI";

impl Host {
    /// The structures of the firmware's table, one after the other.
    ///
    /// # Errors
    /// As [`Host::read`].
    pub fn firmware_table(&self) -> Result<Vec<u8>, HostError> {
        if let Some(table) = if self.is_live() { os::firmware_table() } else { None } {
            return Ok(table);
        }
        let mut table = Vec::new();
        self.read(FIRMWARE_TABLE, &mut table)?;
        Ok(table)
    }
}
