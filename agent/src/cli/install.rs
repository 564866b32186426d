//! `install`, `uninstall`: one line of JSON, and an exit code that says whether anything was changed.
#![expect(clippy::print_stdout, reason = "the edge where the program speaks to a person")]

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use muster_agent::app;
use muster_agent::config::{self, Config};
use muster_agent::host::Host;
use muster_agent::service::{self, Installed, Order};

use super::enrol::{ProxyArgs, read_token, usable_addresses};
use super::{UsageError, runtime};

/// Exit code where something was changed, as of `puppet apply --detailed-exitcodes` and `terraform plan -detailed-exitcode`.
const CHANGED: u8 = 2;

pub(super) const INSTALL_HELP: &str = "\
It may be repeated: what is as it should be is left alone. Run it as root, from wherever the program lies: it puts itself in
/usr/bin, makes the user muster-agent and its state directory /var/lib/muster/agent, writes /etc/muster/agent.toml where there is none
and labels into it, enrols this machine if it is not, and enables and starts muster-agent.service. A newer program replaces the one that
is installed. Where a package put the program, its files are left to it. A token that a repetition does not need is not read.

It prints one line of JSON:
  {\"changed\":true,\"did\":[\"user\",\"enrolled\",...],\"host_id\":\"...\",\"name\":\"...\",\"notes\":[]}
  did: user configuration enrolled addresses program unit helper enabled started restarted

Exit codes: 0 all was so already; 2 something was changed; 1 it failed; 64 usage or configuration.

Examples:
  muster-agent install --collector muster.example.org:7460 --token-file token --label site=oslo
  ssh host 'sudo ./muster-agent install --collector a:7460 b:7460 --token-file -' < token";

pub(super) const UNINSTALL_HELP: &str = "\
It stops the agent, tells the collector that it goes (its host is shut down then, and nobody is paged), and removes program and units.
Identity, settings and user stay, so that an installation later goes on as the same host; --purge removes them too. An absent collector
keeps nothing from being removed. Where a package put the program, remove the package instead: it says goodbye, too.

It prints one line of JSON:
  {\"changed\":true,\"did\":[\"stopped\",\"disabled\",\"said_goodbye\",\"unit\",\"program\"],\"notes\":[]}
  did: stopped disabled helper said_goodbye unit program state configuration user

Exit codes: 0 there was nothing to remove; 2 something was; 1 it failed; 64 usage or configuration.";

#[derive(Debug, Args)]
pub(super) struct InstallArgs {
    /// Where the collector listens, tried in turn; may be given several times
    #[arg(long, value_name = "HOST:PORT", num_args = 1..)]
    collector: Vec<String>,
    /// File with the join token, - for standard input [default: the variable MUSTER_TOKEN]
    #[arg(long, value_name = "FILE|-")]
    token_file: Option<PathBuf>,
    /// What this host is, for views and rules; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Let the agent ask drives, BMC and the kernel's log through its privileged helper (muster-helper.socket)
    #[arg(long)]
    helper: bool,
    #[command(flatten)]
    proxy: ProxyArgs,
}

#[cfg(windows)]
impl InstallArgs {
    /// What a package was told.
    pub(super) fn of_package(
        collector: Vec<String>,
        token_file: Option<PathBuf>,
        label: Vec<(String, String)>,
    ) -> Self {
        Self { collector, token_file, label, helper: false, proxy: ProxyArgs::default() }
    }
}

#[derive(Debug, Args)]
pub(super) struct UninstallArgs {
    /// Also remove identity, settings, records that were not sent, and the user
    #[arg(long)]
    purge: bool,
}

pub(super) fn label(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    pair.map(|(name, value)| (name.to_owned(), value.to_owned())).ok_or_else(|| "expected NAME=VALUE".to_owned())
}

pub(super) fn install(file: Option<&Path>, config: Config, args: InstallArgs) -> anyhow::Result<ExitCode> {
    let installed = installed(file, config, args)?;
    println!("{}", serde_json::to_string(&installed)?);
    Ok(code(installed.changed))
}

/// Does it.
pub(super) fn installed(file: Option<&Path>, config: Config, args: InstallArgs) -> anyhow::Result<Installed> {
    usual(file)?;
    let InstallArgs { collector, token_file, label, helper, proxy } = args;
    usable_addresses(&collector)?;
    let token = || read_token(token_file);
    let order = Order { addresses: collector, labels: label, helper, proxy: proxy.wish(), token };
    runtime()?.block_on(service::install::<anyhow::Error>(&Host::live(), config, order))
}

pub(super) fn uninstall(file: Option<&Path>, config: Config, args: UninstallArgs) -> anyhow::Result<ExitCode> {
    usual(file)?;
    let host = Host::live();
    let farewell = async || app::farewell(config.clone(), host.clone()).await;
    let removed = runtime()?.block_on(service::uninstall(&host, &config, args.purge, farewell))?;
    println!("{}", serde_json::to_string(&removed)?);
    Ok(code(removed.changed))
}

/// The service reads the usual file.
fn usual(file: Option<&Path>) -> Result<(), UsageError> {
    match file {
        Some(other) if other != Path::new(config::DEFAULT_PATH) => {
            let text =
                format!("the service reads {}, not {}; nothing was changed", config::DEFAULT_PATH, other.display());
            Err(UsageError(text))
        }
        _ => Ok(()),
    }
}

fn code(changed: bool) -> ExitCode {
    if changed { CHANGED.into() } else { ExitCode::SUCCESS }
}
