//! People, API tokens, web sessions: secrets only as hashes.

use rusqlite::{Connection, Row as Found, params};

use super::{
    Store, StoreError,
    engine_rows::{append_audit, execute},
    in_state,
    load::{collect, column},
};
use crate::domain::{record::AuditRow, time::Timestamp};

/// What somebody may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Post alerts, and nothing else. The only one that those after it do not all include: see the routes.
    Alert,
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
            Self::Alert => "alert",
            Self::Scrape => "scrape",
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }

    /// The role named by `word`, if there is one.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        let all = [Self::Alert, Self::Scrape, Self::Viewer, Self::Operator, Self::Admin];
        all.into_iter().find(|role| role.word() == word)
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
    /// Adds or replaces a person; one that may no longer sign in, or has a new role or password, is signed out everywhere.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_person(&self, person: Person, by: AuditRow) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            execute(
                connection,
                "INSERT INTO principal (name, role, password_hash, enabled) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (name) DO UPDATE SET role = excluded.role, password_hash = excluded.password_hash,
                 enabled = excluded.enabled",
                params![person.name, person.role.word(), person.password_hash, i64::from(person.enabled)],
            )?;
            execute(connection, "DELETE FROM web_session WHERE name = ?1", params![person.name])?;
            append_audit(connection, &by)
        };
        self.write(write, |()| {}).await
    }

    /// All people.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT name, role, password_hash, enabled FROM principal ORDER BY name")
                .map_err(in_state)?;
            collect(statement.query([]), |row| {
                Ok(Person {
                    name: column(row, 0)?,
                    role: role(row, 1)?,
                    password_hash: column(row, 2)?,
                    enabled: column::<i64>(row, 3)? != 0,
                })
            })
        })
        .await
    }

    /// Adds an API token.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_api_token(&self, token: ApiTokenRow, by: AuditRow) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            execute(
                connection,
                "INSERT INTO api_token (id, hash, role, note, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![token.id, token.hash, token.role.word(), token.note, token.expires.ms()],
            )?;
            append_audit(connection, &by)
        };
        self.write(write, |()| {}).await
    }

    /// All API tokens that still work.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn api_tokens(&self, now: Timestamp) -> Result<Vec<ApiTokenRow>, StoreError> {
        self.read(move |connection| {
            let sql = "SELECT id, hash, role, note, expires_ms FROM api_token WHERE expires_ms > ?1 ORDER BY id";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            collect(statement.query([now.ms()]), api_token)
        })
        .await
    }

    /// Ends an API token at once. False when there is none.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_api_token(&self, id: &str, by: AuditRow) -> Result<bool, StoreError> {
        let id = id.to_owned();
        let write = move |connection: &Connection| {
            let ended = connection.execute("DELETE FROM api_token WHERE id = ?1", [&id]).map_err(in_state)? > 0;
            if ended {
                append_audit(connection, &by)?;
            }
            Ok(ended)
        };
        self.write(write, |_| {}).await
    }

    /// The API token with this hash, if it works.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_api_token(&self, hash: &[u8], now: Timestamp) -> Result<Option<ApiTokenRow>, StoreError> {
        let hash = hash.to_owned();
        self.read(move |connection| {
            let sql = "SELECT id, hash, role, note, expires_ms FROM api_token WHERE hash = ?1 AND expires_ms > ?2";
            let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
            Ok(collect(statement.query(params![hash, now.ms()]), api_token)?.pop())
        })
        .await
    }

    /// Adds a web session or link; those that ended before the last heartbeat are forgotten on the way.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn put_web_session(&self, session: WebSessionRow) -> Result<(), StoreError> {
        let write = move |connection: &Connection| {
            execute(
                connection,
                "DELETE FROM web_session WHERE expires_ms < (SELECT coalesce(max(to_ms), 0) FROM collector_run)",
                [],
            )?;
            execute(
                connection,
                "INSERT INTO web_session (hash, name, role, expires_ms, link) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![session.hash, session.name, session.role.word(), session.expires.ms(), i64::from(session.link)],
            )
        };
        self.write(write, |()| {}).await
    }

    /// The live web session with this hash, with the present role of the person that it belongs to.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn find_web_session(&self, hash: &[u8], now: Timestamp) -> Result<Option<WebSessionRow>, StoreError> {
        let hash = hash.to_owned();
        self.read(move |connection| web_session(connection, &hash, now, false)).await
    }

    /// Takes a one-time link: returns it once, then never again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn take_link(&self, hash: &[u8], now: Timestamp) -> Result<Option<WebSessionRow>, StoreError> {
        let hash = hash.to_owned();
        let write = move |connection: &Connection| {
            let found = web_session(connection, &hash, now, true)?;
            if found.is_some() {
                execute(connection, "DELETE FROM web_session WHERE hash = ?1", params![hash])?;
            }
            Ok(found)
        };
        self.write(write, |_| {}).await
    }

    /// Ends a web session, or all of a person's.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_web_sessions(&self, hash: Option<&[u8]>, name: Option<&str>) -> Result<(), StoreError> {
        let (hash, name) = (hash.map(<[u8]>::to_owned), name.map(str::to_owned));
        let write = move |connection: &Connection| {
            if let Some(hash) = &hash {
                execute(connection, "DELETE FROM web_session WHERE hash = ?1", params![hash])?;
            }
            if let Some(name) = &name {
                execute(connection, "DELETE FROM web_session WHERE name = ?1", params![name])?;
            }
            Ok(())
        };
        self.write(write, |()| {}).await
    }
}

fn role(row: &Found<'_>, index: usize) -> Result<Role, StoreError> {
    let word: String = column(row, index)?;
    Role::from_word(&word).ok_or_else(|| StoreError::Broken(format!("state.db: unknown role {word:?}")))
}

fn api_token(row: &Found<'_>) -> Result<ApiTokenRow, StoreError> {
    Ok(ApiTokenRow {
        id: column(row, 0)?,
        hash: column(row, 1)?,
        role: role(row, 2)?,
        note: column(row, 3)?,
        expires: Timestamp::from_ms(column(row, 4)?),
    })
}

/// A session follows its person: it is dead when they are disabled or gone, and their present role counts. A name with
/// a colon (`uid:0`, `token:abc`) is nobody's: people's names have none.
const LIVE_SESSION: &str = "SELECT s.hash, s.name, coalesce(p.role, s.role), s.expires_ms, s.link
    FROM web_session s LEFT JOIN principal p ON p.name = s.name
    WHERE s.hash = ?1 AND s.expires_ms > ?2 AND s.link = ?3
    AND (p.enabled = 1 OR (p.name IS NULL AND s.name LIKE '%:%'))";

fn web_session(
    connection: &Connection,
    hash: &[u8],
    now: Timestamp,
    link: bool,
) -> Result<Option<WebSessionRow>, StoreError> {
    let mut statement = connection.prepare_cached(LIVE_SESSION).map_err(in_state)?;
    let found = collect(statement.query(params![hash, now.ms(), i64::from(link)]), |row| {
        Ok(WebSessionRow {
            hash: column(row, 0)?,
            name: column(row, 1)?,
            role: role(row, 2)?,
            expires: Timestamp::from_ms(column(row, 3)?),
            link: column::<i64>(row, 4)? != 0,
        })
    })?;
    Ok(found.into_iter().next())
}
