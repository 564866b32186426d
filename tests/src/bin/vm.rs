//! A virtual machine with failing hardware: each fault becomes a finding about the right part, and ends when it is mended
//!
//! `vm`
//!
//! The agent in it runs as root, its collector beside the machine: an NVMe drive whose SMART turns FAILED, an array that
//! loses a member, sectors that cannot be read, events of the BMC. Needs root, debootstrap, qemu-system-x86 and faketime;
//! what it boots is kept under `MUSTER_TEST_CACHE`.

#[path = "../vm/faults.rs"]
mod faults;
#[path = "../vm/row.rs"]
mod row;
#[path = "../vm/story.rs"]
mod story;

use std::path::PathBuf;

use muster_tests::machine::System;
use muster_tests::process::{program, root};

use row::Row;
use story::Story;

fn main() -> std::io::Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(std::io::Error::other("a tree of Debian is made by root only: run it as root"));
    }
    let system = System::find().map_err(std::io::Error::other)?;
    // One thread: the machine ends with the one that started it.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let rows = runtime.block_on(async {
        let mut story = Story::begin(&system).await;
        story.tell().await;
        story.rows
    });
    say(&rows);
    let wrong = rows.iter().filter(|row| !row.wrong().is_empty()).count();
    if wrong == 0 { Ok(()) } else { Err(std::io::Error::other(format!("{wrong} are not as expected"))) }
}

/// Prints the table.
#[expect(clippy::print_stdout, reason = "a measurement's table is its output")]
fn say(rows: &[Row]) {
    let folder = program("muster-agent").parent().map(PathBuf::from).unwrap_or_default();
    let folder = folder.strip_prefix(root()).map_or("MUSTER_BIN_DIR".into(), |folder| folder.display().to_string());
    println!("programs {folder}");
    println!("guest    qemu without KVM, 2 CPUs, 1 GiB; its agent runs as root with");
    for line in story::SETTINGS.lines().filter(|line| !line.is_empty()) {
        println!("             {line}");
    }
    println!();
    let heads = ["what is done", "rule", "part", "severity", "found s", "incident s", "ended s", "closed s"];
    let cells: Vec<[String; 8]> =
        std::iter::once(heads.map(str::to_owned)).chain(rows.iter().map(Row::cells)).collect();
    let width = |at: usize| cells.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    for (row, cells) in cells.iter().enumerate() {
        let line: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        println!("{}", line.join("  ").trim_end());
        for wrong in row.checked_sub(1).and_then(|row| rows.get(row)).map(Row::wrong).unwrap_or_default() {
            println!("    <-- NOT AS EXPECTED: {wrong}");
        }
    }
    println!(
        "\nSeconds from the deed to the finding in the API, to its incident at the webhook; from its mending to the end of"
    );
    println!(
        "both. Drives, arrays and BMC are looked at once a minute. What a log says ends when it says no more for a day: \"a day + \"\n\
        is from the start of the collector with its clock 25 h ahead."
    );
}
