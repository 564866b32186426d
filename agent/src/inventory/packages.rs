//! What is installed, by whichever package manager.

mod alpine;
mod arch;
mod bundles;
mod dpkg;
mod rpm;

use super::{Sheet, Unread};
use crate::host::Host;

/// What each manager writes when it installs or removes something; of snap each snap's directory.
pub(super) const RESTS_ON: [&str; 13] = [
    "/var/lib/dpkg/status",
    "/var/lib/dpkg/status.d",
    "/usr/lib/sysimage/rpm",
    "/var/lib/rpm",
    "/usr/share/rpm",
    "/lib/apk/db/installed",
    "/usr/lib/apk/db/installed",
    "/var/lib/pacman/local",
    "/snap",
    // flatpak touches the first of them at each change; branches lie deeper than the others show.
    "/var/lib/flatpak/.changed",
    "/var/lib/flatpak/app",
    "/var/lib/flatpak/runtime",
    "/usr/bin/rpm",
];

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
