//! Names and types of a table's columns.

use std::sync::Arc;

use crate::types::Type;

/// What a column is called and what it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnInfo {
    /// The name; letter case counts.
    pub name: Arc<str>,
    /// What its cells are.
    pub ty: Type,
    /// Where its cells come from.
    pub origin: Origin,
}

/// Where the cells of a column come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The table holds them, and `T` alone shows them.
    Stored,
    /// Another name for a stored column; it can be named, and `T` alone does not show it.
    Alias(Arc<str>),
    /// Can be named, is null or empty in every row, and `T` alone does not show it.
    Absent,
}

/// The columns of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    columns: Vec<ColumnInfo>,
}

impl Schema {
    /// No columns yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more column that the table holds.
    #[must_use]
    pub fn with(self, name: impl AsRef<str>, ty: Type) -> Self {
        self.push(name.as_ref(), ty, Origin::Stored)
    }

    /// With another name for a stored column; without effect where `of` does not exist or `name` does.
    #[must_use]
    pub fn with_alias(self, name: impl AsRef<str>, of: &str) -> Self {
        let stored = self.stored().find(|column| &*column.name == of).cloned();
        match stored.map(|column| (column.ty, column.name)) {
            Some((ty, of)) => self.push(name.as_ref(), ty, Origin::Alias(of)),
            None => self,
        }
    }

    /// With a column that can be named and holds nothing; without effect where `name` exists.
    #[must_use]
    pub fn with_absent(self, name: impl AsRef<str>, ty: Type) -> Self {
        self.push(name.as_ref(), ty, Origin::Absent)
    }

    /// All columns, in order.
    pub fn columns(&self) -> &[ColumnInfo] {
        &self.columns
    }

    /// The columns that the table holds, in order.
    pub fn stored(&self) -> impl Iterator<Item = &ColumnInfo> {
        self.columns.iter().filter(|column| column.origin == Origin::Stored)
    }

    /// The place of that name among all columns.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| &*column.name == name)
    }

    fn push(mut self, name: &str, ty: Type, origin: Origin) -> Self {
        if self.position(name).is_none() {
            self.columns.push(ColumnInfo { name: Arc::from(name), ty, origin });
        }
        self
    }
}

impl<N: AsRef<str>> FromIterator<(N, Type)> for Schema {
    fn from_iter<I: IntoIterator<Item = (N, Type)>>(columns: I) -> Self {
        columns.into_iter().fold(Self::new(), |schema, (name, ty)| schema.with(name, ty))
    }
}
