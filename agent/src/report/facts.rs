//! Which machine this is: facts to show, and a fingerprint to match (never to authenticate).

use muster_proto::v1;
use ring::hmac;

use super::text;
use crate::host::Host;
use crate::platform::Known;

/// The application's key of the fingerprint: the same machine gives the same value everywhere in Muster, and no value
/// can be matched with another application's hash of the same serial number.
const FINGERPRINT_KEY: &[u8] = b"muster.v1 fingerprint";
/// Bytes kept of each HMAC.
const FINGERPRINT_BYTES: usize = 16;
/// Network cards named in a fingerprint.
const MACS_MAX: usize = 16;
/// What makers write where a serial number belongs.
const NO_SERIALS: [&str; 7] =
    ["", "none", "default string", "to be filled by o.e.m.", "system serial number", "not specified", "0"];

/// What the machine is, with the labels of agent.toml.
#[must_use]
pub fn host_facts(host: &Host, labels: &[(String, String)]) -> v1::HostFacts {
    let (uname, known) = (host.uname().unwrap_or_default(), host.known());
    let read = |path: &str| host.read_text(path).ok().filter(|text| !text.is_empty());
    let machine = if uname.machine.is_empty() { std::env::consts::ARCH } else { &uname.machine };
    v1::HostFacts {
        name: text(&read("/proc/sys/kernel/hostname").unwrap_or(uname.nodename)),
        os: std::env::consts::OS.to_owned(),
        os_release: text(
            &known.as_ref().map_or_else(|| os_release(host).unwrap_or_default(), |known| known.os_release.clone()),
        ),
        kernel: text(&read("/proc/sys/kernel/osrelease").unwrap_or(uname.release)),
        architecture: text(machine),
        chassis: known.as_ref().map_or_else(|| chassis(host), chassis_known).to_owned(),
        labels: labels.iter().flat_map(|(name, value)| [text(name), text(value)]).collect(),
    }
}

/// What this machine can be recognised by. What cannot be read is empty.
#[must_use]
pub fn fingerprint(host: &Host) -> v1::Fingerprint {
    let key = hmac::Key::new(hmac::HMAC_SHA256, FINGERPRINT_KEY);
    let sign = |what: &str, value: &str| {
        let value = value.trim().to_ascii_lowercase();
        if NO_SERIALS.contains(&&*value) {
            return Vec::new();
        }
        let tag = hmac::sign(&key, format!("{what}\0{value}").as_bytes());
        tag.as_ref()[..FINGERPRINT_BYTES].to_vec()
    };
    let read = |path: &str| host.read_text(path).unwrap_or_default();
    if let Some(known) = host.known() {
        return v1::Fingerprint {
            machine_id: sign("machine_id", &known.machine_id),
            product_uuid: sign("product_uuid", &known.product_uuid),
            serial: sign("serial", &known.serial),
            macs: known.macs.iter().take(MACS_MAX).map(|mac| sign("mac", mac)).collect(),
            ..v1::Fingerprint::default()
        };
    }
    v1::Fingerprint {
        machine_id: sign("machine_id", &read("/etc/machine-id")),
        product_uuid: sign("product_uuid", &read("/sys/class/dmi/id/product_uuid")),
        serial: sign("serial", &read("/sys/class/dmi/id/product_serial")),
        macs: macs(host).iter().map(|mac| sign("mac", mac)).collect(),
        root_fs_uuid: sign("root_fs_uuid", &root_fs_uuid(host).unwrap_or_default()),
        instance_id: sign("instance_id", &read("/var/lib/cloud/data/instance-id")),
    }
}

fn os_release(host: &Host) -> Option<String> {
    let release = host.read_text("/etc/os-release").or_else(|_| host.read_text("/usr/lib/os-release")).ok()?;
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(name.trim_matches(['"', '\'']).to_owned())
}

/// A guess for the class; any later source of a label wins over it.
fn chassis(host: &Host) -> &'static str {
    if host.container().is_some() {
        return "container";
    }
    let is_flags = |line: &&str| line.starts_with("flags") || line.starts_with("Features");
    let cpu = host.read_text("/proc/cpuinfo").unwrap_or_default();
    let flags = cpu.lines().find(is_flags).unwrap_or_default();
    if host.exists("/sys/hypervisor/type") || flags.split_ascii_whitespace().any(|flag| flag == "hypervisor") {
        return "vm";
    }
    enclosure(host.read_text("/sys/class/dmi/id/chassis_type").ok().and_then(|number| number.parse().ok()))
}

fn chassis_known(known: &Known) -> &'static str {
    if known.is_virtual { "vm" } else { enclosure(known.chassis) }
}

/// SMBIOS specification 3.7, table 17 (System Enclosure or Chassis Types).
fn enclosure(kind: Option<u8>) -> &'static str {
    match kind {
        Some(3 | 4 | 5 | 6 | 7 | 13 | 15 | 16 | 24 | 34 | 35 | 36) => "desktop",
        Some(8 | 9 | 10 | 11 | 14 | 30 | 31 | 32) => "laptop",
        Some(17 | 23 | 25 | 28 | 29) => "server",
        Some(_) | None => "unknown",
    }
}

/// Addresses burnt into real network cards: those with a device behind them and not locally administered (second bit
/// of the first byte, IEEE 802).
fn macs(host: &Host) -> Vec<String> {
    let interfaces = host.list("/sys/class/net").unwrap_or_default();
    let real = interfaces.iter().filter(|name| host.exists(&format!("/sys/class/net/{name}/device")));
    let address = |name: &String| host.read_text(&format!("/sys/class/net/{name}/address")).ok();
    let burnt_in = |mac: &String| {
        let first = mac.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        mac.len() == 17 && mac != "00:00:00:00:00:00" && first.is_some_and(|byte| byte & 0b10 == 0)
    };
    let mut macs: Vec<String> = real.filter_map(address).filter(burnt_in).collect();
    macs.sort_unstable();
    macs.dedup();
    macs.truncate(MACS_MAX);
    macs
}

/// From udev's database, by the device number of `/`.
fn root_fs_uuid(host: &Host) -> Option<String> {
    let mounts = host.read_text("/proc/1/mountinfo").or_else(|_| host.read_text("/proc/self/mountinfo")).ok()?;
    let root = mounts.lines().rev().find(|line| line.split(' ').nth(4) == Some("/"))?;
    let udev = host.read_text(&format!("/run/udev/data/b{}", root.split(' ').nth(2)?)).ok()?;
    udev.lines().find_map(|line| line.strip_prefix("E:ID_FS_UUID=")).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn write(root: &Path, path: &str, content: &str) {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    fn machine() -> (tempfile::TempDir, Host) {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "etc/machine-id", "0123456789abcdef0123456789abcdef\n");
        write(root.path(), "etc/os-release", "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n");
        write(root.path(), "proc/sys/kernel/hostname", "alpha\n");
        write(root.path(), "sys/class/dmi/id/chassis_type", "23\n");
        write(root.path(), "sys/class/dmi/id/product_serial", "To Be Filled By O.E.M.\n");
        for (name, mac) in [("eth0", "00:1b:21:00:00:01"), ("eth1", "02:1b:21:00:00:02")] {
            write(root.path(), &format!("sys/class/net/{name}/address"), mac);
            write(root.path(), &format!("sys/class/net/{name}/device/vendor"), "0x8086");
        }
        write(root.path(), "sys/class/net/veth0/address", "00:1b:21:00:00:03");
        let host = Host::captured(root.path().into(), None);
        (root, host)
    }

    #[test]
    fn facts_come_from_the_machine_that_is_read() {
        let (_root, host) = machine();
        let facts = host_facts(&host, &[("site".to_owned(), "berlin".to_owned())]);
        assert_eq!((&*facts.name, &*facts.os_release, &*facts.chassis), ("alpha", "Debian GNU/Linux 12", "server"));
        assert_eq!(facts.labels, ["site", "berlin"]);
    }

    #[test]
    fn only_addresses_burnt_into_real_cards_count_and_placeholders_do_not() {
        let (_root, host) = machine();
        assert_eq!(macs(&host), ["00:1b:21:00:00:01"]);
        let fingerprint = fingerprint(&host);
        assert_eq!((fingerprint.macs.len(), fingerprint.machine_id.len()), (1, 16));
        assert!(fingerprint.serial.is_empty());
        assert!(fingerprint.product_uuid.is_empty());
    }

    #[test]
    fn what_a_system_says_by_its_own_calls_is_a_kind_of_machine_too() {
        let of = |chassis, is_virtual| chassis_known(&Known { chassis, is_virtual, ..Known::default() });
        assert_eq!([of(Some(10), false), of(Some(23), false), of(None, false)], ["laptop", "server", "unknown"]);
        assert_eq!(of(Some(23), true), "vm");
    }

    #[test]
    fn a_fingerprint_is_the_keyed_hash_of_name_and_value() {
        // printf 'machine_id\0value' | openssl dgst -sha256 -hmac 'muster.v1 fingerprint'
        let (root, host) = machine();
        write(root.path(), "etc/machine-id", "VALUE\n");
        let hex: String = fingerprint(&host).machine_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "1f362de836ba8e58608a4ec5005008f0");
    }
}
