//! Texts and expressions of our language, so that nothing of the author's is read as one by accident.

/// A part of a template: text as it is, or an expression.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Part {
    Text(String),
    Expression(String),
}

/// The template; one expression alone keeps its type.
pub(crate) fn compose(parts: &[Part]) -> String {
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Expression(expression) => {
                out.push_str("{{ ");
                out.push_str(expression);
                out.push_str(" }}");
            }
            // Many of them are easier to read as one text in quotes.
            Part::Text(text) if marks(text) > MARKS_MAX => out.push_str(&format!("{{{{ {} }}}}", quoted(text))),
            Part::Text(text) => escape(text, matches!(parts.get(at + 1), Some(Part::Expression(_))), &mut out),
        }
    }
    out
}

/// A text that stays as it is although it stands where a template may.
pub(crate) fn escaped(text: &str) -> String {
    compose(&[Part::Text(text.to_owned())])
}

/// `{{`, `{%` and `{#` would begin something; so would a brace in front of what is written behind it.
fn escape(text: &str, is_before_expression: bool, out: &mut String) {
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '{' {
            out.push(c);
            continue;
        }
        match chars.peek() {
            Some(next @ ('{' | '%' | '#')) => {
                out.push_str(&format!("{{{{ '{{{next}' }}}}"));
                chars.next();
            }
            None if is_before_expression => out.push_str("{{ '{' }}"),
            _ => out.push('{'),
        }
    }
}

fn marks(text: &str) -> usize {
    text.as_bytes().windows(2).filter(|pair| matches!(pair, [b'{', b'{' | b'%' | b'#'])).count()
}

/// A text inside of an expression.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        match c {
            '\'' => out.push_str("\\'"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// All of them hold; `None` where nothing is asked.
pub(crate) fn all_of(terms: &[String]) -> Option<String> {
    joined(terms, " and ")
}

/// One of them holds.
pub(crate) fn any_of(terms: &[String]) -> Option<String> {
    joined(terms, " or ")
}

/// A long chain is written as a tree: the language takes no expression that is nested without end.
fn joined(terms: &[String], by: &str) -> Option<String> {
    match terms {
        [] => None,
        [one] => Some(one.clone()),
        few if few.len() <= CHAIN_MAX => Some(few.iter().map(|term| grouped(term, by)).collect::<Vec<_>>().join(by)),
        many => {
            let (left, right) = many.split_at(many.len() / 2);
            Some(format!("({}){by}({})", joined(left, by)?, joined(right, by)?))
        }
    }
}

/// `or` binds weaker than `and`, and a choice weaker than both.
fn grouped(term: &str, by: &str) -> String {
    let is_weaker = (by == " and " && term.contains(" or ")) || term.contains(" if ");
    if is_weaker && !is_bracketed(term) { format!("({term})") } else { term.to_owned() }
}

fn is_bracketed(term: &str) -> bool {
    let mut depth = 0_usize;
    for (at, c) in term.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + c.len_utf8() == term.len();
        }
    }
    false
}

const CHAIN_MAX: usize = 16;
const MARKS_MAX: usize = 20;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sortie_engine::template::{Expression, Names, Template};

    use super::*;

    #[test]
    fn what_means_something_to_us_is_escaped() {
        assert_eq!(escaped("{{ 7*7 }}"), "{{ '{{' }} 7*7 }}");
        assert_eq!(escaped("{%x{#y{z"), "{{ '{%' }}x{{ '{#' }}y{z");
        let parts = [Part::Text("{".to_owned()), Part::Expression("run.id".to_owned()), Part::Text("}".to_owned())];
        assert_eq!(compose(&parts), "{{ '{' }}{{ run.id }}}");
    }

    #[test]
    fn terms_are_joined_as_they_bind() {
        let terms = |list: &[&str]| list.iter().map(|term| (*term).to_owned()).collect::<Vec<_>>();
        assert_eq!(all_of(&terms(&["a", "b or c"])).unwrap(), "a and (b or c)");
        assert_eq!(any_of(&terms(&["a and b", "c"])).unwrap(), "a and b or c");
        assert_eq!(all_of(&terms(&["(a or b)", "(a) or (b)"])).unwrap(), "(a or b) and ((a) or (b))");
        assert_eq!(all_of(&[]), None);
        let many: Vec<String> = (0..2_000).map(|_| "run.id == 'x'".to_owned()).collect();
        Expression::compile(&any_of(&many).unwrap(), &Names::of_a_step()).unwrap();
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn an_escaped_text_means_itself(text in "(\\{|%|#|'|\\}|a|-| |\\PC){0,16}") {
            use sortie_engine::template::{Budget, Scope};
            let scope = Scope::new(Default::default());
            let template = Template::compile(&escaped(&text), &Names::of_a_step()).unwrap();
            prop_assert_eq!(template.evaluate(&scope, Budget::default()).unwrap(), serde_json::Value::from(text.clone()));
            let expression = Expression::compile(&quoted(&text), &Names::of_a_step()).unwrap();
            prop_assert_eq!(expression.evaluate(&scope, Budget::default()).unwrap(), serde_json::Value::from(text));
        }
    }
}
