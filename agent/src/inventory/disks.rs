//! Drives as sysfs and udev's database describe them, without asking any.

use super::placeholder::meant;
use super::{Row, Sheet, Unread};
use crate::host::Host;

const BLOCK: &str = "/sys/block";
/// Beginnings of names that are no drives but made of drives, files or memory (Documentation/admin-guide/devices.txt).
const MADE: [&str; 12] = ["loop", "ram", "zram", "dm-", "md", "fd", "nbd", "zd", "mtdblock", "bcache", "drbd", "nullb"];
/// Bytes of a sector in `size`, whatever the drive's own is (Documentation/ABI/stable/sysfs-block).
const SECTOR: u64 = 512;

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let names = host.list(BLOCK)?;
    sheet.read_in(BLOCK);
    for name in names.iter().filter(|name| !MADE.iter().any(|made| name.starts_with(made))) {
        sheet.row(disk(host, name));
    }
    if sheet.is_empty() {
        return Err(Unread::Absent("this machine has no drives of its own".to_owned()));
    }
    Ok(())
}

fn disk(host: &Host, name: &str) -> Row {
    let said = |file: &str| host.read_text(&format!("{BLOCK}/{name}/{file}")).unwrap_or_default();
    let udev = udev(host, &said("dev"));
    let known = |key: &str| udev.iter().find_map(|(name, value)| (name == key).then_some(value.as_str()));
    let place = host.link_target(&format!("{BLOCK}/{name}")).unwrap_or_default();
    // Blanks within a udev value are `\x20` or `_`; sysfs has the texts as they are.
    let model = [said("device/model"), known("ID_MODEL").unwrap_or_default().replace('_', " ")];
    let model = model.iter().find_map(|model| meant(model)).map(one_blank);
    let serial = [said("device/serial"), said("serial"), known("ID_SERIAL_SHORT").unwrap_or_default().to_owned()];
    let serial = serial.iter().find_map(|serial| meant(serial)).map(str::to_owned);
    let wwn = [said("wwid"), said("device/wwid"), known("ID_WWN").unwrap_or_default().to_owned()];
    let wwn = wwn.iter().filter_map(|wwn| meant(wwn)).map(one_blank).find(|wwn| is_unique(wwn));
    let vendor = said("device/vendor");
    let key = match (&wwn, &serial, &model) {
        (Some(wwn), ..) => wwn.clone(),
        (None, Some(serial), Some(model)) => format!("{model}/{serial}"),
        (None, Some(serial), None) => serial.clone(),
        // Nothing but its place tells it from another.
        (None, None, _) => place.split("/block/").next().unwrap_or_default().rsplit("devices/").next().map_or_else(
            || name.to_owned(),
            |place| if place.is_empty() { name.to_owned() } else { format!("at {place}") },
        ),
    };
    let transport = transport(name, &place);
    let bytes = said("size").parse::<u64>().ok().map(|sectors| sectors.saturating_mul(SECTOR));
    let firmware =
        [said("device/firmware_rev"), said("device/rev"), known("ID_REVISION").unwrap_or_default().to_owned()];
    Row::new(key)
        .latest("name", name)
        .known("model", model)
        .known("vendor", meant(&vendor).filter(|vendor| !vendor.starts_with("0x")))
        .known("serial", serial)
        .known("wwn", wwn)
        .known("firmware", firmware.iter().find_map(|firmware| meant(firmware)))
        .known("size_bytes", bytes)
        .known("media", media(name, &said("queue/rotational"), transport))
        .known("transport", transport)
        .durable("removable", if said("removable") == "1" { "yes" } else { "" })
        .durable("read_only", if said("ro") == "1" { "yes" } else { "" })
}

/// What udev knows of a device, by its number: `E:NAME=VALUE`.
pub(super) fn udev(host: &Host, number: &str) -> Vec<(String, String)> {
    let text = host.read_text(&format!("/run/udev/data/b{number}")).unwrap_or_default();
    let facts = text.lines().filter_map(|line| line.strip_prefix("E:")?.split_once('='));
    facts.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn one_blank(text: &str) -> String {
    text.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
}

/// What emulated drives say names all of a kind: `t10.ATA QEMU HARDDISK QM00001` is no world-wide name.
fn is_unique(wwn: &str) -> bool {
    ["naa.", "eui.", "nvme.", "uuid.", "0x", "wwn-"].iter().any(|beginning| wwn.starts_with(beginning))
}

fn media(name: &str, rotational: &str, transport: Option<&str>) -> Option<&'static str> {
    match (name, rotational) {
        // What it says of motors is whatever its host thought of.
        _ if matches!(transport, Some("virtio" | "xen" | "hyper-v")) => Some("virtual"),
        (name, _) if name.starts_with("nvme") => Some("nvme"),
        (name, _) if name.starts_with("sr") => Some("optical"),
        (name, _) if name.starts_with("mmcblk") => Some("flash card"),
        (_, "1") => Some("hdd"),
        (_, "0") => Some("ssd"),
        _ => None,
    }
}

/// By the way to it in sysfs.
fn transport(name: &str, place: &str) -> Option<&'static str> {
    let ways = [
        ("/usb", "usb"),
        ("/virtio", "virtio"),
        ("/ata", "sata"),
        ("/end_device-", "sas"),
        ("/session", "iscsi"),
        ("/rport-", "fibre channel"),
        ("/nvme", "nvme"),
        ("/mmc", "mmc"),
        ("/vmbus", "hyper-v"),
        ("/vbd-", "xen"),
        ("/host", "scsi"),
    ];
    let found = ways.iter().find(|(part, _)| place.contains(part)).map(|(_, way)| *way);
    found.or_else(|| name.starts_with("nvme").then_some("nvme"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;

    #[test]
    fn drives_are_known_by_world_wide_name_then_by_model_and_serial_then_by_place() {
        let machine = Machine::new();
        let block = [
            ("sda", "../devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda"),
            ("nvme0n1", "../devices/pci0000:00/0000:01:00.0/nvme/nvme0/nvme0n1"),
            ("vda", "../devices/pci0000:00/0000:00:05.0/virtio2/block/vda"),
            ("loop0", "../devices/virtual/block/loop0"),
        ];
        for (name, place) in block {
            let real = format!("sys/{}", place.trim_start_matches("../"));
            machine.file(&format!("{real}/size"), "1000\n");
            machine.link(&format!("sys/block/{name}"), place);
        }
        machine.files(&[
            ("sys/block/sda/device/model", "WDC WD40EFRX-68N\n"),
            ("sys/block/sda/device/vendor", "ATA     \n"),
            ("sys/block/sda/device/rev", "0A82\n"),
            ("sys/block/sda/device/wwid", "t10.ATA     WDC WD40EFRX-68N   WD-WCC7K\n"),
            ("sys/block/sda/queue/rotational", "1\n"),
            ("sys/block/sda/dev", "8:0\n"),
            ("run/udev/data/b8:0", "E:ID_SERIAL_SHORT=WD-WCC7K\nE:ID_WWN=0x50014ee2b1\n"),
            ("sys/block/nvme0n1/wwid", "eui.0025388b01\n"),
            ("sys/block/nvme0n1/device/serial", "S4EWNX0\n"),
            ("sys/block/nvme0n1/device/model", "Samsung SSD 970\n"),
            ("sys/block/nvme0n1/device/firmware_rev", "2B2Q\n"),
            ("sys/block/vda/device/vendor", "0x1af4\n"),
        ]);
        assert_eq!(
            machine.lines("disks"),
            [
                "0x50014ee2b1: firmware=0A82 media=hdd model=WDC WD40EFRX-68N serial=WD-WCC7K size_bytes=512000 \
                 transport=sata vendor=ATA wwn=0x50014ee2b1 | name=sda",
                "at pci0000:00/0000:00:05.0/virtio2: media=virtual size_bytes=512000 transport=virtio | name=vda",
                "eui.0025388b01: firmware=2B2Q media=nvme model=Samsung SSD 970 serial=S4EWNX0 size_bytes=512000 \
                 transport=nvme wwn=eui.0025388b01 | name=nvme0n1",
            ]
        );
    }
}
