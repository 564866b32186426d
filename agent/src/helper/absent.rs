//! The privileged helper is Linux's: here the service may look itself.

/// Where it would listen.
pub const SOCKET: &str = "/run/muster/helper.sock";
/// Where it would keep its locks.
pub const LOCKS: &str = "/run/muster-helper";
