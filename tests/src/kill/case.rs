//! What happens at one seed: where the collector is killed, and how the receiver behaves.

use muster_tests::measure::random::Random;

/// How far the page had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Step {
    /// The engine has decided, nothing is recorded.
    Opened,
    /// It is durable, nothing was sent.
    Recorded,
    /// The receiver has read it, the collector has not read the answer.
    Sent,
    /// The collector has read the answer, or learned that there is none.
    Answered,
    /// How the try went is durable.
    Marked,
}

impl Step {
    pub(crate) const ALL: [Self; 5] = [Self::Opened, Self::Recorded, Self::Sent, Self::Answered, Self::Marked];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Recorded => "recorded",
            Self::Sent => "sent",
            Self::Answered => "response read",
            Self::Marked => "marked",
        }
    }
}

/// How the receiver behaves at first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sink {
    /// Takes the page: 204.
    Takes,
    /// 503.
    Fails,
    /// Reads the request and never answers.
    Hangs,
    /// Reads the request and breaks the connection off (RST).
    Resets,
}

impl Sink {
    pub(crate) const ALL: [Self; 4] = [Self::Takes, Self::Fails, Self::Hangs, Self::Resets];

    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Takes => "ok",
            Self::Fails => "5xx",
            Self::Hangs => "timeout",
            Self::Resets => "reset",
        }
    }
}

/// One seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) step: Step,
    pub(crate) sink: Sink,
    /// Whether the page that is struck tells of the end; else of the beginning.
    pub(crate) of_end: bool,
    /// Tries that go wrong before the receiver takes the page.
    pub(crate) bad: usize,
    /// At which try of this page the collector is killed, where it is killed at a try.
    pub(crate) at: usize,
    /// `sent` only: the answer lies in the collector's socket, unread.
    pub(crate) unread: bool,
    /// Microseconds more before the kill, where nothing is watched for.
    pub(crate) later_us: u64,
}

impl Case {
    pub(crate) fn of(seed: u64) -> Self {
        let cell = (seed % 20) as usize;
        let (step, sink) = (Step::ALL[cell / Sink::ALL.len()], Sink::ALL[cell % Sink::ALL.len()]);
        let mut random = Random::of(seed);
        let bad = match sink {
            Sink::Takes => 0,
            // Each costs 15 s.
            Sink::Hangs => 1 + usize::from(random.below(4) == 0),
            Sink::Fails | Sink::Resets => 1 + random.below(2) as usize,
        };
        Self {
            seed,
            step,
            sink,
            of_end: random.below(2) == 1,
            bad,
            at: 1 + random.below(bad as u64 + 1) as usize,
            unread: random.below(2) == 1,
            later_us: random.below(3_000),
        }
    }

    /// The alert's name, by which all that is about this seed is known.
    pub(crate) fn name(&self) -> String {
        format!("Kill{}", self.seed)
    }

    /// What the page that is struck says.
    pub(crate) const fn kind(&self) -> &'static str {
        if self.of_end { "incident.resolved" } else { "incident.opened" }
    }

    /// How the receiver behaves at the `n`th try of the page that is struck, counted from 1.
    pub(crate) const fn behaves(&self, n: usize) -> Sink {
        if n <= self.bad { self.sink } else { Sink::Takes }
    }

    /// Whether the collector is killed at this try.
    pub(crate) fn strikes(&self, n: usize) -> bool {
        n == self.at && self.step >= Step::Sent
    }
}
