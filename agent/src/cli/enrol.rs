//! `enrol`, and what `install` shares with it.
#![expect(clippy::print_stdout, reason = "the edge where the program speaks to a person")]

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use muster_agent::config::{self, Config};
use muster_agent::dial::DialError;
use muster_agent::identity::{self, EnrolError, Enrolment, Outcome, Token};
use muster_agent::inspection::is_address;
use muster_agent::state::StateDir;
use muster_agent::{clock, report, service};

use super::{MachineArgs, UsageError};

/// A token is about 90 bytes; a larger file is some other file.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;
/// The collector's clock and ours may differ by this before it is worth a word.
const OFFSET_TOLD_MS: i64 = 30_000;
/// Where programs are told of a proxy, by the conventions of curl and wget.
const PROXY_VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[derive(Debug, Args)]
pub(super) struct EnrolArgs {
    /// Where the collector listens; may be given several times
    #[arg(long, value_name = "HOST:PORT", num_args = 1..)]
    collector: Vec<String>,
    /// File with the join token, - for standard input [default: the variable MUSTER_TOKEN]
    #[arg(long, value_name = "FILE|-")]
    token_file: Option<PathBuf>,
    /// Enrol anew although this machine is enrolled; the old identity is set aside
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    proxy: ProxyArgs,
    #[command(flatten)]
    machine: MachineArgs,
}

/// The proxy on the way.
#[derive(Debug, Default, Args)]
pub(super) struct ProxyArgs {
    /// HTTP proxy on the way to the collector, http://[USER@]HOST:PORT, or none; written into agent.toml
    #[arg(long, value_name = "URL")]
    proxy: Option<String>,
    /// File with the password for USER, read at each connection; written into agent.toml
    #[arg(long, value_name = "FILE", requires = "proxy")]
    proxy_password_file: Option<PathBuf>,
}

impl ProxyArgs {
    pub(super) fn wish(self) -> Option<(String, Option<PathBuf>)> {
        self.proxy.map(|proxy| (proxy, self.proxy_password_file))
    }
}

pub(super) async fn enrol(file: Option<&Path>, config: Config, args: EnrolArgs) -> anyhow::Result<()> {
    let file = file.unwrap_or(Path::new(config::DEFAULT_PATH));
    // The configuration as it will be, and its text.
    let (config, stated) = match args.proxy.wish() {
        Some((proxy, password_file)) => match service::with_proxy(file, &config, &proxy, password_file.as_deref())? {
            Some((read, text)) => (Config { state: config.state, ..read }, Some(text)),
            None => (config, None),
        },
        None => (config, None),
    };
    let addresses = if args.collector.is_empty() { config.addresses.clone() } else { args.collector };
    usable_addresses(&addresses)?;
    let state = StateDir::open(&config.state)?;
    let _lock = state.lock()?;
    let host = args.machine.host(&config);
    let token = read_token(args.token_file)?;
    let order = Enrolment {
        addresses,
        proxy: config.proxy,
        token,
        facts: report::host_facts(&host, &config.labels),
        fingerprint: report::fingerprint(&host),
        replace: args.force,
    };
    let outcome = identity::enrol(&state, &order, clock::now).await.map_err(|error| hinted(error, &order))?;
    if let Some(text) = stated {
        service::state_proxy(file, &text)?;
    }
    match outcome {
        Outcome::Already(identity) => {
            let id = identity::hyphenated(&identity.host_id);
            println!("already enrolled as {:?} (host {id}); nothing was changed, --force enrols anew", identity.name);
        }
        Outcome::Enrolled { identity, clock_offset_ms, clock_wrong } => {
            println!("enrolled as {:?} (host {})", identity.name, identity::hyphenated(&identity.host_id));
            if clock_wrong || clock_offset_ms.abs() > OFFSET_TOLD_MS {
                println!(
                    "this machine's clock differs from the collector's by {} s; set it (timedatectl set-ntp true){}",
                    -clock_offset_ms / 1000,
                    if clock_wrong { ": until then the agent cannot connect" } else { "" }
                );
            }
        }
    }
    Ok(())
}

pub(super) fn usable_addresses(addresses: &[String]) -> Result<(), UsageError> {
    match addresses.iter().find(|address| !is_address(address)) {
        Some(wrong) => {
            let text = format!("--collector {wrong:?}: expected HOST:PORT, for example muster.example.org:7460");
            Err(UsageError(text))
        }
        None => Ok(()),
    }
}

/// Where this shell knows of a proxy and the agent does not: a service would not see the shell's environment, so neither does this.
fn hinted(error: EnrolError, order: &Enrolment) -> anyhow::Error {
    let unreachable = matches!(error, EnrolError::Dial(DialError::Unreachable { .. } | DialError::Silent { .. }));
    let set = PROXY_VARIABLES.iter().find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    match set.filter(|_| unreachable && order.proxy.is_none()) {
        Some(name) => anyhow::Error::from(error).context(format!(
            "{name} is set here, but the agent goes through no proxy that is not given with --proxy URL"
        )),
        None => error.into(),
    }
}

/// The token from the named file, standard input, or `MUSTER_TOKEN`; never from the command line, where others see it.
pub(super) fn read_token(file: Option<PathBuf>) -> anyhow::Result<Token> {
    let mut text = String::new();
    match file {
        Some(path) if path.as_os_str() == "-" => {
            std::io::stdin().take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).context("standard input")?;
        }
        Some(path) => {
            let name = path.display().to_string();
            let file = std::fs::File::open(&path).with_context(|| name.clone())?;
            file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text).context(name)?;
        }
        None => {
            text = std::env::var("MUSTER_TOKEN").map_err(|_| {
                UsageError(
                    "no token is given; use --token-file FILE, --token-file - or the variable MUSTER_TOKEN".into(),
                )
            })?;
        }
    }
    Ok(Token::parse(&text)?)
}
