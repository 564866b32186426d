//! What many simulated hosts stand on: their directory, their open files, their tokens.

use std::path::Path;

use anyhow::Result;

use crate::Collector;

/// Uses of one batch token, the most there are.
const TOKEN_USES: usize = 500;
/// Open files that the largest run needs.
const FILES: u64 = 65_536;

/// Where the simulated hosts keep their state: in memory, so that their disks are not measured.
#[must_use]
pub fn shared_memory() -> std::path::PathBuf {
    let path = std::path::PathBuf::from("/dev/shm");
    if path.is_dir() { path } else { std::env::temp_dir() }
}

/// Raises the limit of open files, as far as this may be done here.
pub fn raise_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let wanted = Rlimit { current: Some(FILES), maximum: Some(FILES) };
    if setrlimit(Resource::Nofile, wanted).is_err() {
        let now = getrlimit(Resource::Nofile);
        let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    }
}

/// Leaves tokens for so many hosts where they look for them.
///
/// # Errors
/// When they cannot be written.
pub async fn write_tokens(collector: &Collector, hosts: usize, home: &Path) -> Result<()> {
    write_tokens_at(collector, hosts, None, home).await
}

/// The same for hosts at a site.
///
/// # Errors
/// When they cannot be written.
pub async fn write_tokens_at(collector: &Collector, hosts: usize, site: Option<&str>, home: &Path) -> Result<()> {
    let mut tokens = String::new();
    for _ in 0..hosts.div_ceil(TOKEN_USES) {
        let uses = TOKEN_USES.to_string();
        let mut made =
            vec!["token", "create", "--kind", "batch", "--uses", &uses, "--class", "server", "--watch", "normal"];
        made.extend(site.into_iter().flat_map(|site| ["--site", site]));
        tokens.push_str(&collector.cli(&made).await);
        tokens.push('\n');
    }
    Ok(std::fs::write(home.join("tokens"), tokens)?)
}
