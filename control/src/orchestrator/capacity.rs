//! What the host has, what of it is promised and to whom, what of it is used, and who waits for some.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;
use wharf_runtime::Amount;

use super::Orchestrator;
use crate::model::{Group, Task};
use crate::names::{NamespaceName, TaskId};
use crate::tasks::HostCapacity;

/// Holders that are told of, the largest.
pub const MAX_HOLDERS: usize = 50;

/// Tasks that wait that are told of, the oldest.
pub const MAX_WAITING: usize = 50;

/// Over how long the use of CPU is measured. Longer would keep who asks waiting, shorter would show chance: a task's
/// budget is renewed every 100 ms.
const SAMPLE: Duration = Duration::from_millis(300);

/// The host's capacity, as someone may see it.
#[derive(Debug, Clone, PartialEq)]
pub struct CapacityReport {
    /// What the host has, and what of it is promised, to all namespaces.
    pub host: HostCapacity,
    /// What all tasks use.
    pub used: Amount,
    /// Who holds most, the largest first: at most [`MAX_HOLDERS`].
    pub holders: Vec<Holder>,
    /// How many hold something.
    pub holders_in_all: usize,
    /// Tasks that are PENDING, the oldest first: at most [`MAX_WAITING`].
    pub waiting: Vec<Task>,
    /// How many are.
    pub waiting_in_all: usize,
}

/// Who holds a part of the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Holder {
    /// Its namespace.
    pub namespace: NamespaceName,
    /// The service or job.
    pub group: Group,
    /// The task, where tasks are told apart.
    pub task: Option<TaskId>,
    /// How many tasks.
    pub tasks: usize,
    /// What is promised to it.
    pub reserved: Amount,
    /// What it uses.
    pub used: Amount,
}

/// Whose part of the host is told apart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum HolderKind {
    /// A service's or a job's tasks count together.
    #[default]
    Group,
    /// Each task counts for itself.
    Task,
}

/// A task that has its place, and what it used so far.
#[derive(Debug, Clone)]
struct Sample {
    task: Task,
    /// CPU time used while it was looked at.
    cpu_ms: u64,
}

impl Orchestrator {
    /// What the host has and who holds it, of the namespaces that `sees` says. Takes a moment: it measures.
    pub async fn capacity(&self, by: HolderKind, sees: impl Fn(&NamespaceName) -> bool) -> CapacityReport {
        let began = Instant::now();
        let before: BTreeMap<TaskId, u64> = self
            .registry
            .placed()
            .into_iter()
            .map(|task| (task.id, task.usage.cpu_ms))
            .collect();
        tokio::time::sleep(SAMPLE).await;
        let elapsed = began.elapsed();
        let placed = self.registry.placed().into_iter().map(|task| {
            let begun = before.get(&task.id).copied().unwrap_or(0);
            Sample {
                cpu_ms: task.usage.cpu_ms.saturating_sub(begun),
                task,
            }
        });
        let placed: Vec<Sample> = placed.collect();
        let mut waiting = self.registry.waiting();
        waiting.retain(|task| sees(&task.namespace));
        let waiting_in_all = waiting.len();
        waiting.truncate(MAX_WAITING);
        let mut holders = holders(placed.iter().filter(|one| sees(&one.task.namespace)), by, elapsed);
        let host = self.executor.capacity();
        let limit = host.limit;
        holders.sort_by(|a, b| share(b.reserved, limit).total_cmp(&share(a.reserved, limit)));
        let holders_in_all = holders.len();
        holders.truncate(MAX_HOLDERS);
        CapacityReport {
            host,
            used: placed
                .iter()
                .map(|one| used(one, elapsed))
                .fold(Amount::default(), sum),
            holders,
            holders_in_all,
            waiting,
            waiting_in_all,
        }
    }
}

fn holders<'a>(placed: impl Iterator<Item = &'a Sample>, by: HolderKind, elapsed: Duration) -> Vec<Holder> {
    let mut holders: BTreeMap<_, Holder> = BTreeMap::new();
    for one in placed {
        let task = &one.task;
        let apart = (by == HolderKind::Task).then(|| task.id.clone());
        let key = (task.namespace.clone(), task.group.clone(), apart.clone());
        let holder = holders.entry(key).or_insert_with(|| Holder {
            namespace: task.namespace.clone(),
            group: task.group.clone(),
            task: apart,
            tasks: 0,
            reserved: Amount::default(),
            used: Amount::default(),
        });
        holder.tasks += 1;
        holder.reserved = sum(holder.reserved, reserved(task));
        holder.used = sum(holder.used, used(one, elapsed));
    }
    holders.into_values().collect()
}

fn reserved(task: &Task) -> Amount {
    Amount {
        cpu: task.cpu.into(),
        memory: task.memory,
    }
}

/// CPU in units: a core for the whole time is 1024.
fn used(one: &Sample, elapsed: Duration) -> Amount {
    let ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    Amount {
        cpu: one.cpu_ms.saturating_mul(1024) / ms,
        memory: one.task.usage.memory,
    }
}

fn sum(a: Amount, b: Amount) -> Amount {
    Amount {
        cpu: a.cpu.saturating_add(b.cpu),
        memory: a.memory.saturating_add(b.memory),
    }
}

/// How much of the host a part is: the larger of its two shares, which is what keeps others out.
fn share(part: Amount, limit: Amount) -> f64 {
    let of = |part: u64, all: u64| part as f64 / all.max(1) as f64;
    of(part.cpu, limit.cpu).max(of(part.memory, limit.memory))
}

#[cfg(test)]
mod tests;
