//! Expressions.

use std::sync::Arc;

use super::{Binder, Binding, Row};
use crate::{
    ast::{BinaryOp, Expr, ExprKind, InOp, InTest, Item, Name, TextOp, TextTest},
    error::{QueryError, Span},
    functions::{self, binary, function},
    plan::{InList, Scalar, ScalarKind},
    types::Type,
    value::Value,
};

impl Binder<'_> {
    /// An expression whose names are columns of that row, or what `let` has named.
    pub(super) fn scalar(&mut self, expr: &Expr, row: &Row<'_>) -> Result<Scalar, QueryError> {
        let bound = self.deeper(expr.span, |binder| binder.scalar_inside(expr, row))?;
        self.checked(bound)
    }

    fn scalar_inside(&mut self, expr: &Expr, row: &Row<'_>) -> Result<Scalar, QueryError> {
        let span = expr.span;
        match &*expr.kind {
            ExprKind::Literal(ty, value) => Ok(Scalar::constant(value, *ty, span)),
            ExprKind::Dynamic(value) => Ok(Scalar::constant(&Value::Dynamic(value.clone()), Type::Dynamic, span)),
            ExprKind::BadLiteral(ty) => Err(self.semantic(format!("The literal is not a value of type {ty}"), span)),
            ExprKind::TypeOf(types) => {
                let names: Vec<_> = types.iter().map(|ty| ty.name()).collect();
                Ok(Scalar::constant(&Value::text(names.join(",")), Type::String, span))
            }
            ExprKind::Name(name) => self.name(name, row),
            ExprKind::Call(name, arguments) => self.call(name, arguments, row, span),
            ExprKind::Member(of, name) => self.member(of, name, row, span),
            ExprKind::Index(of, index) => self.index(of, index, row, span),
            ExprKind::Negate(of) => {
                let value = self.scalar(of, row)?;
                if let Some(negative) = functions::negate(&value) {
                    return Ok(negative);
                }
                let message = format!("Cannot negate a value of type {}", value.ty);
                Err(self.semantic(message, span))
            }
            ExprKind::Binary(op, left, right) => self.binary(*op, left, right, row, span),
            ExprKind::And(parts) => {
                self.logic(parts, row).map(|parts| Scalar::new(ScalarKind::And(parts), Type::Bool, span))
            }
            ExprKind::Or(parts) => {
                self.logic(parts, row).map(|parts| Scalar::new(ScalarKind::Or(parts), Type::Bool, span))
            }
            ExprKind::In(op, left, list) => self.in_list(*op, left, list, row, span),
            ExprKind::Between { negated, value, low, high } => self.between(*negated, value, low, high, row),
            ExprKind::Star => Err(self.semantic("The star is not a value here", span)),
            ExprKind::MemberCall(_, name, _) => {
                Err(self.semantic(format!("Failed to resolve scalar expression named '{}'", name.text), span))
            }
            ExprKind::Lambda(..) => Err(self.semantic("A function is not a value", span)),
            _ => Err(self.semantic("Expected a scalar, found a table; use toscalar()", span)),
        }
    }

    fn name(&mut self, name: &Name, row: &Row<'_>) -> Result<Scalar, QueryError> {
        if let Some(found) = self.column(name, row) {
            return Ok(found);
        }
        match self.env.find(&name.text).cloned() {
            Some(Binding::Scalar(scalar)) => return Ok(Scalar { span: name.span, ..scalar }),
            Some(Binding::Lambda(lambda)) if lambda.parameters.is_empty() => {
                if let Binding::Scalar(scalar) = self.call_lambda(&lambda, &[], row, name.span)? {
                    return Ok(scalar);
                }
            }
            _ => {}
        }
        Err(self.semantic(format!("Failed to resolve scalar expression named '{}'", name.text), name.span))
    }

    /// A column of the row by its name.
    pub(super) fn column(&self, name: &Name, row: &Row<'_>) -> Option<Scalar> {
        if let Some(at) = row.find(&name.text) {
            return Some(Scalar::column(at, row.fields[at].ty, name.span));
        }
        let right = row.right?;
        let at = right.iter().position(|field| *field.name == *name.text)?;
        Some(Scalar::column(row.fields.len() + at, right[at].ty, name.span))
    }

    /// `$left.x`, `T.x`, or a field of a dynamic.
    fn member(&mut self, of: &Expr, name: &Name, row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        if let Some(side) = Self::bare_name(of) {
            let found = match &*side.text {
                "$left" => self.column(name, &Row::of(row.fields)),
                "$right" => {
                    let right = row.right.unwrap_or_default();
                    let at = right.iter().position(|field| *field.name == *name.text);
                    at.map(|at| Scalar::column(row.fields.len() + at, right[at].ty, span))
                }
                _ => None,
            };
            if let Some(found) = found {
                return Ok(found);
            }
            if side.text.starts_with('$') {
                let message = format!("Failed to resolve scalar expression named '{}'", name.text);
                return Err(self.semantic(message, name.span));
            }
        }
        let bag = self.scalar(of, row)?;
        let key = Scalar::constant(&Value::String(Arc::clone(&name.text)), Type::String, name.span);
        self.path(bag, key, span)
    }

    fn index(&mut self, of: &Expr, index: &Expr, row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        if let ExprKind::Literal(Type::Long, Value::Long(at)) = &*index.kind {
            let item = Item { names: Vec::new(), value: of.clone() };
            if let Some(several) = self.several(&item, row)? {
                let chosen = usize::try_from(*at).ok().and_then(|at| several.into_iter().nth(at));
                return chosen.map(|(_, scalar)| scalar).ok_or_else(|| self.semantic("There is no such part", span));
            }
        }
        let bag = self.scalar(of, row)?;
        let key = self.scalar(index, row)?;
        self.path(bag, key, span)
    }

    fn path(&mut self, bag: Scalar, key: Scalar, span: Span) -> Result<Scalar, QueryError> {
        if bag.ty != Type::Dynamic {
            let message = format!("Cannot look into a value of type {}; expected dynamic", bag.ty);
            return Err(self.semantic(message, span));
        }
        self.apply("__path", vec![bag, key], span)
    }

    fn logic(&mut self, parts: &[Expr], row: &Row<'_>) -> Result<Vec<Scalar>, QueryError> {
        parts.iter().map(|part| self.condition(part, row)).collect()
    }

    /// An expression that must be true or false; numbers and dynamics are taken as such.
    pub(super) fn condition(&mut self, expr: &Expr, row: &Row<'_>) -> Result<Scalar, QueryError> {
        let scalar = self.scalar(expr, row)?;
        match scalar.ty {
            Type::Bool => Ok(scalar),
            Type::Dynamic | Type::Int | Type::Long => self.cast(scalar, Type::Bool),
            ty => Err(self.semantic(format!("A predicate must be of type bool, not {ty}"), expr.span)),
        }
    }

    fn binary(
        &mut self,
        op: BinaryOp,
        left: &Expr,
        right: &Expr,
        row: &Row<'_>,
        span: Span,
    ) -> Result<Scalar, QueryError> {
        if let BinaryOp::Text(op) = op {
            return self.text(op, left, right, row, span);
        }
        let mut left = self.scalar(left, row)?;
        let mut right = self.scalar(right, row)?;
        self.read_literal(&mut left, right.ty);
        self.read_literal(&mut right, left.ty);
        match binary(op, left.ty, right.ty) {
            Some((function, ty)) => Ok(Scalar::new(ScalarKind::Call(function, vec![left, right]), ty, span)),
            None => {
                let compares = matches!(op, BinaryOp::Equal | BinaryOp::NotEqual | BinaryOp::Less | BinaryOp::Greater);
                let message = if compares {
                    format!("Cannot compare values of types {} and {}. Try adding explicit casts", left.ty, right.ty)
                } else {
                    format!("The operator cannot be applied to values of types {} and {}", left.ty, right.ty)
                };
                Err(self.semantic(message, span))
            }
        }
    }

    /// A text that stands where another type is needed is read as one of that type, if it reads so.
    fn read_literal(&self, scalar: &mut Scalar, wanted: Type) {
        if scalar.ty != Type::String || matches!(wanted, Type::String | Type::Dynamic) {
            return;
        }
        let Some(text @ Value::String(_)) = scalar.as_constant() else { return };
        match functions::convert_cell(text.cell(), wanted) {
            Value::Null => {}
            value => *scalar = Scalar::constant(&value, wanted, scalar.span),
        }
    }

    fn text(&mut self, op: TextOp, left: &Expr, right: &Expr, row: &Row<'_>, span: Span) -> Result<Scalar, QueryError> {
        let right = self.scalar(right, row)?;
        let right = self.as_text(right)?;
        if matches!(*left.kind, ExprKind::Star) {
            return self.any_column(row, span, |column| {
                Scalar::new(ScalarKind::Text(op, column, right.clone()), Type::Bool, span)
            });
        }
        let left = self.scalar(left, row)?;
        if op.test == TextTest::Equal && left.ty != Type::String && left.ty != Type::Dynamic {
            let message = format!("Cannot compare values of types {} and string. Try adding explicit casts", left.ty);
            return Err(self.semantic(message, span));
        }
        let left = self.as_text(left)?;
        Ok(Scalar::new(ScalarKind::Text(op, left, right), Type::Bool, span))
    }

    /// True where any column of text or dynamic passes.
    pub(super) fn any_column(
        &mut self,
        row: &Row<'_>,
        span: Span,
        test: impl Fn(Scalar) -> Scalar,
    ) -> Result<Scalar, QueryError> {
        let mut tests = Vec::new();
        for (at, field) in row.fields.iter().enumerate().filter(|(_, field)| !field.hidden) {
            let column = self.as_text(Scalar::column(at, field.ty, span))?;
            tests.push(test(column));
        }
        Ok(Scalar::new(ScalarKind::Or(tests), Type::Bool, span))
    }

    pub(super) fn as_text(&mut self, scalar: Scalar) -> Result<Scalar, QueryError> {
        if scalar.ty == Type::String { Ok(scalar) } else { self.cast(scalar, Type::String) }
    }

    fn in_list(
        &mut self,
        op: InOp,
        left: &Expr,
        list: &[Expr],
        row: &Row<'_>,
        span: Span,
    ) -> Result<Scalar, QueryError> {
        let left = match (&*left.kind, op.test) {
            (ExprKind::Star, _) => {
                let list = self.in_items(list, row, span)?;
                return self.any_column(row, span, |column| {
                    Scalar::new(ScalarKind::In(op, column, list.clone()), Type::Bool, span)
                });
            }
            (_, InTest::In) => self.scalar(left, row)?,
            (_, InTest::InIgnoringCase | InTest::HasAny | InTest::HasAll) => {
                let left = self.scalar(left, row)?;
                self.as_text(left)?
            }
        };
        let mut list = self.in_items(list, row, span)?;
        if let InList::Scalars(items) = &mut list {
            for item in items.iter_mut() {
                self.read_literal(item, left.ty);
                self.comparable(&left, item, span)?;
            }
        }
        Ok(Scalar::new(ScalarKind::In(op, left, list), Type::Bool, span))
    }

    fn comparable(&self, left: &Scalar, item: &Scalar, span: Span) -> Result<(), QueryError> {
        if binary(BinaryOp::Equal, left.ty, item.ty).is_some() {
            return Ok(());
        }
        let message = format!("Cannot compare values of types {} and {}. Try adding explicit casts", left.ty, item.ty);
        Err(self.semantic(message, span))
    }

    fn in_items(&mut self, list: &[Expr], row: &Row<'_>, span: Span) -> Result<InList, QueryError> {
        if let [only] = list {
            let column = Self::bare_name(only).is_some_and(|name| self.column(name, row).is_some());
            if !column && self.is_table(only) {
                let table = self.table_apart(only)?;
                if table.fields.iter().all(|field| field.hidden) {
                    return Err(self.semantic("The table has no column", span));
                }
                return Ok(InList::Table(self.new_id(), table));
            }
        }
        Ok(InList::Scalars(list.iter().map(|item| self.scalar(item, row)).collect::<Result<_, _>>()?))
    }

    fn between(
        &mut self,
        negated: bool,
        value: &Expr,
        low: &Expr,
        high: &Expr,
        row: &Row<'_>,
    ) -> Result<Scalar, QueryError> {
        let span = value.span.to(high.span);
        let value = self.scalar(value, row)?;
        let (mut low, mut high) = (self.scalar(low, row)?, self.scalar(high, row)?);
        self.read_literal(&mut low, value.ty);
        self.read_literal(&mut high, value.ty);
        if value.ty == Type::DateTime && high.ty == Type::TimeSpan {
            // `between (start .. 7d)`: the end is that long after the start.
            let Some((add, ty)) = binary(BinaryOp::Add, low.ty, high.ty) else {
                return Err(self.semantic("The range does not fit the value", span));
            };
            high = Scalar::new(ScalarKind::Call(add, vec![low.clone(), high]), ty, span);
        }
        let test = |op, bound: Scalar| match binary(op, value.ty, bound.ty) {
            Some((function, _)) => {
                Ok(Scalar::new(ScalarKind::Call(function, vec![value.clone(), bound]), Type::Bool, span))
            }
            None => {
                let message =
                    format!("Cannot compare values of types {} and {}. Try adding explicit casts", value.ty, bound.ty);
                Err(self.semantic(message, span))
            }
        };
        let kind = if negated {
            ScalarKind::Or(vec![test(BinaryOp::Less, low)?, test(BinaryOp::Greater, high)?])
        } else {
            ScalarKind::And(vec![test(BinaryOp::GreaterOrEqual, low)?, test(BinaryOp::LessOrEqual, high)?])
        };
        Ok(Scalar::new(kind, Type::Bool, span))
    }

    /// The value as another type; what does not fit becomes null when it runs.
    pub(super) fn cast(&mut self, scalar: Scalar, ty: Type) -> Result<Scalar, QueryError> {
        let name = match ty {
            Type::Bool => "tobool",
            Type::Int => "toint",
            Type::Long => "tolong",
            Type::Real => "toreal",
            Type::Decimal => "todecimal",
            Type::String => "tostring",
            Type::DateTime => "todatetime",
            Type::TimeSpan => "totimespan",
            Type::Guid => "toguid",
            Type::Dynamic => "__todynamic",
        };
        let span = scalar.span;
        self.apply(name, vec![scalar], span)
    }

    /// A call of a function of the language with arguments that fit already.
    pub(super) fn apply(&mut self, name: &str, arguments: Vec<Scalar>, span: Span) -> Result<Scalar, QueryError> {
        let Some(function) = function(name) else { return Err(self.unsupported(format!("Function '{name}'"), span)) };
        let ty = Self::result_type(function, &arguments).unwrap_or(Type::Dynamic);
        self.checked(Scalar::new(ScalarKind::Call(function, arguments), ty, span))
    }
}
