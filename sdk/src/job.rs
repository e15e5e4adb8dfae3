//! What jobs and workers need besides their function: an exit code, and time that ends when the task stops.

use crate::host;
use std::time::Duration;

/// How a job ended: 0 is well, the rest means what the job says it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExitCode(u8);

impl ExitCode {
    /// 0.
    pub const SUCCESS: Self = Self(0);
    /// 1, which is also what a job that returns an error exits with.
    pub const FAILURE: Self = Self(1);

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl From<u8> for ExitCode {
    fn from(code: u8) -> Self {
        Self(code)
    }
}

/// A job that returns nothing ends well.
impl From<()> for ExitCode {
    fn from((): ()) -> Self {
        Self::SUCCESS
    }
}

/// Waits. Other requests and tasks go on; waiting costs no CPU time.
///
/// When a worker is to stop, its first sleep from then on ends early. What repeats something is better written
/// with [`pause`], which says so.
pub async fn sleep(duration: Duration) {
    host::sleep(duration).await;
}

/// Why a [`pause`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pause {
    /// The time is over: go on.
    Elapsed,
    /// The server wants the task to stop: finish what is begun and return. Once `stop_timeout` is over,
    /// the task is dropped wherever it is.
    Stopping,
}

/// Waits, or less if the task is to stop: what a worker's loop does between two turns.
///
/// WebAssembly has no signals. The server asks a worker to stop by ending its stdin, and this watches it.
///
/// ```no_run
/// use wharf::Pause;
/// use std::time::Duration;
///
/// #[wharf::job]
/// async fn run() -> wharf::Result<()> {
///     while wharf::pause(Duration::from_secs(60)).await == Pause::Elapsed {
///         println!("another turn");
///     }
///     Ok(())
/// }
/// ```
pub async fn pause(duration: Duration) -> Pause {
    match host::timeout(duration, host::stopping()).await {
        Some(()) => Pause::Stopping,
        None => Pause::Elapsed,
    }
}

#[cfg(test)]
mod tests;
