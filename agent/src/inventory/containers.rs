//! Containers and virtual machines that this machine hosts, from what their managers keep in files: no daemon is asked.

use serde_json::Value;

use super::{Row, Sheet, Unread};
use crate::host::{Host, HostError};

const DOCKER: &str = "/var/lib/docker/containers";
const PODMAN: &str = "/var/lib/containers/storage/overlay-containers/containers.json";
const LIBVIRT: &str = "/etc/libvirt/qemu";
const LIBVIRT_RUNNING: &str = "/run/libvirt/qemu";
const LXC: &str = "/var/lib/lxc";
const MACHINES: &str = "/run/systemd/machines";
const PROXMOX: [(&str, &str); 2] = [("/etc/pve/qemu-server", "virtual machine"), ("/etc/pve/lxc", "container")];

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    for manager in [docker, podman, libvirt, lxc, machined, proxmox] {
        let outcome = manager(host, sheet).map_err(Unread::from);
        sheet.part(outcome);
    }
    if sheet.is_empty() && !sheet.has_failed() {
        return Err(Unread::Absent("nothing is hosted here".to_owned()));
    }
    Ok(())
}

fn row(manager: &str, kind: &str, name: &str) -> Row {
    Row::new(format_args!("{manager}/{name}")).durable("manager", manager).durable("kind", kind).durable("name", name)
}

/// The names in a directory; none where it is not there.
fn listed(host: &Host, directory: &str) -> Result<Vec<String>, HostError> {
    match host.list(directory) {
        Err(HostError::NotPresent(_)) => Ok(Vec::new()),
        names => names,
    }
}

fn docker(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    for id in listed(host, DOCKER)? {
        let Ok(text) = host.read_text(&format!("{DOCKER}/{id}/config.v2.json")) else { continue };
        let Ok(config) = serde_json::from_str::<Value>(&text) else { continue };
        let text = |path: &str| config.pointer(path).and_then(Value::as_str).unwrap_or_default();
        sheet.read_in(DOCKER);
        let name = text("/Name").trim_start_matches('/');
        let running = config.pointer("/State/Running").and_then(Value::as_bool);
        let created = text("/Created").get(..19).map(|at| format!("{at}Z"));
        let row = row("docker", "container", if name.is_empty() { &id } else { name })
            .durable("image", text("/Config/Image"))
            .durable("image_id", text("/Image"))
            .known("created_at", created)
            .durable("privileged", privileged(host, &id));
        sheet.row(row.latest("state", if running == Some(true) { "running" } else { "stopped" }));
    }
    Ok(())
}

fn privileged(host: &Host, id: &str) -> &'static str {
    let text = host.read_text(&format!("{DOCKER}/{id}/hostconfig.json")).unwrap_or_default();
    let config: Value = serde_json::from_str(&text).unwrap_or_default();
    if config.get("Privileged").and_then(Value::as_bool) == Some(true) { "yes" } else { "" }
}

fn podman(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    let text = match host.read_text(PODMAN) {
        Ok(text) => text,
        Err(HostError::NotPresent(_)) => return Ok(()),
        Err(error) => return Err(error),
    };
    sheet.read_in(PODMAN);
    let all: Vec<Value> = serde_json::from_str(&text).unwrap_or_default();
    for one in &all {
        let text = |path: &str| one.pointer(path).and_then(Value::as_str).unwrap_or_default();
        // What it was made of is JSON within a text.
        let about: Value = serde_json::from_str(text("/metadata")).unwrap_or_default();
        let name = if text("/names/0").is_empty() { text("/id") } else { text("/names/0") };
        let row = row("podman", "container", name)
            .durable("image", about.get("image-name").and_then(Value::as_str).unwrap_or_default())
            .durable("image_id", text("/image"))
            .known("created_at", text("/created").get(..19).map(|at| format!("{at}Z")));
        sheet.row(row);
    }
    Ok(())
}

/// `NAME.xml`, and `NAME.pid` while it runs.
fn libvirt(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    for file in listed(host, LIBVIRT)? {
        let Some(name) = file.strip_suffix(".xml") else { continue };
        let text = host.read_text(&format!("{LIBVIRT}/{file}")).unwrap_or_default();
        let element = |tag: &str| {
            let after = text.split(&format!("<{tag}")).nth(1)?.split_once('>')?.1;
            Some(after.split('<').next()?.trim().to_owned())
        };
        let kib: Option<u64> = element("memory").and_then(|kib| kib.parse().ok());
        sheet.read_in(LIBVIRT);
        let running = host.exists(&format!("{LIBVIRT_RUNNING}/{name}.pid"));
        let row = row("libvirt", "virtual machine", name)
            .known("uuid", element("uuid"))
            .known("processors", element("vcpu"))
            .known("memory_bytes", kib.map(|kib| kib << 10));
        sheet.row(row.latest("state", if running { "running" } else { "stopped" }));
    }
    Ok(())
}

fn lxc(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    for name in listed(host, LXC)? {
        if host.exists(&format!("{LXC}/{name}/config")) {
            sheet.read_in(LXC);
            sheet.row(row("lxc", "container", &name));
        }
    }
    Ok(())
}

/// Those that run, as systemd-machined registers them.
fn machined(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    for name in listed(host, MACHINES)? {
        let Ok(text) = host.read_text(&format!("{MACHINES}/{name}")) else { continue };
        let value = |key: &str| super::os::value(&text, key).unwrap_or_default();
        // libvirt's are there already; `unit:` links are names of the same.
        if name.starts_with("unit:") || value("SERVICE").starts_with("libvirt") {
            continue;
        }
        let kind = if value("CLASS") == "vm" { "virtual machine" } else { "container" };
        sheet.read_in(MACHINES);
        sheet.row(row("machined", kind, &name).durable("service", value("SERVICE")).latest("state", "running"));
    }
    Ok(())
}

/// `NUMBER.conf`: `name:` of virtual machines, `hostname:` of containers.
fn proxmox(host: &Host, sheet: &mut Sheet) -> Result<(), HostError> {
    for (directory, kind) in PROXMOX {
        for file in listed(host, directory)? {
            let Some(number) = file.strip_suffix(".conf") else { continue };
            let text = host.read_text(&format!("{directory}/{file}")).unwrap_or_default();
            let value = |key: &str| {
                // Snapshots follow in sections of their own.
                let own = text.split("\n[").next().unwrap_or_default();
                own.lines()
                    .find_map(|line| line.strip_prefix(key)?.strip_prefix(':'))
                    .map(|value| value.trim().to_owned())
            };
            sheet.read_in(directory);
            let row = row("proxmox", kind, number)
                .known("label", value("name").or_else(|| value("hostname")))
                .known("processors", value("cores"))
                .known("memory_mib", value("memory"));
            sheet.row(row);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Status;
    use super::super::testing::Machine;

    #[test]
    fn what_is_hosted_is_found_in_the_managers_files() {
        let machine = Machine::new();
        machine.files(&[
            (
                "var/lib/docker/containers/0123abcd/config.v2.json",
                r#"{"Name":"/web","Image":"sha256:99","Created":"2025-01-02T03:04:05.678Z",
                    "Config":{"Image":"nginx:1.27"},"State":{"Running":true}}"#,
            ),
            ("var/lib/docker/containers/0123abcd/hostconfig.json", r#"{"Privileged":true}"#),
            ("var/lib/docker/containers/broken/config.v2.json", "{"),
            (
                "etc/libvirt/qemu/db1.xml",
                "<domain type='kvm'><name>db1</name><uuid>1-2</uuid><memory unit='KiB'>2048</memory>\
                 <vcpu placement='static'>4</vcpu></domain>",
            ),
            ("etc/pve/lxc/101.conf", "hostname: dns\ncores: 2\n\n[snap1]\nhostname: old\n"),
        ]);
        assert_eq!(
            machine.lines("containers"),
            [
                "docker/web: created_at=2025-01-02T03:04:05Z image=nginx:1.27 image_id=sha256:99 kind=container \
                 manager=docker name=web privileged=yes | state=running",
                "libvirt/db1: kind=virtual machine manager=libvirt memory_bytes=2097152 name=db1 processors=4 uuid=1-2 \
                 | state=stopped",
                "proxmox/101: kind=container label=dns manager=proxmox name=101 processors=2",
            ]
        );
        assert_eq!(Machine::new().section("containers").status, Status::Absent);
    }
}
