//! Reports as they are delivered: issued once, in the ways of writing that were asked for.

use std::{collections::BTreeSet, sync::Arc};

use tokio::sync::{Notify, watch};

use super::{Shared, Web, WebContext, problem::Problem, views::service_level_report};
use crate::{
    domain::{
        sla::{
            delivery::{Document, Format, Issue, Made, Plan, stem},
            figures::Verdict,
            force::{self, Chosen},
            report::Declared,
            table,
        },
        time::Timestamp,
    },
    workbook,
};

/// Wakes whoever carries reports to where they go, and says when a round is over.
#[derive(Debug, Clone)]
pub struct Carrier {
    /// Rings where there is something new.
    pub bell: Arc<Notify>,
    /// Counts the rounds.
    pub rounds: watch::Receiver<u64>,
}

/// Issues reports.
#[derive(Clone)]
pub struct Reports(Shared);

/// What is to be issued.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// For which `[[report]]`.
    pub plan: &'a Plan,
    /// Of which agreement.
    pub agreement: &'a str,
    /// Over which period; it must be over.
    pub period: &'a str,
    /// When it was due.
    pub due: Timestamp,
    /// Who asks; nobody: the schedule.
    pub by: Option<&'a str>,
}

/// A report that was issued, not recorded yet, with what is to be delivered.
#[derive(Debug)]
pub struct Issued {
    /// With a delivery to each place.
    pub issue: Issue,
    /// In the order of the plan.
    pub documents: Vec<Document>,
}

impl Reports {
    /// Reads what the views read.
    #[must_use]
    pub fn new(context: WebContext) -> Self {
        Self(Arc::new(Web::new(context)))
    }

    /// Issues a report, or says why there is none to issue.
    ///
    /// # Errors
    /// What cannot be read or reckoned now, in words.
    pub async fn issue(&self, asked: Asked<'_>) -> Result<Issued, String> {
        self.0.issue_for(asked).await.map_err(|problem| problem.detail)
    }
}

impl Web {
    /// The agreement of a period that is over and in a part of which it was in force.
    pub(super) fn over<'a>(
        &self,
        promised: &'a [Declared],
        agreement: &str,
        period: &str,
    ) -> Result<Chosen<'a>, Problem> {
        let chosen = self.agreement(promised, agreement, Some(period), None)?;
        let (from, until) = (chosen.period.span.from, chosen.period.span.until);
        if until > self.now() {
            let why = format!("one that is over: this one ends at {until}; `sla report` shows it to date");
            return Err(Problem::invalid("period", period, &why));
        }
        if !force::is_in_force(chosen.declared, chosen.period.span) {
            let why = format!("one in which {agreement} was in force; from {from} until {until} it was not");
            return Err(Problem::invalid("period", period, &why));
        }
        Ok(chosen)
    }

    /// Issues a report.
    pub(super) async fn issue_for(&self, asked: Asked<'_>) -> Result<Issued, Problem> {
        let Asked { plan, agreement, period, due, by } = asked;
        let promised = self.promised();
        let chosen = self.over(&promised, agreement, period)?;
        let report = self.report_over(chosen.declared, chosen.period.clone()).await?;
        let whole = self.issue(&chosen, &report).await?;
        let handling = self.handling(&report).await?;
        let address = Some(self.context.config.http.url.as_str());
        let schedule = format!("the schedule {}", plan.name);
        let by_words = by.map_or_else(|| schedule.clone(), |by| format!("{schedule}, asked by {by}"));
        let made = service_level_report::Made {
            declared: chosen.declared,
            report: &report,
            whole: &whole,
            handling: &handling,
            by: by_words,
            now: self.now(),
            address,
            audience: service_level_report::Audience::Staff,
        };
        let (title, text) = (made.title(), made.sentence());
        let mut documents = Vec::with_capacity(plan.formats.len());
        for format in &plan.formats {
            let body = match format {
                Format::Html => made.document()?.into_bytes(),
                Format::Csv => (table::csv(&whole) + "\r\n").into_bytes(),
                Format::Xlsx => workbook::xlsx(&table::book(&whole)).map_err(|why| Problem::internal(&why))?,
                Format::Json => format!("{whole:#}\n").into_bytes(),
            };
            documents.push(Document { format: *format, body });
        }
        let text_of = |key: &str| whole[key].as_str().unwrap_or_default().to_owned();
        let made = Made {
            version: whole["inputs"]["definition"]["version"].as_i64().unwrap_or_default(),
            digest: text_of("digest"),
            verdict: verdict(report.total.figures.verdict),
            title,
            text,
            stem: stem(agreement, period, &names(&promised)),
        };
        let (at, agreement, period) = (self.now(), agreement.to_owned(), period.to_owned());
        let (report, asked_by, why) = (plan.name.clone(), by.map(Into::into), String::new());
        let issue = Issue {
            no: 0,
            report,
            agreement,
            period,
            due,
            asked_by,
            at,
            made: Some(made),
            why,
            deliveries: Vec::new(),
        };
        Ok(Issued { issue: issue.to(plan.destinations()), documents })
    }
}

/// The names of all agreements.
pub(super) fn names(promised: &[Declared]) -> Vec<&str> {
    let mut names: Vec<&str> = promised.iter().map(|declared| declared.agreement.name.as_str()).collect();
    let mut seen = BTreeSet::new();
    names.retain(|name| seen.insert(*name));
    names
}

fn verdict(verdict: Verdict) -> String {
    verdict.word().to_owned()
}
