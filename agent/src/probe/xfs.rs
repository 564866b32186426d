//! Counters of each XFS file system, from `/sys/fs/xfs/*/stats/stats` (fs/xfs/xfs_stats.c).

use super::folder::{Folder, counter};
use super::{ProbeError, Sink, strange};
use crate::host::Host;

const DIRECTORY: &str = "/sys/fs/xfs";

/// The line that begins with the first word holds these counters: end of the name and help.
type Line = (&'static str, &'static [(&'static str, &'static str)]);

const LINES: [Line; 8] = [
    (
        "extent_alloc",
        &[
            ("extent_allocation_extents_allocated_total", "Number of extents allocated for a filesystem."),
            ("extent_allocation_blocks_allocated_total", "Number of blocks allocated for a filesystem."),
            ("extent_allocation_extents_freed_total", "Number of extents freed for a filesystem."),
            ("extent_allocation_blocks_freed_total", "Number of blocks freed for a filesystem."),
        ],
    ),
    (
        "abt",
        &[
            ("allocation_btree_lookups_total", "Number of allocation B-tree lookups for a filesystem."),
            ("allocation_btree_compares_total", "Number of allocation B-tree compares for a filesystem."),
            (
                "allocation_btree_records_inserted_total",
                "Number of allocation B-tree records inserted for a filesystem.",
            ),
            ("allocation_btree_records_deleted_total", "Number of allocation B-tree records deleted for a filesystem."),
        ],
    ),
    (
        "blk_map",
        &[
            ("block_mapping_reads_total", "Number of block map for read operations for a filesystem."),
            ("block_mapping_writes_total", "Number of block map for write operations for a filesystem."),
            ("block_mapping_unmaps_total", "Number of block unmaps (deletes) for a filesystem."),
            ("block_mapping_extent_list_insertions_total", "Number of extent list insertions for a filesystem."),
            ("block_mapping_extent_list_deletions_total", "Number of extent list deletions for a filesystem."),
            ("block_mapping_extent_list_lookups_total", "Number of extent list lookups for a filesystem."),
            ("block_mapping_extent_list_compares_total", "Number of extent list compares for a filesystem."),
        ],
    ),
    (
        "bmbt",
        &[
            ("block_map_btree_lookups_total", "Number of block map B-tree lookups for a filesystem."),
            ("block_map_btree_compares_total", "Number of block map B-tree compares for a filesystem."),
            ("block_map_btree_records_inserted_total", "Number of block map B-tree records inserted for a filesystem."),
            ("block_map_btree_records_deleted_total", "Number of block map B-tree records deleted for a filesystem."),
        ],
    ),
    (
        "dir",
        &[
            (
                "directory_operation_lookup_total",
                "Number of file name directory lookups which miss the operating systems directory name lookup cache.",
            ),
            ("directory_operation_create_total", "Number of times a new directory entry was created for a filesystem."),
            (
                "directory_operation_remove_total",
                "Number of times an existing directory entry was created for a filesystem.",
            ),
            (
                "directory_operation_getdents_total",
                "Number of times the directory getdents operation was performed for a filesystem.",
            ),
        ],
    ),
    (
        "ig",
        &[
            ("inode_operation_attempts_total", "Number of times the OS looked for an XFS inode in the inode cache."),
            (
                "inode_operation_found_total",
                "Number of times the OS looked for and found an XFS inode in the inode cache.",
            ),
            (
                "inode_operation_recycled_total",
                "Number of times the OS found an XFS inode in the cache, but could not use it as it was being recycled.",
            ),
            (
                "inode_operation_missed_total",
                "Number of times the OS looked for an XFS inode in the cache, but did not find it.",
            ),
            (
                "inode_operation_duplicates_total",
                "Number of times the OS tried to add a missing XFS inode to the inode cache, but found it had already \
                 been added by another process.",
            ),
            (
                "inode_operation_reclaims_total",
                "Number of times the OS reclaimed an XFS inode from the inode cache to free memory for another purpose.",
            ),
            (
                "inode_operation_attribute_changes_total",
                "Number of times the OS explicitly changed the attributes of an XFS inode.",
            ),
        ],
    ),
    (
        "rw",
        &[
            ("write_calls_total", "Number of write(2) system calls made to files in a filesystem."),
            ("read_calls_total", "Number of read(2) system calls made to files in a filesystem."),
        ],
    ),
    (
        "vnodes",
        &[
            ("vnode_active_total", "Number of vnodes not on free lists for a filesystem."),
            ("vnode_allocate_total", "Number of times vn_alloc called for a filesystem."),
            ("vnode_get_total", "Number of times vn_get called for a filesystem."),
            ("vnode_hold_total", "Number of times vn_hold called for a filesystem."),
            ("vnode_release_total", "Number of times vn_rele called for a filesystem."),
            ("vnode_reclaim_total", "Number of times vn_reclaim called for a filesystem."),
            ("vnode_remove_total", "Number of times vn_remove called for a filesystem."),
        ],
    ),
];

pub(super) fn read(host: &Host, sink: &mut Sink<'_>) -> Result<(), ProbeError> {
    let systems = host.list(DIRECTORY)?;
    let mut folder = Folder::new(host, "xfs", DIRECTORY);
    let mut found = false;
    // What is there for all of them together has no statistics one level further down.
    for device in &systems {
        folder.go(&format!("{DIRECTORY}/{device}"));
        let path = folder.path("stats/stats");
        match sink.read(host, path, |sink, text| say(sink, path, device, text)) {
            // Unmounted just now.
            Err(ProbeError::Absent(_)) => continue,
            Err(error) => sink.note(format!("xfs{path}"), error),
            Ok(()) => {}
        }
        found = true;
    }
    if found { Ok(()) } else { Err(ProbeError::Absent("no XFS is mounted".to_owned())) }
}

fn say(sink: &mut Sink<'_>, path: &str, device: &str, text: &str) -> Result<(), ProbeError> {
    for (key, counters) in LINES {
        let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let mut fields = line.map(str::split_ascii_whitespace);
        for (name, help) in counters {
            // What a kernel does not count is 0 in `node_exporter`.
            let value = match &mut fields {
                Some(fields) => fields.next().and_then(|field| field.parse::<u64>().ok()),
                None => Some(0),
            };
            let value = value.ok_or_else(|| strange(path, &format!("{key} has too few numbers")))?;
            #[expect(clippy::cast_precision_loss, reason = "counters are shown as doubles, as Prometheus does")]
            counter(sink, &format!("node_xfs_{name}"), help, &[("device", device)], value as f64);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
