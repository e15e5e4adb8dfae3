//! Jobs: what may be run, and with what.

use serde_json::json;

use super::*;
use crate::events::EventQuery;
use crate::model::stored::Record as _;
use crate::model::{Group, Overrides, Run, TaskStatus};

async fn run(
    harbour: &Harbour,
    content: &'static str,
    overrides: Overrides,
) -> Result<Vec<crate::model::Task>, Refusal> {
    let (bundle, component) = harbour.bundle(content).await;
    let manifest = json!({"name": "report", "task": {"component": component.as_str()}, "job": {}});
    let ask = NewRun {
        what: What::Bundle { bundle, manifest },
        overrides,
        count: None,
    };
    let run = harbour.orchestrator.run(&harbour.namespace, ask).await?;
    Ok(tasks_of(harbour, &run))
}

/// The tasks of a run, which are known when it was answered.
fn tasks_of(harbour: &Harbour, run: &Run) -> Vec<crate::model::Task> {
    let group = (harbour.namespace.clone(), Group::Job(run.job.clone()));
    let tasks = harbour.orchestrator.registry.of_group(&group).into_iter();
    tasks
        .filter(|task| task.place.is_some_and(|place| place.run == run.number))
        .collect()
}

#[tokio::test]
async fn a_job_is_defined_once_and_run_as_often_as_asked() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let first = run(&harbour, "one", Overrides::default()).await.unwrap();
    let second = run(&harbour, "one", Overrides::default()).await.unwrap();
    assert_eq!(first[0].definition, second[0].definition);
    let named = NewRun {
        what: What::Definition("report".into()),
        overrides: Overrides::default(),
        count: Some(3),
    };
    let named = harbour.orchestrator.run(&harbour.namespace, named).await.unwrap();
    assert_eq!(tasks_of(&harbour, &named).len(), 3);
    let changed = run(&harbour, "two", Overrides::default()).await.unwrap();
    assert_eq!(changed[0].definition.to_string(), "report:2");
    for (text, hint) in [
        ("report:99", "the newest revision is `report:2`"),
        ("repot:1", "deploy it, or run it from its folder, first"),
        ("repot", "deploy it, or run it from its folder, first"),
    ] {
        let refused = harbour
            .orchestrator
            .find_definition(&harbour.namespace, text)
            .await;
        let refusal = super::refused(refused, "TaskDefinitionNotFound");
        assert!(
            refusal.message.contains(&format!("`{text}`")),
            "{}",
            refusal.message
        );
        assert_eq!(refusal.hint.as_deref(), Some(hint));
    }
    for (text, found) in [
        ("report", "report:2"),
        ("report:1", "report:1"),
        ("report:2", "report:2"),
    ] {
        let id = harbour
            .orchestrator
            .find_definition(&harbour.namespace, text)
            .await;
        assert_eq!(id.unwrap().to_string(), found);
    }
    // It is recorded, and known, before the answer.
    let key = crate::model::keys::task(&harbour.namespace, &changed[0].id);
    assert!(harbour.orchestrator.store.get(&key).await.unwrap().is_some());
    assert!(
        harbour
            .orchestrator
            .find_task(&harbour.namespace, changed[0].id.as_str())
            .is_ok()
    );
    let family = "report".parse().unwrap();
    let refused = harbour.orchestrator.delete_job(&harbour.namespace, &family).await;
    super::refused(refused, "JobInUse");
}

#[tokio::test]
async fn that_a_run_begins_is_an_event() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    run(&harbour, "one", Overrides::default()).await.unwrap();
    let events = &harbour.orchestrator.events;
    events.flush().await;
    let said = events
        .list(&harbour.namespace, &EventQuery::default())
        .await
        .unwrap();
    let begins = "(job report) (run 1) begins: it was asked for.";
    assert!(said.iter().any(|event| event.message == begins), "{said:?}");
}

#[tokio::test]
async fn overrides_are_checked_as_a_manifest_is() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let with = |change: fn(&mut Overrides)| {
        let mut overrides = Overrides::default();
        change(&mut overrides);
        overrides
    };
    for (overrides, code) in [
        (with(|o| o.env.push(("1A".into(), "x".into()))), "InvalidOverride"),
        (
            with(|o| o.env.push(("WHARF_TASK_ID".into(), "x".into()))),
            "InvalidOverride",
        ),
        (
            with(|o| o.secrets.push(("A".into(), "Not A Name".into()))),
            "InvalidOverride",
        ),
        (with(|o| o.cpu = Some(0)), "InvalidOverride"),
        (with(|o| o.memory = Some(1)), "InvalidOverride"),
        (
            with(|o| {
                o.env.push(("A".into(), "x".into()));
                o.secrets.push(("A".into(), "key".into()));
            }),
            "InvalidOverride",
        ),
        (
            with(|o| {
                let many = (0..=256).map(|n| (format!("A{n}"), String::new()));
                o.env.extend(many);
            }),
            "InvalidOverride",
        ),
        (with(|o| o.cpu = Some(1 << 20)), "TaskTooLarge"),
        (with(|o| o.memory = Some(1 << 20)), "TaskTooSmall"),
    ] {
        refused(run(&harbour, "one", overrides).await, code);
    }
    let good = with(|o| o.cpu = Some(512));
    assert_eq!(run(&harbour, "one", good).await.unwrap()[0].cpu, 512);
}

/// ECS's `overrides`: a run's own.
#[tokio::test]
async fn what_a_run_changes_is_no_revision() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let overrides = Overrides {
        args: Some(vec!["x".into()]),
        env: vec![("A".into(), "1".into())],
        secrets: vec![("B".into(), "key".into())],
        cpu: Some(512),
        memory: Some(48 << 20),
    };
    let first = run(&harbour, "one", overrides.clone()).await.unwrap();
    assert_eq!((first[0].cpu, first[0].memory), (512, 48 << 20));
    let key = crate::model::keys::task(&harbour.namespace, &first[0].id);
    let recorded = harbour.orchestrator.store.get(&key).await.unwrap().unwrap();
    let recorded = crate::model::Task::decode(&recorded).unwrap();
    assert_eq!(recorded.overrides, overrides);
    let plain = run(&harbour, "one", Overrides::default()).await.unwrap();
    assert_eq!(plain[0].definition, first[0].definition);
    assert_eq!(
        (plain[0].cpu, plain[0].overrides.clone()),
        (256, Overrides::default())
    );
    let family = "report".parse().unwrap();
    let revisions = harbour
        .orchestrator
        .revisions(&harbour.namespace, &family)
        .await
        .unwrap();
    let [revision] = revisions.as_slice() else {
        panic!("{revisions:?}")
    };
    assert_eq!(
        revision.manifest["task"].get("env"),
        None,
        "{}",
        revision.manifest
    );
}

/// What is too large as it is defined may run smaller.
#[tokio::test]
async fn a_size_is_checked_as_it_is_run_with() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let (bundle, component) = harbour.bundle("one").await;
    let manifest =
        json!({"name": "large", "task": {"component": component.as_str(), "cpu": 4096}, "job": {}});
    let with = |overrides| NewRun {
        what: What::Bundle {
            bundle: bundle.clone(),
            manifest: manifest.clone(),
        },
        overrides,
        count: None,
    };
    let run = async |overrides| {
        let run = harbour
            .orchestrator
            .run(&harbour.namespace, with(overrides))
            .await?;
        Ok::<_, Refusal>(tasks_of(&harbour, &run))
    };
    refused(run(Overrides::default()).await, "TaskTooLarge");
    let smaller = Overrides {
        cpu: Some(128),
        ..Overrides::default()
    };
    assert_eq!(run(smaller).await.unwrap()[0].cpu, 128);
}

#[tokio::test]
async fn what_answers_requests_is_not_run() {
    let harbour = Harbour::open().await;
    refused(run(&harbour, "one", Overrides::default()).await, "NotAJob");
    let tasks = harbour.orchestrator.registry.of_namespace(&harbour.namespace);
    assert!(tasks.iter().all(|task| task.status == TaskStatus::Stopped));
    let definitions = harbour.orchestrator.definitions(&harbour.namespace).await;
    assert_eq!(definitions.unwrap(), []);
}

#[tokio::test]
async fn a_name_of_another_kind_is_said_to_be_that() {
    let harbour = Harbour::open().await;
    let (service, job) = ("api".parse().unwrap(), "report".parse().unwrap());
    harbour
        .deploy("service", json!({"name": "api", "task": {}}))
        .await
        .unwrap();
    harbour.is_command();
    run(&harbour, "job", Overrides::default()).await.unwrap();
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let no_service = "there is no service `report` in namespace `default`: `report` is a job";
    for refused in [
        orchestrator.service(namespace, &job).await.map(drop),
        orchestrator.scale(namespace, &job, 2).await.map(drop),
        orchestrator.delete_service(namespace, &job).await.map(drop),
        orchestrator.roll_back(namespace, &job, None).await.map(drop),
        orchestrator.abort(namespace, &job).await.map(drop),
    ] {
        assert_eq!(super::refused(refused, "ServiceNotFound").message, no_service);
    }
    let refused = super::refused(orchestrator.job(namespace, &service).await, "JobNotFound");
    assert_eq!(
        refused.message,
        "there is no job `api` in namespace `default`: `api` is a service"
    );
    let nobody = super::refused(
        orchestrator.service(namespace, &"nobody".parse().unwrap()).await,
        "ServiceNotFound",
    );
    assert_eq!(
        nobody.message,
        "there is no service `nobody` in namespace `default`"
    );
}

/// ECS: a service's task definitions stay when it is deleted.
#[tokio::test]
async fn what_a_run_needs_outlives_the_service_of_its_family() {
    let harbour = Harbour::open().await;
    harbour.is_command();
    let (orchestrator, namespace) = (&harbour.orchestrator, &harbour.namespace);
    let name: crate::names::ServiceName = "report".parse().unwrap();
    let service = json!({"name": "report", "task": {}, "service": {}});
    harbour.deploy("one", service).await.unwrap();
    let ask = NewRun {
        what: What::Definition("report".into()),
        overrides: Overrides::default(),
        count: None,
    };
    let begun = orchestrator.run(namespace, ask).await.unwrap();
    orchestrator.delete_service(namespace, &name).await.unwrap();
    let mut changes = orchestrator.registry.changes();
    while orchestrator.service(namespace, &name).await.is_ok() {
        let changed = tokio::time::timeout(std::time::Duration::from_secs(30), changes.changed());
        changed.await.unwrap().unwrap();
    }
    let revisions = orchestrator.revisions(namespace, &name).await.unwrap();
    assert_eq!(revisions.len(), 1);
    assert_eq!(*harbour.fake.forgotten.lock().unwrap(), []);
    let events = &orchestrator.events;
    events.flush().await;
    let said = events.list(namespace, &EventQuery::default()).await.unwrap();
    let begins = "(job report) (run 1) begins: it was asked for.";
    assert!(said.iter().any(|event| event.message == begins), "{said:?}");
    // Without a definition a run is not acknowledged.
    let mut lost = Run {
        number: crate::model::RunNumber::default(),
        ..begun
    };
    lost.definition.revision = crate::names::Revision::new(7).unwrap();
    super::refused(orchestrator.record_run(lost).await, "TaskDefinitionNotFound");
}
