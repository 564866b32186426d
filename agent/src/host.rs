//! (stub; replaced at merge)
use std::path::PathBuf;
/// What a tool said.
#[derive(Debug)]
pub struct Output {
    /// Standard output.
    pub stdout: Vec<u8>,
}
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
    /// Runs a tool.
    ///
    /// # Errors
    /// Always.
    pub fn run(&self, _tool: &str, _arguments: &[&str], _deadline_ms: u64) -> Result<Output, std::io::Error> {
        Err(std::io::Error::from(std::io::ErrorKind::NotFound))
    }
    /// The boot id.
    #[must_use]
    pub fn boot_id(&self) -> [u8; 16] {
        [7; 16]
    }
}
