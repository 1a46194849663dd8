//! `join` and `lookup`.

use std::sync::Arc;

use super::{Binder, Row, naming::Names};
use crate::{
    ast::{BinaryOp, Expr, ExprKind, Join, Name},
    error::QueryError,
    functions::binary,
    plan::{Field, JoinColumn, JoinKind, RelKind, RelRef, Scalar, ScalarKind},
    types::Type,
};

impl Binder<'_> {
    pub(super) fn join(&mut self, left: RelRef, join: &Join, keyword: &Name) -> Result<RelRef, QueryError> {
        let lookup = &*keyword.text == "lookup";
        let kind = self.join_kind(join.kind.as_ref(), lookup)?;
        let right = self.table_apart(&join.right)?;
        let (left_fields, right_fields) = (Arc::clone(&left.fields), Arc::clone(&right.fields));
        let both = Row { fields: &left_fields, right: Some(&right_fields) };
        let mut on = Vec::new();
        let mut right_keys = Vec::new();
        let mut conditions: Vec<&Expr> = Vec::new();
        for condition in &join.on {
            match &*condition.kind {
                ExprKind::And(parts) => conditions.extend(parts),
                _ => conditions.push(condition),
            }
        }
        for condition in conditions {
            let (left, right) = self.join_condition(condition, &both)?;
            if let ScalarKind::Column(at) = *right.kind {
                right_keys.push(at);
            }
            on.push((left, right));
        }
        let (output, fields) = joined(kind, lookup, &left_fields, &right_fields, &right_keys);
        let depth = right.depth.max(left.depth);
        self.rel(RelKind::Join { left, right, kind, on, output }, fields, depth, keyword.span)
    }

    fn join_kind(&self, kind: Option<&Name>, lookup: bool) -> Result<JoinKind, QueryError> {
        let Some(name) = kind else { return Ok(if lookup { JoinKind::LeftOuter } else { JoinKind::InnerUnique }) };
        Ok(match &*name.text {
            "innerunique" => JoinKind::InnerUnique,
            "inner" => JoinKind::Inner,
            "leftouter" => JoinKind::LeftOuter,
            "rightouter" => JoinKind::RightOuter,
            "fullouter" | "outer" => JoinKind::FullOuter,
            "leftanti" | "anti" | "leftantisemi" => JoinKind::LeftAnti,
            "rightanti" | "rightantisemi" => JoinKind::RightAnti,
            "leftsemi" | "semi" => JoinKind::LeftSemi,
            "rightsemi" => JoinKind::RightSemi,
            other => return Err(self.semantic(format!("Unknown join kind '{other}'"), name.span)),
        })
    }

    /// The two sides of a condition, each with the places of its own table.
    fn join_condition(&mut self, condition: &Expr, both: &Row<'_>) -> Result<(Scalar, Scalar), QueryError> {
        let right_fields = both.right.unwrap_or_default();
        let (left, right) = match &*condition.kind {
            ExprKind::Name(name) => {
                let left = self.column(name, &Row::of(both.fields));
                let right = self.column(name, &Row::of(right_fields));
                match (left, right) {
                    (Some(left), Some(right)) => (left, right),
                    _ => {
                        let message = format!("Failed to resolve scalar expression named '{}'", name.text);
                        return Err(self.semantic(message, name.span));
                    }
                }
            }
            ExprKind::Binary(BinaryOp::Equal, first, second) => {
                let (first_side, second_side) = (side(first), side(second));
                let (left, right) = match (first_side, second_side) {
                    (Some("$right"), Some("$left")) => (second, first),
                    (Some("$left"), Some("$right")) | (None, None) => (first, second),
                    _ => return Err(self.semantic("The condition must compare $left with $right", condition.span)),
                };
                let left = self.scalar(&without_side(left), &Row::of(both.fields))?;
                let right = self.scalar(&without_side(right), &Row::of(right_fields))?;
                (left, right)
            }
            _ => return Err(self.semantic("join: only equality conditions are allowed", condition.span)),
        };
        self.same_type(left, right)
    }

    fn same_type(&mut self, left: Scalar, right: Scalar) -> Result<(Scalar, Scalar), QueryError> {
        let (from, to) = (left.ty, right.ty);
        if from == to {
            return Ok((left, right));
        }
        if binary(BinaryOp::Equal, from, to).is_none() {
            let message = format!("Cannot compare values of types {from} and {to}. Try adding explicit casts");
            return Err(self.semantic(message, left.span));
        }
        let common = match (from, to) {
            (Type::Dynamic, other) | (other, Type::Dynamic) => other,
            _ => from.max(to),
        };
        let left = if from == common { left } else { self.cast(left, common)? };
        let right = if to == common { right } else { self.cast(right, common)? };
        Ok((left, right))
    }
}

fn side(expr: &Expr) -> Option<&str> {
    match &*expr.kind {
        ExprKind::Member(of, _) => match &*of.kind {
            ExprKind::Name(name) if name.text.starts_with('$') => Some(&name.text),
            ExprKind::Member(..) => side(of),
            _ => None,
        },
        ExprKind::Index(of, _) => side(of),
        ExprKind::Call(_, arguments) => arguments.iter().find_map(|argument| side(&argument.value)),
        _ => None,
    }
}

/// `$left.x` as `x`: the side decides the table, the rest is a plain expression.
fn without_side(expr: &Expr) -> Expr {
    let kind = match &*expr.kind {
        ExprKind::Member(of, name) => match &*of.kind {
            ExprKind::Name(side) if side.text.starts_with('$') => ExprKind::Name(name.clone()),
            _ => ExprKind::Member(without_side(of), name.clone()),
        },
        ExprKind::Index(of, index) => ExprKind::Index(without_side(of), index.clone()),
        ExprKind::Call(name, arguments) => {
            let mut arguments = arguments.clone();
            for argument in &mut arguments {
                argument.value = without_side(&argument.value);
            }
            ExprKind::Call(name.clone(), arguments)
        }
        _ => return expr.clone(),
    };
    Expr { kind: Box::new(kind), span: expr.span, depth: expr.depth }
}

/// Which columns come out: both sides, a name of the right that the left has with a number; `lookup` drops its keys.
fn joined(
    kind: JoinKind,
    lookup: bool,
    left: &[Field],
    right: &[Field],
    right_keys: &[usize],
) -> (Vec<JoinColumn>, Vec<Field>) {
    let one_side = |fields: &[Field], column: fn(usize) -> JoinColumn| {
        ((0..fields.len()).map(column).collect::<Vec<_>>(), fields.to_vec())
    };
    match kind {
        JoinKind::LeftAnti | JoinKind::LeftSemi => return one_side(left, JoinColumn::Left),
        JoinKind::RightAnti | JoinKind::RightSemi => return one_side(right, JoinColumn::Right),
        _ => {}
    }
    let (mut output, fields) = one_side(left, JoinColumn::Left);
    let mut names = Names { fields };
    for (at, field) in right.iter().enumerate() {
        if field.hidden || (lookup && right_keys.contains(&at)) {
            continue;
        }
        names.add(&field.name, field.ty);
        output.push(JoinColumn::Right(at));
    }
    (output, names.fields)
}
