//! What happens to hosts, networks and the collector at one seed, settled before anything runs: two runs of one script
//! see the same world, whatever the collector makes of it.

use muster_tests::measure::random::Random;

/// One step of the world.
pub(crate) const STEP_MS: i64 = 100;
pub(crate) const START_MS: i64 = 1_790_000_000_000;
/// Trouble begins in this time ...
pub(crate) const BUSY_MS: i64 = 300_000;
/// ... and then everything heals and is given this time to be told.
pub(crate) const QUIET_MS: i64 = 150_000;
/// All have connected by then.
const CALM_MS: i64 = 15_000;
pub(crate) const HOSTS: usize = 9;
/// The first so many hosts stand at one site, the others at another.
pub(crate) const AT_FIRST: usize = 5;

/// What happens to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    /// Its power is gone; it boots anew.
    Crash,
    /// Its agent is killed and started again; the machine stays.
    Kill,
    /// It says that it reboots.
    Reboot,
    /// It says that it shuts down; it is switched on again later.
    Shutdown,
    /// It says that it goes to sleep, and wakes up in the same boot.
    Sleep,
}

impl What {
    const ALL: [Self; 7] =
        [Self::Crash, Self::Kill, Self::Reboot, Self::Shutdown, Self::Sleep, Self::Crash, Self::Crash];

    /// Whether the machine itself is off.
    pub(crate) const fn is_off(self) -> bool {
        !matches!(self, Self::Kill)
    }

    /// Whether it comes back in another boot.
    pub(crate) const fn boots(self) -> bool {
        matches!(self, Self::Crash | Self::Reboot | Self::Shutdown)
    }
}

/// One trouble, from its first instant to the first after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Trouble {
    pub(crate) what: What,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

/// What happens.
#[derive(Debug)]
pub(crate) struct Script {
    /// By host.
    pub(crate) troubles: Vec<Vec<Trouble>>,
    /// Which site (nothing: both), from when, until when.
    pub(crate) cuts: Vec<(Option<usize>, i64, i64)>,
    /// The collector is suspended.
    pub(crate) stalls: Vec<(i64, i64)>,
    /// Maintenance of a host is entered, for how long.
    pub(crate) windows: Vec<(usize, i64, i64)>,
    /// The collector may be killed here, after so many events of this instant.
    pub(crate) kills: Vec<(i64, u64)>,
}

impl Script {
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let troubles = (0..HOSTS).map(|_| troubles(&mut random)).collect();
        let cuts = (0..random.below(3)).map(|_| {
            let site = [Some(0), Some(1), None][random.index(3)];
            let (from, until) = stretch(&mut random, 60_000);
            (site, from, until)
        });
        let cuts = cuts.collect();
        let stalls = (0..random.below(2)).map(|_| stretch(&mut random, 20_000)).collect();
        let windows = (0..random.below(3)).map(|_| {
            let (from, until) = stretch(&mut random, 90_000);
            (random.index(HOSTS), from, until)
        });
        let windows = windows.collect();
        let mut kills: Vec<(i64, u64)> =
            (0..1 + random.below(6)).map(|_| (instant(&mut random, BUSY_MS + QUIET_MS / 2), random.below(5))).collect();
        kills.sort_unstable();
        Self { troubles, cuts, stalls, windows, kills }
    }

    /// What concerns a host, for whoever has to understand a failure: seconds after the start.
    pub(crate) fn words(&self, host: usize) -> String {
        let after = |at: i64| (at - START_MS) as f64 / 1e3;
        let span = |from: i64, until: i64| format!("{} to {}", after(from), after(until));
        let troubles = self.troubles[host].iter().map(|one| format!("{:?} {}", one.what, span(one.from, one.until)));
        let cuts = self.cuts.iter().map(|(site, from, until)| format!("cut {site:?} {}", span(*from, *until)));
        let stalls = self.stalls.iter().map(|(from, until)| format!("stall {}", span(*from, *until)));
        let kills = self.kills.iter().map(|(at, after_events)| format!("kill {} +{after_events}", after(*at)));
        troubles.chain(cuts).chain(stalls).chain(kills).collect::<Vec<_>>().join("\n")
    }

    /// Whether this host's site is cut off.
    pub(crate) fn is_cut(&self, host: usize, now: i64) -> bool {
        let here = usize::from(host >= AT_FIRST);
        self.cuts
            .iter()
            .any(|(site, from, until)| site.is_none_or(|site| site == here) && (*from..*until).contains(&now))
    }

    /// Whether a host's machine runs, and its agent will say so. Without its agent it is looked at once a minute: if it then
    /// crashes, nobody knows when it did.
    pub(crate) fn stays_on(&self, host: usize, now: i64) -> bool {
        let there = self.troubles[host].iter().find(|trouble| (trouble.from..trouble.until).contains(&now));
        there.is_none_or(|there| there.what == What::Kill && self.trouble(host, there.until).is_none())
    }

    /// What keeps a host from running.
    pub(crate) fn trouble(&self, host: usize, now: i64) -> Option<What> {
        let mut troubles = self.troubles[host].iter();
        troubles.find(|trouble| (trouble.from..trouble.until).contains(&now)).map(|trouble| trouble.what)
    }
}

fn troubles(random: &mut Random) -> Vec<Trouble> {
    let mut troubles = Vec::new();
    let mut at = START_MS + CALM_MS + steps(random, 120_000);
    while at < START_MS + BUSY_MS {
        let longest = [4_000, 12_000, 60_000][random.index(3)];
        let until = at + 1_000 + steps(random, longest);
        let what = What::ALL[random.index(What::ALL.len())];
        troubles.push(Trouble { what, from: at, until });
        at = until + 2_000 + steps(random, 120_000);
        if what == What::Kill && random.below(2) == 0 {
            // Nobody started its agent again before its power was gone, too.
            let crashed = until + 1_000 + steps(random, longest);
            troubles.push(Trouble { what: What::Crash, from: until, until: crashed });
            at += crashed - until;
        }
    }
    troubles
}

fn stretch(random: &mut Random, longest_ms: u64) -> (i64, i64) {
    let from = instant(random, BUSY_MS);
    (from, from + 2_500 + steps(random, longest_ms))
}

fn instant(random: &mut Random, within_ms: i64) -> i64 {
    START_MS + CALM_MS + steps(random, within_ms.unsigned_abs() - CALM_MS.unsigned_abs())
}

fn steps(random: &mut Random, below_ms: u64) -> i64 {
    i64::try_from(random.below(below_ms / STEP_MS.unsigned_abs())).unwrap() * STEP_MS
}
