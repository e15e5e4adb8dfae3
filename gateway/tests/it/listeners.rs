//! Listeners that come, change and go while others, and their own connections, go on.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpStream, sync::Semaphore};
use wharf_gateway::{Closed, Config, Gateway, Limits, ListenerError, ListenerName, ListenerSpec, Threads};

use crate::{
    certificates::Files,
    support::{Closure, LISTENER, Log, Place, Raw, Rig, local, ok, routing, rule, within},
};

const LONG: Duration = Duration::from_secs(60);

fn name(name: &str) -> ListenerName {
    name.parse().unwrap()
}

async fn refuses(address: SocketAddr) {
    within("a refusal", async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn answering() -> Rig {
    Rig::answering(|_| async { Ok(ok("hello")) })
}

#[tokio::test]
async fn a_listener_opens_and_closes_while_others_go_on() {
    let rig = answering();
    let mut staying = rig.connect().await;
    assert_eq!(staying.get("/").await.status, 200);

    let place = Place::hold();
    let address = place.address;
    let second = ListenerSpec::http(name("second"), address);
    assert_eq!(rig.gateway.open(second.clone()).unwrap(), address);
    assert_eq!(rig.gateway.local_addr(&name("second")), Some(address));
    let mut client = Raw::connect(address).await;
    client.get("/").await;
    assert_eq!(rig.log.lines(2).await[1]["listener"], "second");
    let statuses = rig.gateway.listeners();
    let seen: Vec<_> = statuses
        .iter()
        .map(|status| (status.name.as_str(), status.address, status.connections))
        .collect();
    assert_eq!(seen, [(LISTENER, rig.address(), 1), ("second", address, 1)]);

    let closed = rig.gateway.close(&name("second"), LONG).await.unwrap();
    assert_eq!(closed, Closed::Drained);
    assert!(client.is_closed().await);
    refuses(address).await;
    assert_eq!(rig.gateway.local_addr(&name("second")), None);
    assert_eq!(staying.get("/").await.status, 200, "the other did not notice");

    // The name is free again, and so is the address.
    assert_eq!(rig.gateway.open(second).unwrap(), address);
}

#[tokio::test]
async fn a_closing_listener_lets_requests_finish_or_cuts_them() {
    let gate = Arc::new(Semaphore::new(0));
    let held = gate.clone();
    let target = Closure::new(move |_| {
        let gate = held.clone();
        async move {
            gate.acquire().await.unwrap().forget();
            Ok(ok("done"))
        }
    });
    let rig = Rig::new();
    rig.register("t1", &target);
    let called = async |calls: u32| {
        within("the call", async {
            while target.calls() < calls {
                tokio::task::yield_now().await;
            }
        })
        .await;
    };
    let get = "GET / HTTP/1.1\r\nHost: app.test\r\n\r\n";
    let mut busy = rig.connect().await;
    busy.send(get).await;
    called(1).await;
    let (main, address) = (name(LISTENER), rig.address());
    let closing = rig.gateway.close(&main, LONG);
    let finishing = async {
        refuses(address).await;
        gate.add_permits(1);
        assert_eq!(busy.answer().await.body, "done");
    };
    let (closed, ()) = futures_util::future::join(closing, finishing).await;
    assert_eq!(closed.unwrap(), Closed::Drained);

    let address = rig.gateway.open(local(LISTENER)).unwrap();
    let mut busy = Raw::connect(address).await;
    busy.send(get).await;
    called(2).await;
    let closed = rig.gateway.close(&main, Duration::ZERO).await.unwrap();
    assert_eq!(closed, Closed::Cut { connections: 1 });
    assert!(busy.is_closed().await);
}

#[tokio::test]
async fn new_limits_are_for_new_connections() {
    let rig = answering();
    let mut before = rig.connect().await;
    assert_eq!(before.get("/").await.status, 200);
    let address = rig.address();
    let spec = ListenerSpec {
        limits: Limits {
            request_line: 30,
            ..Limits::default()
        },
        ..local(LISTENER)
    };
    assert_eq!(
        rig.gateway.reconfigure(&spec).unwrap(),
        address,
        "port 0 is where it was"
    );
    let long = format!("/{}", "x".repeat(100));
    assert_eq!(
        before.get(&long).await.status,
        200,
        "open connections keep theirs"
    );
    assert_eq!(rig.get(&long).await.status, 414);
}

#[tokio::test]
async fn more_places_let_those_in_who_wait() {
    let spec = |connections| ListenerSpec {
        limits: Limits {
            connections,
            ..Limits::default()
        },
        ..local(LISTENER)
    };
    let rig = Rig::at(spec(1));
    rig.register("t1", &Closure::saying("hello"));
    let mut first = rig.connect().await;
    assert_eq!(first.get("/").await.status, 200);
    let mut second = rig.connect().await;
    second.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    assert_eq!(first.get("/").await.status, 200);
    assert_eq!(
        rig.log.lines(2).await.len(),
        2,
        "there is no place for the second"
    );
    rig.gateway.reconfigure(&spec(2)).unwrap();
    assert_eq!(second.answer().await.status, 200);
}

#[tokio::test]
async fn a_new_address_is_taken_before_the_old_one_is_left() {
    let rig = answering();
    let old = rig.address();
    let mut staying = rig.connect().await;
    assert_eq!(staying.get("/").await.status, 200);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let moved = ListenerSpec::http(name(LISTENER), free.local_addr().unwrap());
    // Taken still: nothing changes.
    let error = rig.gateway.reconfigure(&moved).unwrap_err();
    assert!(matches!(error, ListenerError::Bind { .. }), "{error}");
    assert_eq!(rig.address(), old);
    assert_eq!(rig.get("/").await.status, 200);

    drop(free);
    // Whoever has connected to the old address is served, accepted already or not.
    let mut waiting = Raw::connect(old).await;
    assert_eq!(rig.gateway.reconfigure(&moved).unwrap(), moved.address);
    assert_eq!(rig.address(), moved.address);
    assert_eq!(waiting.get("/").await.status, 200);
    assert_eq!(rig.get("/").await.status, 200);
    assert_eq!(staying.get("/").await.status, 200);
    refuses(old).await;
}

/// Whoever comes meets one of the two at either address, and is answered.
#[tokio::test]
async fn listeners_exchange_their_addresses_and_nobody_is_refused() {
    let rig = answering();
    let one = rig.address();
    let two = rig.gateway.open(local("second")).unwrap();
    let mut rules = routing(vec![rule("all", 1, "", "", "app")]);
    let mut of_second = routing(vec![rule("second", 1, "", "", "app")]).listeners;
    of_second[0].listener = name("second");
    rules.listeners.append(&mut of_second);
    rig.gateway.apply(rules).unwrap();
    let at = |main: SocketAddr, second: SocketAddr| {
        [
            ListenerSpec::http(name(LISTENER), main),
            ListenerSpec::http(name("second"), second),
        ]
    };
    let served = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut clients = tokio::task::JoinSet::new();
    for address in [one, two] {
        let served = served.clone();
        clients.spawn(async move {
            loop {
                let answer = Raw::connect(address).await.get("/").await;
                assert_eq!(answer.status, 200);
                served.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        });
    }
    for round in 1..=20 {
        let (main, second) = if round % 2 == 0 { (one, two) } else { (two, one) };
        // Whoever waits there is let in by the one that comes.
        let mut waiting = Raw::connect(one).await;
        rig.gateway.reconfigure_all(&at(main, second)).unwrap();
        let are = [LISTENER, "second"].map(|name| rig.gateway.local_addr(&name.parse().unwrap()).unwrap());
        assert_eq!(are, [main, second]);
        assert_eq!(waiting.get("/").await.status, 200);
        let before = served.load(std::sync::atomic::Ordering::SeqCst);
        within("clients that go on", async {
            while served.load(std::sync::atomic::Ordering::SeqCst) < before + 4 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
    assert!(clients.try_join_next().is_none(), "each was answered");
    // Who comes now meets the one that is there.
    let mut last = Raw::connect(one).await;
    last.get("/last").await;
    clients.abort_all();
    let line = within("its line", async {
        loop {
            let lines = rig.log.lines(1).await;
            if let Some(line) = lines.into_iter().find(|line| line["path"] == "/last") {
                break line;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(line["listener"], LISTENER);
    // Only those who go leave a place.
    let error = rig.gateway.reconfigure_all(&at(two, two)).unwrap_err();
    assert!(matches!(error, ListenerError::Bind { .. }), "{error}");
    assert_eq!((rig.address(), rig.get("/").await.status), (one, 200));
}

#[tokio::test]
async fn mistakes_are_told() {
    let rig = answering();
    let said = |result: Result<SocketAddr, ListenerError>| result.unwrap_err().to_string();
    assert_eq!(
        said(rig.gateway.open(local(LISTENER))),
        "listener `main` is open already"
    );
    assert_eq!(
        said(rig.gateway.reconfigure(&local("other"))),
        "there is no listener `other`"
    );
    assert_eq!(
        rig.gateway
            .close(&name("other"), LONG)
            .await
            .unwrap_err()
            .to_string(),
        "there is no listener `other`"
    );
    assert_eq!(
        said(rig.gateway.open(ListenerSpec::http(name("other"), rig.address()))),
        format!(
            "listener `other` cannot listen on {}: choose another address or stop what holds it",
            rig.address()
        )
    );
    let zero = ListenerSpec {
        limits: Limits {
            connections: 0,
            ..Limits::default()
        },
        ..local("zero")
    };
    assert_eq!(
        said(rig.gateway.open(zero)),
        "listener `zero`: the limit `connections` is 0, which would refuse every request: set it to at least 1"
    );
    assert_eq!(rig.gateway.listeners().len(), 1, "nothing is left of those");
}

#[tokio::test]
async fn if_one_listener_cannot_be_opened_none_is() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::hold();
    let good = place.address;
    let here = tokio::runtime::Handle::current();
    let threads = Threads {
        control: here.clone(),
        serve: here,
    };
    let config = Config {
        listeners: vec![
            ListenerSpec::http(name("good"), good),
            ListenerSpec::http(name("bad"), taken.local_addr().unwrap()),
        ],
        ..Config::default()
    };
    Gateway::build(config, threads, Arc::new(Log::default())).unwrap_err();
    refuses(good).await;
}

#[tokio::test]
async fn a_listener_in_its_own_way_is_said_to_be_and_stays() {
    let rig = answering();
    let address = rig.address();
    let everywhere = std::net::SocketAddr::from(([0, 0, 0, 0], address.port()));
    let spec = ListenerSpec {
        address: everywhere,
        ..local(LISTENER)
    };
    let error = rig.gateway.reconfigure(&spec).unwrap_err();
    let said = format!(
        "listener `main` cannot move from {address} to {everywhere}: the system lets nobody listen on both"
    );
    assert!(error.to_string().starts_with(&said), "{error}");
    assert_eq!((rig.address(), rig.get("/").await.status), (address, 200));
}

/// A file that is slow to read is a pipe nobody has written to.
#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_the_files_of_a_listener_that_is_changed() {
    let files = Files::new();
    files.ecdsa("a", &["a.test"]);
    let rig = Arc::new(Rig::at(files.spec(&["a"])));
    let slow = files.pair("slow");
    let made = std::process::Command::new("mkfifo")
        .arg(&slow.cert)
        .status()
        .unwrap();
    assert!(made.success());
    let spec = files.spec(&["slow"]);
    let changing = tokio::task::spawn_blocking({
        let rig = rig.clone();
        move || rig.gateway.reconfigure(&spec).map_err(|error| error.to_string())
    });
    // Opening it for writing takes until somebody reads.
    let pipe = tokio::task::spawn_blocking(move || std::fs::OpenOptions::new().write(true).open(slow.cert));
    let pipe = within("the reader", pipe).await.unwrap().unwrap();
    let listed = tokio::task::spawn_blocking({
        let rig = rig.clone();
        move || rig.gateway.listeners().len()
    });
    let listed = tokio::time::timeout(Duration::from_secs(10), listed).await;
    // Before anything can fail, or the test would wait for its reader.
    drop(pipe);
    let changed = within("the change", changing).await.unwrap();
    assert_eq!(listed.unwrap().unwrap(), 1);
    assert_eq!(
        changed,
        Err("listener `main`: its certificates cannot be used".to_owned())
    );
}

#[tokio::test]
async fn who_has_no_place_when_a_listener_moves_is_turned_away_and_counted() {
    let rig = Rig::with(Limits {
        connections: 1,
        ..Limits::default()
    });
    rig.register("t1", &Closure::saying("hello"));
    let mut staying = rig.connect().await;
    assert_eq!(staying.get("/").await.status, 200);
    let mut waiting = rig.connect().await;
    let place = Place::hold();
    let mut spec = ListenerSpec::http(name(LISTENER), place.address);
    spec.limits.connections = 1;
    rig.gateway.reconfigure(&spec).unwrap();
    assert!(waiting.is_closed().await);
    let counted = r#"wharf_listener_connections_rejected_total{listener="main"} 1"#;
    let metrics = rig.gateway.metrics();
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    assert_eq!(staying.get("/").await.status, 200);
}
