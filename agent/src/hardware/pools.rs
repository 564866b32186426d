//! ZFS pools, as `zpool status` shows them: the pool of a faulted device may call itself online, so devices are needed.

use super::tool::{Question, ask};
use super::{Found, Look};

/// It answers out of memory, unless a pool is suspended: then it may never.
const DEADLINE_MS: u64 = if cfg!(test) { 1_000 } else { 15_000 };
const KSTATS: &str = "/proc/spl/kstat/zfs";

pub(super) fn look(look: &mut Look<'_>) -> Vec<Found> {
    let names = look.host.list(KSTATS).unwrap_or_default();
    if !names.iter().any(|name| look.host.exists(&format!("{KSTATS}/{name}/state"))) {
        return Vec::new();
    }
    // `-p`: counts as numbers, not as 1.2K.
    let question =
        Question { source: "zpool", part: "", tool: "zpool", arguments: &["status", "-p"], deadline_ms: DEADLINE_MS };
    vec![ask(look, &question)]
}

#[cfg(test)]
mod tests {
    use super::super::testing::Machine;
    use super::super::{Outcome, Why};
    use super::*;

    #[test]
    fn a_machine_with_a_pool_asks_zpool_and_one_that_hangs_is_left_alone_for_six_hours() {
        let mut machine = Machine::new();
        machine.tool("zpool", "echo '  pool: tank'");
        assert_eq!(machine.look("pools", 0), [], "no pool");
        assert_eq!(machine.asked(), [] as [String; 0]);
        machine.file("proc/spl/kstat/zfs/tank/state", "ONLINE\n");
        let found = machine.look("pools", 0);
        assert!(
            matches!(&found[..], [Found { outcome: Outcome::Read { payload, .. }, .. }] if payload == b"  pool: tank\n")
        );
        assert_eq!(machine.asked(), ["zpool status -p"]);
        machine.tool("zpool", "exec sleep 600");
        let hangs = |found: &[Found]| matches!(found[0].outcome, Outcome::Unseen { why: Why::Hung, .. });
        assert!(hangs(&machine.look("pools", 1)));
        machine.tool("zpool", "echo '  pool: tank'");
        machine.asked();
        assert!(hangs(&machine.look("pools", 6 * 3_600_000)) && machine.asked().is_empty());
        assert!(!hangs(&machine.look("pools", 6 * 3_600_000 + 1)));
    }
}
