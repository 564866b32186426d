//! What is installed, by whichever package manager.

mod alpine;
mod arch;
mod bundles;
mod dpkg;
mod rpm;

use super::{Sheet, Unread};
use crate::host::Host;

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    for manager in [dpkg::read, rpm::read, alpine::read, arch::read, bundles::snaps, bundles::flatpaks] {
        let outcome = manager(host, sheet);
        sheet.part(outcome);
    }
    if sheet.is_empty() && !sheet.has_failed() {
        return Err(Unread::Absent("no package manager known to this agent has anything here".to_owned()));
    }
    Ok(())
}
