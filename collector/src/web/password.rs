//! Passwords: argon2id, off the async threads, a few at a time.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher, password_hash::PasswordVerifier};
use tokio::sync::Semaphore;

use super::{problem::Problem, secret};

/// OWASP password storage cheat sheet: argon2id with m = 19 MiB, t = 2, p = 1.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Hashes computed at once: bounds memory (19 MiB each) and processor time that strangers can spend.
const AT_ONCE: usize = 2;
/// NIST SP 800-63B asks for at least 8; people who guard a fleet can do better.
pub(super) const MIN_CHARS: usize = 12;
/// Longer input is refused before it is hashed.
pub(super) const MAX_BYTES: usize = 1024;

/// Hashes and checks passwords.
#[derive(Debug)]
pub(super) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl Passwords {
    /// The PHC string of a new password.
    pub(super) async fn hash(&self, password: String) -> Result<String, Problem> {
        if password.chars().count() < MIN_CHARS || password.len() > MAX_BYTES {
            let expectation = format!("{MIN_CHARS} characters at least, {MAX_BYTES} bytes at most");
            return Err(Problem::invalid("password", "(not shown)", &expectation));
        }
        let salt = secret::random::<16>()?;
        self.off_thread(move || {
            argon2id()?.hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string()).ok()
        })
        .await?
        .ok_or_else(|| Problem::internal("the password cannot be hashed"))
    }

    /// Whether this is the password. Without a hash (no such person) it takes as long and says no.
    pub(super) async fn matches(&self, password: String, hash: Option<String>) -> Result<bool, Problem> {
        if password.len() > MAX_BYTES {
            return Ok(false);
        }
        self.off_thread(move || {
            let argon2 = argon2id()?;
            let Some(hash) = hash else {
                // Spend the same time for people who do not exist, so that names cannot be told apart.
                let _ = argon2.hash_password_with_salt(password.as_bytes(), &[0; 16]);
                return Some(false);
            };
            Some(PasswordVerifier::<str>::verify_password(&argon2, password.as_bytes(), &hash).is_ok())
        })
        .await?
        .ok_or_else(|| Problem::internal("the password cannot be checked"))
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| Problem::internal("no turn to hash"))?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(|_| Problem::internal("hashing was interrupted"))
    }
}

fn argon2id() -> Option<Argon2<'static>> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let passwords = Passwords::default();
        let hash = passwords.hash("correct horse battery".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(passwords.matches("correct horse battery".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.matches("wrong horse battery".into(), Some(hash)).await.unwrap());
        assert!(!passwords.matches("correct horse battery".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_short_password_is_refused_by_name_and_limit() {
        let refused = Passwords::default().hash("short".into()).await.unwrap_err();
        assert!(refused.to_string().contains("12 characters"), "{refused}");
    }
}
