//! `backup` and `restore`.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
};

use clap::Args;
use serde_json::json;

use super::{CliError, arguments::Place, client::read_line, commands::Desk, print};
use crate::{
    domain::backup::check_passphrase,
    store::backup::{Destination, Target},
};

/// `backup FILE`
#[derive(Debug, Args)]
pub(super) struct NewBackup {
    /// A file that is not there yet, outside of the collector's state directory
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// `restore FILE`
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
}

/// Never an argument, which everybody on the machine could read.
#[derive(Debug, Args)]
struct Passphrase {
    /// File whose first line is the passphrase; - reads standard input
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// The passphrase, where no file is given
    #[arg(long = "passphrase-from-environment", hide = true, env = "MUSTER_PASSPHRASE", hide_env_values = true)]
    passphrase: Option<String>,
}

impl Passphrase {
    fn read(self) -> Result<Option<String>, CliError> {
        match self.passphrase_file {
            Some(file) if file == Path::new("-") => super::commands::password(None).map(Some),
            Some(file) => read_line(&file).map(Some),
            None => Ok(self.passphrase),
        }
    }
}

impl Desk {
    /// The collector seals, and this command writes: with the rights of who asks, not of the collector.
    pub(super) async fn backup(&self, asked: NewBackup, place: &Place) -> Result<(), CliError> {
        let passphrase = asked.passphrase.read()?;
        if let Some(Err(expected)) = passphrase.as_deref().map(check_passphrase) {
            return Err(CliError::Usage(format!("expected {expected}")));
        }
        let state = if place.url.is_some() { None } else { Some(super::client::state(place)?) };
        let failed = |error: std::io::Error| CliError::Failed(error.to_string());
        let mut to = Destination::begin(&asked.file, state.as_deref()).map_err(failed)?;
        let body = json!({ "passphrase": passphrase });
        let mut answer = self.client.stream("/backup", body).await?;
        let missing =
            answer.headers().get("muster-missing").map(|text| String::from_utf8_lossy(text.as_bytes()).into_owned());
        let broken = |error: reqwest::Error| {
            CliError::Failed(format!("the backup breaks off, and nothing of it is left: {error}"))
        };
        while let Some(piece) = answer.chunk().await.map_err(broken)? {
            to.write_all(&piece).map_err(failed)?;
        }
        let bytes = to.keep().map_err(failed)?;
        if let Some(missing) = missing.filter(|missing| !missing.is_empty()) {
            print::warning(&format!("the backup goes without {missing}"));
        }
        let file = asked.file.display().to_string();
        if self.json {
            return print::json(&json!({ "file": file, "bytes": bytes }));
        }
        print::line(&format!("everything is in {file}: {bytes} bytes, sealed"))
    }
}

/// Done without a collector: there must be none at work there.
pub(super) fn restore(asked: Restore, place: &Place, as_json: bool) -> Result<(), CliError> {
    let shown = asked.file.display().to_string();
    let passphrase = asked.passphrase.read()?.ok_or_else(|| {
        CliError::Usage("give the passphrase of the backup: --passphrase-file FILE, or - for standard input".into())
    })?;
    let file = File::open(&asked.file).map_err(|error| CliError::Usage(format!("{shown} cannot be read: {error}")))?;
    let now = crate::clock::Clock::start().now();
    let target = Target { state: place.state.as_deref(), configuration: place.config.as_deref(), now };
    let restored = crate::store::backup::restore(file, &passphrase, target)
        .map_err(|why| CliError::Refused(format!("{shown} was not restored, and nothing was changed: {why}")))?;
    for left in &restored.left {
        print::warning(left);
    }
    for missing in &restored.missing {
        print::warning(&format!("the backup was taken without {missing}"));
    }
    let state = restored.state.display().to_string();
    if as_json {
        return print::json(&json!({
            "state": state, "taken": restored.taken.to_string(), "placed": restored.placed, "left": restored.left,
            "missing": restored.missing,
        }));
    }
    for placed in &restored.placed {
        print::line(&format!("{} is as it was", placed.display()))?;
    }
    print::line(&format!(
        "restored to {state}, as of {}; start the collector: agents that know its address or name come back by themselves",
        restored.taken
    ))
}
