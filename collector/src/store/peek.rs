//! The devices of a store at which a collector may be at work: looked at, and nothing made, locked or migrated.

use std::path::Path;

use rusqlite::Connection;

use super::{STATE_FILE, StoreError, files, load};
use crate::domain::device::declared::Fleet;

/// The fleet as far as devices of a file depend on it; nothing where no collector has run with this state yet.
///
/// # Errors
/// [`StoreError`] where it cannot be read; an older schema cannot.
pub fn fleet(directory: &Path) -> Result<Option<Fleet>, StoreError> {
    let path = directory.join(STATE_FILE);
    if !path.exists() {
        return Ok(None);
    }
    let connection: Connection = files::open_for_reading(&path)?;
    let devices = load::devices(&connection)?.into_iter().map(|device| (device.host, device)).collect();
    let parents = load::parents(&connection)?.into_iter().collect();
    Ok(Some(Fleet::new(load::hosts(&connection)?.iter(), &devices, &parents)))
}
