//! Health checks: they take a request's path, and decide who gets requests.

mod grpc;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body::Frame;
use http_body_util::{BodyExt as _, StreamBody};
use wharf_gateway::{
    GroupSpec, Health, HealthPort, HealthReason, HealthSpec, Matcher, Upstream, UpstreamSpec, UpstreamVersion,
};

use crate::outside::{Outside, answer, nowhere, text};
use crate::support::{Closure, Rig, seen, status, within};

fn spec() -> HealthSpec {
    HealthSpec {
        interval: Duration::from_millis(5),
        ..HealthSpec::new("/health?deep=1".parse().unwrap())
    }
}

/// A target whose answer can be changed; 0 is none at all.
fn switchable(first: u16) -> (Arc<Closure>, Arc<AtomicU16>) {
    let answer = Arc::new(AtomicU16::new(first));
    let given = answer.clone();
    let target = Closure::new(move |_| {
        let code = given.load(Ordering::SeqCst);
        async move {
            if code == 0 {
                std::future::pending::<()>().await;
            }
            Ok(status(code))
        }
    });
    (target, answer)
}

#[tokio::test]
async fn a_target_follows_its_checks() {
    let rig = Rig::new();
    rig.check(spec());
    let (target, answer) = switchable(200);
    let health = rig.register("t1", &target);
    assert_eq!(*health.borrow(), Health::Initial);
    seen("the first pass", health.clone(), |health| {
        *health == Health::Healthy
    })
    .await;
    answer.store(503, Ordering::SeqCst);
    seen("the failure", health.clone(), |health| {
        *health
            == Health::Unhealthy {
                reason: HealthReason::ResponseCodeMismatch(503),
            }
    })
    .await;
    answer.store(399, Ordering::SeqCst);
    seen("the recovery", health.clone(), |health| {
        *health == Health::Healthy
    })
    .await;
}

#[tokio::test]
async fn one_pass_suffices_for_a_new_target_and_the_first_check_comes_at_once() {
    let rig = Rig::new();
    let never = Duration::from_secs(100_000);
    rig.check(HealthSpec {
        interval: never,
        healthy: 5.try_into().unwrap(),
        ..spec()
    });
    let health = rig.register("t1", &Closure::saying("fine"));
    seen("the first pass", health, |health| *health == Health::Healthy).await;
}

#[tokio::test]
async fn a_check_looks_like_one_and_is_not_in_the_access_log() {
    let rig = Rig::new();
    let (sender, requests) = tokio::sync::watch::channel(String::new());
    let target = Closure::new(move |request: http::Request<wharf_gateway::Body>| {
        let agent = request.headers()["user-agent"].to_str().unwrap().to_owned();
        sender.send_replace(format!("{} {} {agent}", request.method(), request.uri()));
        async { Ok(status(200)) }
    });
    rig.check(spec());
    let health = rig.register("t1", &target);
    seen("the first pass", health, |health| *health == Health::Healthy).await;
    assert_eq!(*requests.borrow(), "GET /health?deep=1 Wharf-HealthChecker/1.0");
    let mut client = rig.connect().await;
    client
        .send("GET /mine HTTP/1.1\r\nHost: app.test\r\nUser-Agent: me\r\n\r\n")
        .await;
    client.answer().await;
    assert_eq!(rig.log.line().await["path"], "/mine");
}

#[tokio::test]
async fn a_check_without_an_answer_times_out() {
    let rig = Rig::new();
    rig.check(HealthSpec {
        timeout: Duration::from_millis(5),
        ..spec()
    });
    let (target, _) = switchable(0);
    let health = rig.register("t1", &target);
    seen("the verdict", health, |health| {
        *health
            == Health::Unhealthy {
                reason: HealthReason::Timeout,
            }
    })
    .await;
}

#[tokio::test]
async fn a_check_that_traps_says_why() {
    let rig = Rig::new();
    rig.check(spec());
    let target =
        Closure::new(|_| async { Err(crate::support::failure(wharf_gateway::TargetErrorKind::Trapped)) });
    let health = rig.register("t1", &target);
    let reason = HealthReason::FailedHealthChecks("guest says: s3cret".into());
    seen("the verdict", health, |health| {
        *health
            == Health::Unhealthy {
                reason: reason.clone(),
            }
    })
    .await;
}

#[tokio::test]
async fn unhealthy_targets_get_nothing_while_one_is_healthy() {
    let rig = Rig::new();
    rig.check(spec());
    let (sick, _) = switchable(500);
    let health = rig.register("sick", &sick);
    seen("the verdict", health, |health| {
        matches!(health, Health::Unhealthy { .. })
    })
    .await;
    assert_eq!(rig.get("/").await.status, 500, "the only one there is");
    let well = rig.register("well", &Closure::saying("well"));
    seen("the first pass", well, |health| *health == Health::Healthy).await;
    for _ in 0..4 {
        assert_eq!(rig.get("/").await.body, "well");
    }
}

#[tokio::test]
async fn checks_can_be_changed_and_taken_away_and_targets_keep_their_traffic_meanwhile() {
    let rig = Rig::new();
    let (target, _) = switchable(204);
    let health = rig.register("t1", &target);
    assert_eq!(
        *health.borrow(),
        Health::Healthy,
        "without checks, alive is healthy"
    );
    rig.check(HealthSpec {
        matcher: Matcher::Http("200".parse().unwrap()),
        ..spec()
    });
    assert_eq!(
        *health.borrow(),
        Health::Healthy,
        "until the checks say otherwise"
    );
    seen("the verdict", health.clone(), |health| {
        matches!(health, Health::Unhealthy { .. })
    })
    .await;
    rig.app.configure(GroupSpec::default());
    assert_eq!(*health.borrow(), Health::Healthy);
}

#[tokio::test]
async fn a_changed_check_has_to_fail_as_often_as_it_says() {
    let rig = Rig::new();
    let (target, _) = switchable(500);
    let mut health = rig.register("t1", &target);
    health.mark_unchanged();
    rig.check(HealthSpec {
        unhealthy: 4.try_into().unwrap(),
        ..spec()
    });
    within("the verdict", health.changed()).await.unwrap();
    assert_eq!(health.borrow().state(), "unhealthy", "and nothing before");
    assert!(target.calls() >= 4, "{}", target.calls());
}

#[tokio::test]
async fn of_a_long_answer_only_the_beginning_is_read() {
    // To the end it would never come.
    let server = Outside::http(|_| async {
        let piece = || Ok(Frame::data(Bytes::from_static(&[0; 64 * 1024])));
        http::Response::new(StreamBody::new(futures_util::stream::repeat_with(piece)).boxed_unsync())
    })
    .await;
    let rig = Rig::new();
    rig.check(HealthSpec {
        unhealthy: 1.try_into().unwrap(),
        ..spec()
    });
    let mut health = rig.register_any("outside", server.target());
    within("the verdict", health.changed()).await.unwrap();
    assert_eq!(*health.borrow(), Health::Healthy);
}

/// A target that is busy is not ill.
#[tokio::test]
async fn a_check_needs_no_place_among_the_connections() {
    let server = Outside::http(|request| async move {
        if request.uri().path() == "/slow" {
            std::future::pending::<()>().await;
        }
        text("fine")
    })
    .await;
    let target = Upstream::new(UpstreamSpec {
        connections: 1,
        ..server.spec()
    });
    let rig = Rig::new();
    let health = rig.register_any("outside", target.unwrap());
    let mut client = rig.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    within("the connection", async {
        while server.accepted() == 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(rig.get("/").await.status, 503, "there is no other place");
    rig.check(HealthSpec {
        unhealthy: 1.try_into().unwrap(),
        ..spec()
    });
    within("three checks", async {
        while server.accepted() < 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(*health.borrow(), Health::Healthy);
}

#[tokio::test]
async fn changes_can_be_waited_for_over_all_groups() {
    let rig = Rig::new();
    let mut changes = rig.gateway.groups().changes();
    changes.mark_unchanged();
    rig.check(spec());
    rig.register("t1", &Closure::saying("fine"));
    let group = rig.gateway.groups().list().remove(0);
    within("the first pass", async {
        while group
            .targets()
            .first()
            .is_none_or(|target| target.health != Health::Healthy)
        {
            changes.changed().await.unwrap();
        }
    })
    .await;
}

/// ALB: `Host` is the target's own, the connection is closed after each check.
#[tokio::test]
async fn targets_outside_are_checked_over_connections_of_their_own() {
    let (sender, heads) = tokio::sync::watch::channel(Vec::<String>::new());
    let server = Outside::raw(move |mut stream, _| {
        let sender = sender.clone();
        async move {
            let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            while let Some(head) = answer(&mut stream, ok).await {
                sender.send_modify(|heads| heads.push(head));
            }
        }
    })
    .await;
    let rig = Rig::new();
    rig.check(spec());
    let health = rig.register_any("outside", server.target());
    seen("the first pass", health, |health| *health == Health::Healthy).await;
    seen("three checks", heads.clone(), |heads| heads.len() >= 3).await;
    assert!(server.accepted() >= 3, "one connection each");
    let head = heads.borrow()[0].to_lowercase();
    let address = server.address;
    assert!(head.starts_with("get /health?deep=1 http/1.1\r\n"), "{head}");
    for line in [
        format!("host: {address}"),
        "connection: close".into(),
        "user-agent: wharf-healthchecker/1.0".into(),
    ] {
        assert!(head.contains(&format!("\r\n{line}\r\n")), "{line} in {head}");
    }
}

#[tokio::test]
async fn another_port_can_be_checked() {
    let server = Outside::http(|_| async { text("requests") }).await;
    let checks = Outside::http(|_| async {
        let mut response = text("checks");
        *response.status_mut() = http::StatusCode::IM_A_TEAPOT;
        response
    })
    .await;
    let rig = Rig::new();
    rig.check(HealthSpec {
        port: HealthPort::Number(checks.address.port()),
        unhealthy: 1.try_into().unwrap(),
        matcher: Matcher::Http("200".parse().unwrap()),
        ..spec()
    });
    let health = rig.register_any("outside", server.target());
    seen("the verdict", health, |health| {
        *health
            == Health::Unhealthy {
                reason: HealthReason::ResponseCodeMismatch(418),
            }
    })
    .await;
    assert_eq!(server.accepted(), 0);
}

#[tokio::test]
async fn a_target_that_cannot_be_reached_fails_its_check() {
    let rig = Rig::new();
    rig.check(HealthSpec {
        unhealthy: 1.try_into().unwrap(),
        ..spec()
    });
    let (_place, dead) = nowhere();
    let health = rig.register_any("dead", dead);
    seen("the verdict", health.clone(), |health| {
        health.state() == "unhealthy"
    })
    .await;
    let reason = health.borrow().reason().unwrap();
    assert_eq!(reason.code(), "Target.FailedHealthChecks");
    assert!(
        reason
            .to_string()
            .starts_with("Health checks failed: cannot connect"),
        "{reason}"
    );
}
