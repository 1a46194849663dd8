//! Ids of operations: unique, speakable, and the same for the same document.

use std::collections::{BTreeMap, HashSet};

use crate::operation::Method;

/// What an id is made from.
pub(super) struct Named<'a> {
    pub(super) operation_id: Option<&'a str>,
    pub(super) summary: Option<&'a str>,
    pub(super) method: Method,
    pub(super) path: &'a str,
}

/// An id for each, in the same order. Operations that want the same id are told apart by method and path, so that a
/// new one elsewhere in the document renames nobody; a number comes last.
pub(super) fn assign(all: &[Named<'_>]) -> Vec<String> {
    let wanted: Vec<String> = all.iter().map(wanted).collect();
    let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (at, id) in wanted.iter().enumerate() {
        groups.entry(id).or_default().push(at);
    }
    let mut ids = vec![String::new(); all.len()];
    let mut taken: HashSet<String> = HashSet::new();
    for (id, members) in &groups {
        if let [single] = members.as_slice() {
            ids[*single] = (*id).to_owned();
            taken.insert((*id).to_owned());
        }
    }
    for (id, members) in groups.into_iter().filter(|(_, members)| members.len() > 1) {
        let methods: HashSet<Method> = members.iter().map(|&at| all[at].method).collect();
        for &at in &members {
            let method = all[at].method.as_str().to_ascii_lowercase();
            let apart = if methods.len() == members.len() {
                join([id, &method].into_iter())
            } else {
                let path = path_words(all[at].path).filter(|word| !id.split('-').any(|known| known == word));
                let path: Vec<String> = path.collect();
                let starts_with_method = id.split('-').next() == Some(&method);
                let method = if starts_with_method { "" } else { &method };
                join([id, method].into_iter().chain(path.iter().map(String::as_str)))
            };
            let mut unique = apart.clone();
            let mut count = 1;
            while !taken.insert(unique.clone()) {
                count += 1;
                let number = count.to_string();
                unique = format!("{}-{number}", join_within(ID_BYTES_MAX - 1 - number.len(), apart.split('-')));
            }
            ids[at] = unique;
        }
    }
    ids
}

/// Lower-case words of a text, joined by `-`.
pub(super) fn kebab(text: &str) -> String {
    let words = words(text);
    join(words.iter().map(String::as_str))
}

fn wanted(named: &Named<'_>) -> String {
    let stated = named.operation_id.map(kebab).filter(|id| !id.is_empty());
    let told = || {
        let words = words(named.summary?);
        let short = !words.is_empty() && words.len() <= SUMMARY_WORDS_MAX;
        short.then(|| join(words.iter().map(String::as_str)))
    };
    stated.or_else(told).unwrap_or_else(|| {
        let method = named.method.as_str().to_ascii_lowercase();
        let path: Vec<String> = path_words(named.path).collect();
        let path = if path.is_empty() { vec!["root".to_owned()] } else { path };
        join([method.as_str()].into_iter().chain(path.iter().map(String::as_str)))
    })
}

/// `/users/{id}/alerts`: users, by, id, alerts.
fn path_words(path: &str) -> impl Iterator<Item = String> {
    path.split('/').flat_map(|segment| {
        let by = segment.starts_with('{').then(|| "by".to_owned());
        by.into_iter().chain(words(segment))
    })
}

fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let characters: Vec<char> = text.chars().take(TEXT_CHARS_MAX).collect();
    for (at, &c) in characters.iter().enumerate() {
        if !c.is_alphanumeric() {
            // `user's` is one word.
            let apostrophe =
                matches!(c, '\'' | '\u{2019}') && characters.get(at + 1).is_some_and(|next| next.is_alphanumeric());
            if !word.is_empty() && !apostrophe {
                words.push(std::mem::take(&mut word));
            }
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| characters.get(at)).copied();
        let after = characters.get(at + 1).copied();
        let begins = c.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_ascii_digit()
                    || (before.is_uppercase() && after.is_some_and(char::is_lowercase))
            });
        if begins && !word.is_empty() {
            words.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase().filter(|c| c.is_alphanumeric()));
    }
    if !word.is_empty() {
        words.push(word);
    }
    words
}

/// Joined by `-`, as many words as fit.
fn join<'w>(words: impl Iterator<Item = &'w str>) -> String {
    join_within(ID_BYTES_MAX, words)
}

fn join_within<'w>(bytes_max: usize, words: impl Iterator<Item = &'w str>) -> String {
    let mut id = String::new();
    for word in words.filter(|word| !word.is_empty()) {
        if !id.is_empty() && id.len() + 1 + word.len() > bytes_max {
            break;
        }
        if !id.is_empty() {
            id.push('-');
        }
        id.push_str(word);
    }
    if id.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|&at| id.is_char_boundary(at)).unwrap_or(0);
        id.truncate(end);
    }
    id
}

const ID_BYTES_MAX: usize = 80;
const SUMMARY_WORDS_MAX: usize = 10;
const TEXT_CHARS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(all: &[(Option<&str>, Option<&str>, Method, &str)], expected: &[&str]) {
        let named: Vec<Named<'_>> = all
            .iter()
            .map(|&(operation_id, summary, method, path)| Named { operation_id, summary, method, path })
            .collect();
        assert_eq!(assign(&named), expected);
    }

    #[test]
    fn an_id_is_made_of_words() {
        for (text, expected) in [
            ("listUsers", "list-users"),
            ("Users_List", "users-list"),
            ("getHTTPServer2Info", "get-http-server2-info"),
            ("users/list.all", "users-list-all"),
            ("Get the user's alerts (v2)", "get-the-users-alerts-v2"),
            ("Größe ändern", "größe-ändern"),
            ("--", ""),
        ] {
            assert_eq!(kebab(text), expected);
            assert_eq!(kebab(expected), expected, "a second time");
        }
        assert_eq!(kebab(&"word ".repeat(50)).len(), 79);
    }

    #[test]
    fn an_id_comes_from_the_operation_id_else_the_summary_else_the_path() {
        check(&[(Some("getUser"), Some("x"), Method::Get, "/users/{id}")], &["get-user"]);
        check(&[(None, Some("Read one user"), Method::Get, "/users/{id}")], &["read-one-user"]);
        check(&[(Some("  "), None, Method::Get, "/users/{userId}/alerts")], &["get-users-by-user-id-alerts"]);
        check(&[(None, Some(&"word ".repeat(20)), Method::Post, "/")], &["post-root"]);
    }

    #[test]
    fn equal_wishes_are_told_apart_by_method_and_path() {
        check(
            &[
                (Some("users"), None, Method::Get, "/people"),
                (Some("users"), None, Method::Post, "/people"),
                (Some("list"), None, Method::Get, "/a/{id}"),
                (Some("list"), None, Method::Get, "/b"),
                (Some("list"), None, Method::Get, "/b"),
                (Some("list-get-b"), None, Method::Get, "/c"),
            ],
            &["users-get", "users-post", "list-get-a-by-id", "list-get-b-2", "list-get-b-3", "list-get-b"],
        );
    }
}
