//! What is stored is read back as it was; what is newer or damaged is refused with its key.

use std::time::Duration;

use super::stored::Record;
use super::*;
use crate::manifest::{Bounds, DeploymentSpec, OnFailure, Strategy, Tolerance};
use crate::scaling::{Idle, ScalingSpec, Signal, Target};
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
    round_trip(&deployment(DeploymentSpec::default()));
    for strategy in [
        Strategy::Rolling(Bounds {
            minimum_healthy: 50,
            maximum: 150,
        }),
        Strategy::Canary { step: 7 },
        Strategy::Linear { step: 20 },
        Strategy::Recreate,
    ] {
        round_trip(&deployment(DeploymentSpec {
            strategy,
            bake: Duration::from_millis(1500),
            deadline: Duration::from_secs(9),
            failed_tasks: Some(4),
            on_failure: OnFailure::Halt,
            tolerance: Tolerance {
                max_errors: 1,
                min_requests: 2,
            },
        }));
    }
}

#[test]
fn a_service_round_trips() {
    let now = Timestamp::UNIX_EPOCH;
    let namespace = NamespaceName::default_namespace();
    round_trip(&Service {
        namespace,
        name: revision().family,
        kind: ServiceKind::Worker,
        status: ServiceStatus::Draining,
        count: 3,
        stable_count: 2,
        choices: 4,
        goal: Some(revision().revision),
        stable: None,
        rollout: Some(DeploymentId::generate()),
        deployment: DeploymentSpec {
            strategy: Strategy::Linear { step: 7 },
            ..DeploymentSpec::default()
        },
        scaling: Some(ScalingSpec {
            min: 0,
            max: 9,
            targets: vec![
                target(Signal::Cpu),
                target(Signal::Memory),
                target(Signal::Requests),
                target(Signal::Concurrency),
                target(Signal::Queue),
            ],
            cooldown_in: Duration::from_millis(1500),
            cooldown_out: Duration::ZERO,
            idle: Some(Idle {
                after: Duration::from_secs(60),
                wait: Duration::from_millis(250),
            }),
        }),
        created_at: now,
    });
}

fn target(signal: Signal) -> Target {
    Target { signal, value: 42 }
}

fn deployment(spec: DeploymentSpec) -> Deployment {
    let now = Timestamp::UNIX_EPOCH;
    let figures = |requests| Figures {
        requests,
        errors: 2,
        p99_us: Some(3),
        cpu_ms: 4,
    };
    Deployment {
        id: DeploymentId::generate(),
        namespace: NamespaceName::default_namespace(),
        service: revision().family,
        revision: revision().revision,
        before: Some(revision().revision),
        spec,
        state: RolloutState::Superseded,
        reason: "why".into(),
        stage: Stage::Bake,
        share: 40,
        pace: Pace::Paused,
        failed_tasks: 3,
        figures: Compared {
            new: figures(10),
            old: figures(20),
        },
        rollback_of: Some(DeploymentId::generate()),
        rolled_back_by: Some(DeploymentId::generate()),
        created_at: now,
        updated_at: now,
        stage_lasted: Duration::from_secs(7),
        counted_at: now,
    }
}

#[test]
fn a_deployment_of_before_there_were_strategies_reads() {
    let record = serde_json::json!({"v": 1, "record": {
        "id": "00", "namespace": "default", "service": "api", "revision": 3, "state": "COMPLETED",
        "reason": "done", "failed_tasks": 1,
        "created_at": "1970-01-01T00:00:00Z", "updated_at": "1970-01-01T00:00:00Z",
    }});
    let read = Deployment::decode(&entry(record.to_string().into())).unwrap();
    assert_eq!(read.spec, DeploymentSpec::default());
    assert_eq!(
        (read.stage, read.pace, read.before),
        (Stage::ScaleUp, Pace::Going, None)
    );
}

#[test]
fn jobs_and_runs_round_trip() {
    let now = Timestamp::UNIX_EPOCH;
    let job = Job {
        namespace: NamespaceName::default_namespace(),
        name: revision().family,
        latest: RunNumber(17),
        schedule: Some(Schedule {
            revision: revision().revision,
            status: ScheduleStatus::Paused,
            decided: now,
            updated_at: now,
        }),
        created_at: now,
    };
    round_trip(&job);
    round_trip(&Job {
        schedule: None,
        ..job.clone()
    });
    let run = Run {
        namespace: job.namespace,
        job: job.name,
        number: RunNumber(17),
        definition: revision(),
        spec: RunSpec {
            count: 5,
            parallelism: 2,
            retries: 3,
            backoff: std::time::Duration::from_millis(1500),
            deadline: Some(std::time::Duration::from_secs(60)),
            ttl: Some(std::time::Duration::ZERO),
            history: 4,
        },
        overrides: Overrides {
            cpu: Some(12),
            ..Overrides::default()
        },
        due: Some(now),
        state: RunState::Cancelled,
        cancelled: Some(Cancellation {
            at: now,
            code: StopCode::UserInitiated,
            reason: "enough".into(),
        }),
        reason: Some("why".into()),
        exit_code: Some(3),
        created_at: now,
        ended_at: Some(now),
    };
    round_trip(&run);
    assert_eq!(run.name(), "api/17");
    assert!(run.is_over());
}

#[test]
fn a_task_of_before_there_were_runs_is_read() {
    let task = format!(
        r#"{{"v":1,"record":{{"id":"{}","namespace":"default","group":{{"job":"api"}},"family":"api","revision":3,
        "deployment":null,"status":"STOPPED","desired":"STOPPED","health":"UNKNOWN","reason":null,"stopped":null,
        "restarts":0,"last_reason":null,"cpu":1,"memory":1,"overrides":{{"args":null,"env":[],"secrets":[],"cpu":null,
        "memory":null}},"usage":{{"cpu_ms":0,"throttled_ms":0,"memory_peak":0,"requests":0}},
        "created_at":"1970-01-01T00:00:00Z","started_at":null,"stopping_at":null,"stopped_at":null}}}}"#,
        TaskId::generate()
    );
    assert_eq!(Task::decode(&entry(task.into())).unwrap().place, None);
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
        place: Some(Place {
            run: RunNumber(7),
            index: 2,
            attempt: 3,
        }),
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
