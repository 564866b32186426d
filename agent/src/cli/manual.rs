//! The manual's pages and the completions of shells, drawn from the very words that are understood. They lie in `deploy/manual`, from
//! where packages take them: what draws them would be a tenth of the program, on every machine. To draw them anew:
//! `UPDATE_GOLDEN=1 cargo test -p muster-agent --bin muster-agent manual`.

use std::collections::BTreeMap;
use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::Cli;

const NAME: &str = "muster-agent";
/// Administration and daemons (man-pages(7)).
const SECTION: &str = "8";

/// The commands that people call, of every version.
fn shown() -> Command {
    let all = Cli::command();
    let seen = all.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let about = all.get_about().cloned().unwrap_or_default();
    let after = all.get_after_help().cloned().unwrap_or_default();
    let own = Command::new(NAME).about(about).after_help(after).args(all.get_arguments().cloned());
    own.subcommand_required(true).disable_help_subcommand(true).subcommands(seen)
}

/// Every file, by its name.
fn drawn() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for (shell, name) in
        [(Shell::Bash, "muster-agent.bash"), (Shell::Zsh, "_muster-agent"), (Shell::Fish, "muster-agent.fish")]
    {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut shown(), NAME, &mut text);
        files.insert(name.to_owned(), String::from_utf8(text).unwrap());
    }
    let mut command = shown();
    // Gives each command its whole name: muster-agent-once.
    command.build();
    let pages: Vec<Command> = command.get_subcommands().cloned().chain([command.clone()]).collect();
    for page in pages {
        let name = format!("{}.{SECTION}", page.get_display_name().unwrap_or(NAME));
        let mut text = Vec::new();
        let man = clap_mangen::Man::new(page).section(SECTION).source("Muster");
        man.render(&mut text).unwrap();
        files.insert(name, String::from_utf8(text).unwrap());
    }
    files
}

#[test]
fn the_manual_and_completions_that_packages_bring_are_those_of_the_commands() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/manual");
    let drawn = drawn();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (name, text) in &drawn {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    let there: Vec<String> =
        std::fs::read_dir(&folder).unwrap().flatten().map(|file| file.file_name().into_string().unwrap()).collect();
    let mut named: Vec<&String> = there.iter().collect();
    named.sort_unstable();
    assert_eq!(named, drawn.keys().collect::<Vec<_>>());
    for (name, text) in drawn {
        let kept = std::fs::read_to_string(folder.join(&name)).unwrap();
        assert!(kept == text, "deploy/manual/{name} is old: see the head of agent/src/cli/manual.rs");
    }
}

#[test]
fn each_command_has_a_page_and_what_is_hidden_has_none() {
    let drawn = drawn();
    for command in ["install", "uninstall", "enrol", "maintenance", "once", "inventory", "doctor", "check-config"] {
        assert!(drawn.contains_key(&format!("muster-agent-{command}.8")), "{command}");
        assert!(drawn["muster-agent.bash"].contains(command) && drawn["_muster-agent"].contains(command), "{command}");
        assert!(drawn["muster-agent.fish"].contains(command), "{command}");
    }
    assert!(drawn["muster-agent-install.8"].contains("Exit codes"));
    let told: Vec<_> = drawn.iter().filter(|(_, text)| text.contains("tell-inventory")).collect();
    assert!(told.is_empty() && !drawn.contains_key("muster-agent-farewell.8"), "{told:?}");
}
