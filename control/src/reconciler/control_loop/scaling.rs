//! Services that scale: looked at several times a second while they are awake, put to sleep, woken.
//!
//! A service that sleeps, or has no `[scaling]`, is not looked at.

use std::time::Duration;

use tokio::time::Instant;

use super::{ControlLoop, ServiceKey, wording};
use crate::model::{Group, Service, ServiceStatus, TaskStatus};
use crate::scaling::sample::{Reading, TaskReading};
use crate::scaling::{Look, Scaler, Wanted};
use crate::tasks::registry::Entry;

/// How often services that scale are looked at. What is seen is of the last second, however often; what this adds to the
/// two seconds after which a load is believed is at most this.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// A service's scaling after its record was read: new, as it was, or none. `before` is what it was, and of which record,
/// if this process knew the service.
pub(super) fn scaler(service: &Service, before: Option<(Option<Scaler>, &Service)>) -> Option<Scaler> {
    let is_active = service.status == ServiceStatus::Active;
    let spec = service
        .scaling
        .clone()
        .filter(|_| is_active && service.goal.is_some())?;
    let (wanted, now) = (Wanted::of(service), Instant::now());
    Some(match before {
        None => Scaler::new(spec, wanted, now),
        Some((None, _)) => Scaler::begin(spec, now),
        Some((Some(mut scaler), before)) => {
            scaler.read_again(spec, before.count, wanted, now);
            // Also if it is the count it had: it may sleep, or be awake, all the same.
            if service.choices != before.choices {
                scaler.set_by_hand(wanted, now);
            }
            scaler
        }
    })
}

impl ControlLoop {
    /// Wakes those of the services that sleep: requests wait for them.
    pub(super) fn wake_up(&mut self, wanted: &[ServiceKey]) {
        for key in wanted {
            let Some(watched) = self.services.get_mut(key) else {
                continue;
            };
            let count = watched.service.count;
            let scaler = watched.scaler.as_mut();
            if scaler.is_some_and(|scaler| scaler.wake(count, Instant::now())) {
                self.tell_scaled(key);
                self.dirty.insert(key.clone());
            }
        }
    }

    /// The service was loaded: it is looked at from now on, or not any more.
    pub(super) fn settle_scaling(&mut self, key: &ServiceKey) {
        let watched = self.services.get(key);
        let scaler = watched.and_then(|watched| Some((watched.scaler.as_ref()?, watched.service.count)));
        self.parts
            .registry
            .scaling()
            .set(key, scaler.map(|(scaler, count)| scaler.shown(count)));
        if scaler.is_some_and(|(scaler, _)| !scaler.is_asleep()) {
            self.awake.insert(key.clone());
            self.next_look.get_or_insert_with(|| Instant::now() + LOOK_EVERY);
        } else {
            self.awake.remove(key);
        }
    }

    /// Looks at all services that scale and are awake.
    pub(super) fn look_at_awake(&mut self) {
        for key in self.awake.clone() {
            self.look_at(&key);
        }
        self.next_look = (!self.awake.is_empty()).then(|| Instant::now() + LOOK_EVERY);
    }

    fn look_at(&mut self, key: &ServiceKey) {
        let reading = self.read(key);
        let Some(watched) = self.services.get_mut(key) else {
            return;
        };
        let wanted = Wanted::of(&watched.service);
        let Some(scaler) = watched.scaler.as_mut() else {
            return;
        };
        let look = scaler.look(reading, wanted);
        if let Look::Count(to) = look {
            watched.service.count = to;
            watched.service.stable_count = to;
            self.unsaved_counts.insert(key.clone());
        }
        match look {
            Look::Same => self.settle_scaling(key),
            Look::Count(_) | Look::Slept => {
                self.dirty.insert(key.clone());
                self.tell_scaled(key);
            }
        }
    }

    fn tell_scaled(&mut self, key: &ServiceKey) {
        let last = self
            .services
            .get(key)
            .and_then(|watched| watched.scaler.as_ref()?.last());
        if let Some(decided) = last {
            self.say(key, wording::scaled(&key.1, decided));
        }
        self.settle_scaling(key);
    }

    fn read(&self, key: &ServiceKey) -> Reading {
        let demand = self.parts.executor.demand(&key.0, &key.1).unwrap_or_default();
        let group = (key.0.clone(), Group::Service(key.1.clone()));
        Reading {
            at: Instant::now(),
            demand,
            tasks: self.parts.registry.visit(&group, read_task),
        }
    }
}

fn read_task(entry: &Entry) -> Option<TaskReading> {
    let live = entry
        .live
        .as_ref()
        .filter(|_| entry.task.status == TaskStatus::Running)?;
    let usage = live.usage();
    Some(TaskReading {
        id: entry.task.id.clone(),
        cpu_ms: usage.cpu_ms,
        cpu: entry.task.cpu,
        memory: usage.memory,
        memory_limit: entry.task.memory,
    })
}
