//! What of the inventory cannot be read, and what to do about it.

use super::rights::{drop_in, or_helper};
use super::{Finding, Standing};
use crate::inventory::{Section, Status};

/// How many sections are known, and each that is not, or not whole, with its remedy.
#[must_use]
pub fn examine_inventory(sections: &[Section]) -> Vec<Finding> {
    let known = |section: &&Section| section.status == Status::Complete;
    let absent = |section: &&Section| section.status == Status::Absent;
    let (read, none) = (sections.iter().filter(known).count(), sections.iter().filter(absent).count());
    let detail = format!("{read} sections can be read, {none} are of what this machine does not have");
    let mut findings = vec![Finding::new("inventory", Standing::Fine, detail, "")];
    findings.extend(sections.iter().filter_map(finding));
    findings
}

/// That nothing is looked at, because this machine's own file says so.
#[must_use]
pub fn inventory_is_off() -> Finding {
    let detail = "not taken: agent.toml says `enabled = false` below `[inventory]`";
    Finding::new("inventory", Standing::Absent, detail, "")
}

fn finding(section: &Section) -> Option<Finding> {
    let what = format!("inventory {}", section.name);
    let standing = match section.status {
        Status::Complete | Status::Absent => return None,
        Status::SwitchedOff => return Some(Finding::new(&what, Standing::Absent, &section.reason, "")),
        Status::Partial | Status::Unreadable => Standing::Limited,
    };
    Some(Finding::new(&what, standing, &section.reason, remedy(section)))
}

fn remedy(section: &Section) -> String {
    let reason = section.reason.as_str();
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    if says(&["CAP_SYS_PTRACE"]) {
        return drop_in("CAP_SYS_PTRACE", "");
    }
    if says(&["/sys/firmware/dmi", "/sys/class/dmi"]) && says(&["may not be read"]) {
        return or_helper(&drop_in("CAP_DAC_READ_SEARCH", ""));
    }
    if says(&["may not be read", "ermission denied"]) {
        return drop_in("CAP_DAC_READ_SEARCH", "");
    }
    if says(&["did not end well", "no answer within", "was killed"]) {
        let tool = if section.name == "updates" { "the package manager" } else { "the program named above" };
        return format!("run {tool} by hand as root and see what it says");
    }
    if says(&["captured machine", "the rest is"]) {
        return String::new();
    }
    if says(&["/sys/class/dmi", "SMBIOS", "device tree"]) {
        return "nothing is to be done where the firmware or the hypervisor does not say it; a label can".to_owned();
    }
    "the message above says what is missing; where it should not be looked at, name the section below `[inventory]` in \
     agent.toml: `off = [...]`"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(name: &str, status: Status, reason: &str) -> Section {
        let (source, rows) = (String::new(), Vec::new());
        Section { name: name.into(), status, reason: reason.into(), source, collected_ms: 0, rows, whole: true }
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_remedy_and_what_is_not_there_is_no_fault() {
        let ports = "the programs of other users' sockets: reading /proc/PID/fd takes CAP_SYS_PTRACE";
        let sections = [
            section("os", Status::Complete, ""),
            section("batteries", Status::Absent, "there is none"),
            section(
                "users",
                Status::Partial,
                "whether passwords are set: /etc/shadow may not be read: Permission denied",
            ),
            section("listening_ports", Status::Partial, ports),
            section("updates", Status::Unreadable, "apt-get did not end well"),
            section("packages", Status::SwitchedOff, "switched off by [inventory] off in agent.toml"),
        ];
        let findings = examine_inventory(&sections);
        assert_eq!(findings[0].detail, "1 sections can be read, 1 are of what this machine does not have");
        let told: Vec<(&str, Standing)> = findings[1..].iter().map(|one| (one.what.as_str(), one.standing)).collect();
        assert_eq!(
            told,
            [
                ("inventory users", Standing::Limited),
                ("inventory listening_ports", Standing::Limited),
                ("inventory updates", Standing::Limited),
                ("inventory packages", Standing::Absent),
            ]
        );
        assert!(findings[1].remedy.contains("`AmbientCapabilities=CAP_DAC_READ_SEARCH`"), "{:?}", findings[1]);
        assert!(findings[2].remedy.contains("`AmbientCapabilities=CAP_SYS_PTRACE`"), "{:?}", findings[2]);
        assert!(findings[3].remedy.contains("package manager"), "{:?}", findings[3]);
    }
}
