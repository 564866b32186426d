//! The inventory where no files tell of the machine: by sysinfo and the system's own calls. What is not read yet is said to
//! be unreadable, so that nobody takes it for absent.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use sysinfo::{
    CpuRefreshKind, DiskKind, DiskRefreshKind, Disks, MemoryRefreshKind, Motherboard, Networks, Product, RefreshKind,
    System,
};

use super::placeholder::meant;
use super::{FILES_MS, Row, Sheet, Source, Unread, date, parts};
use crate::host::Host;
use crate::platform;

/// Where all of it is read.
const READ_IN: &str = "sysinfo";
/// Free space in steps of a GiB: it is no figure to follow here.
const STEP_BITS: u32 = 30;

type Read = fn(&Host, &mut Sheet) -> Result<(), Unread>;

/// What can be read.
const OWN: &[(&str, Read)] = &[
    ("system", system),
    ("os", os),
    ("cpu", cpu),
    ("boards", boards),
    ("volumes", volumes),
    ("interfaces", interfaces),
    ("addresses", addresses),
    #[cfg(windows)]
    ("firmware", firmware),
    #[cfg(windows)]
    ("memory_arrays", |host, sheet| by_firmware(host, sheet, parts::memory_arrays)),
    #[cfg(windows)]
    ("memory_modules", |host, sheet| by_firmware(host, sheet, parts::memory_modules)),
    #[cfg(windows)]
    ("power_supplies", |host, sheet| by_firmware(host, sheet, parts::power_supplies)),
    #[cfg(windows)]
    ("packages", packages),
];

/// All sections that there are, in their order.
pub(super) static SECTIONS: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let read = |name: &str| OWN.iter().find(|(own, _)| *own == name).map(|(_, read)| *read);
    let source = |known: &Source| match read(known.name) {
        Some(read) => Source { name: known.name, read, budget_ms: known.budget_ms, rests_on: &[] },
        None => Source { name: known.name, read: unread, budget_ms: FILES_MS, rests_on: &[] },
    };
    super::SECTIONS.iter().map(source).collect()
});

fn unread(_: &Host, _: &mut Sheet) -> Result<(), Unread> {
    Err(Unread::Unreadable(format!("not read on {}", platform::NAME)))
}

fn failed(error: &sysinfo::Error) -> Unread {
    Unread::Unreadable(error.to_string())
}

/// Where the system names none of what each machine has, it was not read.
fn any(sheet: &Sheet, what: &str) -> Result<(), Unread> {
    if sheet.is_empty() { Err(Unread::Unreadable(format!("the system names no {what}"))) } else { Ok(()) }
}

/// What the firmware's table says, where there is one.
#[cfg(windows)]
fn by_firmware(host: &Host, sheet: &mut Sheet, read: Read) -> Result<(), Unread> {
    match platform::firmware_table() {
        Some(_) => read(host, sheet),
        None => Err(Unread::Unreadable("the registry has no table of the firmware".to_owned())),
    }
}

/// What the firmware says, unless it is a placeholder.
fn said(value: Result<String, sysinfo::Error>) -> Option<String> {
    meant(&value.ok()?).map(str::to_owned)
}

fn system(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in(READ_IN);
    let known = host.known().unwrap_or_default();
    let memory = System::new_with_specifics(RefreshKind::nothing().with_memory(MemoryRefreshKind::everything()));
    let row = Row::new("system")
        .durable("hostname", super::print::name(host))
        .durable("architecture", System::cpu_arch())
        .known("manufacturer", said(Product::vendor_name()))
        .known("model", said(Product::name()))
        .known("family", said(Product::family()))
        .known("version", said(Product::version()))
        .known("sku", said(Product::stock_keeping_unit()))
        .known("serial", said(Product::serial_number()))
        .known("uuid", said(Product::uuid()).map(|uuid| uuid.to_ascii_lowercase()))
        .known("chassis", known.chassis.map(super::system::chassis))
        .known("memory_bytes", memory.ok().map(|system| system.total_memory()).filter(|bytes| *bytes > 0));
    sheet.row(row);
    Ok(())
}

fn os(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in(READ_IN);
    let (uname, known) = (host.uname().unwrap_or_default(), host.known().unwrap_or_default());
    let row = Row::new("os")
        .durable("id", std::env::consts::OS)
        .durable("name", platform::NAME)
        .durable("pretty_name", known.os_release)
        .known("version", System::os_version().ok())
        .durable("kernel", &uname.release)
        .durable("kernel_build", &uname.version)
        .durable("architecture", &uname.machine);
    #[cfg(windows)]
    let row = row
        .durable("variant", platform::registry::version(platform::registry::EDITION))
        .known("installed_at", platform::registry::installed_s().and_then(date::spelled));
    // Counted back from the wall clock, which is disciplined: whole minutes stand.
    let booted = System::boot_time().ok().and_then(|seconds| i64::try_from(seconds).ok());
    let booted = booted.and_then(|seconds| date::spelled(seconds.saturating_add(30).div_euclid(60) * 60));
    sheet.row(row.latest("booted_at", booted.unwrap_or_default()));
    Ok(())
}

/// Processors by model: the system does not say their sockets here.
fn cpu(_: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in(READ_IN);
    let wanted = RefreshKind::nothing().with_cpu(CpuRefreshKind::nothing().with_frequency());
    let system = System::new_with_specifics(wanted).map_err(|error| failed(&error))?;
    let mut models: BTreeMap<&str, (usize, &sysinfo::Cpu)> = BTreeMap::new();
    for cpu in system.cpus() {
        models.entry(cpu.brand().trim()).or_insert((0, cpu)).0 += 1;
    }
    let cores = System::physical_core_count().ok().filter(|_| models.len() == 1);
    for (number, (model, (threads, cpu))) in models.iter().enumerate() {
        sheet.row(
            Row::new(format_args!("socket/{number}"))
                .durable("model", model)
                .durable("vendor", cpu.vendor_id())
                .known("cores", cores)
                .durable("threads", threads)
                .known("max_mhz", Some(cpu.frequency()).filter(|mhz| *mhz > 0)),
        );
    }
    if models.is_empty() { Err(Unread::Unreadable("the system names no processor".to_owned())) } else { Ok(()) }
}

fn boards(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    if parts::boards(host, sheet).is_ok() && !sheet.is_empty() {
        return Ok(());
    }
    let board = Motherboard::new().map_err(|error| failed(&error))?;
    sheet.read_in(READ_IN);
    let meant = |text: Option<String>| text.as_deref().and_then(meant).map(str::to_owned);
    let row = Row::new("board/0")
        .durable("kind", "board")
        .known("manufacturer", meant(board.vendor_name()))
        .known("product", meant(board.name()))
        .known("version", meant(board.version()))
        .known("serial", meant(board.serial_number()))
        .known("asset_tag", meant(board.asset_tag()));
    sheet.row(row);
    Ok(())
}

fn volumes(_: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in(READ_IN);
    let disks =
        Disks::new_with_refreshed_list_specifics(DiskRefreshKind::everything()).map_err(|error| failed(&error))?;
    for disk in &disks {
        let place = disk.mount_point().to_string_lossy();
        let kind = match disk.kind() {
            DiskKind::HDD => "hdd",
            DiskKind::SSD => "ssd",
            _ => "",
        };
        sheet.row(
            Row::new(&place)
                .durable("mount_point", &place)
                .durable(if cfg!(windows) { "label" } else { "device" }, disk.name().to_string_lossy())
                .durable("file_system", disk.file_system().to_string_lossy())
                .durable("medium", kind)
                .durable("removable", if disk.is_removable() { "yes" } else { "" })
                .durable("read_only", if disk.is_read_only() { "yes" } else { "" })
                .durable("size_bytes", disk.total_space())
                .latest("free_bytes", disk.available_space() >> STEP_BITS << STEP_BITS),
        );
    }
    any(sheet, "volume")
}

fn interfaces(_: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in(READ_IN);
    let networks = Networks::new_with_refreshed_list().map_err(|error| failed(&error))?;
    for (name, network) in &networks {
        let name = name.to_string_lossy();
        let mac = Some(network.mac_address()).filter(|mac| mac.0 != [0; 6]).map(|mac| mac.to_string());
        let is_loopback = mac.is_none() && network.ip_networks().iter().any(|ip| ip.addr.is_loopback());
        if is_loopback {
            continue;
        }
        sheet.row(
            Row::new(&name)
                .durable("name", &name)
                .known("mac", mac)
                .known("mtu", Some(network.mtu()).filter(|bytes| *bytes > 0))
                .latest("state", network.operational_state().to_string()),
        );
    }
    any(sheet, "interface")
}

fn addresses(_: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in(READ_IN);
    let networks = Networks::new_with_refreshed_list().map_err(|error| failed(&error))?;
    for (name, network) in &networks {
        let name = name.to_string_lossy();
        for ip in network.ip_networks() {
            sheet.row(super::network::address(&name, ip.addr, ip.prefix));
        }
    }
    any(sheet, "address")
}

#[cfg(windows)]
fn firmware(_: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("the registry");
    let said = |name: &str| meant(&platform::registry::firmware(name)).map(str::to_owned);
    let row = Row::new("firmware")
        .known("vendor", said("BIOSVendor"))
        .known("version", said("BIOSVersion"))
        .durable("date", super::settings::iso(&platform::registry::firmware("BIOSReleaseDate")));
    if !row.durable.is_empty() {
        sheet.row(row);
    }
    any(sheet, "firmware")
}

/// What was installed for all users.
#[cfg(windows)]
fn packages(_: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    sheet.read_in("the registry");
    for program in platform::registry::programs() {
        sheet.row(
            Row::new(format_args!("windows/{}/{}", program.id, program.architecture))
                .durable("name", program.name)
                .durable("version", program.version)
                .durable("architecture", program.architecture)
                .durable("manager", "windows")
                .durable("vendor", program.publisher),
        );
    }
    sheet.lacks("programs that single users installed for themselves are not read");
    Ok(())
}
