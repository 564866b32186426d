//! What an operator types. Serves and checks by itself; all else asks a running collector through its API.
//!
//! Exit codes: 0 ok, 1 failed, 64 usage or configuration.

mod amendments;
mod arguments;
mod backup;
mod beside;
mod client;
mod commands;
mod declare;
mod deliveries;
mod devices;
mod given;
mod hardware;
mod heartbeats;
mod holds;
mod incidents;
mod inventory;
mod labels;
mod manual;
mod oncall;
mod print;
mod progress;
mod roll_out;
mod settings;
mod shares;
mod sheet;
mod sla;
#[cfg(test)]
mod tests;
mod verification;

use std::{ffi::OsString, io::Write, process::ExitCode};

use clap::{Parser, error::ErrorKind};

use self::arguments::{Arguments, Task};

/// Usage or configuration is wrong (sysexits.h, `EX_USAGE`).
const EXIT_USAGE: u8 = 64;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// What was typed or configured is wrong.
    #[error("{0}")]
    Usage(String),
    /// The collector said no.
    #[error("{0}")]
    Refused(String),
    /// The collector cannot be reached.
    #[error("the collector does not answer at {place}: {why}")]
    Unreachable {
        /// Where it was looked for.
        place: String,
        /// What was seen, and the remedy.
        why: String,
    },
    /// Something else went wrong.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    const fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => EXIT_USAGE,
            _ => 1,
        }
    }
}

/// Runs the program with these arguments.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    match execute(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing better can be done when standard error is gone.
            let _ = writeln!(std::io::stderr(), "muster-collector: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}

fn usage(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        _ => ExitCode::from(EXIT_USAGE),
    }
}

fn execute(arguments: Arguments) -> Result<(), CliError> {
    match arguments.task {
        Task::Serve => serve(&arguments.place),
        Task::CheckConfig { file_only } => {
            let config = check(&arguments.place, file_only)?;
            if !file_only {
                places(&config)?;
            }
            for warning in &config.warnings {
                // Nothing better can be done when standard error is gone.
                let _ = writeln!(std::io::stderr(), "warning: {warning}");
            }
            print::line(&format!("the configuration is fine; state in {}; {}", config.state.display(), config.pager()))
        }
        Task::Openapi => print::json(&crate::web::api_description()),
        Task::Sla(sla::SlaTask::Compute { spans, definition, from, to }) => {
            sla::compute(&spans, &definition, &from, &to)
        }
        Task::Hardware(task) => hardware::run(task, arguments.json),
        Task::Completions { shell } => manual::completions(shell),
        Task::Man { directory } => manual::pages(directory.as_deref()),
        Task::Restore(asked) => backup::restore(asked, &arguments.place, arguments.json),
        task => {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| CliError::Failed(format!("no runtime: {error}")))?;
            runtime.block_on(commands::ask(&arguments.place, arguments.json, task))
        }
    }
}

fn serve(place: &arguments::Place) -> Result<(), CliError> {
    let mut config = load(place)?;
    if let Some(state) = &place.state {
        config.state.clone_from(state);
    }
    crate::telemetry::start(&config.log_level).map_err(|error| CliError::Usage(error.to_string()))?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| CliError::Failed(format!("no runtime: {error}")))?;
    // The whole chain once: this is where it is handled.
    runtime.block_on(crate::app::serve(config)).map_err(|error| CliError::Failed(format!("{error:#}")))
}

/// The configuration compared with the fleet that is known; a state that cannot be read is no mistake of the file.
fn check(place: &arguments::Place, file_only: bool) -> Result<crate::config::Config, CliError> {
    let known = |state: &std::path::Path| {
        let state = place.state.as_deref().unwrap_or(state);
        crate::store::peek::fleet(state).unwrap_or_else(|error| {
            print::warning(&format!("devices are looked at in the file alone: {}: {error}", state.display()));
            None
        })
    };
    let known = |state: &std::path::Path| if file_only { None } else { known(state) };
    crate::config::load_among(place.config.as_deref(), known).map_err(|errors| CliError::Usage(errors.to_string()))
}

/// Whether what the configuration names on this machine is there.
fn places(config: &crate::config::Config) -> Result<(), CliError> {
    let backup = config.backup.as_ref().and_then(crate::config::backup_trouble);
    let troubles = config.reports.iter().filter_map(crate::config::directory_trouble).chain(backup);
    let troubles: Vec<String> = troubles.collect();
    if troubles.is_empty() { Ok(()) } else { Err(CliError::Usage(troubles.join("\n"))) }
}

fn load(place: &arguments::Place) -> Result<crate::config::Config, CliError> {
    crate::config::load(place.config.as_deref()).map_err(|errors| CliError::Usage(errors.to_string()))
}
