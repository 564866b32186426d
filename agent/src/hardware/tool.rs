//! A tool that is asked for all that it knows: its output as it is, or why there is none.

use std::collections::HashMap;

use super::{Found, Look, PAYLOAD_MAX, Why};
use crate::host::CommandError;

/// A tool that was killed at its deadline is left alone for so long, in milliseconds.
const ALONE_MS: u64 = 6 * 3_600_000;

/// Until when a question is not asked, in milliseconds since boot.
pub(super) type Alone = HashMap<String, u64>;

/// One question to a tool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// `--kind` of the answer.
    pub(super) source: &'static str,
    pub(super) part: &'a str,
    pub(super) tool: &'a str,
    pub(super) arguments: &'a [&'a str],
    /// In milliseconds.
    pub(super) deadline_ms: u64,
}

/// Asks it, unless it hung lately.
pub(super) fn ask(look: &mut Look<'_>, question: &Question<'_>) -> Found {
    ask_or(look, question, "")
}

/// The same of a tool that may end well and print nothing: that says `silence`.
pub(super) fn ask_or(look: &mut Look<'_>, question: &Question<'_>, silence: &str) -> Found {
    let Question { source, part, tool, arguments, deadline_ms } = *question;
    let unseen = |why, reason: String| Found::unseen(source, part, why, reason);
    let key = format!("{tool} {}", arguments.join(" "));
    let hung = || unseen(Why::Hung, format!("{key} did not end within {} s", deadline_ms / 1_000));
    if look.memory.alone.get(&key).is_some_and(|until_ms| look.now_ms < *until_ms) {
        return hung();
    }
    match look.host.run_for(&arguments.join(" "), tool, arguments, PAYLOAD_MAX, deadline_ms) {
        Ok(output) if output.code == Some(0) && output.stdout.trim_ascii().is_empty() && !silence.is_empty() => {
            Found::read(source, part, silence.into(), String::new())
        }
        Ok(output) if output.stdout.trim_ascii().is_empty() => {
            let ended = output.code.map_or("died of a signal".to_owned(), |code| format!("ended with {code}"));
            unseen(Why::Failed, format!("{key} {ended} and said nothing; it may need more rights than the agent has"))
        }
        Ok(output) => Found::said(source, part, output),
        Err(CommandError::NotPresent(_)) => unseen(Why::NotInstalled, format!("{tool} is not installed")),
        Err(error @ CommandError::Failed { .. }) => unseen(Why::Failed, error.to_string()),
        Err(CommandError::TimedOut { .. } | CommandError::Hanging(_)) => {
            let unseen = hung();
            look.memory.alone.insert(key.clone(), look.now_ms + ALONE_MS);
            unseen
        }
    }
}
