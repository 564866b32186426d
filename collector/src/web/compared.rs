//! A report that was issued beside what would be issued now, with what has changed since.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Web,
    issued::inputs_of,
    problem::Problem,
    side_by_side::{both, figures, hosts, pairs},
};
use crate::domain::{
    calendar::Span,
    ids::HostNo,
    record::SpanRow,
    sla::{
        comparison::changed,
        inputs::{Basis, Inputs, Version},
        period::Length,
        report::{Known, Report},
    },
};

/// Most new entries told of one subject.
const ENTRIES: usize = 100;

impl Web {
    /// The figures then and now. What is shown is told of as it is; whether it is genuine, `verify` says.
    pub(super) async fn compare(&self, shown: &Value) -> Result<Value, Problem> {
        let then = inputs_of(shown)?;
        let rolling = Length::parse(&then.period).is_some_and(|length| matches!(length, Length::Rolling(_)));
        let period = (!rolling).then_some(then.period.as_str());
        let promised = self.promised();
        let chosen =
            self.agreement(&promised, &then.definition.name, period, then.definition.in_force_from.as_deref())?;
        let report = self.report_over(chosen.declared, chosen.period.clone()).await?;
        let now = self.issue(&chosen, &report).await?;
        let mut subjects = Vec::with_capacity(report.lines.len());
        for place in pairs(&hosts(shown), &hosts(&now)) {
            let mut subject = both((shown, &now), ("then", "now"), place);
            self.since(&then, &report, place, &mut subject).await?;
            subjects.push(subject);
        }
        Ok(json!({
            "name": then.definition.name, "period": then.period,
            "then": figures(shown), "now": figures(&now),
            "then_as_of": then.as_of.to_string(), "now_as_of": report.as_of.to_string(),
            "then_version": then.definition.version, "now_version": now["inputs"]["definition"]["version"],
            "then_tzdata": then.tzdata, "now_tzdata": now["inputs"]["tzdata"],
            "subjects": subjects,
        }))
    }

    /// What has changed of a subject: entries of its ledger, windows, amendments.
    async fn since(
        &self,
        then: &Inputs,
        report: &Report,
        (before, after): (Option<usize>, Option<usize>),
        subject: &mut Value,
    ) -> Result<(), Problem> {
        let old: Vec<&Basis> = before.and_then(|at| then.subjects.get(at)).map(Basis::whole).unwrap_or_default();
        let new: Vec<&Known> =
            after.and_then(|at| report.lines.get(at)).map(|line| line.known.whole()).unwrap_or_default();
        type Of = fn(&Basis) -> &Vec<Version>;
        let kinds: [(&str, Of); 3] = [
            ("windows", |basis| &basis.windows),
            ("amendments", |basis| &basis.amendments),
            ("false_alarms", |basis| &basis.false_alarms),
        ];
        for (key, of) in kinds {
            let then: Vec<Version> = old.iter().flat_map(|basis| of(basis)).copied().collect();
            let now: Vec<Version> = new.iter().flat_map(|known| of(&known.basis)).copied().collect();
            let told = changed(&then, &now).into_iter().map(|change| {
                json!({ "number": change.number, "then": change.then, "now": change.now, "says": change.words() })
            });
            subject[key] = told.collect();
        }
        let mut entries = Vec::new();
        let mut seen = BTreeSet::new();
        for known in new.into_iter().filter(|known| known.subject.host().is_some_and(|host| seen.insert(host))) {
            let same = |basis: &&&Basis| basis.host == known.subject.host();
            let ledger = old.iter().find(same).and_then(|basis| basis.ledger.as_ref());
            if let Some((ledger, no)) = ledger.zip(known.subject.no()) {
                let rows = self.entries_since(no, ledger.n, report.window).await?;
                entries.extend(rows.iter().map(|row| entry(&known.subject.name(), row)));
            }
        }
        entries.truncate(ENTRIES);
        subject["entries"] = Value::Array(entries);
        Ok(())
    }

    /// Entries after the one on which a report stood, as far as they touch the window.
    async fn entries_since(&self, host: HostNo, n: i64, window: Span) -> Result<Vec<SpanRow>, Problem> {
        let mut ledgers = self.context.store.ledgers(vec![host], window).await?;
        let rows = ledgers.remove(&host).unwrap_or_default().rows;
        Ok(rows.into_iter().filter(|row| row.n > n).take(ENTRIES).collect())
    }
}

fn entry(of: &str, row: &SpanRow) -> Value {
    json!({
        "of": of, "n": row.n, "from": row.from.to_string(), "to": row.to.to_string(), "state": row.state,
        "cause": row.cause.words(), "evidence": row.evidence, "learned": row.learned.to_string(),
        "replaces": row.replaces,
    })
}
