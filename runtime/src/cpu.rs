//! One task's CPU account: what it used, what it may use, and how far it is ahead of its neighbours.
//!
//! CPU is measured with the thread's own CPU clock around every poll of a guest, so host work on a guest's
//! behalf is its own to pay for, and time it spends parked is not. Two figures follow from it: the *bucket* (a
//! bandwidth cap: it earns `cpu`/1024 of wall time, and a task in debt is paused) and the *virtual time* (CPU
//! used divided by the share: whoever has the least runs next when the machine is full).

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use tokio::time::Instant;

use crate::size::{CpuUnits, UNITS_PER_VCPU};

/// The period whose CPU a task may use at once after being idle (as a control group's `cpu.max` has it).
const PERIOD: Duration = Duration::from_millis(100);

/// CPU time a guest may use before it lets others run.
pub(crate) const SLICE: Duration = Duration::from_millis(1);

/// CPU time used by this thread since it started, in nanoseconds.
pub(crate) fn thread_time() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    // Both parts are non-negative for this clock.
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or(0)
}

/// A monotonic clock in nanoseconds, shared by everything that is compared. (Tokio's, which tests can pause.)
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn now(self) -> u64 {
        u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// One task's account.
#[derive(Debug)]
pub(crate) struct CpuAccount {
    units: CpuUnits,
    over_budget: OverBudget,
    clock: Clock,
    bucket: Mutex<Bucket>,
    used: AtomicU64,
    throttled: AtomicU64,
    virtual_time: AtomicU64,
    /// The same for what was used beyond the budget, because nobody else wanted it.
    burst_time: AtomicU64,
    /// Jobs of this task that are queued or running on the guest threads.
    pub(crate) active_jobs: AtomicU32,
}

/// What happens to a task that used up its bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OverBudget {
    /// It is paused until it has earned a slice.
    Pause,
    /// It goes on while nobody within budget wants the CPU (`cpu_burst`).
    RunWhenIdle,
}

/// Whether a task may run now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Budget {
    /// Within its share.
    Within,
    /// Beyond it; will have earned a slice at this time of the account's clock.
    Spent { resume_at: u64 },
}

impl CpuAccount {
    pub(crate) fn new(units: CpuUnits, over_budget: OverBudget, clock: Clock) -> Self {
        Self {
            units,
            over_budget,
            clock,
            bucket: Mutex::new(Bucket::full(units, clock.now())),
            used: AtomicU64::new(0),
            throttled: AtomicU64::new(0),
            virtual_time: AtomicU64::new(0),
            burst_time: AtomicU64::new(0),
            active_jobs: AtomicU32::new(0),
        }
    }

    /// Books `nanos` of CPU time.
    pub(crate) fn charge(&self, nanos: u64) {
        self.used.fetch_add(nanos, Ordering::Relaxed);
        let weighted = nanos.saturating_mul(UNITS_PER_VCPU.into()) / u64::from(self.units.get());
        let now = self.clock.now();
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        // What idle CPU was used for doesn't set a task back against those who use their shares.
        let time = match self.budget_of(&mut bucket, now) {
            Budget::Spent { .. } if self.over_budget == OverBudget::RunWhenIdle => &self.burst_time,
            _ => &self.virtual_time,
        };
        time.fetch_add(weighted, Ordering::Relaxed);
        bucket.charge(nanos, now);
        if self.over_budget == OverBudget::RunWhenIdle {
            bucket.forgive();
        }
    }

    pub(crate) fn budget(&self) -> Budget {
        let mut bucket = self.bucket.lock().unwrap_or_else(PoisonError::into_inner);
        self.budget_of(&mut bucket, self.clock.now())
    }

    fn budget_of(&self, bucket: &mut Bucket, now: u64) -> Budget {
        // Forgiven debt leaves the bucket empty: a bursting task is within its share again when it has earned
        // a whole slice, as a paused one is.
        let needed = match self.over_budget {
            OverBudget::Pause => 1,
            OverBudget::RunWhenIdle => signed(SLICE.as_nanos()),
        };
        bucket.budget(now, needed)
    }

    pub(crate) fn over_budget(&self) -> OverBudget {
        self.over_budget
    }

    /// CPU used divided by the share, in nanoseconds of a whole vCPU.
    pub(crate) fn virtual_time(&self) -> u64 {
        self.virtual_time.load(Ordering::Relaxed)
    }

    /// CPU used beyond the budget, divided by the share.
    pub(crate) fn burst_time(&self) -> u64 {
        self.burst_time.load(Ordering::Relaxed)
    }

    /// A task that slept does not come back with a hoard of unused turns.
    pub(crate) fn catch_up_to(&self, floor: u64) {
        self.virtual_time.fetch_max(floor, Ordering::Relaxed);
    }

    pub(crate) fn add_throttled(&self, nanos: u64) {
        self.throttled.fetch_add(nanos, Ordering::Relaxed);
    }

    /// CPU time used since the task began.
    pub(crate) fn used(&self) -> Duration {
        Duration::from_nanos(self.used.load(Ordering::Relaxed))
    }

    /// Wall time in which the task wanted to run and was paused.
    pub(crate) fn throttled(&self) -> Duration {
        Duration::from_nanos(self.throttled.load(Ordering::Relaxed))
    }

    /// What is left in the bucket, from 0 (in debt) to 1 (full).
    pub(crate) fn credit(&self) -> f32 {
        let now = self.clock.now();
        self.bucket
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .credit(now)
    }
}

/// A leaky bucket of CPU time, in nanoseconds.
#[derive(Debug)]
struct Bucket {
    units: CpuUnits,
    /// Negative: in debt, because a slice or a bulk copy was longer than what was left.
    balance: i64,
    capacity: i64,
    updated: u64,
}

impl Bucket {
    fn full(units: CpuUnits, now: u64) -> Self {
        // At least a slice, or a very small share could never gather one.
        let capacity = signed(units.earned_in(PERIOD).max(SLICE).as_nanos());
        Self {
            units,
            balance: capacity,
            capacity,
            updated: now,
        }
    }

    fn refill(&mut self, now: u64) {
        let elapsed = Duration::from_nanos(now.saturating_sub(self.updated));
        let earned = signed(self.units.earned_in(elapsed).as_nanos());
        if earned <= 0 {
            return;
        }
        self.balance = self.balance.saturating_add(earned).min(self.capacity);
        // Only the time that whole nanoseconds were earned in has passed: fractions are kept for the next look.
        let spent = u128::from(earned.unsigned_abs()) * u128::from(UNITS_PER_VCPU);
        let spent = spent.div_ceil(u128::from(self.units.get()));
        self.updated = self
            .updated
            .saturating_add(u64::try_from(spent).unwrap_or(u64::MAX))
            .min(now);
    }

    fn charge(&mut self, nanos: u64, now: u64) {
        self.refill(now);
        self.balance = self.balance.saturating_sub(signed(nanos.into()));
    }

    /// Forgets debt: what was used while nobody else wanted it need not be paid back.
    fn forgive(&mut self) {
        self.balance = self.balance.max(0);
    }

    /// Within, if at least `needed` is left.
    fn budget(&mut self, now: u64, needed: i64) -> Budget {
        self.refill(now);
        if self.balance >= needed {
            return Budget::Within;
        }
        // Waiting for a whole slice keeps a paused task from waking for every microsecond it earned.
        let missing = u128::try_from(signed(SLICE.as_nanos()).saturating_sub(self.balance)).unwrap_or(0);
        let wait = missing * u128::from(UNITS_PER_VCPU) / u128::from(self.units.get());
        Budget::Spent {
            resume_at: now.saturating_add(u64::try_from(wait).unwrap_or(u64::MAX)),
        }
    }

    fn credit(&mut self, now: u64) -> f32 {
        self.refill(now);
        (self.balance.max(0) as f32) / (self.capacity as f32)
    }
}

fn signed(nanos: u128) -> i64 {
    i64::try_from(nanos).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
