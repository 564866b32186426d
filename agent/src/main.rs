//! `muster-agent`: see `muster-agent --help`.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // One TLS provider for the process, before anything speaks TLS. It can only be there already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let _ = error.print();
            return if error.use_stderr() { cli::USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    match cli::run(cli) {
        Ok(code) => code,
        Err(error) => cli::complain(&error),
    }
}
