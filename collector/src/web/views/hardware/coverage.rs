//! What cannot be seen of the fleet's hardware, and why: absent data is neither good nor bad, and nobody should take it for
//! either.

use std::collections::BTreeMap;

use askama::Template;
use axum::{Extension, extract::State as Given};

use super::super::{Frame, Shown, show};
use crate::{
    domain::{labels::Admission, snapshot::HostView},
    web::{Shared, Web, access::Caller, words},
};

/// Hosts named behind a reason; the API and the metrics have all.
const HOSTS: usize = 40;

struct Reason {
    why: &'static str,
    says: &'static str,
    parts: String,
    hosts: String,
    /// Name, address, and how many parts; those with the most first.
    behind: Vec<(String, String, u32)>,
    left_out: usize,
}

#[derive(Template)]
#[template(path = "hardware_coverage.html")]
struct CoveragePage {
    frame: Frame,
    read: String,
    of: String,
    hosts: String,
    /// By what asks: source, parts that were read, parts that were not.
    sources: Vec<(&'static str, String, String)>,
    reasons: Vec<Reason>,
    /// Hosts of whose hardware nothing was ever told.
    silent: Vec<(String, String)>,
    silent_left_out: usize,
}

/// A host and how many of its parts.
type Behind = Vec<(String, String, u32)>;

/// The view.
pub(in crate::web) async fn view(Given(web): Given<Shared>, Extension(caller): Extension<Caller>) -> Shown {
    show(&page(&web, &caller))
}

fn page(web: &Web, caller: &Caller) -> CoveragePage {
    let snapshot = web.snapshot();
    let mut sources: BTreeMap<&'static str, (u32, u32)> = BTreeMap::new();
    let mut reasons: BTreeMap<&'static str, Behind> = BTreeMap::new();
    let (mut silent, mut hosts) = (Vec::new(), 0_usize);
    let is_watched =
        |host: &&std::sync::Arc<HostView>| host.profile.admission == Admission::Active && host.device.is_none();
    for host in snapshot.hosts.values().filter(is_watched) {
        let (name, url) = (host.profile.name.clone(), format!("/hosts/{}#hardware", host.profile.id));
        let Some(summary) = web.context.board.of(host.profile.no) else {
            silent.push((name, url));
            continue;
        };
        hosts += 1;
        let mut behind: BTreeMap<&'static str, u32> = BTreeMap::new();
        for ((source, outcome, why), count) in &summary.asked {
            let counts = sources.entry(source).or_default();
            if *outcome == "read" {
                counts.0 += count;
            } else {
                counts.1 += count;
                *behind.entry(why).or_default() += count;
            }
        }
        for (why, count) in behind {
            reasons.entry(why).or_default().push((name.clone(), url.clone(), count));
        }
    }
    let read: u32 = sources.values().map(|(read, _)| read).sum();
    let unread: u32 = sources.values().map(|(_, unread)| unread).sum();
    let silent_left_out = silent.len().saturating_sub(HOSTS);
    silent.truncate(HOSTS);
    let mut reasons: Vec<Reason> = reasons.into_iter().map(|(why, behind)| reason(why, behind)).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.behind.iter().map(|(_, _, count)| *count).sum::<u32>()));
    CoveragePage {
        frame: Frame::new(web, caller, "hardware", "What cannot be seen"),
        read: count(read),
        of: count(read + unread),
        hosts: words::counted(hosts, "host", "hosts"),
        sources: sources.into_iter().map(|(source, (read, unread))| (source, count(read), count(unread))).collect(),
        reasons,
        silent,
        silent_left_out,
    }
}

fn count(n: u32) -> String {
    words::count(usize::try_from(n).unwrap_or(usize::MAX))
}

fn reason(why: &'static str, mut behind: Behind) -> Reason {
    behind.sort_by(|one, other| other.2.cmp(&one.2).then_with(|| one.0.cmp(&other.0)));
    let parts = count(behind.iter().map(|(_, _, count)| *count).sum());
    let hosts = words::counted(behind.len(), "host", "hosts");
    let left_out = behind.len().saturating_sub(HOSTS);
    behind.truncate(HOSTS);
    Reason { why: if why.is_empty() { "unsaid" } else { why }, says: says(why), parts, hosts, behind, left_out }
}

/// What a reason means, and the remedy where there is one.
pub(in crate::web) fn says(why: &str) -> &'static str {
    match why {
        "asleep" => {
            "the drive sleeps and is not woken for this: what it said last holds, and it is asked when it is awake"
        }
        "behind_raid" => {
            "a RAID controller hides its drives: install its tool (storcli, ssacli, arcconf, ...), which the agent asks then"
        }
        "usb_bridge" => "its USB bridge passes nothing on that smartctl knows: connect the drive without it",
        "virtual" => "it is no hardware of this machine: look at the machine that it lies on",
        "not_present" => "there is no such part, or nothing that reports of it: nothing is to be done",
        "no_ecc_reporting" => {
            "nothing reports errors of the memory: it has no ECC, its driver (EDAC) is not loaded, or this is a virtual machine"
        }
        "gone" => "it was there before and is no more: if nobody took it out, look whether it still sits",
        "no_permission" => "the agent may not look: muster-agent doctor names what it lacks",
        "not_installed" => {
            "the tool is not installed: apt-get install smartmontools, or the maker's tool of the controller"
        }
        "failed" => "asking failed: the reason stands on the host's page",
        "hung" => "asking does not end, and is not tried again for a day: a drive that hangs is suspicious by itself",
        _ => "the agent gives no reason that is known here",
    }
}
