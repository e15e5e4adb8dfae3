//! What is stored is read back as it was; what is newer or damaged is refused with its key.

use super::stored::Record;
use super::*;
use crate::store::{Entry, StoreRevision};

fn entry(value: bytes::Bytes) -> Entry {
    Entry {
        key: "some/key".to_owned(),
        value,
        revision: StoreRevision(1),
    }
}

#[track_caller]
fn round_trip<T: Record + PartialEq + fmt::Debug>(record: &T) {
    assert_eq!(&T::decode(&entry(record.encode())).unwrap(), record);
}

fn digest() -> Digest {
    Digest::from_sha256([7; 32])
}

fn revision() -> FamilyRevision {
    "api:3".parse().unwrap()
}

#[test]
fn desired_state_round_trips() {
    let namespace = NamespaceName::default_namespace();
    let now = Timestamp::UNIX_EPOCH;
    round_trip(&Namespace {
        name: namespace.clone(),
        created_at: now,
    });
    let mounts = vec![BundleMount {
        mount: "/static".into(),
        entries: vec![("a/b".into(), digest())],
    }];
    round_trip(&Bundle {
        least_memory: wharf_runtime::Bytes::mib(2),
        digest: digest(),
        component: digest(),
        world: World::Command,
        mounts,
    });
    round_trip(&Definition {
        id: revision(),
        bundle: digest(),
        world: World::Http,
        content: digest(),
        manifest: serde_json::json!({"name": "api"}),
        registered_at: now,
    });
    round_trip(&Service {
        namespace: namespace.clone(),
        name: revision().family,
        kind: ServiceKind::Worker,
        status: ServiceStatus::Draining,
        count: 3,
        stable_count: 2,
        goal: Some(revision().revision),
        stable: None,
        rollout: Some(DeploymentId::generate()),
        created_at: now,
    });
    round_trip(&Deployment {
        id: DeploymentId::generate(),
        namespace,
        service: revision().family,
        revision: revision().revision,
        state: RolloutState::Failed,
        reason: "why".into(),
        failed_tasks: 3,
        created_at: now,
        updated_at: now,
    });
}

#[test]
fn tasks_round_trip() {
    let now = Timestamp::UNIX_EPOCH;
    round_trip(&Task {
        id: TaskId::generate(),
        namespace: NamespaceName::default_namespace(),
        group: Group::Job(revision().family),
        definition: revision(),
        deployment: None,
        status: TaskStatus::Stopped,
        desired: DesiredStatus::Stopped,
        health: Health::Unhealthy,
        reason: None,
        stopped: Some(Stopped {
            code: StopCode::EssentialContainerExited,
            reason: "exited with code 3".into(),
            exit_code: Some(3),
        }),
        restarts: 2,
        last_reason: Some("trapped".into()),
        cpu: 256,
        memory: 1 << 27,
        overrides: Overrides {
            args: Some(vec!["a".into()]),
            ..Overrides::default()
        },
        usage: Usage {
            cpu_ms: 12,
            memory_peak: 5,
            ..Usage::default()
        },
        created_at: now,
        started_at: Some(now),
        stopping_at: None,
        stopped_at: Some(now),
    });
}

#[test]
fn a_newer_or_damaged_record_is_refused_by_its_key() {
    let newer = Namespace::decode(&entry(r#"{"v":2,"record":{"what":"ever"}}"#.into())).unwrap_err();
    assert!(newer.to_string().contains("`some/key`"), "{newer}");
    assert!(newer.to_string().contains("version 2"), "{newer}");
    let damaged = Namespace::decode(&entry("{".into())).unwrap_err();
    assert!(damaged.to_string().contains("`some/key`"), "{damaged}");
}
