//! Evaluation: counts its work, never waits, and stops at the first thing that is not as the text takes it.

use std::collections::HashMap;

use regex::Regex;
use serde_json::Value;

use super::{
    compare,
    error::{Fail, quoted},
    scope::{Budget, Scope},
    syntax::{Applied, Body, For, Kind, LoopField, Node, Piece, Program, Tested},
    value::{Fields, Items, Val, View},
};
use crate::text::nearest;

pub(super) struct Machine<'a> {
    pub(super) program: &'a Program,
    pub(super) scope: &'a Scope,
    pub(super) budget: Budget,
    work: u64,
    /// Bytes that the result has taken.
    pub(super) copied: usize,
    slots: Vec<Option<Val<'a>>>,
    loops: Vec<Turn>,
    /// Regular expressions that are data.
    patterns: HashMap<String, Regex>,
}

/// Where a loop is.
struct Turn {
    at: usize,
    count: usize,
}

/// What a place holds that may be missing.
type Found<'a> = Option<Val<'a>>;

impl<'a> Machine<'a> {
    pub(super) fn new(program: &'a Program, scope: &'a Scope, budget: Budget) -> Self {
        Self {
            program,
            scope,
            budget,
            work: 0,
            copied: 0,
            slots: vec![None; program.slot_count],
            loops: Vec::new(),
            patterns: HashMap::new(),
        }
    }

    pub(super) fn run(&mut self) -> Result<Value, Fail> {
        match &self.program.body {
            Body::Value(node) => {
                let value = self.eval(node)?;
                self.result(&value).map_err(|fail| fail.at(&node.span))
            }
            Body::Text(pieces) => {
                let mut text = String::new();
                self.pieces(pieces, &mut text)?;
                self.copied = text.len().min(self.budget.value_bytes_max);
                Ok(Value::String(text))
            }
        }
    }

    /// The result where it must be true or false.
    pub(super) fn run_boolean(&mut self) -> Result<bool, Fail> {
        let Body::Value(node) = &self.program.body else {
            return Err(Fail::text("a text is neither true nor false").next("write an expression without `{{ }}`"));
        };
        self.boolean(node)
    }

    /// What is left of the budget.
    pub(super) fn left(&self) -> Budget {
        let value_bytes_max = self.budget.value_bytes_max - self.copied;
        Budget { work_max: self.budget.work_max.saturating_sub(self.work), value_bytes_max, ..self.budget }
    }

    /// Counts work that is about to be done.
    pub(super) fn charge(&mut self, units: usize) -> Result<(), Fail> {
        self.work = self.work.saturating_add(units as u64);
        if self.work > self.budget.work_max {
            let what = format!("the evaluation takes more than {} units of work", self.budget.work_max);
            return Err(Fail::budget(what).next("read less, loop over less, or use a step of its own"));
        }
        Ok(())
    }

    /// A text that was made, within its bound.
    pub(super) fn made(&mut self, text: String) -> Result<Val<'a>, Fail> {
        self.fits(text.len())?;
        self.charge(text.len() / BYTES_A_UNIT)?;
        Ok(Val::Text(text.into()))
    }

    pub(super) fn fits(&self, bytes: usize) -> Result<(), Fail> {
        if bytes > self.budget.text_bytes_max {
            let what = format!("the text would have more than {} bytes", self.budget.text_bytes_max);
            return Err(Fail::budget(what).next("take less into it"));
        }
        Ok(())
    }

    pub(super) fn pattern(&mut self, pattern: &str) -> Result<Regex, Fail> {
        if let Some(regex) = self.program.patterns.get(pattern).or_else(|| self.patterns.get(pattern)) {
            return Ok(regex.clone());
        }
        // To compile one is some thousand times the work of a comparison.
        self.charge(PATTERN_WORK)?;
        let regex = super::filters::regex(pattern).map_err(Fail::data)?;
        self.patterns.insert(pattern.to_owned(), regex.clone());
        Ok(regex)
    }

    fn pieces(&mut self, pieces: &'a [Piece], text: &mut String) -> Result<(), Fail> {
        for piece in pieces {
            self.charge(1)?;
            match piece {
                Piece::Literal(literal) => {
                    self.fits(text.len() + literal.len())?;
                    self.charge(literal.len() / BYTES_A_UNIT)?;
                    text.push_str(literal);
                }
                Piece::Print(node) => {
                    let value = self.eval(node)?;
                    self.spell(&value, text).map_err(|fail| fail.at(&node.span))?;
                }
                Piece::Set { slot, value } => self.slots[*slot] = Some(self.eval(value)?),
                Piece::For(each) => self.turns(each, text)?,
                Piece::If { branches, otherwise } => {
                    let mut chosen = otherwise;
                    for (test, pieces) in branches {
                        if self.boolean(test)? {
                            chosen = pieces;
                            break;
                        }
                    }
                    self.pieces(chosen, text)?;
                }
            }
        }
        Ok(())
    }

    fn turns(&mut self, each: &'a For, text: &mut String) -> Result<(), Fail> {
        let list = self.eval(&each.list)?;
        let items = self.items(&list).map_err(|fail| fail.at(&each.list.span))?;
        self.charge(items.len())?;
        let mut kept = Vec::new();
        for item in items.iter() {
            self.unpack(each, &item)?;
            let is_kept = match &each.only {
                Some(only) => self.boolean(only)?,
                None => true,
            };
            if is_kept {
                kept.push(item);
            }
        }
        if kept.is_empty() {
            return self.pieces(&each.otherwise, text);
        }
        self.loops.push(Turn { at: 0, count: kept.len() });
        for (at, item) in kept.into_iter().enumerate() {
            self.unpack(each, &item)?;
            self.loops.last_mut().expect("it was just begun").at = at;
            self.charge(1)?;
            self.pieces(&each.body, text)?;
        }
        self.loops.pop();
        Ok(())
    }

    fn unpack(&mut self, each: &'a For, item: &Val<'a>) -> Result<(), Fail> {
        if let [slot] = each.slots[..] {
            self.slots[slot] = Some(item.clone());
            return Ok(());
        }
        let parts = item.items().filter(|parts| parts.len() == each.slots.len());
        let wrong = || {
            let what = format!("an item of {} is not a list of {}", self.quoted(&each.list), each.slots.len());
            Fail::data(what).next("loop over an object with `| items`").at(&each.list.span)
        };
        let parts = parts.ok_or_else(wrong)?;
        for (slot, part) in each.slots.iter().zip(parts.iter()) {
            self.slots[*slot] = Some(part);
        }
        Ok(())
    }

    pub(super) fn quoted(&self, node: &Node) -> String {
        quoted(&self.program.text, &node.span)
    }

    /// The items of a list; nothing else can be looped over.
    pub(super) fn items(&self, value: &Val<'a>) -> Result<Items<'a>, Fail> {
        value.items().ok_or_else(|| {
            let fail = Fail::data(format!("a list is needed, and this is {}", value.kind()));
            match value.view() {
                View::Object(_) => fail.next("take an object apart with `| items`, `| keys` or `| values`"),
                View::Null => fail.next("write `| default([])` if there may be none"),
                View::Text(_) => fail.next("cut a text with `| split(',')` or `| split_lines`"),
                _ => fail,
            }
        })
    }

    pub(super) fn boolean(&mut self, node: &'a Node) -> Result<bool, Fail> {
        let value = self.eval(node)?;
        match value.view() {
            View::Bool(flag) => Ok(flag),
            view => {
                let fail =
                    Fail::data(format!("{} must be true or false, and it is {}", self.quoted(node), value.kind()));
                Err(match view {
                    View::Null => fail.next("write `… is none`, or `| default(false)`"),
                    View::Text(_) => fail.next("compare it, as in `… == 'yes'`"),
                    View::Number(_) => fail.next("compare it, as in `… > 0`"),
                    _ => fail.next("compare its length, as in `(… | length) > 0`"),
                }
                .at(&node.span))
            }
        }
    }

    pub(super) fn eval(&mut self, node: &'a Node) -> Result<Val<'a>, Fail> {
        self.charge(1)?;
        match &node.kind {
            Kind::Const(value) => Ok(Val::Shared(value)),
            Kind::Now => Ok(Val::Text(self.scope.now().to_string().into())),
            Kind::Root(name) => self.root(name, node),
            Kind::Step { id, part } => self.scope.step(id, *part).map(Val::Shared).ok_or_else(|| {
                let fail = Fail::scope(format!("the step `{id}` has not ended before this one"));
                fail.next(format!("put `{id}` into `after`, or behind one that waits for it")).at(&node.span)
            }),
            Kind::Local(slot) => {
                Ok(self.slots[*slot].clone().expect("the parser knows a variable only behind where it is set"))
            }
            Kind::Loop { level, field } => Ok(self.turn(*level, *field)),
            Kind::Attribute { .. } | Kind::Index { .. } => {
                let (found, missing) = self.access(node)?;
                found.ok_or_else(|| missing.unwrap_or_else(|| Fail::data("nothing is there")))
            }
            Kind::Slice { of, bounds } => self.slice(of, bounds).map_err(|fail| fail.at(&node.span)),
            Kind::List(items) => {
                let items: Vec<_> = items.iter().map(|item| self.eval(item)).collect::<Result<_, _>>()?;
                Val::list(items)
            }
            Kind::Object(fields) => self.object(fields),
            Kind::Not(of) => Ok(Val::Bool(!self.boolean(of)?)),
            Kind::Both { is_or, sides } => {
                Ok(Val::Bool(if self.boolean(&sides.0)? == *is_or { *is_or } else { self.boolean(&sides.1)? }))
            }
            Kind::Negative(of) => {
                let value = self.eval(of)?;
                compare::negative(&value).map_err(|fail| self.fail(fail, node))
            }
            Kind::Binary { operator, sides } => {
                let (left, right) = (self.eval(&sides.0)?, self.eval(&sides.1)?);
                compare::binary(self, *operator, &left, &right).map_err(|fail| self.fail(fail, node))
            }
            Kind::Choice(parts) => {
                let [test, then, otherwise] = &**parts;
                if self.boolean(test)? { self.eval(then) } else { self.eval(otherwise) }
            }
            _ => self.applied(node),
        }
    }

    /// Filters, tests and functions.
    fn applied(&mut self, node: &'a Node) -> Result<Val<'a>, Fail> {
        match &node.kind {
            Kind::Default { of, fallback } => match self.lenient(of)? {
                Some(value) if !value.is_null() => Ok(value),
                _ => self.eval(fallback),
            },
            Kind::Defined { of, is_negated } => Ok(Val::Bool(self.lenient(of)?.is_some() != *is_negated)),
            Kind::Filter { of, applied } => {
                let value = self.eval(of)?;
                let arguments = self.arguments(applied)?;
                (applied.filter.run)(self, &value, &arguments).map_err(|fail| self.fail(fail, node))
            }
            Kind::Test { of, tested } => {
                let value = self.eval(of)?;
                let argument = self.argument(tested)?;
                let flag = self.check(tested, &value, argument.as_ref()).map_err(|fail| self.fail(fail, node))?;
                Ok(Val::Bool(flag))
            }
            Kind::Each { of, applied } => {
                let list = self.eval(of)?;
                let arguments = self.arguments(applied)?;
                self.each(&list, applied, &arguments).map_err(|fail| self.fail(fail, node))
            }
            Kind::Pluck { of, path, fallback } => {
                let list = self.eval(of)?;
                let fallback = fallback.as_ref().map(|fallback| self.eval(fallback)).transpose()?;
                self.pluck(&list, path, fallback.as_ref()).map_err(|fail| self.fail(fail, node))
            }
            Kind::Keep { of, path, tested, keeps } => {
                let list = self.eval(of)?;
                let argument = tested.as_ref().map(|tested| self.argument(tested)).transpose()?.flatten();
                let kept = self.keep(&list, path, tested.as_ref(), argument.as_ref(), *keeps);
                kept.map_err(|fail| self.fail(fail, node))
            }
            Kind::Ago(duration) => {
                let duration = self.eval(duration)?;
                super::filters::ago(self, &duration, &[]).map_err(|fail| fail.at(&node.span))
            }
            Kind::Range(bounds) => self.range(bounds).map_err(|fail| fail.at(&node.span)),
            _ => unreachable!("`eval` has handled it"),
        }
    }

    fn root(&self, name: &str, node: &Node) -> Result<Val<'a>, Fail> {
        self.scope.root(name).map(Val::Shared).ok_or_else(|| {
            let fail = Fail::scope(format!("`{name}` has no value in this run"));
            fail.next("start it in a way that gives one, or do not read it here").at(&node.span)
        })
    }

    fn turn(&self, level: usize, field: LoopField) -> Val<'a> {
        let turn = &self.loops[level];
        match field {
            LoopField::Index => Val::Number((turn.at + 1).into()),
            LoopField::Index0 => Val::Number(turn.at.into()),
            LoopField::First => Val::Bool(turn.at == 0),
            LoopField::Last => Val::Bool(turn.at + 1 == turn.count),
            LoopField::Length => Val::Number(turn.count.into()),
        }
    }

    fn object(&mut self, fields: &'a [(Node, Node)]) -> Result<Val<'a>, Fail> {
        let mut object = std::collections::BTreeMap::new();
        for (key, value) in fields {
            let name = self.eval(key)?;
            let Some(name) = name.text() else {
                let what = format!("the key {} must be a text, and it is {}", self.quoted(key), name.kind());
                return Err(Fail::data(what).at(&key.span));
            };
            let name = name.to_owned();
            object.insert(name, self.eval(value)?);
        }
        Val::object(object)
    }

    /// What stands there, or nothing where only the last key, the last index or the only item is missing.
    fn lenient(&mut self, node: &'a Node) -> Result<Found<'a>, Fail> {
        match &node.kind {
            Kind::Attribute { .. } | Kind::Index { .. } => Ok(self.access(node)?.0),
            Kind::Filter { of, applied } if applied.filter.may_find_nothing => {
                let value = self.eval(of)?;
                if value.items().is_some_and(|items| items.len() == 0) {
                    return Ok(None);
                }
                let arguments = self.arguments(applied)?;
                let found = (applied.filter.run)(self, &value, &arguments);
                Ok(Some(found.map_err(|fail| self.fail(fail, node))?))
            }
            _ => self.eval(node).map(Some),
        }
    }

    /// What stands at a key or an index; where nothing does, why that is an error.
    fn access(&mut self, node: &'a Node) -> Result<(Found<'a>, Option<Fail>), Fail> {
        let (of, index);
        let key = match &node.kind {
            Kind::Attribute { of: inner, key } => {
                of = inner;
                Key::Name(key)
            }
            Kind::Index { of: inner, index: place } => {
                of = inner;
                index = self.eval(place)?;
                match (index.text(), index.whole()) {
                    (Some(name), _) => Key::Name(name),
                    (_, Some(at)) => Key::Index(at),
                    _ => {
                        let what = format!("{} is {}, and no key or index", self.quoted(place), index.kind());
                        return Err(Fail::data(what).at(&place.span));
                    }
                }
            }
            _ => unreachable!("it is no access"),
        };
        let value = self.eval(of)?;
        match look(&value, &key) {
            Ok(Some(found)) => Ok((Some(found), None)),
            Ok(None) => Ok((None, Some(self.missing(node, of, &value, &key).at(&node.span)))),
            Err(why) => {
                let what = format!("{} {why}", self.quoted(of));
                let fail = Fail::data(format!("{} does not exist: {what}", self.quoted(node)));
                Err(match value.view() {
                    View::Null => fail.next(format!("write `{} if … is not none else …`", self.plain(node))),
                    View::List(_) => fail.next("take one of its items, or use `| map(attribute='…')`"),
                    _ => fail,
                }
                .at(&node.span))
            }
        }
    }

    fn plain(&self, node: &Node) -> String {
        self.quoted(node).trim_matches('`').to_owned()
    }

    fn missing(&self, node: &Node, of: &Node, value: &Val<'a>, key: &Key<'_>) -> Fail {
        let (name, of) = (self.quoted(node), self.quoted(of));
        let Key::Name(key) = key else {
            let count = value.items().map_or(0, |items| items.len());
            let fail = Fail::data(format!("{name} does not exist: {of} has {count} items"));
            return fail.next("write `| default(…)` if it may be missing");
        };
        let fail = Fail::data(format!("{name} does not exist: {of} has no `{}`", cut(key)));
        let keys = value.fields().map(|fields| fields.pairs()).unwrap_or_default();
        match nearest(key, keys.iter().map(|(key, _)| key.as_str())) {
            Some(meant) => fail.next(format!("did you mean `{meant}`?")),
            None => fail.next("write `| default(…)` if it may be missing"),
        }
    }

    /// An error that does not know its place yet is about this node.
    fn fail(&self, fail: Fail, node: &Node) -> Fail {
        fail.about(&self.quoted(node)).at(&node.span)
    }

    fn arguments(&mut self, applied: &'a Applied) -> Result<Vec<Option<Val<'a>>>, Fail> {
        applied.arguments.iter().map(|node| node.as_ref().map(|node| self.eval(node)).transpose()).collect()
    }

    fn argument(&mut self, tested: &'a Tested) -> Result<Option<Val<'a>>, Fail> {
        tested.argument.as_ref().map(|node| self.eval(node)).transpose()
    }

    fn check(&mut self, tested: &Tested, value: &Val<'a>, argument: Option<&Val<'a>>) -> Result<bool, Fail> {
        Ok((tested.check.run)(self, value, argument)? != tested.is_negated)
    }

    fn each(&mut self, list: &Val<'a>, applied: &Applied, arguments: &[Option<Val<'a>>]) -> Result<Val<'a>, Fail> {
        let items = self.items(list)?;
        self.charge(items.len())?;
        let mut all = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let result = (applied.filter.run)(self, &item, arguments);
            all.push(result.map_err(|fail| fail.about(&format!("item {at}")))?);
        }
        Val::list(all)
    }

    fn pluck(&mut self, list: &Val<'a>, path: &[String], fallback: Option<&Val<'a>>) -> Result<Val<'a>, Fail> {
        let items = self.items(list)?;
        self.charge(items.len() * path.len())?;
        let mut all = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let found = at_path(&item, path, fallback.is_some()).map_err(|fail| fail.about(&format!("item {at}")))?;
            let found = found.filter(|found| fallback.is_none() || !found.is_null());
            all.push(found.or_else(|| fallback.cloned()).unwrap_or(Val::Null));
        }
        Val::list(all)
    }

    fn keep(
        &mut self,
        list: &Val<'a>,
        path: &[String],
        tested: Option<&'a Tested>,
        argument: Option<&Val<'a>>,
        keeps: bool,
    ) -> Result<Val<'a>, Fail> {
        let items = self.items(list)?;
        self.charge(items.len() * (1 + path.len()))?;
        let mut kept = Vec::new();
        for (at, item) in items.iter().enumerate() {
            let about = |fail: Fail| fail.about(&format!("item {at}"));
            let value = at_path(&item, path, false).map_err(about)?.unwrap_or(Val::Null);
            let fits = match (tested, value.view()) {
                (Some(tested), _) => self.check(tested, &value, argument).map_err(about)?,
                (None, View::Bool(flag)) => flag,
                _ => {
                    let fail = Fail::data(format!("true or false is needed, and this is {}", value.kind()));
                    return Err(about(fail.next("name a test, such as select('gt', 3) or reject('none')")));
                }
            };
            if fits == keeps {
                kept.push(item);
            }
        }
        Val::list(kept)
    }

    fn bound(&mut self, node: Option<&'a Node>) -> Result<Option<i128>, Fail> {
        let Some(node) = node else { return Ok(None) };
        let value = self.eval(node)?;
        if value.is_null() {
            return Ok(None);
        }
        let wrong = || Fail::data(format!("{} must be a whole number, and it is {}", self.quoted(node), value.kind()));
        value.whole().map(Some).ok_or_else(|| wrong().at(&node.span))
    }

    fn range(&mut self, bounds: &'a [Option<Node>; 3]) -> Result<Val<'a>, Fail> {
        let [first, second, step] = bounds;
        let (first, second) = (self.bound(first.as_ref())?, self.bound(second.as_ref())?);
        let step = self.bound(step.as_ref())?.unwrap_or(1);
        let (mut at, end) = match (first, second) {
            (Some(from), Some(to)) => (from, to),
            (Some(to), None) => (0, to),
            (None, _) => return Err(Fail::data("`range` needs a whole number")),
        };
        if step == 0 {
            return Err(Fail::data("`range` cannot go on by 0"));
        }
        let mut all = Vec::new();
        while if step > 0 { at < end } else { at > end } {
            self.charge(1)?;
            all.push(super::value::Num::Whole(at).val().expect("it lies between two that fit"));
            at += step;
        }
        Val::list(all)
    }

    fn slice(&mut self, of: &'a Node, bounds: &'a [Option<Node>; 3]) -> Result<Val<'a>, Fail> {
        let value = self.eval(of)?;
        let [from, to, step] = bounds;
        let (from, to) = (self.bound(from.as_ref())?, self.bound(to.as_ref())?);
        let step = self.bound(step.as_ref())?.unwrap_or(1);
        if let Some(text) = value.text() {
            self.charge(text.len() / BYTES_A_UNIT)?;
            let chars: Vec<char> = text.chars().collect();
            let places = places(chars.len(), from, to, step)?;
            return self.made(places.into_iter().map(|at| chars[at]).collect());
        }
        let Some(items) = value.items() else {
            return Err(Fail::data(format!("{} is {}, which cannot be cut", self.quoted(of), value.kind())));
        };
        self.charge(items.len())?;
        let places = places(items.len(), from, to, step)?;
        Val::list(places.into_iter().filter_map(|at| items.item(at)).collect())
    }
}

/// The places that a slice takes, as Python counts them.
fn places(count: usize, from: Option<i128>, to: Option<i128>, step: i128) -> Result<Vec<usize>, Fail> {
    let count = count as i128;
    let (least, most) = if step > 0 { (0, count) } else { (-1, count - 1) };
    if step == 0 {
        return Err(Fail::data("a slice cannot go on by 0"));
    }
    let place = |at: i128| if at < 0 { (at + count).max(least) } else { at.min(most) };
    let (begin, end) = if step > 0 { (least, most) } else { (most, least) };
    let (mut at, end) = (from.map_or(begin, place), to.map_or(end, place));
    let mut all = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        all.extend(usize::try_from(at));
        at = at.saturating_add(step);
    }
    Ok(all)
}

enum Key<'k> {
    Name(&'k str),
    Index(i128),
}

/// What stands at a key; an error says why nothing can stand there.
fn look<'a>(value: &Val<'a>, key: &Key<'_>) -> Result<Found<'a>, String> {
    match (value.view(), key) {
        (View::Object(fields), Key::Name(name)) => Ok(fields.field(name)),
        (View::List(items), Key::Index(at)) => {
            let at = if *at < 0 { at.saturating_add(items.len() as i128) } else { *at };
            Ok(usize::try_from(at).ok().and_then(|at| items.item(at)))
        }
        (View::Text(_), Key::Index(_)) => Err("is a text; cut it with [0:1]".to_owned()),
        _ => Err(format!("is {}", value.kind())),
    }
}

/// What stands at a path within an item. Where `may_lack` holds, the last key may be missing.
pub(super) fn at_path<'a>(item: &Val<'a>, path: &[String], may_lack: bool) -> Result<Found<'a>, Fail> {
    let mut value = item.clone();
    let last = path.len().saturating_sub(1);
    for (place, name) in path.iter().enumerate() {
        let key = match name.parse() {
            Ok(at) if value.items().is_some() => Key::Index(at),
            _ => Key::Name(name),
        };
        let written = || path[..=place].join(".");
        let found = look(&value, &key).map_err(|why| {
            let fail = Fail::data(format!("`{}` does not exist: what is before it {why}", written()));
            if value.is_null() { fail.next("put `| reject('none')` in front") } else { fail }
        })?;
        match found {
            Some(found) => value = found,
            None if may_lack && place == last => return Ok(None),
            None => {
                let fail = Fail::data(format!("`{}` does not exist", written()));
                let keys = value.fields().as_ref().map(Fields::pairs).unwrap_or_default();
                return Err(match nearest(name, keys.iter().map(|(key, _)| key.as_str())) {
                    Some(meant) => fail.next(format!("did you mean `{meant}`?")),
                    None => fail.next("leave such items out, or use map(attribute='…', default=…)"),
                });
            }
        }
    }
    Ok(Some(value))
}

fn cut(text: &str) -> String {
    text.chars().take(80).collect()
}

pub(super) const BYTES_A_UNIT: usize = 64;
const PATTERN_WORK: usize = 2_000;
