use super::*;
use crate::probe::machine::Machine;

const STATS: &str = "extent_alloc 1 2 3 4\nabt 0 0 0 0\nblk_map 5 6 7 8 9 10 11\nbmbt 1 1 1 1\ndir 1 2 3 4\nig 1 2 3 4 5 6 7\n\
                     rw 18 19\nvnodes 1 2 3 4 5 6 7 8\nxpc 1 2 3\n";

#[test]
fn each_file_system_is_said_and_a_broken_one_is_noted() {
    let machine = Machine::new(&[
        ("sys/fs/xfs/sda1/stats/stats", STATS),
        ("sys/fs/xfs/sdb1/stats/stats", &STATS.replace("rw 18 19", "rw 18")),
        ("sys/fs/xfs/stats/stats", STATS),
        ("sys/fs/xfs/debug/bug_on_assert", "0"),
        ("sys/fs/xfs/gone/error/metadata", ""),
    ]);
    let said = machine.read(read);
    said.outcome.clone().unwrap();
    assert_eq!(said.value(r#"node_xfs_read_calls_total{device="sda1"}"#), 19.0);
    assert_eq!(said.value(r#"node_xfs_block_mapping_extent_list_compares_total{device="sda1"}"#), 11.0);
    assert_eq!(said.noted(), ["xfs/sys/fs/xfs/sdb1/stats/stats"]);
    assert!(!said.series.keys().any(|series| series.contains("gone") || series.contains("debug")));
}

#[test]
fn a_line_that_a_kernel_does_not_have_is_zero() {
    let machine = Machine::new(&[("sys/fs/xfs/sda1/stats/stats", "rw 1 2\n")]);
    let said = machine.read(read);
    assert_eq!(said.value(r#"node_xfs_vnode_active_total{device="sda1"}"#), 0.0);
    assert_eq!(said.value(r#"node_xfs_write_calls_total{device="sda1"}"#), 1.0);
}

#[test]
fn without_a_mounted_xfs_the_source_is_absent() {
    for files in [&[][..], &[("sys/fs/xfs/stats/stats", STATS)][..]] {
        assert!(matches!(Machine::new(files).read(read).outcome, Err(ProbeError::Absent(_))));
    }
}
