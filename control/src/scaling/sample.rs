//! From counters to averages: what a service's tasks did in the last second, at each look.
//!
//! A look is a fraction of a second after the one before, so that a load that changes is seen soon; what it sees is of a
//! whole second all the same, so that a load that comes in bursts is seen as what it is on the average.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use wharf_gateway::Demand;

use super::Signal;
use crate::names::TaskId;

/// What a look averages over.
pub const WINDOW: Duration = Duration::from_secs(1);

/// The counters of one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    /// When they were read.
    pub at: Instant,
    /// What the gateway counts.
    pub demand: Demand,
    /// Every RUNNING task.
    pub tasks: Vec<TaskReading>,
}

/// One RUNNING task's counters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReading {
    /// Which.
    pub id: TaskId,
    /// CPU time used so far, in milliseconds.
    pub cpu_ms: u64,
    /// CPU units reserved.
    pub cpu: u32,
    /// Bytes of memory held.
    pub memory: u64,
    /// Bytes of memory reserved.
    pub memory_limit: u64,
}

/// What one look saw: averages over the tasks that ran, and over the last second.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When it was looked.
    pub at: Instant,
    /// How many tasks were RUNNING.
    pub running: u32,
    /// Percent of the CPU reserved; none until it was looked at a task for a second.
    pub cpu: Option<f64>,
    /// Percent of the memory reserved.
    pub memory: Option<f64>,
    /// A second; none until it was looked for one.
    pub requests: Option<f64>,
    /// Under way.
    pub concurrency: Option<f64>,
    /// Waiting.
    pub queue: Option<f64>,
}

impl Sample {
    /// What was seen: of readings, the latest last, of which the first may be from before the window. None if there are
    /// none.
    pub fn over(readings: &[Reading]) -> Option<Self> {
        let now = readings.last()?;
        let age = |reading: &Reading| now.at.saturating_duration_since(reading.at);
        let before = readings.iter().rfind(|reading| age(reading) >= WINDOW);
        let within: Vec<&Reading> = readings.iter().filter(|reading| age(reading) < WINDOW).collect();
        let running = u32::try_from(now.tasks.len()).unwrap_or(u32::MAX);
        let per_task = |all: f64| (running > 0).then(|| all / f64::from(running));
        let gauge = |read: fn(&Demand) -> f64| mean(within.iter().map(|reading| read(&reading.demand)));
        Some(Self {
            at: now.at,
            running,
            cpu: before.and_then(|before| cpu(before, now)),
            memory: mean(within.iter().filter_map(|reading| memory(reading))),
            requests: before.and_then(|before| requests(before, now)).and_then(per_task),
            concurrency: gauge(|demand| f64::from(demand.in_flight) + f64::from(demand.held))
                .and_then(per_task),
            queue: gauge(|demand| f64::from(demand.queued) + f64::from(demand.held)).and_then(per_task),
        })
    }

    /// The average of one signal.
    pub fn value(&self, signal: Signal) -> Option<f64> {
        match signal {
            Signal::Cpu => self.cpu,
            Signal::Memory => self.memory,
            Signal::Requests => self.requests,
            Signal::Concurrency => self.concurrency,
            Signal::Queue => self.queue,
        }
    }
}

/// None of nothing.
fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// Of the tasks that were there both times: what one used before it was looked at says nothing of now.
fn cpu(before: &Reading, now: &Reading) -> Option<f64> {
    let passed = passed(before, now)?;
    let known: HashMap<&TaskId, u64> = before.tasks.iter().map(|task| (&task.id, task.cpu_ms)).collect();
    let (mut used, mut reserved) = (0, 0);
    for task in &now.tasks {
        if let Some(cpu_ms) = known.get(&task.id) {
            used += task.cpu_ms.saturating_sub(*cpu_ms);
            reserved += u64::from(task.cpu);
        }
    }
    // 1024 units are a second of CPU time each second.
    let allowed = reserved as f64 / 1024.0 * passed.as_millis() as f64;
    (allowed > 0.0).then(|| used as f64 / allowed * 100.0)
}

fn memory(now: &Reading) -> Option<f64> {
    let held: u64 = now.tasks.iter().map(|task| task.memory).sum();
    let limit: u64 = now.tasks.iter().map(|task| task.memory_limit).sum();
    (limit > 0).then(|| held as f64 / limit as f64 * 100.0)
}

fn requests(before: &Reading, now: &Reading) -> Option<f64> {
    let passed = passed(before, now)?;
    // A group that was made anew counts from nought.
    let made = now.demand.requests.checked_sub(before.demand.requests)?;
    Some(made as f64 / passed.as_secs_f64())
}

fn passed(before: &Reading, now: &Reading) -> Option<Duration> {
    let passed = now.at.saturating_duration_since(before.at);
    (passed > Duration::ZERO).then_some(passed)
}

#[cfg(test)]
mod tests;
