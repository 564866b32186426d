//! The processes that a host told when a finding began, for views and API alike.

use serde_json::{Value, json};

use super::{Web, problem::Problem};
use crate::{
    domain::{
        evidence::{ASKED_EVERY_MS, Order, Process, Taken, nearest},
        finding::FindingRow,
        ids::HostNo,
        record::IncidentRow,
        rules::Rule,
        time::Timestamp,
    },
    store::evidence::Which,
};

/// What was told for one finding.
#[derive(Debug)]
pub(super) struct Told {
    /// When the finding began.
    pub(super) since: Timestamp,
    /// What comes first for its rule.
    pub(super) order: Order,
    /// Taken when it began, and last, if that was later; nothing where the host has told nothing.
    pub(super) taken: Vec<Taken>,
}

impl Web {
    /// What was told for an open finding; nothing where its rule wants none.
    pub(super) async fn processes_for(&self, finding: &FindingRow) -> Result<Option<Told>, Problem> {
        self.told(finding.host, &finding.rule, finding.since, None).await
    }

    /// What was told for the finding that an incident began with.
    pub(super) async fn processes_of(&self, incident: &IncidentRow) -> Result<Option<Told>, Problem> {
        let Some((host, rule)) = incident.host.zip(rule_of(&incident.key)) else { return Ok(None) };
        self.told(host, rule, incident.since, incident.resolved).await
    }

    async fn told(
        &self,
        host: HostNo,
        rule: &str,
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Option<Told>, Problem> {
        if Rule::named(rule).is_none_or(|rule| rule.evidence.is_none()) {
            return Ok(None);
        }
        let store = &self.context.store;
        let just_before = (since.plus_ms(-ASKED_EVERY_MS), since.plus_ms(-1));
        let of_it = (since, until.unwrap_or(Timestamp::from_ms(i64::MAX)));
        let before = store.evidence(host, just_before, Which::Last, Taken::of).await?;
        let after = store.evidence(host, of_it, Which::First, Taken::of).await?;
        let mut taken: Vec<Taken> = nearest(since, before, after).into_iter().collect();
        let last = store.evidence(host, of_it, Which::Last, Taken::of).await?;
        taken.extend(last.filter(|last| taken.iter().all(|first| first.at < last.at)));
        Ok(Some(Told { since, order: Order::of(rule), taken }))
    }
}

/// The rule in the key of a finding, `finding/HOST/RULE:PART`.
pub(super) fn rule_of(key: &str) -> Option<&str> {
    let about = key.strip_prefix("finding/")?.split_once('/')?.1;
    about.split_once(':').map(|(rule, _)| rule)
}

impl Told {
    /// As the API says it.
    pub(super) fn json(told: Option<&Self>) -> Value {
        told.iter().flat_map(|told| told.taken.iter().map(|taken| look(taken, told.since))).collect()
    }
}

fn look(taken: &Taken, since: Timestamp) -> Value {
    let mut answer = json!({ "at": taken.at.to_string(), "seconds_after": taken.at.since_ms(since) / 1_000 });
    match &taken.found {
        Ok(found) => {
            answer["interval_seconds"] = json!(found.interval_seconds);
            answer["processors"] = json!(found.processors);
            answer["memory_total_bytes"] = json!(found.memory_total_bytes);
            answer["left_out"] = json!(found.left_out);
            answer["items"] = found.processes.iter().map(item).collect();
        }
        Err(why) => answer["problem"] = json!(why),
    }
    answer
}

fn item(process: &Process) -> Value {
    json!({
        "pid": process.pid, "command": process.command, "state": process.state, "user": process.user,
        "resident_bytes": process.resident_bytes, "swap_bytes": process.swap_bytes, "cpu_ratio": process.cpu_ratio(),
    })
}
