//! Jobs: run once, whatever comes of it.

use super::*;
use crate::names::TaskId;

#[tokio::test(start_paused = true)]
async fn a_job_runs_once_and_its_code_is_recorded() {
    let cluster = Cluster::empty().await;
    cluster.behave(
        1,
        Behaviour::Exits {
            after: Duration::from_secs(2),
            code: 3,
        },
    );
    let id = cluster.run_job(1).await;
    let is = |status| {
        let id = id.clone();
        move |cluster: &Cluster| {
            cluster
                .registry
                .task(&id)
                .is_some_and(|task| task.status == status)
        }
    };
    cluster.until("running", is(TaskStatus::Running)).await;
    cluster.until("stopped", is(TaskStatus::Stopped)).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let task = cluster.registry.task(&id).unwrap();
    let stopped = task.stopped.unwrap();
    assert_eq!(
        (stopped.code, stopped.exit_code),
        (StopCode::EssentialContainerExited, Some(3))
    );
    assert_eq!(
        cluster.registry.of_namespace(&task.namespace).len(),
        1,
        "not run again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_for_its_place() {
    let cluster = Cluster::empty().await;
    cluster.behave(
        1,
        Behaviour::Exits {
            after: Duration::from_secs(2),
            code: 0,
        },
    );
    cluster.places(1);
    let first = cluster.run_job(1).await;
    let second = cluster.run_job(1).await;
    let status = |cluster: &Cluster, id| cluster.registry.task(id).map(|task| task.status);
    cluster
        .until("one waits", |c| status(c, &second) == Some(TaskStatus::Pending))
        .await;
    cluster
        .until("both ended", |c| status(c, &second) == Some(TaskStatus::Stopped))
        .await;
    assert_eq!(status(&cluster, &first), Some(TaskStatus::Stopped));
    let said = cluster.said().await;
    let of = |id: &TaskId| format!("(job api) (task {id}) has ended: exited with code 0.");
    for event in [
        "(job api) was unable to place a task. Reason: not enough places: 1 are taken.".to_owned(),
        of(&first),
        of(&second),
    ] {
        assert_eq!(
            said.iter().filter(|said| **said == event).count(),
            1,
            "{event}: {said:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_that_is_stopped_while_it_waits_never_runs() {
    let cluster = Cluster::empty().await;
    cluster.places(0);
    let id = cluster.run_job(1).await;
    cluster.until_said("was unable to place a task").await;
    cluster.reconciler.stop_task(id.clone(), "enough".into()).await;
    cluster
        .until_said(&format!("(job api) (task {id}) has ended: enough."))
        .await;
    cluster.places(1);
    cluster.run_job(2).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let task = cluster.registry.task(&id).unwrap();
    assert_eq!((task.status, task.started_at), (TaskStatus::Stopped, None));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_ends_when_it_is_stopped_keeps_its_exit_code() {
    let cluster = Cluster::empty().await;
    let after = Duration::from_secs(3600);
    cluster.behave(1, Behaviour::Exits { after, code: 4 });
    let stopped = stop_a_running_job(&cluster).await;
    assert_eq!(
        (stopped.code, stopped.exit_code),
        (StopCode::UserInitiated, Some(4))
    );
    assert_eq!(stopped.reason, "enough");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_job_is_not_run_again() {
    let cluster = Cluster::empty().await;
    let stopped = stop_a_running_job(&cluster).await;
    assert_eq!((stopped.code, stopped.exit_code), (StopCode::UserInitiated, None));
}

async fn stop_a_running_job(cluster: &Cluster) -> Stopped {
    let id = cluster.run_job(1).await;
    cluster
        .until("running", |c| {
            c.registry
                .task(&id)
                .is_some_and(|t| t.status == TaskStatus::Running)
        })
        .await;
    cluster.reconciler.stop_task(id.clone(), "enough".into()).await;
    cluster
        .until("stopped", |c| {
            c.registry
                .task(&id)
                .is_some_and(|t| t.status == TaskStatus::Stopped)
        })
        .await;
    cluster.registry.task(&id).unwrap().stopped.unwrap()
}

#[tokio::test(start_paused = true)]
async fn jobs_that_wait_run_in_the_order_they_came_in() {
    let cluster = Cluster::empty().await;
    cluster.behave(
        1,
        Behaviour::Exits {
            after: Duration::from_secs(2),
            code: 0,
        },
    );
    cluster.places(1);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(cluster.run_job(1).await);
    }
    let task = |cluster: &Cluster, id| cluster.registry.task(id).unwrap();
    cluster
        .until("all have ended", |c| {
            ids.iter().all(|id| task(c, id).status == TaskStatus::Stopped)
        })
        .await;
    let started: Vec<_> = ids.iter().map(|id| task(&cluster, id).started_at).collect();
    assert!(started.is_sorted(), "{started:?}");
}
