//! A request's body on its way to the target: counted, bounded in size and in the client's silence.
//!
//! The target polls it, on whatever thread it likes. When it fails, the request is answered by the gateway rather
//! than by a target that got half a body, so the one who waits for the target's response is woken.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release},
    },
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http::Response;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::{
    body::{self, Body, BodyError},
    config::Limits,
    connection::Connection,
    error::Cause,
    target::TargetError,
};

/// How far a request's body has come.
#[derive(Debug, Default)]
pub(super) struct Upload {
    bytes: AtomicU64,
    ended: AtomicBool,
    failure: AtomicU8,
    /// Who waits for the target's response.
    caller: AtomicWaker,
    limit: u64,
    patience: std::time::Duration,
}

/// Values of [`Upload::failure`]; nought is none.
const TOO_LARGE: u8 = 1;
const TOO_SLOW: u8 = 2;
const BROKEN: u8 = 3;

impl Upload {
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    pub(super) fn has_ended(&self) -> bool {
        self.ended.load(Relaxed)
    }

    fn fail(&self, failure: u8) {
        self.failure.store(failure, Release);
        self.caller.wake();
    }

    /// Why it ended before its end.
    pub(super) fn failure(&self) -> Option<Cause> {
        match self.failure.load(Acquire) {
            TOO_LARGE => Some(Cause::BodyTooLarge { limit: self.limit }),
            TOO_SLOW => Some(Cause::BodyTooSlow {
                waited: self.patience,
            }),
            BROKEN => Some(Cause::Malformed("the request's body is malformed or broke off")),
            _ => None,
        }
    }
}

/// The body as the target gets it, and what is to be known of it; nothing for a request without a body.
pub(super) fn measure(incoming: Incoming, connection: &Arc<Connection>) -> (Body, Option<Arc<Upload>>) {
    if incoming.is_end_stream() {
        return (body::empty(), None);
    }
    let Limits {
        request_body: limit,
        body_read_timeout: patience,
        ..
    } = connection.shared.limits;
    let upload = Arc::new(Upload {
        limit,
        patience,
        ..Upload::default()
    });
    let body = UploadBody {
        incoming,
        upload: upload.clone(),
        connection: connection.clone(),
        silence: Silence::default(),
    };
    (Body::new(body), Some(upload))
}

/// Waits for the target's response, or for the body to fail before.
pub(super) async fn guard(
    call: impl Future<Output = Result<Response<Body>, TargetError>>,
    upload: Option<&Upload>,
) -> Result<Response<Body>, Cause> {
    let Some(upload) = upload else {
        return call.await.map_err(Cause::Target);
    };
    let mut call = pin!(call);
    poll_fn(|cx| {
        upload.caller.register(cx.waker());
        let answered = match upload.failure() {
            Some(cause) => return Poll::Ready(Err(cause)),
            None => ready!(call.as_mut().poll(cx)),
        };
        // The body may have failed meanwhile, and whatever the target says then is about half a body.
        Poll::Ready(
            upload
                .failure()
                .map_or_else(|| answered.map_err(Cause::Target), Err),
        )
    })
    .await
}

struct UploadBody {
    incoming: Incoming,
    upload: Arc<Upload>,
    connection: Arc<Connection>,
    silence: Silence,
}

/// How long the client has sent nothing while the target wanted something.
#[derive(Default)]
enum Silence {
    /// The client was never waited for.
    #[default]
    Never,
    /// It has sent something since.
    Broken(Pin<Box<Sleep>>),
    /// It is being waited for.
    Lasting(Pin<Box<Sleep>>),
}

impl UploadBody {
    fn arrived(&mut self, frame: &Frame<Bytes>) -> Result<(), BodyError> {
        if let Silence::Lasting(timer) = std::mem::take(&mut self.silence) {
            self.silence = Silence::Broken(timer);
        }
        let count = frame.data_ref().map_or(0, Bytes::len) as u64;
        let total = self.upload.bytes.fetch_add(count, Relaxed) + count;
        if total > self.upload.limit {
            self.upload.fail(TOO_LARGE);
            return Err(BodyError::TooLarge {
                limit: self.upload.limit,
            });
        }
        Ok(())
    }

    fn ended(&self) {
        self.upload.ended.store(true, Relaxed);
        self.connection.pace.upload_ended();
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<BodyError> {
        let deadline = || Instant::now() + self.upload.patience;
        let mut timer = match std::mem::take(&mut self.silence) {
            Silence::Lasting(timer) => timer,
            Silence::Broken(mut timer) => {
                timer.as_mut().reset(deadline());
                timer
            }
            Silence::Never => {
                // The target may poll from a thread that has no timer of its own.
                let _on_serve = self.connection.shared.serve.enter();
                Box::pin(tokio::time::sleep_until(deadline()))
            }
        };
        let over = timer.as_mut().poll(cx);
        self.silence = Silence::Lasting(timer);
        over.map(|()| {
            self.upload.fail(TOO_SLOW);
            BodyError::TooSlow {
                waited: self.upload.patience,
            }
        })
    }
}

impl HttpBody for UploadBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match Pin::new(&mut self.incoming).poll_frame(cx) {
            Poll::Pending => self.poll_silence(cx).map(|error| Some(Err(error))),
            Poll::Ready(None) => {
                self.ended();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                let arrived = self.arrived(&frame).map(|()| frame);
                if self.incoming.is_end_stream() {
                    self.ended();
                }
                Poll::Ready(Some(arrived))
            }
            Poll::Ready(Some(Err(error))) => {
                self.upload.fail(BROKEN);
                Poll::Ready(Some(Err(BodyError::Client(error))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
