//! Tape drives, from `/sys/class/scsi_tape/st*/stats` (Documentation/scsi/st.rst).

use super::folder::{Folder, counter, gauge};
use super::{ProbeError, Sink};
use crate::host::Host;

const DIRECTORY: &str = "/sys/class/scsi_tape";
/// Seconds in a nanosecond, multiplied like `node_exporter` does, so that the last digit is the same.
const NANOSECOND: f64 = 0.000_000_001;

/// File, family, factor, help.
const COUNTERS: [(&str, &str, f64, &str); 9] = [
    (
        "io_ns",
        "node_tape_io_time_seconds_total",
        NANOSECOND,
        "The amount of time spent waiting for all I/O to complete (including read and write). This includes tape \
         movement commands such as seeking between file or set marks and implicit tape movement such as when rewind on \
         close tape devices are used.",
    ),
    (
        "other_cnt",
        "node_tape_io_others_total",
        1.0,
        "The number of I/Os issued to the tape drive other than read or write commands. The time taken to complete these \
         commands uses the following calculation io_time_seconds_total-read_time_seconds_total-write_time_seconds_total",
    ),
    ("read_byte_cnt", "node_tape_read_bytes_total", 1.0, "The number of bytes read from the tape drive."),
    ("read_cnt", "node_tape_reads_completed_total", 1.0, "The number of read requests issued to the tape drive."),
    (
        "read_ns",
        "node_tape_read_time_seconds_total",
        NANOSECOND,
        "The amount of time spent waiting for read requests to complete.",
    ),
    (
        "resid_cnt",
        "node_tape_residual_total",
        1.0,
        "The number of times during a read or write we found the residual amount to be non-zero. This should mean that a \
         program is issuing a read larger thean the block size on tape. For write not all data made it to tape.",
    ),
    ("write_byte_cnt", "node_tape_written_bytes_total", 1.0, "The number of bytes written to the tape drive."),
    ("write_cnt", "node_tape_writes_completed_total", 1.0, "The number of write requests issued to the tape drive."),
    (
        "write_ns",
        "node_tape_write_time_seconds_total",
        NANOSECOND,
        "The amount of time spent waiting for write requests to complete.",
    ),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let drives: Vec<String> = host.list(DIRECTORY)?.into_iter().filter(|name| is_drive(name)).collect();
    if drives.is_empty() {
        return Err(ProbeError::Absent(format!("{DIRECTORY} names no drive")));
    }
    let mut folder = Folder::new(host, "tapestats", DIRECTORY);
    for drive in &drives {
        let labels = [("device", &**drive)];
        folder.go(&format!("{DIRECTORY}/{drive}/stats"));
        if let Some(value) = folder.number(sink, "in_flight") {
            let help = "The number of I/Os currently outstanding to this device.";
            gauge(sink, "node_tape_io_now", help, &labels, value);
        }
        for (file, name, factor, help) in COUNTERS {
            if let Some(value) = folder.number(sink, file) {
                counter(sink, name, help, &labels, value * factor);
            }
        }
    }
    Ok(())
}

/// `st0`, but not its other ways of being opened: `nst0` does not rewind, `st0a` has another density.
fn is_drive(name: &str) -> bool {
    name.strip_prefix("st").is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::machine::Machine;

    #[test]
    fn of_the_names_of_a_drive_one_counts() {
        for (name, expected) in [("st0", true), ("st12", true), ("nst0", false), ("st0a", false), ("st", false)] {
            assert_eq!(is_drive(name), expected, "{name}");
        }
    }

    #[test]
    fn a_broken_counter_hides_no_other() {
        let machine = Machine::new(&[
            ("sys/class/scsi_tape/st0/stats/in_flight", "1\n"),
            ("sys/class/scsi_tape/st0/stats/read_ns", "4000000000\n"),
            ("sys/class/scsi_tape/st0/stats/write_ns", "slow\n"),
            ("sys/class/scsi_tape/nst0/stats/in_flight", "1\n"),
        ]);
        let said = machine.read(read);
        said.outcome.clone().unwrap();
        let expected = [
            (r#"node_tape_io_now{device="st0"}"#.to_owned(), 1.0),
            (r#"node_tape_read_time_seconds_total{device="st0"}"#.to_owned(), 4.0),
        ];
        assert_eq!(said.series, expected.into());
        assert_eq!(said.noted(), ["tapestats/sys/class/scsi_tape/st0/stats/write_ns"]);
    }
}
