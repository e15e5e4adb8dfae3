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
    let sample = Sample::between(Some(&before), &now);
    let seen = Sample {
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
    let sample = Sample::between(None, &first);
    assert_eq!((sample.cpu, sample.requests), (None, None));
    assert_eq!(sample.concurrency, Some(32.0));
    let later = now + Duration::from_secs(1);
    let other = reading(later, 110, vec![task(&b, 5000)]);
    let sample = Sample::between(Some(&first), &other);
    assert_eq!((sample.cpu, sample.requests), (None, Some(10.0)), "another task");
    let anew = reading(later, 5, vec![task(&a, 1000)]);
    let sample = Sample::between(Some(&first), &anew);
    assert_eq!((sample.cpu, sample.requests), (Some(0.0), None), "another group");
    let none = reading(later, 110, Vec::new());
    let sample = Sample::between(Some(&first), &none);
    assert_eq!((sample.running, sample.queue, sample.memory), (0, None, None));
}
