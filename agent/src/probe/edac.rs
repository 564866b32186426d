//! Errors that the memory controllers corrected or could not, from `/sys/devices/system/edac/mc`
//! (Documentation/ABI/testing/sysfs-devices-edac). Once a minute: errors are rare and stay counted.

use super::folder::{Folder, counter, numbered};
use super::{ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/devices/system/edac/mc";

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let controllers = host.names(DIRECTORY).unwrap_or_default();
    let mut folder = Folder::new(host, "edac", DIRECTORY);
    let mut found = false;
    for controller in numbered(&controllers, "mc") {
        found = true;
        let path = format!("{DIRECTORY}/{controller}");
        folder.go(&path);
        say_controller(sink, &mut folder, controller.trim_start_matches("mc"));
        let rows = folder.names();
        for row in numbered(&rows, "csrow") {
            folder.go(&format!("{path}/{row}"));
            let labels =
                [("controller", controller.trim_start_matches("mc")), ("csrow", row.trim_start_matches("csrow"))];
            say_row(sink, &mut folder, &labels, "ce_count", "ue_count");
        }
    }
    if found { Ok(()) } else { Err(ProbeError::Absent("no memory controller reports errors".to_owned())) }
}

fn say_controller(sink: &mut Sink<'_>, folder: &mut Folder<'_>, number: &str) {
    let labels = [("controller", number)];
    if let Some(count) = folder.number(sink, "ce_count") {
        let help = "Total correctable memory errors.";
        counter(sink, "node_edac_correctable_errors_total", help, &labels, count);
    }
    if let Some(count) = folder.number(sink, "ue_count") {
        let help = "Total uncorrectable memory errors.";
        counter(sink, "node_edac_uncorrectable_errors_total", help, &labels, count);
    }
    // Errors of which the hardware did not tell where.
    say_row(sink, folder, &[("controller", number), ("csrow", "unknown")], "ce_noinfo_count", "ue_noinfo_count");
}

fn say_row(sink: &mut Sink<'_>, folder: &mut Folder<'_>, labels: &[(&str, &str)], corrected: &str, uncorrected: &str) {
    if let Some(count) = folder.number(sink, corrected) {
        let help = "Total correctable memory errors for this csrow.";
        counter(sink, "node_edac_csrow_correctable_errors_total", help, labels, count);
    }
    if let Some(count) = folder.number(sink, uncorrected) {
        let help = "Total uncorrectable memory errors for this csrow.";
        counter(sink, "node_edac_csrow_uncorrectable_errors_total", help, labels, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn errors_are_counted_by_controller_and_row() {
        let machine = Machine::new(&[
            ("sys/devices/system/edac/mc/mc0/ce_count", "3\n"),
            ("sys/devices/system/edac/mc/mc0/ce_noinfo_count", "1\n"),
            ("sys/devices/system/edac/mc/mc0/csrow0/ce_count", "2\n"),
            ("sys/devices/system/edac/mc/mc0/csrow0/ue_count", "x\n"),
            ("sys/devices/system/edac/mc/mc0/dimm0/dimm_ce_count", "2\n"),
            ("sys/devices/system/edac/mc/power/control", "auto"),
        ]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let expected = [
            (r#"node_edac_correctable_errors_total{controller="0"}"#.to_owned(), 3.0),
            (r#"node_edac_csrow_correctable_errors_total{controller="0",csrow="0"}"#.to_owned(), 2.0),
            (r#"node_edac_csrow_correctable_errors_total{controller="0",csrow="unknown"}"#.to_owned(), 1.0),
        ];
        assert_eq!(said.series, expected.into());
        assert_eq!(said.noted(), ["edac/sys/devices/system/edac/mc/mc0/csrow0/ue_count"]);
        let none = Machine::new(&[("sys/devices/system/edac/mc/power/control", "auto")]);
        assert!(matches!(none.read(read).outcome, Err(ProbeError::Absent(_))));
    }
}
