//! Other people's jobs on the desk: what they say is kept, and their silence or failure becomes a problem.

use std::collections::BTreeMap;

use super::{Desk, DeskStep, problem::Problem};
use crate::domain::{
    event::{Answer, Effect},
    heartbeat::{Heartbeat, HeartbeatRow, HeartbeatView, Ping, State},
    hold::Subject,
    ids::HostNo,
    record::{IncidentRow, ProblemRow, Row},
    time::Timestamp,
};

/// All jobs.
#[derive(Debug, Default)]
pub struct Heartbeats {
    /// As configured, in the order of the configuration.
    expected: Vec<Heartbeat>,
    rows: BTreeMap<String, HeartbeatRow>,
    /// How each stood when it was looked at last.
    judged: BTreeMap<String, State>,
}

impl Heartbeats {
    /// As loaded; nothing is expected yet.
    pub fn loaded(rows: &[HeartbeatRow]) -> Self {
        Self { rows: rows.iter().map(|row| (row.name.clone(), row.clone())).collect(), ..Self::default() }
    }

    /// When one falls due next, of those that are not in trouble already.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        let quiet =
            self.expected.iter().filter(|job| !self.judged.get(&job.name).is_some_and(|state| state.is_trouble()));
        quiet.filter_map(|job| Some(job.alarm_at(self.rows.get(&job.name)?))).min()
    }

    /// The wall clock was set by this much.
    pub fn stepped(&mut self, by_ms: i64, effects: &mut Vec<Effect>) {
        for job in &self.expected {
            let Some(row) = self.rows.get_mut(&job.name) else { continue };
            row.stepped(by_ms, &job.expected);
            effects.push(Effect::Record(Row::Heartbeat(Box::new(row.clone()))));
        }
    }

    fn change(&mut self, change: impl Fn(&Heartbeat, &HeartbeatRow) -> HeartbeatRow, step: &mut DeskStep) {
        for job in &self.expected {
            let Some(row) = self.rows.get_mut(&job.name) else { continue };
            let next = change(job, row);
            if next != *row {
                step.effects.push(Effect::Record(Row::Heartbeat(Box::new(next.clone()))));
                *row = next;
            }
        }
        step.heartbeats = true;
    }
}

impl Desk {
    /// Watches over these jobs from now on. Problems of others are over.
    pub fn expect(&mut self, jobs: Vec<Heartbeat>, last_ran: Option<Timestamp>, now: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        self.heartbeats.expected = jobs;
        self.heartbeats.change(Heartbeat::reread, &mut step);
        if let Some(last_ran) = last_ran {
            self.heartbeats.change(|job, row| job.away(row, last_ran, now), &mut step);
        }
        let known: Vec<String> = self.heartbeats.expected.iter().map(Heartbeat::key).collect();
        let jobs = self.problems.values().filter(|problem| problem.row.kind == "heartbeat");
        let gone: Vec<String> = jobs.map(|job| job.row.key.clone()).filter(|key| !known.contains(key)).collect();
        for key in gone {
            self.weigh(key, None, now, &mut step);
        }
        self.judge_heartbeats(now, &mut step);
        step
    }

    /// Nobody listened for a time.
    pub fn jobs_unheard(&mut self, from: Timestamp, to: Timestamp) -> DeskStep {
        let mut step = DeskStep::default();
        self.heartbeats.change(|job, row| job.away(row, from, to), &mut step);
        step
    }

    /// A job said something.
    pub(super) fn pinged(&mut self, ping: &Ping, now: Timestamp, step: &mut DeskStep) -> Answer {
        let jobs = &mut self.heartbeats;
        let Some(job) = jobs.expected.iter().find(|job| job.name == ping.name) else {
            return Answer::NotFound(format!("heartbeat {:?}", ping.name));
        };
        let row = job.heard(jobs.rows.get(&ping.name), ping, now);
        step.effects.push(Effect::Record(Row::Heartbeat(Box::new(row.clone()))));
        step.effects.push(Effect::Publish);
        step.heartbeats = true;
        jobs.rows.insert(ping.name.clone(), row);
        jobs.judged.remove(&ping.name);
        self.judge_heartbeats(now, step);
        Answer::Done
    }

    /// Weighs the problem of each job that stands otherwise than before.
    pub(super) fn judge_heartbeats(&mut self, now: Timestamp, step: &mut DeskStep) {
        let jobs = &mut self.heartbeats;
        let mut changed = Vec::new();
        for job in &jobs.expected {
            let row = jobs.rows.get(&job.name);
            let (state, since) = job.standing(row, now);
            if jobs.judged.get(&job.name) != Some(&state) {
                jobs.judged.insert(job.name.clone(), state);
                let trouble = row.filter(|_| state.is_trouble()).map(|row| (job.trouble(row, state), since));
                changed.push((job.clone(), trouble));
            }
        }
        step.heartbeats |= !changed.is_empty();
        for (job, trouble) in changed {
            let host = job.host.as_deref().and_then(|name| self.host_named(name));
            let problem = trouble.map(|((summary, evidence), since)| Problem {
                row: ProblemRow {
                    key: job.key(),
                    host,
                    hosts: Vec::new(),
                    kind: "heartbeat".into(),
                    severity: job.severity,
                    since,
                    summary,
                    evidence,
                    cause: None,
                    part_of: None,
                    incident: None,
                    fold_until: now,
                    alert: None,
                },
                until: None,
            });
            self.weigh(job.key(), problem, now, step);
            step.effects.push(Effect::Publish);
        }
    }

    fn host_named(&self, name: &str) -> Option<HostNo> {
        self.fleet.iter().find(|(_, member)| member.name == name).map(|(no, _)| no)
    }

    /// Whose job an incident is about, where that is not a host that we know.
    pub(super) fn job_subject(&self, row: &IncidentRow) -> Option<Subject<'_>> {
        let mut jobs =
            self.heartbeats.expected.iter().filter(|_| row.host.is_none() && row.key.starts_with("heartbeat/"));
        jobs.find(|job| job.key() == row.key).filter(|job| job.has_subject()).map(Heartbeat::subject)
    }

    /// All jobs as they stood when they were looked at last.
    #[must_use]
    pub fn heartbeats(&self) -> Vec<HeartbeatView> {
        let jobs = &self.heartbeats;
        let view = |job: &Heartbeat| HeartbeatView {
            heartbeat: job.clone(),
            row: jobs.rows.get(&job.name).cloned(),
            state: jobs.judged.get(&job.name).copied().unwrap_or(State::New),
        };
        jobs.expected.iter().map(view).collect()
    }
}
