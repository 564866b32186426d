//! What was done about the outages of a report.

use std::collections::BTreeSet;

use super::{Web, problem::Problem};
use crate::domain::sla::{
    handling::Handling,
    report::{Line, Report},
};

impl Web {
    /// The incidents that told of the outages of a report, with who took them.
    pub(super) async fn handling(&self, report: &Report) -> Result<Handling, Problem> {
        let agreed = |line: &Line| line.agreed.as_ref().is_some_and(|agreed| !agreed.outages.is_empty());
        let suffered = report.lines.iter().filter(|line| !line.outages.is_empty() || agreed(line));
        let keys: BTreeSet<String> = suffered.flat_map(|line| Handling::keys(&line.known)).collect();
        if keys.is_empty() {
            return Ok(Handling::default());
        }
        let wanted = move |key: &str| keys.contains(key);
        Ok(Handling::new(self.context.store.handling(report.window, wanted).await?))
    }
}
