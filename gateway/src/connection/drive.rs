//! Keeping a connection's time: from its first bytes to its end, or to the moment it has overstepped a bound or the listener
//! closes.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::HttpService,
};
use tokio::time::{Instant, Sleep};

use super::{
    pace::{Overdue, Pace},
    stream::{ClientStream, Protocol, Transport},
};
use crate::{
    config::Limits,
    listener::connections::{Opened, Phase},
};

/// What lies in a new connection's socket is told of by the reactor, which has had its turn when a timer of this length
/// has gone off.
const REACTOR_TURN: Duration = Duration::from_millis(5);

/// What comes of something that is not worth waiting for when the listener closes; none when it does.
pub(super) async fn unless_closing<F: Future>(future: F, opened: &Opened) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        opened.pace().driver.register(cx.waker());
        match opened.phase() {
            Phase::Open => future.as_mut().poll(cx).map(Some),
            Phase::Draining | Phase::Cut => Poll::Ready(None),
        }
    })
    .await
}

/// Waits until the client has said enough to tell what it speaks; none when there is nothing to serve. A client
/// that says nothing at all, or leaves, is owed no answer.
pub(super) async fn begin<S: Transport>(
    mut stream: ClientStream<S>,
    limits: &Limits,
    opened: &Opened,
) -> Option<ClientStream<S>> {
    let begins = begins(&mut stream, limits, opened).await;
    begins.then_some(stream)
}

async fn begins<S: Transport>(stream: &mut ClientStream<S>, limits: &Limits, opened: &Opened) -> bool {
    let pace = opened.pace();
    let mut detecting = pin!(stream.detect());
    let mut alarm = pin!(tokio::time::sleep(limits.keep_alive_timeout));
    let mut last_look = None;
    poll_fn(|cx| {
        pace.driver.register(cx.waker());
        let phase = opened.phase();
        if phase == Phase::Cut {
            return Poll::Ready(false);
        }
        if let Poll::Ready(detected) = detecting.as_mut().poll(cx) {
            return Poll::Ready(detected.unwrap_or(false));
        }
        if phase == Phase::Draining {
            // A request that is here already was sent while the listener was open.
            let last_look = last_look.get_or_insert_with(|| Box::pin(tokio::time::sleep(REACTOR_TURN)));
            return last_look.as_mut().poll(cx).map(|()| false);
        }
        Poll::Ready(match ready!(poll_overdue(alarm.as_mut(), pace, limits, cx)) {
            Overdue::Head => {
                pace.give_up_head();
                true
            }
            Overdue::Idle | Overdue::Write | Overdue::Look | Overdue::Age => false,
        })
    })
    .await
}

/// What both of hyper's connections can do.
pub(super) trait Closing: Future<Output = hyper::Result<()>> {
    /// Takes no new requests, finishes those it has, then ends.
    fn close(self: Pin<&mut Self>);
}

impl<I, B, S> Closing for http1::UpgradeableConnection<I, S>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, B, S, E> Closing for http2::Connection<I, S, E>
where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    I: hyper::rt::Read + hyper::rt::Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn close(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// Polls a connection to its end, and ends it when it is overdue or the gateway closes.
///
/// The connection is pinned by the caller: a future that is given it would have room for it twice.
pub(super) async fn drive(
    mut connection: Pin<&mut impl Closing>,
    protocol: Protocol,
    limits: &Limits,
    opened: &Opened,
) -> hyper::Result<()> {
    let pace = opened.pace();
    let mut alarm = pin!(tokio::time::sleep(limits.keep_alive_timeout));
    let mut closing = false;
    poll_fn(|cx| {
        pace.driver.register(cx.waker());
        match opened.phase() {
            Phase::Cut => return Poll::Ready(Ok(())),
            Phase::Draining if !closing => {
                closing = true;
                // First what is here already: hyper closes at once when it has not begun to read.
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    return Poll::Ready(ended);
                }
                connection.as_mut().close();
            }
            Phase::Draining | Phase::Open => {}
        }
        loop {
            if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                return Poll::Ready(ended);
            }
            if pace.resets() > limits.http2_resets {
                // Who goes on like that is owed no manners.
                tracing::info!("connection cut: its client gave up too many requests at once");
                return Poll::Ready(Ok(()));
            }
            if !closing && is_used_up(pace, protocol, limits) {
                closing = true;
                connection.as_mut().close();
                continue;
            }
            match ready!(poll_overdue(alarm.as_mut(), pace, limits, cx)) {
                Overdue::Idle if !closing => {
                    closing = true;
                    pace.closing();
                    connection.as_mut().close();
                }
                Overdue::Head if !pace.head_is_late() => pace.give_up_head(),
                Overdue::Look => pace.ask_to_look(),
                Overdue::Age => {
                    pace.aged();
                    if !closing {
                        closing = true;
                        connection.as_mut().close();
                    }
                }
                Overdue::Write => {
                    pace.give_up_writing();
                    return Poll::Ready(Ok(()));
                }
                Overdue::Idle | Overdue::Head => return Poll::Ready(Ok(())),
            }
        }
    })
    .await
}

/// ALB closes HTTP/2 connections after so many requests, and HTTP/1 ones by their age alone.
fn is_used_up(pace: &Pace, protocol: Protocol, limits: &Limits) -> bool {
    protocol == Protocol::Http2 && limits.http2_requests.is_some_and(|most| pace.total() >= most)
}

/// One timer for the life of the connection, set anew when it goes off rather than at every change: all but the
/// start of a head only move the due time back.
fn poll_overdue(
    mut alarm: Pin<&mut Sleep>,
    pace: &Pace,
    limits: &Limits,
    cx: &mut Context<'_>,
) -> Poll<Overdue> {
    loop {
        let due = pace.due(limits);
        if let Some((at, _)) = due
            && at < alarm.deadline()
        {
            alarm.as_mut().reset(at);
        }
        ready!(alarm.as_mut().poll(cx));
        match due {
            Some((at, overdue)) if at <= Instant::now() => return Poll::Ready(overdue),
            Some((at, _)) => alarm.as_mut().reset(at),
            None => alarm.as_mut().reset(Instant::now() + limits.keep_alive_timeout),
        }
    }
}
