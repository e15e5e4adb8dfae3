//! The queue behind the guest threads: which lane runs next.

use super::{Arc, BTreeSet, Budget, CpuAccount, HashMap, Job, OverBudget, VecDeque};

/// A lane's key: its account's address, which is unique while the lane holds the account.
type LaneId = usize;

/// Lanes within budget before lanes that only run because nobody else wants to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Within,
    Bursting,
}

/// All lanes that have a job to run.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    lanes: HashMap<LaneId, Lane>,
    /// In the order in which they run: class, virtual time when queued.
    ready: BTreeSet<(Class, u64, LaneId)>,
    /// In the order in which they have earned a slice.
    paused: BTreeSet<(u64, LaneId)>,
}

#[derive(Debug)]
struct Lane {
    account: Arc<CpuAccount>,
    jobs: VecDeque<Arc<Job>>,
    place: Place,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    Ready(Class),
    Paused { until: u64, since: u64 },
}

impl Lanes {
    /// Appends a job to its task's lane.
    pub(super) fn push(&mut self, job: Arc<Job>, floor: u64) {
        let id = Arc::as_ptr(&job.account).addr();
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.jobs.push_back(job);
            return;
        }
        let account = Arc::clone(&job.account);
        account.catch_up_to(floor);
        let (class, virtual_time) = (Class::Within, account.virtual_time());
        self.ready.insert((class, virtual_time, id));
        let place = Place::Ready(class);
        self.lanes.insert(
            id,
            Lane {
                account,
                jobs: VecDeque::from([job]),
                place,
            },
        );
    }

    /// Takes the next job of the lane that is furthest behind; and that lane's virtual time, if it is within its
    /// share.
    pub(super) fn pick(&mut self, now: u64) -> Option<(Arc<Job>, Option<u64>)> {
        while let Some((class, queued_at, id)) = self.ready.pop_first() {
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            let place = placed(&lane.account, now);
            let current = time_in(place, &lane.account);
            match place {
                Place::Paused { until, .. } => {
                    lane.place = place;
                    self.paused.insert((until, id));
                }
                // Charged since it was queued, or changed class: look again who is furthest behind.
                Place::Ready(new_class) if new_class != class || current != queued_at => {
                    lane.place = place;
                    self.ready.insert((new_class, current, id));
                }
                Place::Ready(_) => return self.take_from(id, class, current),
            }
        }
        None
    }

    fn take_from(&mut self, id: LaneId, class: Class, time: u64) -> Option<(Arc<Job>, Option<u64>)> {
        let lane = self.lanes.get_mut(&id)?;
        let job = lane.jobs.pop_front()?;
        if lane.jobs.is_empty() {
            self.lanes.remove(&id);
        } else {
            self.ready.insert((class, time, id));
        }
        Some((job, (class == Class::Within).then_some(time)))
    }

    /// Makes lanes that have earned a slice ready again.
    pub(super) fn resume(&mut self, now: u64) {
        while let Some(&(until, id)) = self.paused.first() {
            if until > now {
                return;
            }
            self.paused.pop_first();
            let Some(lane) = self.lanes.get_mut(&id) else {
                continue;
            };
            if let Place::Paused { since, .. } = lane.place {
                lane.account.add_throttled(now.saturating_sub(since));
            }
            let virtual_time = lane.account.virtual_time();
            lane.place = Place::Ready(Class::Within);
            self.ready.insert((Class::Within, virtual_time, id));
        }
    }

    /// When the next paused lane may run.
    pub(super) fn next_resume(&self) -> Option<u64> {
        self.paused.first().map(|(until, _)| *until)
    }

    /// Lanes that could run now.
    pub(super) fn ready(&self) -> usize {
        self.ready.len()
    }
}

/// What lanes of a class are ordered by.
fn time_in(place: Place, account: &CpuAccount) -> u64 {
    match place {
        Place::Ready(Class::Bursting) => account.burst_time(),
        Place::Ready(Class::Within) | Place::Paused { .. } => account.virtual_time(),
    }
}

fn placed(account: &CpuAccount, now: u64) -> Place {
    match (account.budget(), account.over_budget()) {
        (Budget::Within, _) => Place::Ready(Class::Within),
        (Budget::Spent { .. }, OverBudget::RunWhenIdle) => Place::Ready(Class::Bursting),
        (Budget::Spent { resume_at }, OverBudget::Pause) => Place::Paused {
            until: resume_at,
            since: now,
        },
    }
}

#[cfg(test)]
mod tests;
