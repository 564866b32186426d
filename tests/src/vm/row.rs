//! A line of the table: when one finding was there and when it was no more.

use muster_agent::clock::boottime_ns;
use muster_tests::Webhook;

use crate::faults::{End, Told};

/// A finding, as the API shows it.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) part: String,
    pub(crate) rule: String,
    pub(crate) severity: String,
    pub(crate) evidence: String,
}

impl Finding {
    /// In one line.
    pub(crate) fn words(self) -> String {
        format!("{} {} ({}): {}", self.rule, self.part, self.severity, self.evidence)
    }
}

/// What was seen of one finding, in seconds since it was broken or mended.
#[derive(Debug)]
pub(crate) struct Row {
    /// What was done.
    pub(crate) what: &'static str,
    told: Option<&'static Told>,
    /// The rule that it was found by.
    rule: String,
    /// When it was broken, mended, or a day had passed.
    since_ns: u64,
    found: Option<f64>,
    incident: Option<f64>,
    ended: Option<f64>,
    closed: Option<f64>,
    /// It ends for that the log is silent.
    is_aged: bool,
    /// It is told with another finding of the same fault.
    is_shared: bool,
    /// What is not as expected.
    wrong: Vec<String>,
}

/// How many of these were not found and told of yet, or are not over and told of yet. Findings that have one cause are one
/// incident.
pub(crate) fn waiting(rows: &mut [Row], since: Since) -> usize {
    let told = |row: &Row| if since == Since::Broken { row.incident.is_some() } else { row.closed.is_some() };
    let causes: Vec<&'static str> = rows.iter().filter(|row| told(row)).map(|row| row.what).collect();
    rows.iter_mut().for_each(|row| row.is_shared = row.incident.is_none() && causes.contains(&row.what));
    let is_done = |row: &Row| match since {
        Since::Broken => row.found.is_some() && (told(row) || row.is_shared),
        // What was not found has no end.
        Since::Mended if row.found.is_none() || row.is_waiting_for_silence() => true,
        Since::Mended => row.ended.is_some() && (told(row) || row.is_shared),
    };
    rows.iter().filter(|row| !is_done(row)).count()
}

/// Since when is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// A part was broken.
    Broken,
    /// It was mended, or a day has passed.
    Mended,
}

impl Row {
    /// Of something just broken.
    pub(crate) fn of(what: &'static str, told: &'static Told, since_ns: u64) -> Self {
        Self { told: Some(told), since_ns, ..Self::none(what, Vec::new()) }
    }

    /// There should be none of these.
    pub(crate) fn none(what: &'static str, wrong: Vec<String>) -> Self {
        let (found, incident, ended, closed) = (None, None, None, None);
        Self {
            what,
            told: None,
            rule: String::new(),
            since_ns: 0,
            found,
            incident,
            ended,
            closed,
            is_aged: false,
            is_shared: false,
            wrong,
        }
    }

    /// Whether it is this one.
    pub(crate) fn is_about(&self, finding: &Finding) -> bool {
        self.told.is_some_and(|told| told.part == finding.part && told.rules.contains(&finding.rule.as_str()))
    }

    /// Its part is mended.
    pub(crate) fn mended(&mut self, now_ns: u64) {
        self.since_ns = now_ns;
    }

    /// Nothing was heard for a day.
    pub(crate) fn a_day_later(&mut self, now_ns: u64) {
        if self.told.is_some_and(|told| told.end == End::Silent) {
            (self.since_ns, self.is_aged) = (now_ns, true);
        }
    }

    /// Notes what is to be seen of it.
    pub(crate) fn look(&mut self, since: Since, findings: &[Finding], hook: &Webhook) {
        let Some(told) = self.told else { return };
        let seconds = self.seconds();
        let finding = findings.iter().find(|finding| self.is_about(finding));
        match (since, finding) {
            (Since::Broken, Some(finding)) if self.found.is_none() => self.find(told, finding, seconds),
            (Since::Mended, None) if !self.is_waiting_for_silence() && self.found.is_some() => {
                self.ended = self.ended.or(Some(seconds));
            }
            _ => {}
        }
        match since {
            Since::Broken => self.incident = self.incident.or_else(|| self.message(told, "incident.opened", hook)),
            Since::Mended => self.closed = self.closed.or_else(|| self.message(told, "incident.resolved", hook)),
        }
    }

    fn find(&mut self, told: &Told, finding: &Finding, seconds: f64) {
        (self.found, self.rule) = (Some(seconds), finding.rule.clone());
        let lacking = told.says.iter().filter(|word| !finding.evidence.contains(**word));
        self.wrong.extend(lacking.map(|word| format!("it does not say \"{word}\": {}", finding.evidence)));
        if finding.severity != told.severity {
            self.wrong.push(format!("it is not {}: {}", told.severity, finding.severity));
        }
    }

    /// What a log says is not over before a day has passed.
    fn is_waiting_for_silence(&self) -> bool {
        !self.is_aged && self.told.is_some_and(|told| told.end == End::Silent)
    }

    fn seconds(&self) -> f64 {
        boottime_ns().saturating_sub(self.since_ns) as f64 / 1e9
    }

    /// When a message of this kind about it came.
    fn message(&self, told: &Told, kind: &str, hook: &Webhook) -> Option<f64> {
        let about = hook.about(kind, told.part);
        let message = about.iter().find(|message| told.rules.iter().any(|rule| message.key().contains(rule)))?;
        Some(message.at_ns.saturating_sub(self.since_ns) as f64 / 1e9)
    }

    /// What is not as expected.
    pub(crate) fn wrong(&self) -> Vec<String> {
        let missing = [
            (self.found, "it is not found"),
            (self.incident, "no incident was told"),
            (self.ended, "it does not end"),
            (self.closed, "the end of its incident was not told"),
        ];
        let is_missing =
            |(at, (seconds, _)): &(usize, &(Option<f64>, &str))| seconds.is_none() && !(self.is_shared && at % 2 == 1);
        let missing = missing.iter().enumerate().find(is_missing).filter(|_| self.told.is_some());
        let missing = missing.map(|(_, missing)| missing);
        self.wrong.iter().cloned().chain(missing.map(|(_, what)| (*what).to_owned())).collect()
    }

    /// Its cells in the table.
    pub(crate) fn cells(&self) -> [String; 8] {
        let seconds = |value: Option<f64>| value.map_or_else(String::new, |seconds| format!("{seconds:.1}"));
        let end = |value| format!("{}{}", if self.is_aged { "a day + " } else { "" }, seconds(value));
        let none = if self.wrong.is_empty() { "none" } else { "some" };
        let (part, severity) = self.told.map_or(("", ""), |told| (told.part, told.severity));
        let rule = if self.told.is_none() { none } else { &self.rule };
        let [what, rule, part, severity] = [self.what, rule, part, severity].map(str::to_owned);
        let [incident, closed] = [(self.incident, seconds(self.incident)), (self.closed, end(self.closed))]
            .map(|(told, words)| if self.is_shared && told.is_none() { "the same".to_owned() } else { words });
        [what, rule, part, severity, seconds(self.found), incident, end(self.ended), closed]
    }
}
