//! Copies bytes both ways between a client and a target that have left HTTP.

use std::{
    borrow::Cow,
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};

use super::super::exchange::{Ending, Exchange};
use crate::{
    body::{ByteStream, Seconds, Upgraded},
    listener::connections::{Opened, Phase},
};

/// Bytes on their way in one direction at a time.
const BUFFER_BYTES: usize = 16 * 1024;

/// An upgraded connection, before its bytes are copied and while they are.
pub(crate) struct Tunnel {
    client: OnUpgrade,
    target: Upgraded,
    exchange: Box<Exchange>,
}

impl Tunnel {
    pub(super) fn new(client: OnUpgrade, target: Upgraded, exchange: Box<Exchange>) -> Self {
        Self {
            client,
            target,
            exchange,
        }
    }

    /// Copies until both sides have ended, one breaks off, nothing comes for too long, the target's time to drain is
    /// over, or the listener is cut.
    pub(crate) async fn run(self, opened: &Opened) {
        let Self {
            client,
            target,
            mut exchange,
        } = self;
        let idle_timeout = target.idle_timeout();
        let (Ok(client), Some(target)) = (client.await, target.take()) else {
            return;
        };
        let mut copying = Copying {
            client: TokioIo::new(client),
            target,
            up: Way::new(),
            down: Way::new(),
        };
        let mut idle = Box::pin(tokio::time::sleep(idle_timeout));
        let ended = poll_fn(|cx| {
            opened.pace().driver.register(cx.waker());
            if opened.phase() == Phase::Cut {
                return Poll::Ready(Ended::Cut);
            }
            if exchange.poll_cut(cx).is_ready() {
                return Poll::Ready(Ended::Deregistered);
            }
            let before = copying.bytes();
            if let Poll::Ready(ended) = copying.poll(cx) {
                return Poll::Ready(ended);
            }
            poll_idle(idle.as_mut(), copying.bytes() > before, idle_timeout, cx)
        })
        .await;
        exchange.tunnelled(copying.up.copied, copying.down.copied);
        match ended {
            Ended::Closed => exchange.ended(Ending::Complete),
            // Without an ending, the log tells that the client has left, or that the gateway closed.
            Ended::ClientLeft | Ended::Cut => {}
            Ended::TargetLeft => exchange.ends_because("the target broke off the upgraded connection".into()),
            Ended::Deregistered => {
                exchange.ends_because("the target was deregistered, and its delay is over".into())
            }
            Ended::Idle => {
                let silence = format!("nothing was sent either way for {}", Seconds(idle_timeout));
                exchange.ends_because(Cow::Owned(silence));
            }
        }
    }
}

/// How a tunnel ended.
enum Ended {
    Closed,
    ClientLeft,
    TargetLeft,
    Deregistered,
    Idle,
    Cut,
}

fn poll_idle(
    mut idle: Pin<&mut Sleep>,
    moved: bool,
    timeout: std::time::Duration,
    cx: &mut Context<'_>,
) -> Poll<Ended> {
    if moved {
        idle.as_mut().reset(Instant::now() + timeout);
    }
    idle.poll(cx).map(|()| Ended::Idle)
}

struct Copying<C> {
    client: C,
    target: Box<dyn ByteStream>,
    /// From the client to the target.
    up: Way,
    down: Way,
}

/// One direction.
struct Way {
    buffer: Box<[u8]>,
    from: usize,
    to: usize,
    state: State,
    copied: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// The source has ended; the sink is to be told.
    Ending,
    Ended,
}

/// Which side failed.
enum Failed {
    Source,
    Sink,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Copying<C> {
    fn bytes(&self) -> u64 {
        self.up.copied + self.down.copied
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Ended> {
        let Self {
            client,
            target,
            up,
            down,
        } = self;
        match up.poll(cx, client, target) {
            Poll::Ready(Err(Failed::Source)) => return Poll::Ready(Ended::ClientLeft),
            Poll::Ready(Err(Failed::Sink)) => return Poll::Ready(Ended::TargetLeft),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        match down.poll(cx, target, client) {
            Poll::Ready(Err(Failed::Source)) => return Poll::Ready(Ended::TargetLeft),
            Poll::Ready(Err(Failed::Sink)) => return Poll::Ready(Ended::ClientLeft),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        if (up.state, down.state) == (State::Ended, State::Ended) {
            return Poll::Ready(Ended::Closed);
        }
        Poll::Pending
    }
}

impl Way {
    fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES].into_boxed_slice(),
            from: 0,
            to: 0,
            state: State::Open,
            copied: 0,
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut (impl AsyncRead + Unpin),
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<Result<(), Failed>> {
        loop {
            if self.from < self.to {
                let written = ready!(self.poll_write(cx, sink)).map_err(|_| Failed::Sink)?;
                self.from += written;
                self.copied += written as u64;
                continue;
            }
            match self.state {
                State::Open => match self.poll_read(cx, source) {
                    Poll::Ready(Ok(())) => {}
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Failed::Source)),
                    // What a source has sent so far must not wait for what it sends next.
                    Poll::Pending => {
                        let flushed = ready!(Pin::new(&mut *sink).poll_flush(cx));
                        return match flushed {
                            Ok(()) => Poll::Pending,
                            Err(_) => Poll::Ready(Err(Failed::Sink)),
                        };
                    }
                },
                State::Ending => {
                    ready!(Pin::new(&mut *sink).poll_shutdown(cx)).map_err(|_| Failed::Sink)?;
                    self.state = State::Ended;
                }
                State::Ended => return Poll::Ready(Ok(())),
            }
        }
    }

    fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        sink: &mut (impl AsyncWrite + Unpin),
    ) -> Poll<io::Result<usize>> {
        let bytes = self.buffer.get(self.from..self.to).unwrap_or_default();
        match ready!(Pin::new(sink).poll_write(cx, bytes)) {
            Ok(0) => Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
            other => Poll::Ready(other),
        }
    }

    fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        source: &mut (impl AsyncRead + Unpin),
    ) -> Poll<io::Result<()>> {
        let mut buffer = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(source).poll_read(cx, &mut buffer))?;
        self.from = 0;
        self.to = buffer.filled().len();
        if self.to == 0 {
            self.state = State::Ending;
        }
        Poll::Ready(Ok(()))
    }
}
