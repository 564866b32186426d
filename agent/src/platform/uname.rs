//! What the kernel calls itself, uname(2).

/// What `uname` says.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uname {
    /// Kernel name, `Linux`.
    pub sysname: String,
    /// Host name.
    pub nodename: String,
    /// Kernel release.
    pub release: String,
    /// Kernel build.
    pub version: String,
    /// Architecture as the kernel names it, `x86_64`.
    pub machine: String,
    /// NIS domain, `(none)` where there is none.
    pub domainname: String,
}
