//! Memory modules, boards, enclosure and power supplies, from the firmware's table.

use super::placeholder::meant;
use super::smbios::{CORRECTIONS, FORMS, Structure, TYPES, structures};
use super::system::chassis;
use super::{Row, Sheet, Unread};
use crate::host::{FIRMWARE_TABLE, Host};

/// Structure types.
const BOARD: u8 = 2;
const CHASSIS: u8 = 3;
const ARRAY: u8 = 16;
const MODULE: u8 = 17;
const SUPPLY: u8 = 39;

/// Lays a row for each structure of a kind.
fn each(host: &Host, sheet: &mut Sheet, mut lay: impl FnMut(&Structure<'_>) -> Option<Row>) -> Result<(), Unread> {
    let table = host.firmware_table()?;
    sheet.read_in(FIRMWARE_TABLE);
    structures(&table).iter().filter_map(&mut lay).for_each(|row| sheet.row(row));
    Ok(())
}

/// A text of the firmware that says something.
fn said(one: &Structure<'_>, at: usize) -> Option<String> {
    one.text(at).as_deref().and_then(meant).map(str::to_owned)
}

/// Slots, with what is in them.
pub(super) fn memory_modules(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    each(host, sheet, |one| {
        if one.kind != MODULE {
            return None;
        }
        let (slot, bank) = (said(one, 0x10), said(one, 0x11));
        let names: Vec<&str> = [&bank, &slot].into_iter().flatten().map(String::as_str).collect();
        let key = if names.is_empty() { format!("{:#06x}", one.handle) } else { names.join("/") };
        let bytes = one.module_bytes();
        let row = Row::new(key).known("slot", slot).known("bank", bank);
        if bytes == Some(0) {
            return Some(row.durable("populated", "no"));
        }
        let rank = one.byte(0x1b).map(|attributes| attributes & 0x0f).filter(|rank| *rank > 0);
        let row = row
            .durable("populated", "yes")
            .known("size_bytes", bytes)
            .known("form", one.name_of(0x0e, &FORMS))
            .known("type", one.name_of(0x12, &TYPES))
            .known("speed_mts", one.speed(0x15, 0x54))
            .known("configured_speed_mts", one.speed(0x20, 0x58))
            .known("manufacturer", said(one, 0x17))
            .known("serial", said(one, 0x18))
            .known("asset_tag", said(one, 0x19))
            .known("part_number", said(one, 0x1a))
            .known("rank", rank);
        Some(row)
    })?;
    if sheet.is_empty() {
        return Err(Unread::Absent("the firmware names no memory slots".to_owned()));
    }
    Ok(())
}

/// What holds the modules.
pub(super) fn memory_arrays(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    each(host, sheet, |one| {
        let row = || {
            Row::new(format_args!("{:#06x}", one.handle))
                .known("slots", one.word(0x0d))
                .known("capacity_bytes", one.capacity_bytes())
                .known("error_correction", one.name_of(0x06, &CORRECTIONS))
        };
        // Use 3 is the system's memory; others are video memory, flash and caches.
        (one.kind == ARRAY && one.byte(0x05) == Some(3)).then(row)
    })
}

/// Boards and enclosures.
pub(super) fn boards(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    each(host, sheet, |one| {
        let (kind, product, form) = match one.kind {
            BOARD => ("board", said(one, 0x05), None),
            CHASSIS => ("chassis", None, one.byte(0x05).map(chassis)),
            _ => return None,
        };
        let row = Row::new(format_args!("{kind}/{:#06x}", one.handle))
            .durable("kind", kind)
            .known("manufacturer", said(one, 0x04))
            .known("product", product)
            .known("form", form)
            .known("version", said(one, 0x06))
            .known("serial", said(one, 0x07))
            .known("asset_tag", said(one, 0x08));
        Some(row)
    })
}

/// Power supplies that the firmware knows.
pub(super) fn power_supplies(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    each(host, sheet, |one| {
        let row = || {
            let (location, name) = (said(one, 0x05), said(one, 0x06));
            let names: Vec<&str> = [&location, &name].into_iter().flatten().map(String::as_str).collect();
            let key = if names.is_empty() { format!("{:#06x}", one.handle) } else { names.join("/") };
            let bit = |bit: u16| one.word(0x0e).map(|bits| if bits & bit != 0 { "yes" } else { "no" });
            Row::new(key)
                .known("location", location)
                .known("name", name)
                .known("manufacturer", said(one, 0x07))
                .known("serial", said(one, 0x08))
                .known("asset_tag", said(one, 0x09))
                .known("part_number", said(one, 0x0a))
                .known("revision", said(one, 0x0b))
                .known("watts", one.word(0x0c).filter(|watts| *watts != 0x8000 && *watts > 0))
                .known("hot_replaceable", bit(1))
                .known("present", bit(2))
        };
        (one.kind == SUPPLY).then(row)
    })?;
    if sheet.is_empty() {
        return Err(Unread::Absent("the firmware names no power supplies".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::smbios::tests::structure;
    use super::super::testing::Machine;

    /// Fields of a module of so many MiB: texts 1 to 5 are slot, bank, maker, serial and part.
    fn module(mib: u16) -> Vec<u8> {
        let mut fields = vec![0; 0x22 - 4];
        fields[0x0c - 4..0x0e - 4].copy_from_slice(&mib.to_le_bytes());
        fields[0x15 - 4..0x17 - 4].copy_from_slice(&3200_u16.to_le_bytes());
        fields[0x20 - 4..0x22 - 4].copy_from_slice(&2933_u16.to_le_bytes());
        for (at, value) in [(0x0e, 9), (0x10, 1), (0x11, 2), (0x12, 26), (0x17, 3), (0x18, 4), (0x1a, 5), (0x1b, 2)] {
            fields[at - 4] = value;
        }
        fields
    }

    fn machine() -> Machine {
        let machine = Machine::new();
        let array = [3, 3, 5, 0, 0, 0, 4, 0xfe, 0xff, 4, 0];
        let table = [
            structure(2, 0x20, &[1, 2, 3, 4, 5], &["ACME", "X11", "Default string", "SN1", "None"]),
            structure(3, 0x21, &[1, 0x97, 0, 2, 0], &["ACME", "CH2"]),
            structure(16, 0x30, &array, &[]),
            structure(17, 0x31, &module(16_384), &["A1", "P0", "Micron", "0000", "MTA18 "]),
            structure(17, 0x32, &module(0), &["A2", "P0", "NO DIMM", "NO DIMM", "NO DIMM"]),
            structure(
                39,
                0x40,
                &[1, 1, 2, 3, 4, 0, 5, 0, 0x20, 3, 3, 0],
                &["Bay 1", "PSU1", "Delta", "D77", "DPS-800"],
            ),
        ]
        .concat();
        machine.file("sys/firmware/dmi/tables/DMI", table);
        machine
    }

    #[test]
    fn slots_are_rows_also_where_they_are_empty() {
        let machine = machine();
        assert_eq!(
            machine.lines("memory_modules"),
            [
                "P0/A1: bank=P0 configured_speed_mts=2933 form=DIMM manufacturer=Micron part_number=MTA18 populated=yes \
                 rank=2 size_bytes=17179869184 slot=A1 speed_mts=3200 type=DDR4",
                "P0/A2: bank=P0 populated=no slot=A2",
            ]
        );
        assert_eq!(
            machine.lines("memory_arrays"),
            ["0x0030: capacity_bytes=68719476736 error_correction=single-bit ECC slots=4"]
                .map(|line| line.replace("68719476736", &((0x0400_0000_u64) << 10).to_string()))
        );
    }

    #[test]
    fn boards_enclosures_and_supplies_are_named_without_placeholders() {
        let machine = machine();
        assert_eq!(
            machine.lines("boards"),
            [
                "board/0x0020: kind=board manufacturer=ACME product=X11 serial=SN1",
                "chassis/0x0021: form=rack mount chassis kind=chassis manufacturer=ACME serial=CH2",
            ]
        );
        assert_eq!(
            machine.lines("power_supplies"),
            ["Bay 1/PSU1: hot_replaceable=yes location=Bay 1 manufacturer=Delta name=PSU1 part_number=DPS-800 \
              present=yes serial=D77 watts=800"]
        );
        assert_eq!(Machine::new().section("boards").status, Status::Absent);
    }
}
