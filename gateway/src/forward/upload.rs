//! A request's body on its way to the target: counted, bounded in size and in the client's silence.
//!
//! The target polls it, on whatever thread it likes. When it fails, the request is answered by the gateway rather
//! than by a target that got half a body, so the one who waits for the target's response is woken.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release},
    },
    task::{Context, Poll},
};

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

use crate::{
    body::{self, Body, BodyError},
    connection::Connection,
    error::Cause,
};

/// How far a request's body has come.
#[derive(Debug, Default)]
pub(super) struct Upload {
    bytes: AtomicU64,
    ended: AtomicBool,
    failure: AtomicU8,
    /// Who waits for the target's response.
    caller: AtomicWaker,
    /// The body, when the target has dropped it unread.
    untouched: Mutex<Option<Incoming>>,
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

    /// Why the body failed, if it did; wakes the caller when it does later.
    pub(super) fn poll_failure(&self, cx: &Context<'_>) -> Option<Cause> {
        self.caller.register(cx.waker());
        self.failure()
    }

    /// The body, if the target gave it up before it looked at it: another may have it.
    pub(super) fn take_back(&self) -> Option<Incoming> {
        self.untouched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

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
pub(super) fn measure(
    incoming: Incoming,
    limit: u64,
    connection: &Arc<Connection>,
) -> (Body, Option<Arc<Upload>>) {
    if incoming.is_end_stream() {
        return (body::empty(), None);
    }
    let patience = connection.limits().body_read_timeout;
    let upload = Arc::new(Upload {
        limit,
        patience,
        ..Upload::default()
    });
    let body = UploadBody {
        incoming: Some(incoming),
        touched: false,
        upload: upload.clone(),
        connection: connection.clone(),
        silence: Silence::default(),
    };
    (Body::new(body), Some(upload))
}

struct UploadBody {
    /// There until it is dropped.
    incoming: Option<Incoming>,
    touched: bool,
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
        self.connection.pace.all_read();
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
        self.touched = true;
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(incoming).poll_frame(cx);
        match polled {
            Poll::Pending => self.poll_silence(cx).map(|error| Some(Err(error))),
            Poll::Ready(None) => {
                self.ended();
                Poll::Ready(None)
            }
            Poll::Ready(Some(Ok(frame))) => {
                let arrived = self.arrived(&frame).map(|()| frame);
                if self.is_end_stream() {
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
        self.incoming.as_ref().is_none_or(Incoming::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming
            .as_ref()
            .map_or_else(SizeHint::default, Incoming::size_hint)
    }
}

impl Drop for UploadBody {
    fn drop(&mut self) {
        if !self.touched {
            let mut untouched = self
                .upload
                .untouched
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            *untouched = self.incoming.take();
        }
    }
}
