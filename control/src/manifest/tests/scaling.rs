//! What `[scaling]` means.

use std::time::Duration;

use wharf_gateway::Hold;

use super::*;
use crate::scaling::{Idle, Signal, Target};

const MINUTE: Duration = Duration::from_secs(60);

fn of(lines: &str) -> ServiceSpec {
    let text = format!("name = \"api\"\n[task]\ncomponent = \"a.wasm\"\n{lines}");
    service(&parse(&text)).clone()
}

#[test]
fn everything_that_can_be_said() {
    let spec = of(
        "[scaling]\nmin = 0\nmax = 20\ncpu = 50\nmemory = 70\nrequests = 100\nconcurrency = 30\nqueue = 5\n\
                   cooldown_in = \"1m\"\ncooldown_out = \"0s\"\nidle = \"2m\"\nwait = \"10s\"",
    );
    let target = |signal, value| Target { signal, value };
    let wait = Duration::from_secs(10);
    let scaling = ScalingSpec {
        min: 0,
        max: 20,
        targets: vec![
            target(Signal::Cpu, 50),
            target(Signal::Memory, 70),
            target(Signal::Requests, 100),
            target(Signal::Concurrency, 30),
            target(Signal::Queue, 5),
        ],
        cooldown_in: MINUTE,
        cooldown_out: Duration::ZERO,
        idle: Some(Idle {
            after: 2 * MINUTE,
            wait,
        }),
    };
    assert_eq!(
        scaling.hold(),
        Hold::new(wait, Hold::MOST).ok(),
        "requests wait while it sleeps"
    );
    assert_eq!(spec.scaling, Some(scaling));
}

#[test]
fn what_is_left_out() {
    let scaling = of("[scaling]\nmax = 3").scaling.unwrap();
    assert_eq!((scaling.min, scaling.max, scaling.idle), (1, 3, None));
    assert_eq!(scaling.hold(), None);
    let cpu = Target {
        signal: Signal::Cpu,
        value: 60,
    };
    assert_eq!(scaling.targets, [cpu]);
    assert_eq!(
        (scaling.cooldown_in, scaling.cooldown_out),
        (5 * MINUTE, 5 * MINUTE)
    );
    let spec = of("[service]\ncount = 3\n[scaling]\nidle = \"5m\"");
    let scaling = spec.scaling.unwrap();
    assert_eq!((scaling.min, scaling.max, scaling.targets.len()), (0, 3, 0));
    let idle = Idle {
        after: 5 * MINUTE,
        wait: MINUTE / 2,
    };
    assert_eq!(scaling.idle, Some(idle));
    let spec = of("");
    assert_eq!(spec.scaling, None);
}

#[test]
fn the_count_is_brought_into_range() {
    for (count, wanted) in [(0, 2), (1, 2), (3, 3), (9, 4)] {
        let spec = of(&format!(
            "[service]\ncount = {count}\n[scaling]\nmin = 2\nmax = 4"
        ));
        assert_eq!(spec.count, wanted, "{count}");
    }
}
