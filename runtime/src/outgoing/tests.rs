use super::*;

#[test]
fn the_shorter_of_both_limits_holds() {
    let longer = CONNECT_TIMEOUT + Duration::from_secs(1);
    for (asked, limit) in [
        (None, CONNECT_TIMEOUT),
        (Some(longer), CONNECT_TIMEOUT),
        (Some(Duration::ZERO), Duration::ZERO),
        (Some(Duration::from_millis(200)), Duration::from_millis(200)),
    ] {
        assert_eq!(connect_limit(asked), limit, "{asked:?}");
    }
}

#[test]
fn whoever_waits_for_a_place_outlasts_connections_that_nobody_uses() {
    // They are looked at once per such a time, and may just have missed one look.
    assert!(2 * IDLE_TIMEOUT < CONNECT_TIMEOUT);
}
