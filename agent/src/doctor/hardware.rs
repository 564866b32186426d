//! What of the hardware cannot be looked at, and what to do about it.

use super::rights::{drop_in, or_helper};
use super::{Finding, Standing};
use crate::hardware::{Batch, Found, Outcome, Why};

const BMC: &str = "give the agent its device: a udev rule `KERNEL==\"ipmi*\", GROUP=\"muster-agent\", MODE=\"0660\"` in \
                   /etc/udev/rules.d, then `udevadm trigger`";

/// What each look found missing, and how many parts could be read.
#[must_use]
pub fn examine_hardware(batches: &[Batch]) -> Vec<Finding> {
    let found = || batches.iter().flat_map(|batch| &batch.found);
    let read = found().filter(|found| matches!(found.outcome, Outcome::Read { .. })).count();
    let mut findings = vec![Finding::new("hardware", Standing::Fine, format!("{read} parts can be read"), "")];
    // Whether the kernel's log may be read is examined with the other guarded files.
    findings.extend(found().filter(|found| found.source != "kernel-log").filter_map(finding));
    findings
}

/// That nothing is looked at, because this machine's own file says so.
#[must_use]
pub fn hardware_is_off() -> Finding {
    let detail = "not looked at: agent.toml says `hardware = false` below `[collect]`";
    Finding::new("hardware", Standing::Absent, detail, "")
}

fn finding(found: &Found) -> Option<Finding> {
    let Outcome::Unseen { why, reason } = &found.outcome else { return None };
    let what =
        if found.part.is_empty() { found.source.to_string() } else { format!("{} {}", found.source, found.part) };
    let (standing, remedy) = match why {
        Why::Asleep | Why::Virtual | Why::NotPresent | Why::NoEccReporting | Why::Gone => {
            (Standing::Absent, String::new())
        }
        Why::NotInstalled => (Standing::Limited, install(&found.source)),
        Why::NoPermission => (Standing::Limited, right(found)),
        Why::Failed if found.source == "ipmi" => (Standing::Limited, or_helper(BMC)),
        Why::Failed => {
            (Standing::Limited, "the message above is the tool's own: run the same by hand as root".to_owned())
        }
        Why::Hung => (
            Standing::Limited,
            "it is killed and left alone for hours; nothing else waits for it. Run the same by hand: a device or its \
             controller does not answer"
                .to_owned(),
        ),
        Why::BehindRaid => (Standing::Limited, "`smartctl --scan` as root shows what can be asked".to_owned()),
        Why::UsbBridge => (
            Standing::Limited,
            "`smartctl -d test /dev/...` as root, or connect the drive without the bridge".to_owned(),
        ),
    };
    Some(Finding::new(&what, standing, reason.clone(), remedy))
}

/// The right that is lacking: a tool's own requests to a device take more than reading its file does.
fn right(found: &Found) -> String {
    let behind = |controllers: &[&str]| controllers.iter().any(|controller| found.part.contains(controller));
    match &*found.source {
        "smartctl-json" if found.part.starts_with("nvme") => or_helper(&drop_in("CAP_SYS_ADMIN", "")),
        "smartctl-json" if behind(&["megaraid"]) => {
            "this takes root: smartctl makes a device node of its own; run it by hand as root".to_owned()
        }
        // The helper names no devices of 3ware's.
        "smartctl-json" if behind(&["3ware,"]) => drop_in("CAP_SYS_RAWIO", "`SupplementaryGroups=disk`, "),
        "smartctl-json" if behind(&["cciss,", "areca,"]) => {
            or_helper(&drop_in("CAP_SYS_RAWIO", "`SupplementaryGroups=disk`, "))
        }
        "smartctl-json" => or_helper(&drop_in("CAP_SYS_RAWIO", "")),
        "nic" => drop_in("CAP_NET_ADMIN", ""),
        "dmsetup" => {
            let udev = "a udev rule `KERNEL==\"device-mapper\", GROUP=\"muster-agent\", MODE=\"0660\"`";
            or_helper(&format!("{udev}, and {}", drop_in("CAP_SYS_ADMIN", "")))
        }
        _ => "give the agent's user the right to read it".to_owned(),
    }
}

fn install(source: &str) -> String {
    let package = match source {
        "smartctl-json" => "smartmontools (7.0 or newer)",
        "zpool" => "zfsutils-linux",
        "ipmi" => "ipmitool",
        "nic" => "ethtool",
        "dmsetup" => "dmsetup",
        "gpu" => return "install nvidia-smi, which comes with NVIDIA's driver".to_owned(),
        _ => {
            return "install the tool of the controller's maker in /usr/sbin, /usr/local/sbin or where it puts itself"
                .to_owned();
        }
    };
    format!("`apt-get install {package}`, or your system's package of that name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::SOURCES;

    #[test]
    fn what_is_missing_is_named_with_its_remedy_and_what_is_not_there_is_no_fault() {
        let found = vec![
            Found::unseen("smartctl-json", "", Why::NotInstalled, "smartctl is not installed"),
            Found::unseen("smartctl-json", "sda", Why::NoPermission, "Permission denied"),
            Found::unseen("smartctl-json", "sg2 cciss,1", Why::NoPermission, "Permission denied"),
            Found::unseen("smartctl-json", "nvme0", Why::NoPermission, "Permission denied"),
            Found::unseen("nic", "eth0", Why::NoPermission, "ethtool -m eth0 said nothing"),
            Found::unseen("edac", "", Why::NoEccReporting, "no ECC"),
            Found::read("mdstat", "", Vec::new(), String::new()),
        ];
        let findings = examine_hardware(&[Batch { source: &SOURCES[0], found, position: None }]);
        let of = |what: &str| findings.iter().find(|finding| finding.what == what).unwrap();
        assert_eq!(of("hardware").detail, "1 parts can be read");
        assert!(of("smartctl-json").remedy.starts_with("`apt-get install smartmontools"));
        let remedy = |what: &str, lines: &[&str]| {
            let remedy = &of(what).remedy;
            assert!(lines.iter().all(|line| remedy.contains(&format!("`{line}`"))), "{what}: {remedy}");
        };
        let rawio = ["AmbientCapabilities=CAP_SYS_RAWIO", "CapabilityBoundingSet=CAP_SYS_RAWIO"];
        remedy("smartctl-json sda", &rawio);
        remedy("smartctl-json sg2 cciss,1", &["SupplementaryGroups=disk", rawio[0], rawio[1]]);
        remedy("smartctl-json nvme0", &["AmbientCapabilities=CAP_SYS_ADMIN", "CapabilityBoundingSet=CAP_SYS_ADMIN"]);
        remedy("nic eth0", &["AmbientCapabilities=CAP_NET_ADMIN", "CapabilityBoundingSet=CAP_NET_ADMIN"]);
        let helper = "systemctl enable --now muster-helper.socket";
        for what in ["smartctl-json sda", "smartctl-json sg2 cciss,1", "smartctl-json nvme0"] {
            remedy(what, &[helper]);
        }
        assert!(!of("nic eth0").remedy.contains(helper), "it has no network to look at");
        assert_eq!((of("edac").standing, of("edac").remedy.as_str()), (Standing::Absent, ""));
        assert_eq!(findings.len(), 7);
    }
}
