//! Software RAID from `/proc/mdstat` (drivers/md/md.c, `md_seq_show`).

use super::folder::{finite, gauge};
use super::{ProbeError, Sink, strange};
use crate::host::Host;

const PATH: &str = "/proc/mdstat";

/// What an array does; it is only ever one of these.
const STATES: [&str; 5] = ["active", "inactive", "recovering", "resync", "check"];

/// One array.
#[derive(Debug, PartialEq)]
struct Array<'a> {
    name: &'a str,
    state: &'a str,
    required: f64,
    active: f64,
    failed: f64,
    spare: f64,
    blocks: f64,
    blocks_synced: f64,
}

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    sink.read(host, PATH, |sink, text| {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins_array(line)) {
            match parse(line, lines.get(at + 1..).unwrap_or_default()) {
                Some(array) => say(sink, &array),
                None => {
                    let name = line.split(' ').next().unwrap_or_default();
                    sink.note(format!("mdadm/{name}"), strange(PATH, "an array that is not understood"));
                }
            }
        }
        Ok(())
    })
}

fn begins_array(line: &str) -> bool {
    !line.trim().is_empty()
        && !line.starts_with([' ', '\t'])
        && !line.starts_with("Personalities")
        && !line.starts_with("unused")
}

/// `md0 : active raid1 sdb1[1] sda1[0](F)`, then the status, then perhaps a bitmap and what is under way.
fn parse<'a>(line: &'a str, below: &[&'a str]) -> Option<Array<'a>> {
    let mut fields = line.split_ascii_whitespace();
    let (name, _, said_state) = (fields.next()?, fields.next()?, fields.next()?);
    let status = below.first()?;
    let blocks = status.split_ascii_whitespace().next().and_then(finite)?;
    let (required, active) = members(line, status)?;
    let mut below = below.iter().skip(1).filter(|line| !line.contains("bitmap:"));
    // The next array begins without a blank line only in a broken file.
    let progress = below.next().filter(|line| line.starts_with([' ', '\t'])).copied().unwrap_or_default();
    let under_way = state_of(progress);
    let blocks_synced = match under_way {
        None => blocks,
        Some(_) if progress.contains("PENDING") || progress.contains("DELAYED") => 0.0,
        Some(_) => done(progress)?,
    };
    Some(Array {
        name,
        state: under_way.unwrap_or(said_state),
        required,
        active,
        failed: count(line, "(F)"),
        spare: count(line, "(S)"),
        blocks,
        blocks_synced,
    })
}

/// Members that the array needs and those that it has.
fn members(line: &str, status: &str) -> Option<(f64, f64)> {
    // Neither says so: of these each member counts, or none does.
    if line.contains("raid0") || line.contains("linear") {
        let members = count(line, "[");
        return Some((members, members));
    }
    if line.contains("inactive") {
        return Some((0.0, 0.0));
    }
    // `[2/1] [U_]`
    let (_, rest) = status.split_once(" blocks ")?;
    let counts = rest.split('[').filter_map(|part| part.split_once(']')).find_map(|(inside, _)| inside.split_once('/'));
    let (required, active) = counts?;
    Some((required.parse::<u32>().ok()?.into(), active.parse::<u32>().ok()?.into()))
}

/// `[==>......]  recovery = 12.6% (37043392/292945152) finish=127.5min speed=33440K/sec`
fn state_of(progress: &str) -> Option<&'static str> {
    if progress.contains("recovery") {
        Some("recovering")
    } else if progress.contains("check") {
        Some("check")
    } else if progress.contains("resync") {
        Some("resync")
    } else {
        None
    }
}

fn done(progress: &str) -> Option<f64> {
    let (_, rest) = progress.split_once('(')?;
    let (done, _) = rest.split_once('/')?;
    finite(done)
}

fn count(line: &str, mark: &str) -> f64 {
    f64::from(u32::try_from(line.matches(mark).count()).unwrap_or(u32::MAX))
}

fn say(sink: &mut Sink<'_>, array: &Array<'_>) {
    let device = ("device", array.name);
    gauge(sink, "node_md_disks_required", "Total number of disks of device.", &[device], array.required);
    for (state, count) in [("active", array.active), ("failed", array.failed), ("spare", array.spare)] {
        let help = "Number of active/failed/spare disks of device.";
        gauge(sink, "node_md_disks", help, &[device, ("state", state)], count);
    }
    for state in STATES {
        let value = if state == array.state { 1.0 } else { 0.0 };
        gauge(sink, "node_md_state", "Indicates the state of md-device.", &[device, ("state", state)], value);
    }
    gauge(sink, "node_md_blocks", "Total number of blocks on device.", &[device], array.blocks);
    gauge(sink, "node_md_blocks_synced", "Number of blocks synced on device.", &[device], array.blocks_synced);
}

#[cfg(test)]
mod tests;
