//! (to come)

/// Runs the collector until it is told to end.
///
/// # Errors
/// When it cannot start.
pub async fn serve(config: crate::config::Config) -> anyhow::Result<()> {
    anyhow::bail!("not wired yet: state in {}", config.state.display())
}
