//! `join` and `lookup`: the right side is kept in a hash table, the left side streams past it.

use std::sync::Arc;

use super::{Stream, open};
use crate::{
    error::QueryError,
    eval::{BATCH_ROWS, Batch, Context, collect, eval},
    functions::cell_key,
    hash::{FastMap, FastSet},
    plan::{JoinColumn, JoinKind, RelKind, RelRef, Scalar},
    table::{Column, NONE, pick},
};

pub(super) struct JoinStream {
    rel: RelRef,
    state: Option<State>,
    done: bool,
}

impl JoinStream {
    pub(super) fn new(rel: &RelRef) -> Self {
        Self { rel: Arc::clone(rel), state: None, done: false }
    }
}

impl Stream for JoinStream {
    fn next(&mut self, context: &Context<'_>) -> Result<Option<Batch>, QueryError> {
        let RelKind::Join { left, right, on, kind, output } = &self.rel.kind else { return Ok(None) };
        if self.done {
            return Ok(None);
        }
        context.tick(&self.rel)?;
        let state = match &mut self.state {
            Some(state) => state,
            None => {
                let keys: Vec<&Scalar> = on.iter().map(|(_, right)| right).collect();
                let rows = collect(right, context)?;
                context.hold(rows.rows * KEY_BYTES, &self.rel)?;
                self.state.insert(State::new(open(left, context)?, rows, &keys, context)?)
            }
        };
        if state.batch.is_none() {
            match state.left.next(context)? {
                Some(batch) => {
                    let keys: Vec<&Scalar> = on.iter().map(|(left, _)| left).collect();
                    state.look_up(&keys, batch, *kind, context)?;
                }
                None => {
                    self.done = true;
                    let right = state.rest(*kind);
                    let left = vec![NONE; right.len()];
                    return Ok(Some(state.output(output, &self.rel, left, right)));
                }
            }
        }
        let (left, right) = state.pairs(*kind);
        let batch = state.output(output, &self.rel, left, right);
        if state.row >= state.heads.len() {
            state.batch = None;
        }
        Ok(Some(batch))
    }
}

const KEY_BYTES: usize = 48;
/// In place of the first row of a chain: this row of the left takes no part.
const SKIPPED: u32 = NONE - 1;

struct State {
    left: Box<dyn Stream>,
    right: Batch,
    /// The first row of each key, and after each row the next of the same key.
    first: FastMap<Box<[u8]>, u32>,
    next: Vec<u32>,
    /// Rows of the right that a row of the left has met.
    met: Vec<bool>,
    /// `innerunique`: keys of the left that have come by.
    seen: FastSet<Box<[u8]>>,
    /// The batch of the left at hand, and where its pairs have got to.
    batch: Option<Batch>,
    heads: Vec<u32>,
    row: usize,
    chain: u32,
}

impl State {
    fn new(left: Box<dyn Stream>, right: Batch, keys: &[&Scalar], context: &Context<'_>) -> Result<Self, QueryError> {
        let columns = key_columns(keys, &right, context)?;
        let mut first: FastMap<Box<[u8]>, u32> = FastMap::default();
        let mut next = vec![NONE; right.rows];
        let mut key = Vec::new();
        // From the last row to the first, so that chains run forwards.
        for row in (0..right.rows).rev() {
            if !row_key(&columns, row, &mut key) {
                continue;
            }
            let at = u32::try_from(row).unwrap_or(NONE);
            match first.get_mut(key.as_slice()) {
                Some(head) => next[row] = std::mem::replace(head, at),
                None => {
                    first.insert(Box::from(key.as_slice()), at);
                }
            }
        }
        let met = vec![false; right.rows];
        let (seen, heads) = (FastSet::default(), Vec::new());
        Ok(Self { left, right, first, next, met, seen, batch: None, heads, row: 0, chain: NONE })
    }

    /// Finds the first partner of every row of the batch.
    fn look_up(
        &mut self,
        keys: &[&Scalar],
        batch: Batch,
        kind: JoinKind,
        context: &Context<'_>,
    ) -> Result<(), QueryError> {
        let columns = key_columns(keys, &batch, context)?;
        let mut key = Vec::new();
        self.heads.clear();
        for row in 0..batch.rows {
            let head = if row_key(&columns, row, &mut key) {
                let head = self.first.get(key.as_slice()).copied().unwrap_or(NONE);
                let again =
                    kind == JoinKind::InnerUnique && head != NONE && !self.seen.insert(Box::from(key.as_slice()));
                if again { SKIPPED } else { head }
            } else {
                NONE
            };
            self.heads.push(head);
        }
        (self.row, self.chain) = (0, NONE);
        self.batch = Some(batch);
        Ok(())
    }

    /// The next pairs of rows, about a batch of them; `NONE` for a side that stays empty.
    fn pairs(&mut self, kind: JoinKind) -> (Vec<u32>, Vec<u32>) {
        let (mut left, mut right) = (Vec::new(), Vec::new());
        while self.row < self.heads.len() && left.len() < BATCH_ROWS {
            let row = u32::try_from(self.row).unwrap_or(NONE);
            let head = self.heads[self.row];
            let alone = match kind {
                JoinKind::LeftSemi => head != NONE,
                JoinKind::LeftAnti => head == NONE,
                JoinKind::LeftOuter | JoinKind::FullOuter => head == NONE,
                _ => false,
            };
            if alone {
                left.push(row);
                right.push(NONE);
            }
            let stays = head >= SKIPPED || matches!(kind, JoinKind::LeftSemi | JoinKind::LeftAnti);
            if stays {
                self.row += 1;
                continue;
            }
            if self.chain == NONE {
                self.chain = head;
            }
            while self.chain != NONE && left.len() < BATCH_ROWS {
                self.met[self.chain as usize] = true;
                if !matches!(kind, JoinKind::RightSemi | JoinKind::RightAnti) {
                    left.push(row);
                    right.push(self.chain);
                }
                self.chain = self.next[self.chain as usize];
            }
            self.row += usize::from(self.chain == NONE);
        }
        (left, right)
    }

    /// Rows of the right that come out once the left has ended.
    fn rest(&self, kind: JoinKind) -> Vec<u32> {
        let wanted = match kind {
            JoinKind::RightOuter | JoinKind::FullOuter | JoinKind::RightAnti => false,
            JoinKind::RightSemi => true,
            _ => return Vec::new(),
        };
        (0_u32..).zip(&self.met).filter(|(_, met)| **met == wanted).map(|(row, _)| row).collect()
    }

    fn output(&self, columns: &[JoinColumn], rel: &RelRef, left: Vec<u32>, right: Vec<u32>) -> Batch {
        let rows = left.len();
        let left_columns = self.batch.as_ref().map(|batch| pick(&batch.columns, left));
        let right_columns = pick(&self.right.columns, right);
        let columns = columns
            .iter()
            .zip(rel.fields.iter())
            .map(|(column, field)| match (column, &left_columns) {
                (JoinColumn::Left(at), Some(left)) => left[*at].clone(),
                (JoinColumn::Left(_), None) => Column::nulls(field.ty, rows),
                (JoinColumn::Right(at), _) => right_columns[*at].clone(),
            })
            .collect();
        Batch { columns, rows }
    }
}

fn key_columns(keys: &[&Scalar], batch: &Batch, context: &Context<'_>) -> Result<Vec<Column>, QueryError> {
    keys.iter().map(|key| Ok(eval(key, batch, context)?.dense())).collect()
}

/// The key of a row; false where a part of it is null, which equals nothing.
fn row_key(columns: &[Column], row: usize, key: &mut Vec<u8>) -> bool {
    key.clear();
    for column in columns {
        let cell = column.cell(row);
        if cell.is_null() {
            return false;
        }
        cell_key(cell, key);
    }
    true
}
