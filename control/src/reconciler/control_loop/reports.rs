//! What drivers report becomes what is seen: states, health, ends; and a failed task's place a vacancy.

use std::time::Duration;

use tokio::time::Instant;

use super::watched::Steady;
use super::{ControlLoop, ServiceKey, wording};
use crate::model::{DesiredStatus, Group, Health, StopCode, Stopped, Task, TaskStatus};
use crate::names::TaskId;
use crate::reconciler::backoff;
use crate::reconciler::plan::Vacancy;
use crate::tasks::driver::{Report, Step};
use crate::tasks::registry::{Entry, Failure};
use crate::tasks::{Exit, HealthReport, Remedy};

/// Failures in a row of one place that make it an event of its own: once is an accident, twice a coincidence.
const IMPAIRED_AFTER: u32 = 3;

impl ControlLoop {
    /// Takes a report and those that came with it.
    pub(super) async fn take_reports(&mut self, first: Report) {
        self.take_report(first).await;
        while let Ok(report) = self.reports.try_recv() {
            self.take_report(report).await;
        }
    }

    pub(super) async fn take_report(&mut self, Report { task: id, step }: Report) {
        let Some(task) = self.parts.registry.look(&id, |entry| entry.task.clone()) else {
            return;
        };
        match step {
            Step::Activating => {
                self.set_status(&id, TaskStatus::Activating);
                self.say(&key_of(&task), wording::activating(&task.group, &id));
            }
            Step::Leaving(status) => self.take_leave(&task, status),
            Step::CutOff(requests) => self.say_overtime(&task, &wording::cut_off(requests)),
            Step::GivenUp(status) => self.say_overtime(&task, &wording::given_up(status)),
            Step::Running(live) => {
                let now = self.parts.clock.now();
                self.parts.registry.update(&id, |entry| {
                    entry.live = Some(live);
                    entry.running_since = Some(Instant::now());
                    entry.task.started_at = Some(now);
                    entry.task.status = TaskStatus::Running;
                });
                let key = key_of(&task);
                let message = match task.place {
                    Some(place) => wording::attempt_started(&key.1, &task.id, place),
                    None if self.serves(&task) => wording::registered(&key.1, &task.id),
                    None => wording::running(&key.1, &task.id),
                };
                self.say(&key, message);
            }
            Step::Health(report) => self.take_health(&task, report),
            Step::FailedToStart(reason) => {
                self.take_end(&task, StopCode::TaskFailedToStart, Exit { code: None, reason });
            }
            Step::Exited(exit) => self.take_end(&task, StopCode::EssentialContainerExited, exit),
            Step::Gone => self.take_gone(&task).await,
        }
        self.look_again(task.namespace, task.group);
    }

    /// It goes on its way out.
    fn take_leave(&self, task: &Task, status: TaskStatus) {
        self.set_status(&task.id, status);
        if status == TaskStatus::Stopping {
            let key = key_of(task);
            let message = match self.serves(task) {
                true => wording::deregistered(&key.1, &task.id),
                false => wording::stopping(&task.group, &task.id),
            };
            self.say(&key, message);
        }
    }

    /// Its end took too long: that belongs to why it is stopped.
    fn say_overtime(&self, task: &Task, what: &str) {
        self.parts.registry.update(&task.id, |entry| {
            if let Some(stopped) = &mut entry.task.stopped {
                stopped.reason.push_str("; ");
                stopped.reason.push_str(what);
            }
        });
    }

    fn set_status(&self, id: &TaskId, status: TaskStatus) {
        self.parts.registry.update(id, |entry| entry.task.status = status);
    }

    fn take_health(&mut self, task: &Task, report: HealthReport) {
        let before = self.parts.registry.update(&task.id, |entry| {
            entry.task.reason.clone_from(&report.reason);
            entry.remedy = report.remedy;
            entry.traffic = report.traffic;
            std::mem::replace(&mut entry.task.health, report.health)
        });
        let key = key_of(task);
        let whose = match (&task.group, self.serves(task)) {
            (Group::Service(_), true) => Some(format!(" in (target-group {})", key.1)),
            (Group::Service(_), false) => Some(String::new()),
            // That an attempt is alive is told with its start, how it ended with its end.
            (Group::Job(_), _) => None,
        };
        let news = before
            .zip(whose)
            .and_then(|(before, whose)| wording::health(&key.1, &task.id, &whose, (before, &report)));
        if let Some(message) = news {
            self.say(&key, message);
        }
        match (report.health, report.remedy) {
            // Counted once, however often it is said; not of one that is on its way out.
            (Health::Unhealthy, Remedy::Replace) if task.desired == DesiredStatus::Running => {
                self.count_failure(task, report.reason.unwrap_or_default());
            }
            // It recovered: should it fail again, that is another failure.
            (Health::Healthy, _) => {
                self.parts
                    .registry
                    .update(&task.id, |entry| entry.failure = Failure::None);
            }
            (Health::Unhealthy | Health::Unknown, _) => {}
        }
    }

    /// The guest ended, or never began.
    fn take_end(&mut self, task: &Task, code: StopCode, exit: Exit) {
        let Exit {
            code: exit_code,
            reason,
        } = exit;
        if task.desired == DesiredStatus::Running {
            self.count_failure(task, reason.clone());
        }
        let now = self.parts.clock.now();
        self.parts.registry.update(&task.id, |entry| {
            entry.task.desired = DesiredStatus::Stopped;
            entry.task.stopping_at.get_or_insert(now);
            match &mut entry.task.stopped {
                // It was being stopped: that stays the reason, its exit code is news.
                Some(stopped) => stopped.exit_code = exit_code,
                none => {
                    *none = Some(Stopped {
                        code,
                        reason,
                        exit_code,
                    })
                }
            }
            if entry.task.status == TaskStatus::Running {
                entry.task.status = TaskStatus::Stopping;
            }
        });
    }

    /// A service's task failed: its place gets a successor, later with every failure.
    fn count_failure(&mut self, task: &Task, reason: String) {
        let Group::Service(_) = task.group else { return };
        let key = key_of(task);
        let count = |entry: &mut Entry| {
            let first = entry.failure == Failure::None;
            entry.failure = Failure::Counted;
            let ran = entry
                .running_since
                .map_or(Duration::ZERO, |since| since.elapsed());
            first.then_some(ran)
        };
        let Some(Some(ran)) = self.parts.registry.update(&task.id, count) else {
            return;
        };
        let Some(watched) = self.services.get_mut(&key) else {
            return;
        };
        let failures = backoff::failures_in_a_row(task.restarts, ran);
        let delay = backoff::delay(failures);
        let revision = task.definition.revision;
        if let Some(course) = watched.course.as_mut()
            && watched.service.goal == Some(revision)
        {
            course.rollout.failed_tasks = course.rollout.failed_tasks.saturating_add(1);
            course.rollout.last_failure.clone_from(&reason);
            course.last_failed = Some(task.id.clone());
        }
        watched.vacancies.push(Vacancy {
            revision,
            not_before: Instant::now() + delay,
            restarts: failures,
            last_reason: reason.clone(),
        });
        let is_news = failures >= IMPAIRED_AFTER && watched.steady != Steady::Impaired;
        if is_news {
            watched.steady = Steady::Impaired;
        }
        let again = wording::Again { delay, failures };
        self.say(&key, wording::restart(&key.1, &task.id, &reason, again));
        if is_news {
            self.say(&key, wording::impaired(&key.1, &reason));
        }
    }

    async fn take_gone(&mut self, task: &Task) {
        self.driven = self.driven.saturating_sub(1);
        let now = self.parts.clock.now();
        self.parts.registry.update(&task.id, |entry| {
            if let Some(live) = entry.live.take() {
                entry.task.usage = live.usage();
                entry.task.usage.memory = 0;
                entry.task.usage.in_flight = 0;
            }
            entry.task.status = TaskStatus::Stopped;
            entry.task.desired = DesiredStatus::Stopped;
            entry.task.stopped_at = Some(now);
            entry.task.reason = None;
            entry.blueprint = None;
        });
        self.say_stopped(&task.id);
        // Its place is free.
        self.retry_blocked(None).await;
    }

    /// Tells that a task is gone, and why.
    pub(super) fn say_stopped(&self, id: &TaskId) {
        let Some(task) = self.parts.registry.task(id) else {
            return;
        };
        if let Some(stopped) = &task.stopped {
            self.say(
                &key_of(&task),
                wording::stopped(&task.group, std::slice::from_ref(id), &stopped.reason),
            );
        }
    }
}

pub(super) fn key_of(task: &Task) -> ServiceKey {
    (task.namespace.clone(), task.group.name().clone())
}
