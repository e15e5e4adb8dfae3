//! PENDING: a task waits until what it needs is there and the host has room.

use tokio::time::Instant;

use super::course::Course;
use super::{ControlLoop, ServiceKey, wording};
use crate::model::{DesiredStatus, Group, Task, TaskStatus};
use crate::names::{NamespaceName, TaskId};
use crate::reconciler::plan::Blocker;
use crate::tasks::driver::Drive;
use crate::tasks::registry::{Driven, Entry, key_of};
use crate::tasks::{Order, Room};

impl ControlLoop {
    /// Places the service's tasks that wait, oldest first.
    pub(super) async fn place_waiting(&mut self, key: &ServiceKey) {
        let group = (key.0.clone(), Group::Service(key.1.clone()));
        let waiting = self
            .parts
            .registry
            .visit(&group, |entry| waits(entry).then(|| entry.task.id.clone()));
        for id in waiting {
            self.place(&id).await;
        }
    }

    /// Gives a task its place and its driver, or notes what it waits for.
    pub(super) async fn place(&mut self, id: &TaskId) {
        let registry = &self.parts.registry;
        if registry.look(id, is_unseen) == Some(true) {
            registry.update(id, |entry| entry.task.status = TaskStatus::Pending);
        }
        let Some(Some(order)) = registry.look(id, order_of) else {
            return;
        };
        match self.room_for(&order).await {
            Ok(room) => match self.note_activation(&order).await {
                Ok(()) => self.drive(order, room),
                Err(error) => self.place_later(&order, error),
            },
            Err((on, reason)) => self.keep_waiting(&order, on, reason),
        }
    }

    pub(super) async fn room_for(&self, order: &Order) -> Result<Room, (Blocker, String)> {
        let executor = &self.parts.executor;
        if let Some(missing) = executor.missing(order).await {
            return Err((Blocker::Secret, missing));
        }
        executor
            .reserve(order)
            .map_err(|lacks| (Blocker::Capacity, lacks))
    }

    pub(super) fn drive(&mut self, order: Order, room: Room) {
        let id = order.task.id.clone();
        let placed = self.parts.registry.update(&id, |entry| {
            entry.driven = Driven::Yes;
            entry.task.reason = None;
            (entry.blocked.take(), entry.stop.clone())
        });
        let Some((was_blocked, stop)) = placed else { return };
        self.waiting.remove(&id);
        self.driven += 1;
        if was_blocked.is_some() {
            self.in_course(&order.task, Course::end_wait);
        }
        let drive = Drive {
            executor: self.parts.executor.clone(),
            order,
            room,
            stop,
            activations: self.activations.clone(),
            reports: self.report_to.clone(),
        };
        tokio::spawn(drive.run());
    }

    /// A deployment's time runs while its own tasks could have become healthy.
    fn in_course(&mut self, task: &Task, happens: fn(&mut Course, &TaskId, Instant)) {
        let Group::Service(name) = &task.group else { return };
        let watched = self.services.get_mut(&(task.namespace.clone(), name.clone()));
        if let Some(watched) = watched
            && watched.service.goal == Some(task.definition.revision)
            && let Some(course) = &mut watched.course
        {
            happens(course, &task.id, Instant::now());
        }
    }

    pub(super) fn keep_waiting(&mut self, order: &Order, on: Blocker, reason: String) {
        let (registry, id) = (&self.parts.registry, &order.task.id);
        let waits_for = |entry: &Entry| (entry.blocked, entry.task.reason.clone());
        let before = registry.look(id, waits_for);
        let after = (Some(on), Some(reason.clone()));
        let is_new = before.as_ref().is_some_and(|before| before.1 != after.1);
        if before.as_ref().is_some_and(|before| *before != after) {
            registry.update(id, |entry| (entry.blocked, entry.task.reason) = after);
        }
        if before.is_some_and(|(on, _)| on.is_none()) {
            self.in_course(&order.task, Course::begin_wait);
        }
        self.waiting.insert(id.clone());
        let group = &order.task.group;
        let key = (order.task.namespace.clone(), group.name().clone());
        if is_new && self.is_news(&key, group, &reason) {
            self.say(&key, wording::unplaced(group, &reason));
        }
    }

    /// Whether the service or job wasn't blocked by the same thing before: ten tasks that don't fit are one event.
    fn is_news(&mut self, key: &ServiceKey, group: &Group, reason: &str) -> bool {
        let last_blocked = match group {
            Group::Service(_) => self
                .services
                .get_mut(key)
                .map(|watched| &mut watched.last_blocked),
            Group::Job(_) => self.jobs.last_blocked(key),
        };
        let Some(last_blocked) = last_blocked else {
            return true;
        };
        let is_news = last_blocked.as_deref() != Some(reason);
        *last_blocked = Some(reason.to_owned());
        is_news
    }

    /// Tries again what waits, in one namespace or in all: jobs here, services when they are planned.
    pub(super) async fn retry_blocked(&mut self, namespace: Option<&NamespaceName>) {
        let waiting = self.parts.registry.oldest_first(&self.waiting);
        self.waiting = waiting.iter().cloned().collect();
        for id in waiting {
            let key = self.parts.registry.look(&id, |entry| key_of(&entry.task));
            match key {
                Some((here, _)) if namespace.is_some_and(|namespace| here != *namespace) => {}
                Some((namespace, Group::Service(name))) => {
                    self.dirty.insert((namespace, name));
                }
                Some((_, Group::Job(_))) => self.place(&id).await,
                None => {}
            }
        }
    }
}

pub(super) fn waits(entry: &Entry) -> bool {
    entry.driven == Driven::No
        && entry.task.desired == DesiredStatus::Running
        && entry.task.status < TaskStatus::Activating
}

/// Waits, and nobody looked whether there is room yet.
fn is_unseen(entry: &Entry) -> bool {
    waits(entry) && entry.task.status < TaskStatus::Pending
}

fn order_of(entry: &Entry) -> Option<Order> {
    if !waits(entry) {
        return None;
    }
    Some(Order {
        task: entry.task.clone(),
        blueprint: entry.blueprint.clone()?,
    })
}
