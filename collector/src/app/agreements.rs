//! The configuration's agreements on their way into the records: what is new, changed or gone becomes a version.

use std::{collections::BTreeSet, path::Path};

use crate::{
    config::{Config, agreement_text, parse_agreements},
    domain::{
        record::AuditRow,
        sla::{force, report::Declared},
        time::Timestamp,
    },
    store::{
        Store, StoreError,
        agreements::{AgreementVersion, DeclaredIn},
    },
};

/// Keeps what the configuration promises, wherever it is not what was kept last. Returns all that is promised: what it says,
/// and what was declared by the API under other names.
pub(super) async fn keep(config: &Config, store: &Store, now: Timestamp) -> Result<Vec<Declared>, StoreError> {
    let kept = store.agreements().await?;
    let names = config.agreements.iter().map(|declared| declared.agreement.name.as_str());
    let names: BTreeSet<&str> = names.chain(kept.iter().map(|version| version.name.as_str())).collect();
    let mut promised = config.agreements.clone();
    for name in names {
        let declared = force::named(&config.agreements, name);
        let last = kept.iter().find(|version| version.name == name);
        if let Some(last) = last.filter(|last| last.declared_in == DeclaredIn::Api && !last.definition.is_empty()) {
            if declared.is_empty() {
                promised.extend(read(last));
                continue;
            }
            tracing::warn!(agreement = name, "it was declared by the API too: what collector.toml says counts now");
        }
        if is_kept(last, &declared) {
            continue;
        }
        let action = match last {
            _ if declared.is_empty() => "agreement.withdraw",
            Some(last) if !last.definition.is_empty() => "agreement.change",
            _ => "agreement.declare",
        };
        let by = AuditRow {
            at: now,
            who: "collector".into(),
            from: "collector.toml".into(),
            action: action.into(),
            subject: name.to_owned(),
            detail: format!("version {}", last.map_or(1, |last| last.version + 1)),
        };
        store.put_agreement(name.to_owned(), agreement_text(&declared), DeclaredIn::File, by).await?;
    }
    Ok(promised)
}

/// What was declared by the API. It was read once, by this program or an older one.
fn read(kept: &AgreementVersion) -> Vec<Declared> {
    parse_agreements(&kept.definition, Path::new("state.db")).unwrap_or_else(|errors| {
        tracing::error!(agreement = kept.name, "it was declared by the API and cannot be read any more: {errors}");
        Vec::new()
    })
}

/// Whether it says what was kept last, in whatever way that was written.
fn is_kept(last: Option<&AgreementVersion>, declared: &[&Declared]) -> bool {
    let Some(last) = last else { return declared.is_empty() };
    if last.declared_in == DeclaredIn::Api && !declared.is_empty() {
        return false;
    }
    let read = parse_agreements(&last.definition, Path::new("state.db"));
    last.definition == agreement_text(declared) || read.is_ok_and(|read| same(&read, declared))
}

fn same(kept: &[Declared], declared: &[&Declared]) -> bool {
    kept.len() == declared.len() && declared.iter().all(|one| kept.contains(one))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was kept of this configuration, one line for each version of `web`.
    async fn kept(store: &Store, agreements: &str, at_ms: i64) -> Vec<String> {
        let config = crate::config::parse(agreements, Path::new("collector.toml")).unwrap();
        let promised = keep(&config, store, Timestamp::from_ms(at_ms)).await.unwrap();
        assert_eq!(promised, config.agreements);
        let versions = store.agreement_versions("web".into()).await.unwrap();
        let line = |definition: &str| {
            definition.lines().filter(|line| line.starts_with("target")).collect::<Vec<_>>().join(" ")
        };
        versions.iter().map(|version| format!("{} {}", version.at.ms(), line(&version.definition))).collect()
    }

    #[tokio::test]
    async fn what_is_new_changed_or_gone_is_kept_once() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Timestamp::from_ms(0)).unwrap();
        let web = |rest: &str| format!("[[agreement]]\nname = \"web\"\nhosts = [\"*\"]\n{rest}\n");
        let first = web("target = 99.9");
        assert_eq!(kept(&store, &first, 1).await, ["1 target = \"99.9\""]);
        let same = web("target = 99.90\nzone = \"UTC\"\nservice_hours = []");
        assert_eq!(kept(&store, &same, 2).await.len(), 1, "the same in other words");
        let two = web("target = 99.9\nuntil = \"2026-01-01\"") + &web("target = 99.99\nfrom = \"2026-01-01\"");
        assert_eq!(kept(&store, &two, 3).await[1..], ["3 target = \"99.9\" target = \"99.99\""]);
        assert_eq!(kept(&store, "", 4).await[2..], ["4 "]);
        assert_eq!(kept(&store, "", 5).await.len(), 3);
        assert_eq!(kept(&store, &two, 6).await.len(), 4, "declared again");
        let actions: Vec<String> = store.audit(9).await.unwrap().into_iter().map(|row| row.action).collect();
        let expected = ["agreement.declare", "agreement.withdraw", "agreement.change", "agreement.declare"];
        assert_eq!(actions, expected);
    }

    #[tokio::test]
    async fn what_the_api_declared_stays_until_the_configuration_has_something_of_that_name() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path(), Timestamp::from_ms(0)).unwrap();
        let text = "[[agreement]]\nname = \"web\"\nhosts = [\"*\"]\ntarget = 99.9\n";
        let by = AuditRow {
            at: Timestamp::from_ms(1),
            who: "ann".into(),
            from: "token".into(),
            action: "agreement.declare".into(),
            subject: "web".into(),
            detail: String::new(),
        };
        store.put_agreement("web".into(), text.into(), DeclaredIn::Api, by).await.unwrap();
        let none = crate::config::parse("", Path::new("collector.toml")).unwrap();
        let promised = keep(&none, &store, Timestamp::from_ms(2)).await.unwrap();
        assert_eq!(promised, parse_agreements(text, Path::new("x")).unwrap());
        assert_eq!(store.agreement_versions("web".into()).await.unwrap().len(), 1);
        let same = kept(&store, text, 3).await;
        assert_eq!(same, ["1 target = 99.9", "3 target = \"99.9\""], "where it is declared is part of it");
        assert_eq!(kept(&store, "", 4).await.len(), 3, "and it ends with the file's");
    }
}
