//! The kinds of changes, and their words.

use serde::{Deserialize, Serialize};

use crate::domain::changed::Kind;

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A package that was not there.
    PackageInstalled,
    /// A package that is there no more.
    PackageRemoved,
    /// A package of a newer version.
    PackageUpgraded,
    /// A package of an older version.
    PackageDowngraded,
    /// A package of which something else differs.
    PackageChanged,
    /// Several packages between two looks.
    PackagesChanged,
    /// Release of the operating system.
    OsUpgraded,
    /// The running kernel.
    KernelChanged,
    /// BIOS or another firmware.
    FirmwareChanged,
    /// The machine says something else of itself.
    SystemChanged,
    /// Less memory than before.
    MemoryReduced,
    /// More memory than before.
    MemoryAdded,
    /// Another disk in the same place.
    DiskReplaced,
    /// A disk that was not there.
    DiskAdded,
    /// A disk that is there no more.
    DiskRemoved,
    /// Another part in the same place.
    ComponentSwapped,
    /// A part that was not there.
    ComponentAdded,
    /// A part that is there no more.
    ComponentRemoved,
    /// A part of which something differs.
    ComponentChanged,
    /// A user that was not there.
    UserAdded,
    /// A user that is there no more.
    UserRemoved,
    /// A user who may become root now.
    UserGainedSudo,
    /// A user who may not become root any more.
    UserLostSudo,
    /// A user of whom something else differs.
    UserChanged,
    /// A port that was not open.
    NewListener,
    /// A port that is open no more.
    ListenerGone,
    /// A port of which something differs.
    ListenerChanged,
    /// Something else that was not there.
    Added,
    /// Something else that is there no more.
    Removed,
    /// Something else that differs.
    Changed,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 30] = [
        Self::PackageInstalled,
        Self::PackageRemoved,
        Self::PackageUpgraded,
        Self::PackageDowngraded,
        Self::PackageChanged,
        Self::PackagesChanged,
        Self::OsUpgraded,
        Self::KernelChanged,
        Self::FirmwareChanged,
        Self::SystemChanged,
        Self::MemoryReduced,
        Self::MemoryAdded,
        Self::DiskReplaced,
        Self::DiskAdded,
        Self::DiskRemoved,
        Self::ComponentSwapped,
        Self::ComponentAdded,
        Self::ComponentRemoved,
        Self::ComponentChanged,
        Self::UserAdded,
        Self::UserRemoved,
        Self::UserGainedSudo,
        Self::UserLostSudo,
        Self::UserChanged,
        Self::NewListener,
        Self::ListenerGone,
        Self::ListenerChanged,
        Self::Added,
        Self::Removed,
        Self::Changed,
    ];

    /// Its word, as in the address of a page.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::PackageInstalled => "package_installed",
            Self::PackageRemoved => "package_removed",
            Self::PackageUpgraded => "package_upgraded",
            Self::PackageDowngraded => "package_downgraded",
            Self::PackageChanged => "package_changed",
            Self::PackagesChanged => "packages_changed",
            Self::OsUpgraded => "os_upgraded",
            Self::KernelChanged => "kernel_changed",
            Self::FirmwareChanged => "firmware_changed",
            Self::SystemChanged => "system_changed",
            Self::MemoryReduced => "memory_reduced",
            Self::MemoryAdded => "memory_added",
            Self::DiskReplaced => "disk_replaced",
            Self::DiskAdded => "disk_added",
            Self::DiskRemoved => "disk_removed",
            Self::ComponentSwapped => "component_swapped",
            Self::ComponentAdded => "component_added",
            Self::ComponentRemoved => "component_removed",
            Self::ComponentChanged => "component_changed",
            Self::UserAdded => "user_added",
            Self::UserRemoved => "user_removed",
            Self::UserGainedSudo => "user_gained_sudo",
            Self::UserLostSudo => "user_lost_sudo",
            Self::UserChanged => "user_changed",
            Self::NewListener => "new_listener",
            Self::ListenerGone => "listener_gone",
            Self::ListenerChanged => "listener_changed",
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        }
    }

    /// The class of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.word() == word)
    }

    /// As people read it: `user gained sudo`.
    #[must_use]
    pub fn words(self) -> String {
        self.word().replace('_', " ")
    }

    /// What happened to several: `3 upgraded`.
    pub(super) const fn plural(self) -> &'static str {
        match self {
            Self::PackageInstalled => "installed",
            Self::PackageUpgraded => "upgraded",
            Self::PackageDowngraded => "downgraded",
            Self::UserGainedSudo => "gained sudo",
            Self::UserLostSudo => "lost sudo",
            Self::NewListener => "opened",
            Self::ListenerGone => "closed",
            Self::ComponentSwapped | Self::DiskReplaced => "replaced",
            Self::MemoryAdded | Self::DiskAdded | Self::ComponentAdded | Self::UserAdded | Self::Added => "added",
            Self::PackageRemoved
            | Self::MemoryReduced
            | Self::DiskRemoved
            | Self::ComponentRemoved
            | Self::UserRemoved
            | Self::Removed => "removed",
            _ => "changed",
        }
    }

    /// As what an incident shows it among all that changed before; none: the host's own facts tell it already.
    #[must_use]
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::PackageInstalled
            | Self::PackageRemoved
            | Self::PackageUpgraded
            | Self::PackageDowngraded
            | Self::PackageChanged
            | Self::PackagesChanged => Some(Kind::Package),
            Self::OsUpgraded | Self::KernelChanged => None,
            Self::FirmwareChanged | Self::SystemChanged => Some(Kind::System),
            Self::MemoryReduced
            | Self::MemoryAdded
            | Self::DiskReplaced
            | Self::DiskAdded
            | Self::DiskRemoved
            | Self::ComponentSwapped
            | Self::ComponentAdded
            | Self::ComponentRemoved
            | Self::ComponentChanged => Some(Kind::Part),
            Self::UserAdded | Self::UserRemoved | Self::UserGainedSudo | Self::UserLostSudo | Self::UserChanged => {
                Some(Kind::Account)
            }
            Self::NewListener | Self::ListenerGone | Self::ListenerChanged => Some(Kind::Listener),
            Self::Added | Self::Removed | Self::Changed => Some(Kind::Inventory),
        }
    }
}
