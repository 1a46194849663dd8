//! All pages of a list, bounded: by next link, `Link` header, cursor, page number or offset.

use std::collections::HashSet;

use serde_json::{Map, Value};
use sortie_openapi::{Description, Operation, Pages, Pagination};

use crate::{Answer, AnswerBody, CallError, Caller, Credential, Target, build};

/// How far pages are followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimits {
    /// Pages at most.
    pub pages_max: u32,
    /// Items at most.
    pub items_max: usize,
}

/// What came of all pages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Paged {
    /// The items in order.
    pub items: Vec<Value>,
    /// Pages read.
    pub pages: u32,
    /// Why there may be more; `None` where the list was read to its end.
    pub cut: Option<Cut>,
}

/// Why a list was not read to its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Cut {
    /// By the caller's own bounds.
    #[error("the bound of pages or items was reached")]
    Bound,
    /// The next page's address is of another host; no credential goes there.
    #[error("the next page would be at `{0}`, another host, and was not asked for")]
    ForeignLink(String),
    /// The answer leads back to a page that was read.
    #[error("the next page is one that was read before")]
    Loop,
    /// The document does not say how to ask for the next page, or where the items are.
    #[error("the description does not say how the next page is asked for")]
    Unknown,
}

impl Default for PageLimits {
    fn default() -> Self {
        Self { pages_max: 1_000, items_max: 100_000 }
    }
}

impl Caller {
    /// Reads page after page. The items of pages that were read before a failure are lost with it: a list is whole or not
    /// there.
    ///
    /// # Errors
    /// [`CallError`] of the first page that could not be read.
    pub async fn all_pages(
        &self,
        description: &Description,
        operation: &Operation,
        inputs: &Map<String, Value>,
        target: &Target,
        credential: &Credential,
        limits: PageLimits,
    ) -> Result<Paged, CallError> {
        let mut paged = Paged::default();
        let mut inputs = inputs.clone();
        let mut built = build(description, operation, &inputs, target)?;
        let first = built.url.clone();
        let mut seen = HashSet::from([first.to_string()]);
        loop {
            let answer = self.send(&built, operation.effect.class, credential).await?;
            paged.pages += 1;
            let Some(items) = items(&answer, operation.pagination.as_ref()) else {
                paged.cut = Some(Cut::Unknown);
                return Ok(paged);
            };
            let count = items.len();
            paged.items.extend(items);
            let Some(next) = next(&answer, operation, &mut inputs, count, paged.items.len()) else { return Ok(paged) };
            if paged.items.len() >= limits.items_max || paged.pages >= limits.pages_max {
                paged.items.truncate(limits.items_max);
                paged.cut = Some(Cut::Bound);
                return Ok(paged);
            }
            match next {
                Next::Inputs => built = build(description, operation, &inputs, target)?,
                Next::Link(link) => match answer.url.join(&link) {
                    Ok(url) if url.origin() == first.origin() => built.url = url,
                    Ok(url) => {
                        paged.cut = Some(Cut::ForeignLink(url.host_str().unwrap_or_default().to_owned()));
                        return Ok(paged);
                    }
                    Err(_) => return Ok(paged),
                },
            }
            if !seen.insert(built.url.to_string()) {
                paged.cut = Some(Cut::Loop);
                return Ok(paged);
            }
        }
    }
}

/// How the next page is asked for.
enum Next {
    Link(String),
    /// The inputs were changed.
    Inputs,
}

fn next(
    answer: &Answer,
    operation: &Operation,
    inputs: &mut Map<String, Value>,
    count: usize,
    total: usize,
) -> Option<Next> {
    let pagination = operation.pagination.as_ref()?;
    let body = if let AnswerBody::Json(body) = &answer.body { Some(body) } else { None };
    let text = |pointer: &str| body?.pointer(pointer).and_then(scalar).filter(|text| !text.is_empty());
    match &pagination.pages {
        Pages::NextLink { pointer } => text(pointer).map(Next::Link),
        Pages::LinkHeader => answer
            .headers
            .iter()
            .filter(|(name, _)| name == "link")
            .find_map(|(_, value)| rel_next(value))
            .map(Next::Link),
        Pages::Cursor { parameter, pointer } => {
            inputs.insert(parameter.clone(), Value::String(text(pointer.as_ref()?)?));
            Some(Next::Inputs)
        }
        _ if count == 0 || is_short(pagination, inputs, count) => None,
        Pages::Page { parameter } => {
            let page = inputs.get(parameter).and_then(number).unwrap_or_else(|| first_page(operation, parameter));
            inputs.insert(parameter.clone(), Value::from(page + 1));
            Some(Next::Inputs)
        }
        Pages::Offset { parameter } => {
            let start = inputs.get(parameter).and_then(number);
            let before = start.unwrap_or(0);
            // The first offset was the caller's; from then on the count goes on from it.
            let offset =
                if start.is_none() { i64::try_from(total).ok()? } else { before + i64::try_from(count).ok()? };
            inputs.insert(parameter.clone(), Value::from(offset));
            Some(Next::Inputs)
        }
    }
}

/// A page with fewer items than were asked for is the last one.
fn is_short(pagination: &Pagination, inputs: &Map<String, Value>, count: usize) -> bool {
    let size = pagination.size.as_ref().and_then(|key| inputs.get(key)).and_then(number);
    size.is_some_and(|size| i64::try_from(count).is_ok_and(|count| count < size))
}

/// Products count from 1, unless the document's own default says 0.
fn first_page(operation: &Operation, key: &str) -> i64 {
    let parameter = operation.parameters.iter().find(|parameter| parameter.key == key);
    parameter.and_then(|parameter| parameter.schema["default"].as_i64()).unwrap_or(1)
}

fn items(answer: &Answer, pagination: Option<&Pagination>) -> Option<Vec<Value>> {
    let AnswerBody::Json(body) = &answer.body else {
        return matches!(answer.body, AnswerBody::Empty).then(Vec::new);
    };
    let told = pagination.and_then(|pagination| pagination.items.as_deref());
    let found = match told {
        Some(pointer) => body.pointer(pointer),
        None => std::iter::once("")
            .chain(LISTS.iter().copied())
            .find_map(|at| body.pointer(at).filter(|one| one.is_array())),
    };
    match found {
        Some(Value::Array(items)) => Some(items.clone()),
        // A list that is null is an empty one.
        Some(Value::Null) => Some(Vec::new()),
        _ if told.is_some() => Some(Vec::new()),
        _ => None,
    }
}

/// `<https://..>; rel="next"` (RFC 8288).
fn rel_next(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>')?;
        let target = &rest[start + 1..end];
        let after = &rest[end + 1..];
        let parameters = &after[..after.find(",<").or_else(|| after.find(", <")).unwrap_or(after.len())];
        let is_next = parameters.split(';').filter_map(|part| part.split_once('=')).any(|(name, value)| {
            let relations =
                value.trim().trim_matches('"').split_ascii_whitespace().any(|one| one.eq_ignore_ascii_case("next"));
            name.trim().eq_ignore_ascii_case("rel") && relations
        });
        if is_next {
            return Some(target.to_owned());
        }
        rest = after;
    }
    None
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Where lists mostly are, when the document does not say.
const LISTS: &[&str] = &["/value", "/items", "/data", "/results", "/records", "/resources", "/content", "/entries"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_found_in_a_link_header() {
        #[track_caller]
        fn check(header: &str, expected: Option<&str>) {
            assert_eq!(rel_next(header).as_deref(), expected, "{header}");
        }
        check(
            r#"<https://a.example/?page=2>; rel="next", <https://a.example/?page=9>; rel="last""#,
            Some("https://a.example/?page=2"),
        );
        check(
            r#"<https://a.example/?q=a,b&page=1>; rel=prev,<https://a.example/?q=a,b&page=3>; rel="Next x""#,
            Some("https://a.example/?q=a,b&page=3"),
        );
        check(r#"</relative>; title="next"; rel=next"#, Some("/relative"));
        check(r#"<https://a.example/>; rel="last""#, None);
        check("<https://a.example/", None);
        check("", None);
    }
}
