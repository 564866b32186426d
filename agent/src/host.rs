//! (stub; replaced at merge)
use std::path::PathBuf;
/// The machine.
#[derive(Debug, Clone, Default)]
pub struct Host;
impl Host {
    /// This machine.
    #[must_use]
    pub fn live() -> Self {
        Self
    }
    /// A captured machine.
    #[must_use]
    pub fn captured(_root: PathBuf, _commands: Option<PathBuf>) -> Self {
        Self
    }
    /// The boot id.
    #[must_use]
    pub fn boot_id(&self) -> [u8; 16] {
        [7; 16]
    }
}
