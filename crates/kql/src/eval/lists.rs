//! `in`, `has_any` and `has_all`: a value against a list that is written out, computed, or a table.

use std::sync::Arc;

use super::{Batch, Context, collect, eval as eval_scalar, text};
use crate::{
    ast::{InOp, InTest},
    dynamic::Dynamic,
    error::QueryError,
    functions::cell_key,
    hash::FastSet,
    plan::{InList, Scalar},
    table::{Column, Data},
    types::Type,
    value::{Cell, Value},
};

/// The values of a list, ready for look-ups.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    /// For `in` over text.
    texts: FastSet<Box<str>>,
    /// For `in` over anything else.
    keys: FastSet<Vec<u8>>,
    /// For `has_any` and `has_all`: the lower-case terms in order.
    terms: Vec<String>,
}

pub(super) fn eval(
    scalar: &Scalar,
    op: InOp,
    left: &Scalar,
    list: &InList,
    batch: &Batch,
    context: &Context<'_>,
) -> Result<Column, QueryError> {
    let column = eval_scalar(left, batch, context)?;
    let varying = matches!(list, InList::Scalars(items) if items.iter().any(Scalar::reads_columns));
    if varying {
        return by_row(op, &column, list, batch, context);
    }
    let id = match list {
        InList::Table(id, _) => *id,
        InList::Scalars(_) => usize::MAX - Arc::as_ptr(&scalar.kind) as usize,
    };
    let known = context.lists.borrow().get(&id).cloned();
    let set = match known {
        Some(set) => set,
        None => {
            let set = Arc::new(KeySet::new(op.test, &values(list, context)?));
            context.lists.borrow_mut().insert(id, Arc::clone(&set));
            set
        }
    };
    if column.type_of() == Type::String {
        return Ok(text::by_arena(scalar, &column, batch.rows, context, |text| {
            set.holds_text(op.test, text) != op.negated
        }));
    }
    let mut key = Vec::new();
    let holds = (0..batch.rows).map(|row| set.holds(column.cell(row), &mut key) != op.negated).collect();
    Ok(Column::new(Type::Bool, Data::Bool(holds), None))
}

/// All values of a list without columns.
fn values(list: &InList, context: &Context<'_>) -> Result<Vec<Value>, QueryError> {
    let one = Batch { columns: Vec::new(), rows: 1 };
    match list {
        InList::Scalars(items) => {
            let mut values = Vec::with_capacity(items.len());
            for item in items {
                values.push(eval_scalar(item, &one, context)?.cell(0).to_value());
            }
            Ok(values)
        }
        InList::Table(_, rel) => {
            let before = context.held();
            let rows = collect(rel, context)?;
            let at = rel.fields.iter().position(|field| !field.hidden).unwrap_or(0);
            let column = &rows.columns[at];
            context.release(context.held().saturating_sub(before));
            Ok((0..rows.rows).map(|row| column.cell(row).to_value()).collect())
        }
    }
}

fn by_row(
    op: InOp,
    column: &Column,
    list: &InList,
    batch: &Batch,
    context: &Context<'_>,
) -> Result<Column, QueryError> {
    let InList::Scalars(items) = list else { return Ok(Column::nulls(Type::Bool, batch.rows)) };
    let mut columns = Vec::with_capacity(items.len());
    for item in items {
        columns.push(eval_scalar(item, batch, context)?);
    }
    let mut key = Vec::new();
    let mut holds = Vec::with_capacity(batch.rows);
    for row in 0..batch.rows {
        let values: Vec<_> = columns.iter().map(|column| column.cell(row).to_value()).collect();
        let set = KeySet::new(op.test, &values);
        let cell = column.cell(row);
        let held = match cell {
            Cell::String(text) => set.holds_text(op.test, text),
            cell => set.holds(cell, &mut key),
        };
        holds.push(held != op.negated);
    }
    Ok(Column::new(Type::Bool, Data::Bool(holds), None))
}

impl KeySet {
    fn new(test: InTest, values: &[Value]) -> Self {
        let mut set = Self::default();
        for value in values {
            match value {
                Value::Dynamic(Dynamic::Array(items)) => items.iter().for_each(|item| set.add(test, item.scalar())),
                Value::Dynamic(Dynamic::Bag(entries)) => {
                    entries.iter().for_each(|(name, _)| set.add(test, Cell::String(name)));
                }
                value => set.add(test, value.cell()),
            }
        }
        set
    }

    fn add(&mut self, test: InTest, cell: Cell<'_>) {
        match test {
            InTest::HasAny | InTest::HasAll => self.terms.push(cell.to_string().to_lowercase()),
            InTest::InIgnoringCase => {
                self.texts.insert(cell.to_string().to_lowercase().into_boxed_str());
            }
            InTest::In => {
                if cell.is_null() {
                    return;
                }
                self.texts.insert(cell.to_string().into_boxed_str());
                let mut key = Vec::new();
                cell_key(cell, &mut key);
                self.keys.insert(key);
            }
        }
    }

    fn holds_text(&self, test: InTest, text: &str) -> bool {
        match test {
            InTest::In => self.texts.contains(text),
            InTest::InIgnoringCase => self.texts.contains(text.to_lowercase().as_str()),
            InTest::HasAny => {
                let text = text.to_lowercase();
                self.terms.iter().any(|term| text::has_term(&text, term))
            }
            InTest::HasAll => {
                let text = text.to_lowercase();
                self.terms.iter().all(|term| text::has_term(&text, term))
            }
        }
    }

    fn holds(&self, cell: Cell<'_>, key: &mut Vec<u8>) -> bool {
        let cell = match cell {
            Cell::Dynamic(value) => value.scalar(),
            cell => cell,
        };
        if let Cell::String(text) = cell {
            return self.texts.contains(text);
        }
        if cell.is_null() {
            return false;
        }
        key.clear();
        cell_key(cell, key);
        self.keys.contains(key)
    }
}
