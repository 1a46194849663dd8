//! What stands between operators: names, literals, brackets, and what follows them: keys, filters, tests.

use serde_json::Value;

use super::{
    checks,
    error::{Fail, Span, quoted},
    filters::{self, Filter, Parameter},
    parse::Parser,
    reads::{Key, Read, Source},
    scope::{STEPS, StepPart},
    syntax::{Applied, Kind, LoopField, Node, Tested},
    token::{Token, TokenKind, step_id},
};
use crate::text::nearest;

/// What stands in the brackets of a filter.
type Arguments<'t> = Vec<(Option<&'t str>, Node)>;

impl<'t> Parser<'t> {
    pub(super) fn primary(&mut self) -> Result<Node, Fail> {
        let Token { span, kind } = self.take()?;
        match kind {
            TokenKind::Name(name) => self.name(name, span),
            TokenKind::Whole(number) => self.node(span, Kind::Const(number.into())),
            TokenKind::Fraction(number) => self.node(span, Kind::Const(number.into())),
            TokenKind::Text(text) => self.node(span, Kind::Const(text.into())),
            TokenKind::Symbol("(") => self.bracket(&span),
            TokenKind::Symbol("[") => self.nested(|parser| parser.list(&span)),
            TokenKind::Symbol("{") => self.nested(|parser| parser.object(&span)),
            _ => {
                self.peeked = Some(Token { span, kind });
                Err(self.unexpected("a value"))
            }
        }
    }

    fn name(&mut self, name: &'t str, span: Span) -> Result<Node, Fail> {
        let constant = match name {
            "true" | "True" => Some(Value::Bool(true)),
            "false" | "False" => Some(Value::Bool(false)),
            "none" | "None" | "null" => Some(Value::Null),
            _ => None,
        };
        if let Some(value) = constant {
            return self.node(span, Kind::Const(value));
        }
        if let Some(variable) = self.variables.iter().rev().find(|variable| variable.name == name) {
            let slot = variable.slot;
            return self.node(span, Kind::Local(slot));
        }
        if self.is_symbol("(")? {
            return self.function(name, &span);
        }
        match name {
            "loop" if self.loop_count > 0 => self.loop_field(span),
            "now" => self.node(span, Kind::Now),
            STEPS if self.names.has(STEPS) => self.step(span),
            name if self.names.has(name) => self.node(span, Kind::Root(name.to_owned())),
            "and" | "or" | "in" | "is" | "if" | "else" | "not" => {
                Err(Fail::text(format!("`{name}` stands where a value is expected")).at(&span))
            }
            name => Err(self.unknown_name(name, &span)),
        }
    }

    /// `steps` is never a value of its own: which step and what of it is written out.
    fn step(&mut self, span: Span) -> Result<Node, Fail> {
        let id = self.literal_key(true).map_err(|fail| fail.at(&span))?;
        let Some(id) = id else {
            let fail = Fail::text("`steps` is used whole, or by a computed name");
            return Err(fail.next("name the step, as in steps.machine.output or steps['machine'].output").at(&span));
        };
        let part = self.literal_key(false)?;
        let span = span.start..self.at;
        let missing = || {
            let fail = Fail::text(format!("{} does not say what of the step is read", quoted(self.text, &span)));
            fail.next("add `.output`, `.error` or `.outcome`").at(&span)
        };
        let part = part.ok_or_else(missing)?;
        match StepPart::parse(&part) {
            Some(part) => self.node(span, Kind::Step { id, part }),
            None => {
                let fail = Fail::text(format!("a step has no `{part}`"));
                Err(fail.next("read `.output`, `.error` or `.outcome`").at(&span))
            }
        }
    }

    /// `.key` or `['key']`, taken if it comes next.
    fn literal_key(&mut self, may_have_dashes: bool) -> Result<Option<String>, Fail> {
        if self.skip_symbol(".")? {
            if may_have_dashes && let Some(id) = step_id(self.text, self.at) {
                self.at += id.len();
                return Ok(Some(id.to_owned()));
            }
            return match self.take()?.kind {
                TokenKind::Name(name) => Ok(Some(name.to_owned())),
                _ => Ok(None),
            };
        }
        if !self.skip_symbol("[")? {
            return Ok(None);
        }
        let TokenKind::Text(key) = self.take()?.kind else { return Ok(None) };
        self.expect_symbol("]", "behind the key")?;
        Ok(Some(key))
    }

    fn loop_field(&mut self, span: Span) -> Result<Node, Fail> {
        let level = self.loop_count - 1;
        let field = self.literal_key(false)?;
        let span = span.start..self.at;
        let field = match field.as_deref() {
            Some("index") => LoopField::Index,
            Some("index0") => LoopField::Index0,
            Some("first") => LoopField::First,
            Some("last") => LoopField::Last,
            Some("length") => LoopField::Length,
            _ => {
                let fail = Fail::text(format!("{} is not known of a loop", quoted(self.text, &span)));
                return Err(fail.next("use loop.index, index0, first, last or length").at(&span));
            }
        };
        self.node(span, Kind::Loop { level, field })
    }

    fn bracket(&mut self, open: &Span) -> Result<Node, Fail> {
        let first = self.expression()?;
        if self.skip_symbol(")")? {
            return Ok(first);
        }
        let mut items = vec![first];
        while self.skip_symbol(",")? && !self.is_symbol(")")? {
            items.push(self.expression()?);
        }
        let end = self.expect_symbol(")", "closing the bracket")?.end;
        self.node(open.start..end, Kind::List(items))
    }

    fn list(&mut self, open: &Span) -> Result<Node, Fail> {
        let mut items = Vec::new();
        while !self.is_symbol("]")? {
            items.push(self.expression()?);
            if !self.skip_symbol(",")? {
                break;
            }
        }
        let end = self.expect_symbol("]", "or `,` in the list")?.end;
        self.node(open.start..end, Kind::List(items))
    }

    fn object(&mut self, open: &Span) -> Result<Node, Fail> {
        let mut fields = Vec::new();
        while !self.is_symbol("}")? {
            let key = self.expression()?;
            self.expect_symbol(":", "behind the key of an object")?;
            fields.push((key, self.expression()?));
            if !self.skip_symbol(",")? {
                break;
            }
        }
        let end = self.expect_symbol("}", "or `,` in the object")?.end;
        self.node(open.start..end, Kind::Object(fields))
    }

    fn function(&mut self, name: &str, span: &Span) -> Result<Node, Fail> {
        self.take()?;
        if name == "now" {
            return Err(Fail::text("`now` is a value").next("write it without brackets").at(span));
        }
        let arguments = self.arguments(span)?;
        let span = span.start..self.at;
        match name {
            "range" => {
                let [from, to, step] = self.bound("range", RANGE, arguments, &span)?.try_into().expect("three of them");
                self.node(span, Kind::Range(Box::new([from, to, step])))
            }
            "ago" => {
                let mut bound = self.bound("ago", AGO, arguments, &span)?;
                let duration = bound.remove(0).expect("it is needed");
                self.node(span, Kind::Ago(Box::new(duration)))
            }
            _ => {
                let fail = Fail::text(format!("there is no function `{name}`")).at(&span);
                Err(match filters::find(name) {
                    Some(_) => fail.next(format!("it is a filter: write `value | {name}`")),
                    None => fail.next("there are `range(…)` and `ago(…)`; all else is a filter: `value | name`"),
                })
            }
        }
    }

    /// Keys, items and slices behind a value; what is written out is noted as read.
    pub(super) fn accesses(&mut self, primary: Node) -> Result<Node, Fail> {
        let source = match &primary.kind {
            Kind::Root(name) => Some(Source::Root(name.clone())),
            Kind::Step { id, part } => Some(Source::Step { id: id.clone(), part: *part }),
            _ => None,
        };
        let mut path = Vec::new();
        let mut is_written_out = true;
        let mut node = primary;
        let mut read_end = node.span.end;
        loop {
            let key;
            if self.skip_symbol(".")? {
                (node, key) = self.attribute(node)?;
            } else if self.is_symbol("[")? {
                (node, key) = self.nested(|parser| parser.item(node))?;
            } else if self.is_symbol("(")? {
                return Err(self.called(&node));
            } else {
                break;
            }
            is_written_out &= key.is_some();
            if let (true, Some(key)) = (is_written_out, key) {
                path.push(key);
                read_end = node.span.end;
            }
        }
        if let Some(source) = source {
            self.check_run(&source, &path, &node.span)?;
            let span = node.span.start..read_end;
            self.reads.push(Read { source, path, may_lack: false, span, place: String::new() });
        }
        Ok(node)
    }

    /// What a run tells of itself is fixed.
    fn check_run(&self, source: &Source, path: &[Key], span: &Span) -> Result<(), Fail> {
        let (Source::Root(root), Some(Key::Name(key))) = (source, path.first()) else { return Ok(()) };
        if root != "run" || RUN_KEYS.contains(&key.as_str()) {
            return Ok(());
        }
        let fail = Fail::text(format!("`run` has no `{key}`")).at(span);
        Err(match nearest(key, RUN_KEYS.iter().copied()) {
            Some(meant) => fail.next(format!("did you mean `run.{meant}`?")),
            None => fail.next(format!("it has {}", RUN_KEYS.join(", "))),
        })
    }

    fn attribute(&mut self, of: Node) -> Result<(Node, Option<Key>), Fail> {
        let token = self.take()?;
        let span = of.span.start..token.span.end;
        match token.kind {
            TokenKind::Name(name) => {
                let (key, read) = (name.to_owned(), Key::Name(name.to_owned()));
                Ok((self.node(span, Kind::Attribute { of: Box::new(of), key })?, Some(read)))
            }
            TokenKind::Whole(number) => {
                let fail = Fail::text(format!("`.{number}` is no key"));
                Err(fail.next(format!("write an item of a list as [{number}]")).at(&token.span))
            }
            _ => {
                self.peeked = Some(token);
                Err(self.unexpected("a key behind the dot"))
            }
        }
    }

    fn item(&mut self, of: Node) -> Result<(Node, Option<Key>), Fail> {
        self.take()?;
        let mut bounds = [None, None, None];
        let mut colon_count = 0;
        while !self.is_symbol("]")? {
            if self.skip_symbol(":")? {
                colon_count += 1;
                if colon_count == 3 {
                    return Err(Fail::text("a slice has two colons at most").at(&of.span));
                }
            } else if bounds[colon_count].is_none() {
                bounds[colon_count] = Some(self.expression()?);
            } else {
                break;
            }
        }
        let end = self.expect_symbol("]", "behind what stands in brackets")?.end;
        let span = of.span.start..end;
        let of = Box::new(of);
        if colon_count > 0 {
            return Ok((self.node(span, Kind::Slice { of, bounds: Box::new(bounds) })?, None));
        }
        let [Some(index), ..] = bounds else {
            return Err(Fail::text("nothing stands in the brackets").next("name a key or an item").at(&span));
        };
        match &index.kind {
            Kind::Const(Value::String(key)) => {
                let (key, read) = (key.clone(), Key::Name(key.clone()));
                Ok((self.node(span, Kind::Attribute { of, key })?, Some(read)))
            }
            Kind::Const(value) => {
                let read = value.as_i64().map(Key::Index);
                Ok((self.node(span, Kind::Index { of, index: Box::new(index) })?, read))
            }
            _ => Ok((self.node(span, Kind::Index { of, index: Box::new(index) })?, None)),
        }
    }

    fn called(&self, node: &Node) -> Fail {
        let fail = Fail::text(format!("{} cannot be called: values have no methods", quoted(self.text, &node.span)));
        let fail = fail.at(&node.span);
        match &node.kind {
            Kind::Attribute { key, .. } if filters::find(key).is_some() => {
                fail.next(format!("write `value | {key}`, with brackets where it takes something"))
            }
            Kind::Attribute { key, .. } if key == "get" => fail.next("write `value.key | default(…)`"),
            Kind::Attribute { key, .. } if key == "startswith" => fail.next("write `value is startingwith('…')`"),
            Kind::Attribute { key, .. } if key == "endswith" => fail.next("write `value is endingwith('…')`"),
            _ => fail.next("use a filter: `value | name`"),
        }
    }

    /// What stands in brackets behind a name, the closing bracket as well.
    fn arguments(&mut self, of: &Span) -> Result<Arguments<'t>, Fail> {
        let mut arguments = Vec::new();
        while !self.is_symbol(")")? {
            let before = self.peek()?.span.start;
            let value = self.expression_or_keyword()?;
            match value {
                (None, _) if arguments.iter().any(|(keyword, _): &(Option<&str>, Node)| keyword.is_some()) => {
                    let fail = Fail::text("a value without a name stands behind one with a name");
                    return Err(fail.next("put it in front").at(&(before..self.at)));
                }
                value => arguments.push(value),
            }
            if arguments.len() > ARGUMENT_COUNT_MAX {
                return Err(Fail::text("too much stands in the brackets").at(of));
            }
            if !self.skip_symbol(",")? {
                break;
            }
        }
        self.expect_symbol(")", "or `,` in the brackets")?;
        Ok(arguments)
    }

    fn expression_or_keyword(&mut self) -> Result<(Option<&'t str>, Node), Fail> {
        if let TokenKind::Name(name) = self.peek()?.kind {
            let word = self.take()?;
            if self.skip_symbol("=")? {
                return Ok((Some(name), self.expression()?));
            }
            // It was the beginning of an expression: read it again.
            (self.at, self.peeked) = (word.span.start, None);
        }
        Ok((None, self.expression()?))
    }

    /// Arguments in the order of the parameters.
    fn bound(
        &self,
        name: &str,
        parameters: &[Parameter],
        arguments: Arguments<'t>,
        span: &Span,
    ) -> Result<Vec<Option<Node>>, Fail> {
        let mut bound: Vec<Option<Node>> = parameters.iter().map(|_| None).collect();
        let takes = || match parameters {
            [] => format!("`{name}` takes nothing in brackets"),
            _ => {
                let names: Vec<_> = parameters.iter().map(|parameter| parameter.name).collect();
                format!("`{name}` takes {}", names.join(", "))
            }
        };
        for (at, (keyword, value)) in arguments.into_iter().enumerate() {
            let place = match keyword {
                None => (at < parameters.len()).then_some(at),
                Some(keyword) => parameters.iter().position(|parameter| parameter.name == keyword),
            };
            let Some(place) = place.filter(|place| bound[*place].is_none()) else {
                let what = match keyword {
                    Some(keyword) => format!("`{name}` has no `{keyword}`, or has it twice"),
                    None => format!("`{name}` is given too much"),
                };
                return Err(Fail::text(what).next(takes()).at(&value.span));
            };
            bound[place] = Some(value);
        }
        match parameters.iter().zip(&bound).find(|(parameter, value)| parameter.is_needed && value.is_none()) {
            Some((missing, _)) => {
                Err(Fail::text(format!("`{name}` is not told its `{}`", missing.name)).next(takes()).at(span))
            }
            None => Ok(bound),
        }
    }

    /// What stands behind `|`.
    pub(super) fn filter(&mut self, of: Node) -> Result<Node, Fail> {
        let token = self.take()?;
        let TokenKind::Name(name) = token.kind else {
            self.peeked = Some(token);
            return Err(self.unexpected("the name of a filter"));
        };
        let at = token.span;
        let arguments = if self.skip_symbol("(")? { self.nested(|parser| parser.arguments(&at))? } else { Vec::new() };
        let span = of.span.start..self.at;
        let here = at.start..self.at;
        match name {
            "default" => {
                let mut bound = self.bound(name, filters::DEFAULT, arguments, &here)?;
                let fallback = bound.remove(0).expect("it is needed");
                self.reads.soften(&of.span);
                self.node(span, Kind::Default { of: Box::new(of), fallback: Box::new(fallback) })
            }
            "map" => self.map(of, span, arguments, &here),
            "select" | "reject" | "selectattr" | "rejectattr" => self.keep(name, of, span, arguments, &here),
            _ => {
                let applied = self.applied(name, arguments, &here)?;
                self.node(span, Kind::Filter { of: Box::new(of), applied })
            }
        }
    }

    fn applied(&mut self, name: &str, arguments: Arguments<'t>, span: &Span) -> Result<Applied, Fail> {
        let filter: &'static Filter = filters::find(name).ok_or_else(|| filters::unknown(name).at(span))?;
        let arguments = self.bound(name, filter.parameters, arguments, span)?;
        if filter.has_pattern {
            self.compile_pattern(arguments[0].as_ref())?;
        }
        Ok(Applied { filter, arguments })
    }

    /// A regular expression that stands in the text is compiled once, and its errors are errors of the text.
    fn compile_pattern(&mut self, node: Option<&Node>) -> Result<(), Fail> {
        let Some(Node { kind: Kind::Const(Value::String(pattern)), span, .. }) = node else { return Ok(()) };
        if !self.patterns.contains_key(pattern) {
            let regex = filters::regex(pattern).map_err(|why| Fail::text(why).at(span))?;
            self.patterns.insert(pattern.clone(), regex);
        }
        Ok(())
    }

    /// `map(attribute='a.b', default=…)` or `map('upper')`.
    fn map(&mut self, of: Node, span: Span, mut arguments: Arguments<'t>, here: &Span) -> Result<Node, Fail> {
        if arguments.first().is_some_and(|(keyword, _)| keyword.is_none()) {
            let (_, first) = arguments.remove(0);
            let name = literal(first, "map", "the name of a filter")?;
            if filters::SPECIAL.contains(&name.as_str()) {
                let fail = Fail::text(format!("`map` cannot apply `{name}`"));
                return Err(fail.next("write a loop: {% for item in list %}…{% endfor %}").at(here));
            }
            let applied = self.applied(&name, arguments, here)?;
            return self.node(span, Kind::Each { of: Box::new(of), applied });
        }
        let mut bound = self.bound("map", MAP, arguments, here)?;
        let fallback = bound.pop().flatten().map(Box::new);
        let path = literal(bound.remove(0).expect("it is needed"), "map", "an attribute such as 'device.name'")?;
        let path = path.split('.').map(str::to_owned).collect();
        self.node(span, Kind::Pluck { of: Box::new(of), path, fallback })
    }

    /// `select('test', value)`, `selectattr('a.b', 'test', value)` and their opposites.
    fn keep(&mut self, name: &str, of: Node, span: Span, arguments: Arguments<'t>, here: &Span) -> Result<Node, Fail> {
        let parameters = if name.ends_with("attr") { KEEP_BY_ATTRIBUTE } else { KEEP };
        let mut bound = self.bound(name, parameters, arguments, here)?;
        let mut path = Vec::new();
        if name.ends_with("attr") {
            let attribute = bound.remove(0).expect("it is needed");
            let attribute = literal(attribute, name, "an attribute such as 'device.name'")?;
            path = attribute.split('.').map(str::to_owned).collect();
        }
        let argument = bound.pop().flatten();
        let tested = match bound.pop().flatten() {
            None => None,
            Some(test) => {
                let at = test.span.clone();
                let test = literal(test, name, "the name of a test")?;
                Some(self.tested(&test, argument, false, &at)?)
            }
        };
        let keeps = name.starts_with("select");
        self.node(span, Kind::Keep { of: Box::new(of), path, tested, keeps })
    }

    /// What stands behind `is`.
    pub(super) fn test(&mut self, of: Node) -> Result<Node, Fail> {
        self.take()?;
        let is_negated = self.skip_word("not")?;
        let token = self.take()?;
        let TokenKind::Name(name) = token.kind else {
            self.peeked = Some(token);
            return Err(self.unexpected("the name of a test"));
        };
        let at = token.span;
        if matches!(name, "defined" | "undefined") {
            self.reads.soften(&of.span);
            let span = of.span.start..at.end;
            let is_negated = is_negated != (name == "undefined");
            return self.node(span, Kind::Defined { of: Box::new(of), is_negated });
        }
        let argument = if self.skip_symbol("(")? {
            let arguments = self.nested(|parser| parser.arguments(&at))?;
            self.bound(name, TEST, arguments, &at)?.remove(0)
        } else if checks::find(name).is_some_and(|check| check.takes) {
            let primary = self.primary()?;
            Some(self.accesses(primary)?)
        } else {
            None
        };
        let tested = self.tested(name, argument, is_negated, &at)?;
        self.node(of.span.start..self.at, Kind::Test { of: Box::new(of), tested })
    }

    fn tested(&mut self, name: &str, argument: Option<Node>, is_negated: bool, at: &Span) -> Result<Tested, Fail> {
        let Some(check) = checks::find(name) else {
            let fail = Fail::text(format!("there is no test `{name}`")).at(at);
            return Err(match nearest(name, checks::all().map(|check| check.name)) {
                Some(meant) => fail.next(format!("did you mean `{meant}`?")),
                None => fail.next("the tests are listed with the language's filters"),
            });
        };
        match (&argument, check.takes) {
            (None, true) => {
                return Err(Fail::text(format!("`{name}` is not told with what")).next("put it in brackets").at(at));
            }
            (Some(argument), false) => return Err(Fail::text(format!("`{name}` takes nothing")).at(&argument.span)),
            _ => {}
        }
        if check.name == "matching" {
            self.compile_pattern(argument.as_ref())?;
        }
        Ok(Tested { check, argument: argument.map(Box::new), is_negated })
    }
}

/// A text that must be written out, so that it is known before the run.
fn literal(node: Node, of: &str, what: &str) -> Result<String, Fail> {
    match node.kind {
        Kind::Const(Value::String(text)) => Ok(text),
        _ => Err(Fail::text(format!("`{of}` needs {what}, written out as a text")).at(&node.span)),
    }
}

const fn needed(name: &'static str) -> Parameter {
    Parameter { name, is_needed: true }
}

const fn optional(name: &'static str) -> Parameter {
    Parameter { name, is_needed: false }
}

const RANGE: &[Parameter] = &[needed("from"), optional("to"), optional("step")];
const AGO: &[Parameter] = &[needed("duration")];
const MAP: &[Parameter] = &[needed("attribute"), optional("default")];
const KEEP: &[Parameter] = &[optional("test"), optional("value")];
const KEEP_BY_ATTRIBUTE: &[Parameter] = &[needed("attribute"), optional("test"), optional("value")];
const TEST: &[Parameter] = &[optional("value")];
const RUN_KEYS: &[&str] = &["id", "url", "started_at", "workflow", "version"];
const ARGUMENT_COUNT_MAX: usize = 8;
