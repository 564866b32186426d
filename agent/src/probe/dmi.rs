//! What the firmware says of the machine, from `/sys/class/dmi/id`: facts of a boot.

use std::sync::Arc;

use super::{Kind, ProbeError, Sink};
use crate::host::Host;
use crate::withheld::Family;

/// Label and file. Serial numbers and the UUID are readable by root only.
const FILES: [(&str, &str); 20] = [
    ("bios_date", "/sys/class/dmi/id/bios_date"),
    ("bios_release", "/sys/class/dmi/id/bios_release"),
    ("bios_vendor", "/sys/class/dmi/id/bios_vendor"),
    ("bios_version", "/sys/class/dmi/id/bios_version"),
    ("board_asset_tag", "/sys/class/dmi/id/board_asset_tag"),
    ("board_name", "/sys/class/dmi/id/board_name"),
    ("board_serial", "/sys/class/dmi/id/board_serial"),
    ("board_vendor", "/sys/class/dmi/id/board_vendor"),
    ("board_version", "/sys/class/dmi/id/board_version"),
    ("chassis_asset_tag", "/sys/class/dmi/id/chassis_asset_tag"),
    ("chassis_serial", "/sys/class/dmi/id/chassis_serial"),
    ("chassis_vendor", "/sys/class/dmi/id/chassis_vendor"),
    ("chassis_version", "/sys/class/dmi/id/chassis_version"),
    ("product_family", "/sys/class/dmi/id/product_family"),
    ("product_name", "/sys/class/dmi/id/product_name"),
    ("product_serial", "/sys/class/dmi/id/product_serial"),
    ("product_sku", "/sys/class/dmi/id/product_sku"),
    ("product_uuid", "/sys/class/dmi/id/product_uuid"),
    ("product_version", "/sys/class/dmi/id/product_version"),
    ("system_vendor", "/sys/class/dmi/id/sys_vendor"),
];

/// Ends of labels that tell this machine from all others.
const OF_ONE_MACHINE: [&str; 3] = ["_serial", "_uuid", "_asset_tag"];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let facts: Vec<(&str, Arc<str>)> =
        FILES.iter().filter_map(|(label, path)| Some((*label, host.fact(path)?))).collect();
    if facts.is_empty() {
        return Err(ProbeError::Absent("the firmware says nothing of the machine".to_owned()));
    }
    let is_shown = |label: &str| {
        !(host.withheld().holds(Family::Serials) && OF_ONE_MACHINE.iter().any(|end| label.ends_with(end)))
    };
    let labels: Vec<(&str, &str)> =
        facts.iter().filter(|(label, _)| is_shown(label)).map(|(label, value)| (*label, &**value)).collect();
    sink.family(
        "node_dmi_info",
        Kind::Gauge,
        "A metric with a constant '1' value labeled by bios_date, bios_release, bios_vendor, bios_version, \
         board_asset_tag, board_name, board_serial, board_vendor, board_version, chassis_asset_tag, chassis_serial, \
         chassis_vendor, chassis_version, product_family, product_name, product_serial, product_sku, product_uuid, \
         product_version, system_vendor if provided by DMI.",
    );
    sink.sample(&labels, 1.0);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::testing::{is_absent, said};
    use super::*;

    #[test]
    fn only_what_the_firmware_says_is_a_label() {
        let files = [
            ("sys/class/dmi/id/sys_vendor", "ACME \n"),
            ("sys/class/dmi/id/bios_date", "04/01/2024\n"),
            ("sys/class/dmi/id/chassis_type", "17\n"),
            ("sys/class/dmi/id/product_version", "\n"),
        ];
        let expected = r#"node_dmi_info{bios_date="04/01/2024",product_version="",system_vendor="ACME"} 1"#;
        assert_eq!(said(read, &files), [expected]);
        assert!(is_absent(read, &[("sys/class/dmi/id/modalias", "x\n")]));
    }

    #[test]
    fn serials_that_are_switched_off_are_no_labels() {
        let machine = crate::probe::machine::Machine::new(&[
            ("sys/class/dmi/id/sys_vendor", "ACME\n"),
            ("sys/class/dmi/id/product_serial", "S1\n"),
            ("sys/class/dmi/id/product_uuid", "u-1\n"),
            ("sys/class/dmi/id/chassis_asset_tag", "A1\n"),
        ]);
        let off = crate::withheld::Withheld::default().and(Family::Serials);
        let host = machine.host.clone().with_withheld(off);
        let said = crate::probe::machine::read(&host, read);
        assert_eq!(said.series.into_keys().collect::<Vec<_>>(), [r#"node_dmi_info{system_vendor="ACME"}"#]);
    }
}
