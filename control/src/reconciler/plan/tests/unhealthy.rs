//! What is unhealthy, and what that does to the others.

use super::*;

#[test]
fn an_unhealthy_task_is_replaced_start_first() {
    for (count, tasks, expected) in [
        (1, "1u", "+1"),
        (1, "1u 1s", ""),
        (1, "1u 1h", "-0"),
        // Two that became unhealthy one after the other: the older goes.
        (1, "1u 1u", "-0 +1"),
        (2, "1u 1h 1s", ""),
        (2, "1u 1u 1h 1h", "-0 -1"),
        // The host has no room for its successor: it goes first.
        (1, "1u 1B", "-0"),
        (2, "1h 1u 1K", ""),
        (2, "1h 1u 1B", "-1"),
        // Where all are unhealthy they go one by one.
        (2, "1u 1u 1B 1B", "-0"),
        (2, "1L 1u 1B 1B", ""),
        (2, "1u 1s 1B", ""),
        (2, "1u 1h 1B", "-0"),
        // One that is not ready is in nobody's way.
        (2, "1u 1r 1B", "-0"),
    ] {
        check(&steady(count), tasks, expected);
    }
}

#[test]
fn unhealthy_tasks_are_replaced_within_the_bounds() {
    for ((minimum_healthy, maximum), count, tasks, expected) in [
        // As many successors at once as there may be tasks.
        ((100, 150), 4, "1u 1u 1u 1h", "+1 +1"),
        ((100, 150), 4, "1u 1u 1u 1h 1s 1s", ""),
        ((100, 150), 4, "1u 1u 1u 1h 1h 1s", "-0 +1"),
        ((100, 150), 4, "1L 1u 1u 1h 1h 1s", "+1"),
        ((100, 125), 4, "1u 1u 1u 1u", "+1"),
        ((50, 200), 4, "1u 1u 1u 1u", "+1 +1 +1 +1"),
        // None: unhealthy ones go first, and so many stay running.
        ((50, 100), 4, "1u 1u 1u 1u", "-0 -1"),
        ((50, 100), 4, "1L 1L 1u 1u", "+1 +1"),
        ((50, 100), 4, "1u 1u 1s 1s", ""),
        ((50, 100), 4, "1u 1u 1h 1s", "-0"),
        ((50, 100), 4, "1u 1u 1h 1h", "-0 -1"),
        ((50, 100), 4, "1h 1u 1h 1h", "-1"),
        ((75, 100), 4, "1u 1u 1h 1h", "-0"),
        ((0, 100), 2, "1u 1u", "-0 -1"),
        // There is a place, but not on the host.
        ((50, 150), 4, "1u 1u 1u 1u 1B 1B", "-0 -1"),
        // Bounds that let nothing move: one by one, it isn't healthy anyway.
        ((100, 100), 2, "1u 1u", "-0"),
        ((100, 100), 2, "1L 1u", "+1"),
        ((100, 100), 2, "1u 1s", ""),
        ((100, 100), 2, "1u 1h", "-0"),
        ((50, 100), 1, "1u", "-0"),
        // Scaling isn't held up.
        ((50, 100), 4, "1h 1h", "+1 +1"),
        ((50, 100), 1, "1h 1h", "-1"),
        ((50, 100), 4, "1u 1h", "+1 +1"),
        ((50, 100), 2, "1u 1h 1h 1h", "-3 -0"),
    ] {
        let desired = Desired {
            bounds: Bounds {
                minimum_healthy,
                maximum,
            },
            ..steady(count)
        };
        check(&desired, tasks, expected);
    }
}

#[test]
fn an_unhealthy_task_does_not_go_for_a_successor_that_may_not_start_yet() {
    let now = Instant::now();
    let later = now + Duration::from_secs(4);
    let vacancy = Vacancy {
        revision: revision("1"),
        not_before: later,
        restarts: 3,
        last_reason: "3 failures in a row".into(),
    };
    let seen = Observed {
        vacancies: vec![vacancy],
        ..observed("1u 1h")
    };
    let desired = Desired {
        bounds: How::Recreate.bounds(),
        ..steady(2)
    };
    assert_eq!(plan(&desired, &seen, now), [Action::WakeAt(later)]);
    assert_eq!(written(&plan(&desired, &seen, later)), "-0");
}
