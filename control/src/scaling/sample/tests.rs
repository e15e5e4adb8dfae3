use super::*;

fn task(id: &TaskId, cpu_ms: u64) -> TaskReading {
    TaskReading {
        id: id.clone(),
        cpu_ms,
        cpu: 256,
        memory: 32 << 20,
        memory_limit: 128 << 20,
    }
}

fn reading(at: Instant, requests: u64, tasks: Vec<TaskReading>) -> Reading {
    let demand = Demand {
        requests,
        in_flight: 30,
        queued: 10,
        held: 2,
    };
    Reading { at, demand, tasks }
}

#[test]
fn averages_are_over_the_tasks_that_run() {
    let (a, b, start) = (TaskId::generate(), TaskId::generate(), Instant::now());
    let before = reading(start, 100, vec![task(&a, 1000), task(&b, 0)]);
    let later = start + Duration::from_secs(2);
    // A quarter of a vCPU for two seconds is 500 ms.
    let now = reading(later, 300, vec![task(&a, 1500), task(&b, 250)]);
    let sample = Sample::over(&[before, now]).unwrap();
    let seen = Sample {
        at: later,
        running: 2,
        cpu: Some(75.0),
        memory: Some(25.0),
        requests: Some(50.0),
        concurrency: Some(16.0),
        queue: Some(6.0),
    };
    assert_eq!(sample, seen);
}

#[test]
fn what_was_not_looked_at_twice_is_not_known() {
    let (a, b, now) = (TaskId::generate(), TaskId::generate(), Instant::now());
    let first = reading(now, 100, vec![task(&a, 1000)]);
    let sample = Sample::over(std::slice::from_ref(&first)).unwrap();
    assert_eq!((sample.cpu, sample.requests), (None, None));
    assert_eq!(sample.concurrency, Some(32.0));
    let later = now + Duration::from_secs(1);
    let other = reading(later, 110, vec![task(&b, 5000)]);
    let sample = Sample::over(&[first.clone(), other]).unwrap();
    assert_eq!((sample.cpu, sample.requests), (None, Some(10.0)), "another task");
    let anew = reading(later, 5, vec![task(&a, 1000)]);
    let sample = Sample::over(&[first.clone(), anew]).unwrap();
    assert_eq!((sample.cpu, sample.requests), (Some(0.0), None), "another group");
    let none = reading(later, 110, Vec::new());
    let sample = Sample::over(&[first, none]).unwrap();
    assert_eq!((sample.running, sample.queue, sample.memory), (0, None, None));
    assert_eq!(Sample::over(&[]), None);
}

#[test]
fn a_sample_is_of_the_last_second_however_often_it_is_looked() {
    let (a, start) = (TaskId::generate(), Instant::now());
    let at = |millis: u64, requests: u64, cpu_ms: u64, in_flight: u32| {
        let mut reading = reading(
            start + Duration::from_millis(millis),
            requests,
            vec![task(&a, cpu_ms)],
        );
        reading.demand.in_flight = in_flight;
        reading.demand.held = 0;
        reading
    };
    // A burst at each second's beginning.
    let readings = [
        at(0, 100, 0, 8),
        at(250, 140, 100, 0),
        at(500, 140, 125, 0),
        at(750, 140, 125, 0),
        at(1000, 140, 125, 8),
        at(1250, 180, 225, 0),
    ];
    let sample = Sample::over(&readings[..5]).unwrap();
    assert_eq!((sample.requests, sample.cpu), (Some(40.0), Some(50.0)));
    assert_eq!(sample.concurrency, Some(2.0), "what was there on the average");
    let sample = Sample::over(&readings).unwrap();
    assert_eq!((sample.requests, sample.cpu), (Some(40.0), Some(50.0)));
    assert_eq!(sample.concurrency, Some(2.0));
    let sample = Sample::over(&readings[1..5]).unwrap();
    assert_eq!(
        (sample.requests, sample.cpu),
        (None, None),
        "not for a second yet"
    );
}
