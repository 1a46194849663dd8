//! The points at which a process may die: before and after each commit and each call. A test counts them and dies there.

use std::sync::Arc;

use crate::outside::Doing;

/// Hears of every point.
pub trait Points: Send + Sync {
    /// The run goes on when it returns; a test's does not return where it dies.
    fn pass(&self, point: Point) -> Doing<'_, ()>;
}

/// One point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Point {
    /// A commit is about to be made.
    BeforeCommit,
    /// It is on the disk, and nobody knows yet.
    AfterCommit,
    /// A call is about to leave.
    BeforeCall,
    /// It was answered, and nobody knows yet.
    AfterCall,
}

/// None, in earnest.
#[derive(Clone, Default)]
pub(crate) struct Passing(Option<Arc<dyn Points>>);

impl Passing {
    pub(crate) fn by(points: Arc<dyn Points>) -> Self {
        Self(Some(points))
    }

    pub(crate) async fn pass(&self, point: Point) {
        if let Some(points) = &self.0 {
            points.pass(point).await;
        }
    }
}
