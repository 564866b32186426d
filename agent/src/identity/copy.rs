//! Is this the machine that enrolled, or a copy of it? PURE.
//!
//! Of machine id, product uuid, instance id, root file system and network cards, one may change (a new disk, a new
//! card, a regenerated machine id). Two at once mean that the disk was copied to another machine.

use std::collections::BTreeSet;

use muster_proto::v1;

/// How many parts must differ before the machine counts as a copy.
const PARTS_OF_A_COPY: usize = 2;

/// The parts that differ.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this machine is a copy of the one that enrolled: its {} changed; enrol it as a machine of its own with a new token: muster-agent enrol --collector HOST:PORT --token-file FILE", parts.join(" and its "))]
pub struct Copied {
    /// Their names.
    pub parts: Vec<&'static str>,
}

/// Compares the machine as it enrolled with the machine as it is. A part that either side does not know says nothing.
///
/// # Errors
/// [`Copied`] when at least two parts differ.
pub fn copied(then: &v1::Fingerprint, now: &v1::Fingerprint) -> Result<(), Copied> {
    let differs = |a: &[u8], b: &[u8]| !a.is_empty() && !b.is_empty() && a != b;
    let macs = |print: &v1::Fingerprint| print.macs.iter().cloned().collect::<BTreeSet<_>>();
    let (macs_then, macs_now) = (macs(then), macs(now));
    let parts: Vec<&'static str> = [
        ("machine id", differs(&then.machine_id, &now.machine_id)),
        ("product uuid", differs(&then.product_uuid, &now.product_uuid)),
        ("instance id", differs(&then.instance_id, &now.instance_id)),
        ("root file system", differs(&then.root_fs_uuid, &now.root_fs_uuid)),
        ("network cards", !macs_then.is_empty() && !macs_now.is_empty() && macs_then.is_disjoint(&macs_now)),
    ]
    .into_iter()
    .filter_map(|(name, changed)| changed.then_some(name))
    .collect();
    if parts.len() < PARTS_OF_A_COPY { Ok(()) } else { Err(Copied { parts }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine() -> v1::Fingerprint {
        v1::Fingerprint {
            machine_id: vec![1; 16],
            product_uuid: vec![2; 16],
            serial: vec![3; 16],
            macs: vec![vec![4; 16], vec![5; 16]],
            root_fs_uuid: vec![6; 16],
            instance_id: vec![],
        }
    }

    #[test]
    fn one_changed_part_is_a_repair_and_two_are_a_copy() {
        let mut now = machine();
        assert_eq!(copied(&machine(), &now), Ok(()));
        now.root_fs_uuid = vec![9; 16];
        assert_eq!(copied(&machine(), &now), Ok(()));
        now.product_uuid = vec![9; 16];
        let copy = copied(&machine(), &now).unwrap_err();
        assert_eq!(copy.parts, ["product uuid", "root file system"]);
        assert!(copy.to_string().contains("muster-agent enrol"));
    }

    #[test]
    fn unreadable_part_says_nothing() {
        let now = v1::Fingerprint { macs: vec![vec![9; 16]], ..Default::default() };
        assert_eq!(copied(&machine(), &now), Ok(()));
    }

    #[test]
    fn added_network_card_changes_nothing() {
        let mut now = machine();
        now.machine_id = vec![9; 16];
        now.macs = vec![vec![8; 16], vec![5; 16]];
        assert_eq!(copied(&machine(), &now), Ok(()));
    }
}
