//! Rules and targets change under load, and no request is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use wharf_gateway::{Drained, GroupSpec, TargetError, TargetErrorKind, TargetWeight, Usage};

use crate::support::{Closure, Raw, Rig, ok, routing, rule, within};

/// A target that fails every request once it is stopped, as tasks do.
fn stoppable() -> (Arc<Closure>, Arc<AtomicBool>) {
    let stopped = Arc::new(AtomicBool::new(false));
    let flag = stopped.clone();
    let target = Closure::new(move |_| {
        let flag = flag.clone();
        async move {
            for _ in 0..3 {
                tokio::task::yield_now().await;
                if flag.load(Ordering::SeqCst) {
                    let (kind, usage) = (TargetErrorKind::Stopping, Usage::default());
                    return Err(TargetError {
                        kind,
                        reason: "stopped".into(),
                        usage,
                    });
                }
            }
            Ok(ok("served"))
        }
    });
    (target, stopped)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_rules_and_targets_are_replaced() {
    const ROUNDS: u32 = 200;
    let rig = Rig::new();
    rig.gateway
        .groups()
        .create("other".parse().unwrap(), GroupSpec::default())
        .unwrap();
    let other = rig.gateway.groups().get(&"other".parse().unwrap()).unwrap();
    other
        .register(
            "o".parse().unwrap(),
            Closure::saying("served"),
            TargetWeight::default(),
        )
        .unwrap();
    let (mut target, mut stopped) = stoppable();
    rig.register("t0", &target);

    let done = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..4)
        .map(|_| {
            let (address, done) = (rig.address(), done.clone());
            tokio::spawn(async move {
                let mut client = Raw::connect(address).await;
                let mut served = 0;
                while !done.load(Ordering::SeqCst) {
                    let answer = client.get("/").await;
                    assert_eq!(
                        (answer.status, answer.body.as_str()),
                        (200, "served"),
                        "{answer:?}"
                    );
                    served += 1;
                }
                served
            })
        })
        .collect();

    for round in 1..=ROUNDS {
        let (next, next_stopped) = stoppable();
        rig.register(&format!("t{round}"), &next);
        let group = if round % 2 == 0 { "app" } else { "other" };
        let mut rules = vec![rule("all", 100, "", "", group)];
        rules.extend((1..=50).map(|n| rule(&format!("r{n}"), n, &format!("h{n}.test"), "", "app")));
        rig.gateway.apply(routing(rules)).unwrap();
        // The old one is stopped as soon as it is said to be idle: then nothing may reach it.
        let id = format!("t{}", round - 1).parse().unwrap();
        let drain = rig.app.deregister(&id, Duration::from_secs(60)).unwrap();
        assert_eq!(within("the drain", drain).await, Drained::Idle);
        stopped.store(true, Ordering::SeqCst);
        (target, stopped) = (next, next_stopped);
        tokio::task::yield_now().await;
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        assert!(within("a client", client).await.unwrap() > 0);
    }
    drop(target);
}
