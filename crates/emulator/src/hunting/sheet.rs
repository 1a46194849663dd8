//! Filling a hunting table row by row, by the names of its columns.

use std::collections::HashMap;

use serde_json::Value as Json;
use sortie_kql::{Dynamic, Table, TableBuilder, Type, Value};

use super::schema::TableInfo;
use crate::world::{Dice, Ticks};

/// A table that is being filled. Rows outside the time that hunting reaches back are left out.
pub(super) struct Sheet {
    builder: TableBuilder,
    places: HashMap<String, usize>,
    cells: Vec<Value>,
    report_id: Option<(usize, Type)>,
    has_time: bool,
    reach: Reach,
}

/// What hunting reaches: up to now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reach {
    pub from: Ticks,
    pub to: Ticks,
}

/// One row; it is added when it goes out of scope.
pub(super) struct Row<'s> {
    sheet: &'s mut Sheet,
    is_within: bool,
    is_lenient: bool,
}

impl Sheet {
    pub(super) fn new(info: &TableInfo, reach: Reach) -> Self {
        let places: HashMap<String, usize> =
            info.schema.stored().enumerate().map(|(at, column)| (column.name.to_string(), at)).collect();
        let column = |name: &str| info.schema.stored().enumerate().find(|(_, column)| &*column.name == name);
        Self {
            cells: vec![Value::Null; places.len()],
            report_id: column("ReportId").map(|(at, column)| (at, column.ty)),
            has_time: places.contains_key("Timestamp"),
            places,
            builder: TableBuilder::new(info.schema.clone()),
            reach,
        }
    }

    /// A row of something that happened at that time; its report id follows from the time.
    pub(super) fn row(&mut self, at: Ticks) -> Row<'_> {
        let is_within = self.reach.from <= at && at <= self.reach.to;
        if is_within && let Some((place, ty)) = self.report_id {
            let mut dice = Dice::new(&[at.0.unsigned_abs(), 71]);
            self.cells[place] = match ty {
                Type::Long => Value::Long(dice.between(1_000, 2_000_000_000)),
                _ => Value::text(dice.guid()),
            };
        }
        let has_time = self.has_time;
        let mut row = Row { sheet: self, is_within, is_lenient: false };
        if has_time {
            row.instant("Timestamp", at);
        }
        row
    }

    /// A row of something that is so now.
    pub(super) fn fact(&mut self) -> Row<'_> {
        let now = self.reach.to;
        self.row(now)
    }

    pub(super) fn finish(self) -> Table {
        self.builder.finish()
    }
}

impl Row<'_> {
    /// From here on, columns that this table does not have are passed over: for groups of columns that many tables share.
    pub(super) fn lenient(&mut self) -> &mut Self {
        self.is_lenient = true;
        self
    }

    pub(super) fn text(&mut self, name: &str, text: impl AsRef<str>) -> &mut Self {
        self.put(name, || Value::text(text))
    }

    /// Text where there is one.
    pub(super) fn maybe(&mut self, name: &str, text: Option<impl AsRef<str>>) -> &mut Self {
        if let Some(text) = text { self.text(name, text) } else { self }
    }

    pub(super) fn whole(&mut self, name: &str, number: i64) -> &mut Self {
        self.put(name, || Value::Long(number))
    }

    pub(super) fn truth(&mut self, name: &str, truth: bool) -> &mut Self {
        self.put(name, || Value::Bool(truth))
    }

    pub(super) fn instant(&mut self, name: &str, at: Ticks) -> &mut Self {
        self.put(name, || Value::DateTime(at.since_year_one()))
    }

    /// A dynamic; its text where the column is text.
    pub(super) fn json(&mut self, name: &str, json: &Json) -> &mut Self {
        self.put(name, || Value::Dynamic(dynamic(json)))
    }

    fn put(&mut self, name: &str, value: impl FnOnce() -> Value) -> &mut Self {
        if self.is_within {
            match self.sheet.places.get(name) {
                Some(place) => self.sheet.cells[*place] = value(),
                None => debug_assert!(self.is_lenient, "this table has no column {name}"),
            }
        }
        self
    }
}

impl Drop for Row<'_> {
    fn drop(&mut self) {
        if self.is_within && !std::thread::panicking() {
            self.sheet.builder.push(self.sheet.cells.iter().map(Value::cell));
        }
        self.sheet.cells.fill(Value::Null);
    }
}

pub(super) fn dynamic(json: &Json) -> Dynamic {
    Dynamic::parse(&json.to_string()).unwrap_or(Dynamic::Null)
}
