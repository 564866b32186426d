//! A real browser without a screen (chromium-headless-shell).

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::process::Command;

use crate::process::{installed, run};

/// A desk's width.
pub const DESK: (u32, u32) = (1280, 900);
/// A phone's width.
pub const PHONE: (u32, u32) = (390, 844);

/// A browser with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    program: PathBuf,
    profile: TempDir,
}

impl Default for Browser {
    fn default() -> Self {
        Self::new()
    }
}

impl Browser {
    /// A fresh one.
    ///
    /// # Panics
    /// When it is not installed.
    #[must_use]
    pub fn new() -> Self {
        let program = installed("chromium-headless-shell", "chromium-headless-shell");
        Self { program, profile: TempDir::new().expect("a directory") }
    }

    fn command(&self, (width, height): (u32, u32)) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(["--no-sandbox", "--headless", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=3000"])
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .arg(format!("--window-size={width},{height}"));
        command
    }

    /// The document after loading, scripts run.
    ///
    /// # Panics
    /// When the browser fails.
    pub async fn load(&self, url: &str, size: (u32, u32)) -> String {
        let said = run(self.command(size).args(["--dump-dom", url])).await;
        assert_eq!(said.code, 0, "{url}: {}", said.err);
        said.out
    }

    /// Draws the page into a PNG file, light or dark.
    ///
    /// # Panics
    /// When the browser fails or draws nothing.
    pub async fn draw(&self, url: &str, size: (u32, u32), dark: bool, file: &Path) -> Vec<u8> {
        let mut command = self.command(size);
        if dark {
            command.arg("--blink-settings=preferredColorScheme=0");
        }
        let said = run(command.arg(format!("--screenshot={}", file.display())).arg(url)).await;
        assert_eq!(said.code, 0, "{url}: {}", said.err);
        std::fs::read(file).unwrap_or_else(|error| panic!("{url} was not drawn: {error}; {}", said.err))
    }

    /// Prints the page into a PDF file, as on paper.
    ///
    /// # Panics
    /// When the browser fails or prints nothing.
    pub async fn print(&self, url: &str, file: &Path) -> Vec<u8> {
        let mut command = self.command(DESK);
        command.arg("--no-pdf-header-footer").arg(format!("--print-to-pdf={}", file.display()));
        let said = run(command.arg(url)).await;
        assert_eq!(said.code, 0, "{url}: {}", said.err);
        std::fs::read(file).unwrap_or_else(|error| panic!("{url} was not printed: {error}; {}", said.err))
    }
}
