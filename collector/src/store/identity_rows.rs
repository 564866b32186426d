//! The rows that the identity side owns: hosts at enrolment, certificates, tokens, enrolments, session generations.
//!
//! Plain functions over a connection: the identity side composes them into its transactions.

use rusqlite::{Connection, OptionalExtension, Row as Found, params};
use serde::{Deserialize, Serialize};

use super::{
    StoreError,
    engine_rows::{execute, put_host},
    in_state,
    load::{collect, column, profile},
};
use crate::domain::{
    ids::{HostId, HostNo},
    labels::Profile,
    time::Timestamp,
};

pub(crate) use super::engine_rows::append_audit;

/// A join token as kept: the secret only as a hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TokenRecord {
    pub(crate) id: String,
    /// `single`, `batch`, `replace`.
    pub(crate) kind: String,
    /// SHA-256 of the secret, hex.
    pub(crate) hash: String,
    pub(crate) uses_left: i64,
    pub(crate) expires: Timestamp,
    /// JSON of the labels that it gives.
    pub(crate) gives: String,
    /// The id of the host that it is bound to: ids outlive a lost database, numbers do not.
    pub(crate) host: Option<HostId>,
    pub(crate) made_by: String,
    pub(crate) revoked: bool,
}

/// Where a certificate stands in its two-phase rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CertificateState {
    /// In use.
    Live,
    /// Issued by a renewal, no session yet; the live one stays valid.
    Next,
    /// Replaced; void before its end.
    Dead,
}

impl CertificateState {
    const fn word(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Next => "next",
            Self::Dead => "dead",
        }
    }

    fn from_word(word: &str) -> Self {
        match word {
            "live" => Self::Live,
            "next" => Self::Next,
            // An unknown word lets nobody in.
            _ => Self::Dead,
        }
    }
}

/// A certificate as kept; never the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CertificateRecord {
    pub(crate) serial: Vec<u8>,
    pub(crate) host: HostNo,
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
    pub(crate) state: CertificateState,
}

/// An enrolment that was answered, for agents that did not hear the answer.
#[derive(Debug, Clone)]
pub(crate) struct EnrolmentRecord {
    pub(crate) nonce: Vec<u8>,
    pub(crate) key_hash: Vec<u8>,
    pub(crate) host: HostNo,
    pub(crate) token: String,
    pub(crate) chain: Vec<u8>,
    pub(crate) at: Timestamp,
}

/// The count of a host's sessions and the machine that had the last one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct SessionRecord {
    pub(crate) generation: i64,
    /// JSON of the fingerprint.
    pub(crate) fingerprint: String,
}

/// Adds or replaces a host with its session record.
pub(crate) fn put_host_with_session(
    connection: &Connection,
    profile: &Profile,
    session: &SessionRecord,
) -> Result<(), StoreError> {
    put_host(connection, profile)?;
    put_session(connection, profile.no, session)
}

/// Remembers the session that begins.
pub(crate) fn put_session(connection: &Connection, host: HostNo, session: &SessionRecord) -> Result<(), StoreError> {
    execute(
        connection,
        "UPDATE host SET generation = ?2, fingerprint = ?3 WHERE no = ?1",
        params![host.0, session.generation, session.fingerprint],
    )
}

/// The last session of a host.
pub(crate) fn session(connection: &Connection, host: HostNo) -> Result<Option<SessionRecord>, StoreError> {
    connection
        .prepare_cached("SELECT generation, fingerprint FROM host WHERE no = ?1")
        .and_then(|mut statement| {
            let read = |row: &Found<'_>| Ok(SessionRecord { generation: row.get(0)?, fingerprint: row.get(1)? });
            statement.query_row([host.0], read).optional()
        })
        .map_err(in_state)
}

const HOST_COLUMNS: &str = "SELECT no, id, name, class, site, watch, labels, layers, admission, facts FROM host";

/// The host with this id.
pub(crate) fn host_by_id(connection: &Connection, id: HostId) -> Result<Option<Profile>, StoreError> {
    let sql = format!("{HOST_COLUMNS} WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(in_state)?;
    Ok(collect(statement.query([id.to_string()]), profile)?.pop())
}

/// The host with this number.
pub(crate) fn host_by_no(connection: &Connection, no: HostNo) -> Result<Option<Profile>, StoreError> {
    let sql = format!("{HOST_COLUMNS} WHERE no = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(in_state)?;
    Ok(collect(statement.query([no.0]), profile)?.pop())
}

/// All revoked hosts with their fingerprints.
pub(crate) fn revoked_hosts(connection: &Connection) -> Result<Vec<(Profile, String)>, StoreError> {
    let sql = "SELECT no, id, name, class, site, watch, labels, layers, admission, facts, fingerprint
               FROM host WHERE admission = 'revoked' ORDER BY no";
    let mut statement = connection.prepare_cached(sql).map_err(in_state)?;
    collect(statement.query([]), |row| Ok((profile(row)?, column(row, 10)?)))
}

/// A number that no host has or had, in this database or in the facts of one that was lost.
pub(crate) fn next_host_no(connection: &Connection) -> Result<HostNo, StoreError> {
    let highest: i64 =
        connection.query_row("SELECT coalesce(max(no), 0) FROM host", [], |row| row.get(0)).map_err(in_state)?;
    let floor: Option<String> = connection
        .query_row("SELECT value FROM meta WHERE key = 'host_floor'", [], |row| row.get(0))
        .optional()
        .map_err(in_state)?;
    let floor = floor.and_then(|text| text.parse::<i64>().ok()).unwrap_or(0);
    Ok(HostNo(highest.max(floor) + 1))
}

/// Whether a host has this display name.
pub(crate) fn is_name_taken(connection: &Connection, name: &str) -> Result<bool, StoreError> {
    connection
        .prepare_cached("SELECT count(*) FROM host WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([name], |row| row.get::<_, i64>(0)))
        .map(|count| count > 0)
        .map_err(in_state)
}

const TOKEN_COLUMNS: &str = "SELECT id, kind, hash, uses_left, expires_ms, gives, host, made_by, revoked FROM token";

fn token_record(row: &Found<'_>) -> Result<TokenRecord, StoreError> {
    let host: Option<String> = column(row, 6)?;
    Ok(TokenRecord {
        id: column(row, 0)?,
        kind: column(row, 1)?,
        hash: column(row, 2)?,
        uses_left: column(row, 3)?,
        expires: Timestamp::from_ms(column(row, 4)?),
        gives: column(row, 5)?,
        host: host.and_then(|id| id.parse().ok()),
        made_by: column(row, 7)?,
        revoked: column::<i64>(row, 8)? != 0,
    })
}

/// The token with this id.
pub(crate) fn token(connection: &Connection, id: &str) -> Result<Option<TokenRecord>, StoreError> {
    let sql = format!("{TOKEN_COLUMNS} WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql).map_err(in_state)?;
    Ok(collect(statement.query([id]), token_record)?.pop())
}

/// All tokens, those that no longer work too.
pub(crate) fn tokens(connection: &Connection) -> Result<Vec<TokenRecord>, StoreError> {
    let sql = format!("{TOKEN_COLUMNS} ORDER BY expires_ms, id");
    let mut statement = connection.prepare_cached(&sql).map_err(in_state)?;
    collect(statement.query([]), token_record)
}

/// Adds or replaces a token.
pub(crate) fn put_token(connection: &Connection, token: &TokenRecord) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO token (id, kind, hash, uses_left, expires_ms, gives, host, made_by, revoked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET uses_left = excluded.uses_left, revoked = excluded.revoked",
        params![
            token.id,
            token.kind,
            token.hash,
            token.uses_left,
            token.expires.ms(),
            token.gives,
            token.host.map(|host| host.to_string()),
            token.made_by,
            i64::from(token.revoked)
        ],
    )
}

/// Certificates that end after `now`, dead ones too.
pub(crate) fn certificates(connection: &Connection, now: Timestamp) -> Result<Vec<CertificateRecord>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT serial, host, from_ms, until_ms, state FROM certificate WHERE until_ms > ?1")
        .map_err(in_state)?;
    collect(statement.query([now.ms()]), |row| {
        Ok(CertificateRecord {
            serial: column(row, 0)?,
            host: HostNo(column(row, 1)?),
            from: Timestamp::from_ms(column(row, 2)?),
            until: Timestamp::from_ms(column(row, 3)?),
            state: CertificateState::from_word(&column::<String>(row, 4)?),
        })
    })
}

/// Adds or replaces a certificate.
pub(crate) fn put_certificate(connection: &Connection, certificate: &CertificateRecord) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO certificate (serial, host, from_ms, until_ms, state) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (serial) DO UPDATE SET state = excluded.state",
        params![
            certificate.serial,
            certificate.host.0,
            certificate.from.ms(),
            certificate.until.ms(),
            certificate.state.word()
        ],
    )
}

/// Where the certificate `serial` stands.
pub(crate) fn certificate_state(
    connection: &Connection,
    serial: &[u8],
) -> Result<Option<CertificateState>, StoreError> {
    let word: Option<String> = connection
        .prepare_cached("SELECT state FROM certificate WHERE serial = ?1")
        .and_then(|mut statement| statement.query_row([serial], |row| row.get(0)).optional())
        .map_err(in_state)?;
    Ok(word.map(|word| CertificateState::from_word(&word)))
}

/// Serials and ends of a host's certificates besides `serial` that end after `now`.
pub(crate) fn other_certificates(
    connection: &Connection,
    host: HostNo,
    serial: &[u8],
    now: Timestamp,
) -> Result<Vec<(Vec<u8>, Timestamp)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT serial, until_ms FROM certificate WHERE host = ?1 AND serial <> ?2 AND until_ms > ?3")
        .map_err(in_state)?;
    collect(statement.query(params![host.0, serial, now.ms()]), |row| {
        Ok((column(row, 0)?, Timestamp::from_ms(column(row, 1)?)))
    })
}

/// The certificate `serial` of a host is live from now on, all its others are dead.
pub(crate) fn promote_certificate(connection: &Connection, host: HostNo, serial: &[u8]) -> Result<(), StoreError> {
    execute(
        connection,
        "UPDATE certificate SET state = CASE WHEN serial = ?2 THEN 'live' ELSE 'dead' END WHERE host = ?1",
        params![host.0, serial],
    )
}

/// All certificates of a host are dead; returns those that were not.
pub(crate) fn end_certificates(connection: &Connection, host: HostNo) -> Result<Vec<(Vec<u8>, Timestamp)>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT serial, until_ms FROM certificate WHERE host = ?1 AND state <> 'dead'")
        .map_err(in_state)?;
    let ended = collect(statement.query([host.0]), |row| Ok((column(row, 0)?, Timestamp::from_ms(column(row, 1)?))))?;
    execute(connection, "UPDATE certificate SET state = 'dead' WHERE host = ?1", params![host.0])?;
    Ok(ended)
}

/// The enrolment that had this nonce.
pub(crate) fn enrolment(connection: &Connection, nonce: &[u8]) -> Result<Option<EnrolmentRecord>, StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT nonce, key_hash, host, token, chain, at_ms FROM enrolment WHERE nonce = ?1")
        .map_err(in_state)?;
    let found = collect(statement.query([nonce]), |row| {
        Ok(EnrolmentRecord {
            nonce: column(row, 0)?,
            key_hash: column(row, 1)?,
            host: HostNo(column(row, 2)?),
            token: column(row, 3)?,
            chain: column(row, 4)?,
            at: Timestamp::from_ms(column(row, 5)?),
        })
    })?;
    Ok(found.into_iter().next())
}

/// Remembers an enrolment.
pub(crate) fn put_enrolment(connection: &Connection, enrolment: &EnrolmentRecord) -> Result<(), StoreError> {
    execute(
        connection,
        "INSERT INTO enrolment (nonce, key_hash, host, token, chain, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![
            enrolment.nonce,
            enrolment.key_hash,
            enrolment.host.0,
            enrolment.token,
            enrolment.chain,
            enrolment.at.ms()
        ],
    )
}

/// Forgets tokens that ended before `before`, enrolments that nobody asks for again, and certificates that ended before
/// `certificates_before`.
pub(crate) fn forget_ended(
    connection: &Connection,
    before: Timestamp,
    certificates_before: Timestamp,
) -> Result<(), StoreError> {
    execute(connection, "DELETE FROM certificate WHERE until_ms < ?1", params![certificates_before.ms()])?;
    execute(connection, "DELETE FROM token WHERE expires_ms < ?1", params![before.ms()])?;
    execute(connection, "DELETE FROM enrolment WHERE at_ms < ?1", params![before.ms()])
}
