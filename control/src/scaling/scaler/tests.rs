use std::time::Duration;

use wharf_gateway::Demand;

use super::super::{Signal, Target};
use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A scaler and the moment it is looked at.
struct Clock {
    scaler: Scaler,
    now: Instant,
    requests: u64,
    count: u32,
}

fn spec() -> ScalingSpec {
    ScalingSpec {
        min: 0,
        max: 10,
        targets: vec![Target {
            signal: Signal::Requests,
            value: 10,
        }],
        cooldown_in: Duration::from_secs(60),
        cooldown_out: Duration::ZERO,
        idle: Some(Idle {
            after: 5 * SECOND,
            wait: SECOND,
        }),
    }
}

fn wanted(count: u32, deploying: Deploying) -> Wanted {
    Wanted { count, deploying }
}

impl Clock {
    fn awake(count: u32) -> Self {
        let now = Instant::now();
        let mut scaler = Scaler::new(spec(), wanted(count, Deploying::No), now);
        assert!(scaler.wake(count, now));
        Self {
            scaler,
            now,
            requests: 0,
            count,
        }
    }

    fn look(&mut self, demand: Demand) -> Look {
        self.look_while(demand, Deploying::No)
    }

    fn look_while(&mut self, demand: Demand, deploying: Deploying) -> Look {
        self.look_after(SECOND, demand, deploying)
    }

    /// `demand.requests` came since the last look.
    fn look_after(&mut self, passed: Duration, demand: Demand, deploying: Deploying) -> Look {
        self.now += passed;
        self.requests += demand.requests;
        let reading = Reading {
            at: self.now,
            demand: Demand {
                requests: self.requests,
                ..demand
            },
            tasks: (0..self.count).map(|_| task()).collect(),
        };
        self.scaler.look(reading, wanted(self.count, deploying))
    }
}

fn task() -> super::super::sample::TaskReading {
    super::super::sample::TaskReading {
        id: crate::names::TaskId::generate(),
        cpu_ms: 0,
        cpu: 256,
        memory: 0,
        memory_limit: 1,
    }
}

fn quiet() -> Demand {
    Demand::default()
}

#[test]
fn it_sleeps_when_it_was_idle_for_long_enough_and_not_before() {
    let mut clock = Clock::awake(1);
    assert_eq!(clock.scaler.desired(1), 1);
    for _ in 0..4 {
        assert_eq!(clock.look(quiet()), Look::Same);
    }
    assert_eq!(clock.look(quiet()), Look::Slept);
    assert!(clock.scaler.is_asleep());
    assert_eq!(clock.scaler.desired(1), 0);
    let last = clock.scaler.last().unwrap();
    assert_eq!(
        (last.from, last.to, last.cause.as_str()),
        (1, 0, "no requests for 5s")
    );
}

#[test]
fn whatever_is_under_way_or_waits_or_came_and_went_keeps_it_awake() {
    let busy = [
        Demand {
            in_flight: 1,
            ..quiet()
        },
        Demand { held: 1, ..quiet() },
        Demand {
            requests: 1,
            ..quiet()
        },
    ];
    for demand in busy {
        let mut clock = Clock::awake(1);
        for second in 0..20 {
            let demand = if second % 4 == 0 { demand } else { quiet() };
            assert_eq!(clock.look(demand), Look::Same, "{demand:?}");
        }
    }
}

#[test]
fn it_is_awake_for_as_long_as_it_is_deployed() {
    let mut scaler = Scaler::new(spec(), wanted(1, Deploying::Yes), Instant::now());
    assert!(!scaler.is_asleep());
    let mut clock = Clock::awake(1);
    for _ in 0..20 {
        assert_eq!(clock.look_while(quiet(), Deploying::Yes), Look::Same);
    }
    scaler = Scaler::new(spec(), wanted(1, Deploying::No), Instant::now());
    assert!(scaler.is_asleep(), "after a restart");
    scaler.read_again(spec(), 1, wanted(1, Deploying::Yes), Instant::now());
    assert!(!scaler.is_asleep());
}

#[test]
fn only_what_sleeps_is_woken() {
    let mut clock = Clock::awake(3);
    assert!(!clock.scaler.wake(3, clock.now));
    while clock.look(quiet()) != Look::Slept {}
    assert!(clock.scaler.wake(3, clock.now));
    assert_eq!(clock.scaler.desired(3), 3);
    assert_eq!(clock.look(quiet()), Look::Same, "idle begins anew");
}

#[test]
fn a_count_of_none_sends_it_to_sleep_and_any_other_wakes_it() {
    let now = Instant::now();
    let mut clock = Clock::awake(2);
    clock.scaler.read_again(spec(), 2, wanted(0, Deploying::No), now);
    assert!(clock.scaler.is_asleep());
    clock.scaler.read_again(spec(), 0, wanted(0, Deploying::No), now);
    assert!(clock.scaler.wake(0, now));
    assert_eq!(clock.scaler.desired(0), 1, "a wake changes no record");
    clock.scaler.read_again(spec(), 0, wanted(0, Deploying::No), now);
    assert!(!clock.scaler.is_asleep(), "nobody asked again");
    clock.scaler.read_again(spec(), 0, wanted(3, Deploying::No), now);
    assert_eq!(clock.scaler.desired(3), 3);
    let always = ScalingSpec {
        min: 2,
        idle: None,
        ..spec()
    };
    clock.scaler.read_again(always, 3, wanted(0, Deploying::No), now);
    assert_eq!(clock.scaler.desired(0), 2, "not below the least");
}

#[test]
fn two_seconds_of_load_bring_what_it_needs() {
    let mut clock = Clock::awake(1);
    let load = Demand {
        requests: 45,
        in_flight: 1,
        ..quiet()
    };
    assert_eq!(clock.look(quiet()), Look::Same);
    assert_eq!(clock.look(load), Look::Same);
    assert_eq!(clock.look(load), Look::Count(5));
    let last = clock.scaler.last().unwrap();
    let cause = "each task had 45.0 requests a second, the target is 10";
    assert_eq!((last.from, last.to, last.cause.as_str()), (1, 5, cause));
    clock.count = 5;
    let shown = clock.scaler.shown(5);
    assert_eq!((shown.min, shown.max, shown.desired), (0, 10, 5));
    assert_eq!(shown.values[0].current, Some(45.0));
}

/// How often it is looked.
const LOOK: Duration = Duration::from_millis(250);

/// Requests that have come by then, at `rate` a second from `begin` to `end` and none else.
fn came(rate: u64, (begin, end): (Duration, Duration), by: Duration) -> u64 {
    let passed = by.min(end).saturating_sub(begin).as_millis();
    rate * u64::try_from(passed).unwrap() / 1000
}

impl Clock {
    /// Looks for so long while requests come; says when it decided what, counted from the first look.
    fn follow(&mut self, length: Duration, came: impl Fn(Duration) -> u64) -> Vec<(Duration, u32)> {
        let (mut decided, mut passed, mut before) = (Vec::new(), Duration::ZERO, 0);
        while passed < length {
            passed += LOOK;
            let requests = came(passed) - before;
            before += requests;
            let demand = Demand {
                requests,
                in_flight: 1,
                ..quiet()
            };
            if let Look::Count(count) = self.look_after(LOOK, demand, Deploying::No) {
                decided.push((passed, count));
                // They start in no time.
                self.count = count;
            }
        }
        decided
    }
}

/// However a step falls between two looks, what it needs is there within two seconds and a look: all at once, and that
/// is that.
#[test]
fn a_step_in_load_is_answered_in_one_step_whenever_it_comes() {
    for late in (0..1000).step_by(30) {
        let mut clock = Clock::awake(1);
        let step = Duration::from_secs(5) + Duration::from_millis(late);
        let end = Duration::from_secs(60);
        let decided = clock.follow(end, |by| came(50, (step, end), by));
        let [(at, 5)] = decided.as_slice() else {
            panic!("{late} ms: {decided:?}")
        };
        let took = *at - step;
        assert!(took <= 2 * SECOND + LOOK, "{late} ms: {took:?}");
    }
}

#[test]
fn a_single_seconds_noise_adds_nothing_whenever_it_comes() {
    for late in (0..1000).step_by(30) {
        let mut clock = Clock::awake(1);
        let begin = Duration::from_secs(5) + Duration::from_millis(late);
        let decided = clock.follow(Duration::from_secs(12), |by| {
            // On target but for that second.
            came(10, (Duration::ZERO, Duration::MAX), by) + came(40, (begin, begin + SECOND), by)
        });
        assert_eq!(decided, [], "{late} ms");
    }
}

/// What comes in bursts is counted as what it is in a second.
#[test]
fn a_load_in_bursts_is_one_load() {
    let mut clock = Clock::awake(1);
    let decided = clock.follow(Duration::from_secs(60), |by| (by.as_secs() + 1) * 30);
    assert_eq!(decided, [(Duration::from_millis(2250), 3)]);
}
