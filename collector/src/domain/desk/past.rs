//! Incidents that are over, by what they were about: the last of each, for the page of the next.

use std::collections::BTreeMap;

use crate::domain::{page::Past, record::IncidentRow};

/// Most that are remembered; of more the oldest are forgotten.
const REMEMBERED: usize = 20_000;
/// So many are forgotten at once.
const FORGOTTEN: usize = REMEMBERED / 10;

/// The last incident of each key.
#[derive(Debug, Default)]
pub struct Pasts(BTreeMap<String, Past>);

impl Pasts {
    /// As loaded, in whatever order.
    #[must_use]
    pub fn loaded(rows: &[IncidentRow]) -> Self {
        let mut pasts = Self::default();
        rows.iter().for_each(|row| pasts.learn(row));
        pasts
    }

    /// An incident is over.
    pub fn learn(&mut self, row: &IncidentRow) {
        let Some(past) = Past::of(row) else { return };
        if self.0.get(&row.key).is_none_or(|known| known.resolved <= past.resolved) {
            self.0.insert(row.key.clone(), past);
        }
        if self.0.len() > REMEMBERED {
            let mut ages: Vec<_> = self.0.iter().map(|(key, past)| (past.resolved, key.clone())).collect();
            ages.sort();
            for (_, key) in ages.into_iter().take(FORGOTTEN) {
                self.0.remove(&key);
            }
        }
    }

    /// The last one of this key or, for a finding, of the same rule on the same host.
    #[must_use]
    pub fn similar(&self, key: &str) -> Option<&Past> {
        self.0.get(key).or_else(|| {
            let rule = &key[..=key.find(':').filter(|_| key.starts_with("finding/"))?];
            let same_rule = self.0.range(rule.to_owned()..).take_while(|(known, _)| known.starts_with(rule));
            same_rule.map(|(_, past)| past).max_by_key(|past| past.resolved)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        ids::{HostNo, IncidentNo},
        record::IncidentState,
        severity::Severity,
        time::Timestamp,
    };

    fn over(no: i64, key: &str) -> IncidentRow {
        let at = |hours: i64| Timestamp::from_ms(hours * 3_600_000);
        IncidentRow {
            no: IncidentNo(no),
            id: no.to_string(),
            key: key.into(),
            state: IncidentState::Resolved,
            severity: Severity::Critical,
            title: String::new(),
            host: Some(HostNo(1)),
            component: String::new(),
            since: at(no),
            opened: at(no),
            resolved: Some(at(no + 1)),
            closed: None,
            acknowledged_by: None,
            acknowledged_until: None,
            page_at: at(no),
            paged: true,
            part_of: None,
            followed: Vec::new(),
            escalations: Vec::new(),
            calls: Vec::new(),
            alert: None,
            changes: Vec::new(),
            swings: Default::default(),
            priority: None,
        }
    }

    fn similar(pasts: &Pasts, key: &str) -> Option<i64> {
        pasts.similar(key).map(|past| past.incident.0)
    }

    #[test]
    fn the_last_of_the_same_key_counts_then_the_last_of_the_same_rule_on_that_host() {
        let open = IncidentRow { state: IncidentState::Open, resolved: None, ..over(9, "finding/a/space:/var") };
        let part = IncidentRow { part_of: Some(IncidentNo(1)), ..over(8, "finding/a/space:/var") };
        let pasts = Pasts::loaded(&[
            over(5, "finding/a/space:/"),
            over(3, "finding/a/space:/var"),
            over(2, "finding/a/space:/var"),
            over(4, "finding/a/space:/home"),
            over(6, "finding/a/spaces:/"),
            over(7, "alert/prometheus/Slow:01"),
            open,
            part,
        ]);
        assert_eq!(similar(&pasts, "finding/a/space:/var"), Some(3));
        assert_eq!(similar(&pasts, "finding/a/space:/new"), Some(5));
        assert_eq!(similar(&pasts, "finding/b/space:/"), None, "another host");
        assert_eq!(similar(&pasts, "alert/prometheus/Slow:02"), None, "other labels, another thing");
        assert_eq!(similar(&pasts, "liveness/a/host"), None);
    }

    #[test]
    fn the_oldest_are_forgotten_when_there_are_too_many() {
        let rows: Vec<IncidentRow> = (0..=20_000).map(|no| over(no, &format!("liveness/{no}/host"))).collect();
        let pasts = Pasts::loaded(&rows);
        assert_eq!(pasts.0.len(), 18_001);
        assert_eq!(similar(&pasts, "liveness/1999/host"), None);
        assert_eq!(similar(&pasts, "liveness/2000/host"), Some(2_000));
    }
}
