//! Waiting, and being told to stop.

use super::{Pause, pause, sleep};
use crate::test::{Host, get};
use std::panic::catch_unwind;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_pause_ends_when_its_time_is_over_or_the_task_is_to_stop() {
    let host = Host::new().stop_after(SECOND * 5);
    let paused = host.block_on(async {
        (
            pause(SECOND * 3).await,
            pause(SECOND * 3).await,
            pause(SECOND).await,
        )
    });
    assert_eq!(paused, (Pause::Elapsed, Pause::Stopping, Pause::Stopping));
    assert_eq!(host.elapsed(), SECOND * 5);
}

#[test]
fn a_handler_that_takes_too_long_is_504() {
    let host = Host::new();
    let answer = host.call(async || sleep(SECOND * 60).await, get("/"));
    assert_eq!((answer.status().as_u16(), host.elapsed()), (504, SECOND * 30));
}

#[test]
fn time_passes_only_in_a_host() {
    let host = Host::new();
    host.block_on(sleep(SECOND * 1_000_000));
    assert_eq!(host.elapsed(), SECOND * 1_000_000);
    let waits_for_ever = catch_unwind(|| Host::new().block_on(std::future::pending::<()>()));
    let told = *waits_for_ever.unwrap_err().downcast::<&str>().unwrap();
    assert!(told.contains("never comes"), "{told}");
}
