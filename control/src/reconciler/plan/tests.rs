//! Tables: what shall be and what is seen, to what is done.
//!
//! A service's tasks are written `<revision><phase>`: `B` blocked on capacity, `K` blocked on a secret,
//! `s` starting, `h` healthy, `r` unready, `u` unhealthy, `k` kept although it was stopped, `o` no longer so, `L` leaving; `1h 1h 2s` is two healthy ones of revision 1
//! and a starting one of revision 2. The answer: `+2` starts one of revision 2, `-0` stops the first.

use proptest::prelude::*;

use super::*;
use crate::manifest::{Bounds, DEFAULT_DEADLINE, Strategy as How, Tolerance};
use crate::model::Figures;

mod rollouts;
mod unhealthy;

fn revision(text: &str) -> Revision {
    text.parse().unwrap()
}

fn id(index: usize) -> TaskId {
    format!("{index:032x}").parse().unwrap()
}

fn observed(text: &str) -> Observed {
    let tasks = text.split_whitespace().enumerate().map(|(index, task)| {
        let (number, phase) = task.split_at(1);
        ObservedTask {
            id: id(index),
            revision: revision(number),
            phase: phase_of(phase),
            takes: if phase == "k" || phase == "o" {
                Takes::Requests
            } else {
                Takes::IfNoneIsWell
            },
            ill: None,
        }
    });
    Observed {
        tasks: tasks.collect(),
        vacancies: Vec::new(),
    }
}

fn phase_of(letter: &str) -> Phase {
    match letter {
        "B" => Phase::Blocked {
            on: Blocker::Capacity,
            reason: "no room".into(),
        },
        "K" => Phase::Blocked {
            on: Blocker::Secret,
            reason: "no secret".into(),
        },
        "s" => Phase::Starting,
        "h" => Phase::Healthy,
        "r" => Phase::Unready,
        "u" => Phase::Unhealthy,
        // Until some time, and until now.
        "k" => Phase::Retiring {
            until: Instant::now() + Duration::from_secs(30),
        },
        "o" => Phase::Retiring {
            until: Instant::now(),
        },
        "L" => Phase::Leaving,
        other => panic!("no phase is written {other}"),
    }
}

fn written(actions: &[Action]) -> String {
    let word = |action: &Action| match action {
        Action::Start { revision, .. } => Some(format!("+{revision}")),
        Action::Stop { task, .. } => Some(format!("-{}", u32::from_str_radix(task.as_str(), 16).unwrap())),
        Action::Advance { stage, share } => Some(format!("{stage}={share}")),
        Action::Complete => Some("complete".to_owned()),
        Action::Fail { .. } => Some("fail".to_owned()),
        Action::Remove => Some("remove".to_owned()),
        Action::WakeAt(_) => None,
    };
    actions.iter().filter_map(word).collect::<Vec<_>>().join(" ")
}

fn steady(count: u32) -> Desired {
    Desired {
        count,
        stable_count: count,
        goal: Some(revision("1")),
        stable: Some(revision("1")),
        bounds: Bounds::default(),
        rollout: None,
        presence: Presence::Kept,
    }
}

fn rolling(count: u32, since: Instant) -> Desired {
    let rollout = Rollout::begin(DeploymentSpec::default(), Stage::ScaleUp, 0, since);
    Desired {
        goal: Some(revision("2")),
        rollout: Some(rollout),
        ..steady(count)
    }
}

#[track_caller]
fn check(desired: &Desired, tasks: &str, expected: &str) {
    assert_eq!(
        written(&plan(desired, &observed(tasks), Instant::now())),
        expected,
        "for `{tasks}`"
    );
}

#[test]
fn a_steady_service_keeps_its_count() {
    for (count, tasks, expected) in [
        (2, "", "+1 +1"),
        (2, "1h", "+1"),
        (2, "1h 1s", ""),
        (2, "1h 1h", ""),
        (2, "1h 1L", "+1"),
        (2, "1B", "+1"),
        (2, "1h 1r", ""),
        (1, "1h 1r", "-1"),
        (0, "1h 1h", "-1 -0"),
        // Fewer: what waits goes first, then what starts, then the youngest.
        (2, "1h 1h 1h", "-2"),
        (2, "1h 1s 1h", "-1"),
        (1, "1B 1h 1s", "-0 -2"),
        // What is not of the revision goes.
        (1, "1h 3h", "-1"),
        (1, "3L 1h", ""),
    ] {
        check(&steady(count), tasks, expected);
    }
}

#[test]
fn the_last_task_that_serves_is_kept_when_it_is_stopped() {
    for (count, tasks, expected) in [
        (1, "1k", "+1"),
        (1, "1k 1s", ""),
        (1, "1k 1h", "-0"),
        (1, "1k 1u", "+1"),
        (1, "1o 1s", "-0"),
        (1, "1k 1B", "-0"),
        (1, "1k 1K", ""),
        (0, "1k", "-0"),
        (2, "1k 1h", "+1 -0"),
        (2, "1k 1k", "+1 +1"),
        (2, "1k 1k 1h 1s", "-0 -1"),
        // What leaves for another reason leaves once.
        (1, "3k 1h", "-0"),
    ] {
        check(&steady(count), tasks, expected);
    }
    let now = Instant::now();
    check(&rolling(1, now), "1k", "+2 +1");
    check(&rolling(1, now), "1k 2h", "-0");
}

#[test]
fn a_rollout_starts_all_before_it_stops_any() {
    let now = Instant::now();
    for (count, tasks, expected) in [
        (2, "1h 1h", "+2 +2"),
        (2, "1h 1h 2s 2s", ""),
        (2, "1h 1h 2h 2s", ""),
        (2, "1h 1h 2h 2h", "-0 -1"),
        (2, "1L 1L 2h 2h", ""),
        (2, "2h 2h", "complete"),
        (0, "", "complete"),
        // An old one that dies meanwhile is replaced.
        (2, "1h 2s 2s", "+1"),
        // No room for both: one by one.
        (2, "1h 1h 2B 2B", ""),
        (2, "1h 1h 2h 2B", "-1"),
        (2, "1h 1L 2h 2s", ""),
        // What a superseded deployment left goes at once.
        (1, "1h 3s 2s", "-1"),
    ] {
        check(&rolling(count, now), tasks, expected);
    }
}

#[test]
fn a_rollout_that_changes_the_count_leaves_the_old_ones_as_many_as_they_were() {
    let now = Instant::now();
    for (before, count, tasks, expected) in [
        // More.
        (1, 3, "1h", "+2 +2 +2"),
        (1, 3, "1h 2h 2h 2s", ""),
        (1, 3, "1h 2h 2h 2h", "-0"),
        // Fewer.
        (3, 1, "1h 1h 1h", "+2"),
        (3, 1, "1h 1h 1h 2s", ""),
        (3, 1, "1h 1h 1h 2h", "-0 -1 -2"),
        (3, 0, "1h 1h", "-0 -1"),
        // Of those that dies meanwhile, what the new count needs is replaced.
        (3, 1, "1h 1h 2s", ""),
        (3, 2, "1h 2s 2s", "+1"),
        // No room for both: one makes room for the next, down to what was or what is wanted.
        (2, 4, "1h 1h 2B 2B 2B 2B", ""),
        (2, 4, "1h 1h 2h 2B 2B 2B", "-1"),
        (2, 4, "1h 2h 2h 2B 2B", "-0"),
        (3, 1, "1h 1h 1h 2B", "-2"),
    ] {
        let desired = Desired {
            stable_count: before,
            ..rolling(count, now)
        };
        check(&desired, tasks, expected);
    }
}

#[test]
fn what_a_failed_deployment_left_is_stopped_for_that() {
    let failed = Desired {
        goal: None,
        stable: None,
        ..steady(2)
    };
    for (desired, tasks, expected) in [
        (failed, "2u 2s", [StopWhy::Unhealthy, StopWhy::DeploymentFailed]),
        (
            steady(1),
            "1h 2u 2h",
            [StopWhy::Unhealthy, StopWhy::DeploymentFailed],
        ),
        (
            rolling(1, Instant::now()),
            "3u 3h 2s 1h",
            [StopWhy::Replaced, StopWhy::Replaced],
        ),
    ] {
        let actions = plan(&desired, &observed(tasks), Instant::now());
        let whys = actions.iter().filter_map(|action| match action {
            Action::Stop { why, .. } => Some(*why),
            _ => None,
        });
        assert_eq!(whys.collect::<Vec<_>>(), expected, "for `{tasks}`");
    }
}

#[test]
fn a_deployment_that_gets_nowhere_fails() {
    let now = Instant::now();
    let mut desired = rolling(2, now);
    let rollout = desired.rollout.as_mut().unwrap();
    rollout.failed_tasks = 3;
    rollout.last_failure = "exit 1".into();
    let actions = plan(&desired, &observed("1h 1h"), now);
    let [Action::Fail { reason }] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert!(reason.ends_with("3 of them; the last: exit 1"), "{reason}");

    let desired = rolling(2, now);
    let late = now + DEFAULT_DEADLINE;
    let actions = plan(&desired, &observed("1h 1h 2B 2B"), late);
    let [Action::Fail { reason }] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert_eq!(
        reason,
        "0 of 2 tasks became healthy in 5 minutes; no room; minimum_healthy = 100 keeps 2 old ones meanwhile"
    );

    // Healthy in time, only slow to drain the old ones: that is not a failure.
    assert_eq!(written(&plan(&desired, &observed("1L 1L 2h 2h"), late)), "");
}

#[test]
fn a_first_deployment_waits_until_its_deadline() {
    let now = Instant::now();
    let desired = Desired {
        stable: None,
        ..rolling(1, now)
    };
    let late = now + DEFAULT_DEADLINE;
    for (tasks, why) in [("2K", "; no secret"), ("2B", "; no room"), ("2s", "")] {
        let waiting = plan(&desired, &observed(tasks), now);
        assert_eq!(waiting, [Action::WakeAt(late)], "for `{tasks}`");
        let reason = format!("0 of 1 tasks became healthy in 5 minutes{why}");
        assert_eq!(plan(&desired, &observed(tasks), late), [Action::Fail { reason }]);
    }
}

#[test]
fn after_a_failed_first_deployment_nothing_runs() {
    let desired = Desired {
        goal: None,
        stable: None,
        ..steady(2)
    };
    check(&desired, "2h 2L", "-0");
    check(&desired, "", "");
}

#[test]
fn a_vacancy_is_filled_when_its_time_has_come() {
    let now = Instant::now();
    let later = now + Duration::from_secs(4);
    let vacancy = Vacancy {
        revision: revision("1"),
        not_before: later,
        restarts: 3,
        last_reason: "exit 1".into(),
    };
    let seen = Observed {
        vacancies: vec![vacancy.clone()],
        ..observed("1h")
    };
    assert_eq!(plan(&steady(2), &seen, now), [Action::WakeAt(later)]);
    let start = Action::Start {
        revision: revision("1"),
        vacancy: Some(vacancy),
    };
    assert_eq!(plan(&steady(2), &seen, later), [start]);
    // A place beside it is new and doesn't wait.
    assert_eq!(written(&plan(&steady(3), &seen, now)), "+1");
    // A vacancy of another revision doesn't hold a new one back.
    assert_eq!(written(&plan(&rolling(1, now), &seen, now)), "+2");
}

#[test]
fn a_deleted_service_is_drained_then_removed() {
    let deleted = Desired {
        presence: Presence::Deleted,
        ..rolling(2, Instant::now())
    };
    check(&deleted, "1h 2B 1L", "-0 -1");
    check(&deleted, "1L", "");
    check(&deleted, "", "remove");
}

#[test]
fn the_threshold_is_half_the_count_within_ecs_bounds() {
    let allowed = [0, 1, 6, 7, 10, 400, 1000].map(failed_tasks_allowed);
    assert_eq!(allowed, [3, 3, 3, 4, 5, 200, 200]);
}

/// Applies actions as an executor would at its best: starts become healthy, stops are gone.
fn apply(observed: &mut Observed, actions: &[Action], next: &mut usize) {
    for action in actions {
        match action {
            Action::Start { revision, .. } => {
                *next += 1;
                let task = ObservedTask {
                    id: id(*next),
                    revision: *revision,
                    phase: Phase::Healthy,
                    takes: Takes::Requests,
                    ill: None,
                };
                observed.tasks.push(task);
            }
            Action::Stop { task, .. } => observed.tasks.retain(|seen| seen.id != *task),
            _ => {}
        }
    }
    observed.tasks.retain(|task| task.phase != Phase::Leaving);
}

proptest! {
    /// From any state, a few rounds end with exactly the wanted tasks, and never fewer healthy ones on
    /// the way than there were, up to the count.
    #[test]
    fn every_state_converges(
        tasks in prop::collection::vec((1u32..4, prop::sample::select(vec!["s", "h", "u", "L"])), 0..12),
        count in 0u32..6,
    ) {
        let text: Vec<String> = tasks.iter().map(|(number, phase)| format!("{number}{phase}")).collect();
        let mut seen = observed(&text.join(" "));
        let desired = rolling(count, Instant::now());
        let healthy = |seen: &Observed| {
            let kept = |task: &&ObservedTask| task.phase == Phase::Healthy && task.revision.get() < 3;
            seen.tasks.iter().filter(kept).count()
        };
        let floor = healthy(&seen).min(count as usize);
        let mut next = 100;
        for _ in 0..4 {
            let actions = plan(&desired, &seen, Instant::now());
            apply(&mut seen, &actions, &mut next);
            prop_assert!(healthy(&seen) >= floor);
            for task in &mut seen.tasks {
                if task.phase == Phase::Starting {
                    task.phase = Phase::Healthy;
                }
            }
        }
        prop_assert_eq!(seen.tasks.len(), count as usize);
        prop_assert!(seen.tasks.iter().all(|task| task.revision.get() == 2 && task.phase == Phase::Healthy));
        prop_assert_eq!(written(&plan(&desired, &seen, Instant::now())), "complete");
    }
}
