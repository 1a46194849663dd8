//! The part of OData that the set-up calls understand: `$filter` with `eq`, `startswith`, `and`, `or`; `$select`, `$top`,
//! `$skiptoken`, `$count`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Map, Value, json};

use super::call::{Call, Refusal};

/// The query of one call.
#[derive(Clone, Debug, Default)]
pub(super) struct Query {
    filter: Option<String>,
    select: Vec<String>,
    top: Option<String>,
    skip_token: Option<String>,
    count: bool,
    search: bool,
}

impl Query {
    pub(super) fn parse(text: &str) -> Self {
        let mut query = Self::default();
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            match name.as_ref().trim_start_matches('$') {
                "filter" => query.filter = Some(value.into_owned()),
                "select" => query.select = value.split(',').map(|name| name.trim().to_owned()).collect(),
                "top" => query.top = Some(value.into_owned()),
                "skiptoken" => query.skip_token = Some(value.into_owned()),
                "count" => query.count = value.eq_ignore_ascii_case("true"),
                "search" => query.search = true,
                _ => {}
            }
        }
        query
    }

    pub(super) fn selects(&self, name: &str) -> bool {
        self.select.iter().any(|selected| selected.eq_ignore_ascii_case(name))
    }

    pub(super) fn selected(&self) -> &[String] {
        &self.select
    }

    /// What `$select` leaves of an object.
    pub(super) fn project(&self, object: Value) -> Value {
        match object {
            Value::Object(all) if !self.select.is_empty() => {
                Value::Object(all.into_iter().filter(|(name, _)| name.starts_with('@') || self.selects(name)).collect())
            }
            other => other,
        }
    }

    /// One object with its context.
    pub(super) fn entity(&self, call: &Call, set: &str, object: Value) -> Value {
        let Value::Object(projected) = self.project(object) else { return Value::Null };
        let selection = if self.select.is_empty() { String::new() } else { format!("({})", self.select.join(",")) };
        let mut all =
            Map::from_iter([("@odata.context".to_owned(), call.context(&format!("{set}{selection}/$entity")).into())]);
        all.extend(projected);
        Value::Object(all)
    }

    /// The matching objects, one page of them, in a collection.
    pub(super) fn collection(&self, call: &Call, set: &str, objects: Vec<Value>) -> Result<Value, Refusal> {
        let matching = self.matching(objects)?;
        let page_size = self.page_size()?;
        let offset = self.offset()?;
        let total = matching.len();
        let page: Vec<_> =
            matching.into_iter().skip(offset).take(page_size).map(|object| self.project(object)).collect();
        let selection = if self.select.is_empty() { String::new() } else { format!("({})", self.select.join(",")) };
        let mut answer = json!({ "@odata.context": call.context(&format!("{set}{selection}")) });
        if self.count {
            answer["@odata.count"] = total.into();
        }
        if offset + page.len() < total {
            let mut link = url::form_urlencoded::Serializer::new(String::new());
            if let Some(filter) = &self.filter {
                link.append_pair("$filter", filter);
            }
            if !self.select.is_empty() {
                link.append_pair("$select", &self.select.join(","));
            }
            link.append_pair("$top", &page_size.to_string());
            link.append_pair("$skiptoken", &URL_SAFE_NO_PAD.encode((offset + page.len()).to_string()));
            answer["@odata.nextLink"] = call.page_link(set, &link.finish()).into();
        }
        answer["value"] = page.into();
        Ok(answer)
    }

    pub(super) fn matching(&self, objects: Vec<Value>) -> Result<Vec<Value>, Refusal> {
        if self.search {
            return Err(Refusal::of(
                http::StatusCode::BAD_REQUEST,
                "Request_UnsupportedQuery",
                "$search is not supported here.",
            ));
        }
        let Some(filter) = &self.filter else { return Ok(objects) };
        let alternatives = parse_filter(filter).ok_or_else(|| {
            Refusal::of(http::StatusCode::BAD_REQUEST, "BadRequest", format!("Invalid filter clause: {filter}"))
        })?;
        let holds = |object: &Value| alternatives.iter().any(|all| all.iter().all(|condition| condition.holds(object)));
        Ok(objects.into_iter().filter(holds).collect())
    }

    fn page_size(&self) -> Result<usize, Refusal> {
        let Some(top) = &self.top else { return Ok(PAGE_SIZE_DEFAULT) };
        match top.parse::<usize>() {
            Ok(size @ 1..=PAGE_SIZE_MAX) => Ok(size),
            _ => Err(Refusal::of(
                http::StatusCode::BAD_REQUEST,
                "Request_UnsupportedQuery",
                format!("Invalid page size specified: '{top}'. Must be between 1 and {PAGE_SIZE_MAX} inclusive."),
            )),
        }
    }

    fn offset(&self) -> Result<usize, Refusal> {
        let Some(token) = &self.skip_token else { return Ok(0) };
        let decoded = URL_SAFE_NO_PAD.decode(token).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        decoded.and_then(|text| text.parse().ok()).ok_or_else(|| {
            Refusal::of(
                http::StatusCode::BAD_REQUEST,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired.",
            )
        })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Condition {
    property: String,
    value: Value,
    prefix: bool,
}

impl Condition {
    /// Texts compare without regard to case, as the directory does it.
    fn holds(&self, object: &Value) -> bool {
        let actual = self.property.split('/').fold(object, |value, name| &value[name]);
        match (actual, &self.value) {
            (Value::String(actual), Value::String(wanted)) => {
                let (actual, wanted) = (actual.to_lowercase(), wanted.to_lowercase());
                if self.prefix { actual.starts_with(&wanted) } else { actual == wanted }
            }
            (actual, wanted) => actual == wanted,
        }
    }
}

/// Alternatives of conjunctions; `None` for what is not understood. Quotes are honoured: `and` inside a text is text.
fn parse_filter(filter: &str) -> Option<Vec<Vec<Condition>>> {
    let mut alternatives = vec![Vec::new()];
    let mut rest = filter.trim();
    loop {
        let (condition, after) = parse_condition(rest)?;
        alternatives.last_mut()?.push(condition);
        rest = after.trim_start();
        if rest.is_empty() {
            return Some(alternatives);
        }
        let (word, after) = rest.split_once(' ')?;
        match word.to_ascii_lowercase().as_str() {
            "and" => {}
            "or" => alternatives.push(Vec::new()),
            _ => return None,
        }
        rest = after.trim_start();
    }
}

fn parse_condition(text: &str) -> Option<(Condition, &str)> {
    if let Some(arguments) = text.strip_prefix("startswith(").or_else(|| text.strip_prefix("startsWith(")) {
        let (property, rest) = arguments.split_once(',')?;
        let (value, rest) = parse_value(rest.trim_start())?;
        let condition = Condition { property: property.trim().to_owned(), value, prefix: true };
        return Some((condition, rest.trim_start().strip_prefix(')')?));
    }
    let (property, rest) = text.split_once(' ')?;
    let (operator, rest) = rest.trim_start().split_once(' ')?;
    if !operator.eq_ignore_ascii_case("eq") {
        return None;
    }
    let (value, rest) = parse_value(rest.trim_start())?;
    Some((Condition { property: property.to_owned(), value, prefix: false }, rest))
}

/// A text in quotes (a doubled quote is one), a GUID, `true`, `false` or `null`.
fn parse_value(text: &str) -> Option<(Value, &str)> {
    let Some(mut rest) = text.strip_prefix('\'') else {
        let end = text.find([' ', ')']).unwrap_or(text.len());
        let value = match &text[..end] {
            "" => return None,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            word => Value::String(word.to_owned()),
        };
        return Some((value, &text[end..]));
    };
    let mut value = String::new();
    loop {
        let (part, after) = rest.split_once('\'')?;
        value.push_str(part);
        match after.strip_prefix('\'') {
            Some(after) => {
                value.push('\'');
                rest = after;
            }
            None => return Some((Value::String(value), after)),
        }
    }
}

const PAGE_SIZE_DEFAULT: usize = 100;
const PAGE_SIZE_MAX: usize = 999;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_filter_makes_the_parser_panic(
            text in ".{0,120}",
            words in "(appId eq |startswith\\(appId,|'[a-zé ]{0,3}'?|null|\\)| and | or |[a-z' (),=]{1,4}){0,9}",
        ) {
            let _ = (parse_filter(&text), parse_filter(&words), Query::parse(&text));
        }
    }

    #[test]
    fn conditions_are_read_and_texts_keep_their_words() {
        let holds = |filter: &str| {
            let query = Query { filter: Some(filter.to_owned()), ..Query::default() };
            let object =
                json!({ "appId": "A-1", "displayName": "Bob's and Co", "accountEnabled": true, "web": { "x": null } });
            query.matching(vec![object]).map(|list| list.len() == 1).ok()
        };
        assert_eq!(holds("appId eq 'a-1'"), Some(true));
        assert_eq!(holds("displayName eq 'Bob''s and Co' and accountEnabled eq true"), Some(true));
        assert_eq!(holds("appId eq 'x' or startswith(displayName, 'bob')"), Some(true));
        assert_eq!(holds("appId eq 'x' and startswith(displayName,'bob')"), Some(false));
        assert_eq!(holds("web/x eq null"), Some(true));
        for wrong in ["appId", "appId eq", "appId gt 'a'", "appId eq 'a", "appId eq 'a' xor appId eq 'b'", ""] {
            assert_eq!(holds(wrong), None, "{wrong}");
        }
    }
}
