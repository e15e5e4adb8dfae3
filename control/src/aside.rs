//! Work that may take its time, aside from what keeps time: on a thread of its own that ranks below every other.
//!
//! A change of ten thousand routes is worked out for tens of milliseconds. On a thread that ranks with those that
//! serve, each slice of it is one that requests wait for. Nothing that holds a lock is done here: whoever waited for it
//! would rank as low.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{mpsc, oneshot};

use crate::refusal::{Kind, Refusal};

/// How much lower than the thread that starts it this one ranks (Unix `nice`): as low as it goes.
const NICENESS: i32 = 19;

/// Pieces of work that wait before those who have more do.
const MAX_WAITING: usize = 64;

type Work = Box<dyn FnOnce() + Send>;

/// The thread. It does one piece of work after another, and ends once nobody can have more.
pub struct Aside {
    work: mpsc::Sender<Work>,
}

impl Aside {
    /// Starts it.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub fn start() -> io::Result<Self> {
        let (work, waiting) = mpsc::channel(MAX_WAITING);
        let thread = std::thread::Builder::new().name("wharf-aside".to_owned());
        thread.spawn(move || run(waiting))?;
        Ok(Self { work })
    }

    /// Does `work`, and waits for it without taking a thread.
    ///
    /// # Errors
    /// If it broke down.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let (done, result) = oneshot::channel();
        let work = Box::new(move || {
            // Who asked may be gone.
            let _ = done.send(work());
        });
        let broken = |_| {
            Refusal::new(
                Kind::Internal,
                "WorkFailed",
                "what was asked for broke down, and was left",
            )
        };
        self.work.send(work).await.map_err(|_| broken(()))?;
        result.await.map_err(|_| broken(()))
    }
}

fn run(mut waiting: mpsc::Receiver<Work>) {
    // Refused, the threads compete as equals.
    let _ = rustix::process::nice(NICENESS);
    while let Some(work) = waiting.blocking_recv() {
        // A panic has been logged where it happened, and who asked is told; the next work is none the worse.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

impl fmt::Debug for Aside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aside").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn work_that_breaks_down_is_told_and_the_next_is_done() {
        let aside = Aside::start().unwrap();
        let broken = aside.run(|| -> u8 { panic!("on purpose") }).await.unwrap_err();
        assert_eq!(broken.code, "WorkFailed");
        assert_eq!(aside.run(|| 7).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn work_is_done_one_after_another_below_every_other_thread() {
        let aside = Aside::start().unwrap();
        let niceness = || std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let of = |stat: String| -> i32 {
            // The 19th field, after a name in brackets that may hold blanks.
            let rest = stat.rsplit_once(')').unwrap().1.to_owned();
            rest.split_whitespace().nth(16).unwrap().parse().unwrap()
        };
        assert_eq!(of(aside.run(niceness).await.unwrap()), 19);
        assert!(of(niceness()) < 19, "the thread that asks ranks as before");
    }
}
