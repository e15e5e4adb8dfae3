//! What survives: a store that fails, a server that is killed at any step.

use super::super::fake::Fake;
use super::super::paced::{Fault, Side};
use super::*;

fn spec() -> RunSpec {
    RunSpec {
        count: 3,
        parallelism: 2,
        retries: 5,
        backoff: Duration::from_secs(1),
        ..RunSpec::default()
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_delays_a_run_and_nothing_else() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    let number = cluster.record_run(spec()).await;
    cluster.faults(|faults| faults.failing = 7);
    cluster.reconciler.job(key()).await;
    let run = cluster.ended_run(number).await;
    assert_eq!(run.state, RunState::Succeeded);
    assert_eq!(
        cluster.attempts(number).len(),
        3,
        "nothing failed, it only waited: {:?}",
        cluster.attempts(number)
    );
    check_identities(&cluster.fake.activated.lock().unwrap(), &cluster.tasks_of(number));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_waits_runs_after_a_restart_as_itself() {
    for in_order in [false, true] {
        let cluster = Cluster::empty().await;
        cluster.places(0);
        let number = cluster.ask(RunSpec::default()).await;
        let waiting = cluster.tasks_of(number)[0].clone();
        assert_eq!(waiting.status, TaskStatus::Pending);
        if in_order {
            cluster.reconciler.shut_down().await;
        }
        let cluster = cluster.crash().await;
        cluster.behave(1, exits(2, 0));
        assert_eq!(cluster.ended_run(number).await.state, RunState::Succeeded);
        let tasks = cluster.tasks_of(number);
        assert_eq!(tasks.len(), 1);
        assert_eq!(
            tasks[0].id, waiting.id,
            "it never ran, so it isn't another attempt"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_cannot_be_read_keeps_nothing_else_from_going_on() {
    let cluster = Cluster::empty().await;
    let broken: ServiceName = "broken".parse().unwrap();
    cluster.define_job(&broken, json!({})).await;
    let job = Job {
        namespace: key().0,
        name: broken.clone(),
        latest: RunNumber(1),
        schedule: None,
        created_at: cluster.clock.now(),
    };
    let run = keys::run(&key().0, &broken, RunNumber(1));
    let written = Transaction::new()
        .put(keys::job(&key().0, &broken), job.encode())
        .put(&run, "not a record");
    cluster.store.commit(written).await.unwrap();
    cluster.reconciler.job((key().0, broken.clone())).await;
    // It is tried again each second, and so is what is there beside it.
    tokio::time::sleep(Duration::from_secs(10)).await;
    cluster.behave(1, exits(2, 0));
    let number = cluster.ask(RunSpec::default()).await;
    assert_eq!(cluster.ended_run(number).await.state, RunState::Succeeded);
    // Nor after a start.
    let cluster = cluster.crash().await;
    cluster.behave(1, exits(2, 0));
    let number = cluster.ask(RunSpec::default()).await;
    assert_eq!(cluster.ended_run(number).await.state, RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_gives_nothing_away_delays_a_run() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    let number = cluster.record_run(spec()).await;
    cluster.fault(Fault::All);
    cluster.reconciler.job(key()).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    cluster.fault(Fault::None);
    assert_eq!(cluster.ended_run(number).await.state, RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn what_waits_is_not_begun_by_a_server_that_stops() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 0));
    cluster.places(1);
    let runs = [
        cluster.ask(RunSpec::default()).await,
        cluster.ask(RunSpec::default()).await,
    ];
    let [running, waiting] = runs.map(|run| cluster.tasks_of(run)[0].id.clone());
    let runs_now = |c: &Cluster| c.registry.task(&running).unwrap().status == TaskStatus::Running;
    cluster.until("the first runs", runs_now).await;
    cluster.reconciler.shut_down().await;
    let activated = cluster.fake.activated.lock().unwrap().clone();
    assert_eq!(activated, [running]);
    assert_eq!(
        cluster.registry.task(&waiting).unwrap().status,
        TaskStatus::Pending
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_may_have_run_is_a_failed_attempt() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 0));
    let retried = cluster.ask(spec()).await;
    let once = cluster.ask(RunSpec::default()).await;
    cluster
        .until("all run", |c| {
            [retried, once]
                .iter()
                .flat_map(|run| c.tasks_of(*run))
                .all(|task| task.status == TaskStatus::Running)
        })
        .await;
    let cluster = cluster.crash().await;
    cluster.behave(1, exits(2, 0));
    let run = cluster.ended_run(once).await;
    assert_eq!(
        (run.state, run.reason.as_deref()),
        (RunState::Failed, Some("server restarted"))
    );
    assert_eq!(cluster.ended_run(retried).await.state, RunState::Succeeded);
    let attempts = cluster.attempts(retried);
    assert_eq!(attempts[..2], ["0#1:server restarted", "1#1:server restarted"]);
    assert_eq!(attempts.len(), 5, "{attempts:?}");
}

/// Each write of a run's whole course is one after which, or before which, the server is killed.
#[tokio::test(start_paused = true)]
async fn killed_at_any_step_a_run_ends_and_no_task_runs_twice() {
    for side in [Side::Before, Side::After] {
        let mut steps = 0;
        while kill_at(steps, side).await == Killed::Yes {
            steps += 1;
        }
        assert!(steps >= 4, "{steps} writes are too few for a run of three tasks");
    }
}

#[derive(PartialEq, Eq)]
enum Killed {
    Yes,
    No,
}

/// Runs a job, with the server killed at a write of its course, if there are so many.
async fn kill_at(step: usize, side: Side) -> Killed {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    cluster.places(1);
    let number = cluster.record_run(spec()).await;
    cluster.faults(|faults| faults.stuck_after = Some((step, side)));
    let asking = tokio::time::timeout(Duration::from_secs(60), cluster.reconciler.job(key()));
    // It is stuck, if it is.
    let _ = asking.await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let killed = match cluster.is_stuck() {
        true => Killed::Yes,
        false => Killed::No,
    };
    let mut activated = cluster.fake.activated.lock().unwrap().clone();
    let cluster = cluster.crash_with(Fake::default()).await;
    cluster.behave(1, exits(2, 0));
    let run = cluster.ended_run(number).await;
    assert_eq!(
        run.state,
        RunState::Succeeded,
        "{step} {side:?}: {:?}",
        run.reason
    );
    activated.extend(cluster.fake.activated.lock().unwrap().iter().cloned());
    let tasks = cluster.tasks_of(number);
    check_identities(&activated, &tasks);
    let known: BTreeSet<&TaskId> = tasks.iter().map(|task| &task.id).collect();
    assert!(
        activated.iter().all(|id| known.contains(id)),
        "{step} {side:?}: a task ran that no record tells of"
    );
    killed
}

/// A schedule's time is decided once, whenever the server is killed.
#[tokio::test(start_paused = true)]
async fn killed_at_any_step_what_is_due_begins_once() {
    for side in [Side::Before, Side::After] {
        let mut steps = 0;
        while kill_when_due(steps, side).await == Killed::Yes {
            steps += 1;
        }
        assert!(
            steps >= 3,
            "{steps} writes are too few for a run that begins and its task"
        );
    }
}

/// Has a schedule's time come, with the server killed at a write of what follows, if there are so many.
async fn kill_when_due(step: usize, side: Side) -> Killed {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    write_schedule(&cluster).await;
    cluster.reconciler.job(key()).await;
    cluster.faults(|faults| faults.stuck_after = Some((step, side)));
    tokio::time::sleep(Duration::from_secs(45)).await;
    let killed = match cluster.is_stuck() {
        true => Killed::Yes,
        false => Killed::No,
    };
    let cluster = cluster.crash().await;
    cluster.behave(1, exits(2, 0));
    let run = cluster.ended_run(RunNumber(1)).await;
    assert_eq!(run.state, RunState::Succeeded, "{step} {side:?}");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    let runs = cluster.runs().await;
    assert_eq!(runs.len(), 1, "{step} {side:?}: {runs:?}");
    assert_eq!(runs[0].due, Some(time("2026-01-15T10:01:00Z")));
    killed
}

/// What a deploy of a job writes that is due half a minute after the beginning.
async fn write_schedule(cluster: &Cluster) {
    let (namespace, name) = key();
    let schedule = json!({"schedule": "1 10 * * *", "retries": 3, "backoff": "1s"});
    let id = cluster.define_job(&name, schedule).await;
    let now = cluster.clock.now();
    let at = keys::job(&namespace, &name);
    let job = Job {
        namespace,
        name,
        latest: RunNumber(0),
        schedule: Some(Schedule {
            revision: id.revision,
            status: ScheduleStatus::Active,
            decided: now,
            updated_at: now,
        }),
        created_at: now,
    };
    let written = Transaction::new().put(at, job.encode());
    cluster.store.commit(written).await.unwrap();
}

/// In its record, before the answer: it is none of those that waited and may run.
#[tokio::test(start_paused = true)]
async fn a_stop_that_was_answered_outlives_a_crash() {
    let cluster = Cluster::empty().await;
    cluster.lacks(Some("the secret `key` is missing"));
    let number = cluster.ask(spec().with_count(1)).await;
    let stopped = cluster.tasks_of(number)[0].id.clone();
    let stop = cluster.reconciler.stop_task(stopped.clone(), "by hand".into());
    stop.await.unwrap();
    let cluster = cluster.crash().await;
    cluster.behave(1, exits(2, 0));
    assert_eq!(cluster.ended_run(number).await.state, RunState::Succeeded);
    assert_eq!(cluster.attempts(number), ["0#1:by hand", "0#2:0"]);
    let why = cluster.registry.task(&stopped).unwrap().stopped.unwrap();
    assert_eq!(why.code, StopCode::UserInitiated);
    assert!(!cluster.fake.activated.lock().unwrap().contains(&stopped));
}

#[tokio::test(start_paused = true)]
async fn a_stop_that_can_not_be_written_is_not_acknowledged() {
    let cluster = Cluster::empty().await;
    let task = cluster.run_job().await;
    cluster.fault(Fault::Tasks);
    let stop = cluster.reconciler.stop_task(task.clone(), "by hand".into()).await;
    assert!(stop.is_err(), "{stop:?}");
    cluster.fault(Fault::None);
    cluster.ended_run(RunNumber(1)).await;
    cluster.reconciler.shut_down().await;
    let stop = cluster.reconciler.stop_task(task, "by hand".into()).await;
    assert!(stop.is_err(), "there is nobody who could have written it");
}

#[tokio::test(start_paused = true)]
async fn a_run_of_which_nobody_told_comes_about_all_the_same() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 0));
    let number = cluster.record_run(RunSpec::default()).await;
    cluster
        .until("running", |c| {
            let tasks = c.tasks_of(number);
            tasks.iter().any(|task| task.status == TaskStatus::Running)
        })
        .await;
    cluster.record_cancel(number, "not today").await;
    assert_eq!(cluster.ended_run(number).await.state, RunState::Cancelled);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_failed_while_that_could_not_be_written_is_not_cancelled_later() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 3));
    let number = cluster.ask(RunSpec::default()).await;
    cluster.fault(Fault::Writes);
    let is_over = |cluster: &Cluster| {
        let tasks = cluster.tasks_of(number);
        tasks.iter().all(|task| task.status == TaskStatus::Stopped)
    };
    cluster.until("failed", is_over).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    cluster.fault(Fault::None);
    cluster.cancel(number, "too late").await;
    let run = cluster.ended_run(number).await;
    assert_eq!((run.state, run.exit_code), (RunState::Failed, Some(3)), "{run:?}");
}
