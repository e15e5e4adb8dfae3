//! What is due begins when it is due, once.

use super::*;
use crate::reconciler::control_loop::tests::fake::Fake;

impl Cluster {
    /// Writes what deploying a job with a schedule writes.
    async fn schedule(&self, name: &ServiceName, job: serde_json::Value) {
        let id = self.define_job(name, job).await;
        let now = self.clock.now();
        let job = Job {
            namespace: key().0,
            name: name.clone(),
            latest: RunNumber(0),
            schedule: Some(Schedule {
                revision: id.revision,
                status: ScheduleStatus::Active,
                decided: now,
                updated_at: now,
            }),
            created_at: now,
        };
        let written = Transaction::new().put(keys::job(&key().0, name), job.encode());
        self.store.commit(written).await.unwrap();
        self.reconciler.job((key().0, name.clone())).await;
    }

    /// When each run was due, and when it began, by the clock's seconds since 10:00:00.
    async fn begun(&self) -> Vec<(i64, i64)> {
        let hour = time("2026-01-15T10:00:00Z");
        let seconds = |time: Timestamp| time.duration_since(hour).as_secs();
        let runs = self.runs().await;
        runs.iter()
            .map(|run| (seconds(run.due.unwrap()), seconds(run.created_at)))
            .collect()
    }

    /// Lets the clock go on until so many seconds after 10:00:00, and what is due then be done.
    async fn go_to(&self, second: u64) {
        let since = u64::try_from(self.second() + 30).unwrap();
        tokio::time::sleep(Duration::from_secs(second - since)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_due_every_minute_begins_every_minute() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    cluster.schedule(&key().1, json!({"schedule": "* * * * *"})).await;
    cluster.go_to(59).await;
    assert_eq!(cluster.begun().await, []);
    cluster.go_to(215).await;
    assert_eq!(cluster.begun().await, [(60, 60), (120, 120), (180, 180)]);
    assert!(
        cluster
            .runs()
            .await
            .iter()
            .all(|run| run.state == RunState::Succeeded)
    );
    let said = cluster.said().await;
    let begins = "(job api) (run 1) begins: it was due at 2026-01-15T10:01:00+00:00[UTC].";
    assert!(said.contains(&begins.to_owned()), "{said:?}");
}

#[tokio::test(start_paused = true)]
async fn a_zones_clocks_count() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    let job = json!({"schedule": "2 11 * * *", "timezone": "Europe/Paris"});
    cluster.schedule(&key().1, job).await;
    cluster.go_to(600).await;
    assert_eq!(cluster.begun().await, [(120, 120)]);
}

#[tokio::test(start_paused = true)]
async fn while_nothing_is_due_nothing_is_done() {
    let cluster = Cluster::empty().await;
    cluster.schedule(&key().1, json!({"schedule": "0 9 1 7 *"})).await;
    cluster.events.flush().await;
    let before = cluster.store.list("").await.unwrap().revision;
    cluster.go_to(24 * 3600).await;
    assert_eq!(cluster.store.list("").await.unwrap().revision, before);
}

#[tokio::test(start_paused = true)]
async fn after_a_downtime_the_latest_is_caught_up_once() {
    let cluster = Cluster::empty().await;
    cluster
        .schedule(&key().1, json!({"schedule": "*/10 * * * *"}))
        .await;
    cluster.reconciler.shut_down().await;
    tokio::time::sleep(Duration::from_secs(6 * 3600)).await;
    let cluster = cluster.crash().await;
    cluster.behave(1, exits(2, 0));
    cluster.ended_run(RunNumber(1)).await;
    assert_eq!(cluster.begun().await, [(6 * 3600, 6 * 3600 + 30)]);
    cluster
        .until_said("and stands for all that were missed since 2026-01-15T10:10:00+00:00[UTC].")
        .await;
    cluster.go_to(6 * 3600 + 610).await;
    assert_eq!(cluster.begun().await[1..], [(6 * 3600 + 600, 6 * 3600 + 600)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_too_late_is_missed_and_said() {
    let cluster = Cluster::empty().await;
    let job = json!({"schedule": "0 * * * *", "starting_deadline": "5m"});
    cluster.schedule(&key().1, job).await;
    cluster.reconciler.shut_down().await;
    tokio::time::sleep(Duration::from_secs(3600 + 600)).await;
    let cluster = cluster.crash().await;
    cluster
        .until_said("(job api) missed the run that was due at 2026-01-15T11:00:00+00:00[UTC]: it could not begin within its starting deadline, 5m.")
        .await;
    assert_eq!(cluster.begun().await, []);
    let cluster = cluster.crash().await;
    cluster.go_to(2 * 3600 + 1).await;
    assert_eq!(
        cluster.begun().await,
        [(7200, 7200)],
        "it is missed once, and forgotten"
    );
    let missed = cluster
        .said()
        .await
        .iter()
        .filter(|said| said.contains("missed"))
        .count();
    assert_eq!(missed, 1);
}

#[tokio::test(start_paused = true)]
async fn what_was_missed_is_caught_up_within_its_starting_deadline() {
    let cluster = Cluster::empty().await;
    let job = json!({"schedule": "* * * * *", "starting_deadline": "1h"});
    cluster.schedule(&key().1, job).await;
    let prompt: ServiceName = "prompt".parse().unwrap();
    let job = json!({"schedule": "* * * * *", "starting_deadline": "1s"});
    cluster.schedule(&prompt, job).await;
    cluster.reconciler.shut_down().await;
    // Until two seconds after the minute.
    tokio::time::sleep(Duration::from_secs(32)).await;
    let cluster = cluster.crash().await;
    cluster.behave(1, exits(2, 0));
    cluster.ended_run(RunNumber(1)).await;
    assert_eq!(cluster.begun().await, [(60, 62)]);
    let runs = cluster
        .store
        .list(&keys::job_runs(&key().0, &prompt))
        .await
        .unwrap();
    assert!(runs.entries.is_empty(), "it was too late");
}

#[tokio::test(start_paused = true)]
async fn forbidden_to_overlap_the_next_waits_for_the_end() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(140, 0));
    let job = json!({"schedule": "* * * * *", "concurrency_policy": "forbid"});
    cluster.schedule(&key().1, job).await;
    cluster.go_to(350).await;
    // From 60 to 200, what was due at 180 being the latest by then; and from there to 340.
    let begun = cluster.begun().await;
    assert_eq!(
        begun.iter().map(|(due, _)| *due).collect::<Vec<_>>(),
        [60, 180, 300],
        "{begun:?}"
    );
    assert!((200..202).contains(&begun[1].1), "{begun:?}");
    let said = cluster.said().await;
    let waits = said
        .iter()
        .filter(|said| said.contains("waits: a run goes on, and its concurrency policy is forbid"));
    assert_eq!(waits.count(), 4, "at 120 and 180, at 240 and 300: {said:?}");
}

#[tokio::test(start_paused = true)]
async fn forbidden_to_overlap_and_too_late_the_next_is_missed() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(150, 0));
    let job = json!({"schedule": "* * * * *", "concurrency_policy": "forbid", "starting_deadline": "10s"});
    cluster.schedule(&key().1, job).await;
    cluster.go_to(400).await;
    let begun = cluster.begun().await;
    assert_eq!(
        begun.iter().map(|(due, _)| *due).collect::<Vec<_>>(),
        [60, 240],
        "{begun:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_is_replaced_by_the_next() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 0));
    let job = json!({"schedule": "* * * * *", "concurrency_policy": "replace"});
    cluster.schedule(&key().1, job).await;
    cluster.go_to(130).await;
    let runs = cluster.runs().await;
    assert_eq!(
        runs.iter().map(|run| run.state).collect::<Vec<_>>(),
        [RunState::Cancelled, RunState::InProgress]
    );
    assert_eq!(
        runs[0].reason.as_deref(),
        Some("replaced by the run that was due at 2026-01-15T10:02:00+00:00[UTC]")
    );
    let stopped = cluster.tasks_of(RunNumber(1))[0].stopped.clone().unwrap();
    assert_eq!(stopped.code, StopCode::ServiceSchedulerInitiated);
}

#[tokio::test(start_paused = true)]
async fn where_they_may_overlap_all_begin() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 0));
    cluster.schedule(&key().1, json!({"schedule": "* * * * *"})).await;
    cluster.go_to(190).await;
    assert_eq!(
        cluster.runs().await.iter().filter(|run| !run.is_over()).count(),
        3
    );
}

#[tokio::test(start_paused = true)]
async fn a_paused_schedule_begins_nothing() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    cluster.schedule(&key().1, json!({"schedule": "* * * * *"})).await;
    let set = async |status, decided: Option<Timestamp>| {
        let mut job = cluster.job_of(&key().1).await.unwrap();
        let schedule = job.schedule.as_mut().unwrap();
        schedule.status = status;
        schedule.decided = decided.unwrap_or(schedule.decided);
        let job_key = keys::job(&key().0, &key().1);
        cluster
            .store
            .put_if(&job_key, Expect::Present, job.encode())
            .await
            .unwrap();
        cluster.reconciler.job(key()).await;
    };
    set(ScheduleStatus::Paused, None).await;
    cluster.go_to(200).await;
    assert_eq!(cluster.begun().await, []);
    set(ScheduleStatus::Active, Some(cluster.clock.now())).await;
    cluster.go_to(250).await;
    assert_eq!(
        cluster.begun().await,
        [(240, 240)],
        "and what was due meanwhile is left out"
    );
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_set_forward_is_noticed() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    cluster
        .schedule(&key().1, json!({"schedule": "0 12 * * *"}))
        .await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    cluster.clock.set_on(3 * 3600);
    tokio::time::sleep(crate::clock::LONGEST_SLEEP + Duration::from_secs(1)).await;
    assert_eq!(cluster.runs().await.len(), 1);
}

/// All of them within the minute, and not all at once.
#[tokio::test(start_paused = true)]
async fn a_thousand_that_are_due_at_once_begin_within_the_minute() {
    let fake = Fake {
        activation: Duration::from_millis(100),
        ..Fake::default()
    };
    let cluster = Cluster::with(fake).await;
    cluster.behave(1, exits(5, 0));
    for number in 0..1000 {
        let name: ServiceName = format!("cron-{number}").parse().unwrap();
        cluster.schedule(&name, json!({"schedule": "1 10 * * *"})).await;
    }
    assert!(cluster.second() < 30, "they are deployed before they are due");
    cluster.go_to(60 + 59).await;
    let runs = cluster.store.list(&keys::runs(&key().0)).await.unwrap().entries;
    assert_eq!(runs.len(), 1000);
    let tasks = cluster.registry.of_namespace(&key().0);
    let started = tasks.iter().filter(|task| task.started_at.is_some()).count();
    assert_eq!(started, 1000, "each has a task that came to RUNNING");
    let (_, most) = *cluster.fake.activating.lock().unwrap();
    assert!(most <= 16, "{most} were activated at once");
}
