//! `service`: what Windows calls. `run` is the same as the command `run`, under the service control manager, which gives it no
//! terminal; `placed` and `withdrawn` are for the package (`deploy/windows/muster-agent.wxs`), which shows nothing of what
//! they print: all three tell it to the log.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use muster_agent::config::Config;
use muster_agent::host::Host;
use muster_agent::{app, platform, service, telemetry};

use super::install::{self, InstallArgs};
use super::{MachineArgs, UsageError, run_agent, runtime};

#[derive(Debug, Args)]
pub(super) struct ServiceArgs {
    #[command(subcommand)]
    command: ServiceCommand,
}

#[derive(Debug, Subcommand)]
enum ServiceCommand {
    /// Reports until the service manager says stop; what it logs goes to agent.log beside the configuration
    Run(MachineArgs),
    /// The package's files are there: joins the collector that is named, and starts what shall run
    Placed(PlacedArgs),
    /// The package's files are about to go: stops the agent, tells the collector, and removes the service
    Withdrawn(WithdrawnArgs),
}

/// Properties of Windows Installer: always there, empty where nobody set them, with commas between several.
#[derive(Debug, Args)]
struct PlacedArgs {
    #[arg(long, default_value = "")]
    collector: String,
    #[arg(long, default_value = "")]
    token_file: String,
    #[arg(long, default_value = "")]
    label: String,
}

#[derive(Debug, Args)]
struct WithdrawnArgs {
    #[arg(long, default_value = "")]
    purge: String,
}

impl ServiceArgs {
    pub(super) fn run(self, file: Option<PathBuf>, config: Config) -> anyhow::Result<ExitCode> {
        telemetry::start_in(&config.log_level, &config.state.with_file_name("agent.log"));
        match self.command {
            ServiceCommand::Run(machine) => serve(file, config, machine).map(|()| ExitCode::SUCCESS),
            ServiceCommand::Placed(args) => Ok(logged(placed(file.as_deref(), config, args))),
            ServiceCommand::Withdrawn(args) => Ok(logged(withdrawn(&config, &args))),
        }
    }
}

fn serve(file: Option<PathBuf>, config: Config, machine: MachineArgs) -> anyhow::Result<()> {
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

/// Whatever was changed, the package asks only whether it went well.
fn logged(outcome: anyhow::Result<String>) -> ExitCode {
    match outcome {
        Ok(done) => {
            telemetry::told(&done);
            ExitCode::SUCCESS
        }
        Err(error) => {
            telemetry::failed(&format!("the package: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn placed(file: Option<&Path>, config: Config, args: PlacedArgs) -> anyhow::Result<String> {
    let collector: Vec<String> = listed(&args.collector).collect();
    if collector.is_empty() && !service::shall_run(&config)? {
        return Ok("the package is in place; the agent is not started, for no COLLECTOR is named".to_owned());
    }
    let label: Result<Vec<_>, String> = listed(&args.label).map(|label| install::label(&label)).collect();
    let label = label.map_err(|problem| UsageError(format!("LABEL {:?}: {problem}", args.label)))?;
    let token_file = Some(args.token_file).filter(|file| !file.is_empty()).map(PathBuf::from);
    let installed = install::installed(file, config, InstallArgs::of_package(collector, token_file, label))?;
    Ok(format!("the package is in place: {}", serde_json::to_string(&installed)?))
}

fn withdrawn(config: &Config, args: &WithdrawnArgs) -> anyhow::Result<String> {
    let host = Host::live();
    let farewell = async || app::farewell(config.clone(), host.clone()).await;
    let removed = runtime()?.block_on(service::withdraw(&host, config, !args.purge.is_empty(), farewell))?;
    Ok(format!("the package goes: {}", serde_json::to_string(&removed)?))
}

fn listed(text: &str) -> impl Iterator<Item = String> {
    text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned)
}
