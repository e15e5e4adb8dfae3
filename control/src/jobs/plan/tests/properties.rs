//! What holds of every run and every schedule, whatever fails and however late the plan is made.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// Plays a run to its end: each task takes a while and ends with the next of `codes`.
fn play(spec: &RunSpec, codes: &[(u8, i32)], late: u8) -> (ObservedRun, Verdict) {
    let mut run = run_of(1, spec.clone());
    let mut ends: Vec<Timestamp> = Vec::new();
    let mut now = at(0);
    let mut codes = codes.iter().cycle();
    let mut seen = BTreeSet::new();
    for _ in 0..100_000 {
        let mut next: Option<Timestamp> = None;
        for action in plan(None, std::slice::from_ref(&run), now) {
            match action {
                Action::Start { index, attempt, .. } => {
                    assert!(
                        seen.insert((index, attempt)),
                        "{index}#{attempt} was started twice"
                    );
                    let (length, _) = codes.clone().next().unwrap();
                    ends.push(after(now, seconds(u64::from(*length))));
                    run.attempts.push(Attempt {
                        task: TaskId::generate(),
                        index,
                        number: attempt,
                        phase: Phase::Going,
                    });
                }
                Action::Stop { task, .. } => {
                    let position = run
                        .attempts
                        .iter()
                        .position(|attempt| attempt.task == task)
                        .unwrap();
                    assert_eq!(run.attempts[position].phase, Phase::Going, "told once");
                    run.attempts[position].phase = Phase::Leaving;
                    ends[position] = after(now, seconds(1));
                }
                Action::End { verdict, .. } => return (run, verdict),
                Action::WakeAt(time) => next = Some(next.map_or(time, |next| next.min(time))),
                other => panic!("{other:?}"),
            }
        }
        let going = run.attempts.iter().filter(|attempt| is_alive(attempt)).count();
        assert!(going <= spec.parallelism as usize, "{going} at once");
        let ending = run
            .attempts
            .iter()
            .zip(&ends)
            .filter(|(attempt, _)| is_alive(attempt))
            .map(|(_, end)| *end)
            .min();
        let Some(then) = next.into_iter().chain(ending).filter(|time| *time > now).min() else {
            panic!("nothing is planned, and nothing goes on: {run:?} at {now}");
        };
        now = after(then, Duration::from_millis(u64::from(late) * 100));
        for (attempt, end) in run.attempts.iter_mut().zip(&ends) {
            if *end <= now && is_alive(attempt) {
                let (_, code) = codes.next().unwrap();
                attempt.phase = ended(&attempt.phase, *code, *end);
            }
        }
    }
    panic!("it never ended: {run:?}")
}

fn is_alive(attempt: &Attempt) -> bool {
    matches!(attempt.phase, Phase::Going | Phase::Leaving)
}

/// How an attempt ends that would end with this code.
fn ended(phase: &Phase, code: i32, at: Timestamp) -> Phase {
    match (code, phase) {
        (0, Phase::Going) => Phase::Succeeded,
        (code, _) => Phase::Failed(Failure {
            at,
            reason: format!("exited with code {code}"),
            exit_code: Some(code),
        }),
    }
}

proptest! {
    #[test]
    fn every_run_ends_and_nothing_is_done_twice(
        count in 1..12u32, at_once in 1..12u32, retries in 0..4u32, backoff in 0..30u64,
        deadline in proptest::option::of(1..200u64), codes in proptest::collection::vec((1..30u8, 0..2i32), 1..40), late in 0..50u8,
    ) {
        let spec = RunSpec {
            count,
            parallelism: at_once.min(count),
            retries,
            backoff: seconds(backoff),
            deadline: deadline.map(seconds),
            ..spec()
        };
        let (run, verdict) = play(&spec, &codes, late);
        let of = |index| run.attempts.iter().filter(move |attempt| attempt.index == index);
        let mut succeeded = 0;
        for index in 0..count {
            let all: Vec<&Attempt> = of(index).collect();
            prop_assert!(all.len() as u32 <= retries + 1, "{all:?}");
            prop_assert!(all.iter().zip(1..).all(|(attempt, number)| attempt.number == number), "{all:?}");
            let good = all.iter().filter(|attempt| attempt.phase == Phase::Succeeded).count();
            prop_assert!(good <= 1, "{all:?}");
            succeeded += good as u32;
        }
        prop_assert!(run.attempts.len() as u32 <= spec.attempts());
        prop_assert_eq!(verdict.state == RunState::Succeeded, succeeded == count, "{:?}", verdict);
        prop_assert!(run.attempts.iter().all(|attempt| !matches!(attempt.phase, Phase::Going | Phase::Leaving)));
        prop_assert_eq!(verdict.reason.is_none(), verdict.state == RunState::Succeeded);
    }

    #[test]
    fn no_time_is_decided_twice_and_none_begins_too_late(
        policy in 0..3u8, starting_deadline in proptest::option::of(1..300u64),
        looks in proptest::collection::vec((1..4000i64, 0..3u8), 1..60),
    ) {
        let policy = [ConcurrencyPolicy::Allow, ConcurrencyPolicy::Forbid, ConcurrencyPolicy::Replace][usize::from(policy)];
        let mut schedule = due("*/5 * * * *", policy, starting_deadline, 0);
        let mut runs: Vec<ObservedRun> = Vec::new();
        let mut now = at(0);
        for (later, ending) in looks {
            now = after(now, seconds(later as u64));
            for run in runs.iter_mut().take(usize::from(ending)) {
                run.ended_at.get_or_insert(now);
            }
            runs.retain(|run| run.ended_at.is_none());
            for action in plan(Some(&schedule), &runs, now) {
                let Action::Begin { due, .. } = action else {
                    if let Action::Miss { due } = action {
                        prop_assert!(due > schedule.decided);
                        schedule.decided = due;
                    }
                    continue;
                };
                prop_assert!(due > schedule.decided && due <= now);
                prop_assert!(starting_deadline.is_none_or(|deadline| now <= after(due, seconds(deadline))));
                prop_assert!(policy == ConcurrencyPolicy::Allow || runs.is_empty());
                schedule.decided = due;
                let number = runs.last().map_or(1, |run| run.number.0 + 1);
                runs.push(run_of(number, spec()));
            }
            // Nothing is left to decide, unless it waits for a run to end.
            let again = plan(Some(&schedule), &runs, now);
            prop_assert!(!again.iter().any(|action| matches!(action, Action::Begin { .. } | Action::Miss { .. })), "{again:?}");
        }
    }
}
