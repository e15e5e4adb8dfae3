//! What the tests share: a gateway on port 0, targets made of closures, a log to look into, a raw client.

use std::{
    io,
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
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::Handle,
    sync::watch,
};
use wharf_gateway::{
    AccessEntry, AccessLog, Action, Body, Checks, Condition, Conditions, Config, Gateway, GroupSpec, Health,
    HealthSpec, HostMatch, Limits, ListenerRules, ListenerSpec, Load, PathMatch, Precedence, Priority,
    Routing, RuleSpec, Scheme, Target, TargetError, TargetErrorKind, TargetGroup, TargetWeight, Threads,
    Usage, body,
};

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

/// A client that writes what it is told, byte by byte, and reads HTTP/1.
pub(crate) struct Raw {
    stream: TcpStream,
    read: Vec<u8>,
}

/// A response as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: String,
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            found.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    /// The gateway's own error, checked for its form.
    pub(crate) fn error(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap();
        let fields: Vec<_> = body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["error", "requestId"], "{self:?}");
        assert!(!body["requestId"].as_str().unwrap().is_empty());
        body["error"].as_str().unwrap().to_owned()
    }
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self {
            stream: TcpStream::connect(address).await.unwrap(),
            read: Vec::new(),
        }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends even what nobody takes any more.
    pub(crate) async fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"))
            .await;
        self.answer().await
    }

    /// Reads more; false at the end.
    async fn more(&mut self) -> bool {
        let count = within("bytes", self.stream.read_buf(&mut self.read))
            .await
            .unwrap_or(0);
        count > 0
    }

    /// Everything up to and including `end`.
    pub(crate) async fn until(&mut self, end: &str) -> String {
        loop {
            if let Some(at) = self
                .read
                .windows(end.len())
                .position(|bytes| bytes == end.as_bytes())
            {
                let taken: Vec<_> = self.read.drain(..at + end.len()).collect();
                return String::from_utf8(taken).unwrap();
            }
            let read = String::from_utf8_lossy(&self.read).into_owned();
            assert!(self.more().await, "ended before {end:?}: {read:?}");
        }
    }

    /// A whole response.
    pub(crate) async fn answer(&mut self) -> Answer {
        let head = self.until("\r\n\r\n").await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut answer = Answer {
            head,
            status,
            body: String::new(),
        };
        if answer.header("transfer-encoding") == Some("chunked") {
            answer.body = self.chunks().await;
        } else if let Some(length) = answer.header("content-length") {
            let length = length.parse().unwrap();
            while self.read.len() < length {
                assert!(self.more().await, "the body ended early: {answer:?}");
            }
            answer.body = String::from_utf8(self.read.drain(..length).collect()).unwrap();
        }
        answer
    }

    async fn chunks(&mut self) -> String {
        let mut body = String::new();
        loop {
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                return body;
            }
            body.push_str(&chunk);
        }
    }

    /// One chunk; empty is the end.
    pub(crate) async fn chunk(&mut self) -> String {
        let size = self.until("\r\n").await;
        let size = usize::from_str_radix(size.trim_end(), 16).unwrap();
        while self.read.len() < size + 2 {
            assert!(self.more().await, "a chunk ended early");
        }
        let chunk = self.read.drain(..size + 2).take(size).collect();
        String::from_utf8(chunk).unwrap()
    }

    /// So many bytes.
    pub(crate) async fn take(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await, "ended early: {:?}", self.read);
        }
        self.read.drain(..count).collect()
    }

    /// Says that nothing more will be sent.
    pub(crate) async fn finish(&mut self) {
        self.stream.shutdown().await.unwrap();
    }

    /// Whether the server has closed, with nothing more said.
    pub(crate) async fn is_closed(&mut self) -> bool {
        !self.more().await && self.read.is_empty()
    }

    /// Everything until the server closes.
    pub(crate) async fn rest(&mut self) -> String {
        while self.more().await {}
        String::from_utf8_lossy(&std::mem::take(&mut self.read)).into_owned()
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
