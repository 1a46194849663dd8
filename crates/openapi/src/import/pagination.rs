//! How the next page is asked for, seen by the names that products use.

use serde_json::Value;

use super::derive::Schemas;
use crate::{
    description::resolve,
    operation::{Location, Method, Operation, Pages, Pagination},
};

/// What names of parameters and fields tell; `None` when they tell nothing.
pub(super) fn seen(operation: &Operation, schemas: &Schemas) -> Option<Pagination> {
    if !matches!(operation.method, Method::Get | Method::Post | Method::Query) {
        return None;
    }
    let answer =
        operation.successes().flat_map(|(_, output)| &output.contents).find_map(|content| content.schema.as_ref());
    let answer = answer.and_then(|schema| resolve(schemas, schema));
    let items = answer.and_then(|answer| items(answer, schemas));
    let size = parameter(operation, SIZE);
    let pages = pages(operation, answer, schemas)?;
    // An answer that is no list is not paged by a parameter that happens to be called `start` or `page`, and a call that
    // creates something has a `cursor` sooner than a page size.
    let by_number = matches!(pages, Pages::Page { .. } | Pages::Offset { .. });
    let is_sure =
        if operation.method == Method::Get { !by_number || items.is_some() || size.is_some() } else { size.is_some() };
    if !is_sure {
        return None;
    }
    Some(Pagination { pages, items, size, stated: false })
}

/// Azure's `x-ms-pageable`.
pub(super) fn pageable(extension: &Value, size: Option<String>) -> Option<Pagination> {
    let pointer = |name: &str| format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    let text = |key: &str| extension.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let next = text("nextLinkName")?;
    let items = text("itemName").unwrap_or("value");
    Some(Pagination {
        pages: Pages::NextLink { pointer: pointer(next) },
        items: Some(pointer(items)),
        size,
        stated: true,
    })
}

/// Key of the first parameter with one of these names.
pub(super) fn size_parameter(operation: &Operation) -> Option<String> {
    parameter(operation, SIZE)
}

fn pages(operation: &Operation, answer: Option<&Value>, schemas: &Schemas) -> Option<Pages> {
    if operation.method == Method::Get
        && let Some(pointer) = answer.and_then(|answer| field(answer, NEXT_LINK, schemas, 2))
    {
        return Some(Pages::NextLink { pointer });
    }
    let link_header =
        operation.successes().flat_map(|(_, output)| &output.headers).any(|header| header.eq_ignore_ascii_case("link"));
    if link_header && operation.method == Method::Get {
        return Some(Pages::LinkHeader);
    }
    if let Some(parameter) = parameter(operation, CURSOR) {
        let pointer = answer.and_then(|answer| field(answer, NEXT_CURSOR, schemas, 2));
        return Some(Pages::Cursor { parameter, pointer });
    }
    if let Some(parameter) = parameter(operation, OFFSET) {
        return Some(Pages::Offset { parameter });
    }
    parameter(operation, PAGE).map(|parameter| Pages::Page { parameter })
}

fn parameter(operation: &Operation, names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| {
        let is_it = |found: &str| plain(found) == *name;
        let query = operation.parameters.iter().find(|one| one.location == Location::Query && is_it(&one.name));
        // A search by POST has them in its body.
        let content =
            operation.body.as_ref().filter(|_| operation.method != Method::Get).and_then(|body| body.contents.first());
        let field = || content?.fields.iter().find(|field| is_it(&field.name)).map(|field| field.key.clone());
        query.map(|parameter| parameter.key.clone()).or_else(field)
    })
}

/// Pointer to the first field with one of these names, here or in an object below.
fn field(schema: &Value, names: &[&str], schemas: &Schemas, depth: usize) -> Option<String> {
    let own = properties(schema, schemas, ALL_OF_DEPTH_MAX);
    let found = names.iter().find_map(|name| {
        own.iter().find(|(found, schema)| plain(found) == *name && is_text(schema, schemas)).map(|(found, _)| *found)
    });
    if let Some(found) = found {
        return Some(format!("/{}", escape(found)));
    }
    let depth = depth.checked_sub(1)?;
    own.iter().filter(|(name, _)| HOLDERS.contains(&plain(name).as_str())).find_map(|(name, schema)| {
        let behind = resolve(schemas, schema)?;
        // `links.next` needs no more of a name than that.
        let names = if names == NEXT_LINK { NEXT_LINK_BELOW } else { NEXT_CURSOR_BELOW };
        field(behind, names, schemas, depth).map(|rest| format!("/{}{rest}", escape(name)))
    })
}

/// Pointer to the list in an answer.
fn items(answer: &Value, schemas: &Schemas) -> Option<String> {
    let is_list = |schema: &Value| {
        resolve(schemas, schema).is_some_and(|schema| schema.get("type").is_some_and(|kind| kind == "array"))
    };
    if is_list(answer) {
        return Some(String::new());
    }
    let own = properties(answer, schemas, ALL_OF_DEPTH_MAX);
    let lists: Vec<&str> = own.iter().filter(|(_, schema)| is_list(schema)).map(|(name, _)| *name).collect();
    let known = ITEMS.iter().find_map(|name| lists.iter().find(|list| plain(list) == *name));
    let found = known.or(match lists.as_slice() {
        [single] => Some(single),
        _ => None,
    })?;
    Some(format!("/{}", escape(found)))
}

fn properties<'s>(schema: &'s Value, schemas: &'s Schemas, depth: usize) -> Vec<(&'s str, &'s Value)> {
    let mut found: Vec<(&str, &Value)> = Vec::new();
    let own = schema.get("properties").and_then(Value::as_object);
    found.extend(own.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)));
    if let Some(depth) = depth.checked_sub(1) {
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            if let Some(part) = resolve(schemas, part) {
                found.extend(properties(part, schemas, depth));
            }
        }
    }
    found.sort_by_key(|(name, _)| *name);
    found
}

fn is_text(schema: &Value, schemas: &Schemas) -> bool {
    let Some(schema) = resolve(schemas, schema) else { return false };
    match schema.get("type") {
        None => schema.get("properties").is_none(),
        Some(Value::String(kind)) => kind == "string",
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "string"),
        Some(_) => false,
    }
}

/// `page[number]`, `PageNumber`, `$skipToken`: letters and digits alone, in lower case.
fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

const NEXT_LINK: &[&str] = &[
    "odatanextlink",
    "nextlink",
    "nexturl",
    "nexturi",
    "nextpageuri",
    "nextpageurl",
    "nextpagelink",
    "nexthref",
    "next",
];
const NEXT_LINK_BELOW: &[&str] = &["next", "nextlink", "nexturl", "nexturi", "nextpageuri", "nextpageurl", "href"];
const NEXT_CURSOR: &[&str] = &[
    "nextcursor",
    "nextpagetoken",
    "nexttoken",
    "continuationtoken",
    "nextcontinuationtoken",
    "nextpage",
    "endcursor",
    "nextmarker",
    "cursor",
    "pagetoken",
    "scrollid",
];
const NEXT_CURSOR_BELOW: &[&str] =
    &["nextcursor", "nextpagetoken", "nexttoken", "after", "endcursor", "cursor", "next", "continuationtoken"];
const CURSOR: &[&str] = &[
    "cursor",
    "nextcursor",
    "pagecursor",
    "pagetoken",
    "nextpagetoken",
    "nexttoken",
    "continuationtoken",
    "continuation",
    "skiptoken",
    "startingafter",
    "pageafter",
    "after",
    "marker",
    "scrollid",
];
const OFFSET: &[&str] = &["offset", "pageoffset", "skip", "startindex", "startat", "start"];
const PAGE: &[&str] = &["page", "pagenumber", "pageno", "pageindex", "currentpage"];
const SIZE: &[&str] = &[
    "pagesize",
    "perpage",
    "limit",
    "top",
    "pagelimit",
    "maxresults",
    "maxitems",
    "maxpagesize",
    "count",
    "size",
    "take",
    "first",
    "rows",
];
const ITEMS: &[&str] = &["value", "items", "data", "results", "records", "entries", "values", "elements", "list"];
const HOLDERS: &[&str] =
    &["links", "meta", "metadata", "pagination", "paging", "pageinfo", "responsemetadata", "next", "page", "cursors"];
const ALL_OF_DEPTH_MAX: usize = 4;
