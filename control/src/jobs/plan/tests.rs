//! The plan, row by row; and what holds of it whatever happens.

mod properties;
mod schedules;

use super::*;
use crate::jobs::cron::{Cron, Zone};
use crate::manifest::ConcurrencyPolicy;
use crate::model::StopCode;

fn at(second: i64) -> Timestamp {
    // A minute's first second.
    Timestamp::from_second(1_764_000_000 + second).unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn spec() -> RunSpec {
    RunSpec {
        count: 1,
        parallelism: 1,
        retries: 0,
        backoff: seconds(10),
        deadline: None,
        ttl: None,
        history: 10,
    }
}

fn due(text: &str, policy: ConcurrencyPolicy, starting_deadline: Option<u64>, decided: i64) -> Due {
    Due {
        spec: ScheduleSpec {
            cron: Cron::parse(text, Zone::named("UTC").unwrap()).unwrap(),
            concurrency_policy: policy,
            starting_deadline: starting_deadline.map(seconds),
        },
        decided: at(decided),
    }
}

fn run_of(number: u64, spec: RunSpec) -> ObservedRun {
    ObservedRun {
        number: RunNumber(number),
        spec,
        created_at: at(0),
        ended_at: None,
        cancelled: None,
        attempts: Vec::new(),
    }
}

/// A task `index#number` in a state: `g`oing, `l`eaving, `s`ucceeded, or failed with its code at a second: `3@20`.
fn attempt(text: &str) -> Attempt {
    let (place, phase) = text.split_once(':').unwrap();
    let (index, number) = place.split_once('#').unwrap();
    let phase = match phase {
        "g" => Phase::Going,
        "l" => Phase::Leaving,
        "s" => Phase::Succeeded,
        failed => {
            let (code, second) = failed.split_once('@').unwrap();
            Phase::Failed(Failure {
                at: at(second.parse().unwrap()),
                reason: format!("exited with code {code}"),
                exit_code: Some(code.parse().unwrap()),
            })
        }
    };
    Attempt {
        task: TaskId::generate(),
        index: index.parse().unwrap(),
        number: number.parse().unwrap(),
        phase,
    }
}

fn cancelled(reason: &str) -> Cancellation {
    Cancellation {
        code: StopCode::UserInitiated,
        reason: reason.to_owned(),
        at: at(2),
    }
}

fn with(spec: RunSpec, attempts: &str) -> ObservedRun {
    ObservedRun {
        attempts: attempts.split_whitespace().map(attempt).collect(),
        ..run_of(1, spec)
    }
}

/// What is planned, in short.
fn shown(actions: &[Action], runs: &[ObservedRun]) -> Vec<String> {
    let second = |time: &Timestamp| time.as_second() - at(0).as_second();
    let place = |task: &TaskId| {
        let attempts = runs.iter().flat_map(|run| &run.attempts);
        let attempt = attempts
            .into_iter()
            .find(|attempt| attempt.task == *task)
            .unwrap();
        format!("{}#{}", attempt.index, attempt.number)
    };
    let show = |action: &Action| match action {
        Action::Begin { due, missed_since } => match missed_since {
            Some(since) => format!("begin {} since {}", second(due), second(since)),
            None => format!("begin {}", second(due)),
        },
        Action::Miss { due } => format!("miss {}", second(due)),
        Action::Hold { due } => format!("hold {}", second(due)),
        Action::Replace { run, due } => format!("replace {run} for {}", second(due)),
        Action::Start { index, attempt, .. } => format!("start {index}#{attempt}"),
        Action::Stop { task, why } => {
            let why = match why {
                StopWhy::Cancelled(_) => "cancelled",
                StopWhy::RunFailed => "failed",
                StopWhy::Deadline(_) => "deadline",
            };
            format!("stop {} {why}", place(task))
        }
        Action::End { verdict, .. } => {
            let Verdict {
                state,
                reason,
                exit_code,
            } = verdict;
            format!("{state} {exit_code:?} {}", reason.as_deref().unwrap_or("-"))
        }
        Action::Forget { run } => format!("forget {run}"),
        Action::WakeAt(time) => format!("wake {}", second(time)),
    };
    actions.iter().map(show).collect()
}

#[track_caller]
fn check_run(spec: RunSpec, attempts: &str, now: i64, wanted: &[&str]) {
    let runs = [with(spec, attempts)];
    assert_eq!(shown(&plan(None, &runs, at(now)), &runs), wanted, "{attempts}");
}

#[test]
fn a_run_of_one_task() {
    for (attempts, wanted) in [
        ("", vec!["start 0#1"]),
        ("0#1:g", vec![]),
        ("0#1:l", vec![]),
        ("0#1:s", vec!["SUCCEEDED Some(0) -"]),
        ("0#1:3@5", vec!["FAILED Some(3) exited with code 3"]),
    ] {
        check_run(spec(), attempts, 5, &wanted);
    }
}

#[test]
fn what_failed_is_tried_again_later_each_time() {
    let retrying = |retries| RunSpec { retries, ..spec() };
    for (retries, attempts, now, wanted) in [
        (2, "0#1:1@5", 5, vec!["wake 15"]),
        (2, "0#1:1@5", 15, vec!["start 0#2"]),
        (2, "0#1:1@5 0#2:g", 15, vec![]),
        (2, "0#1:1@5 0#2:1@20", 39, vec!["wake 40"]),
        (2, "0#1:1@5 0#2:1@20", 40, vec!["start 0#3"]),
        (2, "0#1:1@5 0#2:1@20 0#3:s", 41, vec!["SUCCEEDED Some(0) -"]),
        (
            2,
            "0#1:1@5 0#2:1@20 0#3:4@41",
            41,
            vec!["FAILED Some(4) it failed 3 times; the last: exited with code 4"],
        ),
    ] {
        check_run(retrying(retries), attempts, now, &wanted);
    }
    let waits: Vec<u64> = (1..=8)
        .map(|failures| delay(seconds(10), failures).as_secs())
        .collect();
    assert_eq!(waits, [10, 20, 40, 80, 160, 320, 360, 360]);
    assert_eq!(delay(Duration::ZERO, 100), Duration::ZERO);
}

#[test]
fn no_more_go_at_once_than_may() {
    let spec = RunSpec {
        count: 4,
        parallelism: 2,
        retries: 1,
        ..spec()
    };
    for (attempts, now, wanted) in [
        ("", 0, vec!["start 0#1", "start 1#1"]),
        ("0#1:g", 0, vec!["start 1#1"]),
        ("0#1:g 1#1:l", 0, vec![]),
        ("0#1:s 1#1:g", 0, vec!["start 2#1"]),
        // What waits for its next attempt keeps nobody's place.
        ("0#1:1@5 1#1:g", 6, vec!["start 2#1", "wake 15"]),
        ("0#1:1@5 1#1:g 2#1:g", 15, vec![]),
        ("0#1:1@5 1#1:s 2#1:g", 15, vec!["start 3#1"]),
        ("0#1:1@5 1#1:s 2#1:s 3#1:s", 15, vec!["start 0#2"]),
        ("0#1:1@5 0#2:s 1#1:s 2#1:s 3#1:s", 15, vec!["SUCCEEDED Some(0) -"]),
    ] {
        check_run(spec.clone(), attempts, now, &wanted);
    }
}

#[test]
fn when_one_fails_for_good_the_others_are_stopped() {
    let spec = RunSpec {
        count: 3,
        parallelism: 3,
        retries: 1,
        ..spec()
    };
    for (attempts, wanted) in [
        ("0#1:1@5 0#2:7@20 1#1:g 2#1:l", vec!["stop 1#1 failed"]),
        ("0#1:1@5 0#2:7@20 1#1:l 2#1:l", vec![]),
        (
            "0#1:1@5 0#2:7@20 1#1:9@22 1#2:9@23 2#1:s",
            vec!["FAILED Some(7) task 0 failed 2 times; the last: exited with code 7"],
        ),
    ] {
        check_run(spec.clone(), attempts, 30, &wanted);
    }
}

#[test]
fn a_deadline_ends_a_run() {
    let spec = RunSpec {
        deadline: Some(seconds(60)),
        retries: 3,
        ..spec()
    };
    for (attempts, now, wanted) in [
        ("0#1:g", 59, vec!["wake 60"]),
        ("0#1:g", 60, vec!["stop 0#1 deadline"]),
        ("0#1:l", 70, vec![]),
        (
            "0#1:1@61",
            70,
            vec!["FAILED None it had not ended after 1m, its deadline"],
        ),
        (
            "0#1:1@50",
            60,
            vec!["FAILED None it had not ended after 1m, its deadline"],
        ),
        (
            "",
            60,
            vec!["FAILED None it had not ended after 1m, its deadline"],
        ),
        // It made it before anybody looked.
        ("0#1:s", 99, vec!["SUCCEEDED Some(0) -"]),
    ] {
        check_run(spec.clone(), attempts, now, &wanted);
    }
    // What failed for good before its deadline failed for that.
    let spec = RunSpec { retries: 0, ..spec };
    check_run(spec, "0#1:2@59", 99, &["FAILED Some(2) exited with code 2"]);
}

#[test]
fn a_cancelled_run_stops_and_ends() {
    let spec = RunSpec {
        count: 2,
        parallelism: 2,
        retries: 5,
        ..spec()
    };
    for (attempts, wanted) in [
        ("", vec!["CANCELLED None enough"]),
        ("0#1:g 1#1:g", vec!["stop 0#1 cancelled", "stop 1#1 cancelled"]),
        ("0#1:l 1#1:s", vec![]),
        ("0#1:s", vec!["CANCELLED None enough"]),
        ("0#1:s 1#1:0@3", vec!["CANCELLED None enough"]),
        ("0#1:s 1#1:s", vec!["SUCCEEDED Some(0) -"]),
        ("0#1:s 1#1:130@3", vec!["CANCELLED Some(130) enough"]),
        ("0#1:1@1 1#1:1@3", vec!["CANCELLED Some(1) enough"]),
        ("0#1:1@2", vec!["CANCELLED Some(1) enough"]),
    ] {
        let run = ObservedRun {
            cancelled: Some(cancelled("enough")),
            ..with(spec.clone(), attempts)
        };
        let runs = [run];
        assert_eq!(shown(&plan(None, &runs, at(9)), &runs), wanted, "{attempts}");
    }
}

#[test]
fn a_run_that_failed_before_it_was_cancelled_has_failed() {
    let spec = RunSpec {
        count: 2,
        parallelism: 2,
        deadline: Some(seconds(5)),
        ..spec()
    };
    for (attempts, at_second, wanted) in [
        ("0#1:3@1 1#1:g", 3, vec!["stop 1#1 failed"]),
        (
            "0#1:3@1 1#1:130@4",
            4,
            vec!["FAILED Some(3) task 0 failed: exited with code 3"],
        ),
        ("0#1:3@3 1#1:s", 4, vec!["CANCELLED Some(3) enough"]),
        // Nor does its deadline, which came later, make another end of it.
        ("0#1:g 1#1:s", 9, vec!["stop 0#1 cancelled"]),
    ] {
        let run = ObservedRun {
            cancelled: Some(cancelled("enough")),
            ..with(spec.clone(), attempts)
        };
        let runs = [run];
        assert_eq!(
            shown(&plan(None, &runs, at(at_second)), &runs),
            wanted,
            "{attempts}"
        );
    }
    let late = Cancellation {
        at: at(7),
        ..cancelled("enough")
    };
    let run = ObservedRun {
        cancelled: Some(late),
        ..with(spec, "0#1:l 1#1:0@8")
    };
    let ended = ObservedRun {
        attempts: vec![attempt("0#1:130@8"), attempt("1#1:s")],
        ..run
    };
    let runs = [ended];
    assert_eq!(
        shown(&plan(None, &runs, at(9)), &runs),
        ["FAILED None it had not ended after 5s, its deadline"]
    );
}

fn ended(number: u64, ended: i64, attempts: usize, spec: RunSpec) -> ObservedRun {
    ObservedRun {
        ended_at: Some(at(ended)),
        attempts: (0..attempts).map(|_| attempt("0#1:s")).collect(),
        ..run_of(number, spec)
    }
}

#[test]
fn ended_runs_are_forgotten() {
    let keeping = |history, ttl: Option<u64>| RunSpec {
        history,
        ttl: ttl.map(seconds),
        ..spec()
    };
    let check = |runs: &[ObservedRun], now, wanted: &[&str]| {
        assert_eq!(shown(&plan(None, runs, at(now)), runs), wanted);
    };
    let three = |history, ttl| -> Vec<ObservedRun> {
        (1..=3)
            .map(|number| ended(number, number as i64 * 10, 1, keeping(history, ttl)))
            .collect()
    };
    check(&three(10, None), 9000, &[]);
    check(&three(2, None), 50, &["wake 70"]);
    check(&three(2, None), 70, &["forget 1"]);
    check(&three(0, None), 85, &["wake 90", "forget 2", "forget 1"]);
    check(&three(10, Some(100)), 115, &["wake 130", "wake 120", "forget 1"]);
    // Whoever follows it sees how it ended.
    check(&three(10, Some(0)), 40, &["wake 90", "wake 80", "wake 70"]);
    // A run that goes on is not history.
    let mut runs = three(1, None);
    runs.push(with(keeping(1, None), "0#1:g"));
    runs[3].number = RunNumber(4);
    check(&runs, 200, &["forget 2", "forget 1"]);
    let large: Vec<ObservedRun> = (1..=3)
        .map(|number| ended(number, number as i64, 600, keeping(10, None)))
        .collect();
    check(&large, 5, &["forget 2", "forget 1"]);
    let huge = [ended(1, 1, 5000, keeping(10, None))];
    check(&huge, 5, &[]);
    let many: Vec<ObservedRun> = (1..=102)
        .map(|number| ended(number, 1, 1, keeping(0, None)))
        .collect();
    let actions = plan(None, &many, at(2));
    let forgotten = actions
        .iter()
        .filter(|action| matches!(action, Action::Forget { .. }));
    assert_eq!(
        forgotten.count(),
        2,
        "there is a bound before anybody can have looked"
    );
}
