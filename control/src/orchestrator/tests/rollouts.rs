//! What people do to deployments: refused with a sentence where it makes no sense, durable where it does.

use serde_json::json;

use super::*;
use crate::manifest::Strategy;
use crate::model::{Pace, Stage};
use crate::names::{Revision, ServiceName};
use crate::reconciler::control_loop::tests::fake::Behaviour;

fn api() -> ServiceName {
    "api".parse().unwrap()
}

/// A manifest of the service `api` with this in its `[deployment]`.
fn how(deployment: serde_json::Value) -> serde_json::Value {
    json!({"name": "api", "task": {}, "deployment": deployment})
}

impl Harbour {
    async fn run(&self, content: &'static str, deployment: serde_json::Value) -> Deployment {
        let begun = self.deploy(content, how(deployment)).await.unwrap();
        self.ended(begun).await
    }

    /// The deployment that undoes this one, at its end.
    async fn undone(&self, deployment: &Deployment) -> Deployment {
        let by = deployment.rolled_back_by.clone().unwrap();
        let found = self
            .orchestrator
            .find_deployment(&self.namespace, &by)
            .await
            .unwrap();
        self.ended(Deployed::New(found)).await
    }
}

#[tokio::test]
async fn another_way_of_deploying_is_not_another_thing_to_run() {
    let harbour = Harbour::open().await;
    let first = harbour.run("one", json!({"strategy": "recreate"})).await;
    assert_eq!(first.spec.strategy, Strategy::Recreate);
    let again = harbour
        .deploy("one", how(json!({"strategy": "canary"})))
        .await
        .unwrap();
    assert!(
        matches!(&again, Deployed::Unchanged(same) if same.id == first.id),
        "{again:?}"
    );
    // It is the service's from now on: for what is replaced, and for a way back.
    let service = harbour
        .orchestrator
        .service(&harbour.namespace, &api())
        .await
        .unwrap();
    assert_eq!(service.deployment.strategy, Strategy::Canary { step: 5 });
    // But what could never move is none.
    let narrow = json!({"minimum_healthy": 50, "maximum": 100});
    refused(harbour.deploy("one", how(narrow)).await, "DeploymentDeadlock");
}

#[tokio::test]
async fn a_worker_takes_no_shares_of_requests() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    for strategy in ["canary", "linear"] {
        let refusal = refused(
            harbour.deploy("one", how(json!({"strategy": strategy}))).await,
            "WorldMismatch",
        );
        assert_eq!(refusal.field.as_deref(), Some("deployment.strategy"));
        assert!(refusal.message.contains("is a command"), "{}", refusal.message);
    }
    let recreated = harbour.run("one", json!({"strategy": "recreate"})).await;
    assert_eq!(recreated.state, RolloutState::Completed);
}

#[tokio::test]
async fn bounds_within_which_the_count_can_never_move_are_refused() {
    let harbour = Harbour::open().await;
    let narrow = json!({"minimum_healthy": 50, "maximum": 100});
    harbour.run("one", narrow.clone()).await;
    let refusal = refused(
        harbour.deploy("two", how(narrow.clone())).await,
        "DeploymentDeadlock",
    );
    assert!(refusal.message.contains("with 1 tasks"), "{}", refusal.message);
    harbour
        .orchestrator
        .scale(&harbour.namespace, &api(), 2)
        .await
        .unwrap();
    assert_eq!(harbour.run("two", narrow).await.state, RolloutState::Completed);
}

#[tokio::test]
async fn without_a_deployment_in_progress_there_is_nothing_to_hold_or_give_up() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    refused(orchestrator.abort(namespace, &api()).await, "ServiceNotFound");
    refused(
        orchestrator.roll_back(namespace, &api(), None).await,
        "ServiceNotFound",
    );
    harbour.run("one", json!({})).await;
    refused(
        orchestrator.abort(namespace, &api()).await,
        "NoDeploymentInProgress",
    );
    refused(
        orchestrator.pause(namespace, &api()).await,
        "NoDeploymentInProgress",
    );
    refused(
        orchestrator.resume(namespace, &api()).await,
        "NoDeploymentInProgress",
    );
    refused(
        orchestrator.roll_back(namespace, &api(), None).await,
        "NothingToRollBackTo",
    );
    let nine = Revision::new(9);
    refused(
        orchestrator.roll_back(namespace, &api(), nine).await,
        "TaskDefinitionNotFound",
    );
}

#[tokio::test]
async fn an_aborted_deployment_is_undone_by_one_that_names_it() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    harbour.run("one", json!({})).await;
    harbour
        .fake
        .behaviours
        .lock()
        .unwrap()
        .insert(2, Behaviour::Unsure);
    harbour
        .deploy("two", how(json!({"strategy": "canary"})))
        .await
        .unwrap();
    let held = orchestrator.pause(namespace, &api()).await.unwrap();
    assert_eq!((held.pace, held.stage), (Pace::Paused, Stage::ScaleUp));
    refused(orchestrator.pause(namespace, &api()).await, "AlreadyPaused");
    orchestrator.resume(namespace, &api()).await.unwrap();
    refused(orchestrator.resume(namespace, &api()).await, "NotPaused");
    let aborted = orchestrator.abort(namespace, &api()).await.unwrap();
    assert_eq!(aborted.state, RolloutState::Aborted);
    let back = harbour.undone(&aborted).await;
    assert_eq!((back.state, back.revision.get()), (RolloutState::Completed, 1));
    assert_eq!(back.rollback_of, Some(aborted.id));
    assert!(!back.spec.strategy.shifts(), "it goes back at once");
    // What never completed is nothing to go back to.
    refused(
        orchestrator.roll_back(namespace, &api(), None).await,
        "NothingToRollBackTo",
    );
}

#[tokio::test]
async fn a_service_goes_back_to_what_completed_before_and_no_further_than_it_is() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    for content in ["one", "two", "three"] {
        harbour.run(content, json!({})).await;
    }
    let back = orchestrator.roll_back(namespace, &api(), None).await.unwrap();
    let back = harbour.ended(back).await;
    assert_eq!((back.state, back.revision.get()), (RolloutState::Completed, 2));
    let same = orchestrator
        .roll_back(namespace, &api(), Revision::new(2))
        .await
        .unwrap();
    assert!(
        matches!(&same, Deployed::Unchanged(same) if same.id == back.id),
        "{same:?}"
    );
    let first = orchestrator
        .roll_back(namespace, &api(), Revision::new(1))
        .await
        .unwrap();
    assert_eq!(harbour.ended(first).await.revision.get(), 1);
    // While one is in progress, to what ran before it.
    harbour
        .fake
        .behaviours
        .lock()
        .unwrap()
        .insert(4, Behaviour::Unsure);
    let fourth = harbour.deploy("four", how(json!({}))).await.unwrap();
    let back = orchestrator.roll_back(namespace, &api(), None).await.unwrap();
    assert_eq!(harbour.ended(fourth).await.state, RolloutState::Superseded);
    let back = harbour.ended(back).await;
    assert_eq!((back.state, back.revision.get()), (RolloutState::Completed, 1));
}
