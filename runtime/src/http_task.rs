//! A task that answers requests.
//!
//! A request's way: a place among the task's concurrent requests → an instance (a warm one, or room for a
//! fresh one) → the guest, polled on the connection's thread while it is quick → the head of the answer → the body,
//! streamed while the guest writes it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmtime_wasi_http::p2::bindings::ProxyPre;
use wasmtime_wasi_http::p2::bindings::http::types::Scheme;
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;
use wasmtime_wasi_http::{Error as WasiError, WasiBody};

use crate::Runtime;
use crate::artifact::{Artifact, Entry, World};
use crate::drive::{Guest, GuestFuture, drive};
use crate::error::{ActivateError, CallError};
use crate::failure::{Failure, FailureKind};
use crate::guest_state::GuestState;
use crate::spec::{Isolation, TaskSpec};
use crate::task::{Room, START_TIMEOUT, TaskCore, TaskUsage};

mod admission;
mod answer;
mod body;
mod flight;
mod instance;

use admission::{Admission, Place};
pub use body::{BodyError, GuestBody};
pub use flight::RequestUsage;
use flight::{Flight, Purpose};
use instance::{Instance, Tending, WARM_LIFETIME, WarmInstances};

/// A live task of the `wasi:http/proxy` world. Cheap to clone.
#[derive(Debug, Clone)]
pub struct HttpTask(Arc<Task>);

#[derive(Debug)]
struct Task {
    core: TaskCore,
    entry: HttpEntry,
    isolation: Isolation,
    admission: Admission,
    warm: WarmInstances,
    requests: AtomicU64,
    failures_in_a_row: AtomicU32,
    timeouts_in_a_row: AtomicU32,
}

/// What an HTTP artifact is instantiated from; the artifact is kept with it so that others can share it.
struct HttpEntry {
    pre: ProxyPre<GuestState>,
    _artifact: Artifact,
}

impl std::fmt::Debug for HttpEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HttpEntry")
    }
}

/// What the guest sends through its response-outparam.
type Head = Response<HyperOutgoingBody>;

/// A request that may run, and what it will run in.
struct Admitted {
    place: Place,
    lease: Lease,
}

enum Lease {
    Warm(Instance),
    Fresh(Room),
}

impl HttpTask {
    /// Makes one instance, to show that the task can run; drops it, or keeps it warm.
    ///
    /// # Errors
    /// An [`ActivateError`] that says whether waiting can help.
    pub async fn activate(
        runtime: &Arc<Runtime>,
        artifact: Artifact,
        spec: TaskSpec,
    ) -> Result<Self, ActivateError> {
        let Entry::Http(pre) = artifact.entry() else {
            return Err(ActivateError::wrong_world(World::Http));
        };
        let entry = HttpEntry {
            pre: pre.clone(),
            _artifact: artifact.clone(),
        };
        let task = Arc::new(Task {
            core: TaskCore::new(Arc::clone(runtime), &artifact, &spec)?,
            entry,
            isolation: spec.isolation,
            admission: Admission::new(spec.concurrency, spec.queue),
            warm: WarmInstances::default(),
            requests: AtomicU64::new(0),
            failures_in_a_row: AtomicU32::new(0),
            timeouts_in_a_row: AtomicU32::new(0),
        });
        task.start_first_instance().await?;
        Ok(Self(task))
    }

    /// Answers one request. Dropping the future, or the body of the answer before its end, drops the guest.
    ///
    /// # Errors
    /// A [`CallError`] whose kind says what went wrong; nothing of it is the guest's own words.
    pub async fn call<B>(&self, request: Request<B>) -> Result<Response<GuestBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.answer(request, Purpose::Service).await
    }

    /// Answers a health check, as [`Self::call`] does. What comes of it neither counts among the failures in a row nor
    /// ends them: a task that fails every request may pass its checks.
    ///
    /// # Errors
    /// As of [`Self::call`].
    pub async fn check<B>(&self, request: Request<B>) -> Result<Response<GuestBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.answer(request, Purpose::Check).await
    }

    async fn answer<B>(&self, request: Request<B>, purpose: Purpose) -> Result<Response<GuestBody>, CallError>
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let task = &self.0;
        let flight = Arc::new(Flight::new(purpose, task.core.meter()));
        let deadline = task.core.timeout.map(|timeout| Instant::now() + timeout);
        let answered = task.answer(into_wasi(request), &flight, deadline).await;
        answered.map_err(|failure| CallError::new(failure, RequestUsage::new(flight)))
    }

    /// What the task has used and holds.
    pub fn usage(&self) -> TaskUsage {
        let Task {
            core,
            admission,
            requests,
            failures_in_a_row,
            timeouts_in_a_row,
            ..
        } = &*self.0;
        TaskUsage {
            cpu: core.account.used(),
            throttled: core.account.throttled(),
            memory: core.envelope.used(),
            memory_peak: core.envelope.peak(),
            in_flight: admission.in_flight(),
            queued: admission.queued(),
            requests: requests.load(Ordering::Relaxed),
            failures_in_a_row: failures_in_a_row.load(Ordering::Relaxed),
            timeouts_in_a_row: timeouts_in_a_row.load(Ordering::Relaxed),
            cpu_credit: core.account.credit(),
        }
    }

    /// Resolves when no request is in flight.
    pub async fn idle(&self) {
        self.0.admission.idle().await;
    }

    /// Ends everything at once: requests in flight fail, waiting ones are turned away.
    pub fn stop(&self) {
        self.0.core.kill.cancel();
        self.0.core.stop.cancel();
        self.0.admission.close();
        self.0.warm.close();
    }
}

impl Task {
    async fn start_first_instance(self: &Arc<Self>) -> Result<(), ActivateError> {
        let room = self.core.room_for_start().await?;
        let (send, receive) = oneshot::channel();
        let task = Arc::clone(self);
        let meter = self.core.meter();
        let start: GuestFuture = Box::pin({
            let meter = Arc::clone(&meter);
            async move {
                let started = Instance::start(&task.core, &task.entry.pre, room, meter).await;
                // Nobody waits when the activation was given up.
                let _ = send.send(started);
            }
        });
        let guest = Guest::new(start, meter, Arc::clone(&self.core.runtime));
        let limit = self
            .core
            .timeout
            .map_or(START_TIMEOUT, |timeout| timeout.min(START_TIMEOUT));
        let driven = tokio::time::timeout(limit, drive(guest, Arc::clone(&self.core.account)));
        driven.await.map_err(|_| ActivateError::slow_start(limit))?;
        let instance = receive
            .await
            .map_err(|_| ActivateError::Failed("the start was given up".into()))??;
        self.core.observe(instance.state());
        if let Isolation::Task { .. } = self.isolation {
            self.keep_warm(instance);
        }
        Ok(())
    }

    /// A place and an instance for one request, waiting for either until the deadline.
    async fn admit(&self, deadline: Option<Instant>) -> Result<Admitted, Failure> {
        if let Some(place) = self.admission.try_enter()
            && let Some(lease) = self.try_lease()
        {
            return Ok(Admitted { place, lease });
        }
        let wait = async {
            let place = self.admission.enter().await?;
            let killed = || Failure::new(FailureKind::Stopping, "the task was stopped");
            let lease = self
                .core
                .kill
                .run_until_cancelled(self.lease())
                .await
                .ok_or_else(killed)?;
            Ok(Admitted { place, lease })
        };
        match deadline {
            None => wait.await,
            Some(deadline) => tokio::time::timeout_at(deadline, wait).await.unwrap_or_else(|_| {
                let reason = "no place or no memory became free before the request's deadline";
                Err(Failure::new(FailureKind::QueueDeadline, reason))
            }),
        }
    }

    /// An instance, or room for one, if nobody waits for either.
    fn try_lease(&self) -> Option<Lease> {
        let _turn = self.core.try_turn()?;
        self.warm
            .take()
            .map(Lease::Warm)
            .or_else(|| self.core.try_room().map(Lease::Fresh))
    }

    /// A warm instance or room for a fresh one, whichever is there first, in the order of arrival.
    async fn lease(&self) -> Lease {
        let _turn = self.core.turn().await;
        // Kept over the looks at the shelf: it has its place in line.
        let mut room = std::pin::pin!(self.core.room());
        loop {
            let freed = self.core.envelope.freed.notified();
            let mut freed = std::pin::pin!(freed);
            // Registered before the look, so that what is given back in between is not missed.
            freed.as_mut().enable();
            if let Some(instance) = self.warm.take() {
                return Lease::Warm(instance);
            }
            tokio::select! {
                room = room.as_mut() => return Lease::Fresh(room),
                () = freed => {}
            }
        }
    }

    /// The guest's part of a request, from its instance to its return.
    async fn serve(
        self: Arc<Self>,
        admitted: Admitted,
        request: Request<WasiBody>,
        head: oneshot::Sender<Head>,
        flight: Arc<Flight>,
    ) {
        let Admitted { place, lease } = admitted;
        let mut instance = match self.instance(lease, &flight).await {
            Ok(instance) => instance,
            Err(failure) => {
                self.failed(failure, &flight);
                return;
            }
        };
        match instance.handle(request, head, Arc::clone(&flight)).await {
            Ok(()) => {
                self.returned(&flight);
                self.core.observe(instance.state());
                self.give_back(instance);
            }
            Err(error) => {
                let failure = Failure::of_guest(&error, instance.state());
                self.core.observe(instance.state());
                // Before the instance goes, and the sender of the head with it: the caller looks here then.
                self.failed(failure, &flight);
            }
        }
        drop(place);
    }

    async fn instance(&self, lease: Lease, flight: &Arc<Flight>) -> Result<Instance, Failure> {
        let meter = Arc::clone(&flight.meter);
        let mut instance = match lease {
            Lease::Warm(instance) => instance,
            Lease::Fresh(room) => {
                Instance::start(&self.core, &self.entry.pre, room, Arc::clone(&meter)).await?
            }
        };
        instance.begin_request(meter, Arc::clone(&flight.peak_memory));
        Ok(instance)
    }

    fn give_back(self: &Arc<Self>, instance: Instance) {
        let Isolation::Task { max_requests } = self.isolation else {
            return;
        };
        if instance.served() < max_requests {
            self.keep_warm(instance);
            self.core.envelope.freed.notify_waiters();
        }
    }

    fn keep_warm(self: &Arc<Self>, instance: Instance) {
        if self.warm.keep(instance) == Tending::NotNeeded {
            return;
        }
        let task = Arc::downgrade(self);
        self.core.runtime.serve().spawn(async move {
            loop {
                tokio::time::sleep(WARM_LIFETIME / 2).await;
                match task.upgrade() {
                    Some(task) if task.warm.drop_idle() == Tending::Needed => {}
                    _ => return,
                }
            }
        });
    }

    /// The guest returned: well if it had answered.
    fn returned(&self, flight: &Flight) {
        if !flight.head_sent() {
            self.failed(flight.failure(), flight);
        } else if flight.purpose == Purpose::Service {
            self.failures_in_a_row.store(0, Ordering::Relaxed);
            self.timeouts_in_a_row.store(0, Ordering::Relaxed);
        }
    }

    /// Books a failure: for the caller, in the task's log, in its health.
    fn failed(&self, failure: Failure, flight: &Flight) -> Failure {
        if failure.kind.is_the_guests() && flight.purpose == Purpose::Service {
            self.failures_in_a_row.fetch_add(1, Ordering::Relaxed);
        }
        self.core.report(&failure);
        flight.fail(failure.clone());
        failure
    }
}

/// The request as the engine takes it: any body in a box, and a host in every case.
fn into_wasi<B>(request: Request<B>) -> Request<WasiBody>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut parts, body) = request.into_parts();
    if parts.uri.authority().is_none() && !parts.headers.contains_key(HOST) {
        // HTTP/1.0 knows no Host; WASI demands an authority.
        parts.headers.insert(HOST, HeaderValue::from_static("localhost"));
    }
    let body = body.map_err(|_| WasiError::ConnectionTerminated).boxed_unsync();
    Request::from_parts(parts, body)
}

const SCHEME: Scheme = Scheme::Http;
