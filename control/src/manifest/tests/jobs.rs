//! What `[job]` comes to.

use super::*;

#[test]
fn an_empty_job_table_makes_a_job() {
    let manifest = parse("name = \"report\"\n[task]\ncomponent = \"a.wasm\"\n[job]");
    let Workload::Job(job) = manifest.workload else {
        panic!("a service")
    };
    let defaults = RunSpec {
        count: 1,
        parallelism: 1,
        retries: 0,
        backoff: Duration::from_secs(10),
        deadline: None,
        ttl: None,
        history: 10,
    };
    assert_eq!((job.run, job.schedule), (defaults, None));
}

pub(super) const JOB: &str = r#"
name = "report"
[task]
component = "a.wasm"
[job]
count = 5
parallelism = 2
retries = 3
backoff = "1m"
deadline = "2h"
ttl = "7d"
history = 4
schedule = "0  3 * * MON-FRI"
timezone = "Europe/Paris"
concurrency_policy = "forbid"
starting_deadline = "10m"
"#;

#[test]
fn every_key_of_a_job_is_read() {
    let Workload::Job(job) = parse(JOB).workload else {
        panic!("a service")
    };
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    let run = RunSpec {
        count: 5,
        parallelism: 2,
        retries: 3,
        backoff: Duration::from_secs(60),
        deadline: Some(hours(2)),
        ttl: Some(hours(7 * 24)),
        history: 4,
    };
    assert_eq!(job.run, run);
    let schedule = job.schedule.unwrap();
    assert_eq!(schedule.cron.to_string(), "0 3 * * MON-FRI (Europe/Paris)");
    assert_eq!(schedule.concurrency_policy, ConcurrencyPolicy::Forbid);
    assert_eq!(schedule.starting_deadline, Some(Duration::from_secs(600)));
    let plain =
        parse("name = \"r\"\n[task]\ncomponent = \"a.wasm\"\n[job]\ncount = 3\nschedule = \"@hourly\"");
    let Workload::Job(job) = plain.workload else {
        panic!("a service")
    };
    assert_eq!((job.run.count, job.run.parallelism), (3, 3), "all go at once");
    let schedule = job.schedule.unwrap();
    assert_eq!(schedule.cron.to_string(), "@hourly (UTC)");
    assert_eq!(
        (schedule.concurrency_policy, schedule.starting_deadline),
        (ConcurrencyPolicy::Allow, None)
    );
    let file = ManifestFile::parse("wharf.toml", JOB).unwrap();
    let json = serde_json::to_value(file.text()).unwrap();
    assert_eq!(Manifest::from_json(json).unwrap(), file.check().unwrap());
}

#[test]
fn another_count_leaves_what_goes_at_once() {
    let Workload::Job(job) = parse(JOB).workload else {
        panic!("a service")
    };
    let at_once = |count| {
        let spec = job.run.clone().with_count(count);
        (spec.count, spec.parallelism)
    };
    assert_eq!((at_once(9), at_once(1)), ((9, 2), (1, 1)));
    let all = RunSpec {
        parallelism: 5,
        ..job.run.clone()
    };
    assert_eq!(all.with_count(9).parallelism, 9);
}
