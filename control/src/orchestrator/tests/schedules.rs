//! Jobs with a schedule: deployed, changed, paused, deleted.

use serde_json::json;

use super::*;
use crate::events::EventQuery;
use crate::model::{Overrides, RunNumber, ScheduleStatus};

async fn schedule(harbour: &Harbour, job: serde_json::Value) -> Result<Scheduled, Refusal> {
    let (bundle, component) = harbour.bundle("one").await;
    let manifest = json!({"name": "report", "task": {"component": component.as_str()}, "job": job});
    let ask = NewDeployment { bundle, manifest };
    harbour.orchestrator.deploy_job(&harbour.namespace, ask).await
}

async fn scheduled(harbour: &Harbour, job: serde_json::Value) -> crate::model::Schedule {
    match schedule(harbour, job).await.unwrap() {
        Scheduled::New(job) => job.schedule.unwrap(),
        Scheduled::Unchanged(job) => panic!("{job:?}"),
    }
}

/// A year's first day: nothing is due while a test runs, but at that midnight.
const YEARLY: &str = "0 0 1 1 *";

#[tokio::test]
async fn what_another_schedule_missed_is_not_caught_up() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let first = scheduled(&harbour, json!({"schedule": YEARLY})).await;
    assert_eq!((first.revision.get(), first.status), (1, ScheduleStatus::Active));
    let again = schedule(&harbour, json!({"schedule": YEARLY})).await.unwrap();
    assert!(matches!(again, Scheduled::Unchanged(_)), "{again:?}");
    let same_times = scheduled(&harbour, json!({"schedule": YEARLY, "retries": 2})).await;
    assert_eq!(
        (same_times.revision.get(), same_times.decided),
        (2, first.decided)
    );
    let others = scheduled(&harbour, json!({"schedule": YEARLY, "timezone": "Asia/Tokyo"})).await;
    assert!(others.decided > first.decided, "it counts from its own deploy");
}

#[tokio::test]
async fn a_pause_outlives_a_deploy_and_leaves_nothing_to_catch_up() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let first = scheduled(&harbour, json!({"schedule": YEARLY})).await;
    let family = "report".parse().unwrap();
    let set = async |status| {
        let job = harbour
            .orchestrator
            .set_schedule(&harbour.namespace, &family, status)
            .await;
        job.unwrap().schedule.unwrap()
    };
    assert_eq!(set(ScheduleStatus::Paused).await.decided, first.decided);
    let deployed = scheduled(&harbour, json!({"schedule": YEARLY, "retries": 2})).await;
    assert_eq!(deployed.status, ScheduleStatus::Paused);
    // Another schedule is no reason to begin, either.
    let others = scheduled(&harbour, json!({"schedule": YEARLY, "timezone": "Asia/Tokyo"})).await;
    assert_eq!(others.status, ScheduleStatus::Paused);
    assert!(others.decided > first.decided);
    assert!(set(ScheduleStatus::Active).await.decided > first.decided);
}

#[tokio::test]
async fn what_changes_of_a_schedule_is_an_event() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    scheduled(&harbour, json!({"schedule": YEARLY})).await;
    schedule(&harbour, json!({"schedule": YEARLY})).await.unwrap();
    scheduled(&harbour, json!({"schedule": YEARLY, "retries": 2})).await;
    scheduled(&harbour, json!({"schedule": YEARLY, "timezone": "Asia/Tokyo"})).await;
    let family = "report".parse().unwrap();
    for status in [
        ScheduleStatus::Paused,
        ScheduleStatus::Paused,
        ScheduleStatus::Active,
    ] {
        orchestrator
            .set_schedule(namespace, &family, status)
            .await
            .unwrap();
    }
    orchestrator.events.flush().await;
    let events = orchestrator.events.list(namespace, &EventQuery::default()).await;
    let said: Vec<String> = events.unwrap().into_iter().map(|event| event.message).collect();
    assert_eq!(
        said,
        [
            "(job report) schedule deployed: 0 0 1 1 * (UTC), it runs report:1.",
            "(job report) schedule updated, it runs report:2.",
            "(job report) schedule changed to 0 0 1 1 * (Asia/Tokyo), it runs report:3.",
            "(job report) schedule paused.",
            "(job report) schedule continued.",
        ]
    );
}

fn counted(count: u32) -> NewRun {
    NewRun {
        what: What::Definition("report".into()),
        overrides: Overrides::default(),
        count: Some(count),
    }
}

#[tokio::test]
async fn what_can_not_be_is_refused() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    refused(schedule(&harbour, json!({})).await, "NotAService");
    scheduled(&harbour, json!({"schedule": YEARLY})).await;
    let service = json!({"name": "report", "task": {}, "service": {}});
    refused(harbour.deploy("one", service).await, "NameInUse");
    for count in [0, 1001] {
        let run = harbour.orchestrator.run(&harbour.namespace, counted(count));
        refused(run.await, "InvalidCount");
    }
}

#[tokio::test]
async fn what_goes_on_is_cancelled_before_it_is_deleted() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    scheduled(&harbour, json!({"schedule": YEARLY})).await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let family = "report".parse().unwrap();
    let run = orchestrator.run(namespace, counted(2)).await.unwrap();
    refused(orchestrator.delete_job(namespace, &family).await, "JobInUse");
    let cancel = async |number, reason: &str| {
        let reason = Some(reason.to_owned());
        orchestrator.cancel_run(namespace, &family, number, reason).await
    };
    refused(cancel(RunNumber(9), "why").await, "RunNotFound");
    refused(cancel(run.number, &"x".repeat(256)).await, "TooLong");
    let cancelled = cancel(run.number, "why").await.unwrap();
    assert_eq!(cancelled.cancelled.unwrap().reason, "why");
    let mut changes = orchestrator.registry.changes();
    let find = async || orchestrator.find_run(namespace, &family, run.number).await;
    while !find().await.unwrap().is_over() {
        let changed = tokio::time::timeout(std::time::Duration::from_secs(30), changes.changed());
        changed.await.unwrap().unwrap();
    }
    refused(cancel(run.number, "again").await, "RunEnded");
    orchestrator.delete_job(namespace, &family).await.unwrap();
    refused(orchestrator.job(namespace, &family).await, "JobNotFound");
    assert_eq!(orchestrator.revisions(namespace, &family).await.unwrap(), []);
}
