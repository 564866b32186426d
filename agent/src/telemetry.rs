//! What the agent says about itself: log lines on stderr, and the service manager's three words.

use tracing_subscriber::EnvFilter;

use crate::platform::{Notice, notify};

/// Starts logging to stderr at `level` (`error`, `warn`, `info`, `debug`, `trace`). Under systemd the journal adds the time.
pub fn start(level: &str) {
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter(level)).with_ansi(false);
    let _ = subscriber.with_writer(std::io::stderr).without_time().with_target(false).try_init();
}

fn filter(level: &str) -> EnvFilter {
    // HTTP/2 and TLS speak at debug of every frame; whoever wants that says so in MUSTER_LOG.
    let quiet = format!("{level},h2=warn,hyper=warn,rustls=warn,tower=warn,tonic=warn");
    EnvFilter::try_from_env("MUSTER_LOG").unwrap_or_else(|_| EnvFilter::new(quiet))
}

/// The same for a service that has no stderr: into a file, which is begun anew where it has grown long; the one before it
/// is kept as `.old`.
#[cfg(windows)]
pub fn start_in(level: &str, file: &std::path::Path) {
    /// Bytes after which the next start begins another file.
    const LONG: u64 = 4 * 1024 * 1024;
    if std::fs::metadata(file).is_ok_and(|meta| meta.len() > LONG) {
        let _ = std::fs::rename(file, file.with_extension("old"));
    }
    let _ = file.parent().map(std::fs::create_dir_all);
    let Ok(file) = std::fs::OpenOptions::new().create(true).append(true).open(file) else { return };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter(level)).with_ansi(false);
    let _ = subscriber.with_writer(std::sync::Mutex::new(file)).with_target(false).try_init();
}

/// What was done for a package.
#[cfg(windows)]
pub fn told(what: &str) {
    tracing::info!("{what}");
}

/// Why the service ends.
#[cfg(windows)]
pub fn failed(why: &str) {
    tracing::error!("{}", why.replace(char::is_control, " "));
}

/// The agent runs.
pub fn ready(status: &str) {
    notify(Notice::Ready(status));
}

/// What `systemctl status` shows.
pub fn status(text: &str) {
    notify(Notice::Status(text));
}

/// The main loop turns.
pub fn watchdog() {
    notify(Notice::Alive);
}

/// The agent ends in good order.
pub fn stopping() {
    notify(Notice::Stopping);
}
