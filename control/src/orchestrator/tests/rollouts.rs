//! What people do to deployments: refused with a sentence where it makes no sense, durable where it does.

use serde_json::json;

use super::*;
use crate::manifest::Strategy;
use crate::model::stored::Record as _;
use crate::model::{Definition, Pace, Stage, keys};
use crate::names::{Revision, ServiceName};
use crate::reconciler::control_loop::tests::fake::{Behaviour, LARGEST_CPU};
use crate::store::Transaction;

/// How soon it is looked again when nothing is told.
const LOOK_AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

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
        matches!(&again, Deployed::Unchanged(same, _) if same.id == first.id),
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
async fn the_way_back_is_known_however_many_deployments_failed() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let first = harbour.run("one", json!({})).await;
    let second = harbour.run("two", json!({})).await;
    for _ in 0..DEPLOYMENTS_KEPT + REVISIONS_KEPT {
        let failed = Deployment {
            id: crate::model::DeploymentId::generate(),
            state: RolloutState::Failed,
            ..second.clone()
        };
        let written = failed.begin(Transaction::new());
        orchestrator.store.commit(written).await.unwrap();
    }
    let behaviours = &harbour.fake.behaviours;
    // Each takes the places of the oldest, of the revisions, too.
    for number in 3..REVISIONS_KEPT + 5 {
        let revision = u64::try_from(number).unwrap();
        behaviours.lock().unwrap().insert(revision, Behaviour::Unsure);
        let task = json!({"name": "api", "task": {"env": {"A": number.to_string()}}});
        harbour.deploy("two", task).await.unwrap();
        let aborted = orchestrator.abort(namespace, &api()).await.unwrap();
        harbour.undone(&aborted).await;
    }
    let all = orchestrator.deployments(namespace, Some(&api())).await.unwrap();
    assert!(all.len() <= DEPLOYMENTS_KEPT + 1, "{}", all.len());
    let back = orchestrator.roll_back(namespace, &api(), None).await.unwrap();
    let Deployed::New(back) = back else {
        panic!("{back:?}");
    };
    assert_eq!(back.revision, first.revision);
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
        matches!(&same, Deployed::Unchanged(same, _) if same.id == back.id),
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

#[tokio::test]
async fn a_service_goes_back_only_to_what_could_be_deployed() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let back = async |to: u64| orchestrator.roll_back(namespace, &api(), Revision::new(to)).await;
    let routed =
        |path: &str, cpu: u32| json!({"name": "api", "task": {"cpu": cpu}, "route": [{"path": [path]}]});
    for (content, path) in [("one", "/one"), ("two", "/two")] {
        let deployed = harbour.deploy(content, routed(path, 256)).await.unwrap();
        harbour.ended(deployed).await;
    }
    // Somebody has its route since.
    let route = json!({"name": "taken", "path": ["/one"], "fixed": {"status": 404}});
    let apply = orchestrator.apply(namespace, json!({ "route": [route] }));
    apply.await.unwrap();
    let refusal = refused(back(1).await, "RouteInUse");
    assert!(refusal.message.contains("default/routes/taken"), "{refusal}");
    // A job's, and a worker's, of the same family.
    harbour.is_command();
    for kind in ["job", "service"] {
        let (bundle, component) = harbour.bundle(kind).await;
        let mut manifest = json!({"name": "api", "task": {"component": component.as_str()}});
        manifest[kind] = json!({});
        let ask = NewRun {
            what: What::Bundle { bundle, manifest },
            overrides: crate::model::Overrides::default(),
            count: None,
        };
        orchestrator.run(namespace, ask).await.unwrap();
    }
    let refusal = refused(back(3).await, "NotAService");
    assert!(refusal.message.contains("api:3 is a job's"), "{refusal}");
    refused(back(4).await, "ServiceKindChanged");
    let service = orchestrator.service(namespace, &api()).await.unwrap();
    assert_eq!(
        (service.goal, service.rollout),
        (Revision::new(2), None),
        "none of them has begun"
    );
}

#[tokio::test]
async fn a_service_goes_back_only_to_what_fits_and_can_be_replaced() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let narrow = |content| {
        let mut manifest = how(json!({"minimum_healthy": 50, "maximum": 100}));
        manifest["service"] = json!({"count": 2});
        harbour.deploy(content, manifest)
    };
    for content in ["one", "two"] {
        let deployed = narrow(content).await.unwrap();
        harbour.ended(deployed).await;
    }
    orchestrator.scale(namespace, &api(), 1).await.unwrap();
    refused(
        orchestrator.roll_back(namespace, &api(), None).await,
        "DeploymentDeadlock",
    );
    orchestrator.scale(namespace, &api(), 2).await.unwrap();
    // A host that is smaller than it was.
    let key = keys::definition(namespace, &"api:1".parse().unwrap());
    let entry = orchestrator.store.get(&key).await.unwrap().unwrap();
    let mut large = Definition::decode(&entry).unwrap();
    large.manifest["task"]["cpu"] = json!(LARGEST_CPU + 1);
    let transaction = Transaction::new().put(key, large.encode());
    orchestrator.store.commit(transaction).await.unwrap();
    refused(
        orchestrator.roll_back(namespace, &api(), None).await,
        "TaskTooLarge",
    );
}

#[tokio::test]
async fn what_was_seen_of_a_deployment_stays_known_when_it_is_given_up() {
    let harbour = Harbour::open().await;
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    harbour.run("one", json!({})).await;
    let (Deployed::New(begun) | Deployed::Unchanged(begun, _)) = harbour
        .deploy("two", how(json!({"strategy": "canary", "bake": "1h"})))
        .await
        .unwrap();
    let seen = async {
        let mut changes = orchestrator.registry.changes();
        loop {
            let now = orchestrator.find_deployment(namespace, &begun.id).await.unwrap();
            let progress = orchestrator.registry.progress(&begun.id);
            if progress.is_some_and(|progress| progress.figures.new.requests > 0) {
                return;
            }
            // What came before it is watched doesn't count.
            if now.stage == Stage::Bake {
                harbour
                    .fake
                    .tallies
                    .lock()
                    .unwrap()
                    .entry(2)
                    .or_default()
                    .requests += 1;
            }
            let _ = tokio::time::timeout(LOOK_AGAIN, changes.changed()).await;
        }
    };
    let patience = std::time::Duration::from_secs(60);
    tokio::time::timeout(patience, seen).await.unwrap();
    let aborted = orchestrator.abort(namespace, &api()).await.unwrap();
    assert!(aborted.figures.new.requests > 0, "{aborted:?}");
}

#[tokio::test]
async fn every_deployments_beginning_and_end_is_told() {
    let harbour = Harbour::open().await;
    let mut begun = Vec::new();
    // One after the other, faster than the control loop looks.
    for value in 0..DEPLOYMENTS_KEPT * 2 {
        let task = json!({"name": "api", "task": {"env": {"A": value.to_string()}}});
        match harbour.deploy("one", task).await.unwrap() {
            Deployed::New(deployment) => begun.push(deployment),
            same => panic!("{same:?}"),
        }
    }
    let last = begun.last().unwrap().clone();
    harbour.ended(Deployed::New(last)).await;
    harbour.orchestrator.events.flush().await;
    let query = crate::events::EventQuery::default();
    let said = harbour
        .orchestrator
        .events
        .list(&harbour.namespace, &query)
        .await
        .unwrap();
    for Deployment { id, .. } in begun {
        let who = format!("(deployment {id})");
        let own = || said.iter().filter(|event| event.message.contains(&who));
        let begins = own().filter(|event| event.message.contains("in progress"));
        let ends = own().filter(|event| {
            event.message.contains("was superseded by") || event.message.contains("deployment completed")
        });
        assert_eq!((begins.count(), ends.count()), (1, 1), "{id}: {said:#?}");
    }
}
