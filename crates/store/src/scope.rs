//! Whose rows an operation may touch.

use std::fmt;

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use uuid::Uuid;

/// Our own key of a tenant; the Entra GUID and the cloud are attributes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantKey(pub(crate) Uuid);

impl TenantKey {
    /// Holds what is for all tenants.
    pub const SHARED: Self = Self(Uuid::nil());

    pub(crate) fn fresh() -> Self {
        Self(Uuid::now_v7())
    }

    /// Its sixteen bytes.
    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }
}

impl fmt::Display for TenantKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The tenants that a caller may see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// One tenant, and nothing of another's.
    Tenant(TenantKey),
    /// All tenants: the operator of the installation.
    Every,
}

impl Scope {
    /// The tenant that a row is written for.
    pub(crate) fn owner(self) -> Result<TenantKey, crate::StoreErrorKind> {
        match self {
            Self::Tenant(tenant) => Ok(tenant),
            Self::Every => Err(crate::StoreErrorKind::NeedsTenant),
        }
    }

    /// For `tenant_id = coalesce(?, tenant_id)`.
    pub(crate) fn filter(self) -> Option<TenantKey> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::Every => None,
        }
    }
}

impl ToSql for TenantKey {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for TenantKey {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(|error| FromSqlError::Other(Box::new(error)))
    }
}
