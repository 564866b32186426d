//! Processors by socket: what `/proc/cpuinfo` says and how sysfs lays it out.

use std::collections::{BTreeMap, BTreeSet};

use super::{Row, Sheet, Unread};
use crate::host::Host;

const INFO: &str = "/proc/cpuinfo";
const CPUS: &str = "/sys/devices/system/cpu";

/// Online processors of one socket.
#[derive(Default)]
struct Socket {
    cores: BTreeSet<String>,
    threads: Vec<u32>,
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
        let first = socket.threads.first().map(u32::to_string).unwrap_or_default();
        let of_first = blocks.iter().find(|block| block.get("processor") == Some(&&*first));
        let row = Row::new(format_args!("socket/{number}"))
            .durable("cores", socket.cores.len())
            .durable("threads", socket.threads.len())
            .known("max_mhz", max_mhz(host, &first))
            .known("cache_bytes", cache(host, &socket.threads));
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
        socket.threads.push(number);
        // Numbers of cores are each die's own, and there are architectures on which all have the same one: what counts is
        // who shares the core (`thread_siblings` before Linux 5.3).
        let place = said("core_cpus").or_else(|| said("thread_siblings"));
        let numbered = || [said("die_id"), said("core_id")].map(Option::unwrap_or_default).join("/");
        socket.cores.insert(place.unwrap_or_else(numbered));
    }
    sockets
}

fn max_mhz(host: &Host, cpu: &str) -> Option<u64> {
    let khz: u64 = host.read_text(&format!("{CPUS}/cpu{cpu}/cpufreq/cpuinfo_max_freq")).ok()?.parse().ok()?;
    Some(khz / 1000)
}

/// Bytes of all caches of the last level in a socket: parts of it may have one each. Where there is none beside a core's
/// first, nothing.
fn cache(host: &Host, threads: &[u32]) -> Option<u64> {
    let said =
        |cpu: u32, index: &str, file: &str| host.read_text(&format!("{CPUS}/cpu{cpu}/cache/{index}/{file}")).ok();
    let first = *threads.first()?;
    let indices = host.list(&format!("{CPUS}/cpu{first}/cache")).unwrap_or_default();
    let levels = indices.iter().filter(|name| name.starts_with("index")).filter_map(|index| {
        let level: u32 = said(first, index, "level")?.parse().ok()?;
        Some((level, index)).filter(|(level, _)| *level > 1)
    });
    let (_, last) = levels.max()?;
    let mut seen = BTreeSet::new();
    let mut bytes: u64 = 0;
    for cpu in threads {
        // Without the list of those who share it, all do.
        if seen.insert(said(*cpu, last, "shared_cpu_map").unwrap_or_default()) {
            bytes = bytes.checked_add(size(&said(*cpu, last, "size")?)?)?;
        }
    }
    Some(bytes)
}

/// `22528K`.
fn size(text: &str) -> Option<u64> {
    let (number, unit) = text.split_at(text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    let scale = match unit {
        "K" => 1 << 10,
        "M" => 1 << 20,
        _ => 1,
    };
    number.parse::<u64>().ok()?.checked_mul(scale)
}

fn described(row: Row, block: &BTreeMap<&str, &str>, info: &str) -> Row {
    let said = |name: &str| block.get(name).copied().filter(|value| !value.is_empty());
    // Of ARM, MIPS, RISC-V, POWER and s390 the model stands elsewhere, or at the end for all.
    let tail = || {
        let named = ["Model", "Hardware", "cpu model", "uarch", "cpu", "machine", "vendor_id"];
        named.iter().find_map(|name| info.lines().rev().find_map(|line| value_of(line, name)))
    };
    let part = || arm_part(said("CPU implementer")?, said("CPU part")?);
    let named = said("model name").or_else(|| said("Model Name"));
    let model = named.or_else(part).or_else(tail).map(str::to_owned);
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

/// Cores by implementer and part of the main ID register, as their technical reference manuals give them. Of those that
/// are met in servers, boards and portable machines.
fn arm_part(implementer: &str, part: &str) -> Option<&'static str> {
    const PARTS: [(&str, &str, &str); 42] = [
        ("0x41", "0xb76", "ARM1176"),
        ("0x41", "0xc07", "Cortex-A7"),
        ("0x41", "0xc08", "Cortex-A8"),
        ("0x41", "0xc09", "Cortex-A9"),
        ("0x41", "0xc0e", "Cortex-A17"),
        ("0x41", "0xc0f", "Cortex-A15"),
        ("0x41", "0xd03", "Cortex-A53"),
        ("0x41", "0xd04", "Cortex-A35"),
        ("0x41", "0xd05", "Cortex-A55"),
        ("0x41", "0xd07", "Cortex-A57"),
        ("0x41", "0xd08", "Cortex-A72"),
        ("0x41", "0xd09", "Cortex-A73"),
        ("0x41", "0xd0a", "Cortex-A75"),
        ("0x41", "0xd0b", "Cortex-A76"),
        ("0x41", "0xd0c", "Neoverse-N1"),
        ("0x41", "0xd0d", "Cortex-A77"),
        ("0x41", "0xd0e", "Cortex-A76AE"),
        ("0x41", "0xd40", "Neoverse-V1"),
        ("0x41", "0xd41", "Cortex-A78"),
        ("0x41", "0xd42", "Cortex-A78AE"),
        ("0x41", "0xd44", "Cortex-X1"),
        ("0x41", "0xd46", "Cortex-A510"),
        ("0x41", "0xd47", "Cortex-A710"),
        ("0x41", "0xd48", "Cortex-X2"),
        ("0x41", "0xd49", "Neoverse-N2"),
        ("0x41", "0xd4a", "Neoverse-E1"),
        ("0x41", "0xd4b", "Cortex-A78C"),
        ("0x41", "0xd4d", "Cortex-A715"),
        ("0x41", "0xd4e", "Cortex-X3"),
        ("0x41", "0xd4f", "Neoverse-V2"),
        ("0x41", "0xd80", "Cortex-A520"),
        ("0x41", "0xd81", "Cortex-A720"),
        ("0x41", "0xd82", "Cortex-X4"),
        ("0x41", "0xd84", "Neoverse-V3"),
        ("0x41", "0xd85", "Cortex-X925"),
        ("0x41", "0xd87", "Cortex-A725"),
        ("0x41", "0xd8e", "Neoverse-N3"),
        ("0x43", "0x0af", "ThunderX2"),
        ("0x46", "0x001", "A64FX"),
        ("0x48", "0xd01", "TaiShan-v110"),
        ("0xc0", "0xac3", "Ampere-1"),
        ("0xc0", "0xac4", "Ampere-1a"),
    ];
    PARTS.iter().find(|(maker, number, _)| *maker == implementer && *number == part).map(|(_, _, name)| *name)
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
            machine.file(&format!("{at}/cache/index0/level"), "1\n");
            machine.file(&format!("{at}/cache/index3/size"), "22528K\n");
            machine.file(&format!("{at}/cache/index3/level"), "3\n");
            // On the second socket each core has its own.
            let sharing = if n % 2 == 0 { "55" } else { ["0a", "a0"][n / 4] };
            machine.file(&format!("{at}/cache/index3/shared_cpu_map"), sharing);
        }
        machine.file("sys/devices/system/cpu/cpu0/cpufreq/cpuinfo_max_freq", "3900000\n");
        let rest = "cores=2 family_model_stepping=6/85/7";
        let end = "microcode=0x5003604 model=Xeon Gold threads=4 vendor=GenuineIntel";
        assert_eq!(
            machine.lines("cpu"),
            [
                format!("socket/0: cache_bytes=23068672 {rest} max_mhz=3900 {end}"),
                format!("socket/1: cache_bytes=46137344 {rest} {end}"),
            ]
        );
    }

    #[test]
    fn an_arm_core_is_named_by_its_part_and_what_shares_a_core_is_one() {
        let machine = Machine::new();
        let block = |n: u32| format!("processor\t: {n}\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n\n");
        machine.file("proc/cpuinfo", (0..4).map(block).collect::<String>());
        for n in 0..4 {
            let at = format!("sys/devices/system/cpu/cpu{n}/topology");
            // All of them say core 0.
            machine.file(&format!("{at}/physical_package_id"), "-1\n");
            machine.file(&format!("{at}/core_id"), "0\n");
            machine.file(&format!("{at}/thread_siblings"), ["3", "3", "4", "8"][n]);
        }
        assert_eq!(
            machine.lines("cpu"),
            ["socket/0: cores=3 family_model_stepping=0xd0c model=Neoverse-N1 threads=4 vendor=ARM"]
        );
    }

    #[test]
    fn an_arm_board_says_its_model_at_the_end() {
        let machine = Machine::new();
        let info = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xfff\n\nprocessor\t: 1\n\n\
                    Hardware\t: BCM2835\nModel\t\t: Raspberry Pi 4\n";
        machine.file("proc/cpuinfo", info);
        assert_eq!(
            machine.lines("cpu"),
            ["socket/0: family_model_stepping=0xfff model=Raspberry Pi 4 threads=2 vendor=ARM"]
        );
    }
}
