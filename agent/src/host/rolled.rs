//! Interfaces of which there are so many that they are said as one: which kinds those are, and what all of a kind carried.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard};

use super::{Host, lock};

/// Kinds that are counted: the kernel has some 40.
const KINDS_MAX: usize = 64;
/// An interface that is missing from this many pictures in a row is gone: one picture may miss it, when interfaces came
/// and went while it was made.
const MISSED_MAX: u32 = 3;

/// Kinds of which there are too many. A kind is one until only half as many as the limit are left, so that a machine at
/// the limit does not say now this and now that.
#[derive(Debug, Default)]
pub struct Crowded {
    counts: BTreeMap<Box<str>, (usize, bool)>,
}

impl Crowded {
    /// Begins to count anew.
    pub fn begin(&mut self) {
        self.counts.values_mut().for_each(|(count, _)| *count = 0);
    }

    /// There is one more of this kind.
    pub fn count(&mut self, kind: &str) {
        if let Some((count, _)) = self.counts.get_mut(kind) {
            *count += 1;
        } else if self.counts.len() < KINDS_MAX {
            self.counts.insert(kind.into(), (1, false));
        }
    }

    /// All have been counted.
    pub fn decide(&mut self, limit: usize) {
        for (count, crowded) in self.counts.values_mut() {
            *crowded = *count > if *crowded { limit / 2 } else { limit };
        }
        self.counts.retain(|_, (count, _)| *count > 0);
    }

    /// Whether there are too many of this kind.
    #[must_use]
    pub fn holds(&self, kind: &str) -> bool {
        self.counts.get(kind).is_some_and(|(_, crowded)| *crowded)
    }
}

/// What interfaces that are said as one carried together, since each was seen first. It never falls: what a member
/// carried stays when it goes, and a member that begins again at zero only adds. It begins at zero with the agent, as
/// counters do, and not with what the members carried before: whoever reads it sees a reset and no leap.
#[derive(Debug)]
pub struct Carried<const N: usize> {
    kinds: BTreeMap<Box<str>, Sum<N>>,
}

#[derive(Debug)]
struct Sum<const N: usize> {
    total: [u64; N],
    /// By what they are known by.
    members: HashMap<u64, Member<N>>,
    /// Whether members that are new were there before.
    begun: bool,
    told: bool,
}

#[derive(Debug)]
struct Member<const N: usize> {
    last: [u64; N],
    missed: u32,
}

impl<const N: usize> Default for Carried<N> {
    fn default() -> Self {
        Self { kinds: BTreeMap::new() }
    }
}

impl<const N: usize> Carried<N> {
    /// What one member says now; it is known by `id`.
    pub fn add(&mut self, kind: &str, id: u64, counters: [u64; N]) {
        if !self.kinds.contains_key(kind) {
            let sum = Sum { total: [0; N], members: HashMap::new(), begun: false, told: true };
            self.kinds.insert(kind.into(), sum);
        }
        let Some(sum) = self.kinds.get_mut(kind) else { return };
        sum.told = true;
        let known = sum.members.insert(id, Member { last: counters, missed: 0 });
        for (place, now) in counters.iter().enumerate() {
            let before = match &known {
                // It began again, or it is another one.
                Some(member) if member.last[place] > *now => 0,
                Some(member) => member.last[place],
                // What it carried before the agent looked is not counted; of a new one all of it is.
                None if sum.begun => 0,
                None => *now,
            };
            sum.total[place] = sum.total[place].wrapping_add(now - before);
        }
    }

    /// All members have been added: forgets those that are gone, and kinds that are not said as one any more.
    pub fn settle(&mut self) {
        self.kinds.retain(|_, sum| std::mem::take(&mut sum.told));
        for sum in self.kinds.values_mut() {
            sum.begun = true;
            sum.members.retain(|_, member| {
                member.missed += 1;
                member.missed <= MISSED_MAX
            });
        }
    }

    /// Each kind with what all of it carried.
    pub fn sums(&self) -> impl Iterator<Item = (&str, &[u64; N])> {
        self.kinds.iter().map(|(kind, sum)| (&**kind, &sum.total))
    }
}

/// Counters of an interface that are said.
pub const COUNTERS: usize = 17;

/// What the interfaces that are said as one carried; shared by all clones of a host, so that no sum begins again when
/// another thread takes over.
#[derive(Debug, Default)]
pub(super) struct Traffic(Mutex<Carried<COUNTERS>>);

impl Host {
    /// What interfaces that are said as one carried so far.
    pub fn carried(&self) -> MutexGuard<'_, Carried<COUNTERS>> {
        lock(&self.carried.0)
    }
}

/// How a kind of which there are too many is called where one of them would be named. No interface can be called so:
/// names have no spaces (`dev_valid_name`, net/core/dev.c).
#[must_use]
pub fn name_of_all(kind: &str) -> String {
    format!("{kind} (rolled up)")
}

/// Beginnings of names and the kind that whoever gives such names makes: systemd and Docker, Calico, Cilium, Azure and
/// AWS; libvirt, Proxmox and OpenVPN; Docker and libvirt; flannel.
const NAMES: [(&str, &str); 14] = [
    ("veth", "veth"),
    ("cali", "veth"),
    ("lxc", "veth"),
    ("azv", "veth"),
    ("eni", "veth"),
    ("vb-", "veth"),
    ("ve-", "veth"),
    ("tap", "tun"),
    ("tun", "tun"),
    ("vnet", "tun"),
    ("br-", "bridge"),
    ("virbr", "bridge"),
    ("vxlan", "vxlan"),
    ("flannel.", "vxlan"),
];

/// The kind of an interface by its name, where nothing else says it: something follows what kinds begin with.
#[must_use]
pub fn kind_of_name(name: &str) -> Option<&'static str> {
    let fits = |prefix: &str| name.len() > prefix.len() && name.starts_with(prefix);
    NAMES.iter().find(|(prefix, _)| fits(prefix)).map(|(_, kind)| *kind)
}

/// What a thing without a number is known by.
pub fn id_of(name: &str) -> u64 {
    let mut hasher = std::hash::DefaultHasher::new();
    name.hash(&mut hasher);
    std::hash::Hasher::finish(&hasher)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(carried: &Carried<1>) -> u64 {
        carried.sums().map(|(_, [total])| *total).sum()
    }

    /// One picture of all members.
    fn see(carried: &mut Carried<1>, members: &[(u64, u64)]) -> u64 {
        members.iter().for_each(|(id, value)| carried.add("veth", *id, [*value]));
        carried.settle();
        total(carried)
    }

    #[test]
    fn the_sum_begins_at_zero_grows_with_each_member_and_keeps_what_is_gone() {
        let mut carried = Carried::default();
        assert_eq!(see(&mut carried, &[(1, 1_000_000), (2, 500)]), 0, "what was before the agent is not counted");
        assert_eq!(see(&mut carried, &[(1, 1_000_010), (2, 505)]), 15);
        assert_eq!(see(&mut carried, &[(1, 1_000_020)]), 25, "a member went, and its share stays");
        assert_eq!(see(&mut carried, &[(1, 1_000_020), (3, 7)]), 32, "a new one counts whole");
        assert_eq!(see(&mut carried, &[(1, 4), (3, 7)]), 36, "one that began again adds what it counted since");
    }

    #[test]
    fn a_member_that_one_picture_missed_is_not_counted_twice_and_one_that_is_gone_is_forgotten() {
        let mut carried = Carried::default();
        see(&mut carried, &[(1, 0), (2, 1_000)]);
        assert_eq!(see(&mut carried, &[(1, 5)]), 5);
        assert_eq!(see(&mut carried, &[(1, 5), (2, 1_001)]), 6);
        for _ in 0..=MISSED_MAX {
            see(&mut carried, &[(1, 5)]);
        }
        assert_eq!(carried.kinds["veth"].members.len(), 1);
        carried.settle();
        assert_eq!(carried.sums().count(), 0, "a kind that is not said any more");
    }

    #[test]
    fn a_kind_is_crowded_above_the_limit_and_until_half_of_it_is_left() {
        let mut crowded = Crowded::default();
        let mut see = |count: usize| {
            crowded.begin();
            (0..count).for_each(|_| crowded.count("veth"));
            crowded.count("bridge");
            crowded.decide(10);
            assert!(!crowded.holds("bridge") && !crowded.holds("tun"));
            crowded.holds("veth")
        };
        let told: Vec<bool> = [10, 11, 10, 6, 5, 10, 11].map(&mut see).into();
        assert_eq!(told, [false, true, true, true, false, false, true]);
    }

    #[test]
    fn kinds_are_known_by_their_names_only_where_something_follows() {
        for (name, kind) in [("veth12ab", Some("veth")), ("tap3i0", Some("tun")), ("br-5f", Some("bridge"))] {
            assert_eq!(kind_of_name(name), kind);
        }
        for name in ["veth", "eth0", "enp3s0", "bond0", "br0", "lo", "eni"] {
            assert_eq!(kind_of_name(name), None, "{name}");
        }
    }
}
