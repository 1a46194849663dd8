//! Conditions of branches. Shuffle compares texts without regard to letter case; numbers are compared as numbers here.

use crate::{
    source::{Condition, short},
    values::{Piece, Reader, all_of, quoted, scan},
};

/// One side of a comparison.
enum Side {
    Constant(String),
    Expression(String),
    /// One of its items is meant.
    List(String),
}

/// The conditions of one branch, all of which must hold; `Ok(None)` where there is none.
///
/// # Errors
/// Why one of them cannot be written; then the branch stays closed.
pub(crate) fn conditions(conditions: &[Condition], reader: &mut Reader<'_>) -> Result<Option<String>, String> {
    if conditions.len() > CONDITIONS_MAX {
        return Err(format!("the branch has more than {CONDITIONS_MAX} conditions"));
    }
    let mut terms = Vec::new();
    for one in conditions {
        let term = condition(one, reader)?;
        if let Some(strange) = reader.strange.first() {
            return Err(format!("in its condition {strange}"));
        }
        if !reader.is_taken(&term) {
            return Err(format!("its condition cannot be written: {}", reader.strange.join("; ")));
        }
        terms.push(term);
    }
    Ok(all_of(&terms))
}

fn condition(condition: &Condition, reader: &mut Reader<'_>) -> Result<String, String> {
    let left = side(&condition.source, reader);
    let right = side(&condition.destination, reader);
    if matches!(left, Side::List(_)) {
        let what = "a condition asks for a whole list, which there is one text; here it holds where one item fits";
        reader.changed.push((what.to_owned(), "Check that one item is meant.".to_owned()));
    }
    let term = compared(&left, &condition.operator, &right, reader)?;
    Ok(if condition.negated { format!("not ({term})") } else { term })
}

fn side(text: &str, reader: &mut Reader<'_>) -> Side {
    let pieces = scan(text.trim(), reader.names());
    match &pieces[..] {
        [] => Side::Constant(String::new()),
        [Piece::Text(text)] => Side::Constant(text.clone()),
        [piece] => match reader.found(piece) {
            Some(found) if found.is_list => Side::List(found.expression),
            Some(found) => Side::Expression(found.expression),
            None => Side::Constant(String::new()),
        },
        several => {
            let texts: Vec<String> = several
                .iter()
                .map(|piece| match piece {
                    Piece::Text(text) => quoted(text),
                    piece => {
                        reader.found(piece).map_or_else(|| "''".to_owned(), |found| format!("({})", found.expression))
                    }
                })
                .collect();
            Side::Expression(format!("({})", texts.join(" ~ ")))
        }
    }
}

fn compared(left: &Side, operator: &str, right: &Side, reader: &mut Reader<'_>) -> Result<String, String> {
    match operator {
        "equals" | "equal" | "=" | "==" | "is" => equal(left, right),
        "does not equal" | "!=" | "is not" => Ok(format!("not ({})", equal(left, right)?)),
        "startswith" | "starts with" => tested(left, "startingwith", &folded(right)?, true),
        "endswith" | "ends with" => tested(left, "endingwith", &folded(right)?, true),
        "contains" => tested(left, "containing", &folded(right)?, true),
        "contains_any_of" | "contains any of" => contains_any(left, right),
        "matches regex" | "re" => tested(left, "matching", &plain(right)?, false),
        "larger than" | "greater than" | ">" => larger(left, ">", right),
        "less than" | "smaller than" | "<" => larger(left, "<", right),
        ">=" | "<=" => {
            let what = format!("`{operator}` was computed there without the equal; here it means what it says");
            reader.changed.push((what, "Check the bound.".to_owned()));
            larger(left, operator, right)
        }
        "is empty" | "is_empty" => match left {
            Side::List(list) => Ok(format!("{list} | length == 0")),
            left => Ok(format!("{} in ['', '[]', '{{}}', 'null']", folded(left)?)),
        },
        other => Err(format!("there is no comparison `{}`", short(other))),
    }
}

fn equal(left: &Side, right: &Side) -> Result<String, String> {
    if let Side::Expression(expression) = left
        && is_counted(expression)
        && let Side::Constant(number) = right
        && let Ok(number) = number.trim().parse::<i64>()
    {
        return Ok(format!("{expression} == {number}"));
    }
    match left {
        Side::List(_) => tested(left, "equalto", &folded(right)?, true),
        left => Ok(format!("{} == {}", folded(left)?, folded(right)?)),
    }
}

/// A test that a text passes, or one item of a list.
fn tested(left: &Side, test: &str, right: &str, folds: bool) -> Result<String, String> {
    if let Side::List(list) = left {
        let fold = if folds { " | map('lower')" } else { "" };
        return Ok(format!("{list} | map('string'){fold} | select('{test}', {right}) | length > 0"));
    }
    let left = if folds { folded(left)? } else { plain(left)? };
    Ok(format!("{left} is {test}({right})"))
}

/// Several parts between commas are looked for with regard to letter case there, and one without.
fn contains_any(left: &Side, right: &Side) -> Result<String, String> {
    let Side::Constant(list) = right else { return tested(left, "containing", &folded(right)?, true) };
    let parts: Vec<&str> = list.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if parts.len() < 2 {
        return tested(left, "containing", &folded(right)?, true);
    }
    if parts.len() > PARTS_MAX {
        return Err(format!("it looks for more than {PARTS_MAX} parts"));
    }
    let parts: Vec<String> = parts.into_iter().map(regex::escape).collect();
    tested(left, "matching", &quoted(&parts.join("|")), false)
}

fn larger(left: &Side, operator: &str, right: &Side) -> Result<String, String> {
    if let Side::List(list) = left {
        let test = match operator {
            ">" => "gt",
            "<" => "lt",
            ">=" => "ge",
            _ => "le",
        };
        return Ok(format!("{list} | map('float', 0) | select('{test}', {}) | length > 0", number(right)?));
    }
    Ok(format!("{} {operator} {}", number(left)?, number(right)?))
}

fn number(side: &Side) -> Result<String, String> {
    match side {
        Side::Constant(text) => {
            let number = text.trim().parse::<f64>().ok().filter(|number| number.is_finite() && number.abs() < 1e15);
            number.map(|number| number.to_string()).ok_or_else(|| format!("`{}` is compared as a number", short(text)))
        }
        Side::Expression(expression) if is_counted(expression) => Ok(expression.clone()),
        Side::Expression(expression) => Ok(format!("{expression} | default(0) | float(0)")),
        Side::List(_) => Err("a whole list is compared with a number".to_owned()),
    }
}

/// A text in small letters.
fn folded(side: &Side) -> Result<String, String> {
    match side {
        Side::Constant(text) => Ok(quoted(&text.to_lowercase())),
        side => Ok(format!("{} | lower", plain(side)?)),
    }
}

/// A text; what is missing is an empty one.
fn plain(side: &Side) -> Result<String, String> {
    match side {
        Side::Constant(text) => Ok(quoted(text)),
        Side::Expression(expression) => Ok(format!("{expression} | default('') | string")),
        Side::List(list) => Ok(format!("{list} | join(',')")),
    }
}

fn is_counted(expression: &str) -> bool {
    expression.ends_with("| length")
}

const CONDITIONS_MAX: usize = 100;
const PARTS_MAX: usize = 200;
