//! What leads to a heartbeat: each has a secret of its own, and whoever knows it may speak for the job.

use std::collections::{BTreeMap, HashMap};

/// The secrets of all heartbeats. They never print.
#[derive(Clone, Default)]
pub struct PingSecrets {
    by_name: BTreeMap<String, String>,
    by_secret: HashMap<String, String>,
}

impl PingSecrets {
    /// Pairs of name and secret.
    #[must_use]
    pub fn new(pairs: Vec<(String, String)>) -> Self {
        let by_secret = pairs.iter().map(|(name, secret)| (secret.clone(), name.clone())).collect();
        Self { by_name: pairs.into_iter().collect(), by_secret }
    }

    /// Whose secret this is.
    #[must_use]
    pub fn name_of(&self, secret: &str) -> Option<&str> {
        self.by_secret.get(secret).map(String::as_str)
    }

    /// It has another secret from now on; what it had leads nowhere.
    pub fn renew(&mut self, name: String, secret: String) {
        if let Some(old) = self.by_name.insert(name.clone(), secret.clone()) {
            self.by_secret.remove(&old);
        }
        self.by_secret.insert(secret, name);
    }

    /// The path under which a heartbeat is told something. Only for who may speak for the job.
    #[must_use]
    pub fn path_of(&self, name: &str) -> Option<String> {
        self.by_name.get(name).map(|secret| format!("/ping/{secret}"))
    }
}

impl std::fmt::Debug for PingSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PingSecrets({} hidden)", self.by_name.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_leads_to_its_heartbeat_and_never_prints() {
        let secrets = PingSecrets::new(vec![("backup".into(), "s3cr3t".into())]);
        assert_eq!(secrets.name_of("s3cr3t"), Some("backup"));
        assert_eq!((secrets.name_of("backup"), secrets.name_of("")), (None, None));
        assert_eq!(secrets.path_of("backup").as_deref(), Some("/ping/s3cr3t"));
        assert!(!format!("{secrets:?} {secrets:#?}").contains("s3cr3t"));
    }

    #[test]
    fn a_renewed_secret_is_the_only_one() {
        let mut secrets = PingSecrets::new(vec![("backup".into(), "old".into()), ("sync".into(), "other".into())]);
        secrets.renew("backup".into(), "new".into());
        assert_eq!((secrets.name_of("old"), secrets.name_of("new")), (None, Some("backup")));
        assert_eq!((secrets.path_of("backup").as_deref(), secrets.name_of("other")), (Some("/ping/new"), Some("sync")));
    }
}
