//! What the tests share: a gateway on port 0, targets made of closures, a log to look into, a raw client.

mod raw;

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use http::{Request, Response, StatusCode};
use serde_json::Value;
use tokio::{net::TcpSocket, runtime::Handle, sync::watch};
use wharf_gateway::{
    AccessEntry, AccessLog, Action, Body, Checks, Condition, Conditions, Config, Gateway, GroupSpec, Health,
    HealthSpec, HostMatch, Limits, ListenerRules, ListenerSpec, Load, PathMatch, Precedence, Priority,
    Routing, RuleSpec, Scheme, Target, TargetError, TargetErrorKind, TargetGroup, TargetWeight, Threads,
    Usage, body,
};

pub(crate) use self::raw::{Answer, Raw};

/// Long enough for the slowest machine; nothing waits this long unless it is broken.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("waited in vain for {what}"),
    }
}

/// The name of the listener every test has.
pub(crate) const LISTENER: &str = "main";

/// An HTTP listener of that name on a free port.
pub(crate) fn local(name: &str) -> ListenerSpec {
    ListenerSpec::http(name.parse().unwrap(), ([127, 0, 0, 1], 0).into())
}

/// An address of this test alone: bound, and refusing whoever connects until somebody listens there.
pub(crate) struct Place {
    pub(crate) address: SocketAddr,
    _held: TcpSocket,
}

impl Place {
    pub(crate) fn hold() -> Self {
        let held = TcpSocket::new_v4().unwrap();
        // As a listener does: both can be bound so, and nobody else is given the port.
        held.set_reuseaddr(true).unwrap();
        held.bind(([127, 0, 0, 1], 0).into()).unwrap();
        Self {
            address: held.local_addr().unwrap(),
            _held: held,
        }
    }
}

/// A gateway with one group, `app`, that every request goes to.
pub(crate) struct Rig {
    pub(crate) gateway: Gateway,
    pub(crate) log: Arc<Log>,
    pub(crate) app: Arc<TargetGroup>,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(crate) fn with(limits: Limits) -> Self {
        Self::at(ListenerSpec {
            limits,
            ..local(LISTENER)
        })
    }

    pub(crate) fn on(limits: Limits, threads: Threads) -> Self {
        let spec = ListenerSpec {
            limits,
            ..local(LISTENER)
        };
        Self::listening(spec, threads)
    }

    /// With this listener, which has to be called [`LISTENER`].
    pub(crate) fn at(spec: ListenerSpec) -> Self {
        let here = Threads {
            control: Handle::current(),
            serve: Handle::current(),
        };
        Self::listening(spec, here)
    }

    fn listening(spec: ListenerSpec, threads: Threads) -> Self {
        let log = Arc::new(Log::default());
        let config = Config {
            listeners: vec![spec],
            ..Config::default()
        };
        let gateway = Gateway::build(config, threads, log.clone()).unwrap();
        let app = gateway
            .groups()
            .create("app".parse().unwrap(), GroupSpec::default())
            .unwrap();
        gateway
            .apply(routing(vec![rule("all", 100, "", "", "app")]))
            .unwrap();
        Self { gateway, log, app }
    }

    /// With one target made of `answer`.
    pub(crate) fn answering<F, A>(answer: F) -> Self
    where
        F: Fn(Request<Body>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response<Body>, TargetError>> + Send + 'static,
    {
        let rig = Self::new();
        rig.register("t1", &Closure::new(answer));
        rig
    }

    pub(crate) fn register(&self, id: &str, target: &Arc<Closure>) -> watch::Receiver<Health> {
        self.register_any(id, target.clone())
    }

    pub(crate) fn register_any(&self, id: &str, target: Arc<dyn Target>) -> watch::Receiver<Health> {
        let weight = TargetWeight::default();
        self.app.register(id.parse().unwrap(), target, weight).unwrap()
    }

    /// Has targets checked from now on.
    pub(crate) fn check(&self, health: HealthSpec) {
        self.app.configure(GroupSpec {
            checks: Checks::health(health),
            ..self.app.spec()
        });
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.gateway.local_addr(&LISTENER.parse().unwrap()).unwrap()
    }

    pub(crate) async fn connect(&self) -> Raw {
        Raw::connect(self.address()).await
    }

    /// One GET on a connection of its own.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.connect().await.get(path).await
    }
}

pub(crate) fn rule(name: &str, priority: u32, host: &str, path: &str, group: &str) -> RuleSpec {
    let precedence = Precedence::Explicit(Priority::new(priority).unwrap());
    let conditions = Conditions {
        host: host
            .split_whitespace()
            .map(|host| HostMatch::pattern(host).unwrap())
            .collect(),
        path: path
            .split_whitespace()
            .map(|path| PathMatch::pattern(path).unwrap())
            .collect(),
        ..Conditions::default()
    };
    let action = Action::forward(group.parse().unwrap());
    RuleSpec::new(name.parse().unwrap(), precedence, conditions, action)
}

/// These rules on the listener every test has.
pub(crate) fn routing(rules: Vec<RuleSpec>) -> Routing {
    let listeners = vec![ListenerRules {
        listener: LISTENER.parse().unwrap(),
        scheme: Scheme::Http,
        port: None,
        rules: rules.into_iter().map(Arc::new).collect(),
        default: Action::NotFound,
    }];
    Routing { listeners }
}

type Called = BoxFuture<'static, Result<Response<Body>, TargetError>>;

/// A target made of a closure.
pub(crate) struct Closure {
    answer: Box<dyn Fn(Request<Body>) -> Called + Send + Sync>,
    pub(crate) calls: AtomicU32,
    condition: Mutex<Condition>,
}

impl Closure {
    pub(crate) fn new<F, A>(answer: F) -> Arc<Self>
    where
        F: Fn(Request<Body>) -> A + Send + Sync + 'static,
        A: Future<Output = Result<Response<Body>, TargetError>> + Send + 'static,
    {
        Arc::new(Self {
            answer: Box::new(move |request| Box::pin(answer(request))),
            calls: AtomicU32::new(0),
            condition: Mutex::new(Condition::Fit),
        })
    }

    /// Always answers 200 with this text.
    pub(crate) fn saying(text: &'static str) -> Arc<Self> {
        Self::new(move |_| async move { Ok(ok(text)) })
    }

    pub(crate) fn set_condition(&self, condition: Condition) {
        *self.condition.lock().unwrap() = condition;
    }

    pub(crate) fn calls(&self) -> u32 {
        self.calls.load(Ordering::SeqCst)
    }

    /// Waits until it has been called so often.
    pub(crate) async fn called(&self, times: u32) {
        within("the call", async {
            while self.calls() < times {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

impl Target for Closure {
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        (self.answer)(request)
    }

    fn load(&self) -> Load {
        Load {
            in_flight: 1,
            queued: 2,
            cpu_credit: 0.5,
        }
    }

    fn condition(&self) -> Condition {
        self.condition.lock().unwrap().clone()
    }
}

pub(crate) fn ok(text: impl Into<bytes::Bytes>) -> Response<Body> {
    Response::new(body::full(text))
}

pub(crate) fn status(code: u16) -> Response<Body> {
    let mut response = ok("");
    *response.status_mut() = StatusCode::from_u16(code).unwrap();
    response
}

pub(crate) fn failure(kind: TargetErrorKind) -> TargetError {
    let usage = Usage {
        cpu_us: Some(7),
        peak_memory: Some(8),
    };
    TargetError {
        kind,
        reason: "guest says: s3cret".into(),
        usage,
    }
}

/// Keeps every line.
#[derive(Default)]
pub(crate) struct Log {
    lines: watch::Sender<Vec<Value>>,
}

impl AccessLog for Log {
    fn record(&self, entry: &AccessEntry<'_>) {
        let mut line = Vec::new();
        entry.write_line(&mut line);
        let line = serde_json::from_slice(&line).unwrap();
        self.lines.send_modify(|lines| lines.push(line));
    }
}

impl Log {
    /// The first `count` lines, once they are there.
    pub(crate) async fn lines(&self, count: usize) -> Vec<Value> {
        let mut lines = self.lines.subscribe();
        let lines = within("log lines", lines.wait_for(|lines| lines.len() >= count))
            .await
            .unwrap();
        lines.clone()
    }

    /// The one line there is to be.
    pub(crate) async fn line(&self) -> Value {
        let mut lines = self.lines(1).await;
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }
}

/// Sets a flag when dropped.
pub(crate) struct Dropped(watch::Sender<bool>);

impl Dropped {
    pub(crate) fn new() -> (Self, watch::Receiver<bool>) {
        let (sender, receiver) = watch::channel(false);
        (Self(sender), receiver)
    }
}

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

pub(crate) async fn seen<T>(what: &str, mut watched: watch::Receiver<T>, is: impl FnMut(&T) -> bool) {
    within(what, watched.wait_for(is))
        .await
        .map(|_| ())
        .unwrap_or_else(|_| panic!("{what} never came"));
}
