//! The BMC, through ipmitool or FreeIPMI: its sensors, and the newest of its log of events.

use super::tool::{Question, ask, ask_or};
use super::{Found, Look, Why};

/// `--kind` of what it says.
const SOURCE: &str = "ipmi";
/// Where the kernel offers it (drivers/char/ipmi/ipmi_devintf.c, and what udev made of it once).
const DEVICES: [&str; 3] = ["/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0"];
/// A BMC is a slow computer: a hundred sensors may take half a minute.
const DEADLINE_MS: u64 = 90_000;
/// Entries of the log: older ones were told before, or nobody would act on them.
const ENTRIES: &str = "200";
/// What a log without events is, as ipmitool says it on standard error: what it said before is over.
const NO_EVENTS: &str = "SEL has no entries\n";

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    if !DEVICES.iter().any(|device| look.host.exists(device)) {
        let reason = "there is no /dev/ipmi0: no BMC, or its drivers (ipmi_si, ipmi_devintf) are not loaded";
        return vec![Found::unseen(SOURCE, "", Why::NotPresent, reason)];
    }
    let question = |part, tool, arguments| Question { source: SOURCE, part, tool, arguments, deadline_ms: DEADLINE_MS };
    let [sensors, events] = if look.host.tool("ipmitool").is_none() && look.host.tool("ipmi-sensors").is_some() {
        let sensors = &["--output-sensor-state", "--ignore-not-available-sensors", "--output-event-bitmask"][..];
        [
            question("sensors", "ipmi-sensors", sensors),
            question("events", "ipmi-sel", &["--output-event-state", "--tail", ENTRIES]),
        ]
    } else {
        [
            question("sensors", "ipmitool", &["sdr", "elist", "all"]),
            question("events", "ipmitool", &["sel", "elist", "last", ENTRIES]),
        ]
    };
    vec![ask(look, &sensors), ask_or(look, &events, NO_EVENTS)]
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::super::{Found, Outcome};

    #[test]
    fn a_log_without_events_is_read_and_one_that_may_not_be_read_is_not() {
        let mut machine = Machine::new();
        machine.file("dev/ipmi0", "");
        machine.tool("ipmitool", "case $1 in sel) echo 'SEL has no entries' >&2;; esac");
        let found = machine.look("bmc", 0);
        assert_eq!(told(&found), ["sensors failed", "events read"]);
        assert!(matches!(&found[1].outcome, Outcome::Read { payload, .. } if payload == b"SEL has no entries\n"));
        machine.tool("ipmitool", "echo 'Could not open device' >&2; exit 1");
        assert_eq!(told(&machine.look("bmc", 0)), ["sensors failed", "events failed"]);
    }

    fn told(found: &[Found]) -> Vec<String> {
        let how = |outcome: &Outcome| match outcome {
            Outcome::Unseen { why, .. } => why.word(),
            _ => "read",
        };
        found.iter().map(|found| format!("{} {}", found.part, how(&found.outcome))).collect()
    }

    #[test]
    fn a_bmc_is_asked_for_sensors_and_events_and_none_is_not_asked() {
        let mut machine = Machine::new();
        machine.tool("ipmitool", "echo 'Fan1 | 30h | ok | 7.1 | 4200 RPM'");
        assert_eq!(told(&machine.look("bmc", 0)), [" not_present"]);
        machine.file("dev/ipmi0", "");
        assert_eq!(told(&machine.look("bmc", 0)), ["sensors read", "events read"]);
        assert_eq!(machine.asked(), ["ipmitool sdr elist all", "ipmitool sel elist last 200"]);
        machine.tool("ipmitool", "exit 1");
        assert_eq!(told(&machine.look("bmc", 0)), ["sensors failed", "events failed"]);
        let mut machine = Machine::new();
        machine.file("dev/ipmi0", "");
        assert_eq!(told(&machine.look("bmc", 0)), ["sensors not_installed", "events not_installed"]);
    }
}
