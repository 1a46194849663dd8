//! Binds a filter to the properties of a list and asks rows whether they match.

use std::{borrow::Cow, cmp::Ordering};

use super::parser::{Expression, FilterError, Function, Literal, Operand, Operator, parse_odata_filter};
use crate::world::Ticks;

/// A property of the rows of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    pub name: &'static str,
    pub kind: Kind,
    pub filterable: bool,
}

/// The type of a property.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    /// Says which words are members; compared in any letter case.
    Enumeration(fn(&str) -> bool),
    Instant,
    Number,
    Boolean,
    TextList,
}

/// The value of a property in one row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Text(Cow<'a, str>),
    Instant(Ticks),
    Number(f64),
    Boolean(bool),
    TextList(Vec<&'a str>),
}

/// A filter whose properties exist and whose types fit.
#[derive(Clone, Debug)]
pub(crate) struct Filter(Bound);

#[derive(Clone, Debug)]
enum Bound {
    And(Box<Bound>, Box<Bound>),
    Or(Box<Bound>, Box<Bound>),
    Not(Box<Bound>),
    Compare { place: Place, operator: Operator, literal: Literal },
    In { place: Place, members: Vec<Literal> },
    Match { function: Function, place: Place, text: String },
    Any { property: usize, body: Box<Bound> },
}

/// Where a value comes from: a property, or the variable of the lambda around.
#[derive(Clone, Copy, Debug)]
enum Place {
    Property(usize),
    Variable,
}

impl<'a> Cell<'a> {
    pub(crate) fn optional(text: Option<&'a str>) -> Self {
        text.map_or(Self::Null, Self::text)
    }

    pub(crate) fn text(text: &'a str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }

    /// Order of two values of one property; nothing comes first.
    pub(crate) fn order(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Null, Self::Null) => Ordering::Equal,
            (Self::Null, _) => Ordering::Less,
            (_, Self::Null) => Ordering::Greater,
            (Self::Instant(a), Self::Instant(b)) => a.cmp(b),
            (Self::Number(a), Self::Number(b)) => a.total_cmp(b),
            (Self::Boolean(a), Self::Boolean(b)) => a.cmp(b),
            (Self::Text(a), Self::Text(b)) => a.cmp(b),
            _ => Ordering::Equal,
        }
    }
}

impl Filter {
    /// Reads a filter for rows of type `entity` that have `properties`.
    pub(crate) fn read(text: &str, entity: &'static str, properties: &[Property]) -> Result<Self, FilterError> {
        let parsed = parse_odata_filter(text)?;
        Ok(Self(Binder { entity, properties, variable: None }.bind(&parsed.0)?))
    }

    /// Whether a row matches; `cell` gives the value of the property at an index of the table.
    pub(crate) fn matches<'r>(&self, cell: &dyn Fn(usize) -> Cell<'r>) -> bool {
        self.0.matches(cell, None)
    }
}

struct Binder<'p> {
    entity: &'static str,
    properties: &'p [Property],
    variable: Option<String>,
}

impl Binder<'_> {
    fn bind(&self, expression: &Expression) -> Result<Bound, FilterError> {
        Ok(match expression {
            Expression::And(left, right) => Bound::And(Box::new(self.bind(left)?), Box::new(self.bind(right)?)),
            Expression::Or(left, right) => Bound::Or(Box::new(self.bind(left)?), Box::new(self.bind(right)?)),
            Expression::Not(inside) => Bound::Not(Box::new(self.bind(inside)?)),
            Expression::Compare { left, operator, right } => self.compare(left, *operator, right)?,
            Expression::In { left, members } => {
                let Operand::Property(name) = left else { return Err(types("Edm.Untyped", "Collection", "In")) };
                let (place, kind) = self.place(name)?;
                for member in members {
                    fits(kind, Operator::Equal, member)?;
                }
                Bound::In { place, members: members.clone() }
            }
            Expression::Match { function, property, text } => {
                let (place, kind) = self.place(property)?;
                if !matches!(kind, Kind::Text) {
                    return Err(types(kind.edm(), "Edm.String", "Function"));
                }
                Bound::Match { function: *function, place, text: text.clone() }
            }
            Expression::Any { property, variable, body } => {
                let (Place::Property(index), Kind::TextList) = self.place(property)? else {
                    return Err(FilterError::NotFilterable(property.clone()));
                };
                let inside =
                    Binder { entity: self.entity, properties: self.properties, variable: Some(variable.clone()) };
                Bound::Any { property: index, body: Box::new(inside.bind(body)?) }
            }
        })
    }

    fn compare(&self, left: &Operand, operator: Operator, right: &Operand) -> Result<Bound, FilterError> {
        let (name, operator, literal) = match (left, right) {
            (Operand::Property(name), Operand::Literal(literal)) => (name, operator, literal),
            (Operand::Literal(literal), Operand::Property(name)) => (name, operator.mirrored(), literal),
            (Operand::Property(name), Operand::Property(other)) => {
                self.place(name)?;
                self.place(other)?;
                return Err(FilterError::NotFilterable(other.clone()));
            }
            (Operand::Literal(_), Operand::Literal(_)) => {
                return Err(types("Edm.Untyped", "Edm.Untyped", operator.name()));
            }
        };
        let (place, kind) = self.place(name)?;
        fits(kind, operator, literal)?;
        Ok(Bound::Compare { place, operator, literal: literal.clone() })
    }

    fn place(&self, name: &str) -> Result<(Place, Kind), FilterError> {
        if self.variable.as_deref() == Some(name) {
            return Ok((Place::Variable, Kind::Text));
        }
        let found = self.properties.iter().position(|property| property.name == name);
        let Some(index) = found else {
            return Err(FilterError::UnknownProperty { property: name.to_owned(), entity: self.entity });
        };
        let property = &self.properties[index];
        if !property.filterable {
            return Err(FilterError::NotFilterable(name.to_owned()));
        }
        Ok((Place::Property(index), property.kind))
    }
}

impl Bound {
    fn matches<'r>(&self, cell: &dyn Fn(usize) -> Cell<'r>, variable: Option<&str>) -> bool {
        let value = |place: &Place| match place {
            Place::Property(index) => cell(*index),
            Place::Variable => Cell::Text(Cow::Owned(variable.unwrap_or_default().to_owned())),
        };
        match self {
            Self::And(left, right) => left.matches(cell, variable) && right.matches(cell, variable),
            Self::Or(left, right) => left.matches(cell, variable) || right.matches(cell, variable),
            Self::Not(inside) => !inside.matches(cell, variable),
            Self::Compare { place, operator, literal } => operator.holds(&value(place), literal),
            Self::In { place, members } => {
                let value = value(place);
                members.iter().any(|member| Operator::Equal.holds(&value, member))
            }
            Self::Match { function, place, text } => match value(place) {
                Cell::Text(value) => function.holds(&value.to_lowercase(), &text.to_lowercase()),
                _ => false,
            },
            Self::Any { property, body } => match cell(*property) {
                Cell::TextList(items) => items.iter().any(|item| body.matches(cell, Some(item))),
                _ => false,
            },
        }
    }
}

impl Operator {
    fn holds(self, value: &Cell<'_>, literal: &Literal) -> bool {
        let order = match (value, literal) {
            (Cell::Null, Literal::Null) => Some(Ordering::Equal),
            (Cell::Text(text), Literal::Text(other)) => Some(folded(text).cmp(&folded(other))),
            (Cell::Instant(instant), Literal::Instant(other)) => Some(instant.cmp(other)),
            (Cell::Number(number), Literal::Number(other)) => number.partial_cmp(other),
            (Cell::Boolean(is), Literal::Boolean(other)) => Some(is.cmp(other)),
            _ => None,
        };
        match self {
            Self::Equal => order == Some(Ordering::Equal),
            Self::NotEqual => order != Some(Ordering::Equal),
            Self::GreaterThan => order == Some(Ordering::Greater),
            Self::GreaterThanOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
            Self::LessThan => order == Some(Ordering::Less),
            Self::LessThanOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        }
    }

    fn mirrored(self) -> Self {
        match self {
            Self::GreaterThan => Self::LessThan,
            Self::GreaterThanOrEqual => Self::LessThanOrEqual,
            Self::LessThan => Self::GreaterThan,
            Self::LessThanOrEqual => Self::GreaterThanOrEqual,
            same => same,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Equal => "Equal",
            Self::NotEqual => "NotEqual",
            Self::GreaterThan => "GreaterThan",
            Self::GreaterThanOrEqual => "GreaterThanOrEqual",
            Self::LessThan => "LessThan",
            Self::LessThanOrEqual => "LessThanOrEqual",
        }
    }
}

impl Function {
    fn holds(self, value: &str, text: &str) -> bool {
        match self {
            Self::StartsWith => value.starts_with(text),
            Self::EndsWith => value.ends_with(text),
            Self::Contains => value.contains(text),
        }
    }
}

impl Kind {
    fn edm(self) -> &'static str {
        match self {
            Self::Text | Self::Enumeration(_) => "Edm.String",
            Self::Instant => "Edm.DateTimeOffset",
            Self::Number => "Edm.Int32",
            Self::Boolean => "Edm.Boolean",
            Self::TextList => "Collection(Edm.String)",
        }
    }
}

/// Whether a literal may stand beside a property of this kind.
fn fits(kind: Kind, operator: Operator, literal: &Literal) -> Result<(), FilterError> {
    match (kind, literal) {
        (Kind::Enumeration(is_member), Literal::Text(text)) => {
            if is_member(text) {
                Ok(())
            } else {
                Err(FilterError::NotAMember(text.clone()))
            }
        }
        (Kind::Text, Literal::Text(_) | Literal::Null)
        | (Kind::Enumeration(_), Literal::Null)
        | (Kind::Instant, Literal::Instant(_) | Literal::Null)
        | (Kind::Boolean, Literal::Boolean(_) | Literal::Null)
        | (Kind::Number, Literal::Number(_) | Literal::Null) => Ok(()),
        _ => Err(types(kind.edm(), literal.edm(), operator.name())),
    }
}

impl Literal {
    fn edm(&self) -> &'static str {
        match self {
            Self::Null => "Edm.Null",
            Self::Boolean(_) => "Edm.Boolean",
            Self::Number(_) => "Edm.Int32",
            Self::Text(_) => "Edm.String",
            Self::Instant(_) => "Edm.DateTimeOffset",
        }
    }
}

fn types(left: &'static str, right: &'static str, operator: &'static str) -> FilterError {
    FilterError::Types { left, right, operator }
}

fn folded(text: &str) -> Cow<'_, str> {
    let is_folded = !text.chars().any(char::is_uppercase);
    if is_folded { Cow::Borrowed(text) } else { Cow::Owned(text.to_lowercase()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TABLE: &[Property] = &[
        Property {
            name: "status",
            kind: Kind::Enumeration(|word| ["active", "resolved"].contains(&word.to_lowercase().as_str())),
            filterable: true,
        },
        Property { name: "assignedTo", kind: Kind::Text, filterable: true },
        Property { name: "changed", kind: Kind::Instant, filterable: true },
        Property { name: "score", kind: Kind::Number, filterable: true },
        Property { name: "tags", kind: Kind::TextList, filterable: true },
        Property { name: "title", kind: Kind::Text, filterable: false },
    ];

    fn row(index: usize) -> Cell<'static> {
        match index {
            0 => Cell::text("active"),
            1 => Cell::Null,
            2 => Cell::Instant(Ticks::from("2026-11-01T10:00:00Z".parse::<jiff::Timestamp>().unwrap())),
            3 => Cell::Number(45.0),
            4 => Cell::TextList(vec!["VIP", "Demo"]),
            _ => Cell::text("Title"),
        }
    }

    #[test]
    fn rows_match_by_type() {
        for (filter, expected) in [
            ("status eq 'Active'", true),
            ("status ne 'active'", false),
            ("'active' eq status", true),
            ("status in ('resolved')", false),
            ("assignedTo eq null", true),
            ("assignedTo ne null", false),
            ("assignedTo eq 'x@y.test'", false),
            ("assignedTo ne 'x@y.test'", true),
            ("not startswith(assignedTo,'x')", true),
            ("changed ge 2026-11-01T10:00:00Z", true),
            ("changed gt 2026-11-01T10:00:00Z", false),
            ("changed gt 2026-11-01T10:00:00+00:30", true),
            ("2026-11-01T09:59:59.9999999Z lt changed", true),
            ("score gt 44 and score le 45", true),
            ("score lt 45 or status eq 'active'", true),
            ("tags/any(t: t eq 'vip')", true),
            ("tags/any(t: startswith(t,'Q'))", false),
        ] {
            let read = Filter::read(filter, "test.row", TABLE).unwrap_or_else(|error| panic!("{filter}: {error}"));
            assert_eq!(read.matches(&row), expected, "{filter}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused_in_the_known_words() {
        let refused = |filter: &str| Filter::read(filter, "test.row", TABLE).expect_err(filter).to_string();
        assert_eq!(refused("nope eq 'x'"), "Could not find a property named 'nope' on type 'test.row'.");
        assert_eq!(refused("title eq 'x'"), "The property 'title' cannot be used in the $filter query option.");
        assert_eq!(refused("status eq 'dozing'"), "The string 'dozing' is not a valid enumeration type constant.");
        assert!(refused("changed ge '2026-11-01'").contains("'Edm.DateTimeOffset' and 'Edm.String'"));
        assert!(refused("score eq 'x'").contains("operator kind 'Equal'"));
        assert!(refused("Status eq 'active'").contains("named 'Status'"));
    }

    proptest! {
        #[test]
        fn a_filter_that_is_taken_can_be_asked_of_any_row(
            words in proptest::collection::vec(proptest::sample::select(vec![
                "(", ")", "and", "or", "not", "eq", "ne", "gt", "in", "status", "assignedTo", "changed", "score",
                "tags/any(t: t eq 'VIP')", "startswith(assignedTo,'x')", "'active'", "45", "2026-11-01T00:00:00Z", "null",
                "status eq 'active'", "score gt 3", "assignedTo eq null", "assignedTo ne 'x'", "score le 45", "changed ne null",
            ]), 0..12),
        ) {
            if let Ok(filter) = Filter::read(&words.join(" "), "test.row", TABLE) {
                let twice = format!("not ({})", words.join(" "));
                let opposite = Filter::read(&twice, "test.row", TABLE).unwrap();
                prop_assert_ne!(filter.matches(&row), opposite.matches(&row));
            }
        }
    }
}
