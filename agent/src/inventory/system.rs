//! What machine this is, as its firmware or its device tree says.

use super::placeholder::meant;
use super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const DMI: &str = "/sys/class/dmi/id";
const TREE: &str = "/proc/device-tree";
/// Readable by root only.
const SECRET: [(&str, &str); 2] = [("serial", "product_serial"), ("uuid", "product_uuid")];

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let mut row = Row::new("system").durable("hostname", super::print::name(host));
    let uname = host.uname().unwrap_or_default();
    row = row.durable("architecture", &uname.machine);
    row = if host.exists(DMI) {
        sheet.read_in(DMI);
        firmware(host, row, sheet)
    } else if host.exists(TREE) {
        sheet.read_in(TREE);
        device_tree(host, row)
    } else {
        sheet.lacks("neither firmware (/sys/class/dmi) nor a device tree says what machine this is");
        row
    };
    sheet.row(row);
    Ok(())
}

fn firmware(host: &Host, row: Row, sheet: &mut Sheet) -> Row {
    let said = |file: &str| host.read_text(&format!("{DMI}/{file}")).unwrap_or_default();
    let [vendor, product, board_vendor, board] = ["sys_vendor", "product_name", "board_vendor", "board_name"].map(said);
    let [version, family, sku, tag] =
        ["product_version", "product_family", "product_sku", "chassis_asset_tag"].map(said);
    // Where the maker of the whole left placeholders, the maker of the board mostly did not.
    let mut row = row
        .known("manufacturer", meant(&vendor).or_else(|| meant(&board_vendor)))
        .known("model", meant(&product).or_else(|| meant(&board)))
        .durable("model_of", if meant(&product).is_none() && meant(&board).is_some() { "board" } else { "" })
        .known("version", meant(&version))
        .known("family", meant(&family))
        .known("sku", meant(&sku))
        .known("asset_tag", meant(&tag))
        .known("chassis", said("chassis_type").parse().ok().map(chassis));
    for (name, file) in SECRET {
        match host.read_text(&format!("{DMI}/{file}")) {
            Ok(value) if name == "uuid" => row = row.known(name, meant(&value).map(str::to_ascii_lowercase)),
            Ok(value) => row = row.known(name, meant(&value)),
            Err(HostError::NotPresent(_)) => {}
            Err(error) => sheet.lacks(error),
        }
    }
    row
}

/// Machines without SMBIOS; texts end with a NUL there.
fn device_tree(host: &Host, row: Row) -> Row {
    let said = |file: &str| host.read_text(&format!("{TREE}/{file}")).unwrap_or_default().replace('\0', " ");
    let [model, serial, compatible] = ["model", "serial-number", "compatible"].map(said);
    // `vendor,board vendor,chip`: the devicetree specification, 2.3.1.
    let vendor = compatible.split([',', ' ']).next().unwrap_or_default().to_owned();
    row.known("manufacturer", meant(&vendor)).known("model", meant(&model)).known("serial", meant(&serial))
}

/// SMBIOS specification 3.7, table 17.
pub(super) fn chassis(kind: u8) -> &'static str {
    const NAMES: [&str; 36] = [
        "other",
        "unknown",
        "desktop",
        "low profile desktop",
        "pizza box",
        "mini tower",
        "tower",
        "portable",
        "laptop",
        "notebook",
        "hand held",
        "docking station",
        "all in one",
        "sub notebook",
        "space-saving",
        "lunch box",
        "main server chassis",
        "expansion chassis",
        "sub chassis",
        "bus expansion chassis",
        "peripheral chassis",
        "raid chassis",
        "rack mount chassis",
        "sealed-case pc",
        "multi-system chassis",
        "compact pci",
        "advanced tca",
        "blade",
        "blade enclosure",
        "tablet",
        "convertible",
        "detachable",
        "iot gateway",
        "embedded pc",
        "mini pc",
        "stick pc",
    ];
    // The highest bit says whether it has a lock.
    usize::from(kind & 0x7f).checked_sub(1).and_then(|at| NAMES.get(at)).copied().unwrap_or("unknown")
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    #[test]
    fn placeholders_are_left_out_and_the_board_says_the_model_where_the_whole_does_not() {
        let machine = Machine::new();
        machine.files(&[
            ("proc/sys/kernel/hostname", "alpha\n"),
            ("sys/class/dmi/id/sys_vendor", "To Be Filled By O.E.M.\n"),
            ("sys/class/dmi/id/product_name", "System Product Name\n"),
            ("sys/class/dmi/id/board_vendor", "ACME\n"),
            ("sys/class/dmi/id/board_name", "B650\n"),
            ("sys/class/dmi/id/product_serial", "Default string\n"),
            ("sys/class/dmi/id/product_uuid", "4C4C4544-0051-3610-8058-B8C04F4D3732\n"),
            ("sys/class/dmi/id/chassis_type", "23\n"),
        ]);
        assert_eq!(
            machine.lines("system"),
            ["system: chassis=rack mount chassis hostname=alpha manufacturer=ACME model=B650 model_of=board \
              uuid=4c4c4544-0051-3610-8058-b8c04f4d3732"]
        );
        assert_eq!(machine.section("system").status, Status::Complete);
    }

    #[test]
    fn a_device_tree_says_it_where_there_is_no_firmware() {
        let machine = Machine::new();
        machine.file("proc/device-tree/model", "Raspberry Pi 4 Model B Rev 1.4\0");
        machine.file("proc/device-tree/serial-number", "10000000abcdef01\0");
        machine.file("proc/device-tree/compatible", "raspberrypi,4-model-b\0brcm,bcm2711\0");
        assert_eq!(
            machine.lines("system"),
            ["system: manufacturer=raspberrypi model=Raspberry Pi 4 Model B Rev 1.4 serial=10000000abcdef01"]
        );
    }

    #[test]
    fn a_machine_that_says_nothing_of_itself_is_known_in_part() {
        let section = Machine::new().section("system");
        assert_eq!((section.status, section.rows.len()), (Status::Partial, 1));
        assert!(section.reason.contains("device tree"), "{}", section.reason);
    }
}
