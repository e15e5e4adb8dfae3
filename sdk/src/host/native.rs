//! The world of a native test. What a [`crate::test::Host`] gives is there as long as it runs something; where none
//! does, only the process's environment is.

pub(crate) mod kv;

use crate::client::{self, Outgoing};
use crate::handler::AnyHandler;
use crate::test::{Failing, Sent};
use crate::{Body, Request};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::env::VarError;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

pub(crate) enum Upstream {
    Answering(Rc<dyn AnyHandler>),
    Failing(Failing),
}

#[derive(Default)]
pub(crate) struct World {
    pub(crate) env: BTreeMap<String, String>,
    /// By origin: `https://api.example.com`.
    pub(crate) upstreams: BTreeMap<String, Upstream>,
    pub(crate) stop_after: Option<Duration>,
    pub(crate) log: RefCell<Vec<String>>,
    pub(crate) sent: RefCell<Vec<Sent>>,
    pub(crate) kept: RefCell<kv::Kept>,
    /// Goes on when everything waits.
    pub(crate) clock: Cell<Duration>,
    timers: RefCell<BTreeMap<(Duration, u64), Waker>>,
    next_timer: Cell<u64>,
}

impl World {
    /// Lets time pass until the next timer is due. Says whether there is one.
    pub(crate) fn advance(&self) -> bool {
        let Some(((due, _), waker)) = self.timers.borrow_mut().pop_first() else {
            return false;
        };
        self.clock.set(self.clock.get().max(due));
        waker.wake();
        true
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<World>>> = const { RefCell::new(None) };
}

/// As long as this is there, a world is the current one.
pub(crate) struct Current(Option<Rc<World>>);

impl Current {
    pub(crate) fn enter(world: &Rc<World>) -> Self {
        Self(CURRENT.replace(Some(Rc::clone(world))))
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}

fn current() -> Option<Rc<World>> {
    CURRENT.with_borrow(Clone::clone)
}

#[expect(clippy::panic, reason = "in native tests only, where it is the way to say it")]
fn required(what: &str) -> Rc<World> {
    match current() {
        Some(world) => world,
        None => panic!("{what} needs a host: natively, call this in a `wharf::test::Host`"),
    }
}

pub(crate) fn env_var(name: &str) -> Result<String, VarError> {
    match current() {
        Some(world) => world.env.get(name).cloned().ok_or(VarError::NotPresent),
        None => std::env::var(name),
    }
}

pub(crate) fn log_line(line: String) {
    match current() {
        Some(world) => world.log.borrow_mut().push(line),
        None => eprintln!("{line}"),
    }
}

pub(crate) fn now() -> Duration {
    thread_local! {
        static START: Instant = Instant::now();
    }
    current().map_or_else(|| START.with(Instant::elapsed), |world| world.clock.get())
}

/// The middle, so that tests know what to expect.
pub(crate) fn random() -> u64 {
    u64::MAX / 2
}

pub(crate) async fn sleep(duration: Duration) {
    let world = required("sleeping");
    let number = world.next_timer.get();
    world.next_timer.set(number + 1);
    let due = world.clock.get().saturating_add(duration);
    poll_fn(|cx| {
        if world.clock.get() >= due {
            return Poll::Ready(());
        }
        // One that is dropped stays there, and wakes nobody who minds.
        world
            .timers
            .borrow_mut()
            .insert((due, number), cx.waker().clone());
        Poll::Pending
    })
    .await;
}

/// Ends when the host says so, or never.
pub(crate) async fn stopping() {
    match required("pausing").stop_after {
        Some(stop) => sleep(stop.saturating_sub(now())).await,
        None => std::future::pending().await,
    }
}

/// Asks the upstream of that origin.
pub(crate) async fn send(request: Outgoing) -> Result<http::Response<Body>, client::Error> {
    let world = required("an outgoing request");
    let place = request.place();
    let unusable = |error: crate::Error| client::Error::unusable(place.clone(), &error.to_string());
    let body = request.body.bytes().await.map_err(unusable)?;
    world.sent.borrow_mut().push(Sent {
        method: request.method.clone(),
        uri: request.uri.clone(),
        headers: request.headers.clone(),
        body: body.clone(),
    });
    let handler = match world.upstreams.get(&place) {
        Some(Upstream::Answering(handler)) => Rc::clone(handler),
        Some(Upstream::Failing(how)) => return Err(how.error(place)),
        None => return Err(Failing::Denied.error(place)),
    };
    let asked = Request::known(request.method, request.uri, request.headers, body.into());
    let (status, headers, body) = handler.answer(asked).await.into_parts();
    let mut answer = http::Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}
