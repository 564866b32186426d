//! Man pages and completions, drawn from the very words that are understood.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{CliError, arguments::Arguments, print};

const NAME: &str = "muster-collector";
/// Administration and daemons (man-pages(7)).
const SECTION: &str = "8";

/// What a shell needs to complete our words.
pub(super) fn completions(shell: Shell) -> Result<(), CliError> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), NAME, &mut text);
    print::bytes(&text)
}

/// The manual's first page, or all of them into a directory, one for each command.
pub(super) fn pages(directory: Option<&Path>) -> Result<(), CliError> {
    let command = Arguments::command();
    let Some(directory) = directory else {
        let mut text = Vec::new();
        let drawn = clap_mangen::Man::new(command).section(SECTION).render(&mut text);
        drawn.map_err(|error| CliError::Failed(format!("the page cannot be drawn: {error}")))?;
        return print::bytes(&text);
    };
    let draw = || {
        std::fs::create_dir_all(directory)?;
        let mut command = command.disable_help_subcommand(true);
        // Gives each command its whole name: muster-collector-host-list.
        command.build();
        write(command, directory)
    };
    draw().map_err(|error: std::io::Error| CliError::Failed(format!("{}: {error}", directory.display())))
}

/// One page and those of its commands.
fn write(command: clap::Command, directory: &Path) -> std::io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()).cloned() {
        write(below, directory)?;
    }
    clap_mangen::Man::new(command).section(SECTION).generate_to(directory).map(drop)
}
