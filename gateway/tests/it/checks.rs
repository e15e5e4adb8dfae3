//! The kinds of checks: which takes a target's traffic, and which asks its owner to replace it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;
use wharf_gateway::{Checks, GroupSpec, Health, HealthReason, HealthSpec};

use crate::support::{Closure, Rig, seen, status};

fn check(path: &str) -> Option<HealthSpec> {
    Some(HealthSpec {
        interval: Duration::from_millis(5),
        ..HealthSpec::new(path.parse().unwrap())
    })
}

/// A target with a status of its own for each path that is checked, and for requests.
#[derive(Default)]
struct Patient {
    ready: AtomicU16,
    alive: AtomicU16,
    started: AtomicU16,
    /// Checks of whether it is alive.
    asked: AtomicU32,
}

impl Patient {
    fn well() -> Arc<Self> {
        let patient = Self::default();
        for status in [&patient.ready, &patient.alive, &patient.started] {
            status.store(200, Ordering::SeqCst);
        }
        Arc::new(patient)
    }

    fn target(self: &Arc<Self>) -> Arc<Closure> {
        let patient = self.clone();
        Closure::new(move |request: http::Request<wharf_gateway::Body>| {
            let code = match request.uri().path() {
                "/ready" => patient.ready.load(Ordering::SeqCst),
                "/alive" => {
                    patient.asked.fetch_add(1, Ordering::SeqCst);
                    patient.alive.load(Ordering::SeqCst)
                }
                "/started" => patient.started.load(Ordering::SeqCst),
                _ => 204,
            };
            async move { Ok(status(code)) }
        })
    }
}

type Verdicts = (watch::Receiver<Health>, watch::Receiver<Option<HealthReason>>);

/// Registers a target under these checks.
fn register(rig: &Rig, patient: &Arc<Patient>, checks: Checks) -> Verdicts {
    rig.app.configure(GroupSpec {
        checks,
        ..rig.app.spec()
    });
    let health = rig.register("t1", &patient.target());
    let replacement = rig.app.replacement(&"t1".parse().unwrap()).unwrap();
    (health, replacement)
}

fn mismatch(code: u16) -> HealthReason {
    HealthReason::ResponseCodeMismatch(code)
}

#[tokio::test]
async fn who_is_not_ready_gets_nothing_and_is_not_replaced() {
    let (rig, patient) = (Rig::new(), Patient::well());
    let checks = Checks {
        readiness: check("/ready"),
        ..Checks::default()
    };
    let (health, replacement) = register(&rig, &patient, checks);
    seen("the first pass", health.clone(), |health| {
        *health == Health::Healthy
    })
    .await;
    patient.ready.store(503, Ordering::SeqCst);
    seen("the failure", health.clone(), |health| {
        *health
            == Health::Unhealthy {
                reason: mismatch(503),
            }
    })
    .await;
    assert_eq!(*replacement.borrow(), None);
    patient.ready.store(200, Ordering::SeqCst);
    seen("the recovery", health, |health| *health == Health::Healthy).await;
    assert!(!replacement.has_changed().unwrap());
}

#[tokio::test]
async fn who_is_not_alive_is_to_be_replaced_and_keeps_its_requests() {
    let (rig, patient) = (Rig::new(), Patient::well());
    patient.alive.store(500, Ordering::SeqCst);
    let checks = Checks {
        liveness: check("/alive"),
        ..Checks::default()
    };
    let (health, replacement) = register(&rig, &patient, checks);
    seen("the verdict", replacement.clone(), |asked| {
        *asked == Some(mismatch(500))
    })
    .await;
    assert_eq!(*health.borrow(), Health::Healthy);
    assert_eq!(rig.get("/").await.status, 204);
    patient.alive.store(200, Ordering::SeqCst);
    seen("the recovery", replacement, Option::is_none).await;
}

#[tokio::test]
async fn nothing_else_is_checked_before_the_start() {
    let (rig, patient) = (Rig::new(), Patient::well());
    patient.started.store(404, Ordering::SeqCst);
    let checks = Checks {
        startup: check("/started"),
        liveness: check("/alive"),
        readiness: check("/ready"),
        ..Checks::default()
    };
    let (health, replacement) = register(&rig, &patient, checks);
    seen("the verdict", replacement.clone(), |asked| {
        *asked == Some(mismatch(404))
    })
    .await;
    assert_ne!(*health.borrow(), Health::Healthy);
    assert_eq!(patient.asked.load(Ordering::SeqCst), 0);
    patient.started.store(200, Ordering::SeqCst);
    seen("the start", health, |health| *health == Health::Healthy).await;
    assert_eq!(*replacement.borrow(), None);
    let checked = async {
        while patient.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    crate::support::within("a check of whether it is alive", checked).await;
}

#[tokio::test]
async fn in_the_time_of_grace_nobody_is_to_be_replaced() {
    let (rig, patient) = (Rig::new(), Patient::well());
    let checks = Checks {
        health: check("/ready"),
        grace: Duration::from_secs(3600),
        ..Checks::default()
    };
    let (health, replacement) = register(&rig, &patient, checks.clone());
    seen("the first pass", health.clone(), |health| {
        *health == Health::Healthy
    })
    .await;
    patient.ready.store(503, Ordering::SeqCst);
    seen("the failure", health, |health| {
        matches!(health, Health::Unhealthy { .. })
    })
    .await;
    assert_eq!(*replacement.borrow(), None);
    // Without, it is.
    rig.app.configure(GroupSpec {
        checks: Checks {
            grace: Duration::ZERO,
            ..checks
        },
        ..rig.app.spec()
    });
    seen("the verdict", replacement, |asked| *asked == Some(mismatch(503))).await;
}

#[tokio::test]
async fn new_checks_do_not_start_a_target_anew() {
    let (rig, patient) = (Rig::new(), Patient::well());
    let (health, _) = register(&rig, &patient, Checks::default());
    assert_eq!(*health.borrow(), Health::Healthy);
    patient.started.store(404, Ordering::SeqCst);
    rig.app.configure(GroupSpec {
        checks: Checks {
            startup: check("/started"),
            liveness: check("/alive"),
            ..Checks::default()
        },
        ..rig.app.spec()
    });
    let checked = async {
        while patient.asked.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
    };
    crate::support::within("a check of whether it is alive", checked).await;
    assert_eq!(*health.borrow(), Health::Healthy);
}
