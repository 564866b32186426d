//! Checks that the collector sends, and what this machine lets it send.
//!
//! Whoever commands the collector must not thereby command this machine: nothing that is sent starts a program, reads a
//! file or opens a path that this machine's own `agent.toml` (or `plugins.d`) does not name. Built-in kinds come with
//! bounded arguments; plugins by local name, as this machine defines them, without any argument of the sender's.

use std::collections::BTreeSet;
use std::time::Duration;

use super::define::{self, Plugins, Table};
use super::keys::Keys;
use super::{CHECKS_MAX, Definition};
use crate::inspection::Inspection;

/// Which checks the collector may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RemoteChecks {
    /// None at all.
    None,
    /// Those that are part of the agent, with bounded arguments.
    #[default]
    BuiltIn,
    /// Also plugins that this machine's own files name.
    NamedPlugins,
}

/// What this machine's own file says of what may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Local {
    /// Which checks are taken at all. It cannot be sent.
    pub remote_checks: RemoteChecks,
    /// This machine's own checks: one that is sent under the same name is left out.
    pub checks: Vec<Definition>,
    /// Programs that may be named.
    pub plugins: Plugins,
    /// How often readings are reported, when this machine insists.
    pub interval: Option<Duration>,
}

impl Local {
    /// Whether a check of this name is this machine's own.
    #[must_use]
    pub fn has_check(&self, name: &str) -> bool {
        self.checks.iter().any(|check| check.name == name)
    }
}

/// Reads the checks of a settings document, without those that this machine's own file has. What may not be sent is a
/// mistake like any other: all are told, and nothing of the document is applied.
pub(crate) fn checks(
    raw: Vec<toml::Spanned<Table>>,
    local: &Local,
    inspection: &mut Inspection<'_>,
) -> Vec<Definition> {
    if !raw.is_empty() && local.remote_checks == RemoteChecks::None {
        let why = "check: remote_checks = \"none\" in this machine's agent.toml: it takes no check from the collector";
        inspection.mistake(0, why.to_owned());
        return Vec::new();
    }
    let all = raw.len() + local.checks.len();
    if all > CHECKS_MAX {
        inspection.mistake(0, format!("check: {all} with this machine's own, expected at most {CHECKS_MAX}"));
        return Vec::new();
    }
    let mut names = BTreeSet::new();
    let mut definitions = Vec::new();
    for table in raw {
        let at = table.span().start;
        let table = table.into_inner();
        let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str()).unwrap_or_default().to_owned();
        let place = format!("check {:?}", text("name"));
        if let Some(why) = refusal(&text("kind"), &table, local) {
            inspection.mistake(at, format!("{place}: {why}"));
            continue;
        }
        definitions.extend(define::check(Keys::new(table, place, at, inspection), &mut names, &local.plugins));
    }
    if !inspection.mistakes.is_empty() {
        return Vec::new();
    }
    definitions.retain(|check| !local.has_check(&check.name));
    definitions
}

/// Why a check of this kind may not be sent, if it may not.
fn refusal(kind: &str, table: &Table, local: &Local) -> Option<&'static str> {
    match kind {
        "process" | "file_age" => {
            Some("this kind looks into the machine: it is taken from its own agent.toml only, not from the collector")
        }
        "http" if table.contains_key("ca") => Some("the path of a ca is taken from the machine's own agent.toml only"),
        "plugin" if local.remote_checks != RemoteChecks::NamedPlugins => Some(
            "a plugin from the collector needs remote_checks = \"named_plugins\" in this machine's agent.toml; \
             it is \"built_in\"",
        ),
        "plugin" if table.contains_key("arguments") => Some(
            "arguments of a plugin are taken from this machine's own files only: write them into its [plugins.NAME]",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
