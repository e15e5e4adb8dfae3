//! What Application Auto Scaling does with the same figures, as tables; and what has to hold of all figures.

use proptest::prelude::*;

use super::*;
use crate::scaling::Idle;

const NO_COOLDOWN: Duration = Duration::ZERO;

fn spec(min: u32, max: u32, targets: &[(Signal, u32)]) -> ScalingSpec {
    let target = |&(signal, value): &(Signal, u32)| Target { signal, value };
    ScalingSpec {
        min,
        max,
        targets: targets.iter().map(target).collect(),
        cooldown_in: NO_COOLDOWN,
        cooldown_out: NO_COOLDOWN,
        idle: (min == 0).then_some(Idle {
            after: Duration::from_secs(60),
            wait: Duration::from_secs(10),
        }),
    }
}

/// `running` tasks, each with this much of every signal.
fn seen(running: u32, value: f64) -> Sample {
    let all = Some(value);
    Sample {
        at: Instant::now(),
        running,
        cpu: all,
        memory: all,
        requests: all,
        concurrency: all,
        queue: all,
    }
}

fn situation(desired: u32, samples: &[Sample]) -> Situation<'_> {
    Situation {
        desired,
        samples,
        last_out: None,
        last_in: None,
        deploying: Deploying::No,
    }
}

/// The count that is decided, if one is.
fn decided(spec: &ScalingSpec, desired: u32, samples: &[Sample]) -> Option<u32> {
    let samples = apart(Duration::from_secs(1), samples);
    to(decide(spec, &situation(desired, &samples), Instant::now()))
}

/// The samples, so long one after the other.
fn apart(period: Duration, samples: &[Sample]) -> Vec<Sample> {
    let mut at = Instant::now();
    let timed = samples.iter().map(|sample| {
        at += period;
        Sample { at, ..*sample }
    });
    timed.collect()
}

fn to(decision: Decision) -> Option<u32> {
    match decision {
        Decision::Change { to, .. } => Some(to),
        Decision::Stay(_) => None,
    }
}

/// Looks, a second apart, that it takes to believe that there is too little.
const LOOKS: usize = 15;

/// The same for as long as it takes to be believed.
fn steadily(sample: Sample) -> Vec<Sample> {
    apart(Duration::from_secs(1), &[sample; LOOKS])
}

#[test]
fn the_load_says_how_many_tasks_it_needs() {
    let spec = spec(1, 20, &[(Signal::Requests, 10)]);
    // Running, the value, what is decided.
    let table = [
        (1, 42.0, Some(5)),
        (4, 15.0, Some(6)),
        (4, 11.0, None),
        (4, 11.1, Some(5)),
        (4, 10.0, None),
        (4, 9.0, None),
        (4, 8.9, None),
        (4, 7.5, Some(3)),
        (4, 2.0, Some(2)),
        (10, 0.0, Some(5)),
        (2, 0.0, Some(1)),
        (1, 0.0, None),
        (15, 20.0, Some(20)),
        (20, 99.0, None),
    ];
    for (running, value, wanted) in table {
        let samples = steadily(seen(running, value));
        assert_eq!(
            decided(&spec, running, &samples),
            wanted,
            "{running} tasks at {value}"
        );
    }
}

#[test]
fn shares_are_of_what_is_reserved() {
    let spec = spec(1, 20, &[(Signal::Cpu, 60)]);
    assert_eq!(decided(&spec, 3, &steadily(seen(3, 100.0))), Some(5));
    assert_eq!(decided(&spec, 3, &steadily(seen(3, 62.0))), None);
    assert_eq!(
        decided(&spec, 3, &steadily(seen(3, 20.0))),
        Some(2),
        "half of them at most"
    );
}

#[test]
fn one_target_suffices_to_add_and_all_have_to_agree_to_take_away() {
    let spec = spec(1, 20, &[(Signal::Cpu, 60), (Signal::Requests, 10)]);
    let sample = |cpu: f64, requests: f64| Sample {
        cpu: Some(cpu),
        requests: Some(requests),
        ..seen(4, 0.0)
    };
    let decided = |cpu, requests| decided(&spec, 4, &steadily(sample(cpu, requests)));
    assert_eq!(decided(30.0, 20.0), Some(8));
    assert_eq!(decided(90.0, 2.0), Some(6));
    assert_eq!(decided(120.0, 20.0), Some(8), "the largest wins");
    assert_eq!(decided(90.0, 20.0), Some(8), "the largest wins");
    assert_eq!(decided(60.0, 2.0), None);
    assert_eq!(decided(30.0, 7.0), Some(3), "the neediest has its way");
    assert_eq!(decided(10.0, 1.0), Some(2));
}

#[test]
fn without_data_nothing_is_done() {
    let spec = spec(1, 20, &[(Signal::Cpu, 60), (Signal::Requests, 10)]);
    assert_eq!(decided(&spec, 1, &[]), None);
    assert_eq!(
        decided(&spec, 1, &[seen(1, 500.0)]),
        None,
        "one second proves nothing"
    );
    let short = &steadily(seen(4, 0.0))[1..];
    assert_eq!(decided(&spec, 4, short), None);
    let nobody = steadily(seen(0, 500.0));
    assert_eq!(decided(&spec, 1, &nobody), None, "no task runs yet");
    let blind = Sample {
        cpu: None,
        ..seen(4, 1.0)
    };
    assert_eq!(
        decided(&spec, 4, &steadily(blind)),
        None,
        "one of two can't be seen"
    );
    let half_blind = Sample {
        cpu: None,
        ..seen(4, 50.0)
    };
    assert_eq!(
        decided(&spec, 4, &steadily(half_blind)),
        Some(20),
        "the other suffices"
    );
}

#[test]
fn a_single_seconds_noise_changes_nothing() {
    let spec = spec(1, 20, &[(Signal::Requests, 10)]);
    let mut samples = steadily(seen(4, 10.0));
    samples.push(seen(4, 80.0));
    assert_eq!(decided(&spec, 4, &samples), None);
    samples.push(seen(4, 20.0));
    assert_eq!(decided(&spec, 4, &samples), None, "it may go on to fall");
    samples.push(seen(4, 40.0));
    assert_eq!(decided(&spec, 4, &samples), Some(8), "what all seconds reached");
    let mut quiet = steadily(seen(4, 2.0));
    quiet[7] = seen(4, 9.5);
    assert_eq!(decided(&spec, 4, &quiet), None, "one busy second of fifteen");
}

#[test]
fn it_begins_with_the_tasks_that_run_and_counts_those_on_their_way() {
    let spec = spec(1, 20, &[(Signal::Requests, 10)]);
    let samples = steadily(seen(1, 50.0));
    let stay = |desired| decide(&spec, &situation(desired, &samples), Instant::now());
    assert_eq!(to(stay(1)), Some(5));
    assert_eq!(stay(5), Decision::Stay(Stay::Underway));
    assert_eq!(to(stay(4)), Some(5), "a larger one goes on");
    assert_eq!(
        stay(8),
        Decision::Stay(Stay::Underway),
        "nor is what is on its way taken back"
    );
}

#[test]
fn cooldowns_hold_back_what_they_are_for() {
    let now = Instant::now();
    let spec = ScalingSpec {
        cooldown_in: Duration::from_secs(100),
        cooldown_out: Duration::from_secs(200),
        ..spec(1, 20, &[(Signal::Requests, 10)])
    };
    let ago = |seconds| Some(now - Duration::from_secs(seconds));
    let (busy, quiet) = (steadily(seen(4, 20.0)), steadily(seen(4, 1.0)));
    let decide = |samples, last_out, last_in| {
        let known = Situation {
            last_out,
            last_in,
            ..situation(4, samples)
        };
        super::decide(&spec, &known, now)
    };
    assert_eq!(decide(&quiet, None, ago(99)), Decision::Stay(Stay::Cooldown));
    assert_eq!(to(decide(&quiet, None, ago(100))), Some(2));
    assert_eq!(decide(&quiet, ago(199), None), Decision::Stay(Stay::Cooldown));
    assert_eq!(to(decide(&quiet, ago(200), None)), Some(2));
    assert_eq!(to(decide(&busy, None, ago(1))), Some(8), "more is added at once");
    assert_eq!(to(decide(&busy, ago(1), None)), Some(8), "and more still");
}

#[test]
fn nothing_is_taken_away_during_a_deployment() {
    let spec = spec(1, 20, &[(Signal::Requests, 10)]);
    let decide = |value| {
        let samples = steadily(seen(4, value));
        let known = Situation {
            deploying: Deploying::Yes,
            ..situation(4, &samples)
        };
        super::decide(&spec, &known, Instant::now())
    };
    assert_eq!(decide(1.0), Decision::Stay(Stay::Deploying));
    assert_eq!(to(decide(20.0)), Some(8));
}

#[test]
fn why_nothing_is_done_at_the_bounds() {
    let spec = spec(2, 4, &[(Signal::Requests, 10)]);
    let stay = |running, value| {
        let samples = steadily(seen(running, value));
        decide(&spec, &situation(running, &samples), Instant::now())
    };
    assert_eq!(stay(4, 50.0), Decision::Stay(Stay::AtMost));
    assert_eq!(stay(2, 1.0), Decision::Stay(Stay::AtLeast));
}

fn any_spec() -> impl Strategy<Value = ScalingSpec> {
    let signals = [
        Signal::Cpu,
        Signal::Memory,
        Signal::Requests,
        Signal::Concurrency,
        Signal::Queue,
    ];
    let targets = prop::sample::subsequence(signals.to_vec(), 1..=5);
    (0_u32..20, 0_u32..50, targets, 1_u32..100).prop_map(|(min, more, signals, value)| {
        let targets: Vec<_> = signals.into_iter().map(|signal| (signal, value)).collect();
        spec(min, min.max(1) + more, &targets)
    })
}

fn any_samples() -> impl Strategy<Value = Vec<Sample>> {
    let value = || prop::option::weighted(0.95, 0.0..300.0);
    let sample = (0_u32..60, value(), value(), value(), value(), value());
    let sample = sample.prop_map(|(running, cpu, memory, requests, concurrency, queue)| Sample {
        at: Instant::now(),
        running,
        cpu,
        memory,
        requests,
        concurrency,
        queue,
    });
    prop::collection::vec(sample, 0..LOOKS + 3)
}

proptest! {
    #[test]
    fn what_is_decided_is_within_bounds_and_a_change(
        spec in any_spec(), samples in any_samples(), desired in 0_u32..80,
    ) {
        let desired = spec.clamp(desired);
        if let Some(to) = decided(&spec, desired, &samples) {
            prop_assert!((spec.min.max(1)..=spec.max).contains(&to), "{to}");
            prop_assert!(to != desired);
            prop_assert!(to >= desired.div_ceil(2), "half of them at most at a time: {desired} to {to}");
        }
    }

    #[test]
    fn it_comes_to_rest(spec in any_spec(), load in 0.0..2000.0_f64, desired in 1_u32..80) {
        // The load is shared among the tasks, and every one that is wanted runs.
        let mut count = spec.clamp(desired);
        let mut samples = Vec::new();
        let mut changes = Vec::new();
        for _ in 0..400 {
            samples.push(seen(count, load / f64::from(count)));
            let surplus = samples.len().saturating_sub(LOOKS);
            samples.drain(..surplus);
            if let Some(to) = decided(&spec, count, &samples) {
                changes.push((count, to));
                count = to;
            }
        }
        let ups = changes.iter().filter(|(from, to)| to > from).count();
        prop_assert!(ups == 0 || ups == changes.len(), "it went up and down under one load: {changes:?}");
        let settled = decided(&spec, count, &steadily(seen(count, load / f64::from(count))));
        prop_assert_eq!(settled, None);
    }

    #[test]
    fn more_load_never_means_fewer_tasks(
        spec in any_spec(), running in 1_u32..60, value in 0.0..300.0_f64, more in 0.0..300.0_f64,
    ) {
        let count = |value| {
            let samples = steadily(seen(running, value));
            decided(&spec, spec.clamp(running), &samples).unwrap_or(spec.clamp(running))
        };
        prop_assert!(count(value + more) >= count(value));
    }
}
