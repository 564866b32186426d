//! Agreements are kept as they were declared, one version after another.

use super::*;
use crate::store::agreements::{AgreementVersion, DeclaredIn};

fn by(ms: i64, action: &str) -> AuditRow {
    let (who, from, detail) = ("collector".into(), "collector.toml".into(), String::new());
    AuditRow { at: at(ms), who, from, action: action.into(), subject: "web".into(), detail }
}

#[tokio::test]
async fn versions_are_appended_and_the_newest_of_each_is_given_back() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path(), NOW).unwrap();
    let version = |name: &str, version: i64, ms: i64, definition: &str| AgreementVersion {
        name: name.into(),
        version,
        at: at(ms),
        definition: definition.into(),
        declared_in: if name == "db" { DeclaredIn::Api } else { DeclaredIn::File },
    };
    for (name, ms, definition) in [("web", 1, "one"), ("db", 2, "other"), ("web", 3, "two"), ("web", 4, "")] {
        let declared_in = version(name, 1, ms, definition).declared_in;
        let by = by(ms, "agreement.declare");
        store.put_agreement(name.into(), definition.into(), declared_in, by).await.unwrap();
    }
    drop(store);
    let store = Store::open(directory.path(), NOW).unwrap();
    assert_eq!(store.agreements().await.unwrap(), [version("db", 1, 2, "other"), version("web", 3, 4, "")]);
    let all = store.agreement_versions("web".into()).await.unwrap();
    assert_eq!(all, [version("web", 1, 1, "one"), version("web", 2, 3, "two"), version("web", 3, 4, "")]);
    assert!(store.agreement_versions("x".into()).await.unwrap().is_empty());
    assert_eq!(store.audit(9).await.unwrap().len(), 4);
}
