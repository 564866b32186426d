//! The collector's program: flags, exit codes. Everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Before anything speaks TLS: one provider for all of it (ecosystem.md 1.1).
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        return ExitCode::FAILURE;
    }
    muster_collector::cli::run(std::env::args_os())
}
