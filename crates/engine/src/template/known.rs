//! What is certainly wrong about values whose shape is known before they are there: a field that no incident has, a word that
//! none of its lists holds, a number compared with a text. Where nothing is known, nothing is said.

use std::sync::Arc;

use serde_json::Value;
use sortie_model::shapes::{FieldKind, Shape};

use super::{
    error::{Fail, TemplateError, quoted},
    syntax::{Applied, Body, Kind, Node, Operator, Piece, Program, Tested},
};
use crate::text::nearest;

/// What is known of a value.
#[derive(Clone, Debug)]
pub enum Known {
    /// Nothing.
    Anything,
    /// It is an object with these fields; nothing is known of others.
    Fields(Arc<[(&'static str, Known)]>),
    /// It is an object of this shape.
    Object(&'static Shape),
    /// It is a list of such values.
    List(Arc<Known>),
    /// It is one of these words, or null.
    Words(&'static [&'static str]),
    /// It is a text, or null.
    Text,
    /// It is a whole number, or null.
    Whole,
}

impl Known {
    /// An object with fields of which something is known.
    pub fn fields(fields: impl IntoIterator<Item = (&'static str, Self)>) -> Self {
        Self::Fields(fields.into_iter().collect())
    }

    fn of(kind: FieldKind) -> Self {
        match kind {
            FieldKind::Text | FieldKind::Instant => Self::Text,
            FieldKind::Words(words) => Self::Words(words),
            FieldKind::Whole => Self::Whole,
            FieldKind::Texts => Self::List(Arc::new(Self::Text)),
            FieldKind::List(shape) => Self::List(Arc::new(Self::Object(shape))),
            FieldKind::Raw => Self::Anything,
        }
    }

    /// The same where the fallback of `default` may stand in its place.
    fn or(self, fallback: &Node) -> Self {
        let is_alike = match (&self, &fallback.kind) {
            (_, Kind::Const(Value::Null)) => true,
            (Self::Words(words), Kind::Const(Value::String(word))) => words.contains(&word.as_str()),
            (Self::Text, Kind::Const(Value::String(_))) | (Self::Whole, Kind::Const(Value::Number(_))) => true,
            (Self::List(_), Kind::List(items)) => items.is_empty(),
            _ => false,
        };
        if is_alike { self } else { Self::Anything }
    }

    /// In words, where it is a kind of value.
    pub(crate) fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Anything => None,
            Self::Fields(_) | Self::Object(_) => Some("an object"),
            Self::List(_) => Some("a list"),
            Self::Words(_) | Self::Text => Some("a text"),
            Self::Whole => Some("a number"),
        }
    }
}

/// Goes through a program once.
pub(super) struct Checker<'p> {
    text: &'p str,
    roots: &'p [(String, Known)],
    slots: Vec<Option<Known>>,
    found: Vec<Fail>,
}

impl<'p> Checker<'p> {
    /// What is wrong in a program whose roots are known so, and what is known of its value.
    pub(super) fn check(program: &'p Program, roots: &'p [(String, Known)]) -> (Vec<TemplateError>, Known) {
        let slots = vec![None; program.slot_count];
        let mut checker = Self { text: &program.text, roots, slots, found: Vec::new() };
        let known = match &program.body {
            Body::Value(node) => checker.node(node),
            Body::Text(pieces) => {
                checker.pieces(pieces);
                Known::Text
            }
        };
        (checker.found.into_iter().map(|fail| fail.finish(&program.text)).collect(), known)
    }

    fn pieces(&mut self, pieces: &[Piece]) {
        for piece in pieces {
            match piece {
                Piece::Literal(_) => {}
                Piece::Print(node) => {
                    self.node(node);
                }
                Piece::If { branches, otherwise } => {
                    for (test, pieces) in branches {
                        self.node(test);
                        self.pieces(pieces);
                    }
                    self.pieces(otherwise);
                }
                Piece::For(each) => {
                    let item = match (self.node(&each.list), &each.slots[..]) {
                        (Known::List(item), [_]) => Known::clone(&item),
                        _ => Known::Anything,
                    };
                    each.slots.iter().for_each(|slot| self.slots[*slot] = Some(item.clone()));
                    each.only.iter().for_each(|only| {
                        self.node(only);
                    });
                    self.pieces(&each.body);
                    self.pieces(&each.otherwise);
                }
                Piece::Set { slot, value } => {
                    let known = self.node(value);
                    // Set a second time, perhaps in one branch alone, it may be either.
                    let slot = &mut self.slots[*slot];
                    *slot = Some(if slot.is_some() { Known::Anything } else { known });
                }
            }
        }
    }

    /// Everything in a node once, and what is known of its value.
    fn node(&mut self, node: &Node) -> Known {
        match &node.kind {
            Kind::Root(name) => self
                .roots
                .iter()
                .rev()
                .find(|(known, _)| known == name)
                .map_or(Known::Anything, |(_, known)| known.clone()),
            Kind::Local(slot) => self.slots[*slot].clone().unwrap_or(Known::Anything),
            Kind::Attribute { of, key } => {
                let known = self.node(of);
                self.field(&known, key, of, node)
            }
            Kind::Index { of, index } => {
                self.node(index);
                match self.node(of) {
                    Known::List(item) => Known::clone(&item),
                    _ => Known::Anything,
                }
            }
            Kind::Slice { of, bounds } => {
                bounds.iter().flatten().for_each(|bound| {
                    self.node(bound);
                });
                match self.node(of) {
                    // A part of a word is none.
                    Known::Words(_) => Known::Text,
                    known => known,
                }
            }
            Kind::Binary { operator, sides } => {
                let known = [self.node(&sides.0), self.node(&sides.1)];
                self.compared(*operator, [&sides.0, &sides.1], &known);
                Known::Anything
            }
            Kind::Filter { of, applied } => self.filtered(of, applied),
            Kind::Default { of, fallback } => {
                self.node(fallback);
                self.node(of).or(fallback)
            }
            Kind::Test { of, tested } => {
                let known = self.node(of);
                self.tested(of, &known, tested);
                Known::Anything
            }
            Kind::Pluck { of, path, fallback } => {
                fallback.iter().for_each(|fallback| {
                    self.node(fallback);
                });
                let known = self.node(of);
                let item = self.path(&known, path, node);
                let is_certain = fallback.as_ref().is_none_or(|other| matches!(other.kind, Kind::Const(Value::Null)));
                Known::List(Arc::new(if is_certain { item } else { Known::Anything }))
            }
            Kind::Keep { of, path, tested, .. } => {
                let known = self.node(of);
                let item = self.path(&known, path, node);
                if let Some(tested) = tested {
                    self.tested(node, &item, tested);
                }
                known
            }
            _ => {
                self.within(&node.kind);
                Known::Anything
            }
        }
    }

    /// What is evaluated within nodes of whose value nothing is known.
    fn within(&mut self, kind: &Kind) {
        match kind {
            Kind::List(items) => items.iter().for_each(|item| {
                self.node(item);
            }),
            Kind::Object(fields) => fields.iter().for_each(|(key, value)| {
                self.node(key);
                self.node(value);
            }),
            Kind::Not(of) | Kind::Negative(of) | Kind::Ago(of) | Kind::Defined { of, .. } => {
                self.node(of);
            }
            Kind::Both { sides, .. } => {
                self.node(&sides.0);
                self.node(&sides.1);
            }
            Kind::Choice(parts) => parts.iter().for_each(|part| {
                self.node(part);
            }),
            Kind::Each { of, applied } => {
                self.node(of);
                self.arguments(applied);
            }
            Kind::Range(bounds) => bounds.iter().flatten().for_each(|bound| {
                self.node(bound);
            }),
            _ => {}
        }
    }

    fn arguments(&mut self, applied: &Applied) {
        applied.arguments.iter().flatten().for_each(|argument| {
            self.node(argument);
        });
    }

    fn filtered(&mut self, of: &Node, applied: &Applied) -> Known {
        let known = self.node(of);
        self.arguments(applied);
        let by = applied.filter.parameters.iter().position(|parameter| parameter.name == "attribute");
        let by = by.and_then(|at| applied.arguments.get(at)?.as_ref());
        let path = match by.map(|node| &node.kind) {
            None => Some(Vec::new()),
            Some(Kind::Const(Value::String(path))) => Some(path.split('.').map(str::to_owned).collect::<Vec<_>>()),
            Some(_) => None,
        };
        if let Some(path) = path {
            let at = by.unwrap_or(of);
            let item = self.path(&known, &path, at);
            if matches!(applied.filter.name, "sort" | "min" | "max") {
                self.ordered(&item, at);
            }
        }
        match (applied.filter.name, &known) {
            ("list" | "reverse" | "sort" | "unique" | "unique_by", Known::List(_)) => known,
            ("first" | "last", Known::List(item)) => Known::clone(item),
            _ => Known::Anything,
        }
    }

    /// What is known of what stands at a path in each item of a list.
    fn path(&mut self, list: &Known, path: &[String], at: &Node) -> Known {
        let Known::List(item) = list else { return Known::Anything };
        let mut known = Known::clone(item);
        for key in path.iter().filter(|key| !key.is_empty()) {
            known = match known {
                Known::List(item) if key.parse::<usize>().is_ok() => Known::clone(&item),
                known => self.field(&known, key, at, at),
            };
        }
        known
    }

    fn field(&mut self, known: &Known, key: &str, of: &Node, at: &Node) -> Known {
        match known {
            Known::Anything => Known::Anything,
            Known::Fields(fields) => {
                fields.iter().find(|(name, _)| *name == key).map_or(Known::Anything, |(_, known)| known.clone())
            }
            Known::Object(shape) => match shape.field(key) {
                Some(field) => Known::of(field.kind),
                None => {
                    let names = || shape.fields.iter().map(|field| field.name);
                    let next = match nearest(key, names()) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => {
                            let rest = if shape.field("raw").is_some() {
                                "`raw`"
                            } else {
                                "the `raw` of its alert or incident"
                            };
                            format!("it has {}; all else is in {rest}", names().collect::<Vec<_>>().join(", "))
                        }
                    };
                    self.found
                        .push(Fail::text(format!("{} has no `{key}`", shape.with_article())).next(next).at(&at.span));
                    Known::Anything
                }
            },
            Known::List(_) => {
                let what = format!("{} is a list and has no `{key}`", quoted(self.text, &of.span));
                let next = format!("read it of one item, as in `[0].{key}`, or of all by `| map(attribute='{key}')`");
                self.found.push(Fail::text(what).next(next).at(&at.span));
                Known::Anything
            }
            Known::Words(_) | Known::Text | Known::Whole => {
                let kind = known.kind().unwrap_or_default();
                let what = format!("{} is {kind} and has no `{key}`", quoted(self.text, &of.span));
                self.found.push(Fail::text(what).at(&at.span));
                Known::Anything
            }
        }
    }

    fn tested(&mut self, of: &Node, known: &Known, tested: &Tested) {
        let Some(argument) = tested.argument.as_deref() else { return };
        let other = self.node(argument);
        let operator = match tested.check.name {
            "eq" | "equalto" | "ne" => Operator::Equal,
            "in" => Operator::In,
            "lt" | "le" | "gt" | "ge" => Operator::Less,
            _ => return,
        };
        self.compared(operator, [of, argument], &[known.clone(), other]);
    }

    /// Whether what is compared can be equal at all.
    fn compared(&mut self, operator: Operator, [left, right]: [&Node; 2], [left_known, right_known]: &[Known; 2]) {
        match operator {
            Operator::Equal | Operator::Unequal => {
                self.against(self.told(left), left_known, right);
                self.against(self.told(right), right_known, left);
            }
            Operator::In | Operator::NotIn => {
                if let Kind::List(items) = &right.kind {
                    items.iter().for_each(|item| self.against(self.told(left), left_known, item));
                }
                if let Known::List(item) = right_known {
                    self.against(format!("an item of {}", self.told(right)), item, left);
                }
            }
            Operator::Less | Operator::LessOrEqual | Operator::Greater | Operator::GreaterOrEqual => {
                self.ordered(left_known, left);
                self.ordered(right_known, right);
            }
            _ => {}
        }
    }

    /// Texts are ordered by their letters, and `high` comes before `low`: nobody means that.
    fn ordered(&mut self, known: &Known, at: &Node) {
        let Known::Words(words) = known else { return };
        let shown = quoted(self.text, &at.span);
        let some: Vec<String> = words.iter().rev().skip(1).take(2).map(|word| format!("'{word}'")).collect();
        let fail = Fail::text(format!("{shown} is one of some words, which have no order"));
        self.found.push(fail.next(format!("name those that are meant, as in `in [{}]`", some.join(", "))).at(&at.span));
    }

    /// How a sentence calls a value.
    fn told(&self, of: &Node) -> String {
        match &of.kind {
            Kind::Keep { path, .. } => format!("`{}`", path.join(".")),
            _ => quoted(self.text, &of.span),
        }
    }

    /// A value of which something is known, and what may be written out beside it.
    fn against(&mut self, of: String, known: &Known, other: &Node) {
        let Kind::Const(value) = &other.kind else { return };
        let kind = match value {
            Value::Null => return,
            Value::String(_) => "a text",
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
            Value::Array(_) => "a list",
            Value::Object(_) => "an object",
        };
        let fail = match (known, value) {
            (Known::Words(words), Value::String(word)) if !words.contains(&word.as_str()) => {
                let next = match nearest(word, words.iter().copied()) {
                    Some(meant) => format!("did you mean `{meant}`?"),
                    None => format!("it is one of {}", words.join(", ")),
                };
                Fail::text(format!("{of} is never `{word}`")).next(next)
            }
            (known, _) if known.kind().is_some_and(|own| own != kind) => {
                let fail = Fail::text(format!("{of} is {}, and {value} is {kind}", known.kind().unwrap_or_default()));
                match (known, value) {
                    (Known::Text, Value::Number(number)) => fail.next(format!("write '{number}'")),
                    (Known::List(_), Value::String(word)) => {
                        fail.next(format!("ask whether it has it: `'{word}' in …`"))
                    }
                    _ => fail.next("compare values of one type"),
                }
            }
            _ => return,
        };
        self.found.push(fail.at(&other.span));
    }
}
