//! What comparing one request with rules may cost.
//!
//! A rule is anybody's who may apply one, a request anybody's: long values times many expressions must not hold the
//! thread that other requests wait for.

use std::cell::Cell;

/// Steps that finding a request's rule may take; a step is a byte that an expression or a pattern with wildcards looks
/// at. A few milliseconds; a path of 100 bytes is compared with 20 000 expressions.
pub(crate) const MAX_STEPS: u32 = 2 * 1024 * 1024;

/// Steps that explaining may take, which looks at all rules, and not on a thread that serves.
const MAX_EXPLAINING_STEPS: u32 = 32 * MAX_STEPS;

/// Steps that rewriting may take; one is a byte for each state of the expression, and several times as slow.
pub(super) const MAX_REWRITING_STEPS: usize = 512 * 1024;

/// Comparing a request with the rules takes more than it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this request is too long to compare with all the patterns and regular expressions of the rules")]
pub struct TooMuchWork;

/// The steps that are left for a request.
#[derive(Debug)]
pub(crate) struct Work {
    /// None once more was wanted than there was.
    left: Cell<Option<u32>>,
}

impl Default for Work {
    fn default() -> Self {
        Self::of(MAX_STEPS)
    }
}

impl Work {
    pub(super) fn of(steps: u32) -> Self {
        let left = Cell::new(Some(steps));
        Self { left }
    }

    pub(super) fn explaining() -> Self {
        Self::of(MAX_EXPLAINING_STEPS)
    }

    /// Takes steps; tells whether there were so many. From the first that were not, there are none.
    pub(super) fn take(&self, steps: usize) -> bool {
        let left = self.left.get();
        let left = left.and_then(|left| left.checked_sub(u32::try_from(steps).ok()?));
        self.left.set(left);
        left.is_some()
    }

    /// Whether every comparison was made: else what was found means nothing.
    pub(super) fn check(&self) -> Result<(), TooMuchWork> {
        self.left.get().map(|_| ()).ok_or(TooMuchWork)
    }
}
