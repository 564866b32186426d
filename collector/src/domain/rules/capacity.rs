//! Tables of the kernel that are nearly full: open files and tracked connections.

use super::{
    Unit,
    catalogue::{Limit, Rule},
    judging::{Bad, Judging, level},
    single::Single,
    words::percent,
};

/// `file_descriptors`
pub(super) static DESCRIPTORS: Rule = Rule {
    name: "file_descriptors",
    says: "Nearly as many files are open on the machine as the kernel allows.",
    part: None,
    limits: &[
        Limit::new("warning", "share in use above which it warns", Unit::Share, (0.0, 1.0), 0.80),
        Limit::new("critical", "share above which it is critical", Unit::Share, (0.0, 1.0), 0.95),
        Limit::new("hysteresis", "less than the limit that ends it", Unit::Share, (0.0, 0.5), 0.05),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 60.0),
    ],
    source: "node-mixin: 70 and 90 % for 15 min; systemd has raised fs.file-max out of reach since 240, so who comes near it \
             has set it: 80 and 95 %, sooner",
    remedy: "lsof | awk '{print $2}' | sort | uniq -c | sort -n | tail; sysctl fs.file-max",
    evidence: None,
};

/// `conntrack`
pub(super) static CONNTRACK: Rule = Rule {
    name: "conntrack",
    says: "The table of tracked connections is nearly full; new connections are dropped when it is.",
    part: None,
    limits: &[
        Limit::new("warning", "share in use above which it warns", Unit::Share, (0.0, 1.0), 0.80),
        Limit::new("critical", "share above which it is critical", Unit::Share, (0.0, 1.0), 0.90),
        Limit::new("hysteresis", "less than the limit that ends it", Unit::Share, (0.0, 0.5), 0.05),
        Limit::new("for", "how long it must hold", Unit::Time, (0.0, 86_400.0), 60.0),
    ],
    source: "node-mixin: 75 %; the kernel drops at 100 % (networking/nf_conntrack-sysctl.rst)",
    remedy: "conntrack -S; sysctl net.netfilter.nf_conntrack_max; shorter time-outs",
    evidence: None,
};

const WARNING: usize = 0;
const CRITICAL: usize = 1;
const HYSTERESIS: usize = 2;
const FOR: usize = 3;

/// Judges both.
pub(super) fn judge(judging: &mut Judging<'_>) {
    used(judging, &DESCRIPTORS, "file descriptors", Single::Descriptors, Single::DescriptorsMost);
    used(judging, &CONNTRACK, "connections", Single::Connections, Single::ConnectionsMost);
}

fn used(judging: &mut Judging<'_>, rule: &'static Rule, part: &str, used: Single, most: Single) {
    let (used, most) = (judging.inputs.single(used), judging.inputs.single(most));
    let share = used / most;
    if !(share >= 0.0 && share.is_finite()) {
        return;
    }
    let applies = judging.applies(rule);
    let limits = &applies.limits;
    let previous = judging.crossed(rule, part);
    let level = level(Bad::Above, share, (limits[WARNING], limits[CRITICAL]), limits[HYSTERESIS], previous);
    let evidence = || format!("{part}: {used} of {most} in use ({} %)", percent(share));
    judging.settle(rule, part, level, (&applies, limits[FOR]), evidence);
}
