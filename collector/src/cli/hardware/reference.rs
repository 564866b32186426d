//! `hardware rules`: the catalogue of the rules, for a terminal, for programs, and as the page of the documentation.

use std::collections::BTreeMap;

use super::super::{CliError, print};
use crate::domain::rules::hardware::catalogue::{Rule, all};

/// How the rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(in crate::cli) enum Format {
    /// A paragraph for each rule.
    Text,
    /// The reference page, a table for each kind of part.
    Markdown,
    /// An array of objects.
    Json,
}

/// Of the page: what it is, and how its words are to be taken.
const HEAD: &str = "\
<!-- Made by `muster-collector hardware rules --format markdown > deploy/hardware-rules.md`; not to be edited by hand. -->

# Rules of hardware

What the collector judges of the evidence that agents send, and `muster-collector hardware judge` and `replay` of captured output.
Critical is what a device declares of itself or redundancy that is lost; warning is a sign that a part is going; info is one weak sign,
which wakes nobody. What is told only opens no finding. Attributes are those of ATA drives by number, their counts the raw values.
\"Backblaze, April and May 2013\" was counted over 22 892 drives and 40 days, in which 120 failed, 42 of these without any sign before.
linuxhw is a survey of 66 776 drives, each looked at once. More than a third of the drives that fail show nothing before.
";

pub(super) fn write(format: Format) -> Result<(), CliError> {
    match format {
        Format::Text => print::text(&all().iter().map(|rule| paragraph(rule)).collect::<Vec<_>>().join("\n")),
        Format::Markdown => print::text(&page()),
        Format::Json => {
            let rules = serde_json::to_value(all());
            print::json(&rules.map_err(|error| CliError::Failed(format!("the rules cannot be written: {error}")))?)
        }
    }
}

fn paragraph(rule: &Rule) -> String {
    let Rule { name, about, says, judged_by, source, severity, remedy } = rule;
    format!(
        "\
{name}
  part       {about}
  means      {says}
  judged by  {judged_by}
  source     {source}
  severity   {severity}
  remedy     {remedy}
"
    )
}

fn page() -> String {
    let mut parts: BTreeMap<String, Vec<&Rule>> = BTreeMap::new();
    for rule in all() {
        parts.entry(heading(rule.about)).or_default().push(rule);
    }
    let mut text = HEAD.to_owned();
    for (part, rules) in parts {
        text.push_str(&format!(
            "\n## {part}\n\n| rule | an open finding means | judged by | source | severity | remedy |\n|---|---|---|---|---|---|\n"
        ));
        for Rule { name, says, judged_by, source, severity, remedy, .. } in rules {
            text.push_str(&format!("| `{name}` | {says} | {judged_by} | {source} | {severity} | {remedy} |\n"));
        }
    }
    text
}

/// With a capital at its front.
fn heading(part: &str) -> String {
    let mut letters = part.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_that_is_shipped_is_the_page_that_is_made() {
        let shipped = include_str!("../../../../deploy/hardware-rules.md");
        let made = page();
        let at = made.lines().zip(shipped.lines()).find(|(made, shipped)| made != shipped);
        assert!(made == shipped, "{at:?}");
    }
}
