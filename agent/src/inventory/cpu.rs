//! Processors by socket: what `/proc/cpuinfo` says and how sysfs lays it out.

use std::collections::{BTreeMap, BTreeSet};

use super::{Row, Sheet, Unread};
use crate::host::Host;

const INFO: &str = "/proc/cpuinfo";
const CPUS: &str = "/sys/devices/system/cpu";

#[derive(Default)]
struct Socket {
    first: String,
    cores: BTreeSet<String>,
    threads: usize,
}

pub(super) fn read(host: &Host, sheet: &mut Sheet) -> Result<(), Unread> {
    let info = host.read_text(INFO)?;
    sheet.read_in(INFO);
    let blocks: Vec<BTreeMap<&str, &str>> = info.split("\n\n").map(fields).collect();
    let sockets = sockets(host);
    if sockets.is_empty() {
        let online = blocks.iter().filter(|block| block.contains_key("processor")).count();
        let Some(block) = blocks.first().filter(|_| online > 0) else {
            return Err(Unread::Unreadable(format!("{INFO} names no processor")));
        };
        sheet.row(described(Row::new("socket/0").durable("threads", online), block, &info));
        return Ok(());
    }
    sheet.read_in(CPUS);
    for (number, socket) in &sockets {
        let of_first = blocks.iter().find(|block| block.get("processor") == Some(&&*socket.first));
        let row = Row::new(format_args!("socket/{number}"))
            .durable("cores", socket.cores.len())
            .durable("threads", socket.threads)
            .known("max_mhz", max_mhz(host, &socket.first))
            .known("cache_bytes", cache(host, &socket.first));
        sheet.row(match of_first.or(blocks.first()) {
            Some(block) => described(row, block, &info),
            None => row,
        });
    }
    Ok(())
}

/// `name : value` of each line.
fn fields(block: &str) -> BTreeMap<&str, &str> {
    block.lines().filter_map(|line| line.split_once(':')).map(|(name, value)| (name.trim(), value.trim())).collect()
}

/// Online processors by socket.
fn sockets(host: &Host) -> BTreeMap<u32, Socket> {
    let mut sockets: BTreeMap<u32, Socket> = BTreeMap::new();
    let names = host.list(CPUS).unwrap_or_default();
    let numbers = names.iter().filter_map(|name| name.strip_prefix("cpu")?.parse::<u32>().ok());
    let mut numbers: Vec<u32> = numbers.collect();
    numbers.sort_unstable();
    for number in numbers {
        let said = |file: &str| host.read_text(&format!("{CPUS}/cpu{number}/topology/{file}")).ok();
        // What is off line says nothing; where the architecture knows no sockets it says -1.
        let Some(package) = said("physical_package_id") else { continue };
        let socket = sockets.entry(package.parse().unwrap_or(0)).or_default();
        if socket.threads == 0 {
            socket.first = number.to_string();
        }
        socket.threads += 1;
        // Numbers of cores are each die's own.
        let place = [said("die_id"), said("core_id")].map(Option::unwrap_or_default).join("/");
        socket.cores.insert(place);
    }
    sockets
}

fn max_mhz(host: &Host, cpu: &str) -> Option<u64> {
    let khz: u64 = host.read_text(&format!("{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq")).ok()?.parse().ok()?;
    Some(khz / 1000)
}

/// The largest cache, which the cores of a socket share.
fn cache(host: &Host, cpu: &str) -> Option<u64> {
    let directory = format!("{CPUS}/cpu{cpu}/cache");
    let indices = host.list(&directory).unwrap_or_default();
    let size = |index: &String| {
        let text = host.read_text(&format!("{directory}/{index}/size")).ok()?;
        let (number, unit) = text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len());
        let scale = match unit {
            "K" => 1 << 10,
            "M" => 1 << 20,
            _ => 1,
        };
        number.parse::<u64>().ok()?.checked_mul(scale)
    };
    indices.iter().filter(|name| name.starts_with("index")).filter_map(size).max()
}

fn described(row: Row, block: &BTreeMap<&str, &str>, info: &str) -> Row {
    let said = |name: &str| block.get(name).copied().filter(|value| !value.is_empty());
    // Of ARM, MIPS, RISC-V, POWER and s390 the model stands elsewhere, or at the end for all.
    let tail = || {
        let named = ["Model", "Hardware", "cpu model", "uarch", "cpu", "machine", "vendor_id"];
        named.iter().find_map(|name| info.lines().rev().find_map(|line| value_of(line, name)))
    };
    let model = said("model name").map(str::to_owned).or_else(|| tail().map(str::to_owned));
    let vendor = said("vendor_id").or_else(|| said("CPU implementer").map(implementer));
    let numbers = match (said("cpu family"), said("model"), said("stepping")) {
        (Some(family), Some(model), Some(stepping)) => Some(format!("{family}/{model}/{stepping}")),
        _ => said("CPU part").map(str::to_owned),
    };
    row.known("model", model)
        .known("vendor", vendor)
        .known("family_model_stepping", numbers)
        .known("microcode", said("microcode"))
}

fn value_of<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let (known, value) = line.split_once(':')?;
    (known.trim() == name && !value.trim().is_empty()).then(|| value.trim())
}

/// Main ID register, implementer codes that are met (Arm ARM, MIDR_EL1).
fn implementer(code: &str) -> &str {
    match code {
        "0x41" => "ARM",
        "0x42" => "Broadcom",
        "0x43" => "Cavium",
        "0x46" => "Fujitsu",
        "0x48" => "HiSilicon",
        "0x4e" => "NVIDIA",
        "0x50" => "APM",
        "0x51" => "Qualcomm",
        "0x61" => "Apple",
        "0x6d" => "Microsoft",
        "0xc0" => "Ampere",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;

    #[test]
    fn processors_are_counted_by_socket_core_and_thread() {
        let machine = Machine::new();
        let block = |n: u32| {
            format!(
                "processor\t: {n}\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 85\n\
                 model name\t: Xeon Gold\nstepping\t: 7\nmicrocode\t: 0x5003604\n\n"
            )
        };
        machine.file("proc/cpuinfo", (0..8).map(block).collect::<String>());
        for n in 0..8 {
            let at = format!("sys/devices/system/cpu/cpu{n}");
            machine.file(&format!("{at}/topology/physical_package_id"), format!("{}\n", n % 2));
            machine.file(&format!("{at}/topology/core_id"), format!("{}\n", n / 4));
            machine.file(&format!("{at}/cache/index0/size"), "32K\n");
            machine.file(&format!("{at}/cache/index3/size"), "22528K\n");
        }
        machine.file("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3900000\n");
        let rest = "cores=2 family_model_stepping=6/85/7";
        let end = "microcode=0x5003604 model=Xeon Gold threads=4 vendor=GenuineIntel";
        assert_eq!(
            machine.lines("cpu"),
            [
                format!("socket/0: cache_bytes=23068672 {rest} max_mhz=3900 {end}"),
                format!("socket/1: cache_bytes=23068672 {rest} {end}"),
            ]
        );
    }

    #[test]
    fn an_arm_board_says_its_model_at_the_end() {
        let machine = Machine::new();
        let info = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd08\n\nprocessor\t: 1\n\n\
                    Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 4\n";
        machine.file("proc/cpuinfo", info);
        assert_eq!(
            machine.lines("cpu"),
            ["socket/0: family_model_stepping=0xd08 model=Raspberry Pi 4 threads=2 vendor=ARM"]
        );
    }
}
