//! RAID controllers, through the tools of their makers, where a controller and its tool are there.
//!
//! Only what shows is asked; no tool is told to write, and none keeps a log where that can be said.

use super::tool::{Question, ask};
use super::{Found, Look, Why};

/// A controller with a hundred drives and a slow bus takes half of it.
const DEADLINE_MS: u64 = 60_000;

/// One maker's tool.
struct Tool {
    /// `--kind` of its answers.
    source: &'static str,
    /// Names of one tool, the first that is there is asked.
    names: &'static [&'static str],
    /// Drivers of controllers that it knows, as `/sys/class/scsi_host/*/proc_name` says them.
    drivers: &'static [&'static str],
    /// Part, and what to ask for it.
    questions: &'static [(&'static str, &'static [&'static str])],
}

/// Of several tools for one driver the first that is there is asked.
const TOOLS: [Tool; 8] = [
    // storcli and perccli are one program under two names; "nolog": it would write storcli.log where it stands.
    Tool {
        source: "storcli-json",
        names: &["storcli64", "storcli", "perccli64", "perccli"],
        drivers: &["megaraid_sas"],
        questions: &[
            ("controllers", &["/call", "show", "all", "J", "nolog"]),
            ("volumes", &["/call/vall", "show", "all", "J", "nolog"]),
            ("drives", &["/call/eall/sall", "show", "all", "J", "nolog"]),
        ],
    },
    Tool {
        source: "megacli",
        names: &["MegaCli64", "MegaCli", "megacli"],
        drivers: &["megaraid_sas", "megaraid_mm", "megaraid_mbox"],
        questions: &[
            ("volumes", &["-LDInfo", "-Lall", "-aALL", "-NoLog"]),
            ("drives", &["-PDList", "-aALL", "-NoLog"]),
            ("battery", &["-AdpBbuCmd", "-GetBbuStatus", "-aALL", "-NoLog"]),
        ],
    },
    Tool {
        source: "ssacli",
        names: &["ssacli", "hpssacli", "hpacucli"],
        drivers: &["hpsa", "smartpqi", "cciss"],
        questions: &[("all", &["ctrl", "all", "show", "config", "detail"])],
    },
    Tool {
        source: "arcconf",
        names: &["arcconf"],
        drivers: &["aacraid", "smartpqi"],
        questions: &[
            ("volumes", &["getconfig", "1", "ld"]),
            ("drives", &["getconfig", "1", "pd"]),
            ("controllers", &["getconfig", "1", "ad"]),
        ],
    },
    Tool { source: "sas2ircu", names: &["sas3ircu"], drivers: &["mpt3sas"], questions: &[("all", &["0", "display"])] },
    Tool {
        source: "sas2ircu",
        names: &["sas2ircu"],
        drivers: &["mpt2sas", "mpt3sas"],
        questions: &[("all", &["0", "display"])],
    },
    Tool {
        source: "tw-cli",
        names: &["tw_cli"],
        drivers: &["3w-9xxx", "3w-sas", "3w-xxxx"],
        questions: &[("all", &["info", "c0"])],
    },
    Tool {
        source: "areca",
        names: &["areca-cli64", "areca-cli", "cli64"],
        drivers: &["arcmsr"],
        questions: &[("volumes", &["vsf", "info"]), ("drives", &["disk", "info"])],
    },
];
/// Drivers of adapters that hide no drives: without a tool nothing is missing.
const PLAIN: [&str; 2] = ["mpt2sas", "mpt3sas"];

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let hosts = look.host.list("/sys/class/scsi_host").unwrap_or_default();
    let name = |host: &String| look.host.read_text(&format!("/sys/class/scsi_host/{host}/proc_name")).ok();
    let mut drivers: Vec<String> = hosts.iter().filter_map(name).collect();
    drivers.sort_unstable();
    drivers.dedup();
    let mut found = Vec::new();
    for driver in &drivers {
        let tools = TOOLS.iter().filter(|tool| tool.drivers.contains(&driver.as_str()));
        let names: Vec<&str> = tools.clone().flat_map(|tool| tool.names).copied().collect();
        let is_there = |name: &&&str| look.host.tool(name).is_some();
        let chosen = tools.clone().find_map(|tool| Some((tool, *tool.names.iter().find(is_there)?)));
        match chosen {
            Some((tool, name)) => found.extend(questions(look, tool, name)),
            None if names.is_empty() || PLAIN.contains(&driver.as_str()) => {}
            None => {
                let source = tools.clone().next().map_or("raid", |tool| tool.source);
                let reason =
                    format!("a RAID controller is here ({driver}) and none of its tools: {}", names.join(", "));
                found.push(Found::unseen(source, "", Why::NotInstalled, reason));
            }
        }
    }
    found
}

fn questions(look: &mut Look<'_>, tool: &Tool, name: &str) -> Vec<Found> {
    let ask_one = |(part, arguments): &(&str, &[&str])| {
        ask(look, &Question { source: tool.source, part, tool: name, arguments, deadline_ms: DEADLINE_MS })
    };
    tool.questions.iter().map(ask_one).collect()
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::testing::Machine;

    #[test]
    fn a_controller_is_asked_through_the_first_of_its_tools_and_one_without_says_so() {
        let mut machine = Machine::new();
        machine.tool("perccli64", "echo '{\"Controllers\":[]}'");
        machine.tool("MegaCli64", "echo never");
        machine.tool("sas3ircu", "echo never");
        assert_eq!(machine.look("raid", 0), [], "tools, and no controller");
        machine.file("sys/class/scsi_host/host0/proc_name", "megaraid_sas\n");
        machine.file("sys/class/scsi_host/host1/proc_name", "ahci\n");
        machine.file("sys/class/scsi_host/host2/proc_name", "hpsa\n");
        machine.file("sys/class/scsi_host/host3/proc_name", "mpt2sas\n");
        let found = machine.look("raid", 0);
        let told: Vec<_> = found.iter().map(|found| format!("{} {}", found.source, found.part)).collect();
        assert_eq!(told, ["ssacli ", "storcli-json controllers", "storcli-json volumes", "storcli-json drives"]);
        assert!(
            matches!(&found[0].outcome, Outcome::Unseen { reason, .. } if reason.ends_with("ssacli, hpssacli, hpacucli"))
        );
        let asked = machine.asked();
        assert_eq!(asked.len(), 3);
        assert_eq!(asked[2], "perccli64 /call/eall/sall show all J nolog");
        assert!(asked.iter().all(|line| line.contains(" show ")), "nothing but looking: {asked:?}");
    }
}
