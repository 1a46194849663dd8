//! Nodes: the processes that run Sortie on this database. One at a time on SQLite; the form is ready for more.

use jiff::Timestamp;
use rusqlite::{
    params,
    types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef},
};
use uuid::Uuid;

use crate::{Store, StoreError, StoreErrorKind};

/// One start of one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NodeId(Uuid);

impl Store {
    /// Registers this process and forgets those that have not renewed themselves since `dead_before`.
    ///
    /// # Errors
    /// [`StoreError`] when the row cannot be written.
    pub async fn join(&self, name: &str, dead_before: Timestamp) -> Result<NodeId, StoreError> {
        let (node, name, now) = (NodeId(Uuid::now_v7()), name.to_owned(), self.now());
        self.write("register this process", move |connection| {
            connection
                .prepare_cached("DELETE FROM nodes WHERE renewed_us < ?1")?
                .execute([dead_before.as_microsecond()])?;
            let sql = "INSERT INTO nodes (node_id, name, started_us, renewed_us) VALUES (?1, ?2, ?3, ?3)";
            connection.prepare_cached(sql)?.execute(params![node, name, now.as_microsecond()])?;
            Ok(node)
        })
        .await
    }

    /// Says that this process lives.
    ///
    /// # Errors
    /// [`StoreErrorKind::Stale`] when it was taken for dead: it must stop its work and join anew.
    pub async fn renew(&self, node: NodeId) -> Result<(), StoreError> {
        let now = self.now();
        self.write_statement("renew the registration of this process", move |connection| {
            let sql = "UPDATE nodes SET renewed_us = ?2 WHERE node_id = ?1";
            match connection.prepare_cached(sql)?.execute(params![node, now.as_microsecond()])? {
                0 => Err(StoreErrorKind::Stale("the registration of this process".to_owned())),
                _ => Ok(()),
            }
        })
        .await
    }
}

impl ToSql for NodeId {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for NodeId {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}
