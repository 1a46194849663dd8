//! Templates of the workflow document: texts with `{{ }}`, bare expressions, and whole trees of inputs.
//!
//! The language is Jinja's as far as it goes, read and evaluated here: no operator, filter or attribute of it guesses. What is
//! missing, what has another type and what is not known is an error that says where it stands; values are spelled as JSON;
//! what a text reads is known before it runs; and data is never read as a template. Everything is bounded by counted work.
//!
//! ```
//! use std::sync::Arc;
//! use sortie_engine::template::{Budget, Names, Scope, Template};
//!
//! let template = Template::compile("Isolate {{ trigger.device.name | upper }}?", &Names::of_a_step())?;
//! let trigger = serde_json::json!({ "device": { "name": "ws-7" } });
//! let scope = Scope::new(jiff::Timestamp::UNIX_EPOCH).with("trigger", Arc::new(trigger));
//! assert_eq!(template.evaluate(&scope, Budget::default())?, "Isolate WS-7?");
//! # Ok::<(), sortie_engine::template::TemplateError>(())
//! ```
//!
//! # Filters
//!
//! | filter | gives |
//! |---|---|
//! | `abs` | the number without its sign |
//! | `ago` | the moment so long before the event time: `'24h' \| ago`, also `ago('24h')` |
//! | `b64decode` | the text that base64 stands for |
//! | `b64encode` | the text's UTF-8 as base64 |
//! | `batch(size, fill)` | lists of at most `size` items |
//! | `capitalize` | the text with its first letter large and all others small |
//! | `cidr_contains(address)` | whether the network, or one of a list, contains the address |
//! | `defang` | the text with its indicators made harmless |
//! | `default(value)` | `value` where the last key or index in front is missing, the list is empty, or null stands there |
//! | `first` | the first item |
//! | `float(default)` | the number with a fraction that a text or a number is |
//! | `format_time(as, zone)` | a date as a text, as strftime has it; RFC 3339 unless told |
//! | `from_json` | what a text of JSON says |
//! | `groupby(attribute)` | a list of `{grouper, list}` in the order of what they are grouped by |
//! | `hmac(key, algorithm)` | the keyed digest in hexadecimal digits; sha256 unless told; the key is data |
//! | `int(default)` | the whole number that a text or a number is |
//! | `iocs` | the indicators of a text: `ipv4`, `ipv6`, `domains`, `urls`, `emails`, `md5`, `sha1`, `sha256`, `cves` |
//! | `is_private_ip` | whether an address is no public one |
//! | `items` | a list of `[key, value]` of an object |
//! | `join(by, attribute)` | one text of all items |
//! | `json(indent)` | the value as JSON, a text in its quotes |
//! | `keys` | the keys of an object |
//! | `kql_quote` | a text literal of the Kusto Query Language that nothing leaves |
//! | `last` | the last item |
//! | `length` | how many characters, items or fields |
//! | `list` | the list itself; all filters here give lists already |
//! | `lower` | the text in small letters |
//! | `map(attribute, default)` | what stands there in each item; `map('name', …)` applies a filter to each |
//! | `max(attribute)` | the largest item |
//! | `md5` | the digest in hexadecimal digits |
//! | `min(attribute)` | the smallest item |
//! | `parse_time(format, zone)` | a date as seconds since 1970, to compare and count with |
//! | `refang` | the text with its indicators as they are meant |
//! | `regex_find(pattern, group, all)` | the first match, a group of it, or all; null where there is none |
//! | `regex_replace(pattern, with)` | the text with each match replaced; `$1` is a group |
//! | `reject(test, value)` | the items that fail the test |
//! | `rejectattr(attribute, test, value)` | the items whose attribute fails the test |
//! | `replace(old, new, count)` | the text with each `old` replaced |
//! | `reverse` | the list or the text backwards |
//! | `round(precision, method)` | the number rounded; `common`, `ceil` or `floor` |
//! | `select(test, value)` | the items that pass the test |
//! | `selectattr(attribute, test, value)` | the items whose attribute passes the test |
//! | `sha1` | the digest in hexadecimal digits |
//! | `sha256` | the digest in hexadecimal digits |
//! | `slice(count, fill)` | so many lists of about the same length |
//! | `sort(reverse, case_sensitive, attribute)` | the items in order |
//! | `split(by, most)` | the parts of a text; at blanks unless told |
//! | `split_lines` | the lines of a text |
//! | `string` | the value as a text holds it |
//! | `sum(attribute, start)` | the numbers added up |
//! | `title` | the text with the first letter of each word large |
//! | `trim(chars)` | the text without blanks, or these characters, at its ends |
//! | `unique(case_sensitive, attribute)` | each item once; letters of another case differ unless told |
//! | `unique_by(attribute)` | the first item for each value of the attribute |
//! | `upper` | the text in large letters |
//! | `url_encode` | the value as it can stand in an address |
//! | `values` | the values of an object |

mod checks;
mod compare;
mod error;
mod filters;
mod input;
mod known;
mod machine;
mod operands;
mod parse;
mod reads;
mod scope;
mod spelling;
mod syntax;
#[cfg(test)]
mod tests;
mod text;
mod token;
mod value;

use serde_json::Value;

pub use self::{
    error::{Fault, TemplateError},
    input::Input,
    known::Known,
    reads::{Key, Read, Reads, Source},
    scope::{Budget, Names, Scope, StepPart},
};
use self::{
    known::Checker,
    machine::Machine,
    parse::Parser,
    syntax::{Body, Piece, Program},
};

/// One string of the document, read once and evaluated often.
#[derive(Debug)]
pub struct Template(Program);

impl Template {
    /// Reads a text. One `{{ }}` alone keeps its value's type; everything else is joined to a text.
    ///
    /// # Errors
    /// [`TemplateError`] says what the author must mend, and where.
    pub fn compile(text: &str, names: &Names) -> Result<Self, TemplateError> {
        let program = Parser::new(text, names).and_then(Parser::template);
        program.map(Self).map_err(|fail| fail.finish(text))
    }

    /// What it reads.
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// What is certainly wrong, where this is known of the names that it reads.
    pub fn misfits(&self, roots: &[(String, Known)]) -> Vec<TemplateError> {
        Checker::check(&self.0, roots).0
    }

    /// The text where nothing in it is evaluated.
    pub fn literal(&self) -> Option<&str> {
        match &self.0.body {
            Body::Text(pieces) => match &pieces[..] {
                [] => Some(""),
                [Piece::Literal(literal)] => Some(literal),
                _ => None,
            },
            Body::Value(_) => None,
        }
    }

    /// Its value.
    ///
    /// # Errors
    /// [`TemplateError`] says what the data lacks, or that the result takes too much.
    pub fn evaluate(&self, scope: &Scope, budget: Budget) -> Result<Value, TemplateError> {
        Machine::new(&self.0, scope, budget).run().map_err(|fail| fail.finish(&self.0.text))
    }

    /// Its value, with what it took off the budget.
    fn spend(&self, scope: &Scope, left: &mut Budget) -> Result<Value, TemplateError> {
        let mut machine = Machine::new(&self.0, scope, *left);
        let value = machine.run().map_err(|fail| fail.finish(&self.0.text))?;
        *left = machine.left();
        Ok(value)
    }
}

/// A bare expression, as `when`, `where` and `for_each` have it.
#[derive(Debug)]
pub struct Expression(Program);

impl Expression {
    /// Reads an expression, which stands without braces.
    ///
    /// # Errors
    /// [`TemplateError`] says what the author must mend, and where.
    pub fn compile(text: &str, names: &Names) -> Result<Self, TemplateError> {
        let program = Parser::new(text, names).and_then(Parser::bare);
        program.map(Self).map_err(|fail| fail.finish(text))
    }

    /// What it reads.
    pub fn reads(&self) -> &Reads {
        &self.0.reads
    }

    /// Its value.
    ///
    /// # Errors
    /// [`TemplateError`] says what the data lacks, or that the result takes too much.
    pub fn evaluate(&self, scope: &Scope, budget: Budget) -> Result<Value, TemplateError> {
        Machine::new(&self.0, scope, budget).run().map_err(|fail| fail.finish(&self.0.text))
    }

    /// What is certainly wrong, where this is known of the names that it reads; and what is known of its value.
    pub fn check(&self, roots: &[(String, Known)]) -> (Vec<TemplateError>, Known) {
        Checker::check(&self.0, roots)
    }

    /// Its value, which must be true or false.
    ///
    /// # Errors
    /// As [`Self::evaluate`], and where the value is anything but a boolean.
    pub fn evaluate_bool(&self, scope: &Scope, budget: Budget) -> Result<bool, TemplateError> {
        Machine::new(&self.0, scope, budget).run_boolean().map_err(|fail| fail.finish(&self.0.text))
    }
}
