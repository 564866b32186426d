//! Join tokens: `mu1_<8 characters>_<43 characters>_<32 hex>` = id, secret (256 bits), pin of the root.
//!
//! The pin lets an agent check the collector on first contact. Of the secret only a hash is kept.

use super::{
    Denied, Identity, TokenKind, TokenRow, TokenSpec, hex,
    labels::{Gives, MOST_LABELS, label_trouble},
    random, sha256,
};
use crate::{
    domain::{labels::Admission, record::AuditRow, time::Timestamp},
    store::{
        StoreError, from_json,
        identity_rows::{self, TokenRecord},
        json,
    },
};

const PREFIX: &str = "mu1";
const ID_CHARACTERS: usize = 8;
/// 62^43 > 2^256.
const SECRET_CHARACTERS: usize = 43;
const PIN_CHARACTERS: usize = 32;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Ranges of addresses of one token: networks of one roll-out.
const MOST_RANGES: usize = 16;
/// A site's name is shown like a label's value.
const LONGEST_SITE: usize = 256;

/// A token as presented, in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PresentedToken {
    pub(super) id: String,
    /// SHA-256 of the secret, hex.
    hash: String,
    pub(super) pin: String,
}

impl PresentedToken {
    /// Takes a token apart; anything that was never made by us is no token.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim().split('_');
        let (prefix, id, secret, pin) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let well_formed = parts.next().is_none()
            && prefix == PREFIX
            && id.len() == ID_CHARACTERS
            && secret.len() == SECRET_CHARACTERS
            && pin.len() == PIN_CHARACTERS
            && [id, secret, pin].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        well_formed.then(|| Self { id: id.to_owned(), hash: hex(&sha256(secret.as_bytes())), pin: pin.to_owned() })
    }

    /// Whether it is this token, in a time that does not tell how nearly.
    pub(super) fn is(&self, record: &TokenRecord) -> bool {
        let (mine, theirs) = (self.hash.as_bytes(), record.hash.as_bytes());
        let difference = mine.iter().zip(theirs).fold(0, |sum, (one, other)| sum | (one ^ other));
        self.id == record.id && mine.len() == theirs.len() && std::hint::black_box(difference) == 0
    }
}

/// Refuses a token whose time or uses are over.
pub(super) fn check_usable(token: &TokenRecord, now: Timestamp) -> Result<(), Denied> {
    if token.revoked {
        Err(Denied::UnknownToken)
    } else if token.expires <= now {
        Err(Denied::ExpiredToken(token.expires))
    } else if token.uses_left < 1 {
        Err(Denied::UsedToken)
    } else {
        Ok(())
    }
}

impl Identity {
    /// Makes a token; the text is shown once.
    ///
    /// # Errors
    /// [`Denied::BadRequest`] names the limit that is broken.
    pub async fn create_token(&self, spec: TokenSpec, by: AuditRow, now: Timestamp) -> Result<String, Denied> {
        check_spec(&spec).map_err(Denied::BadRequest)?;
        let (id, secret) = (base62(ID_CHARACTERS)?, base62(SECRET_CHARACTERS)?);
        let ttl_ms = if spec.ttl_ms == 0 { spec.kind.default_ttl_ms() } else { spec.ttl_ms };
        let from = spec.from.iter().map(ToString::to_string).collect();
        let gives = Gives { labels: spec.labels, class: spec.class, site: spec.site, watch: spec.watch, from };
        let record = TokenRecord {
            id: id.clone(),
            kind: spec.kind.word().to_owned(),
            hash: hex(&sha256(secret.as_bytes())),
            uses_left: i64::from(spec.uses.max(1)),
            expires: now.plus_ms(ttl_ms),
            gives: json(&gives)?,
            host: spec.host,
            made_by: by.who.clone(),
            revoked: false,
        };
        let kept = record.clone();
        let write = move |connection: &rusqlite::Connection| {
            if let Some(host) = record.host {
                match identity_rows::host_by_id(connection, host)? {
                    None => return Ok(Err(Denied::BadRequest(format!("there is no host {host}")))),
                    Some(known) if matches!(known.admission, Admission::Revoked | Admission::Retired) => {
                        return Ok(Err(Denied::NotAdmitted { name: known.name, admission: known.admission }));
                    }
                    Some(_) => {}
                }
            }
            identity_rows::put_token(connection, &record)?;
            identity_rows::append_audit(connection, &by)?;
            Ok(Ok(()))
        };
        self.store.write(write, |_| {}).await??;
        self.core.change_ledger(move |ledger| ledger.set_token(kept)).await?;
        Ok(format!("{PREFIX}_{id}_{secret}_{}", self.pin()))
    }

    /// Tokens that still work.
    ///
    /// # Errors
    /// [`Denied::Store`].
    pub async fn tokens(&self, now: Timestamp) -> Result<Vec<TokenRow>, Denied> {
        let records = self.store.read(identity_rows::tokens).await?;
        let working = records.into_iter().filter(|token| check_usable(token, now).is_ok());
        working.map(|token| row(token).map_err(Denied::from)).collect()
    }

    /// Revokes a token at once. False when there is none.
    ///
    /// # Errors
    /// [`Denied::Store`].
    pub async fn revoke_token(&self, id: &str, by: AuditRow) -> Result<bool, Denied> {
        let id = id.to_owned();
        let write = move |connection: &rusqlite::Connection| {
            let Some(token) = identity_rows::token(connection, &id)?.filter(|token| !token.revoked) else {
                return Ok(None);
            };
            let token = TokenRecord { revoked: true, ..token };
            identity_rows::put_token(connection, &token)?;
            identity_rows::append_audit(connection, &by)?;
            Ok(Some(token))
        };
        let Some(token) = self.store.write(write, |_| {}).await? else { return Ok(false) };
        self.core.change_ledger(move |ledger| ledger.set_token(token)).await?;
        Ok(true)
    }
}

fn check_spec(spec: &TokenSpec) -> Result<(), String> {
    let (kind, longest_ms) = (spec.kind.word(), spec.kind.longest_ttl_ms(!spec.from.is_empty()));
    if spec.ttl_ms < 0 || spec.ttl_ms > longest_ms {
        return Err(format!("a {kind} token lives for at most {} h", longest_ms / 3_600_000));
    }
    if spec.from.len() > MOST_RANGES {
        return Err(format!("a token names at most {MOST_RANGES} ranges of addresses, {} were given", spec.from.len()));
    }
    if let Some(range) = spec.from.iter().find(|range| range.is_everything()) {
        return Err(format!("{range} is no limit: name the ranges of your own networks, or none"));
    }
    if spec.uses > spec.kind.most_uses() {
        return Err(format!("a {kind} token has at most {} uses, {} were asked for", spec.kind.most_uses(), spec.uses));
    }
    match (spec.kind, spec.host) {
        (TokenKind::Replace, None) => return Err("a replace token is bound to a host: name it (--host)".into()),
        (TokenKind::Single | TokenKind::Batch | TokenKind::Image, Some(_)) => {
            return Err(format!("a {kind} token makes new hosts: only a replace token names one"));
        }
        _ => {}
    }
    if spec.labels.len() > MOST_LABELS {
        return Err(format!("a host has at most {MOST_LABELS} labels, {} were given", spec.labels.len()));
    }
    if spec.site.as_ref().is_some_and(|site| site.len() > LONGEST_SITE || site.chars().any(char::is_control)) {
        return Err(format!("a site's name has at most {LONGEST_SITE} bytes and no control characters"));
    }
    spec.labels.iter().find_map(|(name, value)| label_trouble(name, value)).map_or(Ok(()), Err)
}

fn row(token: TokenRecord) -> Result<TokenRow, StoreError> {
    let gives: Gives = from_json(&token.gives)?;
    Ok(TokenRow {
        kind: TokenKind::from_word(&token.kind)
            .ok_or_else(|| StoreError::Broken(format!("state.db: unknown kind {:?} of a token", token.kind)))?,
        expires: token.expires,
        uses_left: u32::try_from(token.uses_left).unwrap_or(0),
        host: token.host,
        gives: gives.words(),
        made_by: token.made_by,
        id: token.id,
    })
}

/// Random characters, each of the 62 as likely: bytes of 248 and more are thrown away.
fn base62(characters: usize) -> Result<String, StoreError> {
    let mut text = String::with_capacity(characters);
    while text.len() < characters {
        for byte in random::<64>()? {
            if byte < 248 && text.len() < characters {
                text.push(char::from(BASE62[usize::from(byte % 62)]));
            }
        }
    }
    Ok(text)
}
