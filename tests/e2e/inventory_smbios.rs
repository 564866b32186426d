//! What the inventory reads in real firmware's tables is what dmidecode reads there.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use muster_tests::Agent;
use muster_tests::process::{root, run};
use serde_json::Value;
use tokio::process::Command;

/// Dumps beside the repository; theirs, and so only read there.
const CORPUS: [&str; 2] = ["smbios-bin-uroot", "smbios-bin-siderolabs"];

/// One structure as dmidecode prints it: type, and fields by name.
type Structure = (u8, BTreeMap<String, String>);

fn dumps() -> Vec<PathBuf> {
    let corpus = root().join("../shared/corpus/inventory");
    let files =
        CORPUS.iter().filter_map(|directory| std::fs::read_dir(corpus.join(directory)).ok()).flatten().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "bin" || extension == "dmi"));
    files.sort();
    files
}

/// A dump as dmidecode takes it: some of the corpus are a table alone, without its entry point.
fn whole(file: &[u8]) -> Vec<u8> {
    if file.starts_with(b"_SM") {
        return file.to_vec();
    }
    // DSP0134, 5.2.2: the 64-bit entry point; the table follows at 0x20.
    let mut dump = b"_SM3_\0\x18\x03\x03\0\x01\0".to_vec();
    dump.extend_from_slice(&u32::try_from(file.len()).expect("a table").to_le_bytes());
    dump.extend_from_slice(&0x20_u64.to_le_bytes());
    dump[5] = 0_u8.wrapping_sub(dump.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)));
    dump.resize(0x20, 0);
    dump.extend_from_slice(file);
    dump
}

/// The table in a dump: where its entry point says.
fn table(dump: &[u8]) -> &[u8] {
    let number = |at: usize, bytes: usize| {
        let word = &dump[at..at + bytes];
        word.iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
    };
    let (at, length) = if dump.starts_with(b"_SM3_") {
        (number(0x10, 8), number(0x0c, 4))
    } else {
        (number(0x18, 4), number(0x16, 2))
    };
    &dump[at..dump.len().min(at + length)]
}

async fn dmidecode(file: &Path) -> Vec<Structure> {
    let directory = tempfile::tempdir().expect("a directory");
    let dump = directory.path().join("dump");
    std::fs::write(&dump, whole(&std::fs::read(file).expect("the dump"))).expect("a file of our own");
    let said = run(Command::new("dmidecode").arg("--from-dump").arg(&dump)).await;
    assert_eq!(said.code, 0, "{}", said.all());
    let blocks = said.out.split("\n\n").filter(|block| block.contains("DMI type "));
    blocks
        .map(|block| {
            let kind = block.split("DMI type ").nth(1).and_then(|rest| rest.split(',').next());
            let fields = block.lines().filter_map(|line| line.strip_prefix('\t')?.split_once(": "));
            let fields = fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
            (kind.and_then(|kind| kind.parse().ok()).expect("a number"), fields)
        })
        .collect()
}

/// The sections of a machine with this firmware.
async fn inventory(dump: &Path) -> Value {
    let agent = Agent::of_captured_machine();
    let tables = agent.home().join("root/sys/firmware/dmi/tables");
    std::fs::create_dir_all(&tables).expect("a directory of our own");
    let bytes = whole(&std::fs::read(dump).expect("the dump"));
    std::fs::write(tables.join("DMI"), table(&bytes)).expect("a file of our own");
    let said = run(&mut agent.command_on_machine("inventory")).await;
    let document: Value = serde_json::from_str(&said.out).expect("JSON");
    document["sections"].clone()
}

/// `16 GB`, `16384 MB`, `1 TB` in bytes.
fn bytes(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once(' ')?;
    let shift = match unit {
        "bytes" => 0,
        "kB" => 10,
        "MB" => 20,
        "GB" => 30,
        "TB" => 40,
        _ => return None,
    };
    Some(number.parse::<u64>().ok()? << shift)
}

/// A kind of structure that the inventory shows: section, its number, and fields as both call them.
type Kind = (&'static str, u8, &'static [(&'static str, &'static str)]);

/// All that are shown.
const SHOWN: [Kind; 5] = [
    (
        "memory_modules",
        17,
        &[
            ("slot", "Locator"),
            ("bank", "Bank Locator"),
            ("manufacturer", "Manufacturer"),
            ("serial", "Serial Number"),
            ("part_number", "Part Number"),
            ("asset_tag", "Asset Tag"),
            ("rank", "Rank"),
            ("speed_mts", "Speed"),
            ("configured_speed_mts", "Configured Memory Speed"),
            ("type", "Type"),
            ("form", "Form Factor"),
            ("size_bytes", "Size"),
        ],
    ),
    (
        "memory_arrays",
        16,
        &[
            ("slots", "Number Of Devices"),
            ("capacity_bytes", "Maximum Capacity"),
            ("error_correction", "Error Correction Type"),
        ],
    ),
    ("boards", 2, BOARD),
    ("boards", 3, BOARD),
    (
        "power_supplies",
        39,
        &[
            ("location", "Location"),
            ("name", "Name"),
            ("manufacturer", "Manufacturer"),
            ("serial", "Serial Number"),
            ("part_number", "Model Part Number"),
            ("revision", "Revision"),
            ("watts", "Max Power Capacity"),
            ("hot_replaceable", "Hot Replaceable"),
        ],
    ),
];
const BOARD: &[(&str, &str)] = &[
    ("manufacturer", "Manufacturer"),
    ("product", "Product Name"),
    ("version", "Version"),
    ("serial", "Serial Number"),
    ("asset_tag", "Asset Tag"),
];

/// Whether what the inventory says in a field is what dmidecode says. What says nothing is left out of the inventory.
fn agree(field: &str, ours: &str, theirs: &str) -> bool {
    let plain = |text: &str| {
        let only = text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '.' }).collect::<String>();
        only.trim().to_lowercase()
    };
    match field {
        "size_bytes" | "capacity_bytes" => bytes(theirs).is_some_and(|theirs| theirs.to_string() == ours),
        "speed_mts" | "configured_speed_mts" => theirs.split(' ').next() == Some(ours),
        "watts" => theirs.strip_suffix(" W") == Some(ours),
        _ => plain(ours) == plain(theirs),
    }
}

/// What dmidecode prints of fields that are not set, and what makers left in those of the corpus.
fn says_nothing(theirs: &str) -> bool {
    const WORDS: [&str; 22] = [
        "not specified",
        "unknown",
        "none",
        "not provided",
        "no module installed",
        "<out of spec>",
        "<bad index>",
        "to be filled by o.e.m.",
        "default string",
        "n/a",
        "null",
        "no enclosure",
        "no asset tag",
        "no asset information",
        "not available",
        "not applicable",
        "0",
        "empty",
        "undefined",
        "unspecified",
        "1234567890",
        "1234567890.",
    ];
    let plain = theirs.to_lowercase();
    WORDS.contains(&plain.trim()) || theirs.chars().all(|c| matches!(c, '0' | 'x' | '.' | ' ' | '-'))
}

#[tokio::test]
async fn every_dump_is_read_as_dmidecode_reads_it() {
    let (dumps, mut compared) = (dumps(), 0);
    assert!(dumps.len() >= 8, "the corpus has dumps: {dumps:?}");
    for dump in dumps {
        let (theirs, ours) = (dmidecode(&dump).await, inventory(&dump).await);
        for (section, kind, fields) in SHOWN {
            let structures = || theirs.iter().filter(|(one, _)| *one == kind);
            let wanted: Vec<_> = structures()
                .filter(|(_, told)| kind != 16 || told.get("Use").is_some_and(|of| of == "System Memory"))
                .collect();
            let is_kind = |row: &&Value| match kind {
                2 => row["kind"] == "board",
                3 => row["kind"] == "chassis",
                _ => true,
            };
            let rows: Vec<&Value> = ours[section]["rows"].as_array().into_iter().flatten().filter(is_kind).collect();
            assert_eq!(rows.len(), wanted.len(), "{section} of {}: {rows:?}\n{wanted:?}", dump.display());
            for row in rows {
                let fits = |told: &&&Structure| {
                    fields.iter().all(|(ours, theirs)| match (row[*ours].as_str(), told.1.get(*theirs)) {
                        (Some(ours_says), Some(theirs_says)) => agree(ours, ours_says, theirs_says),
                        (Some(_), None) => false,
                        // Of an empty slot only its place is told.
                        (None, Some(_)) if row["populated"] == "no" => true,
                        (None, Some(theirs_says)) => says_nothing(theirs_says),
                        (None, None) => true,
                    })
                };
                let found = wanted.iter().filter(fits).count();
                assert!(found > 0, "{section} of {}: nobody else says {row}\n{wanted:#?}", dump.display());
                compared += 1;
            }
        }
    }
    assert!(compared > 50, "{compared}");
}
