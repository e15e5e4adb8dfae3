//! The way back of a deployment that failed, and what is left where there is none.

use super::*;

#[test]
fn a_rollback_keeps_what_is_healthy_until_the_old_ones_are_back() {
    let back = |tasks: &str, expected: &str| {
        let mut desired = going(2, within(100, 200), Stage::ScaleUp, 0);
        desired.goal = Some(revision("1"));
        desired.stable = desired.goal;
        check(&desired, tasks, expected);
    };
    back("1h 1h 2h 2s 2u", "-2 -3 -4");
    back("2h 2h", "+1 +1");
    back("1s 1s 2h 2h", "");
    back("1h 1s 2h 2h", "-2");
    back("1h 1h 2L", "");
    back("1h 1h", "complete");
}

#[test]
fn what_a_failed_rollback_left_serves_until_the_old_ones_do() {
    for (count, tasks, expected) in [
        (2, "2h 2h", "+1 +1"),
        (2, "2h 2h 1K 1K", ""),
        (2, "2h 2h 1u 1s 1s", ""),
        (2, "2h 2h 1h 1s", "-0"),
        (2, "2h 2h 1h 1h", "-0 -1"),
        (2, "2h 1h 1h", "-0"),
        // Who has no requests is of no use.
        (2, "2h 2s 2u 2r 2B 2L 1K 1K", "-1 -2 -3 -4"),
        // No room for both: one by one, and the last not at all.
        (3, "2h 2h 2h 1B 1B 1B", "-0"),
        (3, "2L 2h 2h 1B 1B 1B", ""),
        (3, "2h 2h 1s 1B 1B", ""),
        (3, "2h 2h 1r 1B 1B", ""),
        (3, "2h 2h 1h 1B 1B", "-0"),
        (3, "2h 1h 1h 1B", "-0"),
        (1, "2h 1B", ""),
        (0, "2h", "-0"),
    ] {
        check(&steady(count), tasks, expected);
    }
    // Its successor failed: the room is left to that one's.
    let failed = Vacancy {
        revision: revision("1"),
        not_before: Instant::now() + Duration::from_secs(4),
        restarts: 1,
        last_reason: "exit 1".into(),
    };
    let seen = Observed {
        vacancies: vec![failed],
        ..observed("2h 2h 1B 1B")
    };
    assert_eq!(written(&plan(&steady(3), &seen, Instant::now())), "");
}

#[test]
fn going_back_gives_nobody_more_than_it_can_carry() {
    let mut back = going(10, within(90, 110), Stage::ScaleUp, 0);
    back.goal = back.stable;
    let halted = Desired {
        goal: Some(revision("2")),
        ..steady(10)
    };
    let nine = "2h ".repeat(9);
    let ten = "1h ".repeat(10);
    for (tasks, expected) in [
        // One in ten to the one that is there of the old revision.
        (format!("1h {nine}"), vec![(1, 9), (2, 81)]),
        (format!("1s 1u {nine}"), vec![(2, 90)]),
        ("1h 1h 2h 2h 3h".to_owned(), vec![(1, 6), (2, 16), (3, 8)]),
        // Enough of them, or nobody else.
        (format!("{ten} 2h"), vec![(1, 100)]),
        ("1h 2s 2u".to_owned(), vec![(1, 100)]),
        (String::new(), vec![(1, 100)]),
    ] {
        let expected: Vec<_> = expected
            .iter()
            .map(|(number, share): &(u32, u32)| (revision(&number.to_string()), *share))
            .collect();
        for desired in [&back, &halted] {
            assert_eq!(shares(desired, &observed(&tasks)), expected, "for `{tasks}`");
        }
    }
}

#[test]
fn a_failed_deployment_that_is_not_rolled_back_stays_where_it_is() {
    let halted = Desired {
        goal: Some(revision("2")),
        ..steady(2)
    };
    for (tasks, expected) in [
        ("1h 1h 2h 2s 2u", "-3 -4"),
        ("1h 2h", ""),
        // Only the old revision is started.
        ("2h", "+1"),
        ("1h 1h", ""),
    ] {
        check(&halted, tasks, expected);
    }
}
