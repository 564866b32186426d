//! Arrays whose synchronisation does not move: for how many hours, as far as this agent has watched.

use std::collections::HashMap;

use crate::host::Host;

const BLOCKS: &str = "/sys/block";
/// What an array does that should come to an end (Documentation/admin-guide/md.rst).
const ENDS: [&str; 3] = ["resync", "recover", "reshape"];
/// After so many hours it is told, and each time as many hours are twice as many.
const FIRST_HOURS: u64 = 3;
const HOUR_MS: u64 = 3_600_000;
const ARRAYS_MAX: usize = 64;

/// How far each array was, and since when, in milliseconds since boot.
pub(super) type Progress = HashMap<String, (String, u64)>;

/// Arrays that have not moved for hours. One that waits for another array says `delayed`, and is none.
pub(super) fn unmoved(host: &Host, progress: &mut Progress, now_ms: u64) -> HashMap<String, u64> {
    let arrays = host.list(BLOCKS).unwrap_or_default();
    let mut found = HashMap::new();
    let mut known = Progress::new();
    for array in arrays.into_iter().filter(|name| name.starts_with("md")).take(ARRAYS_MAX) {
        let read = |file: &str| host.read_text(&format!("{BLOCKS}/{array}/md/{file}")).unwrap_or_default();
        if !ENDS.contains(&read("sync_action").trim()) {
            continue;
        }
        let done = read("sync_completed").trim().to_owned();
        if !done.starts_with(|c: char| c.is_ascii_digit()) {
            continue;
        }
        let since_ms = progress.get(&array).filter(|(before, _)| *before == done).map_or(now_ms, |(_, since)| *since);
        let hours = now_ms.saturating_sub(since_ms) / HOUR_MS;
        if hours >= FIRST_HOURS {
            let doubled = (hours / FIRST_HOURS).ilog2();
            found.insert(array.clone(), FIRST_HOURS << doubled);
        }
        known.insert(array, (done, since_ms));
    }
    *progress = known;
    found
}

#[cfg(test)]
mod tests {
    use super::super::Outcome;
    use super::super::testing::Machine;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn a_synchronisation_that_does_not_move_for_hours_is_told_and_one_that_moves_or_waits_is_not() {
        let mut machine = Machine::new();
        let put = |machine: &Machine, action: &str, done: &str| {
            machine.file("sys/block/md0/md/sync_action", action);
            machine.file("sys/block/md0/md/sync_completed", done);
        };
        let hours = |machine: &mut Machine, at_ms: u64| {
            let found = machine.look("files", at_ms);
            let of_md = found.iter().find(|found| found.source == "md-sysfs").expect("an array");
            let Outcome::Read { payload, .. } = &of_md.outcome else { panic!("{of_md:?}") };
            let text = String::from_utf8_lossy(payload).into_owned();
            text.split_once("/sys/block/md0/md/sync_unchanged_hours:").map(|(_, hours)| hours.trim().to_owned())
        };
        put(&machine, "recover\n", "1000 / 9000\n");
        assert_eq!(hours(&mut machine, 0), None);
        assert_eq!(hours(&mut machine, 3 * HOUR - 1), None);
        assert_eq!(hours(&mut machine, 3 * HOUR), Some("3".into()));
        assert_eq!(hours(&mut machine, 5 * HOUR), Some("3".into()), "it is news when it has doubled");
        assert_eq!(hours(&mut machine, 6 * HOUR), Some("6".into()));
        put(&machine, "recover\n", "1001 / 9000\n");
        assert_eq!(hours(&mut machine, 7 * HOUR), None);
        put(&machine, "resync\n", "delayed\n");
        assert_eq!((hours(&mut machine, 8 * HOUR), hours(&mut machine, 20 * HOUR)), (None, None));
        put(&machine, "check\n", "1001 / 9000\n");
        assert_eq!((hours(&mut machine, 21 * HOUR), hours(&mut machine, 40 * HOUR)), (None, None));
    }
}
