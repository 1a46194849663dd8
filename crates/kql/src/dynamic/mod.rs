//! Values of type dynamic: JSON, and instants, durations and GUIDs in it.

mod json;

use std::{cmp::Ordering, fmt, sync::Arc};

use crate::{
    time,
    value::{Cell, GuidText, RealText, Value},
};

/// A dynamic value. Copies are cheap: arrays, bags and text are shared.
#[derive(Clone, Debug)]
pub enum Dynamic {
    /// JSON's null; as a cell it counts as null.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    Long(i64),
    /// A fraction.
    Real(f64),
    /// Text.
    String(Arc<str>),
    /// An instant in ticks.
    DateTime(i64),
    /// A duration in ticks.
    TimeSpan(i64),
    /// 128 bits.
    Guid(u128),
    /// A list.
    Array(Arc<Vec<Dynamic>>),
    /// Names and values, in the order of their first appearance.
    Bag(Arc<Vec<(Arc<str>, Dynamic)>>),
}

impl Dynamic {
    /// Reads JSON. `None` where the text is not JSON or is nested deeper than 128 levels.
    pub fn parse(text: &str) -> Option<Self> {
        json::parse(text)
    }

    /// Text as a dynamic.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::String(Arc::from(text.as_ref()))
    }

    /// A list.
    pub fn array(items: Vec<Self>) -> Self {
        Self::Array(Arc::new(items))
    }

    /// A property bag; where a name comes twice, the last value counts.
    pub fn bag(entries: Vec<(Arc<str>, Self)>) -> Self {
        let mut unique: Vec<(Arc<str>, Self)> = Vec::with_capacity(entries.len());
        let mut places = std::collections::HashMap::new();
        for (name, value) in entries {
            match places.get(&name) {
                Some(at) => {
                    let (_, old): &mut (Arc<str>, Self) = &mut unique[*at];
                    *old = value;
                }
                None => {
                    places.insert(Arc::clone(&name), unique.len());
                    unique.push((name, value));
                }
            }
        }
        Self::Bag(Arc::new(unique))
    }

    /// The value of that name, if this is a bag that has it.
    pub fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Bag(entries) => entries.iter().find(|(key, _)| &**key == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The element at that place, counted from the end where negative.
    pub fn element(&self, at: i64) -> Option<&Self> {
        let Self::Array(items) = self else { return None };
        let at = if at < 0 { at + i64::try_from(items.len()).ok()? } else { at };
        items.get(usize::try_from(at).ok()?)
    }

    /// The elements, if this is a list.
    pub fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// The names and values, if this is a bag.
    pub fn entries(&self) -> Option<&[(Arc<str>, Self)]> {
        match self {
            Self::Bag(entries) => Some(entries),
            _ => None,
        }
    }

    /// A scalar as a cell of its own type; lists and bags stay dynamic.
    pub fn scalar(&self) -> Cell<'_> {
        match self {
            Self::Null => Cell::Null,
            Self::Bool(value) => Cell::Bool(*value),
            Self::Long(value) => Cell::Long(*value),
            Self::Real(value) => Cell::Real(*value),
            Self::String(value) => Cell::String(value),
            Self::DateTime(value) => Cell::DateTime(*value),
            Self::TimeSpan(value) => Cell::TimeSpan(*value),
            Self::Guid(value) => Cell::Guid(*value),
            Self::Array(_) | Self::Bag(_) => Cell::Dynamic(self),
        }
    }

    /// An order over all dynamics: by kind, then by value.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Array(left), Self::Array(right)) => left
                .iter()
                .zip(right.iter())
                .map(|(left, right)| left.order(right))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| left.len().cmp(&right.len())),
            (Self::Bag(left), Self::Bag(right)) => left
                .iter()
                .zip(right.iter())
                .map(|(left, right)| left.0.cmp(&right.0).then_with(|| left.1.order(&right.1)))
                .find(|order| order.is_ne())
                .unwrap_or_else(|| left.len().cmp(&right.len())),
            _ => self.rank().cmp(&other.rank()).then_with(|| self.order_scalars(other)),
        }
    }

    fn order_scalars(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Array(_) | Self::Bag(_), _) | (_, Self::Array(_) | Self::Bag(_)) => Ordering::Equal,
            _ => self.scalar().order(other.scalar()),
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Long(_) | Self::Real(_) => 2,
            Self::DateTime(_) => 3,
            Self::TimeSpan(_) => 4,
            Self::Guid(_) => 5,
            Self::String(_) => 6,
            Self::Array(_) => 7,
            Self::Bag(_) => 8,
        }
    }

    /// Whether it is larger than that. Parts that are shared count every time, and the count ends at the bound.
    pub(crate) fn exceeds(&self, bytes_max: usize) -> bool {
        fn spend(value: &Dynamic, left: usize) -> Option<usize> {
            let left = left.checked_sub(size_of::<Dynamic>())?;
            match value {
                Dynamic::String(text) => left.checked_sub(text.len()),
                Dynamic::Array(items) => items.iter().try_fold(left, |left, item| spend(item, left)),
                Dynamic::Bag(entries) => entries
                    .iter()
                    .try_fold(left, |left, (name, value)| spend(value, left.checked_sub(16 + name.len())?)),
                _ => Some(left),
            }
        }
        spend(self, bytes_max).is_none()
    }

    /// About how many bytes it holds.
    pub(crate) fn bytes(&self) -> usize {
        let own = size_of::<Self>();
        match self {
            Self::String(text) => own + text.len(),
            Self::Array(items) => own + items.iter().map(Self::bytes).sum::<usize>(),
            Self::Bag(entries) => {
                own + entries.iter().map(|(name, value)| 16 + name.len() + value.bytes()).sum::<usize>()
            }
            _ => own,
        }
    }
}

/// Structural equality; a whole number equals the same fraction, and the order of names does not count.
impl PartialEq for Dynamic {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Array(left), Self::Array(right)) => left == right,
            (Self::Bag(left), Self::Bag(right)) => {
                left.len() == right.len()
                    && left.iter().all(|(name, value)| other.field(name).is_some_and(|other| value == other))
            }
            _ => self.rank() == other.rank() && self.rank() < 7 && self.order_scalars(other).is_eq(),
        }
    }
}

impl Eq for Dynamic {}

impl From<Cell<'_>> for Dynamic {
    fn from(cell: Cell<'_>) -> Self {
        match cell {
            Cell::Null => Self::Null,
            Cell::Bool(value) => Self::Bool(value),
            Cell::Int(value) => Self::Long(i64::from(value)),
            Cell::Long(value) => Self::Long(value),
            Cell::Real(value) => Self::Real(value),
            Cell::Decimal(value) => Self::Real(value.to_f64()),
            Cell::String(value) => Self::text(value),
            Cell::DateTime(value) => Self::DateTime(value),
            Cell::TimeSpan(value) => Self::TimeSpan(value),
            Cell::Guid(value) => Self::Guid(value),
            Cell::Dynamic(value) => value.clone(),
        }
    }
}

impl From<Value> for Dynamic {
    fn from(value: Value) -> Self {
        match value {
            Value::Dynamic(value) => value,
            Value::String(value) => Self::String(value),
            other => Self::from(other.cell()),
        }
    }
}

/// As `tostring` prints it: text without quotes, all else as JSON.
impl fmt::Display for Dynamic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::String(text) => f.write_str(text),
            Self::DateTime(_) | Self::TimeSpan(_) | Self::Guid(_) => self.scalar().fmt(f),
            _ => self.write_json(f),
        }
    }
}

impl Dynamic {
    /// JSON, also for text.
    pub fn write_json(&self, f: &mut impl fmt::Write) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Long(value) => write!(f, "{value}"),
            Self::Real(value) if value.is_finite() && value.fract() == 0.0 && value.abs() < 1e15 => {
                write!(f, "{value:.1}")
            }
            Self::Real(value) if value.is_finite() => write!(f, "{}", RealText(*value)),
            Self::Real(value) => write!(f, "\"{}\"", RealText(*value)),
            Self::String(text) => json::write_text(text, f),
            Self::DateTime(ticks) => write!(f, "\"{}\"", time::InstantText(*ticks)),
            Self::TimeSpan(ticks) => write!(f, "\"{}\"", time::SpanText(*ticks)),
            Self::Guid(bits) => write!(f, "\"{}\"", GuidText(*bits)),
            Self::Array(items) => {
                f.write_str("[")?;
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        f.write_str(",")?;
                    }
                    item.write_json(f)?;
                }
                f.write_str("]")
            }
            Self::Bag(entries) => {
                f.write_str("{")?;
                for (at, (name, value)) in entries.iter().enumerate() {
                    if at > 0 {
                        f.write_str(",")?;
                    }
                    json::write_text(name, f)?;
                    f.write_str(":")?;
                    value.write_json(f)?;
                }
                f.write_str("}")
            }
        }
    }

    /// JSON as a text of its own.
    pub fn to_json(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = self.write_json(&mut text);
        text
    }
}
