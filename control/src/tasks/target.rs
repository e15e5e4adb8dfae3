//! Where gateway and runtime meet: a task of the runtime as a target of the gateway.

use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use wharf_gateway::{
    Body, BodyError, Condition, HealthPort, Load, SharedProbe, Target, TargetError, TargetErrorKind, Usage,
    UsageProbe,
};
use wharf_runtime::{CallError, FailureKind, GuestBody, HttpTask, RequestUsage};

/// Failures in a row after which a task says itself that it is unfit.
const MAX_FAILURES_IN_A_ROW: u32 = 3;

/// Requests in a row without an answer in time, after which a task says itself that it is stuck. More than failures: an
/// upstream of its own may be slow, and so may its clients be.
const MAX_TIMEOUTS_IN_A_ROW: u32 = 10;

/// When a client that met a full queue may try again. The queue empties by requests, not by a clock: the
/// shortest time the header can say.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// A task that answers requests.
#[derive(Debug)]
pub(super) struct HttpTarget {
    pub(super) task: HttpTask,
    pub(super) cost: Cost,
}

/// Whether a request's CPU time can be told from the others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cost {
    /// Each request has its own instance.
    PerRequest,
    /// Requests share instances.
    Shared,
}

impl Target for HttpTarget {
    fn call(&self, request: Request<Body>) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        let answered = self.task.call(request);
        async move { self.told(answered.await) }.boxed()
    }

    fn probe(
        &self,
        request: Request<Body>,
        _port: HealthPort,
    ) -> BoxFuture<'_, Result<Response<Body>, TargetError>> {
        let answered = self.task.check(request);
        async move { self.told(answered.await) }.boxed()
    }

    fn load(&self) -> Load {
        let usage = self.task.usage();
        Load {
            in_flight: usage.in_flight,
            queued: usage.queued,
            cpu_credit: usage.cpu_credit,
        }
    }

    fn condition(&self) -> Condition {
        let usage = self.task.usage();
        match (usage.failures_in_a_row, usage.timeouts_in_a_row) {
            (failures, _) if failures >= MAX_FAILURES_IN_A_ROW => {
                Condition::Unfit(format!("{failures} failures in a row"))
            }
            (_, timeouts) if timeouts >= MAX_TIMEOUTS_IN_A_ROW => {
                Condition::Unfit(format!("its last {timeouts} requests all timed out"))
            }
            _ => Condition::Fit,
        }
    }
}

impl HttpTarget {
    fn told(&self, answered: Result<Response<GuestBody>, CallError>) -> Result<Response<Body>, TargetError> {
        let mut response = answered.map_err(|error| target_error(&error, self.cost))?;
        let usage = response.extensions_mut().remove::<RequestUsage>();
        if let Some(usage) = usage.clone() {
            let probe: SharedProbe = std::sync::Arc::new(Probe {
                usage,
                cost: self.cost,
            });
            response.extensions_mut().insert(probe);
        }
        let cost = self.cost;
        Ok(response.map(|body| {
            let broken = move |error: wharf_runtime::BodyError| {
                let usage = usage.as_ref().map(|usage| read(usage, cost)).unwrap_or_default();
                // The head is out, so the kind decides no status any more; the log has the reason.
                BodyError::Target(TargetError {
                    kind: TargetErrorKind::Trapped,
                    reason: error.to_string(),
                    usage,
                })
            };
            Body::new(body.map_err(broken))
        }))
    }
}

struct Probe {
    usage: RequestUsage,
    cost: Cost,
}

impl UsageProbe for Probe {
    fn usage(&self) -> Usage {
        read(&self.usage, self.cost)
    }
}

fn read(usage: &RequestUsage, cost: Cost) -> Usage {
    let cpu_us = || u64::try_from(usage.cpu().as_micros()).unwrap_or(u64::MAX);
    Usage {
        cpu_us: (cost == Cost::PerRequest).then(cpu_us),
        peak_memory: Some(usage.peak_memory()),
    }
}

fn target_error(error: &CallError, cost: Cost) -> TargetError {
    TargetError {
        kind: kind_of(error.kind()),
        reason: error.to_string(),
        usage: read(error.usage(), cost),
    }
}

fn kind_of(kind: FailureKind) -> TargetErrorKind {
    match kind {
        FailureKind::QueueFull => TargetErrorKind::QueueFull {
            retry_after: RETRY_AFTER,
        },
        FailureKind::QueueDeadline => TargetErrorKind::QueueDeadline,
        FailureKind::Deadline => TargetErrorKind::Deadline,
        FailureKind::CpuTimeout => TargetErrorKind::CpuTimeout,
        FailureKind::Trapped => TargetErrorKind::Trapped,
        FailureKind::Exited => TargetErrorKind::Exited,
        FailureKind::NoResponse => TargetErrorKind::NoResponse,
        FailureKind::InvalidResponse => TargetErrorKind::InvalidResponse,
        FailureKind::OutOfMemory => TargetErrorKind::OutOfMemory,
        FailureKind::Unprepared => TargetErrorKind::SecretUnavailable,
        FailureKind::Stopping => TargetErrorKind::Stopping,
        FailureKind::Stopped => TargetErrorKind::Stopped,
        FailureKind::Overloaded => TargetErrorKind::Overloaded,
    }
}
