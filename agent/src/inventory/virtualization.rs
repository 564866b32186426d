//! Whether this is a virtual machine or a container, of what, and in whose cloud. Nobody is asked over the network.

use serde_json::Value;

use super::placeholder::meant;
use super::{Row, Sheet, Unread};
use crate::host::Host;

const DMI: &str = "/sys/class/dmi/id";
/// Part of maker or model in small letters, and what then runs below.
const HYPERVISORS: [(&str, &str); 14] = [
    ("amazon ec2", "nitro"),
    ("google compute engine", "kvm"),
    ("openstack", "kvm"),
    ("kvm", "kvm"),
    ("qemu", "qemu"),
    ("vmware", "vmware"),
    ("virtualbox", "virtualbox"),
    ("innotek", "virtualbox"),
    ("xen", "xen"),
    ("virtual machine", "hyper-v"),
    ("parallels", "parallels"),
    ("bhyve", "bhyve"),
    ("bochs", "bochs"),
    ("apple virtualization", "apple"),
];
/// The same for whose cloud it is.
const CLOUDS: [(&str, &str); 10] = [
    ("amazon ec2", "aws"),
    ("google", "gcp"),
    ("7783-7084-3265-9085-8269-3286-77", "azure"),
    ("digitalocean", "digitalocean"),
    ("hetzner", "hetzner"),
    ("vultr", "vultr"),
    ("linode", "akamai"),
    ("scaleway", "scaleway"),
    ("oraclecloud", "oracle"),
    ("alibaba", "alibaba"),
];

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("firmware, /proc and what cloud-init leaves");
    let said = |file: &str| host.read_text(&format!("{DMI}/{file}")).unwrap_or_default().to_lowercase();
    let files = ["sys_vendor", "product_name", "product_version", "bios_vendor", "chassis_asset_tag", "board_vendor"];
    let firmware = files.map(said).join("\n");
    let of =
        |table: &[(&str, &'static str)]| table.iter().find(|(part, _)| firmware.contains(part)).map(|(_, name)| *name);
    let container = host.container();
    let hypervisor =
        if runs_below_one(host) { of(&HYPERVISORS).or_else(|| xen(host)).or(Some("unknown")) } else { None };
    let role = match (&container, hypervisor) {
        (Some(_), _) => "container",
        (None, Some(_)) => "virtual machine",
        (None, None) => "physical",
    };
    let cloud = hypervisor.and_then(|_| of(&CLOUDS));
    let row = Row::new("virtualization")
        .durable("role", role)
        .known("hypervisor", hypervisor)
        .known("container", container)
        .durable(
            "hosts_virtual_machines",
            if host.exists("/sys/module/kvm") && host.exists("/etc/libvirt/qemu") { "yes" } else { "" },
        );
    sheet.row(instance(host, row, cloud));
    Ok(())
}

fn runs_below_one(host: &Host) -> bool {
    let info = host.read_text("/proc/cpuinfo").unwrap_or_default();
    let flags = info.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    host.exists("/sys/hypervisor/type") || flags.split_ascii_whitespace().any(|flag| flag == "hypervisor")
}

fn xen(host: &Host) -> Option<&'static str> {
    host.read_text("/sys/hypervisor/type").is_ok_and(|kind| kind == "xen").then_some("xen")
}

/// What cloud-init was told of the instance: instance-data.json, which is for everybody; secrets are in another file.
fn instance(host: &Host, row: Row, cloud: Option<&'static str>) -> Row {
    let text = host.read_text("/run/cloud-init/instance-data.json").unwrap_or_default();
    let data: Value = serde_json::from_str(&text).unwrap_or_default();
    let told = |key: &str| {
        let value = data.get("v1").and_then(|v1| v1.get(key)).and_then(Value::as_str)?;
        meant(value).map(str::to_owned)
    };
    let id = told("instance_id").or_else(|| host.read_text("/var/lib/cloud/data/instance-id").ok());
    row.known("cloud", told("cloud_name").or_else(|| cloud.map(str::to_owned)))
        .known("instance_id", id.filter(|id| !id.is_empty()))
        .known("region", told("region"))
        .known("zone", told("availability_zone"))
        .known("platform", told("platform"))
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;

    #[test]
    fn a_virtual_machine_says_what_it_runs_on_and_in_whose_cloud() {
        let machine = Machine::new();
        assert_eq!(machine.lines("virtualization"), ["virtualization: role=physical"]);
        machine.files(&[
            ("proc/cpuinfo", "processor : 0\nflags : fpu hypervisor\n"),
            ("sys/class/dmi/id/sys_vendor", "Amazon EC2\n"),
            ("sys/class/dmi/id/product_name", "m6i.large\n"),
            (
                "run/cloud-init/instance-data.json",
                r#"{"v1":{"cloud_name":"aws","instance_id":"i-0123","region":"eu-central-1","availability_zone":"None"}}"#,
            ),
        ]);
        assert_eq!(
            machine.lines("virtualization"),
            ["virtualization: cloud=aws hypervisor=nitro instance_id=i-0123 region=eu-central-1 role=virtual machine"]
        );
        machine.file("run/systemd/container", "lxc\n");
        assert!(machine.lines("virtualization")[0].contains("container=lxc"));
        let first = [("pid", 0xefff_fffc_u32), ("cgroup", 0xefff_fffb), ("uts", 0xefff_fffe), ("ipc", 0xefff_ffff)];
        first
            .iter()
            .for_each(|(kind, inode)| machine.link(&format!("proc/self/ns/{kind}"), &format!("{kind}:[{inode}]")));
        assert!(machine.lines("virtualization")[0].ends_with("role=virtual machine"), "an image made a machine of");
    }
}
