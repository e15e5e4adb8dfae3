//! Strategies: the same tables, and what holds whatever happens.

mod back;

use super::*;

fn spec(strategy: How) -> DeploymentSpec {
    DeploymentSpec {
        strategy,
        ..DeploymentSpec::default()
    }
}

/// A rollout of `strategy` from revision 1 to 2, in a stage that begins now.
fn going(count: u32, strategy: How, stage: Stage, share: u32) -> Desired {
    let rollout = Rollout::begin(spec(strategy), stage, share, Instant::now());
    Desired {
        rollout: Some(rollout),
        ..rolling(count, Instant::now())
    }
}

fn within(minimum_healthy: u32, maximum: u32) -> How {
    How::Rolling(Bounds {
        minimum_healthy,
        maximum,
    })
}

#[test]
fn bounds_are_rounded_as_ecs_rounds() {
    for (percent, count, lower, upper) in [
        ((100, 200), 1, 1, 2),
        ((50, 150), 1, 1, 1),
        ((50, 150), 3, 2, 4),
        ((0, 100), 3, 0, 3),
        ((33, 133), 10, 4, 13),
        ((100, 200), 0, 0, 0),
    ] {
        let bounds = Bounds {
            minimum_healthy: percent.0,
            maximum: percent.1,
        };
        assert_eq!(
            (bounds.lower(count), bounds.upper(count)),
            (lower, upper),
            "{percent:?} of {count}"
        );
    }
}

#[test]
fn a_rolling_deployment_keeps_within_its_bounds() {
    for (bounds, count, tasks, expected) in [
        // One more than there shall be.
        (within(100, 150), 2, "1h 1h", "+2"),
        (within(100, 150), 2, "1h 1h 2s", ""),
        (within(100, 150), 2, "1h 1h 2h", "-1"),
        (within(100, 150), 2, "1h 1L 2h", "+2"),
        (within(100, 150), 2, "1h 2h 2s", ""),
        (within(100, 150), 2, "1h 2h 2h", "-0"),
        // None more: old ones go first.
        (within(50, 100), 4, "1h 1h 1h 1h", "-3 -2"),
        (within(50, 100), 4, "1h 1h 1L 1L", "+2 +2"),
        (within(50, 100), 4, "1h 1h 2s 2s", ""),
        (within(50, 100), 4, "1h 1h 2h 2s", "-1"),
        (within(0, 100), 2, "1h 1h", "-1 -0"),
        // An unhealthy new one makes room for its successor.
        (within(50, 100), 2, "1h 2u", "-1"),
        // Old ones that are stuck go before those that serve.
        (within(50, 100), 4, "1u 1u 1h 1h", "-0 -1"),
        (within(50, 100), 4, "1r 1r 1h 1h", "-1 -0"),
        (within(50, 100), 4, "1h 1h 1u 1h", "-2 -3"),
        (within(100, 200), 2, "1u 1h 2h 2s", "-0"),
        (within(100, 200), 2, "1u 1h 2s 2s", ""),
        // There is room, so none goes first though it might.
        (within(50, 200), 2, "1h 1h", "+2 +2"),
        (within(50, 200), 2, "1h 1h 2B 2B", "-1"),
        (within(50, 200), 2, "1h 1L 2B 2B", ""),
    ] {
        check(&going(count, bounds, Stage::ScaleUp, 0), tasks, expected);
    }
}

#[test]
fn bounds_that_let_nothing_move_end_the_deployment_at_once() {
    let desired = going(1, within(50, 100), Stage::ScaleUp, 0);
    let actions = plan(&desired, &observed("1h"), Instant::now());
    let [Action::Fail { reason }] = actions.as_slice() else {
        panic!("{actions:?}")
    };
    assert_eq!(
        reason,
        "no task can be replaced because of the deployment's configuration: with 1 tasks, minimum_healthy = 50 lets \
         none stop (1 stay) and maximum = 100 lets none start (1 may be)"
    );
    // Nothing is in the way of a first one.
    check(&going(1, within(50, 100), Stage::ScaleUp, 0), "", "+2");
}

#[test]
fn a_canary_comes_beside_the_old_ones_and_takes_its_share_step_by_step() {
    let canary = How::Canary { step: 5 };
    let linear = How::Linear { step: 40 };
    for (strategy, stage, share, tasks, expected) in [
        (canary, Stage::ScaleUp, 0, "1h 1h", "+2 +2"),
        (canary, Stage::ScaleUp, 0, "1h 1h 2h 2s", ""),
        (canary, Stage::ScaleUp, 0, "1h 1h 2h 2h", "BAKE_TIME=5"),
        (canary, Stage::Bake, 5, "1h 1h 2h 2h", "CLEAN_UP=100"),
        (canary, Stage::CleanUp, 100, "1h 1h 2h 2h", "-0 -1"),
        (canary, Stage::CleanUp, 100, "1L 2h 2h", ""),
        (canary, Stage::CleanUp, 100, "2h 2h", "complete"),
        (linear, Stage::ScaleUp, 0, "1h 1h 2h 2h", "BAKE_TIME=40"),
        (linear, Stage::Bake, 40, "1h 1h 2h 2h", "BAKE_TIME=80"),
        (linear, Stage::Bake, 80, "1h 1h 2h 2h", "CLEAN_UP=100"),
        (
            How::Linear { step: 100 },
            Stage::ScaleUp,
            0,
            "1h 1h 2h 2h",
            "CLEAN_UP=100",
        ),
        // What is lost is replaced, on both sides, and shares aren't shifted meanwhile.
        (linear, Stage::Bake, 40, "1h 2h", "+2 +1"),
        (linear, Stage::Bake, 40, "1h 1h 2h 2s", ""),
        (linear, Stage::Bake, 40, "1u 1h 2h 2s", "+1"),
        (linear, Stage::Bake, 40, "1u 1h 2h 2s 1h", "-0"),
    ] {
        check(&going(2, strategy, stage, share), tasks, expected);
    }
    // A bake lasts.
    let now = Instant::now();
    let mut desired = going(1, canary, Stage::Bake, 5);
    let rollout = desired.rollout.as_mut().unwrap();
    (rollout.clock, rollout.watched) = (Stopwatch::start(now), Stopwatch::start(now));
    rollout.spec.bake = Duration::from_millis(2500);
    let wake = |millis: u64| Action::WakeAt(now + Duration::from_millis(millis));
    assert_eq!(plan(&desired, &observed("1h 2h"), now), [wake(1000)]);
    assert_eq!(
        plan(&desired, &observed("1h 2h"), now + Duration::from_secs(2)),
        [wake(2500)]
    );
    let end = now + Duration::from_millis(2500);
    assert_eq!(written(&plan(&desired, &observed("1h 2h"), end)), "CLEAN_UP=100");
    // Without a revision before there is nothing to share with.
    let mut first = going(2, canary, Stage::ScaleUp, 0);
    first.stable = None;
    check(&first, "", "+2 +2");
    check(&first, "2h 2h", "complete");
}

#[test]
fn recreate_never_has_both_revisions() {
    for (stage, tasks, expected) in [
        (Stage::ScaleDown, "1h 1h", "-0 -1"),
        (Stage::ScaleDown, "1L 1L", ""),
        (Stage::ScaleDown, "", "SCALE_UP=0"),
        (Stage::ScaleUp, "", "+2 +2"),
        (Stage::ScaleUp, "2h 2s", ""),
        (Stage::ScaleUp, "2h 2h", "complete"),
    ] {
        check(&going(2, How::Recreate, stage, 0), tasks, expected);
    }
}

#[test]
fn what_runs_alone_is_watched_when_that_was_asked_for() {
    let mut desired = going(2, within(100, 200), Stage::ScaleUp, 0);
    desired.rollout.as_mut().unwrap().spec.bake = Duration::from_secs(1);
    check(&desired, "1L 2h 2h", "");
    check(&desired, "2h 2h", "BAKE_TIME=100");
    desired.rollout.as_mut().unwrap().stage = Stage::Bake;
    check(&desired, "2h", "+2");
    desired.rollout.as_mut().unwrap().spec.bake = Duration::ZERO;
    check(&desired, "2h 2h", "complete");
}

#[test]
fn a_new_revision_is_judged_against_the_old_one() {
    let figures = |requests, errors| Figures {
        requests,
        errors,
        ..Figures::default()
    };
    let tolerance = Tolerance {
        max_errors: 5,
        min_requests: 20,
    };
    for (stage, new, old, failed) in [
        (Stage::Bake, (100, 6), (1000, 0), true),
        (Stage::Bake, (100, 5), (1000, 0), false),
        // The old one is no better.
        (Stage::Bake, (100, 10), (1000, 60), false),
        // Too few to tell.
        (Stage::Bake, (19, 19), (1000, 0), false),
        (Stage::Bake, (20, 20), (0, 0), true),
        // Nobody looks yet.
        (Stage::ScaleUp, (100, 100), (1000, 0), false),
    ] {
        let mut desired = going(1, How::Canary { step: 5 }, stage, 5);
        let rollout = desired.rollout.as_mut().unwrap();
        rollout.spec.bake = Duration::from_secs(60);
        rollout.spec.tolerance = tolerance;
        rollout.seen = Compared {
            new: figures(new.0, new.1),
            old: figures(old.0, old.1),
        };
        let actions = plan(&desired, &observed("1h 2h"), Instant::now());
        let reason = actions.iter().find_map(|action| match action {
            Action::Fail { reason } => Some(reason.clone()),
            _ => None,
        });
        assert_eq!(reason.is_some(), failed, "{stage} {new:?} {old:?}: {actions:?}");
        if new == (100, 6) {
            assert_eq!(
                reason.unwrap(),
                "6.0 % of 100 requests to the new revision were answered 5xx, 0.0 % of 1000 to the old one: more than \
                 5 percent points more"
            );
        }
    }
}

#[test]
fn what_is_paused_stays_as_it_is() {
    let paused = |strategy, stage, share| {
        let mut desired = going(2, strategy, stage, share);
        let rollout = desired.rollout.as_mut().unwrap();
        rollout.pace = Pace::Paused;
        rollout.keep_pace(Pace::Paused, Instant::now());
        desired
    };
    let canary = How::Canary { step: 5 };
    for (strategy, stage, share, tasks, expected) in [
        (within(100, 200), Stage::ScaleUp, 0, "1h 1h", ""),
        (within(100, 200), Stage::ScaleUp, 0, "1h 1h 2h", ""),
        (within(100, 200), Stage::ScaleUp, 0, "1h 1h 2h 2h", ""),
        (canary, Stage::ScaleUp, 0, "1h 1h 2h 2h", ""),
        (canary, Stage::Bake, 5, "1h 1h 2h", "+2"),
        (canary, Stage::CleanUp, 100, "1h 2h 2h", ""),
        (How::Recreate, Stage::ScaleDown, 0, "1h 1h", ""),
        (How::Recreate, Stage::ScaleDown, 0, "1L 1L", ""),
        (How::Recreate, Stage::ScaleDown, 0, "1h 1L", ""),
        // After a restart of the server.
        (within(100, 200), Stage::ScaleUp, 0, "", "+1 +1"),
        (canary, Stage::ScaleUp, 0, "", "+1 +1"),
        (How::Recreate, Stage::ScaleDown, 0, "", "+1 +1"),
        (How::Recreate, Stage::ScaleUp, 0, "2h", "+2"),
    ] {
        let mut desired = paused(strategy, stage, share);
        if tasks.is_empty() {
            desired.rollout.as_mut().unwrap().taken_up = TakenUp::Yes;
        }
        let actions = plan(
            &desired,
            &observed(tasks),
            Instant::now() + Duration::from_secs(86_400),
        );
        let written = written(&actions).replace(&format!("{stage}={share}"), "");
        if stage == Stage::Bake {
            // Its time doesn't run, and it isn't waited for either.
            assert!(!written.contains('='), "{written}");
        }
        assert_eq!(written, expected, "{strategy:?} {stage} `{tasks}`");
    }
}

#[test]
fn what_drains_too_long_is_named() {
    let desired = going(1, How::Recreate, Stage::ScaleDown, 0);
    let late = Instant::now() + DEFAULT_DEADLINE + Duration::from_secs(1);
    let actions = plan(&desired, &observed("1L"), late);
    let [Action::Fail { reason }] = actions.as_slice() else {
        panic!("{actions:?}");
    };
    assert!(
        reason.starts_with("1 old tasks had not ended after 5 minutes"),
        "{reason}"
    );
    assert!(reason.contains("`stop_timeout`"), "{reason}");
}

#[test]
fn shares_follow_the_stage() {
    let (one, two) = (revision("1"), revision("2"));
    let canary = How::Canary { step: 5 };
    for (desired, expected) in [
        (steady(2), vec![]),
        (rolling(2, Instant::now()), vec![]),
        (going(2, How::Recreate, Stage::ScaleUp, 0), vec![]),
        (going(2, canary, Stage::ScaleUp, 0), vec![(one, 100)]),
        (going(2, canary, Stage::Bake, 5), vec![(two, 5), (one, 95)]),
        (going(2, canary, Stage::CleanUp, 100), vec![(two, 100)]),
    ] {
        assert_eq!(shares(&desired, &observed("1h 1h 2h 2h")), expected);
    }
}

proptest! {
    /// Whatever the bounds, and whatever order tasks become healthy in: never fewer healthy ones than the lower bound,
    /// never more tasks than the upper one, and in the end exactly the new ones.
    #[test]
    fn a_rolling_deployment_never_leaves_its_bounds(
        minimum_healthy in 0u32..=100,
        maximum in 100u32..=200,
        count in 1u32..12,
        luck in prop::collection::vec(any::<bool>(), 400),
    ) {
        let bounds = Bounds { minimum_healthy, maximum };
        prop_assume!(bounds.deadlock(count).is_none());
        let desired = going(count, How::Rolling(bounds), Stage::ScaleUp, 0);
        let mut seen = observed(&"1h ".repeat(count as usize));
        let mut luck = luck.into_iter().chain(std::iter::repeat(true));
        let mut next = 100;
        let mut ended = false;
        for _ in 0..400 {
            let actions = plan(&desired, &seen, Instant::now());
            for action in &actions {
                match action {
                    Action::Start { revision, .. } => {
                        next += 1;
                        let (revision, phase) = (*revision, Phase::Starting);
                        seen.tasks.push(ObservedTask { id: id(next), revision, phase, takes: Takes::Requests, ill: None });
                    }
                    Action::Stop { task, .. } => {
                        let stopped = seen.tasks.iter_mut().find(|seen| seen.id == *task).unwrap();
                        stopped.phase = Phase::Leaving;
                    }
                    Action::Complete => ended = true,
                    Action::Fail { reason } => prop_assert!(false, "{}", reason),
                    _ => {}
                }
            }
            let healthy = seen.tasks.iter().filter(|task| task.phase == Phase::Healthy).count();
            let all = seen.tasks.iter().filter(|task| task.phase != Phase::Leaving).count();
            prop_assert!(healthy >= bounds.lower(count) as usize, "{} healthy", healthy);
            prop_assert!(all <= bounds.upper(count) as usize, "{} in all", all);
            if ended {
                break;
            }
            for task in &mut seen.tasks {
                if task.phase == Phase::Starting && luck.next().unwrap() {
                    task.phase = Phase::Healthy;
                }
            }
            seen.tasks.retain(|task| task.phase != Phase::Leaving || !luck.next().unwrap());
        }
        prop_assert!(ended, "{:?}", seen.tasks);
        prop_assert_eq!(seen.tasks.len(), count as usize);
    }
}
