//! What the parser makes of a text.

use std::collections::BTreeMap;

use regex::Regex;
use serde_json::Value;

use super::{checks::Check, error::Span, filters::Filter, reads::Reads, scope::StepPart};

/// A text, ready to be evaluated.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) text: String,
    pub(super) body: Body,
    pub(super) slot_count: usize,
    /// The regular expressions that stand in the text, compiled once.
    pub(super) patterns: BTreeMap<String, Regex>,
    pub(super) reads: Reads,
}

#[derive(Debug)]
pub(super) enum Body {
    /// Keeps its type.
    Value(Node),
    /// Is joined.
    Text(Vec<Piece>),
}

#[derive(Debug)]
pub(super) enum Piece {
    Literal(String),
    Print(Node),
    If { branches: Vec<(Node, Vec<Piece>)>, otherwise: Vec<Piece> },
    For(Box<For>),
    Set { slot: usize, value: Node },
}

#[derive(Debug)]
pub(super) struct For {
    /// One, or as many as each item has.
    pub(super) slots: Vec<usize>,
    pub(super) list: Node,
    pub(super) only: Option<Node>,
    pub(super) body: Vec<Piece>,
    pub(super) otherwise: Vec<Piece>,
}

#[derive(Debug)]
pub(super) struct Node {
    pub(super) span: Span,
    /// How deep it is: the evaluation recurses as deeply.
    pub(super) depth: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Const(Value),
    Now,
    Root(String),
    Step {
        id: String,
        part: StepPart,
    },
    Local(usize),
    Loop {
        level: usize,
        field: LoopField,
    },
    Attribute {
        of: Box<Node>,
        key: String,
    },
    Index {
        of: Box<Node>,
        index: Box<Node>,
    },
    Slice {
        of: Box<Node>,
        bounds: Box<[Option<Node>; 3]>,
    },
    List(Vec<Node>),
    Object(Vec<(Node, Node)>),
    Not(Box<Node>),
    Negative(Box<Node>),
    /// Both must be booleans; `is_or` says when the second is not looked at.
    Both {
        is_or: bool,
        sides: Box<(Node, Node)>,
    },
    Binary {
        operator: Operator,
        sides: Box<(Node, Node)>,
    },
    /// `then if test else otherwise`, in the order test, then, otherwise.
    Choice(Box<[Node; 3]>),
    Filter {
        of: Box<Node>,
        applied: Applied,
    },
    Default {
        of: Box<Node>,
        fallback: Box<Node>,
    },
    Defined {
        of: Box<Node>,
        is_negated: bool,
    },
    Test {
        of: Box<Node>,
        tested: Tested,
    },
    /// `map` with the name of a filter.
    Each {
        of: Box<Node>,
        applied: Applied,
    },
    /// `map` with an attribute, and what stands for a missing one.
    Pluck {
        of: Box<Node>,
        path: Vec<String>,
        fallback: Option<Box<Node>>,
    },
    /// `select`, `reject`, `selectattr`, `rejectattr`.
    Keep {
        of: Box<Node>,
        path: Vec<String>,
        tested: Option<Tested>,
        keeps: bool,
    },
    Ago(Box<Node>),
    Range(Box<[Option<Node>; 3]>),
}

/// A filter with what stands in its brackets, in the order of its parameters.
#[derive(Debug)]
pub(super) struct Applied {
    pub(super) filter: &'static Filter,
    pub(super) arguments: Vec<Option<Node>>,
}

/// A test with what it compares with.
#[derive(Debug)]
pub(super) struct Tested {
    pub(super) check: &'static Check,
    pub(super) argument: Option<Box<Node>>,
    pub(super) is_negated: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopField {
    Index,
    Index0,
    First,
    Last,
    Length,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    In,
    NotIn,
    Add,
    Subtract,
    Multiply,
    Divide,
    DivideWhole,
    Remainder,
    Power,
    Join,
}
