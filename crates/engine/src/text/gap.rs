//! What stands between two values: blanks, line breaks, comments, and the indicators that hold lists and maps together.

use super::lines;

/// Where the first of these indicators stands between two places, comments passed over.
pub(super) fn find(text: &str, from: usize, to: usize, indicators: &[char]) -> Option<usize> {
    let mut at = from;
    while let Some(found) = text.get(at..to)?.find(|c| c == '#' || indicators.contains(&c)) {
        at += found;
        if !text[at..].starts_with('#') {
            return Some(at);
        }
        at = lines::end(text, at);
    }
    None
}

/// The text without what YAML takes as blank at its end; other blanks are part of a value.
pub(super) fn trimmed(text: &str) -> &str {
    text.trim_end_matches(is_blank)
}

/// A space, a tab or part of a line break.
pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_passed_over_whatever_ends_its_line() {
        #[track_caller]
        fn check(text: &str, expected: Option<usize>) {
            assert_eq!(find(text, 0, text.len(), &[':', '?']), expected, "{text:?}");
        }
        check(" :", Some(1));
        check(" # a: b\n :", Some(9));
        check(" # a: b\r?\r:", Some(8));
        check("# :", None);
        check("", None);
        assert_eq!(find("a:", 1, 1, &[':']), None);
    }
}
