//! What the agent says about itself: log lines on stderr, and the service manager's three words.

use tracing_subscriber::EnvFilter;

/// Starts logging to stderr at `level` (`error`, `warn`, `info`, `debug`, `trace`). Under systemd the journal adds the time.
pub fn start(level: &str) {
    // HTTP/2 and TLS speak at debug of every frame; whoever wants that says so in MUSTER_LOG.
    let quiet = format!("{level},h2=warn,hyper=warn,rustls=warn,tower=warn,tonic=warn");
    let filter = EnvFilter::try_from_env("MUSTER_LOG").unwrap_or_else(|_| EnvFilter::new(quiet));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr);
    let _ = subscriber.without_time().with_target(false).try_init();
}

/// The agent runs.
pub fn ready(status: &str) {
    notify(&[sd_notify::NotifyState::Ready, sd_notify::NotifyState::Status(status)]);
}

/// What `systemctl status` shows.
pub fn status(text: &str) {
    notify(&[sd_notify::NotifyState::Status(text)]);
}

/// The main loop turns.
pub fn watchdog() {
    notify(&[sd_notify::NotifyState::Watchdog]);
}

/// The agent ends in good order.
pub fn stopping() {
    notify(&[sd_notify::NotifyState::Stopping]);
}

/// Without a service manager this does nothing.
fn notify(state: &[sd_notify::NotifyState<'_>]) {
    let _ = sd_notify::notify(state);
}
