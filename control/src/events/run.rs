//! What events say of runs that shall end.

use crate::model::Run;

/// Somebody wants it to end, if that is so: its tasks are stopped, and whatever goes on of it ends it.
pub fn cancelled(run: &Run) -> Option<String> {
    let reason = &run.cancelled.as_ref()?.reason;
    Some(format!(
        "(job {}) (run {}) is to be cancelled: {reason}.",
        run.job, run.number
    ))
}
