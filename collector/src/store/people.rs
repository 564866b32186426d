//! People, API tokens, web sessions. (bodies to come)

use super::{Store, StoreError};
use crate::domain::{record::AuditRow, time::Timestamp};

/// What somebody may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Metrics and discovery.
    Scrape,
    /// Views.
    Viewer,
    /// Acknowledge, silence, maintenance.
    Operator,
    /// Tokens, people, agreements.
    Admin,
}

impl Role {
    /// The role's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Scrape => "scrape",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role named by `word`, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Scrape, Self::Viewer, Self::Operator, Self::Admin].into_iter().find(|role| role.word() == word)
    }
}

/// A person with a local account.
#[derive(Debug, Clone)]
pub struct Person {
    /// Unique name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// argon2id, PHC string.
    pub password_hash: String,
    /// Whether they may sign in.
    pub enabled: bool,
}

/// An API token as stored; never the secret.
#[derive(Debug, Clone)]
pub struct ApiTokenRow {
    /// Shown id.
    pub id: String,
    /// SHA-256 of the secret.
    pub hash: Vec<u8>,
    /// What it may do.
    pub role: Role,
    /// What it is for.
    pub note: String,
    /// When it ends.
    pub expires: Timestamp,
}

/// A browser session or one-time sign-in link.
#[derive(Debug, Clone)]
pub struct WebSessionRow {
    /// SHA-256 of the cookie's or link's secret.
    pub hash: Vec<u8>,
    /// Who.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// When it ends.
    pub expires: Timestamp,
    /// Whether it is a link that works once.
    pub link: bool,
}

impl Store {
    /// Adds or replaces a person.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_person(&self, _person: Person, _by: AuditRow) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// All people.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        unimplemented!()
    }

    /// Adds an API token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_api_token(&self, _token: ApiTokenRow, _by: AuditRow) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// All API tokens that still work.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_tokens(&self, _now: Timestamp) -> Result<Vec<ApiTokenRow>, StoreError> {
        unimplemented!()
    }

    /// Ends an API token at once. False when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_api_token(&self, _id: &str, _by: AuditRow) -> Result<bool, StoreError> {
        unimplemented!()
    }

    /// The API token with this hash, if it works.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_api_token(&self, _hash: &[u8], _now: Timestamp) -> Result<Option<ApiTokenRow>, StoreError> {
        unimplemented!()
    }

    /// Adds a web session or link.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_web_session(&self, _session: WebSessionRow) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// The live web session with this hash.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_web_session(&self, _hash: &[u8], _now: Timestamp) -> Result<Option<WebSessionRow>, StoreError> {
        unimplemented!()
    }

    /// Takes a one-time link: returns it once, then never again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_link(&self, _hash: &[u8], _now: Timestamp) -> Result<Option<WebSessionRow>, StoreError> {
        unimplemented!()
    }

    /// Ends a web session, or all of a person's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_web_sessions(&self, _hash: Option<&[u8]>, _name: Option<&str>) -> Result<(), StoreError> {
        unimplemented!()
    }
}
