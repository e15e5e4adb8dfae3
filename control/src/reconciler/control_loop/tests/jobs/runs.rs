//! One run: its tasks, its attempts, its end.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_job_runs_once_and_its_code_is_recorded() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 3));
    let number = cluster.ask(RunSpec::default()).await;
    let run = cluster.ended_run(number).await;
    assert_eq!(
        (run.state, run.exit_code, run.reason.as_deref()),
        (RunState::Failed, Some(3), Some("exited with code 3"))
    );
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(cluster.attempts(number), ["0#1:3"], "not run again");
    let stopped = cluster.tasks_of(number)[0].stopped.clone().unwrap();
    assert_eq!(stopped.code, StopCode::EssentialContainerExited);
    cluster
        .until_said("(job api) (run 1) failed: exited with code 3.")
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_for_its_place() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    cluster.places(1);
    let first = cluster.run_job().await;
    let second = cluster.run_job().await;
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
async fn a_task_that_is_stopped_while_it_waits_never_runs() {
    let cluster = Cluster::empty().await;
    cluster.places(0);
    let id = cluster.run_job().await;
    cluster.until_said("was unable to place a task").await;
    cluster
        .reconciler
        .stop_task(id.clone(), "enough".into())
        .await
        .unwrap();
    cluster
        .until_said(&format!("(job api) (task {id}) has ended: enough."))
        .await;
    let run = cluster.ended_run(RunNumber(1)).await;
    assert_eq!(
        (run.state, run.reason.as_deref()),
        (RunState::Failed, Some("enough"))
    );
    cluster.places(1);
    cluster.run_job().await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let task = cluster.registry.task(&id).unwrap();
    assert_eq!((task.status, task.started_at), (TaskStatus::Stopped, None));
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_when_it_is_stopped_keeps_its_exit_code() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 4));
    let stopped = stop_a_running_job(&cluster).await;
    assert_eq!(
        (stopped.code, stopped.exit_code),
        (StopCode::UserInitiated, Some(4))
    );
    assert_eq!(stopped.reason, "enough");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_stopped_has_not_succeeded_however_well_it_ends() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 0));
    let stopped = stop_a_running_job(&cluster).await;
    assert_eq!(stopped.exit_code, Some(0));
    let run = cluster.ended_run(RunNumber(1)).await;
    assert_eq!(
        (run.state, run.exit_code, run.reason.as_deref()),
        (RunState::Failed, None, Some("enough"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_heed_a_stop_has_no_code() {
    let cluster = Cluster::empty().await;
    let stopped = stop_a_running_job(&cluster).await;
    assert_eq!((stopped.code, stopped.exit_code), (StopCode::UserInitiated, None));
}

async fn stop_a_running_job(cluster: &Cluster) -> Stopped {
    let id = cluster.run_job().await;
    let is = |status| {
        let id = id.clone();
        move |c: &Cluster| c.registry.task(&id).is_some_and(|t| t.status == status)
    };
    cluster.until("running", is(TaskStatus::Running)).await;
    cluster
        .reconciler
        .stop_task(id.clone(), "enough".into())
        .await
        .unwrap();
    cluster.until("stopped", is(TaskStatus::Stopped)).await;
    cluster.registry.task(&id).unwrap().stopped.unwrap()
}

#[tokio::test(start_paused = true)]
async fn jobs_that_wait_run_in_the_order_they_came_in() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 0));
    cluster.places(1);
    let mut ids = Vec::new();
    for _ in 0..8 {
        ids.push(cluster.run_job().await);
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

#[tokio::test(start_paused = true)]
async fn what_fails_is_tried_again_after_longer_and_longer() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(0, 7));
    let spec = RunSpec {
        retries: 3,
        ..RunSpec::default()
    };
    let number = cluster.ask(spec).await;
    let begun = cluster.second();
    let run = cluster.ended_run(number).await;
    assert_eq!((run.state, run.exit_code), (RunState::Failed, Some(7)));
    assert_eq!(
        run.reason.as_deref(),
        Some("it failed 4 times; the last: exited with code 7")
    );
    assert_eq!(cluster.attempts(number), ["0#1:7", "0#2:7", "0#3:7", "0#4:7"]);
    let waited = cluster.second() - begun;
    assert!((10 + 20 + 40..10 + 20 + 40 + 10).contains(&waited), "{waited} s");
    let last = cluster.tasks_of(number).pop().unwrap();
    assert_eq!(
        (last.restarts, last.last_reason.as_deref()),
        (3, Some("exited with code 7"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_ends_well_once_every_task_did() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(5, 7));
    let spec = RunSpec {
        count: 2,
        parallelism: 2,
        retries: 3,
        ..RunSpec::default()
    };
    let number = cluster.ask(spec).await;
    cluster
        .until("one failed", |c| {
            c.attempts(number).iter().any(|attempt| attempt.ends_with(":7"))
        })
        .await;
    cluster.behave(1, exits(5, 0));
    let run = cluster.ended_run(number).await;
    assert_eq!(
        (run.state, run.exit_code, run.reason),
        (RunState::Succeeded, Some(0), None)
    );
    assert_eq!(cluster.attempts(number), ["0#1:7", "1#1:7", "0#2:0", "1#2:0"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_tasks_go_at_once_than_may() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(10, 0));
    let spec = RunSpec {
        count: 7,
        parallelism: 3,
        ..RunSpec::default()
    };
    let number = cluster.ask(spec).await;
    let mut most = 0;
    cluster
        .until("all ended", |c| {
            let tasks = c.tasks_of(number);
            let going = tasks
                .iter()
                .filter(|task| task.status != TaskStatus::Stopped)
                .count();
            most = most.max(going);
            tasks.len() == 7 && going == 0
        })
        .await;
    assert_eq!(most, 3);
    assert_eq!(cluster.ended_run(number).await.state, RunState::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn one_that_fails_for_good_stops_the_others() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 9));
    let spec = RunSpec {
        count: 3,
        parallelism: 3,
        ..RunSpec::default()
    };
    let number = cluster.ask(spec).await;
    cluster
        .until("all run", |c| {
            c.tasks_of(number)
                .iter()
                .all(|task| task.status == TaskStatus::Running)
        })
        .await;
    let id = cluster.tasks_of(number)[1].id.clone();
    cluster.reconciler.stop_task(id, "by hand".into()).await.unwrap();
    let run = cluster.ended_run(number).await;
    assert_eq!((run.state, run.exit_code), (RunState::Failed, Some(9)));
    assert_eq!(run.reason.as_deref(), Some("task 1 failed: by hand"));
    let others = cluster.tasks_of(number);
    let reasons: Vec<_> = others
        .iter()
        .map(|task| task.stopped.as_ref().unwrap().reason.as_str())
        .collect();
    let other = "Another task of its run failed";
    assert_eq!(reasons, [other, "by hand", other]);
}

#[tokio::test(start_paused = true)]
async fn a_deadline_ends_a_run_whatever_it_does() {
    let cluster = Cluster::empty().await;
    let spec = RunSpec {
        deadline: Some(Duration::from_secs(60)),
        retries: 5,
        ..RunSpec::default()
    };
    let number = cluster.ask(spec.clone()).await;
    let begun = cluster.second();
    let run = cluster.ended_run(number).await;
    assert_eq!(run.state, RunState::Failed);
    assert_eq!(
        run.reason.as_deref(),
        Some("it had not ended after 1m, its deadline")
    );
    assert!((60..65).contains(&(cluster.second() - begun)));
    assert_eq!(
        cluster.attempts(number),
        ["0#1:Its run had not ended after 1m, its deadline"]
    );
    // One that never gets a place, too.
    cluster.places(0);
    let number = cluster.ask(spec).await;
    assert_eq!(cluster.ended_run(number).await.state, RunState::Failed);
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_ends_and_begins_nothing_more() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(3600, 0));
    let spec = RunSpec {
        count: 5,
        parallelism: 2,
        retries: 5,
        ..RunSpec::default()
    };
    let number = cluster.ask(spec).await;
    cluster
        .until("two run", |c| {
            c.tasks_of(number)
                .iter()
                .filter(|task| task.status == TaskStatus::Running)
                .count()
                == 2
        })
        .await;
    cluster.cancel(number, "not today").await;
    let run = cluster.ended_run(number).await;
    assert_eq!(
        (run.state, run.exit_code, run.reason.as_deref()),
        (RunState::Cancelled, None, Some("not today"))
    );
    let tasks = cluster.tasks_of(number);
    assert_eq!(tasks.len(), 2);
    for task in tasks {
        let stopped = task.stopped.unwrap();
        assert_eq!(
            (stopped.code, stopped.reason.as_str()),
            (StopCode::UserInitiated, "not today")
        );
    }
    cluster
        .until_said("(job api) (run 1) was cancelled: not today.")
        .await;
}

#[tokio::test(start_paused = true)]
async fn ended_runs_are_kept_as_many_as_shall_be_and_as_long() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(0, 0));
    let spec = RunSpec {
        history: 2,
        ttl: Some(Duration::from_secs(3600)),
        ..RunSpec::default()
    };
    for _ in 0..4 {
        let number = cluster.ask(spec.clone()).await;
        cluster.ended_run(number).await;
    }
    tokio::time::sleep(Duration::from_secs(120)).await;
    let numbers: Vec<u64> = cluster.runs().await.iter().map(|run| run.number.0).collect();
    assert_eq!(numbers, [3, 4]);
    let kept = cluster.store.list(keys::TASKS).await.unwrap().entries;
    assert_eq!(kept.len(), 2, "their tasks go with them");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(cluster.runs().await, []);
    assert!(cluster.store.list(keys::TASKS).await.unwrap().entries.is_empty());
    // Its number is never given again.
    assert_eq!(cluster.ask(spec).await, RunNumber(5));
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_definition_is_gone_fails() {
    let cluster = Cluster::empty().await;
    cluster.places(0);
    let number = cluster.ask(RunSpec::default()).await;
    let id = FamilyRevision {
        family: key().1,
        revision: first(),
    };
    cluster
        .store
        .delete_if(&keys::definition(&key().0, &id), Expect::Present)
        .await
        .unwrap();
    let cluster = cluster.crash().await;
    let run = cluster.ended_run(number).await;
    assert_eq!(run.state, RunState::Failed);
    let reason = run.reason.unwrap();
    assert!(reason.contains("there is no task definition `api:1`"), "{reason}");
}

#[tokio::test(start_paused = true)]
async fn each_attempt_that_starts_is_an_event() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, exits(2, 3));
    let spec = RunSpec {
        retries: 1,
        ..RunSpec::default()
    };
    let number = cluster.ask(spec).await;
    cluster.ended_run(number).await;
    let said = cluster.said().await;
    for (task, attempt) in cluster.tasks_of(number).iter().zip(1..=2) {
        let started = format!(
            "(job api) (run 1) has started attempt {attempt} at task 0: (task {}).",
            task.id
        );
        assert!(said.contains(&started), "{started}: {said:?}");
    }
}
