//! The commands: flags in, exit codes out. 0 done, 1 failed, 64 usage or configuration.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the edge where the program speaks to a person")]

mod enrol;
mod install;
#[cfg(test)]
mod manual;
#[cfg(windows)]
mod service;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand, ValueEnum};
use muster_agent::config::{self, Config, ConfigError};
use muster_agent::host::Host;
use muster_agent::identity::TokenError;
use muster_agent::inspection::parse_duration;
use muster_agent::inventory::{self, tell};
use muster_agent::maintenance::{self, Done, MaintenanceError, Order};
use muster_agent::service::ServiceError;
use muster_agent::state::StateDir;
use muster_agent::{app, doctor, hardware, helper, once, platform, report, show, telemetry};

/// Exit code for wrong usage and configuration (EX_USAGE of sysexits.h).
pub(crate) const USAGE: u8 = 64;

/// Reports what this machine is and how it does to a Muster collector.
#[derive(Debug, Parser)]
#[command(
    name = "muster-agent",
    version,
    after_help = "First steps:\n  \
        muster-agent once                    shows what would be reported, without any collector\n  \
        muster-agent doctor                  says what cannot be read here, and the remedy\n  \
        muster-agent install --collector HOST:7460 --token-file FILE\n\n\
        Where another supervisor than systemd runs it:\n  \
        muster-agent enrol --collector HOST:7460 --token-file FILE\n  \
        muster-agent run\n\n\
        A token comes from `muster-collector token create --kind single`."
)]
pub(crate) struct Cli {
    /// Configuration file [default: /etc/muster/agent.toml, which may be absent]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// State directory: identity, spool, settings [default: /var/lib/muster/agent]
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Installs this program as a service, joins the machine to a collector and starts it; safe to repeat
    #[command(after_help = install::INSTALL_HELP)]
    Install(install::InstallArgs),
    /// Says goodbye to the collector and removes the service
    #[command(after_help = install::UNINSTALL_HELP)]
    Uninstall(install::UninstallArgs),
    /// Answers one request about hardware on the socket that it is started with; what muster-helper.socket starts
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Helper,
    /// Tells the collector that the stopped agent goes for good; what packages call
    #[command(hide = true)]
    Farewell,
    /// Joins this machine to a collector; safe to repeat
    Enrol(enrol::EnrolArgs),
    /// Reports until stopped (what the service runs)
    Run(MachineArgs),
    /// What the service manager of Windows starts, and what the package calls
    #[cfg(windows)]
    #[command(hide = true)]
    Service(service::ServiceArgs),
    /// Says that this machine is being worked on: nobody is paged about it meanwhile
    #[command(after_help = "\
It is over this machine alone, and within 24 hours no longer than [agents] own_maintenance in collector.toml allows (4 h); it is
seen in the list of windows and in the audit log as this host's own. What is wrong when it ends pages then. Begun again, it
takes the place of the one before. Run it as root or as the agent's user; the agent need not run.

Examples:
  muster-agent maintenance --for 2h --change CHG123 --reason 'new kernel'
  muster-agent maintenance --end")]
    Maintenance(MaintenanceArgs),
    /// Collects once and prints it
    Once(OnceArgs),
    /// Prints what drives, RAID, memory and the kernel's log say, as JSON, and what of the hardware cannot be seen
    Evidence(MachineArgs),
    /// Prints what this machine is made of, runs and lets in
    Inventory(InventoryArgs),
    /// Prints all that would be sent of this machine, field by field, as JSON
    #[command(after_help = "\
Nothing is sent, no collector is needed, and a running agent is not disturbed. The messages are made by what makes those that are
sent, with what agent.toml switches off left out, and printed with nothing left out. Run it as the agent's user, who may read
less than root: sudo -u muster-agent muster-agent show --all | less")]
    Show(ShowArgs),
    /// Takes the inventory for a running agent, which calls it
    #[command(hide = true)]
    TellInventory(TellArgs),
    /// Says what can be read, what cannot, and the exact remedy
    Doctor(MachineArgs),
    /// Checks the configuration file and reports every mistake
    CheckConfig,
}

#[derive(Debug, Args)]
struct MaintenanceArgs {
    /// For so long: 30m, 2h
    #[arg(long = "for", value_name = "TIME", value_parser = lasting, required_unless_present = "end")]
    lasts: Option<Duration>,
    /// The change it belongs to, such as CHG123
    #[arg(long, default_value = "", requires = "lasts")]
    change: String,
    /// Why
    #[arg(long, default_value = "begun on the machine itself", requires = "lasts")]
    reason: String,
    /// End now what this machine began
    #[arg(long, conflicts_with = "lasts")]
    end: bool,
}

fn lasting(text: &str) -> Result<Duration, String> {
    let given = parse_duration(text).filter(|lasts| !lasts.is_zero());
    given.ok_or_else(|| "expected a time such as 30m or 2h".to_owned())
}

#[derive(Debug, Args)]
struct OnceArgs {
    /// How to print it
    #[arg(long, value_enum, default_value = "prometheus")]
    format: Format,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Debug, Args)]
struct InventoryArgs {
    /// How to print it
    #[arg(long, value_enum, default_value = "json")]
    format: InventoryFormat,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum InventoryFormat {
    /// By section, with status, reason and source
    Json,
    /// GLPI's inventory format
    Glpi,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// All there is
    #[arg(long, required = true)]
    all: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

#[derive(Debug, Args)]
struct TellArgs {
    #[arg(long, value_name = "SECTION=HASH", value_parser = known)]
    known: Vec<(String, u128)>,
    #[arg(long, value_name = "SECTION")]
    full: Vec<String>,
    #[arg(long)]
    only: bool,
    #[arg(long)]
    compare: bool,
    #[command(flatten)]
    machine: MachineArgs,
}

fn known(text: &str) -> Result<(String, u128), String> {
    tell::known_in(text).ok_or_else(|| "expected SECTION=HASH".to_owned())
}

#[derive(Debug, Args)]
struct MachineArgs {
    /// Look at a captured machine: its `/` below this directory
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Look external tools up in this directory only
    #[arg(long, value_name = "DIR", requires = "root")]
    commands: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Prometheus,
    Json,
}

impl MachineArgs {
    /// The machine, of which nothing is said that its configuration switches off.
    fn host(self, config: &Config) -> Host {
        let live = || Host::live().with_helper(Path::new(helper::SOCKET));
        self.root.map_or_else(live, |root| Host::captured(root, self.commands)).with_withheld(config.withheld)
    }
}

/// Runs one command.
pub(crate) fn run(cli: Cli) -> anyhow::Result<ExitCode> {
    let config = app::with_state(Config::load(cli.config.as_deref())?, cli.state.as_deref());
    let logs = match cli.command {
        Command::Enrol(_) | Command::Run(_) => true,
        #[cfg(target_os = "linux")]
        Command::Helper => true,
        _ => false,
    };
    if logs {
        telemetry::start(&config.log_level);
    }
    match cli.command {
        Command::CheckConfig => println!("the configuration is fine"),
        Command::Install(args) => return install::install(cli.config.as_deref(), config, args),
        Command::Uninstall(args) => return install::uninstall(cli.config.as_deref(), config, args),
        #[cfg(target_os = "linux")]
        Command::Helper => answer_one(&config)?,
        Command::Farewell => match runtime()?.block_on(app::farewell(config, Host::live())) {
            Some(Ok(())) => println!("the collector knows that this agent goes"),
            Some(Err(reason)) => anyhow::bail!("the collector was not told: {reason}"),
            None => println!("this machine is not enrolled; nobody has to be told"),
        },
        Command::Enrol(args) => runtime()?.block_on(enrol::enrol(cli.config.as_deref(), config, args))?,
        Command::Run(machine) => run_agent(cli.config.as_deref(), config, machine)?,
        #[cfg(windows)]
        Command::Service(args) => return args.run(cli.config, config),
        Command::Maintenance(args) => println!("{}", runtime()?.block_on(own_maintenance(config, args))?),
        Command::Once(args) => {
            let format = match args.format {
                Format::Prometheus => once::Format::Prometheus,
                Format::Json => once::Format::Json,
            };
            let host = args.machine.host(&config).with_textfiles(&config.textfiles).with_crowding(config.limits);
            print!("{}", runtime()?.block_on(once::once(host, config.checks, format)));
        }
        Command::Evidence(machine) => {
            print!("{}", hardware::print::json(&hardware::print::look(&machine.host(&config))))
        }
        Command::Inventory(args) => {
            let host = args.machine.host(&config);
            let sections = inventory::print::look(&host, &config.wanted);
            // A section that was cut has left a thread behind, which nobody waits for.
            match args.format {
                InventoryFormat::Json => print!("{}", inventory::print::json(&host, &sections)),
                InventoryFormat::Glpi => print!("{}", inventory::glpi::json(&host, &sections)),
            }
        }
        Command::Show(ShowArgs { all: _, machine }) => {
            let inventoried = machine.host(&config);
            let host = inventoried.clone().with_textfiles(&config.textfiles).with_crowding(config.limits);
            print!("{}", runtime()?.block_on(show::all(host, &inventoried, &config)));
        }
        Command::TellInventory(TellArgs { known, full, only, compare, machine }) => {
            let order = tell::Order { known: known.into_iter().collect(), full, only, compare };
            let state = StateDir::open(&config.state)?;
            tell::tell(&machine.host(&config), &config.wanted, &order, &state, report::inventory_messages)?;
        }
        Command::Doctor(machine) => {
            let file = cli.config.unwrap_or_else(|| config::DEFAULT_PATH.into());
            print!("{}", doctor::render(&examined(config, machine, &file)?));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Answers what is asked on the connection that this process was started with.
#[cfg(target_os = "linux")]
fn answer_one(config: &Config) -> anyhow::Result<()> {
    use std::os::fd::AsFd as _;
    let socket = std::io::stdin().as_fd().try_clone_to_owned().context("the socket")?;
    let host = Host::live();
    let (asker, locks) = (host.uid_of(helper::ASKER), Path::new(helper::LOCKS));
    let duty = helper::Duty { host: &host, asker, planned: config.prove.is_some(), locks };
    helper::serve(socket.into(), &duty)
        .context("this is started by muster-helper.socket, with the connection as its standard input")
}

/// All that `doctor` looks at; `file` is where the configuration is, or would be.
fn examined(config: Config, machine: MachineArgs, file: &Path) -> anyhow::Result<Vec<doctor::Finding>> {
    let host = machine.host(&config).with_textfiles(&config.textfiles).with_crowding(config.limits);
    let mut findings = doctor::examine(&host, &config.state);
    findings.extend(config.exporter.map(doctor::examine_exporter));
    match config.hardware {
        Some(_) => findings.extend(doctor::examine_hardware(&hardware::print::look(&host))),
        None => findings.push(doctor::hardware_is_off()),
    }
    findings.extend(match config.inventory {
        Some(_) => doctor::examine_inventory(&inventory::print::look(&host, &config.wanted)),
        None => vec![doctor::inventory_is_off()],
    });
    let runtime = runtime()?;
    findings.extend(runtime.block_on(doctor::examine_way(&host, &config, file)));
    let board = runtime.block_on(once::checked(&host, config.checks));
    findings.extend(board.iter().flat_map(|board| doctor::examine_checks(board)));
    Ok(findings)
}

/// Reports until asked to stop.
fn run_agent(file: Option<&Path>, config: Config, machine: MachineArgs) -> anyhow::Result<()> {
    let arguments = again(file, &config.state, &machine);
    let host = machine.host(&config).with_textfiles(&config.textfiles).with_crowding(config.limits);
    let runtime = runtime()?;
    let outcome = runtime.block_on(async {
        let asked = platform::asked_to_stop().context("signals cannot be received")?;
        app::run(config, host, arguments, asked).await.map_err(anyhow::Error::from)
    });
    // A name that is being looked up somewhere is not waited for.
    runtime.shutdown_background();
    outcome
}

/// Arguments with which another one looks at the same machine and has the same state; behind them comes the command.
fn again(config: Option<&Path>, state: &Path, machine: &MachineArgs) -> app::Again {
    let named = |name: &str, path: Option<&Path>| path.map(|path| [name.to_owned(), path.display().to_string()]);
    let before = [named("--config", config), named("--state", Some(state))];
    let after = [named("--root", machine.root.as_deref()), named("--commands", machine.commands.as_deref())];
    let flat = |all: [Option<[String; 2]>; 2]| all.into_iter().flatten().flatten().collect();
    app::Again { before: flat(before), after: flat(after) }
}

/// Prints an error with its causes; the exit code says whose mistake it is.
pub(crate) fn complain(error: &anyhow::Error) -> ExitCode {
    let of_service =
        || if let Some(ServiceError::Config(mistakes)) = error.downcast_ref() { Some(mistakes) } else { None };
    if let Some(mistakes) = error.downcast_ref::<ConfigError>().or_else(of_service) {
        eprintln!("{mistakes}");
        return USAGE.into();
    }
    // One line: a cause that carries a stranger's words cannot forge a second.
    eprintln!("muster-agent: {}", format!("{error:#}").replace(|c: char| c.is_control(), " "));
    let is_usage = matches!(error.downcast_ref(), Some(ServiceError::Usage(_) | ServiceError::Packaged(_)));
    if is_usage || error.is::<TokenError>() || error.is::<UsageError>() { USAGE.into() } else { ExitCode::FAILURE }
}

/// What was asked for cannot be meant.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct UsageError(String);

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().context("the runtime cannot start")
}

/// What became of it, in a line.
async fn own_maintenance(config: Config, args: MaintenanceArgs) -> anyhow::Result<String> {
    let MaintenanceArgs { lasts, change, reason, .. } = args;
    let order = lasts.map_or(Order::End, |lasts| Order::Begin { lasts, reason, change });
    // Looking for an identity makes no directory.
    if !config.state.is_dir() {
        return Err(MaintenanceError::NotEnrolled.into());
    }
    let state = StateDir::open(&config.state)?;
    Ok(match maintenance::ask(&state, &config.addresses, config.proxy.as_ref(), &order).await? {
        Done::Begun { number, until } => {
            let until: String = until.chars().filter(|c| !c.is_control()).collect();
            format!("maintenance {number} lasts until {until}: nobody is paged about this machine meanwhile")
        }
        Done::Ended => "maintenance has ended: what is wrong pages again".to_owned(),
    })
}
