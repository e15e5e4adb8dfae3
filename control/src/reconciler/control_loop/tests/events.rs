//! What is said of a service: each change once, in ECS's words where it has some.

use super::fake::{unhealthy, unready};
use super::*;
use crate::manifest::{DeploymentSpec, Strategy};
use crate::model::{RolloutState, ServiceKind};
use crate::tasks::HealthReport;

/// The events with ids replaced by what they are: `T`, `D`.
async fn story(cluster: &Cluster) -> Vec<String> {
    let said = cluster.said().await;
    let tell = |message: &String| {
        let words = message.split_inclusive(|c: char| !c.is_ascii_alphanumeric());
        let word = |word: &str| {
            let end = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
            match end.len() == 32 {
                true => word.replacen(end, "ID", 1),
                false => word.to_owned(),
            }
        };
        words.map(word).collect::<String>()
    };
    said.iter().map(tell).collect()
}

#[tokio::test(start_paused = true)]
async fn a_life_from_start_to_stop_is_told() {
    let cluster = Cluster::steady(1).await;
    cluster.until_said("steady state").await;
    cluster.change(|service| service.count = 0).await;
    cluster.until_said_times("steady state", 2).await;
    assert_eq!(
        story(&cluster).await,
        [
            "(service api) (deployment ID) deployment of api:1 in progress: SCALE_UP.",
            "(service api) has started 1 tasks: (task ID).",
            "(service api) (task ID) is ACTIVATING.",
            "(service api) registered 1 targets in (target-group api): (task ID).",
            "(service api) (task ID) is healthy in (target-group api).",
            "(service api) (deployment ID) deployment completed.",
            "(service api) has reached a steady state.",
            "(service api) has begun draining connections on 1 tasks: (task ID).",
            "(service api) deregistered 1 targets in (target-group api): (task ID).",
            "(service api) has stopped 1 running tasks: (task ID). Reason: Scaling activity initiated by (service api)",
            "(service api) has reached a steady state.",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_workers_life_is_told_without_targets() {
    let cluster = Cluster::empty().await;
    cluster.write_roll(1, 1, DeploymentSpec::default()).await;
    cluster.change(|service| service.kind = ServiceKind::Worker).await;
    cluster.until_said("steady state").await;
    let before = cluster.said().await.len();
    assert_eq!(
        story(&cluster).await[2..4],
        [
            "(service api) (task ID) is ACTIVATING.",
            "(service api) (task ID) is RUNNING.",
        ]
    );
    let id = cluster.tasks()[0].id.clone();
    cluster.turn(&id, unready("full"));
    cluster.until_said("is unhealthy").await;
    cluster.turn(&id, HealthReport::healthy());
    cluster.until_said("is healthy again.").await;
    cluster.until_said_times("steady state", 2).await;
    cluster.change(|service| service.count = 0).await;
    cluster.until_said("has stopped").await;
    assert_eq!(
        story(&cluster).await[before - 3..][..8],
        [
            "(service api) (task ID) is healthy.",
            "(service api) (deployment ID) deployment completed.",
            "(service api) has reached a steady state.",
            "(service api) (task ID) is unhealthy due to (reason full).",
            "(service api) (task ID) is healthy again.",
            "(service api) has reached a steady state.",
            "(service api) (task ID) is STOPPING.",
            "(service api) has stopped 1 running tasks: (task ID). Reason: Scaling activity initiated by (service api)",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn nothing_is_told_while_nothing_happens() {
    let cluster = Cluster::steady(3).await;
    cluster.until_said("steady state").await;
    let before = cluster.said().await.len();
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(cluster.said().await.len(), before);
}

#[tokio::test(start_paused = true)]
async fn the_stages_of_a_deployment_are_told() {
    let cluster = Cluster::steady(1).await;
    let spec = DeploymentSpec {
        strategy: Strategy::Linear { step: 50 },
        bake: Duration::from_secs(5),
        ..DeploymentSpec::default()
    };
    cluster.roll(2, 1, spec.clone()).await;
    cluster.ended(2).await;
    let recreated = DeploymentSpec {
        strategy: Strategy::Recreate,
        ..spec
    };
    cluster.roll(3, 1, recreated).await;
    cluster.ended(3).await;
    let story = story(&cluster).await;
    let told = story
        .iter()
        .filter_map(|event| event.strip_prefix("(service api) (deployment ID) "));
    assert_eq!(
        told.skip(2).collect::<Vec<_>>(),
        [
            "deployment of api:2 in progress: SCALE_UP.",
            "is in stage BAKE_TIME.",
            "has shifted 50 % of the requests to api:2.",
            "is in stage CLEAN_UP.",
            "has shifted 100 % of the requests to api:2.",
            "deployment completed.",
            "deployment of api:3 in progress: SCALE_DOWN.",
            "is in stage SCALE_UP.",
            "is in stage BAKE_TIME.",
            "deployment completed.",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_server_lost_and_what_it_stops_is_told() {
    let cluster = Cluster::steady(2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let cluster = cluster.crash().await;
    cluster.until_said("has stopped 2 running tasks: (task").await;
    cluster.until_picture("1h 1h").await;
    cluster.reconciler.shut_down().await;
    let said = story(&cluster).await;
    for told in [
        "(service api) has stopped 2 running tasks: (task ID) (task ID). Reason: server restarted",
        "(service api) has begun draining connections on 2 tasks: (task ID) (task ID).",
    ] {
        assert!(said.iter().any(|event| event == told), "{told}: {said:#?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_count_that_goes_back_with_its_deployment_is_told() {
    let cluster = Cluster::steady(2).await;
    cluster.behave(2, Behaviour::Refuses("no such import"));
    cluster.deploy(2, 4).await;
    assert_eq!(cluster.ended(2).await.state, RolloutState::Failed);
    cluster
        .until_said("has its desired count set to 2, from 4. Cause: its deployment was given up.")
        .await;
}

#[tokio::test(start_paused = true)]
async fn illness_and_recovery_are_told_once() {
    let cluster = Cluster::steady(1).await;
    cluster.until_said("steady state").await;
    let before = cluster.said().await.len();
    let id = cluster.tasks()[0].id.clone();
    for reason in ["first", "second"] {
        cluster.turn(&id, unready(reason));
        cluster
            .until(reason, |cluster| {
                cluster.tasks()[0].reason.as_deref() == Some(reason)
            })
            .await;
    }
    cluster.turn(&id, HealthReport::healthy());
    cluster.until_said("healthy again").await;
    cluster.until_picture("1h").await;
    let story = story(&cluster).await;
    assert_eq!(
        story[before..before + 2],
        [
            "(service api) (task ID) is unhealthy in (target-group api) due to (reason first).",
            "(service api) (task ID) is healthy again in (target-group api).",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn tasks_that_keep_failing_are_told_of_once() {
    let cluster = Cluster::steady(2).await;
    cluster.behave(1, Behaviour::Refuses("no such file"));
    for task in cluster.tasks() {
        cluster.turn(&task.id, unhealthy("gone"));
    }
    cluster
        .until("ten failures", |cluster| cluster.tasks().len() >= 10)
        .await;
    let unable = |story: &[String]| {
        let unable = |event: &&String| event.contains("unable to consistently start tasks successfully");
        story.iter().filter(unable).cloned().collect::<Vec<_>>()
    };
    assert_eq!(
        unable(&story(&cluster).await),
        ["(service api) is unable to consistently start tasks successfully. Reason: no such file."]
    );
    // Once it was well, it is news again.
    cluster.behave(1, Behaviour::well());
    cluster.until_picture("1h 1h").await;
    cluster.behave(1, Behaviour::Refuses("no such file"));
    for task in cluster
        .tasks()
        .iter()
        .filter(|task| task.status == TaskStatus::Running)
    {
        cluster.turn(&task.id, unhealthy("gone"));
    }
    cluster
        .until("more failures", |cluster| cluster.tasks().len() >= 20)
        .await;
    assert_eq!(unable(&story(&cluster).await).len(), 2);
}
