//! What a schedule begins, misses and catches up with.

use super::*;

#[track_caller]
fn check_schedule(due: &Due, active: usize, now: i64, wanted: &[&str]) {
    let runs: Vec<ObservedRun> = (1..=active).map(|number| run_of(number as u64, spec())).collect();
    let actions = plan(Some(due), &runs, at(now));
    let actions: Vec<Action> = actions
        .into_iter()
        .filter(|action| !matches!(action, Action::Start { .. } | Action::End { .. }))
        .collect();
    assert_eq!(shown(&actions, &runs), wanted, "{due:?} {active} {now}");
}

#[test]
fn a_schedule_begins_what_is_due() {
    use ConcurrencyPolicy::{Allow, Forbid, Replace};
    for policy in [Allow, Forbid, Replace] {
        check_schedule(&due("* * * * *", policy, None, 0), 0, 59, &["wake 60"]);
        check_schedule(
            &due("* * * * *", policy, None, 0),
            0,
            60,
            &["wake 120", "begin 60"],
        );
        check_schedule(&due("* * * * *", policy, None, 60), 0, 60, &["wake 120"]);
    }
    check_schedule(
        &due("* * * * *", Allow, None, 0),
        2,
        60,
        &["wake 120", "begin 60"],
    );
    check_schedule(
        &due("* * * * *", Allow, None, 0),
        MAX_ACTIVE_RUNS,
        60,
        &["wake 120", "hold 60"],
    );
    check_schedule(
        &due("* * * * *", Forbid, None, 0),
        1,
        60,
        &["wake 120", "hold 60"],
    );
    check_schedule(
        &due("* * * * *", Forbid, Some(30), 0),
        1,
        60,
        &["wake 120", "hold 60", "wake 90"],
    );
    check_schedule(
        &due("* * * * *", Replace, None, 0),
        2,
        60,
        &["wake 120", "replace 1 for 60", "replace 2 for 60"],
    );
}

#[test]
fn of_what_was_missed_the_latest_is_caught_up() {
    use ConcurrencyPolicy::{Allow, Forbid};
    let day = 24 * 3600;
    for (schedule, now, wanted) in [
        (
            due("* * * * *", Allow, None, 0),
            day + 5,
            vec![format!("wake {}", day + 60), format!("begin {day} since 60")],
        ),
        (
            due("* * * * *", Allow, Some(5), 0),
            day + 5,
            vec![
                format!("wake {}", day + 60),
                format!("begin {day} since 60"),
                format!("wake {}", day + 5),
            ],
        ),
        (
            due("* * * * *", Allow, Some(4), 0),
            day + 5,
            vec![format!("wake {}", day + 60), format!("miss {day}")],
        ),
        (
            due("* * * * *", Forbid, Some(4), day),
            day + 5,
            vec![format!("wake {}", day + 60)],
        ),
    ] {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        check_schedule(&schedule, 0, now, &wanted);
    }
}

#[test]
fn a_run_is_told_for_what_it_is_replaced_once() {
    let schedule = due("* * * * *", ConcurrencyPolicy::Replace, None, 0);
    let runs = [ObservedRun {
        cancelled: Some(cancelled("replaced")),
        ..with(spec(), "0#1:l")
    }];
    assert_eq!(shown(&plan(Some(&schedule), &runs, at(60)), &runs), ["wake 120"]);
}
