//! URLs, paths, versions and command lines into their parts.

use std::sync::Arc;

use super::{Function, Kind, Returns, string::text};
use crate::{decimal::Decimal, dynamic::Dynamic, types::Type, value::Value};

use Kind::Str;

const BAG: Returns = Returns::Is(Type::Dynamic);

pub(super) const FUNCTIONS: &[Function] = &[
    Function::cells("parse_url", &[Str], BAG, |_, cells| Value::Dynamic(url(text(cells, 0)))),
    Function::cells("parse_urlquery", &[Str], BAG, |_, cells| {
        Value::Dynamic(bag([("Query Parameters", parameters(text(cells, 0).trim_start_matches('?')))]))
    }),
    Function::cells("parse_path", &[Str], BAG, |_, cells| Value::Dynamic(path(text(cells, 0)))),
    Function::cells("parse_version", &[Str], Returns::Is(Type::Decimal), |_, cells| {
        version(text(cells, 0)).map_or(Value::Null, Value::Decimal)
    }),
    Function::cells("parse_command_line", &[Str, Str], BAG, |_, cells| match text(cells, 1) {
        "windows" => Value::Dynamic(Dynamic::array(command_line(text(cells, 0)).iter().map(Dynamic::text).collect())),
        _ => Value::Null,
    }),
];

fn bag<const N: usize>(entries: [(&str, Dynamic); N]) -> Dynamic {
    Dynamic::bag(entries.into_iter().map(|(name, value)| (Arc::from(name), value)).collect())
}

fn parameters(query: &str) -> Dynamic {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let entry = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (Arc::from(name), Dynamic::text(value))
    };
    Dynamic::bag(pairs.map(entry).collect())
}

/// `scheme://user:password@host:port/path?query#fragment`; what is missing is empty.
fn url(text: &str) -> Dynamic {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let (rest, fragment) = rest.split_once('#').unwrap_or((rest, ""));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = match rest.find('/') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    // Without a scheme there is no host: the text is a path.
    let (authority, path) = if scheme.is_empty() { ("", rest) } else { (authority, path) };
    let (credentials, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (user, password) = credentials.split_once(':').unwrap_or((credentials, ""));
    let after_address = host.rfind(']').unwrap_or(0);
    let (host, port) = match host[after_address..].rfind(':') {
        Some(at) => (&host[..after_address + at], &host[after_address + at + 1..]),
        None => (host, ""),
    };
    bag([
        ("Scheme", Dynamic::text(scheme)),
        ("Host", Dynamic::text(host)),
        ("Port", Dynamic::text(port)),
        ("Path", Dynamic::text(path.strip_prefix('/').unwrap_or(path))),
        ("Username", Dynamic::text(user)),
        ("Password", Dynamic::text(password)),
        ("Query Parameters", parameters(query)),
        ("Fragment", Dynamic::text(fragment)),
    ])
}

fn path(text: &str) -> Dynamic {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let last = rest.rfind(['/', '\\']);
    let (directory, file) = match last {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => ("", rest),
    };
    let (file, stream) =
        if last.is_some() || !rest.contains(':') { file.split_once(':').unwrap_or((file, "")) } else { (file, "") };
    let root = match directory.split(['/', '\\']).next() {
        Some(first) if first.ends_with(':') => first,
        _ => "",
    };
    let name = directory.rsplit(['/', '\\']).next().filter(|name| *name != root).unwrap_or("");
    let extension = file.rsplit_once('.').map_or("", |(_, extension)| extension);
    bag([
        ("Scheme", Dynamic::text(scheme)),
        ("RootPath", Dynamic::text(root)),
        ("DirectoryPath", Dynamic::text(directory)),
        ("DirectoryName", Dynamic::text(name)),
        ("Filename", Dynamic::text(file)),
        ("Extension", Dynamic::text(extension)),
        ("AlternateDataStreamName", Dynamic::text(stream)),
    ])
}

/// Up to four parts of up to eight digits, so that versions compare as numbers.
fn version(text: &str) -> Option<Decimal> {
    let mut digits = String::new();
    let parts: Vec<&str> = text.trim().split('.').collect();
    if parts.len() > 4 {
        return None;
    }
    for at in 0..4 {
        let part = parts.get(at).copied().unwrap_or("0");
        if part.is_empty() || part.len() > 8 || !part.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        digits.push_str(&format!("{part:0>8}"));
    }
    digits.parse().ok()
}

/// By the rules of Windows: blanks part, quotes join, backslashes escape only quotes.
fn command_line(text: &str) -> Vec<String> {
    let mut arguments = Vec::new();
    let mut current: Option<String> = None;
    let (mut quoted, mut backslashes) = (false, 0);
    for c in text.chars() {
        if c == '\\' {
            backslashes += 1;
            continue;
        }
        if backslashes > 0 {
            let kept = if c == '"' { backslashes / 2 } else { backslashes };
            current.get_or_insert_default().extend(std::iter::repeat_n('\\', kept));
        }
        match c {
            '"' if backslashes % 2 == 1 => current.get_or_insert_default().push('"'),
            '"' => {
                quoted = !quoted;
                current.get_or_insert_default();
            }
            ' ' | '\t' if !quoted => arguments.extend(current.take()),
            c => current.get_or_insert_default().push(c),
        }
        backslashes = 0;
    }
    if backslashes > 0 {
        current.get_or_insert_default().extend(std::iter::repeat_n('\\', backslashes));
    }
    arguments.extend(current);
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_is_parted_as_windows_does() {
        for (text, expect) in [
            ("a  b", vec!["a", "b"]),
            (r#""c:\a b\x.exe" -c "say \"hi\"""#, vec![r"c:\a b\x.exe", "-c", "say \"hi\""]),
            (r#"a "" \\"#, vec!["a", "", r"\\"]),
        ] {
            assert_eq!(command_line(text), expect, "{text}");
        }
    }
}
