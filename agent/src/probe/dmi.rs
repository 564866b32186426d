//! What the firmware says of the machine, from `/sys/class/dmi/id`: facts of a boot.

use std::sync::Arc;

use super::{Kind, ProbeError, Sink};
use crate::host::Host;

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

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let facts: Vec<(&str, Arc<str>)> =
        FILES.iter().filter_map(|(label, path)| Some((*label, host.fact(path)?))).collect();
    if facts.is_empty() {
        return Err(ProbeError::Absent("the firmware says nothing of the machine".to_owned()));
    }
    let labels: Vec<(&str, &str)> = facts.iter().map(|(label, value)| (*label, &**value)).collect();
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
}
