//! The host a test pretends.

use super::answer::{Answer, Sent};
use super::executor;
use crate::client::{self, ErrorKind};
use crate::handler::boxed;
use crate::host::{Upstream, World, either, sleep};
use crate::{Body, Bytes, Error, Handler, IntoResponse, Method, Request, StatusCode, kv, log};
use bytes::BytesMut;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;

/// What a handler or a job sees of the world, as the test wants it.
pub struct Host {
    world: Rc<World>,
    timeout: Duration,
}

/// How a service that is called [fails](Host::failing_upstream).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failing {
    /// The task definition's `egress` does not allow it. So do services that the host knows nothing of.
    Denied,
    /// It does not answer in time.
    TimedOut,
    /// It cannot be reached.
    Unreachable,
    /// It breaks the connection instead of answering.
    Broken,
}

impl Failing {
    pub(crate) fn error(self, place: String) -> client::Error {
        match self {
            Self::Denied => client::Error::denied(place),
            Self::TimedOut => client::Error::new(ErrorKind::Timeout, place, "http response timeout".into()),
            Self::Unreachable => {
                client::Error::new(ErrorKind::Unreachable, place, "connection refused".into())
            }
            Self::Broken => client::Error::new(ErrorKind::Answer, place, "connection terminated".into()),
        }
    }
}

impl Default for Host {
    /// As [`Host::new`].
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// A host with nothing in it: no environment, no secrets, no other service. Requests may take 30 s, as they do
    /// without a `timeout` in `wharf.toml`.
    #[must_use]
    pub fn new() -> Self {
        log::install();
        Self {
            world: Rc::default(),
            timeout: Duration::from_secs(30),
        }
    }

    /// Sets a variable, as under `env` in `wharf.toml`.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.world().env.insert(name.to_owned(), value.into());
        self
    }

    /// Grants a secret, as under `secrets` in `wharf.toml`.
    #[must_use]
    pub fn secret(self, name: &str, value: impl Into<String>) -> Self {
        // As in a component, where both are in the environment.
        self.env(name, value)
    }

    /// A service that can be called, as under `egress` in `wharf.toml`: scheme, host and port, and what answers for it.
    #[must_use]
    pub fn upstream<H: Handler<M>, M: 'static>(mut self, origin: &str, handler: H) -> Self {
        let answering = Upstream::Answering(boxed(handler).into());
        self.world().upstreams.insert(origin.to_owned(), answering);
        self
    }

    /// A service that can be called, and fails.
    #[must_use]
    pub fn failing_upstream(mut self, origin: &str, how: Failing) -> Self {
        self.world()
            .upstreams
            .insert(origin.to_owned(), Upstream::Failing(how));
        self
    }

    /// What the service keeps already, under this key.
    ///
    /// # Panics
    /// If it makes no JSON.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "in native tests only, where it is the way to say it"
    )]
    pub fn kv<T: Serialize + ?Sized>(mut self, key: &str, value: &T) -> Self {
        let value = serde_json::to_vec(value).expect("a value that makes JSON");
        self.world().kept.get_mut().preset(key, value.into());
        self
    }

    /// Whatever is read or written of the service's data fails.
    #[must_use]
    pub fn failing_kv(mut self, kind: kv::ErrorKind) -> Self {
        self.world().kept.get_mut().failing = Some(kind);
        self
    }

    /// How long a request may take, as `timeout` in `wharf.toml`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// When a worker is asked to stop: how long after the host's start.
    #[must_use]
    pub fn stop_after(mut self, time: Duration) -> Self {
        self.world().stop_after = Some(time);
        self
    }

    /// Sets the host up further. Afterwards it is shared with what runs in it.
    #[expect(
        clippy::expect_used,
        reason = "it is shared only while something runs, and that has borrowed the host"
    )]
    fn world(&mut self) -> &mut World {
        Rc::get_mut(&mut self.world).expect("nothing runs in this host")
    }

    /// Answers a request as the server does: with what the handler gives, with its error's status and message, with 504
    /// when its time is up. The body is read to its end.
    pub fn call<H: Handler<M>, M>(&self, handler: H, request: impl Into<Request>) -> Answer {
        let request: Request = request.into();
        let head = *request.method() == Method::HEAD;
        self.block_on(async {
            let request = request.with_timeout(self.timeout);
            let headers = request.headers().clone();
            let _answering =
                log::Answering::new(move |name| Some(headers.get(name)?.to_str().ok()?.to_owned()));
            let mut late = Box::pin(sleep(self.timeout));
            let response = either(handler.call(request), &mut late).await;
            let response = response.unwrap_or_else(|| {
                Error::new(StatusCode::GATEWAY_TIMEOUT, "deadline passed").into_response()
            });
            let (status, headers, body) = response.into_parts();
            let (body, cut) = match head {
                true => (Bytes::new(), false),
                false => read(body, late).await,
            };
            Answer::new(status, headers, body, cut)
        })
    }

    /// Runs a future to its end: a job, or a part of a handler.
    ///
    /// ```
    /// use std::time::Duration;
    /// use wharf::{Pause, test::Host};
    ///
    /// async fn run() -> wharf::Result<()> {
    ///     let mut turns = 0;
    ///     while wharf::pause(Duration::from_secs(60)).await == Pause::Elapsed {
    ///         turns += 1;
    ///     }
    ///     assert_eq!(turns, 59);
    ///     Ok(())
    /// }
    ///
    /// let host = Host::new().stop_after(Duration::from_secs(3599));
    /// host.block_on(run()).unwrap();
    /// ```
    ///
    /// # Panics
    /// If the future waits for something that never comes.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        executor::block_on(&self.world, future)
    }

    /// The requests that were sent to other services, in their order, those that failed included.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        self.world.sent.borrow().clone()
    }

    /// What the service keeps under a key, now.
    ///
    /// # Panics
    /// If it is no such JSON.
    #[must_use]
    #[expect(
        clippy::expect_used,
        reason = "in native tests only, where it is the way to say it"
    )]
    pub fn kept<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let value = self.world.kept.borrow().look(key, self.elapsed())?;
        Some(serde_json::from_slice(&value).expect("a value of that type"))
    }

    /// The lines of the log, without what was printed. Empties it.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.world.log.take()
    }

    /// How much time has passed: what was slept and waited for.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.world.clock.get()
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

/// What there is of the body before it ends or breaks off, and whether it broke off.
async fn read(mut body: Body, late: impl Future<Output = ()>) -> (Bytes, bool) {
    let mut read = BytesMut::new();
    let whole = async {
        while let Some(chunk) = body.next().await? {
            read.extend_from_slice(&chunk);
        }
        Ok(())
    };
    let cut = match either(whole, late).await {
        Some(Ok(())) => false,
        Some(Err(error)) => {
            let error: crate::body::Cause = error;
            log::error_text(format_args!("the response was not sent to its end: {error}"));
            true
        }
        None => true,
    };
    (read.freeze(), cut)
}
