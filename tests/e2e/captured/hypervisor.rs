//! A machine of two packages with 64 cores of two threads each, made up in a directory of its own: thousands of files,
//! some with names (`0000:41:00.0`) that not every system on which somebody looks at the sources can store.

use std::fmt::Write as _;
use std::path::Path;

use tempfile::TempDir;

const PACKAGES: usize = 2;
const CORES: usize = 64;
const CPUS: usize = 256;

/// The machine, there as long as the directory is kept.
pub(crate) fn build() -> TempDir {
    let directory = TempDir::new().expect("a directory");
    let tree = Tree { root: directory.path() };
    tree.put("proc/stat", &stat());
    tree.put("proc/net/dev", &traffic());
    tree.put("proc/net/softnet_stat", &backlogs());
    tree.put("proc/schedstat", &scheduling());
    tree.put("proc/diskstats", &disks());
    (0..CPUS).for_each(|cpu| add_cpu(&tree, cpu));
    (0..PACKAGES).for_each(|package| add_package(&tree, package));
    add_accelerator(&tree);
    tree.put("sys/devices/system/cpu/isolated", "254-255\n");
    directory
}

struct Tree<'a> {
    root: &'a Path,
}

impl Tree<'_> {
    fn put(&self, path: &str, text: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("a directory of our own");
        std::fs::write(path, text).expect("a file in a directory of our own");
    }

    fn put_all(&self, directory: &str, files: &[(&str, &str)]) {
        files.iter().for_each(|(file, text)| self.put(&format!("{directory}/{file}"), &format!("{text}\n")));
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().expect("below the root")).expect("a directory of our own");
        std::os::unix::fs::symlink(target, path).expect("a link in a directory of our own");
    }
}

/// Numbers that look like counters and are the same each time.
fn counter(seed: usize) -> u64 {
    (seed as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 24
}

fn counters(seed: usize, count: usize) -> String {
    let numbers: Vec<String> = (0..count).map(|place| counter(seed * 100 + place).to_string()).collect();
    numbers.join(" ")
}

fn stat() -> String {
    let mut text = format!("cpu  {}\n", counters(0, 10));
    for cpu in 0..CPUS {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "cpu{cpu} {}", counters(cpu, 10));
    }
    let _ = writeln!(text, "intr 183812099182 {}", counters(7, 4000));
    text += "ctxt 99182736455\nbtime 1795293000\nprocesses 8812345\nprocs_running 201\nprocs_blocked 17\n";
    text += "softirq 100 1 2 3 4 5 6 7 8 9 10\n";
    text
}

fn traffic() -> String {
    let mut text = "Inter-|   Receive                            |  Transmit\n face |bytes packets\n".to_owned();
    for guest in 0..200 {
        let _ = writeln!(text, " tap{guest}i0: {}", counters(guest, 16));
    }
    text
}

/// As Linux 6.4 and later write it (`softnet_seq_show`, net/core/net-procfs.c): the CPU's number stands in the line.
fn backlogs() -> String {
    let mut text = String::new();
    for cpu in 0..CPUS {
        let [processed, waiting] = [counter(cpu), counter(cpu + CPUS)].map(|number| number & 0xffff_ffff);
        let _ = writeln!(
            text,
            "{processed:08x} {:08x} {waiting:08x} {zero} {zero} {zero} {zero} {zero} {:08x} {:08x} {:08x} {:08x} {cpu:08x} {:08x} {zero}",
            cpu % 5,
            cpu % 3,
            cpu % 7,
            cpu % 11,
            cpu % 13,
            cpu % 13,
            zero = "00000000",
        );
    }
    text
}

/// Version 15 (Documentation/scheduler/sched-stats.rst), with two domains below each CPU.
fn scheduling() -> String {
    let mut text = "version 15\ntimestamp 4387119053\n".to_owned();
    for cpu in 0..CPUS {
        let _ = writeln!(text, "cpu{cpu} 0 0 0 0 0 0 {}", counters(cpu, 3));
        for domain in 0..2 {
            let _ = writeln!(text, "domain{domain} {} {}", ["ffffffff"; CPUS / 32].join(","), counters(cpu, 36));
        }
    }
    text
}

fn disks() -> String {
    let mut text = String::new();
    for disk in 0..64 {
        let _ = writeln!(text, " 253 {disk} dm-{disk} {}", counters(disk, 17));
    }
    text
}

fn add_cpu(tree: &Tree<'_>, cpu: usize) {
    let directory = format!("sys/devices/system/cpu/cpu{cpu}");
    // As on real ones, the second threads of all cores come after the first.
    let (package, core) = (cpu / CORES % PACKAGES, cpu % CORES);
    tree.put_all(
        &directory,
        &[
            ("topology/physical_package_id", &package.to_string()),
            ("topology/core_id", &core.to_string()),
            ("thermal_throttle/core_throttle_count", &(cpu % 7).to_string()),
            ("thermal_throttle/package_throttle_count", &(1000 * package + cpu % 3).to_string()),
        ],
    );
    tree.put_all(
        &format!("sys/devices/system/cpu/cpufreq/policy{cpu}"),
        &[
            ("cpuinfo_cur_freq", &(2_000_000 + cpu).to_string()),
            ("cpuinfo_min_freq", "800000"),
            ("cpuinfo_max_freq", "3700000"),
            ("cpuinfo_transition_latency", "20000"),
            ("scaling_cur_freq", &(2_000_000 + 3 * cpu).to_string()),
            ("scaling_min_freq", "1500000"),
            ("scaling_max_freq", "3700000"),
            ("scaling_available_governors", "performance schedutil"),
            ("scaling_driver", "acpi-cpufreq"),
            ("scaling_governor", "schedutil"),
            ("scaling_setspeed", "<unsupported>"),
            ("related_cpus", &cpu.to_string()),
        ],
    );
    tree.link(&format!("{directory}/cpufreq"), &format!("../cpufreq/policy{cpu}"));
    let cooling = format!("sys/devices/virtual/thermal/cooling_device{cpu}");
    tree.put_all(&cooling, &[("type", "Processor"), ("cur_state", &(cpu % 4).to_string()), ("max_state", "10")]);
    tree.link(&format!("sys/class/thermal/cooling_device{cpu}"), &format!("../../../{cooling}"));
}

fn add_package(tree: &Tree<'_>, package: usize) {
    let chip = format!("sys/devices/platform/coretemp.{package}/hwmon/hwmon{package}");
    tree.put_all(&chip, &[("name", "coretemp")]);
    for sensor in 1..=CORES + 1 {
        tree.put(&format!("{chip}/temp{sensor}_input"), &format!("{}\n", 30_000 + 500 * sensor + package));
        tree.put(&format!("{chip}/temp{sensor}_label"), &format!("Core {}\n", sensor - 1));
        tree.put(&format!("{chip}/temp{sensor}_crit"), "98000\n");
    }
    tree.link(&format!("{chip}/device"), &format!("../../../coretemp.{package}"));
    tree.link(&format!("sys/class/hwmon/hwmon{package}"), &format!("../../../{chip}"));
    for (zone, name, energy) in
        [(String::new(), format!("package-{package}"), 7), (":0".to_owned(), "dram".to_owned(), 8)]
    {
        let zone = format!("intel-rapl:{package}{zone}");
        let directory = format!("sys/devices/virtual/powercap/intel-rapl/{zone}");
        let energy = counter(energy + package).to_string();
        tree.put_all(&directory, &[("name", &name), ("energy_uj", &energy), ("max_energy_range_uj", "262143328850")]);
        tree.link(&format!("sys/class/powercap/{zone}"), &format!("../../../{directory}"));
    }
    for controller in 0..4 {
        let controller = format!("sys/devices/system/edac/mc/mc{}", 4 * package + controller);
        let counts = [("ce_count", "12"), ("ue_count", "0"), ("ce_noinfo_count", "0"), ("ue_noinfo_count", "0")];
        tree.put_all(&controller, &counts);
        tree.put_all(&controller, &[("csrow0/ce_count", "12"), ("csrow0/ue_count", "0")]);
    }
}

/// A chip and a drive on the PCI bus.
fn add_accelerator(tree: &Tree<'_>) {
    let device = "sys/devices/pci0000:40/0000:40:01.1/0000:41:00.0";
    let chip = format!("{device}/hwmon/hwmon2");
    tree.put_all(
        &chip,
        &[("name", "mlx5"), ("temp1_input", "61000"), ("temp1_highest", "70000"), ("temp1_label", "asic")],
    );
    tree.link(&format!("{chip}/device"), "../../../0000:41:00.0");
    tree.link("sys/class/hwmon/hwmon2", &format!("../../../{chip}"));
    let drive = "sys/devices/pci0000:60/0000:60:03.1/0000:61:00.0/nvme/nvme0";
    let words =
        [("state", "live"), ("model", "Example NVMe 7.68T"), ("serial", "PHAX0001"), ("firmware_rev", "2CV1C033")];
    tree.put_all(drive, &words);
    tree.link("sys/class/nvme/nvme0", &format!("../../../{drive}"));
}
