//! Monitors, by what they say of themselves (EDID, VESA E-EDID 1.4), and printers that CUPS knows.

use super::placeholder::meant;
use super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const DRM: &str = "/sys/class/drm";
const CUPS: &str = "/etc/cups/printers.conf";
const HEADER: [u8; 8] = [0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0];
/// Descriptors of 18 bytes; those of texts begin with three zeros and their kind.
const DESCRIPTORS: [usize; 4] = [54, 72, 90, 108];
const NAME: u8 = 0xfc;
const SERIAL: u8 = 0xff;

/// Monitors that are connected.
pub(super) fn monitors(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    for connector in host.list(DRM).unwrap_or_default() {
        let mut edid = Vec::new();
        // Nothing is connected where it is empty.
        if host.read(&format!("{DRM}/{connector}/edid"), &mut edid).is_ok()
            && let Some(row) = monitor(&edid)
        {
            sheet.row(row.latest("connector", &connector));
        }
    }
    sheet.read_in(DRM);
    if sheet.is_empty() {
        return Err(Unread::Absent("no monitor says what it is".to_owned()));
    }
    Ok(())
}

fn monitor(edid: &[u8]) -> Option<Row> {
    let block = edid.get(..128).filter(|block| block[..8] == HEADER)?;
    // Three letters of five bits.
    let packed = u16::from_be_bytes([block[8], block[9]]);
    let letter = |shift: u16| char::from(b'@' + u8::try_from((packed >> shift) & 0x1f).unwrap_or(0));
    let maker: String = [letter(10), letter(5), letter(0)].iter().collect();
    let product = format!("{:04x}", u16::from_le_bytes([block[10], block[11]]));
    let number = u32::from_le_bytes([block[12], block[13], block[14], block[15]]);
    let text = |kind: u8| {
        let one =
            DESCRIPTORS.iter().map(|at| &block[*at..*at + 18]).find(|one| one[..3] == [0; 3] && one[3] == kind)?;
        let text = String::from_utf8_lossy(&one[5..]).trim_end_matches(['\n', ' ']).to_owned();
        meant(&text).map(str::to_owned)
    };
    let number = (!matches!(number, 0 | 0x0101_0101 | u32::MAX)).then(|| number.to_string());
    let serial = text(SERIAL).or(number);
    let (week, year) = (block[16], 1990 + u16::from(block[17]));
    let key = match &serial {
        Some(serial) => format!("{maker}/{product}/{serial}"),
        None => format!("{maker}/{product}"),
    };
    let row = Row::new(key)
        .durable("maker", maker)
        .durable("product", product)
        .known("name", text(NAME))
        .known("serial", serial)
        .durable("made_year", year);
    // 0 is not said; 255 makes the year that of the model.
    Some(if (1..=54).contains(&week) { row.durable("made_week", week) } else { row })
}

/// Printers, without what their addresses may say of log-ins.
pub(super) fn printers(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let text = match host.read_text(CUPS) {
        Err(HostError::NotPresent(_)) => return Err(Unread::Absent("CUPS knows no printers here".to_owned())),
        text => text?,
    };
    sheet.read_in(CUPS);
    // `<Printer name>`, or DefaultPrinter, and `Name value` lines until `</Printer>`.
    for block in text.split("</").filter_map(|block| block.split_once("Printer ")).map(|(_, block)| block) {
        let Some((name, body)) = block.split_once('>') else { continue };
        let value = |key: &str| {
            let line = body.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
            line.unwrap_or_default().trim().to_owned()
        };
        let row = Row::new(name)
            .durable("name", name)
            .durable("model", value("MakeModel"))
            .durable("info", value("Info"))
            .durable("location", value("Location"))
            .durable("address", super::software::without_password(&value("DeviceURI")))
            .durable("shared", value("Shared").to_lowercase());
        sheet.row(row);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;
    use super::*;

    fn edid(serial: u32) -> Vec<u8> {
        let mut edid = vec![0; 128];
        edid[..8].copy_from_slice(&HEADER);
        // D is 4, E is 5, L is 12.
        edid[8..10].copy_from_slice(&(4_u16 << 10 | 5 << 5 | 12).to_be_bytes());
        edid[10..12].copy_from_slice(&0xa0c4_u16.to_le_bytes());
        edid[12..16].copy_from_slice(&serial.to_le_bytes());
        edid[16..18].copy_from_slice(&[20, 31]);
        edid[72..90].copy_from_slice(b"\0\0\0\xfc\0DELL U2720Q\n ");
        edid
    }

    #[test]
    fn a_monitor_says_maker_serial_and_when_it_was_made() {
        let machine = Machine::new();
        machine.file("sys/class/drm/card0-DP-1/edid", edid(808_464_434));
        machine.file("sys/class/drm/card0-HDMI-A-1/edid", "");
        machine.file("sys/class/drm/version", "drm\n");
        assert_eq!(
            machine.lines("monitors"),
            [
                "DEL/a0c4/808464434: made_week=20 made_year=2021 maker=DEL name=DELL U2720Q product=a0c4 serial=808464434 \
              | connector=card0-DP-1"
            ]
        );
        machine.file("sys/class/drm/card0-DP-1/edid", edid(0x0101_0101));
        assert_eq!(machine.section("monitors").rows[0].key, "DEL/a0c4");
        machine.file("sys/class/drm/card0-DP-1/edid", &edid(1)[..100]);
        assert_eq!(machine.section("monitors").status, Status::Absent);
    }

    #[test]
    fn printers_are_those_of_cups() {
        let machine = Machine::new();
        machine.file(
            "etc/cups/printers.conf",
            "# CUPS\n<DefaultPrinter Office>\nInfo 2nd floor\nMakeModel Brother HL-L2350\nDeviceURI ipp://u:p@10.0.0.9/ipp\n\
             Shared Yes\n</DefaultPrinter>\n<Printer Lab>\nDeviceURI usb://x\n</Printer>\n",
        );
        assert_eq!(
            machine.lines("printers"),
            [
                "Lab: address=usb://x name=Lab",
                "Office: address=ipp://10.0.0.9/ipp info=2nd floor model=Brother HL-L2350 name=Office shared=yes",
            ]
        );
    }
}
