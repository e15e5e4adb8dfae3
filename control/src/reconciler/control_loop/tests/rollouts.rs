//! Deployments: completed, failed, superseded.

mod restarts;

use super::*;
use crate::model::RolloutState;

#[tokio::test(start_paused = true)]
async fn new_tasks_are_healthy_before_old_ones_stop() {
    let cluster = Cluster::steady(2).await;
    cluster.behave(
        2,
        Behaviour::Healthy {
            after: Duration::from_secs(3),
        },
    );
    cluster.deploy(2, 2).await;
    let mut pictures = Vec::new();
    cluster
        .until("only revision 2", |cluster| {
            let picture = cluster.picture();
            if pictures.last() != Some(&picture) {
                pictures.push(picture.clone());
            }
            picture == "2h 2h"
        })
        .await;
    for picture in &pictures {
        let healthy = picture.matches('h').count();
        assert!(
            healthy >= 2,
            "fewer healthy tasks than wanted on the way: {pictures:?}"
        );
    }
    let deployment = cluster.ended(2).await;
    assert_eq!(deployment.state, RolloutState::Completed);
    let service = cluster.service().await.unwrap();
    assert_eq!((service.stable, service.rollout), (service.goal, None));
    let old = &cluster.tasks()[0];
    let stopped = old.stopped.clone().unwrap();
    assert_eq!(stopped.code, StopCode::ServiceSchedulerInitiated);
    assert_eq!(old.usage.cpu_ms, 5, "what it used stays known");
    cluster.until_said("steady state").await;
}

#[tokio::test(start_paused = true)]
async fn routes_change_when_the_rollout_is_over() {
    let cluster = Cluster::steady(1).await;
    assert_eq!(cluster.exposed(), [1]);
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 1).await;
    cluster.until_picture("1h 2?").await;
    assert_eq!(cluster.exposed(), [1]);
    let deployment = cluster.ended(2).await;
    assert_eq!(deployment.state, RolloutState::Failed);
    assert!(
        deployment
            .reason
            .contains("0 of 1 tasks became healthy in 5 minutes"),
        "{}",
        deployment.reason
    );
    cluster.until_picture("1h").await;
    assert_eq!(cluster.exposed(), [1]);
    cluster.deploy(3, 1).await;
    assert_eq!(cluster.ended(3).await.state, RolloutState::Completed);
    cluster
        .until("its routes", |cluster| cluster.exposed() == [3])
        .await;
}

#[tokio::test(start_paused = true)]
async fn tasks_that_do_not_start_fail_the_deployment_and_the_old_stay() {
    let cluster = Cluster::steady(2).await;
    cluster.behave(2, Behaviour::Refuses("no such import"));
    cluster.deploy(2, 2).await;
    let deployment = cluster.ended(2).await;
    assert_eq!(deployment.state, RolloutState::Failed);
    assert!(
        deployment.reason.contains("no such import"),
        "{}",
        deployment.reason
    );
    assert!(deployment.failed_tasks >= 3);
    assert_eq!(cluster.ended(1).await.rollback_of, Some(deployment.id));
    let service = cluster.service().await.unwrap();
    assert_eq!((service.goal.map(|r| r.get()), service.rollout), (Some(1), None));
    cluster.until_picture("1h 1h").await;
    let failed = cluster
        .tasks()
        .into_iter()
        .find(|task| task.definition.revision.get() == 2)
        .unwrap();
    assert_eq!(failed.stopped.unwrap().code, StopCode::TaskFailedToStart);
}

#[tokio::test(start_paused = true)]
async fn unhealthy_tasks_fail_the_deployment() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(2, Behaviour::Unhealthy);
    cluster.deploy(2, 1).await;
    let deployment = cluster.ended(2).await;
    assert_eq!(deployment.state, RolloutState::Failed);
    assert!(deployment.reason.contains("it says so"), "{}", deployment.reason);
    cluster.until_picture("1h").await;
}

#[tokio::test(start_paused = true)]
async fn a_first_deployment_that_fails_leaves_nothing_running() {
    let cluster = Cluster::empty().await;
    cluster.behave(
        1,
        Behaviour::Exits {
            after: Duration::ZERO,
            code: 1,
        },
    );
    cluster.deploy(1, 1).await;
    let deployment = cluster.ended(1).await;
    assert_eq!(deployment.state, RolloutState::Failed);
    assert!(
        deployment.reason.contains("exited with code 1"),
        "{}",
        deployment.reason
    );
    cluster.until_picture("").await;
    assert_eq!(cluster.service().await.unwrap().goal, None);
    // The next one is a first one again.
    cluster.deploy(2, 1).await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
}

#[tokio::test(start_paused = true)]
async fn a_newer_deployment_takes_the_place_of_one_in_progress() {
    let cluster = Cluster::steady(1).await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 1).await;
    cluster.until_picture("1h 2?").await;
    cluster.deploy(3, 1).await;
    assert_eq!(cluster.ended(3).await.state, RolloutState::Completed);
    cluster.until_picture("3h").await;
    cluster.until_said("was superseded by").await;
}

#[tokio::test(start_paused = true)]
async fn where_both_do_not_fit_it_goes_one_by_one() {
    let cluster = Cluster::steady(2).await;
    cluster.places(3);
    cluster.deploy(2, 2).await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Completed);
    cluster.until_picture("2h 2h").await;
    // With no place at all beside the old ones it fails, and says what is missing.
    cluster.places(2);
    cluster.deploy(3, 2).await;
    let deployment = cluster.ended(3).await;
    assert_eq!(deployment.state, RolloutState::Failed);
    assert!(
        deployment.reason.contains("not enough places: 2 are taken"),
        "{}",
        deployment.reason
    );
    cluster.until_picture("2h 2h").await;
}

#[tokio::test(start_paused = true)]
async fn a_count_that_comes_with_a_revision_is_not_the_old_ones() {
    let cluster = Cluster::steady(2).await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 4).await;
    cluster.until_picture("1h 1h 2? 2? 2? 2?").await;
    // A task of the old revision that is lost has a successor, no more.
    let lost = cluster.tasks()[0].id.clone();
    cluster.reconciler.stop_task(lost, "lost".into()).await.unwrap();
    cluster.until_picture("1h 2? 2? 2? 2? 1h").await;
    // It fails: all is as it was, and so is the count.
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
    cluster.until_picture("1h 1h").await;
    let service = cluster.service().await.unwrap();
    assert_eq!((service.count, service.stable_count), (2, 2));
    cluster.deploy(3, 1).await;
    assert_eq!(cluster.ended(3).await.state, RolloutState::Completed);
    cluster.until_picture("3h").await;
    let service = cluster.service().await.unwrap();
    assert_eq!((service.count, service.stable_count), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn tasks_of_a_failed_deployment_say_what_it_failed_of() {
    for count in [1, 3] {
        let cluster = Cluster::empty().await;
        cluster.behave(1, Behaviour::Unhealthy);
        cluster.deploy(1, count).await;
        assert_eq!(cluster.ended(1).await.state, RolloutState::Failed);
        cluster.until_picture("").await;
        let tasks = cluster.tasks();
        assert!(tasks.len() >= 3, "{tasks:?}");
        for task in &tasks {
            let reason = task.stopped.clone().unwrap().reason;
            assert_eq!(
                reason,
                "Task failed health checks in (target-group api): it says so"
            );
        }
    }
    let cluster = Cluster::steady(1).await;
    cluster.behave(2, Behaviour::Unsure);
    cluster.deploy(2, 1).await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
    cluster.until_picture("1h").await;
    let stopped = cluster.tasks()[1].stopped.clone().unwrap();
    assert_eq!(stopped.reason, "The deployment that started it failed");
}

#[tokio::test(start_paused = true)]
async fn a_deployment_whose_tasks_never_become_ready_says_why_they_are_not() {
    let cluster = Cluster::steady(1).await;
    let why = "Health checks failed with these codes: [503]";
    cluster.behave(2, Behaviour::Unready(why));
    cluster.deploy(2, 1).await;
    let ended = cluster.ended(2).await;
    assert_eq!(
        ended.reason,
        format!("0 of 1 tasks became healthy in 5 minutes; {why}")
    );
    let told = format!("deployment failed: {}", ended.reason);
    cluster.until_said(&told).await;
    let said = cluster.said().await;
    let told = said.iter().find(|event| event.contains(&told)).unwrap();
    assert!(told.contains("six of api:2"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn nothing_at_all_is_no_steady_state() {
    let cluster = Cluster::empty().await;
    cluster.behave(1, Behaviour::Refuses("no such import"));
    cluster.deploy(1, 1).await;
    assert_eq!(cluster.ended(1).await.state, RolloutState::Failed);
    cluster
        .change(|service| {
            service.count = 0;
            service.stable_count = 0;
        })
        .await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    let said = cluster.said().await;
    assert!(
        said.iter().all(|event| !event.contains("steady state")),
        "{said:?}"
    );
}
