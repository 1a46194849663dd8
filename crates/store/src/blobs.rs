//! Blobs: what is too large for a row, in chunks, keyed by its hash within its tenant, swept when nobody needs it.

use std::fmt;

use rusqlite::{
    OptionalExtension, params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use sha2::{Digest, Sha256};

use crate::{Scope, Store, StoreError, StoreErrorKind};

/// SHA-256 of the content.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// Of this content.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }
}

impl Store {
    /// Keeps the content before anything refers to it. It stays for the grace of the retention, and as long as it is pinned.
    ///
    /// # Errors
    /// [`StoreErrorKind::TooLarge`] beyond 256 MB.
    pub async fn put_blob(&self, scope: Scope, content: Vec<u8>) -> Result<BlobHash, StoreError> {
        let bytes = content.len() as u64;
        let doing = format!("keep a blob of {bytes} bytes");
        if bytes > BLOB_BYTES_MAX {
            let kind = StoreErrorKind::TooLarge { what: "the blob".to_owned(), bytes, bytes_max: BLOB_BYTES_MAX };
            return Err(StoreError::new(doing, kind));
        }
        let (hash, now) = (BlobHash::of(&content), self.now());
        let is_new = self
            .write(&doing, move |connection| {
                let tenant = scope.owner()?;
                // The time is renewed, so that the sweep does not take what is about to be referred to.
                let sql = "INSERT INTO blobs (tenant_id, hash, bytes, made_us) VALUES (?1, ?2, ?3, ?4)
                           ON CONFLICT (tenant_id, hash) DO UPDATE SET made_us = ?4";
                connection.prepare_cached(sql)?.execute(params![tenant, hash, bytes, now.as_microsecond()])?;
                let sql =
                    "SELECT coalesce(sum(length(content)), 0) < ?3 FROM blob_chunks WHERE tenant_id = ?1 AND hash = ?2";
                Ok(connection.prepare_cached(sql)?.query_row(params![tenant, hash, bytes], |row| row.get(0))?)
            })
            .await?;
        if is_new {
            // Several commits, so that a large one does not hold up everybody else's.
            for (at, group) in content.chunks(CHUNK_BYTES * GROUP_LEN).enumerate() {
                let group = group.to_vec();
                self.write(&doing, move |connection| {
                    let tenant = scope.owner()?;
                    let sql =
                        "INSERT INTO blob_chunks (tenant_id, hash, at, content) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
                    for (chunk, content) in group.chunks(CHUNK_BYTES).enumerate() {
                        let place = i64::try_from(at * GROUP_LEN + chunk).expect("a blob has few chunks");
                        connection.prepare_cached(sql)?.execute(params![tenant, hash, place, content])?;
                    }
                    Ok(())
                })
                .await?;
            }
        }
        Ok(hash)
    }

    /// The content; `None` when it is not there, or not whole yet.
    ///
    /// # Errors
    /// [`StoreErrorKind::Damaged`] when what is there is not what was kept.
    pub async fn blob(&self, scope: Scope, hash: BlobHash) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("read a blob", move |connection| {
            let tenant = scope.owner()?;
            let sql = "SELECT bytes FROM blobs WHERE tenant_id = ?1 AND hash = ?2";
            let bytes: Option<u64> =
                connection.prepare_cached(sql)?.query_row(params![tenant, hash], |row| row.get(0)).optional()?;
            let Some(bytes) = bytes else { return Ok(None) };
            let mut content = Vec::with_capacity(usize::try_from(bytes.min(BLOB_BYTES_MAX)).unwrap_or(0));
            let sql = "SELECT content FROM blob_chunks WHERE tenant_id = ?1 AND hash = ?2 ORDER BY at";
            let mut statement = connection.prepare_cached(sql)?;
            let mut rows = statement.query(params![tenant, hash])?;
            while let Some(row) = rows.next()? {
                content.extend_from_slice(row.get_ref(0)?.as_blob().map_err(|error| damaged(&error.to_string()))?);
            }
            if (content.len() as u64) < bytes {
                return Ok(None);
            }
            match BlobHash::of(&content) == hash {
                true => Ok(Some(content)),
                false => Err(damaged("a blob is not what its hash says")),
            }
        })
        .await
    }

    /// Keeps a blob from the sweep on behalf of `user`, such as `run 018f.../step enrich`.
    ///
    /// # Errors
    /// [`StoreErrorKind::Absent`] when it was swept already.
    pub async fn pin_blob(&self, scope: Scope, hash: BlobHash, user: &str) -> Result<(), StoreError> {
        let user = user.to_owned();
        self.write("pin a blob", move |connection| {
            let tenant = scope.owner()?;
            let known = "SELECT 1 FROM blobs WHERE tenant_id = ?1 AND hash = ?2";
            if !connection.prepare_cached(known)?.exists(params![tenant, hash])? {
                return Err(StoreErrorKind::Absent("blob of that hash".to_owned()));
            }
            let sql = "INSERT INTO blob_uses (tenant_id, hash, used_by) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
            connection.prepare_cached(sql)?.execute(params![tenant, hash, user])?;
            Ok(())
        })
        .await
    }

    /// Lets go of everything that `user` has pinned.
    ///
    /// # Errors
    /// [`StoreError`] when the rows cannot be written.
    pub async fn unpin_blobs(&self, scope: Scope, user: &str) -> Result<(), StoreError> {
        let user = user.to_owned();
        self.write("let go of blobs", move |connection| {
            let sql = "DELETE FROM blob_uses WHERE tenant_id = ?1 AND used_by = ?2";
            connection.prepare_cached(sql)?.execute(params![scope.owner()?, user])?;
            Ok(())
        })
        .await
    }
}

fn damaged(what: &str) -> StoreErrorKind {
    StoreErrorKind::Damaged(what.to_owned())
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl ToSql for BlobHash {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(&self.0)))
    }
}

impl FromSql for BlobHash {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let size = || FromSqlError::InvalidBlobSize { expected_size: 32, blob_size: bytes.len() };
        bytes.try_into().map(Self).map_err(|_| size())
    }
}

/// A page holds 4 KB; a chunk is a run of overflow pages that is read in one go.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks of one commit.
const GROUP_LEN: usize = 16;
const BLOB_BYTES_MAX: u64 = 256 << 20;
