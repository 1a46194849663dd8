//! Filters in `{{ }}`, as Shuffle evaluates them after its references.

use super::scan::{Filter, Names, Piece, reference};

/// A block that begins here, with its length. `{%` is understood by nobody; a `{{` without an end is text.
pub(super) fn block(text: &str, names: &Names) -> Option<(usize, Piece)> {
    if let Some(rest) = text.strip_prefix("{%") {
        let len = end(rest, "%}")? + 4;
        return Some((len, Piece::Strange(text[..len].to_owned())));
    }
    let rest = text.strip_prefix("{{")?;
    let len = end(rest, "}}")? + 4;
    let inner = text[2..len - 2].trim().trim_start_matches('-').trim_end_matches('-').trim();
    let piece = filtered(inner, names).unwrap_or_else(|| Piece::Strange(text[..len].to_owned()));
    Some((len, piece))
}

/// Where the mark begins that ends the block. Not far is looked: a text may hold thousands that are open.
fn end(text: &str, mark: &str) -> Option<usize> {
    let mut near = BLOCK_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(near) {
        near -= 1;
    }
    text[..near].find(mark)
}

fn filtered(inner: &str, names: &Names) -> Option<Piece> {
    let mut parts = split(inner, '|')?.into_iter();
    let of = operand(parts.next()?.trim(), names)?;
    let mut filters = Vec::new();
    for part in parts {
        let (name, arguments) = match part.split_once(':') {
            Some((name, arguments)) => (name.trim(), arguments),
            None => (part.trim(), ""),
        };
        let arguments = match arguments.trim() {
            "" => Vec::new(),
            written => split(written, ',')?.into_iter().map(|one| constant(one.trim())).collect::<Option<_>>()?,
        };
        filters.push(Filter { name: name.to_ascii_lowercase(), arguments });
    }
    match (filters.is_empty(), &of) {
        // A text alone would be written as it is; a reference alone as well.
        (true, Piece::Reference(_) | Piece::Text(_)) => Some(of),
        (false, _) => Some(Piece::Filtered { of: Box::new(of), filters }),
        (true, _) => None,
    }
}

/// What stands before the filters: one reference, in quotes or not, or a text in quotes.
fn operand(text: &str, names: &Names) -> Option<Piece> {
    let unquoted = unquoted(text);
    let inner = unquoted.unwrap_or(text);
    if let Some((len, reference)) = reference(inner, names) {
        return (len == inner.len()).then_some(Piece::Reference(reference));
    }
    unquoted.filter(|text| !text.contains('$')).map(|text| Piece::Text(text.to_owned()))
}

/// A text in quotes, or a number.
fn constant(text: &str) -> Option<String> {
    let found = match unquoted(text) {
        Some(inner) => inner,
        None if text.parse::<f64>().is_ok_and(f64::is_finite) => text,
        None => return None,
    };
    (!found.contains('$')).then(|| found.to_owned())
}

fn unquoted(text: &str) -> Option<&str> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let inner = text[1..].strip_suffix(quote)?;
    (!inner.contains(quote)).then_some(inner)
}

/// The parts between separators that stand in no quotes; `None` where a quote has no end.
fn split(text: &str, at: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut open) = (Vec::new(), 0, None);
    for (place, c) in text.char_indices() {
        match open {
            Some(quote) if c == quote => open = None,
            Some(_) => {}
            None if matches!(c, '"' | '\'') => open = Some(c),
            None if c == at => {
                parts.push(&text[start..place]);
                start = place + c.len_utf8();
            }
            None => {}
        }
    }
    parts.push(&text[start..]);
    (open.is_none() && parts.len() <= PARTS_MAX).then_some(parts)
}

const BLOCK_BYTES_MAX: usize = 1_000;
const PARTS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::{Root, scan};

    #[test]
    fn blocks_with_filters_are_understood_and_others_kept_apart() {
        let mut names = Names::new();
        names.add("Node", Root::Node(0));
        let only = |text: &str| match &scan(text, &names)[..] {
            [piece] => piece.clone(),
            other => panic!("{text}: {other:?}"),
        };
        let Piece::Filtered { of, filters } = only("{{ '$node.a' | replace: 'a|b', \"c\" | upcase }}") else {
            panic!("filtered")
        };
        assert!(matches!(*of, Piece::Reference(_)));
        assert_eq!(
            (filters[0].name.as_str(), &filters[0].arguments),
            ("replace", &vec!["a|b".to_owned(), "c".to_owned()])
        );
        assert_eq!(filters[1].name, "upcase");
        assert!(matches!(only("{{ $node }}"), Piece::Reference(_)));
        assert_eq!(only("{{ 7*7 }}"), Piece::Strange("{{ 7*7 }}".to_owned()));
        assert_eq!(only("{% if x %}"), Piece::Strange("{% if x %}".to_owned()));
        assert_eq!(only("{{ open"), Piece::Text("{{ open".to_owned()));
    }
}
