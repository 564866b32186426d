//! Alerts from elsewhere at the desk: they are problems like others, and end when they are not said again.

use super::{Desk, DeskStep, incident::Incident, problem};
use crate::domain::{
    alert::{Alert, RESOLVE_TIMEOUT_MS, Tally},
    event::{Answer, Effect},
    hold::{Labels, Subject},
    ids::IncidentNo,
    record::{IncidentRow, ProblemRow, Row},
    severity::Severity,
    time::Timestamp,
};

/// Most alerts that are open at once; a storm beyond that is one trouble of its own.
const OPEN_AT_ONCE: usize = 10_000;
/// Senders are given this long after the collector was away: each says again what still fires well within it.
const SENDERS_WITHIN_MS: i64 = RESOLVE_TIMEOUT_MS;
/// An alert that began this long before its host was heard last may still tell of its end.
const BEFORE_SILENCE_MS: i64 = 60_000;

/// What became of one alert.
enum Fate {
    Firing,
    Resolved,
    Own,
    Full,
}

impl Desk {
    /// Alerts as others say them.
    pub(super) fn take_alerts(&mut self, alerts: &[Alert], now: Timestamp, step: &mut DeskStep) -> Answer {
        let mut tally = Tally::default();
        for alert in alerts {
            let count = match self.take_alert(alert, now, step) {
                Fate::Firing => &mut tally.firing,
                Fate::Resolved => &mut tally.resolved,
                Fate::Own => &mut tally.own,
                Fate::Full => &mut tally.full,
            };
            *count += 1;
        }
        let key = problem::self_key("alerts");
        if tally.full > 0 {
            let text = format!("{OPEN_AT_ONCE} alerts from elsewhere are open, no more are taken");
            self.weigh(key, Some(problem::of_self("alerts", Severity::Critical, text, now)), now, step);
        } else if self.problems.contains_key(&key) && self.open_alerts() < OPEN_AT_ONCE {
            self.weigh(key, None, now, step);
        }
        Answer::Alerts(tally)
    }

    fn take_alert(&mut self, alert: &Alert, now: Timestamp, step: &mut DeskStep) -> Fate {
        // Our mirror's Alertmanager may be one that forwards to us.
        if alert.own().is_some_and(|id| self.incidents.values().any(|incident| incident.row.id == id)) {
            return Fate::Own;
        }
        let key = alert.key();
        if alert.until <= now {
            self.weigh(key, None, now, step);
            return Fate::Resolved;
        }
        self.forget_closed(&key, alert.starts, step);
        if !self.problems.contains_key(&key) && self.open_alerts() >= OPEN_AT_ONCE {
            return Fate::Full;
        }
        let host = alert.host_names().find_map(|name| self.fleet.named(name));
        let mut problem = problem::of_alert(alert, host, now);
        problem.row.fold_until = self.host_is_folding(&problem.row).unwrap_or(now);
        self.weigh(key, Some(problem), now, step);
        Fate::Firing
    }

    fn open_alerts(&self) -> usize {
        self.problems.range("alert/".to_owned().."alert0".to_owned()).count()
    }

    /// What was closed by hand and has begun anew since is news.
    fn forget_closed(&mut self, key: &str, starts: Timestamp, step: &mut DeskStep) {
        let open = |no: &IncidentNo| self.incidents.get(no).is_some_and(Incident::is_open);
        let closed = self
            .problems
            .get(key)
            .is_some_and(|known| known.row.incident.as_ref().is_some_and(|no| !open(no)) && starts > known.row.since);
        if closed {
            self.problems.remove(key);
            step.effects.push(Effect::Record(Row::ProblemCleared(key.to_owned())));
        }
    }

    /// When its host's silence will have an incident that it can join.
    fn host_is_folding(&self, alert: &ProblemRow) -> Option<Timestamp> {
        let host = alert.host?;
        let mut liveness = self.problems.values().map(|problem| &problem.row).filter(|row| row.kind == "liveness");
        let folding = liveness.find(|row| row.host == Some(host) && row.incident.is_none())?;
        (folding.severity > Severity::Info).then(|| folding.fold_until.plus_ms(1))
    }

    /// A host's silence explains the alerts about it that began with it: their incidents become part of its own.
    pub(super) fn take_host_alerts(
        &mut self,
        liveness: &ProblemRow,
        no: IncidentNo,
        now: Timestamp,
        step: &mut DeskStep,
    ) {
        let explained = |row: &ProblemRow| {
            row.kind == "alert" && row.host == liveness.host && row.since.plus_ms(BEFORE_SILENCE_MS) >= liveness.since
        };
        let explained: Vec<(String, IncidentNo)> = self
            .problems
            .values()
            .filter(|problem| explained(&problem.row))
            .filter_map(|problem| Some((problem.row.key.clone(), problem.row.incident.filter(|own| *own != no)?)))
            .filter(|(_, own)| self.incidents.get(own).is_some_and(Incident::is_open))
            .collect();
        for (key, own) in explained {
            if let Some(problem) = self.problems.get_mut(&key) {
                problem.row.incident = None;
            }
            self.open_or_join(&key, now, step);
            if !self.problems.values().any(|problem| problem.row.incident == Some(own)) {
                self.become_part(own, no, now, step);
            }
        }
    }

    /// What an incident is about besides hosts: a job, or what others say of it. Their labels count where theirs is the
    /// only word, and beside a host's own name, site and class where it is known.
    pub(super) fn own_subject<'a>(&'a self, row: &'a IncidentRow) -> Option<Subject<'a>> {
        let alert = || {
            let labels = Labels(&row.alert.as_ref()?.labels);
            let unknown = Subject { name: "", site: labels.get("site"), class: None, labels };
            let host = row.host.and_then(|no| self.fleet.get(no));
            Some(host.map_or(unknown, |host| Subject { labels, ..host.subject() }))
        };
        self.job_subject(row).or_else(alert)
    }

    /// What was not said again in time is over.
    pub(super) fn alerts_run_out(&mut self, now: Timestamp, step: &mut DeskStep) {
        let over = self.problems.values().filter(|problem| problem.until.is_some_and(|until| until <= now));
        let over: Vec<(String, Option<IncidentNo>)> =
            over.map(|problem| (problem.row.key.clone(), problem.row.incident)).collect();
        for (key, incident) in over {
            if let Some(incident) = incident.and_then(|no| self.incidents.get_mut(&no)).filter(|one| one.is_open()) {
                let text = "its sender has not said it again in time: it counts as over".to_owned();
                step.effects.push(incident.note(now, "cleared", text, None));
            }
            self.weigh(key, None, now, step);
        }
    }

    /// The collector was away: nothing is over because it could not hear.
    pub(in crate::domain) fn wait_for_senders(&mut self, now: Timestamp) {
        for problem in self.problems.values_mut() {
            problem.until = problem.until.map(|until| until.max(now.plus_ms(SENDERS_WITHIN_MS)));
        }
    }

    /// The clock was set by this much.
    pub(super) fn alerts_stepped(&mut self, by_ms: i64) {
        for problem in self.problems.values_mut() {
            problem.until = problem.until.map(|until| until.plus_ms(by_ms));
        }
    }
}
