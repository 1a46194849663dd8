//! One column: a shared buffer and the rows of it that count, so that slices, constants, filters and joins copy no cell.

use std::sync::Arc;

use super::strings::Strings;
use crate::{decimal::Decimal, dynamic::Dynamic, types::Type, value::Cell};

/// Cells of one type. Copies share the cells.
#[derive(Clone, Debug)]
pub struct Column {
    ty: Type,
    buffer: Arc<Buffer>,
    rows: Rows,
}

/// The cells themselves.
#[derive(Debug)]
pub(crate) struct Buffer {
    pub(crate) data: Data,
    /// `None`: no cell is null. Text and dynamic never use it: they have an empty value of their own.
    pub(crate) valid: Option<Vec<bool>>,
}

/// Cells by their machine type.
#[derive(Debug)]
pub(crate) enum Data {
    Bool(Vec<bool>),
    /// int, long, datetime and timespan.
    Long(Vec<i64>),
    Real(Vec<f64>),
    Decimal(Vec<Decimal>),
    Guid(Vec<u128>),
    String(Strings),
    Dynamic(Vec<Dynamic>),
}

/// Which cells of the buffer are the rows.
#[derive(Clone, Debug)]
pub(crate) enum Rows {
    Range {
        start: usize,
        len: usize,
    },
    Repeat {
        at: usize,
        len: usize,
    },
    /// `NONE` is a null.
    Pick(Arc<Vec<u32>>),
}

type Picked = Arc<Vec<u32>>;

/// In `Rows::Pick`: no row of the buffer, a null.
pub(crate) const NONE: u32 = u32::MAX;

impl Column {
    pub(crate) fn new(ty: Type, data: Data, valid: Option<Vec<bool>>) -> Self {
        let len = data.len();
        let valid = valid.filter(|valid| valid.contains(&false));
        Self { ty, buffer: Arc::new(Buffer { data, valid }), rows: Rows::Range { start: 0, len } }
    }

    /// A column of nulls, which are empty strings where the type is string.
    pub fn nulls(ty: Type, len: usize) -> Self {
        let mut builder = super::ColumnBuilder::new(ty);
        builder.push_null();
        builder.finish().repeat(0, len)
    }

    /// What the cells are.
    pub fn type_of(&self) -> Type {
        self.ty
    }

    /// How many rows.
    pub fn len(&self) -> usize {
        match &self.rows {
            Rows::Range { len, .. } | Rows::Repeat { len, .. } => *len,
            Rows::Pick(rows) => rows.len(),
        }
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One value, borrowed.
    ///
    /// # Panics
    /// Where there is no such row.
    pub fn cell(&self, row: usize) -> Cell<'_> {
        let at = match &self.rows {
            Rows::Range { start, len } => {
                assert!(row < *len, "row {row} of {len}");
                start + row
            }
            Rows::Repeat { at, .. } => *at,
            Rows::Pick(rows) => match rows[row] {
                NONE => return if self.ty == Type::String { Cell::String("") } else { Cell::Null },
                at => at as usize,
            },
        };
        self.buffer.cell(self.ty, at)
    }

    pub(crate) fn slice(&self, start: usize, len: usize) -> Self {
        let rows = match &self.rows {
            Rows::Range { start: first, .. } => Rows::Range { start: first + start, len },
            Rows::Repeat { at, .. } => Rows::Repeat { at: *at, len },
            Rows::Pick(rows) => Rows::Pick(Arc::new(rows[start..start + len].to_vec())),
        };
        Self { ty: self.ty, buffer: Arc::clone(&self.buffer), rows }
    }

    /// One row, `len` times.
    pub(crate) fn repeat(&self, row: usize, len: usize) -> Self {
        let rows = match &self.rows {
            Rows::Range { start, .. } => Rows::Repeat { at: start + row, len },
            Rows::Repeat { at, .. } => Rows::Repeat { at: *at, len },
            Rows::Pick(rows) if rows[row] == NONE => return Self::nulls(self.ty, len),
            Rows::Pick(rows) => Rows::Repeat { at: rows[row] as usize, len },
        };
        Self { ty: self.ty, buffer: Arc::clone(&self.buffer), rows }
    }

    /// The one cell of all rows, if that is how the column is kept.
    pub(crate) fn constant(&self) -> Option<Cell<'_>> {
        match self.rows {
            Rows::Repeat { at, .. } => Some(self.buffer.cell(self.ty, at)),
            _ => None,
        }
    }

    /// The same rows lying one after the other in the buffer.
    pub(crate) fn dense(&self) -> Self {
        match &self.rows {
            Rows::Range { .. } => self.clone(),
            Rows::Repeat { at, len } => {
                let at = u32::try_from(*at).unwrap_or(NONE);
                self.gather(&vec![at; *len])
            }
            Rows::Pick(rows) => self.gather(rows),
        }
    }

    /// Columns one behind the other, if they share a buffer or an arena; else the cells must be built anew.
    pub(crate) fn joined(parts: &[&Self]) -> Option<Self> {
        let first = parts.first()?;
        if parts.iter().all(|part| Arc::ptr_eq(&part.buffer, &first.buffer)) {
            if let Some(rows) = adjoining(parts) {
                return Some(Self { ty: first.ty, buffer: Arc::clone(&first.buffer), rows });
            }
            let mut rows = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
            for part in parts {
                match &part.rows {
                    Rows::Range { start, len } => rows.extend((*start..start + len).map(place)),
                    Rows::Repeat { at, len } => rows.extend(std::iter::repeat_n(place(*at), *len)),
                    Rows::Pick(picked) => rows.extend_from_slice(picked),
                }
            }
            return Some(Self { ty: first.ty, buffer: Arc::clone(&first.buffer), rows: Rows::Pick(Arc::new(rows)) });
        }
        let Data::String(one) = &first.buffer.data else { return None };
        let mut codes = Vec::new();
        for part in parts {
            let dense = part.dense();
            let (more, arena) = dense.strings()?;
            if !Arc::ptr_eq(arena, &one.arena) {
                return None;
            }
            codes.extend_from_slice(more);
        }
        Some(Self::new(first.ty, Data::String(Strings { codes, arena: Arc::clone(&one.arena) }), None))
    }

    fn gather(&self, rows: &[u32]) -> Self {
        let valid = match &self.buffer.valid {
            Some(valid) => Some(rows.iter().map(|row| *row != NONE && valid[*row as usize]).collect()),
            None if rows.contains(&NONE) => Some(rows.iter().map(|row| *row != NONE).collect()),
            None => None,
        };
        Self::new(self.ty, self.buffer.data.gather(rows), valid)
    }

    /// Cells of a dense column as machine words: int, long, datetime, timespan.
    pub(crate) fn longs(&self) -> Option<&[i64]> {
        match (&self.buffer.data, &self.rows) {
            (Data::Long(values), Rows::Range { start, len }) => Some(&values[*start..start + len]),
            _ => None,
        }
    }

    /// Cells of a dense column of reals.
    pub(crate) fn reals(&self) -> Option<&[f64]> {
        match (&self.buffer.data, &self.rows) {
            (Data::Real(values), Rows::Range { start, len }) => Some(&values[*start..start + len]),
            _ => None,
        }
    }

    /// Cells of a dense column of truth values.
    pub(crate) fn bools(&self) -> Option<&[bool]> {
        match (&self.buffer.data, &self.rows) {
            (Data::Bool(values), Rows::Range { start, len }) => Some(&values[*start..start + len]),
            _ => None,
        }
    }

    /// Codes of a dense text column, and the arena that they point into.
    pub(crate) fn strings(&self) -> Option<(&[u32], &Arc<super::Arena>)> {
        match (&self.buffer.data, &self.rows) {
            (Data::String(strings), Rows::Range { start, len }) => {
                Some((&strings.codes[*start..start + len], &strings.arena))
            }
            _ => None,
        }
    }

    /// Which cells of a dense column hold a value; `None` where all do. Not for text and dynamic.
    pub(crate) fn valid(&self) -> Option<&[bool]> {
        match (&self.buffer.valid, &self.rows) {
            (Some(valid), Rows::Range { start, len }) => Some(&valid[*start..start + len]),
            _ => None,
        }
    }

    /// About how many bytes the rows take.
    pub(crate) fn bytes(&self) -> usize {
        let len = self.len();
        if matches!(self.rows, Rows::Repeat { .. }) {
            return 64;
        }
        let shared = self.buffer.data.len().max(1);
        match &self.buffer.data {
            Data::Bool(_) => len,
            Data::Long(_) | Data::Real(_) => len * 8,
            Data::Decimal(_) => len * 32,
            Data::Guid(_) => len * 16,
            Data::String(strings) => len * 4 + strings.arena.bytes() / shared * len,
            Data::Dynamic(values) => {
                // A sample stands for all: exact sums would cost more than the operators.
                let sample: usize = values.iter().take(32).map(Dynamic::bytes).sum();
                len * (sample / values.len().clamp(1, 32)).max(size_of::<Dynamic>())
            }
        }
    }
}

/// Those rows of every column, `NONE` for a null. Columns that share their rows keep sharing them.
pub(crate) fn pick(columns: &[Column], rows: Vec<u32>) -> Vec<Column> {
    let rows = Arc::new(rows);
    let mut composed: Vec<(Picked, Picked)> = Vec::new();
    let mut shifted: Vec<(usize, Arc<Vec<u32>>)> = Vec::new();
    columns
        .iter()
        .map(|column| {
            let rows = match &column.rows {
                Rows::Repeat { at, .. } if !rows.contains(&NONE) => Rows::Repeat { at: *at, len: rows.len() },
                Rows::Repeat { at, .. } => Rows::Pick(Arc::new(rows.iter().map(|row| moved(*row, |_| *at)).collect())),
                Rows::Range { start: 0, .. } => Rows::Pick(Arc::clone(&rows)),
                Rows::Range { start, .. } => {
                    let known = shifted.iter().find(|(known, _)| known == start).map(|(_, rows)| Arc::clone(rows));
                    Rows::Pick(known.unwrap_or_else(|| {
                        let new = Arc::new(rows.iter().map(|row| moved(*row, |row| row + start)).collect());
                        shifted.push((*start, Arc::clone(&new)));
                        new
                    }))
                }
                Rows::Pick(old) => {
                    let known = composed.iter().find(|(known, _)| Arc::ptr_eq(known, old)).map(|(_, new)| new);
                    let new = known.cloned().unwrap_or_else(|| {
                        let take = |row: &u32| if *row == NONE { NONE } else { old[*row as usize] };
                        let new = Arc::new(rows.iter().map(take).collect());
                        composed.push((Arc::clone(old), Arc::clone(&new)));
                        new
                    });
                    Rows::Pick(new)
                }
            };
            Column { ty: column.ty, buffer: Arc::clone(&column.buffer), rows }
        })
        .collect()
}

/// One range over parts that are ranges without gaps.
fn adjoining(parts: &[&Column]) -> Option<Rows> {
    let (mut first, mut end) = (None, 0);
    for part in parts {
        let Rows::Range { start, len } = part.rows else { return None };
        if first.is_some() && start != end {
            return None;
        }
        first.get_or_insert(start);
        end = start + len;
    }
    first.map(|start| Rows::Range { start, len: end - start })
}

fn place(row: usize) -> u32 {
    u32::try_from(row).unwrap_or(NONE)
}

fn moved(row: u32, to: impl Fn(usize) -> usize) -> u32 {
    if row == NONE { NONE } else { u32::try_from(to(row as usize)).unwrap_or(NONE) }
}

impl Buffer {
    pub(crate) fn cell(&self, ty: Type, at: usize) -> Cell<'_> {
        if self.valid.as_ref().is_some_and(|valid| !valid[at]) {
            return Cell::Null;
        }
        match &self.data {
            Data::Bool(values) => Cell::Bool(values[at]),
            Data::Long(values) => long_cell(ty, values[at]),
            Data::Real(values) => Cell::Real(values[at]),
            Data::Decimal(values) => Cell::Decimal(values[at]),
            Data::Guid(values) => Cell::Guid(values[at]),
            Data::String(strings) => Cell::String(strings.at(at)),
            Data::Dynamic(values) => match &values[at] {
                Dynamic::Null => Cell::Null,
                value => Cell::Dynamic(value),
            },
        }
    }
}

/// A machine word as the type says.
#[expect(clippy::cast_possible_truncation, reason = "builders keep ints within 32 bits")]
pub(crate) fn long_cell(ty: Type, value: i64) -> Cell<'static> {
    match ty {
        Type::Int => Cell::Int(value as i32),
        Type::DateTime => Cell::DateTime(value),
        Type::TimeSpan => Cell::TimeSpan(value),
        _ => Cell::Long(value),
    }
}

impl Data {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Bool(values) => values.len(),
            Self::Long(values) => values.len(),
            Self::Real(values) => values.len(),
            Self::Decimal(values) => values.len(),
            Self::Guid(values) => values.len(),
            Self::String(strings) => strings.codes.len(),
            Self::Dynamic(values) => values.len(),
        }
    }

    fn gather(&self, rows: &[u32]) -> Self {
        fn take<T: Clone>(values: &[T], rows: &[u32], none: T) -> Vec<T> {
            rows.iter().map(|row| if *row == NONE { none.clone() } else { values[*row as usize].clone() }).collect()
        }
        match self {
            Self::Bool(values) => Self::Bool(take(values, rows, false)),
            Self::Long(values) => Self::Long(take(values, rows, 0)),
            Self::Real(values) => Self::Real(take(values, rows, 0.0)),
            Self::Decimal(values) => Self::Decimal(take(values, rows, Decimal::from(0))),
            Self::Guid(values) => Self::Guid(take(values, rows, 0)),
            Self::String(strings) => {
                Self::String(Strings { codes: take(&strings.codes, rows, 0), arena: Arc::clone(&strings.arena) })
            }
            Self::Dynamic(values) => Self::Dynamic(take(values, rows, Dynamic::Null)),
        }
    }
}
