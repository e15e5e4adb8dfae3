use std::time::Duration;

use super::*;
use crate::names::NamespaceName;

fn key(name: &str) -> ServiceKey {
    (NamespaceName::default_namespace(), name.parse().unwrap())
}

#[test]
fn a_service_has_one_moment_the_earliest() {
    let now = Instant::now();
    let after = |seconds| now + Duration::from_secs(seconds);
    let mut timers = Timers::default();
    for seconds in [5, 3, 4] {
        timers.wake(&key("api"), after(seconds));
    }
    timers.wake(&key("web"), after(4));
    assert_eq!(timers.first(), Some(after(3)));
    assert_eq!(timers.take_due(after(2)), None);
    assert_eq!(timers.take_due(after(9)), Some(key("api")));
    assert_eq!(timers.take_due(after(9)), Some(key("web")));
    assert_eq!((timers.take_due(after(9)), timers.first()), (None, None));
    // What has come may be asked for again.
    timers.wake(&key("api"), after(10));
    assert_eq!(timers.take_due(after(10)), Some(key("api")));
}
