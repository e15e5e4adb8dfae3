//! From a request to the head of its answer, and the guest's life after that.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::sync::oneshot;
use tokio::time::Instant;
use wasmtime_wasi_http::WasiBody;

use super::body::{GuestBody, Remainder};
use super::flight::{Flight, Purpose, RequestUsage};
use super::{Head, Task};
use crate::drive::{Guest, drive};
use crate::failure::{Failure, FailureKind};

/// What tells a guest how long it may take. WASI has no other place for it.
const X_WHARF_TIMEOUT_MS: HeaderName = HeaderName::from_static("x-wharf-timeout-ms");

/// In milliseconds, so that the guest's clock need not be ours. What a client sent under that name is not the guest's
/// to read.
fn tell_time_left(headers: &mut HeaderMap, deadline: Option<Instant>) {
    let Some(deadline) = deadline else {
        headers.remove(X_WHARF_TIMEOUT_MS);
        return;
    };
    let left = deadline.saturating_duration_since(Instant::now());
    let left = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
    headers.insert(X_WHARF_TIMEOUT_MS, HeaderValue::from(left));
}

impl Task {
    pub(super) async fn answer(
        self: &Arc<Self>,
        mut request: Request<WasiBody>,
        flight: &Arc<Flight>,
        deadline: Option<Instant>,
    ) -> Result<Response<GuestBody>, Failure> {
        let body_expected = *request.method() != http::Method::HEAD;
        let admitted = self.admit(deadline).await?;
        // Whom it turns away, another task may answer.
        self.requests.fetch_add(1, Ordering::Relaxed);
        tell_time_left(request.headers_mut(), deadline);
        let (head, mut head_arrives) = oneshot::channel();
        let guest = Arc::clone(self).serve(admitted, request, head, Arc::clone(flight));
        let guest = Guest::new(
            Box::pin(guest),
            Arc::clone(&flight.meter),
            Arc::clone(&self.core.runtime),
        );
        let mut run = Box::pin(drive(guest, Arc::clone(&self.core.account)));

        let progress = self.until_head(run.as_mut(), &mut head_arrives, deadline).await;
        let (response, ended) = match progress {
            Progress::Head { head, ended } => (*head, ended),
            Progress::NoHead => return Err(flight.failure()),
            Progress::Deadline => {
                drop(run);
                if flight.purpose == Purpose::Service {
                    self.timeouts_in_a_row.fetch_add(1, Ordering::Relaxed);
                }
                return Err(self.failed(self.core.deadline_failure(), flight));
            }
            Progress::Killed => return Err(Failure::new(FailureKind::Stopped, "the task was stopped")),
        };
        let remainder = (!ended).then(|| self.continue_after_head(run, flight, deadline));
        Ok(GuestBody::attach(
            response,
            body_expected,
            remainder,
            RequestUsage::new(Arc::clone(flight)),
        ))
    }

    /// Polls the guest until it has answered with a head, or can't any more.
    async fn until_head(
        &self,
        mut run: Pin<&mut (impl Future<Output = ()> + Send)>,
        head: &mut oneshot::Receiver<Head>,
        deadline: Option<Instant>,
    ) -> Progress {
        let (mut ended, mut headless) = (false, false);
        // Made when the guest waits for the first time: most answer in one poll.
        let mut interrupted = None;
        poll_fn(|cx| {
            ended = ended || run.as_mut().poll(cx).is_ready();
            if !headless && let Poll::Ready(head) = Pin::new(&mut *head).poll(cx) {
                match head {
                    Ok(head) => {
                        return Poll::Ready(Progress::Head {
                            head: Box::new(head),
                            ended,
                        });
                    }
                    Err(_) => headless = true,
                }
            }
            // Why there is no head is known when the guest has ended.
            if headless && ended {
                return Poll::Ready(Progress::NoHead);
            }
            let interrupted = interrupted.get_or_insert_with(|| Box::pin(self.interruption(deadline)));
            interrupted.as_mut().poll(cx)
        })
        .await
    }

    async fn interruption(&self, deadline: Option<Instant>) -> Progress {
        let kill = self.core.kill.cancelled();
        match deadline {
            None => kill.await,
            Some(deadline) => {
                if tokio::time::timeout_at(deadline, kill).await.is_err() {
                    return Progress::Deadline;
                }
            }
        }
        Progress::Killed
    }

    /// Lets the guest go on while its body is read, in a task that ends at the deadline.
    fn continue_after_head(
        self: &Arc<Self>,
        run: Pin<Box<impl Future<Output = ()> + Send + 'static>>,
        flight: &Arc<Flight>,
        deadline: Option<Instant>,
    ) -> Remainder {
        let (task, flight) = (Arc::clone(self), Arc::clone(flight));
        let mut run = run;
        Remainder::new(self.core.runtime.serve().spawn(async move {
            let interrupted = tokio::select! {
                () = run.as_mut() => return,
                interrupted = task.interruption(deadline) => interrupted,
            };
            // Said before the guest goes: whoever reads its body looks here when the body ends.
            match interrupted {
                Progress::Deadline => task.failed(task.core.deadline_failure(), &flight),
                _ => task.failed(
                    Failure::new(FailureKind::Stopped, "the task was stopped"),
                    &flight,
                ),
            };
            drop(run);
        }))
    }
}

enum Progress {
    Head { head: Box<Head>, ended: bool },
    NoHead,
    Deadline,
    Killed,
}
