//! The tree that the parser makes.

use std::sync::Arc;

use crate::{dynamic::Dynamic, error::Span, types::Type, value::Value};

/// A whole text: statements in order.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// In the order of the text.
    pub statements: Vec<Statement>,
}

/// One statement.
#[derive(Clone, Debug)]
pub struct Statement {
    /// What it is.
    pub kind: StatementKind,
    /// Where.
    pub span: Span,
}

/// What a statement is.
#[derive(Clone, Debug)]
pub enum StatementKind {
    /// `let name = value`
    Let(Name, Expr),
    /// What gives an answer.
    Query(Expr),
    /// `set name [= value]`
    Set(Name, Option<Expr>),
    /// `declare query_parameters (..)`
    Declare(Vec<Parameter>),
    /// `alias database ..`, `declare pattern ..`, `restrict access to ..`: read, not kept.
    Other(Name),
}

/// A name and its place.
#[derive(Clone, Debug)]
pub struct Name {
    /// The name without brackets and quotes.
    pub text: Arc<str>,
    /// Where.
    pub span: Span,
}

/// An expression; tables are expressions, too.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: Box<ExprKind>,
    /// Where.
    pub span: Span,
    /// How deep the tree below it is; bounded by the parser.
    pub depth: u16,
}

/// What an expression is.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A constant.
    Literal(Type, Value),
    /// `datetime(x)` and the like that name no value.
    BadLiteral(Type),
    /// `dynamic(..)`
    Dynamic(Dynamic),
    /// A column, a variable or a table.
    Name(Name),
    /// `Device*`
    Wildcard(Name),
    /// `*`
    Star,
    /// `f(..)`
    Call(Name, Vec<Argument>),
    /// `a.b`
    Member(Expr, Name),
    /// `database("d").f(..)`
    MemberCall(Expr, Name, Vec<Argument>),
    /// `a[b]`
    Index(Expr, Expr),
    /// `-a`
    Negate(Expr),
    /// Two operands.
    Binary(BinaryOp, Expr, Expr),
    /// `a and b and c`
    And(Vec<Expr>),
    /// `a or b or c`
    Or(Vec<Expr>),
    /// `a in (..)` and its kin.
    In(InOp, Expr, Vec<Expr>),
    /// `a between (b .. c)`
    Between {
        /// `!between`
        negated: bool,
        /// What is looked at.
        value: Expr,
        /// First of the range.
        low: Expr,
        /// Last of the range.
        high: Expr,
    },
    /// `source | operator | ..`
    Pipe(Expr, Vec<Operator>),
    /// `datatable (..) [..]`
    DataTable(Vec<Parameter>, Vec<Expr>),
    /// `externaldata (..) [..] with (..)`
    ExternalData(Vec<Parameter>),
    /// `(a: long, T: (*)) { .. }`
    Lambda(Vec<Parameter>, Arc<Script>),
    /// `print a = 1, ..`
    Print(Vec<Item>),
    /// `range x from a to b step c`
    Range(Name, Expr, Expr, Expr),
    /// `union ..`
    Union(Union),
    /// `search ..` as a source.
    Search(Search),
    /// `find ..`
    Find(Name),
    /// `typeof(..)`
    TypeOf(Vec<Type>),
}

/// An argument of a call.
#[derive(Clone, Debug)]
pub struct Argument {
    /// `name = value`
    pub name: Option<Name>,
    /// The value.
    pub value: Expr,
}

/// A value with the names that it gets: none, one, or several as in `(a, b) = f()`.
#[derive(Clone, Debug)]
pub struct Item {
    /// The names.
    pub names: Vec<Name>,
    /// The value.
    pub value: Expr,
}

/// A parameter of a lambda, or a column of `datatable`.
#[derive(Clone, Debug)]
pub struct Parameter {
    /// The name.
    pub name: Name,
    /// What it takes.
    pub kind: ParameterKind,
    /// `= value`
    pub default: Option<Expr>,
}

/// What a parameter takes.
#[derive(Clone, Debug)]
pub enum ParameterKind {
    /// One value.
    Scalar(Type),
    /// A table that has at least these columns; `(*)` is none.
    Table(Vec<(Name, Type)>),
}

/// An operator with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum BinaryOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    /// Search's `column:term`.
    Colon,
    /// One of the text operators.
    Text(TextOp),
}

/// A comparison of two texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TextOp {
    /// How the two are compared.
    pub test: TextTest,
    /// Letter case counts.
    pub case_sensitive: bool,
    /// The answer is turned round.
    pub negated: bool,
}

/// How two texts are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum TextTest {
    Equal,
    Has,
    HasPrefix,
    HasSuffix,
    Contains,
    StartsWith,
    EndsWith,
    Matches,
}

/// A comparison with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct InOp {
    /// How.
    pub test: InTest,
    /// The answer is turned round.
    pub negated: bool,
}

/// How a value is compared with a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum InTest {
    In,
    InIgnoringCase,
    HasAny,
    HasAll,
}

/// One operator of a pipe.
#[derive(Clone, Debug)]
pub struct Operator {
    /// As the text says it: `where`, `mv-expand`.
    pub keyword: Name,
    /// What it does.
    pub kind: OperatorKind,
}

/// What an operator does.
#[derive(Clone, Debug)]
pub enum OperatorKind {
    /// `where`, `filter`
    Where(Expr),
    /// `project`
    Project(Vec<Item>),
    /// `project-away`
    ProjectAway(Vec<Expr>),
    /// `project-keep`
    ProjectKeep(Vec<Expr>),
    /// `project-rename`: new name, old name.
    ProjectRename(Vec<(Name, Name)>),
    /// `project-reorder`: names with the direction in which wildcards are sorted.
    ProjectReorder(Vec<(Expr, Option<Direction>)>),
    /// `project-by-names`
    ProjectByNames(Vec<Expr>),
    /// `extend`
    Extend(Vec<Item>),
    /// `summarize`
    Summarize(Vec<Item>, Vec<Item>),
    /// `join`, `lookup`
    Join(Join),
    /// `union` behind a pipe.
    Union(Union),
    /// `distinct`
    Distinct(Vec<Item>),
    /// `top`
    Top(Expr, Vec<SortKey>),
    /// `sort`, `order`
    Sort(Vec<SortKey>),
    /// `take`, `limit`
    Take(Expr),
    /// `sample`
    Sample(Expr),
    /// `sample-distinct n of x`
    SampleDistinct(Expr, Expr),
    /// `count [as name]`
    Count(Option<Name>),
    /// `mv-expand`
    MvExpand(MvExpand),
    /// `mv-apply .. on (..)`
    MvApply(MvExpand, Vec<Operator>),
    /// `parse`, `parse-where`
    Parse(Parse),
    /// `parse-kv`
    ParseKv(ParseKv),
    /// `render`
    Render(Render),
    /// `serialize`
    Serialize(Vec<Item>),
    /// `getschema`
    GetSchema,
    /// `consume`
    Consume,
    /// `as`
    As(Name),
    /// `invoke f(..)`
    Invoke(Name, Vec<Argument>),
    /// `evaluate plugin(..) [: (..)]`
    Evaluate(Name, Vec<Argument>, Option<Vec<Parameter>>),
    /// `search` behind a pipe.
    Search(Search),
    /// `top-nested`
    TopNested(Vec<TopNested>),
    /// `make-series`
    MakeSeries(MakeSeries),
    /// `partition by x (..)`
    Partition(Expr, Vec<Operator>),
    /// `fork (..) (..)`
    Fork(Vec<(Option<Name>, Vec<Operator>)>),
    /// `facet by a, b [with (..)]`
    Facet(Vec<Expr>, Vec<Operator>),
    /// `reduce by x`
    Reduce(Expr),
    /// Operators that are read as they stand: `scan`, the graph family.
    Unread,
}

/// `join` and `lookup`.
#[derive(Clone, Debug)]
pub struct Join {
    /// `kind=..`
    pub kind: Option<Name>,
    /// The other table.
    pub right: Expr,
    /// What stands behind `on`.
    pub on: Vec<Expr>,
}

/// `union`
#[derive(Clone, Debug)]
pub struct Union {
    /// `kind=inner`: only the columns that all have.
    pub inner: bool,
    /// `withsource=..`
    pub with_source: Option<Name>,
    /// `isfuzzy=true`: tables that do not exist are left out.
    pub fuzzy: bool,
    /// The tables.
    pub tables: Vec<Expr>,
}

/// `search`
#[derive(Clone, Debug)]
pub struct Search {
    /// `kind=case_sensitive`
    pub case_sensitive: bool,
    /// `in (..)`
    pub tables: Vec<Expr>,
    /// What is looked for.
    pub predicate: Expr,
    /// Where the keyword is.
    pub span: Span,
}

/// A direction of sorting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum Direction {
    Ascending,
    Descending,
}

/// One key of `sort` or `top`.
#[derive(Clone, Debug)]
pub struct SortKey {
    /// The value, perhaps with a name (`top 5 by x = a`).
    pub item: Item,
    /// `asc` or `desc`
    pub direction: Direction,
    /// `nulls first` or `nulls last`
    pub nulls_first: bool,
}

/// The columns that `mv-expand` and `mv-apply` open.
#[derive(Clone, Debug)]
pub struct MvExpand {
    /// `kind=array`: a bag becomes pairs of name and value.
    pub pairs: bool,
    /// `with_itemindex=..`
    pub index: Option<Name>,
    /// Value, and the type of `to typeof(..)`.
    pub columns: Vec<(Item, Option<Type>)>,
    /// `limit n`
    pub limit: Option<Expr>,
}

/// `parse`
#[derive(Clone, Debug)]
pub struct Parse {
    /// How the text between the columns is read.
    pub mode: ParseMode,
    /// `flags=..`
    pub flags: Option<Name>,
    /// The text.
    pub value: Expr,
    /// What is expected, in order.
    pub pattern: Vec<ParsePart>,
    /// `parse-where`: rows that do not fit are dropped.
    pub filters: bool,
}

/// How `parse` reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum ParseMode {
    Simple,
    Relaxed,
    Regex,
}

/// A part of `parse`'s pattern.
#[derive(Clone, Debug)]
pub enum ParsePart {
    /// `*`
    Skip,
    /// Text, or a pattern where the mode is regex.
    Text(Arc<str>),
    /// A column.
    Column(Name, Type),
}

/// `parse-kv`
#[derive(Clone, Debug)]
pub struct ParseKv {
    /// The text.
    pub value: Expr,
    /// The columns.
    pub columns: Vec<Parameter>,
    /// `with (name = value, ..)`
    pub options: Vec<(Name, Expr)>,
}

/// `render`
#[derive(Clone, Debug)]
pub struct Render {
    /// `timechart`, say.
    pub chart: Name,
    /// `with (title = "x")`
    pub properties: Vec<(Name, Value)>,
}

/// One level of `top-nested`.
#[derive(Clone, Debug)]
pub struct TopNested {
    /// How many; all where it is missing.
    pub count: Option<Expr>,
    /// Of what.
    pub of: Item,
    /// `with others = ..`
    pub others: Option<Expr>,
    /// The aggregate that decides.
    pub by: Item,
    /// Its order.
    pub direction: Direction,
}

/// `make-series`
#[derive(Clone, Debug)]
pub struct MakeSeries {
    /// Aggregates, and their `default=`.
    pub aggregates: Vec<(Item, Option<Expr>)>,
    /// The axis.
    pub on: Item,
    /// Its start.
    pub from: Option<Expr>,
    /// Its end.
    pub to: Option<Expr>,
    /// Its step.
    pub step: Option<Expr>,
    /// The groups.
    pub by: Vec<Item>,
}
