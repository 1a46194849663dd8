//! What the binder makes and the evaluator runs: operators over columns by place, expressions with types.

use std::sync::Arc;

use crate::{
    ast::{Direction, InOp, ParseMode, TextOp},
    error::Span,
    functions::{Aggregate, Function},
    table::{Column, Schema},
    types::Type,
    value::Value,
};

/// A column of an operator's output.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: Arc<str>,
    pub(crate) ty: Type,
    /// Can be named; not part of `*` and not of the answer.
    pub(crate) hidden: bool,
}

/// An operator with its inputs.
#[derive(Clone, Debug)]
pub(crate) struct Rel {
    pub(crate) kind: RelKind,
    pub(crate) fields: Arc<Vec<Field>>,
    pub(crate) depth: u16,
    /// For errors: `summarize`, say.
    pub(crate) keyword: Arc<str>,
    pub(crate) span: Span,
}

pub(crate) type RelRef = Arc<Rel>;

#[derive(Clone, Debug)]
pub(crate) enum RelKind {
    /// A table of the host; `None` is a column that it does not hold.
    Scan {
        table: Arc<str>,
        columns: Vec<Option<usize>>,
    },
    /// One row of expressions, or several: `print`, `datatable`.
    Rows {
        cells: Vec<Scalar>,
        width: usize,
    },
    /// `range`
    Range {
        from: Scalar,
        to: Scalar,
        step: Scalar,
    },
    /// `externaldata`: the host decides.
    External(Arc<Schema>),
    /// The rows that `mv-apply` or `partition` hand in.
    Input(usize),
    /// `as`: the same rows under a name.
    Named(RelRef, Arc<str>),
    Filter(RelRef, Scalar),
    /// `project` and `extend`.
    Project(RelRef, Vec<Scalar>),
    Summarize {
        input: RelRef,
        aggregates: Vec<AggregateCall>,
        keys: Vec<Scalar>,
    },
    Join {
        left: RelRef,
        right: RelRef,
        kind: JoinKind,
        on: Vec<(Scalar, Scalar)>,
        output: Vec<JoinColumn>,
    },
    Union {
        inputs: Vec<(RelRef, Vec<Option<usize>>)>,
        source: Option<Vec<Arc<str>>>,
    },
    Sort {
        input: RelRef,
        keys: Vec<SortBy>,
        count: Option<Scalar>,
    },
    Take(RelRef, Scalar),
    MvExpand {
        input: RelRef,
        expand: Arc<Expand>,
    },
    MvApply {
        input: RelRef,
        expand: Arc<Expand>,
        slot: usize,
        body: RelRef,
        output: Vec<ApplyColumn>,
    },
    Partition {
        input: RelRef,
        key: usize,
        slot: usize,
        body: RelRef,
    },
    Parse {
        input: RelRef,
        value: Scalar,
        parse: Arc<ParsePlan>,
    },
    ParseKv {
        input: RelRef,
        value: Scalar,
        kv: Arc<KvPlan>,
    },
    Invoke {
        input: Option<RelRef>,
        call: Arc<HostPlan>,
        columns: Vec<InvokeColumn>,
    },
    MakeSeries(Arc<SeriesPlan>),
    /// Run once, however often it is named.
    Materialize(usize, RelRef),
}

/// Where a column of a join comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum JoinColumn {
    Left(usize),
    Right(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JoinKind {
    InnerUnique,
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftAnti,
    RightAnti,
    LeftSemi,
    RightSemi,
}

/// Where a column of `mv-apply` comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ApplyColumn {
    Source(usize),
    Body(usize),
}

/// Where a column of `invoke` comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum InvokeColumn {
    Input(usize),
    Answer(usize),
}

/// A function of the host and what it is called with.
#[derive(Clone, Debug)]
pub(crate) struct HostPlan {
    pub(crate) name: Arc<str>,
    pub(crate) arguments: Vec<Scalar>,
    pub(crate) input: Option<Arc<Schema>>,
}

#[derive(Clone, Debug)]
pub(crate) struct SortBy {
    pub(crate) value: Scalar,
    pub(crate) direction: Direction,
    pub(crate) nulls_first: bool,
}

/// `mv-expand`: the values to open; where each goes in the output.
#[derive(Clone, Debug)]
pub(crate) struct Expand {
    pub(crate) values: Vec<Scalar>,
    pub(crate) types: Vec<Type>,
    /// For each output column: a column of the input, an opened value, or the index.
    pub(crate) output: Vec<ExpandColumn>,
    pub(crate) pairs: bool,
    pub(crate) limit: Option<Scalar>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ExpandColumn {
    Input(usize),
    Value(usize),
    Index,
}

/// `parse`: the text's columns come behind those of the input, unless they replace one.
#[derive(Clone, Debug)]
pub(crate) struct ParsePlan {
    pub(crate) mode: ParseMode,
    pub(crate) pattern: String,
    pub(crate) types: Vec<Type>,
    pub(crate) output: Vec<ExpandColumn>,
    pub(crate) filters: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct KvPlan {
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) types: Vec<Type>,
    pub(crate) output: Vec<ExpandColumn>,
    /// Without any delimiter in the query, whatever is no letter, digit or quote parts words.
    pub(crate) pair_delimiter: Option<String>,
    pub(crate) kv_delimiter: Option<String>,
    pub(crate) quotes: Vec<(char, char)>,
    pub(crate) escape: Option<char>,
    pub(crate) greedy: bool,
    pub(crate) regex: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) struct SeriesPlan {
    pub(crate) input: RelRef,
    pub(crate) aggregates: Vec<AggregateCall>,
    pub(crate) defaults: Vec<Value>,
    pub(crate) axis: Scalar,
    pub(crate) from: Option<Scalar>,
    pub(crate) to: Option<Scalar>,
    pub(crate) step: Scalar,
    pub(crate) keys: Vec<Scalar>,
}

/// An aggregate and what it is called with; it may fill several columns.
#[derive(Clone, Debug)]
pub(crate) struct AggregateCall {
    pub(crate) aggregate: &'static Aggregate,
    pub(crate) arguments: Vec<Scalar>,
    /// Types of the columns that it fills.
    pub(crate) types: Vec<Type>,
    /// `sumif` is `sum` with a condition.
    pub(crate) condition: Option<Scalar>,
}

/// An expression with its type.
#[derive(Clone, Debug)]
pub(crate) struct Scalar {
    pub(crate) kind: Arc<ScalarKind>,
    pub(crate) ty: Type,
    pub(crate) span: Span,
    pub(crate) depth: u16,
    /// How many nodes, shared ones counted every time.
    pub(crate) size: u32,
}

#[derive(Debug)]
pub(crate) enum ScalarKind {
    /// A column of one row.
    Constant(Column),
    Column(usize),
    Call(&'static Function, Vec<Scalar>),
    And(Vec<Scalar>),
    Or(Vec<Scalar>),
    Text(TextOp, Scalar, Scalar),
    In(InOp, Scalar, InList),
    /// `toscalar(T)`: the first cell.
    FirstCell(usize, RelRef),
    /// A value that is worked out once per run: `let x = f(..)` without columns.
    Once(usize, Scalar),
    Host(Arc<HostPlan>),
}

#[derive(Clone, Debug)]
pub(crate) enum InList {
    Scalars(Vec<Scalar>),
    /// The first column of a table.
    Table(usize, RelRef),
}

impl Scalar {
    pub(crate) fn new(kind: ScalarKind, ty: Type, span: Span) -> Self {
        let (mut depth, mut size) = (0, 1_u32);
        let mut below = |scalar: &Self| {
            depth = depth.max(scalar.depth);
            size = size.saturating_add(scalar.size);
        };
        match &kind {
            ScalarKind::Constant(_) | ScalarKind::Column(_) => {}
            ScalarKind::Call(_, parts) | ScalarKind::And(parts) | ScalarKind::Or(parts) => {
                parts.iter().for_each(&mut below);
            }
            ScalarKind::Text(_, left, right) => [left, right].into_iter().for_each(&mut below),
            ScalarKind::In(_, left, list) => {
                below(left);
                match list {
                    InList::Scalars(list) => list.iter().for_each(&mut below),
                    InList::Table(_, rel) => depth = depth.max(rel.depth),
                }
            }
            ScalarKind::FirstCell(_, rel) => depth = rel.depth,
            ScalarKind::Once(_, inner) => depth = inner.depth,
            ScalarKind::Host(call) => call.arguments.iter().for_each(&mut below),
        }
        Self { kind: Arc::new(kind), ty, span, depth: depth.saturating_add(1), size }
    }

    pub(crate) fn constant(value: &Value, ty: Type, span: Span) -> Self {
        let mut builder = crate::table::ColumnBuilder::new(ty);
        builder.push(value.cell());
        Self::new(ScalarKind::Constant(builder.finish().repeat(0, 1)), ty, span)
    }

    pub(crate) fn column(at: usize, ty: Type, span: Span) -> Self {
        Self::new(ScalarKind::Column(at), ty, span)
    }

    /// The value, if it is a constant.
    pub(crate) fn as_constant(&self) -> Option<Value> {
        match &*self.kind {
            ScalarKind::Constant(column) => Some(column.cell(0).to_value()),
            ScalarKind::Once(_, inner) => inner.as_constant(),
            _ => None,
        }
    }

    /// Whether a function anywhere in it looks at neighbouring rows.
    pub(crate) fn needs_all_rows(&self) -> bool {
        match &*self.kind {
            ScalarKind::Call(function, parts) => function.is_window() || parts.iter().any(Self::needs_all_rows),
            ScalarKind::And(parts) | ScalarKind::Or(parts) => parts.iter().any(Self::needs_all_rows),
            ScalarKind::Text(_, left, right) => left.needs_all_rows() || right.needs_all_rows(),
            ScalarKind::In(_, left, InList::Scalars(list)) => {
                left.needs_all_rows() || list.iter().any(Self::needs_all_rows)
            }
            ScalarKind::In(_, left, InList::Table(..)) => left.needs_all_rows(),
            _ => false,
        }
    }

    /// Whether it names a column, so that its value differs from row to row.
    pub(crate) fn reads_columns(&self) -> bool {
        match &*self.kind {
            ScalarKind::Column(_) => true,
            ScalarKind::Call(function, parts) => function.differs_by_row() || parts.iter().any(Self::reads_columns),
            ScalarKind::And(parts) | ScalarKind::Or(parts) => parts.iter().any(Self::reads_columns),
            ScalarKind::Text(_, left, right) => left.reads_columns() || right.reads_columns(),
            ScalarKind::In(_, left, list) => {
                left.reads_columns() || matches!(list, InList::Scalars(list) if list.iter().any(Self::reads_columns))
            }
            ScalarKind::Host(call) => call.arguments.iter().any(Self::reads_columns),
            ScalarKind::Constant(_) | ScalarKind::FirstCell(..) | ScalarKind::Once(..) => false,
        }
    }
}
