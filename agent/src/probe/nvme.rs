//! What each NVMe controller is and whether it is alive, from `/sys/class/nvme`. No command is sent to it.

use super::folder::{Folder, gauge};
use super::{ProbeError, Sink};
use crate::host::Host;
use crate::withheld::Family;

const DIRECTORY: &str = "/sys/class/nvme";

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let devices = host.list(DIRECTORY)?;
    if devices.is_empty() {
        return Err(ProbeError::Absent(format!("{DIRECTORY} is empty")));
    }
    let mut folder = Folder::new(host, "nvme", DIRECTORY);
    for device in &devices {
        folder.go(&format!("{DIRECTORY}/{device}"));
        let Some(state) = folder.word(sink, "state") else { continue };
        let mut fact = |file: &str| folder.fact(file).unwrap_or_default();
        let (firmware, model, serial) = (fact("firmware_rev"), fact("model"), fact("serial"));
        let labels = [
            ("device", &**device),
            ("firmware_revision", &*firmware),
            ("model", &*model),
            ("serial", host.withheld().shown(Family::Serials, &serial)),
            ("state", &*state),
        ];
        let help = "Non-numeric data from /sys/class/nvme/<device>, value is always 1.";
        gauge(sink, "node_nvme_info", help, &labels, 1.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn a_controller_says_what_it_is_and_whether_it_lives() {
        let machine = Machine::new(&[
            ("sys/class/nvme/nvme0/state", "resetting\n"),
            ("sys/class/nvme/nvme0/model", "Example 1T      \n"),
            ("sys/class/nvme/nvme1/model", "went away"),
        ]);
        let info = |state: &str| {
            format!(
                r#"node_nvme_info{{device="nvme0",firmware_revision="",model="Example 1T",serial="",state="{state}"}}"#
            )
        };
        assert_eq!(machine.read(read).series, [(info("resetting"), 1.0)].into());
        machine.put("sys/class/nvme/nvme0/state", "live\n");
        assert_eq!(machine.read(read).series, [(info("live"), 1.0)].into());
    }
}
