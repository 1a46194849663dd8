//! The query options of a list.

use std::cmp::Ordering;

use super::{
    filter::{Cell, Filter, Property},
    parser::FilterError,
};

/// What a caller asks of a list. Options are read, but not yet checked against a list's limits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pub filter: Option<String>,
    pub top: Option<usize>,
    pub skip: Option<usize>,
    pub order_by: Option<String>,
    pub select: Option<Vec<String>>,
    pub expand: Vec<String>,
    pub count: bool,
    pub skip_token: Option<String>,
}

/// Why a query is refused. The text is the one that a caller gets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    #[error(
        "The query specified in the URI is not valid. Custom query option '{0}' that starts with '$' is not supported."
    )]
    Unknown(String),
    #[error(
        "The query specified in the URI is not valid. Invalid value '{value}' for {name} query option found. The {name} query option requires a non-negative integer value."
    )]
    NotANumber { name: &'static str, value: String },
    #[error(
        "The query specified in the URI is not valid. The limit of '{limit}' for Top query has been exceeded. The value from the incoming request is '{asked}'."
    )]
    TopExceeded { limit: usize, asked: usize },
    #[error("The query specified in the URI is not valid. {0}")]
    Filter(#[from] FilterError),
    #[error(
        "The query specified in the URI is not valid. Could not find a property named '{property}' on type '{entity}'."
    )]
    UnknownProperty { property: String, entity: &'static str },
    #[error(
        "The query specified in the URI is not valid. Query option '{0}' is not allowed. To allow it, set the 'AllowedQueryOptions' property on EnableQueryAttribute or QueryValidationSettings."
    )]
    NotAllowed(&'static str),
    #[error("The query specified in the URI is not valid. Syntax error in the $orderby query option '{0}'.")]
    OrderBy(String),
    #[error(
        "The query specified in the URI is not valid. The value of the $skiptoken query option is not valid or has expired."
    )]
    SkipToken,
}

/// `$orderby`, bound to a list.
#[derive(Clone, Debug, Default)]
pub(crate) struct Order(Vec<(usize, bool)>);

impl Query {
    /// Reads the part of a URI after `?`. Names of options are taken in any letter case; others than OData's are not ours.
    pub(crate) fn read(query: &str, supported: &[&str]) -> Result<Self, QueryError> {
        let mut read = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if !name.starts_with('$') {
                continue;
            }
            let lower = name.to_ascii_lowercase();
            if !supported.contains(&lower.as_str()) {
                return Err(QueryError::Unknown(name.into_owned()));
            }
            read.set(&lower, &value)?;
        }
        Ok(read)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), QueryError> {
        let list = || value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        match name {
            "$filter" => self.filter = Some(value.to_owned()),
            "$top" => self.top = Some(number("$top", value)?),
            "$skip" => self.skip = Some(number("$skip", value)?),
            "$orderby" => self.order_by = Some(value.to_owned()),
            "$select" => self.select = Some(list()),
            "$expand" => self.expand = list(),
            "$count" => self.count = value.eq_ignore_ascii_case("true"),
            "$skiptoken" => self.skip_token = Some(value.to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// Page size: what was asked for, refused above `limit`.
    pub(crate) fn top_within(&self, limit: usize) -> Result<usize, QueryError> {
        match self.top {
            Some(asked) if asked > limit => Err(QueryError::TopExceeded { limit, asked }),
            Some(asked) => Ok(asked),
            None => Ok(limit),
        }
    }

    pub(crate) fn filter(&self, entity: &'static str, properties: &[Property]) -> Result<Option<Filter>, QueryError> {
        let read = |text: &String| Filter::read(text, entity, properties).map_err(QueryError::Filter);
        self.filter.as_ref().map(read).transpose()
    }

    pub(crate) fn order(&self, entity: &'static str, properties: &[Property]) -> Result<Order, QueryError> {
        let Some(text) = &self.order_by else { return Ok(Order::default()) };
        let mut keys = Vec::new();
        for part in text.split(',') {
            let words: Vec<&str> = part.split_whitespace().collect();
            let (name, descending) = match words[..] {
                [name] => (name, false),
                [name, direction] if direction.eq_ignore_ascii_case("asc") => (name, false),
                [name, direction] if direction.eq_ignore_ascii_case("desc") => (name, true),
                _ => return Err(QueryError::OrderBy(text.clone())),
            };
            let unknown = || QueryError::UnknownProperty { property: name.to_owned(), entity };
            let index = properties.iter().position(|property| property.name == name).ok_or_else(unknown)?;
            keys.push((index, descending));
        }
        Ok(Order(keys))
    }
}

impl Order {
    pub(crate) fn is_given(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn compare<'a, 'b>(
        &self,
        left: &dyn Fn(usize) -> Cell<'a>,
        right: &dyn Fn(usize) -> Cell<'b>,
    ) -> Ordering {
        let by_key = |(index, descending): &(usize, bool)| {
            let order = left(*index).order(&right(*index));
            if *descending { order.reverse() } else { order }
        };
        self.0.iter().map(by_key).find(|order| *order != Ordering::Equal).unwrap_or(Ordering::Equal)
    }
}

fn number(name: &'static str, value: &str) -> Result<usize, QueryError> {
    value.trim().parse().map_err(|_| QueryError::NotANumber { name, value: value.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUPPORTED: &[&str] = &["$filter", "$top", "$skip"];

    #[test]
    fn options_are_read_from_an_encoded_and_a_literal_query() {
        let encoded = Query::read("%24filter=status%20eq%20%27Active%27&$top=7", SUPPORTED).unwrap();
        let literal = Query::read("$FILTER=status+eq+'Active'&$top=7&other=1", SUPPORTED).unwrap();
        assert_eq!(encoded, literal);
        assert_eq!((encoded.filter.as_deref(), encoded.top), (Some("status eq 'Active'"), Some(7)));
    }

    #[test]
    fn what_is_not_supported_is_named() {
        let refused = |query: &str| Query::read(query, SUPPORTED).expect_err(query).to_string();
        assert_eq!(
            refused("$stop=3"),
            "The query specified in the URI is not valid. Custom query option '$stop' that starts with '$' is not supported."
        );
        assert!(refused("$top=-1").contains("Invalid value '-1' for $top"));
        let too_many = Query::read("$top=100", SUPPORTED).unwrap().top_within(50).unwrap_err().to_string();
        assert!(too_many.ends_with(
            "The limit of '50' for Top query has been exceeded. The value from the incoming request is '100'."
        ));
    }
}
