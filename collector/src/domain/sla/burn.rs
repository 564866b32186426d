//! Burn rates: how many times faster than allowed an error budget is being spent, and by which rules that is told.
//!
//! A rate is the bad part of a window divided by what may be missing: at 1 the budget lasts for its period and no longer. Bad
//! is what the agreement counts as an outage, so hours and planned work are respected, and what could not be proven counts by
//! its policy. It is a part of the whole window, not of the agreed time in it: a rate then always stands for the same part of
//! the budget, also in the first minutes of service hours or after planned work, where of little agreed time a short outage
//! would look like a total one.
//!
//! Each subject has to keep the agreement, so each is measured by a budget of its own and the worst one counts: of a hundred
//! hosts together, ninety-nine would hide that one has spent all that it had.
//!
//! The rules are those of the SRE Workbook with the one of a day beside them: a rule says which part of the budget, spent
//! within a window, is too much, and that much has to be spent in a twelfth of it just now too, so that it ends soon after
//! the trouble does. How fast that is depends on how long the budget has to last: the factors follow from the period.

use super::{
    agreement::{Agreement, Policy},
    budget::Budget,
    lattice::{Stretch, lay},
    report::Known,
    target::Target,
};
use crate::domain::{calendar::Span, ids::HostNo, severity::Severity, time::Timestamp};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;

/// The last stretch of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// As metrics and people write it: `5m`.
    pub word: &'static str,
    /// In milliseconds.
    pub ms: i64,
}

impl Window {
    const fn new(word: &'static str, ms: i64) -> Self {
        Self { word, ms }
    }
}

/// All windows that a rule looks at, the shortest first.
pub const WINDOWS: [Window; 7] = [
    Window::new("5m", 5 * MINUTE_MS),
    Window::new("30m", 30 * MINUTE_MS),
    Window::new("1h", HOUR_MS),
    Window::new("2h", 2 * HOUR_MS),
    Window::new("6h", 6 * HOUR_MS),
    Window::new("1d", DAY_MS),
    Window::new("3d", LONGEST_MS),
];
/// The longest of them.
pub const LONGEST_MS: i64 = 3 * DAY_MS;

/// How much of a budget is too much for a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Critical wakes somebody; a warning is a ticket.
    pub severity: Severity,
    /// Of the budget, in percent.
    pub percent: i64,
    /// Within this window.
    pub long: Window,
    /// And as fast within this one, so that it goes on now.
    pub short: Window,
}

/// The rules, the most urgent first; each alone is enough.
pub const RULES: [Rule; 4] = [
    Rule { severity: Severity::Critical, percent: 2, long: WINDOWS[2], short: WINDOWS[0] },
    Rule { severity: Severity::Critical, percent: 5, long: WINDOWS[4], short: WINDOWS[1] },
    Rule { severity: Severity::Warning, percent: 10, long: WINDOWS[5], short: WINDOWS[3] },
    Rule { severity: Severity::Warning, percent: 10, long: WINDOWS[6], short: WINDOWS[4] },
];

impl Rule {
    /// `2 % in 1h`
    #[must_use]
    pub fn words(&self) -> String {
        format!("{} % in {}", self.percent, self.long.word)
    }
}

/// Which rules open incidents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BurnAlerts {
    /// None.
    Off,
    /// The slow ones, as warnings: nobody is woken.
    Tickets,
    /// All of them.
    Pages,
}

impl BurnAlerts {
    /// The words there are.
    pub const EXPECTED: &str = "one of off, tickets, pages";

    /// From its word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Tickets, Self::Pages].into_iter().find(|alerts| alerts.word() == word)
    }

    /// As files write it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Tickets => "tickets",
            Self::Pages => "pages",
        }
    }

    /// Whether a rule opens incidents.
    #[must_use]
    pub fn asks(self, rule: &Rule) -> bool {
        match self {
            Self::Off => false,
            Self::Tickets => rule.severity == Severity::Warning,
            Self::Pages => true,
        }
    }
}

/// What rates of an agreement are measured by: how much is promised, of how much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    target: Target,
    period_ms: i64,
    open_ms: i64,
}

impl Pace {
    /// Of an agreement over a period of its. Its budget is that of the hours of service in it, as long as they really are;
    /// not of what of them a subject saw, so that the first minutes of a new one are no whole budget.
    #[must_use]
    pub fn of(agreement: &Agreement, period: Span) -> Self {
        let length = |span: Span| span.until.since_ms(span.from);
        let closed_ms: i64 = agreement.closed(period).iter().map(|stretch| length(stretch.span)).sum();
        Self { target: agreement.target, period_ms: length(period), open_ms: length(period) - closed_ms }
    }

    /// What one subject may miss in the period, in milliseconds.
    #[must_use]
    pub fn budget_ms(&self) -> i64 {
        self.target.allowance_ms(self.open_ms)
    }

    /// The rules that can be asked: of no budget nothing is a part, and what looks back further than the period would look
    /// at other budgets. A day is one although clocks were put forward in it.
    pub fn rules(&self) -> impl Iterator<Item = Rule> + use<> {
        let (is_budget, longest_ms) = (self.open_ms > 0 && !self.target.is_whole(), self.period_ms + HOUR_MS);
        RULES.into_iter().filter(move |rule| is_budget && rule.long.ms <= longest_ms)
    }

    /// The rate beyond which a rule is broken.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "years of milliseconds are exact")]
    pub fn factor(&self, rule: &Rule) -> f64 {
        rule.percent as f64 * self.open_ms as f64 / (100.0 * rule.long.ms as f64)
    }

    /// Whether a total outage breaks a rule at all: no rate is higher than one by what may be missing.
    #[must_use]
    pub fn can_break(&self, rule: &Rule) -> bool {
        self.is_more(rule, rule.long.ms, rule.long)
    }

    /// How many times faster than allowed so much bad time in a window spends the budget; none where nothing may be missing.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "years of milliseconds are exact")]
    pub fn rate(&self, bad_ms: i64, window: Window) -> Option<f64> {
        let (missing, whole) = self.target.missing();
        (missing > 0).then(|| bad_ms as f64 * whole as f64 / (window.ms as f64 * missing as f64))
    }

    /// Whether a subject breaks a rule now; never before so much time was bad as it takes until an outage is told of.
    #[must_use]
    pub fn breaks(&self, rule: &Rule, lately: &Lately, now: Timestamp) -> bool {
        let in_window = |window: Window| bad_ms(&lately.bad, window, now);
        in_window(rule.long) >= lately.least_ms
            && [rule.long, rule.short].into_iter().all(|window| self.is_more(rule, in_window(window), window))
    }

    /// The most urgent rule that a subject breaks now, of those that open incidents.
    #[must_use]
    pub fn broken(&self, alerts: BurnAlerts, lately: &Lately, now: Timestamp) -> Option<Rule> {
        self.rules().filter(|rule| alerts.asks(rule)).find(|rule| self.breaks(rule, lately, now))
    }

    /// Whether so much bad time in a window exceeds the factor of a rule, without rounding.
    fn is_more(&self, rule: &Rule, bad_ms: i64, window: Window) -> bool {
        let (missing, whole) = self.target.missing();
        let spent = i128::from(bad_ms) * 100 * whole * i128::from(rule.long.ms);
        spent > i128::from(rule.percent) * i128::from(self.open_ms) * missing * i128::from(window.ms)
    }
}

/// How much of the last stretch of time was bad.
#[must_use]
pub fn bad_ms(bad: &[Span], window: Window, now: Timestamp) -> i64 {
    let from = now.plus_ms(-window.ms);
    bad.iter().map(|span| span.until.min(now).since_ms(span.from.max(from)).max(0)).sum()
}

/// The bad time of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lately {
    /// The hosts that it is or is on, each with when that was bad: one, or those of a service's members.
    pub hosts: Vec<(HostNo, Vec<Span>)>,
    /// What it is: `host`, `check`, `service`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Less bad time than this breaks no rule, in milliseconds.
    pub least_ms: i64,
    /// When it was bad, in order and without overlap.
    pub bad: Vec<Span>,
}

impl Lately {
    /// Of a host.
    #[must_use]
    pub fn of_host(host: HostNo, name: String, least_ms: i64, bad: Vec<Span>) -> Self {
        Self { hosts: vec![(host, bad.clone())], kind: "host", name, least_ms, bad }
    }

    /// Of what is known of a subject in a window of which the agreement leaves out `closed`. What people said afterwards
    /// counts: who says that an outage was none is not called for it.
    #[must_use]
    pub fn of(agreement: &Agreement, known: &Known, least_ms: i64, window: Span, closed: &[Stretch]) -> Self {
        let bad = |known: &Known| bad(agreement, known, window, closed);
        let hosts = known.leaves().into_iter().filter_map(|leaf| Some((leaf.subject.no()?, bad(leaf))));
        let (kind, name) = (known.subject.kind(), known.subject.name());
        Self { hosts: hosts.collect(), kind, name, least_ms, bad: bad(known) }
    }

    /// The hosts that were bad at some time within one of these.
    pub fn hosts_in(&self, spans: &[Span]) -> impl Iterator<Item = HostNo> {
        let meets = |one: &Span| spans.iter().any(|other| other.from < one.until && one.from < other.until);
        self.hosts.iter().filter(move |(_, bad)| bad.iter().any(meets)).map(|(host, _)| *host)
    }

    /// Without what others explain.
    #[must_use]
    pub fn without(&self, explained: impl Fn(&Span) -> bool) -> Self {
        let bad = self.bad.iter().filter(|span| !explained(span)).copied().collect();
        Self { bad, ..self.clone() }
    }
}

/// When a subject was bad, in order and without overlap.
fn bad(agreement: &Agreement, known: &Known, window: Span, closed: &[Stretch]) -> Vec<Span> {
    let mut bad: Vec<Span> = Vec::new();
    for stretch in lay(known.as_agreed().into_iter().chain(closed.iter().copied()), window) {
        if agreement.policy(stretch.bucket) != Policy::AsDown {
            continue;
        }
        match bad.last_mut() {
            Some(last) if last.until == stretch.span.from => last.until = stretch.span.until,
            _ => bad.push(stretch.span),
        }
    }
    bad
}

/// How fast the subjects of an agreement spend their budgets.
#[derive(Debug, Clone, PartialEq)]
pub struct Burn {
    /// Which agreement.
    pub agreement: String,
    /// Which rules open incidents.
    pub alerts: BurnAlerts,
    /// What rates are measured by.
    pub pace: Pace,
    /// When it was so.
    pub at: Timestamp,
    /// Subjects with bad time in the longest window, by name.
    pub subjects: Vec<Lately>,
    /// What is left of the budget of all subjects together, if that is known.
    pub left: Option<Budget>,
}

impl Burn {
    /// The highest rate of any subject in a window; none where nothing may be missing.
    #[must_use]
    pub fn rate(&self, window: Window) -> Option<f64> {
        let worst = self.subjects.iter().map(|lately| bad_ms(&lately.bad, window, self.at)).max();
        self.pace.rate(worst.unwrap_or(0), window)
    }

    /// Whether any subject breaks a rule, whether that opens incidents or not.
    #[must_use]
    pub fn breaks(&self, rule: &Rule) -> bool {
        self.subjects.iter().any(|lately| self.pace.breaks(rule, lately, self.at))
    }
}
