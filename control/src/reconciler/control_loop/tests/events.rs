//! What is said of a service: each change once, in ECS's words where it has some.

use super::fake::{unhealthy, unready};
use super::*;
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
            "(service api) (deployment ID) deployment of api:1 in progress.",
            "(service api) has started 1 tasks: (task ID).",
            "(service api) registered 1 targets in (target-group api): (task ID).",
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
