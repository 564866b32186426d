//! Agreements that are declared, changed and ended by the API; those of `collector.toml` are changed there.

use std::{path::Path, sync::Arc};

use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Web, access::Caller, api::agreements::item, problem::Problem};
use crate::{
    config::{MOST_AGREEMENTS, agreement_text, parse_agreements},
    domain::sla::{
        force::{named, present},
        report::Declared,
    },
    store::agreements::DeclaredIn,
};

/// What is promised.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewAgreement {
    /// `[[agreement]]` tables of this name, in TOML as in `collector.toml`.
    definition: String,
    #[serde(default)]
    dry_run: bool,
}

impl Web {
    /// Declares an agreement or changes it, or with `dry_run` only says what that would mean.
    pub(super) async fn declare(&self, caller: &Caller, name: &str, asked: &NewAgreement) -> Result<Value, Problem> {
        let declared = read(name, &asked.definition)?;
        let promised = self.promised();
        self.may_change(name, &promised)?;
        let of_others = promised.len() - named(&promised, name).len();
        if of_others + declared.len() > MOST_AGREEMENTS {
            let expected =
                format!("at most {MOST_AGREEMENTS} declarations in all; there are {of_others} of other names");
            return Err(Problem::invalid("definition", &format!("{} more", declared.len()), &expected));
        }
        let kept = self.version(name).await?;
        let is_promised = kept.as_ref().is_some_and(|kept| !kept.definition.is_empty());
        let before = named(&promised, name).into_iter().cloned().collect::<Vec<_>>();
        let did = match (is_promised, before == declared) {
            (true, true) => "same",
            (true, false) => "change",
            (false, _) => "declare",
        };
        let version = kept.map_or(0, |kept| kept.version) + i64::from(did != "same");
        if !asked.dry_run && did != "same" {
            let by = caller.audit(self.now(), &format!("agreement.{did}"), name, format!("version {version}"));
            let text = agreement_text(&declared.iter().collect::<Vec<_>>());
            self.context.store.put_agreement(name.to_owned(), text, DeclaredIn::Api, by).await?;
            self.promise(name, declared.clone());
        }
        let now = present(&declared, self.now()).into_iter().next();
        let now = now.ok_or_else(|| Problem::internal("a declaration that was read is gone"))?;
        let mut answer = item(now, &self.report(now).await?, None)?;
        answer["version"] = json!(version);
        answer["declared_in"] = json!(DeclaredIn::Api);
        answer["did"] = json!(if asked.dry_run { "nothing" } else { did });
        Ok(answer)
    }

    /// Ends an agreement; its versions are kept.
    pub(super) async fn end_agreement(&self, caller: &Caller, name: &str, reason: &str) -> Result<(), Problem> {
        let promised = self.promised();
        if named(&promised, name).is_empty() {
            return Err(Problem::not_found(&format!("agreement {name:?} (muster-collector sla list)")));
        }
        self.may_change(name, &promised)?;
        let by = caller.audit(self.now(), "agreement.withdraw", name, reason.to_owned());
        self.context.store.put_agreement(name.to_owned(), String::new(), DeclaredIn::Api, by).await?;
        self.promise(name, Vec::new());
        Ok(())
    }

    fn may_change(&self, name: &str, promised: &[Declared]) -> Result<(), Problem> {
        let in_file = !named(&self.context.config.agreements, name).is_empty() && !named(promised, name).is_empty();
        if in_file {
            let why =
                format!("agreement {name:?} is declared in collector.toml: change it there, or leave it out of it");
            return Err(Problem::new(StatusCode::CONFLICT, why));
        }
        Ok(())
    }

    fn promise(&self, name: &str, declared: Vec<Declared>) {
        self.context.agreements.send_modify(|all| {
            let others = all.iter().filter(|one| one.agreement.name != name).cloned();
            *all = Arc::new(others.chain(declared).collect());
        });
    }
}

/// The declarations of this name and no other.
fn read(name: &str, text: &str) -> Result<Vec<Declared>, Problem> {
    let wrong = |value: &str| Problem::invalid("definition", value, "[[agreement]] in TOML, as in collector.toml");
    let declared = parse_agreements(text, Path::new("definition")).map_err(|errors| wrong(&errors.to_string()))?;
    if declared.is_empty() {
        return Err(wrong("nothing"));
    }
    if let Some(other) = declared.iter().find(|one| one.agreement.name != name) {
        let expected = format!("declarations of {name:?} alone");
        return Err(Problem::invalid("definition", &format!("name = {:?}", other.agreement.name), &expected));
    }
    Ok(declared)
}
