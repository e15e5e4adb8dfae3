//! The guest threads: a small executor that shares the machine fairly between tasks.
//!
//! Short requests run on the thread of their connection and never come here. A guest that used up its slice
//! there, or whose task is out of budget, continues here: each task has a *lane*, lanes within budget run in
//! the order of their virtual time (CPU used divided by share), lanes in debt wait until they have earned
//! a slice, and lanes that may burst run when nobody else wants to. Within a lane, jobs take turns.
//!
//! The threads run at a lower priority than the ones that accept, route and keep time.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::cpu::{Budget, Clock, CpuAccount, OverBudget};

mod lanes;
use lanes::Lanes;

/// How much lower than the serving threads the guest threads rank (Unix `nice`).
const GUEST_NICENESS: i32 = 5;

/// How far a task may be ahead of the lane that ran last and still be polled on its connection's thread
/// while others wait, in nanoseconds of virtual time.
const INLINE_LEAD: u64 = 10_000_000;

type JobFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The guest threads and their queue.
#[derive(Debug)]
pub(crate) struct Scheduler {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    clock: Clock,
    lanes: Mutex<Lanes>,
    wake: Condvar,
    /// Virtual time of the lane picked last, of those within their share.
    floor: AtomicU64,
    /// Lanes that could run now.
    waiting: AtomicUsize,
    stop: AtomicBool,
}

impl Scheduler {
    /// Starts `threads` guest threads; timers and sockets of guests belong to the `serve` runtime.
    ///
    /// # Errors
    /// When the operating system gives no thread.
    pub(crate) fn start(
        threads: usize,
        clock: Clock,
        serve: &tokio::runtime::Handle,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            clock,
            lanes: Mutex::default(),
            wake: Condvar::new(),
            floor: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
        });
        let spawn = |index| {
            let (shared, serve) = (Arc::clone(&shared), serve.clone());
            std::thread::Builder::new()
                .name(format!("wharf-guest-{index}"))
                .spawn(move || {
                    let _context = serve.enter();
                    // Linux applies this to the calling thread. Refused: the threads compete as equals.
                    let _ = rustix::process::nice(GUEST_NICENESS);
                    shared.work();
                })
        };
        let threads = (0..threads.max(1)).map(spawn).collect::<Result<_, _>>()?;
        Ok(Self { shared, threads })
    }

    /// Whether a guest of this task may be polled on the thread that asks.
    pub(crate) fn may_run_inline(&self, account: &CpuAccount) -> bool {
        if account.active_jobs.load(Ordering::Relaxed) > 0 || account.budget() != Budget::Within {
            return false;
        }
        let floor = self.shared.floor.load(Ordering::Relaxed);
        account.catch_up_to(floor.saturating_sub(INLINE_LEAD));
        self.shared.waiting.load(Ordering::Relaxed) == 0
            || account.virtual_time() <= floor.saturating_add(INLINE_LEAD)
    }

    /// Runs `future` on the guest threads, on the account's behalf. The handle resolves when it is done;
    /// dropping the handle drops the future, at the latest when the slice that runs now ends.
    pub(crate) fn spawn(&self, account: &Arc<CpuAccount>, future: JobFuture) -> JobHandle {
        let (done, finished) = oneshot::channel();
        let job = Arc::new(Job {
            shared: Arc::downgrade(&self.shared),
            account: Arc::clone(account),
            state: Mutex::new(JobState {
                phase: Phase::Idle,
                future: Some(future),
                done: Some(done),
            }),
        });
        Arc::clone(&job).wake();
        JobHandle { job, finished }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        // Under the lock, so that no thread is between its look at `stop` and its wait.
        let lanes = self.shared.lock();
        self.shared.wake.notify_all();
        drop(lanes);
        let current = std::thread::current().id();
        // The last owner may be a guest's own future, dropped on one of these threads.
        for thread in self
            .threads
            .drain(..)
            .filter(|thread| thread.thread().id() != current)
        {
            // A guest thread that panicked has already said so.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enqueue(&self, job: Arc<Job>) {
        let mut lanes = self.lock();
        lanes.push(job, self.floor.load(Ordering::Relaxed));
        self.waiting.store(lanes.ready(), Ordering::Relaxed);
        drop(lanes);
        self.wake.notify_one();
    }

    /// A guest thread's life.
    fn work(&self) {
        while let Some(job) = self.next_job() {
            job.run();
        }
    }

    /// The next job to run, waiting for one; nothing when the scheduler stops.
    fn next_job(&self) -> Option<Arc<Job>> {
        let mut lanes = self.lock();
        loop {
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            let now = self.clock.now();
            lanes.resume(now);
            if let Some((job, virtual_time)) = lanes.pick(now) {
                self.floor.fetch_max(virtual_time.unwrap_or(0), Ordering::Relaxed);
                self.waiting.store(lanes.ready(), Ordering::Relaxed);
                return Some(job);
            }
            self.waiting.store(0, Ordering::Relaxed);
            lanes = self.wait(lanes, now);
        }
    }

    fn wait<'a>(&self, lanes: MutexGuard<'a, Lanes>, now: u64) -> MutexGuard<'a, Lanes> {
        match lanes.next_resume() {
            None => self.wake.wait(lanes).unwrap_or_else(PoisonError::into_inner),
            Some(at) => {
                let pause = Duration::from_nanos(at.saturating_sub(now));
                self.wake
                    .wait_timeout(lanes, pause)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0
            }
        }
    }
}

/// A future on the guest threads.
struct Job {
    shared: Weak<Shared>,
    account: Arc<CpuAccount>,
    state: Mutex<JobState>,
}

struct JobState {
    phase: Phase,
    /// Absent while it is polled, and after the end.
    future: Option<JobFuture>,
    done: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Waits to be woken.
    Idle,
    /// In its lane.
    Queued,
    /// Being polled.
    Running,
    /// Being polled, and woken meanwhile.
    Woken,
    /// Finished or cancelled.
    Ended,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job").finish_non_exhaustive()
    }
}

impl Wake for Job {
    fn wake(self: Arc<Self>) {
        {
            let mut state = self.lock();
            match state.phase {
                Phase::Idle => state.phase = Phase::Queued,
                Phase::Running => return state.phase = Phase::Woken,
                Phase::Queued | Phase::Woken | Phase::Ended => return,
            }
            self.account.active_jobs.fetch_add(1, Ordering::Relaxed);
        }
        self.queue();
    }
}

impl Job {
    fn lock(&self) -> MutexGuard<'_, JobState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queue(self: Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.enqueue(self);
        }
    }

    /// Polls the future once, on a guest thread.
    fn run(self: Arc<Self>) {
        let Some(mut future) = self.begin() else {
            self.account.active_jobs.fetch_sub(1, Ordering::Relaxed);
            return;
        };
        let waker = Waker::from(Arc::clone(&self));
        let mut context = Context::from_waker(&waker);
        // A panic in a host function ends its guest, not the thread that every guest needs.
        let poll = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut context)));
        let poll = poll.unwrap_or_else(|_| {
            tracing::error!("a guest's host call panicked");
            Poll::Ready(())
        });
        if self.finish(poll, future) {
            self.queue();
        } else {
            self.account.active_jobs.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn begin(&self) -> Option<JobFuture> {
        let mut state = self.lock();
        if state.phase == Phase::Queued {
            state.phase = Phase::Running;
        }
        state.future.take()
    }

    /// Books the outcome of a poll; says whether the job goes straight back to its lane.
    fn finish(&self, poll: Poll<()>, future: JobFuture) -> bool {
        let mut state = self.lock();
        match (poll, state.phase) {
            (Poll::Ready(()), _) => {
                state.phase = Phase::Ended;
                let done = state.done.take();
                drop(state);
                drop(future);
                // Nobody waits for a job whose handle is gone.
                let _ = done.map(|done| done.send(()));
                false
            }
            // Cancelled while it ran: dropped here, outside the lock.
            (Poll::Pending, Phase::Ended) => {
                drop(state);
                drop(future);
                false
            }
            (Poll::Pending, Phase::Woken) => {
                state.future = Some(future);
                state.phase = Phase::Queued;
                true
            }
            (Poll::Pending, _) => {
                state.future = Some(future);
                state.phase = Phase::Idle;
                false
            }
        }
    }

    fn cancel(&self) {
        let future = {
            let mut state = self.lock();
            state.phase = Phase::Ended;
            state.future.take()
        };
        drop(future);
    }
}

/// A job that runs on the guest threads.
#[derive(Debug)]
pub(crate) struct JobHandle {
    job: Arc<Job>,
    finished: oneshot::Receiver<()>,
}

impl Future for JobHandle {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // The sender is dropped unused only when the job was cancelled, and only this handle cancels.
        Pin::new(&mut self.finished).poll(cx).map(|_| ())
    }
}

impl Drop for JobHandle {
    fn drop(&mut self) {
        self.job.cancel();
    }
}

#[cfg(test)]
mod tests;
