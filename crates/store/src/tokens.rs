//! API tokens: 32 random bytes that act for their principal. Only their hash is kept, so the file gives none away.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rand::Rng;
use rusqlite::{OptionalExtension, params};
use serde_json::json;
use sha2::{Digest, Sha256};
use sortie_model::Secret;
use zeroize::Zeroizing;

use crate::{
    Actor, ActorKind, PrincipalId, Scope, Store, StoreError, StoreErrorKind,
    audit::act,
    database::instant,
    principals::{self, people},
};

/// What is known of a token without having it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenInfo {
    /// Its first characters.
    pub prefix: String,
    /// What it is for.
    pub name: String,
    /// For whom it acts.
    pub principal: String,
    /// When it was made.
    pub made: Timestamp,
    /// When it ends.
    pub expires: Option<Timestamp>,
    /// The day on which it was last used.
    pub used: Option<Timestamp>,
}

impl Store {
    /// Makes a token. Its text is told now and never again.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown user, [`StoreErrorKind::Exists`] for a name that the user's tokens have
    /// already, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn add_token(
        &self,
        principal: PrincipalId,
        name: &str,
        expires: Option<Timestamp>,
    ) -> Result<(Secret, TokenInfo), StoreError> {
        let (name, now, actor) = (name.to_owned(), self.now(), self.actor());
        let mut bytes = Zeroizing::new([0_u8; 32]);
        rand::rng().fill_bytes(bytes.as_mut_slice());
        let text = Secret::new(format!("{MARK}{}", URL_SAFE_NO_PAD.encode(bytes.as_slice())));
        let hash: [u8; 32] = Sha256::digest(bytes.as_slice()).into();
        let prefix = text.expose()[..MARK.len() + PREFIX_CHARS].to_owned();
        let info = self
            .write(&format!("add token {name}"), move |writing| {
                let owner = principals::by_id(writing, principal)?;
                let detail = json!({ "name": name, "prefix": prefix, "expires": expires.map(|end| end.to_string()) });
                act(writing, &actor, &people(Scope::Every, "token.add", &owner.name, detail), now)?;
                let sql = "INSERT INTO tokens (hash, principal_id, name, prefix, made_us, expires_us)
                           VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
                let end = expires.map(Timestamp::as_microsecond);
                let row = params![hash, principal, name, prefix, now.as_microsecond(), end];
                if writing.prepare_cached(sql)?.execute(row)? == 0 {
                    return Err(StoreErrorKind::Exists(format!("token {}/{name}", owner.name)));
                }
                Ok(TokenInfo { prefix, name, principal: owner.name, made: now, expires, used: None })
            })
            .await?;
        Ok((text, info))
    }

    /// The tokens, by principal and name.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be read.
    pub async fn tokens(&self) -> Result<Vec<TokenInfo>, StoreError> {
        self.read("list tokens", |sqlite| {
            let sql = "SELECT t.prefix, t.name, p.name, t.made_us, t.expires_us, t.used_day
                       FROM tokens t JOIN principals p USING (principal_id) ORDER BY p.name, t.name";
            let mut statement = sqlite.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| {
                let (expires, used): (Option<i64>, Option<i64>) = (row.get(4)?, row.get(5)?);
                Ok(TokenInfo {
                    prefix: row.get(0)?,
                    name: row.get(1)?,
                    principal: row.get(2)?,
                    made: instant(row.get(3)?),
                    expires: expires.map(instant),
                    used: used.map(|day| instant(day.saturating_mul(DAY.as_secs() * 1_000_000))),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Ends a token at once.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] for an unknown prefix, [`StoreErrorKind::Forbidden`] to whom it is not granted.
    pub async fn revoke_token(&self, prefix: &str) -> Result<(), StoreError> {
        let (prefix, now, actor) = (prefix.to_owned(), self.now(), self.actor());
        self.write(&format!("revoke token {prefix}"), move |writing| {
            let sql = "DELETE FROM tokens WHERE prefix = ?1 RETURNING principal_id, name";
            let gone: Option<(PrincipalId, String)> =
                writing.prepare_cached(sql)?.query_row([&prefix], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
            let (owner, name) = gone.ok_or_else(|| StoreErrorKind::Absent(format!("token {prefix}")))?;
            let owner = principals::by_id(writing, owner)?.name;
            let detail = json!({ "name": name, "prefix": prefix });
            act(writing, &actor, &people(Scope::Every, "token.revoke", &owner, detail), now)
        })
        .await
    }

    /// For whom a token acts; `None` for one that is unknown or has ended, and for one whose user is disabled.
    ///
    /// It is looked up by its hash. How long that takes tells of hashes alone, and a hash leads to no token.
    ///
    /// # Errors
    /// [`StoreError`] when the file cannot be used.
    pub async fn principal_of_token(&self, text: &Secret) -> Result<Option<Actor>, StoreError> {
        let Some(hash) = hash_of(text) else { return Ok(None) };
        let now = self.now();
        let today = now.as_second().div_euclid(DAY.as_secs());
        let found = self
            .read("look a token up", move |sqlite| {
                let sql = "SELECT principal_id, name, expires_us, used_day FROM tokens WHERE hash = ?1";
                let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
                let row: Option<(PrincipalId, String, Option<i64>, Option<i64>)> =
                    sqlite.prepare_cached(sql)?.query_row([hash], read).optional()?;
                let Some((owner, name, expires, used)) = row else { return Ok(None) };
                let owner = principals::by_id(sqlite, owner)?;
                if expires.is_some_and(|end| end <= now.as_microsecond()) || owner.disabled.is_some() {
                    return Ok(None);
                }
                let name = format!("{}/{name}", owner.name);
                let actor = Actor { id: owner.id.to_string(), name, kind: ActorKind::Token, grants: owner.grants };
                Ok(Some((actor, used)))
            })
            .await?;
        let Some((actor, used)) = found else { return Ok(None) };
        if used.is_none_or(|day| day < today) {
            self.write_statement("note the use of a token", move |writing| {
                let sql = "UPDATE tokens SET used_day = ?2 WHERE hash = ?1";
                Ok(writing.prepare_cached(sql)?.execute(params![hash, today])?)
            })
            .await?;
        }
        Ok(Some(actor))
    }
}

/// `None` for what is no token of ours at all.
fn hash_of(text: &Secret) -> Option<[u8; 32]> {
    let encoded = text.expose().strip_prefix(MARK)?;
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(encoded).ok()?);
    (bytes.len() == 32).then(|| Sha256::digest(bytes.as_slice()).into())
}

/// What a token begins with, so that one that was lost can be found by scanners.
const MARK: &str = "sortie_";
/// So much of a token is shown: 48 of its 256 bits.
const PREFIX_CHARS: usize = 8;
const DAY: SignedDuration = SignedDuration::from_hours(24);
