//! `service run`: the same as `run`, under the service control manager, which gives it no terminal.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use muster_agent::config::Config;
use muster_agent::{platform, telemetry};

use super::{MachineArgs, run_agent};

#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    #[command(subcommand)]
    command: ServiceCommand,
}

#[derive(Debug, Subcommand)]
enum ServiceCommand {
    /// Reports until the service manager says stop; what it logs goes to agent.log beside the configuration
    Run(MachineArgs),
}

impl ServiceArgs {
    pub(super) fn run(self, file: Option<PathBuf>, config: Config) -> anyhow::Result<()> {
        let ServiceCommand::Run(machine) = self.command;
        telemetry::start_in(&config.log_level, &config.state.with_file_name("agent.log"));
        let body = move || match run_agent(file.as_deref(), config, machine) {
            Ok(()) => true,
            Err(error) => {
                telemetry::failed(&format!("{error:#}"));
                false
            }
        };
        platform::run_as_service(Box::new(body))
            .context("no service manager started this; `muster-agent run` runs it by hand")
    }
}
