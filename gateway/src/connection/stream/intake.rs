//! What a client sends, passed on to hyper one inspected request at a time.
//!
//! A head is inspected only when the request before it has been answered, so what comes early waits here, in a buffer
//! that is there only while it holds something. Everything else is read straight into hyper's buffer and judged in
//! place: whole heads and bodies are not copied. A refused head is replaced by a [stand-in](stand_in), which the
//! gateway answers like any request: in order, counted and logged.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::io::ReadBuf;

use super::{ClientStream, Transport};
use crate::{
    error::Cause,
    inspect::{Afterwards, Body, Inspected, Passed, Reason, Refused, Scan, inspect, stand_in},
};

/// What is read at once of a head that comes in pieces.
const PIECE: usize = 4096;

/// Where a client is in what it sends.
#[derive(Default)]
pub(super) struct Intake {
    state: State,
    /// Read, and not passed on.
    held: Vec<u8>,
    /// How many of these may be passed on.
    cleared: usize,
    scan: Scan,
    /// Heads passed on.
    passed: u32,
    /// What comes when a request has been read to its end.
    follow: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Before a head, or in it.
    #[default]
    Head,
    Body(Body),
    /// The body broke its form.
    Broken,
    /// Nothing more is taken: the request that was passed on is the last.
    Last,
    /// Nor is it read: the answer is on its way.
    Refused,
}

impl Intake {
    /// Passes on what may be, and tells whether there was anything.
    fn pass_on(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let count = self.cleared.min(buf.remaining());
        buf.put_slice(self.held.get(..count).unwrap_or_default());
        self.drop_held(count);
        self.cleared -= count;
        count > 0
    }

    fn drop_held(&mut self, count: usize) {
        if count >= self.held.len() {
            // Idle connections hold no buffer.
            self.held = Vec::new();
        } else {
            self.held.drain(..count);
        }
    }

    /// Finds out how much of these bytes belongs to the body.
    fn advance(&mut self, mut body: Body, bytes: &[u8]) -> usize {
        let (count, kept) = body.advance(bytes);
        self.state = match kept {
            Err(_) => State::Broken,
            Ok(()) if body.has_ended() => self.follow,
            Ok(()) => State::Body(body),
        };
        count
    }

    /// RFC 9112 2.2: empty lines before a request are overlooked.
    fn skip_empty_lines(&mut self) {
        let blank = self.held.iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
        let count = blank.count();
        if count > 0 {
            self.drop_held(count);
            self.scan = Scan::default();
        }
    }
}

impl<S: Transport> ClientStream<S> {
    pub(super) fn poll_inspected(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            if self.intake.pass_on(buf) {
                return Poll::Ready(Ok(()));
            }
            if self.pace.handoff.has_left_http() {
                return self.poll_tunnel(cx, buf);
            }
            let busy = self.intake.passed != self.pace.handoff.ended();
            let turn = match self.intake.state {
                State::Head if busy => self.poll_early(cx, buf),
                State::Last => self.poll_early(cx, buf),
                State::Head => self.poll_head(cx, buf),
                State::Body(body) => self.poll_body(body, cx, buf),
                State::Broken => return Poll::Ready(Err(io::ErrorKind::InvalidData.into())),
                State::Refused => return Poll::Pending,
            };
            match ready!(turn)? {
                Turn::Passed => return Poll::Ready(Ok(())),
                Turn::Again => {}
            }
        }
    }

    /// Reads what comes while a request is being answered, and keeps it. hyper asks in order to see the client leave.
    fn poll_early(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<Turn>> {
        if !self.intake.held.is_empty() {
            self.pace.handoff.await_end();
            self.pace.unread();
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let count = ready!(self.poll_more(cx, buf))?;
        if count == 0 {
            return Poll::Ready(Ok(Turn::Passed));
        }
        self.hold(before, buf);
        if self.intake.state == State::Last {
            self.pace.handoff.leave_unread();
        }
        Poll::Ready(Ok(Turn::Again))
    }

    /// Passes everything on.
    fn poll_tunnel(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.intake.cleared = self.intake.held.len();
        if !self.intake.pass_on(buf) {
            ready!(self.poll_more(cx, buf))?;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_body(
        &mut self,
        body: Body,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Turn>> {
        if !self.intake.held.is_empty() {
            let held = std::mem::take(&mut self.intake.held);
            self.intake.cleared = self.intake.advance(body, &held);
            self.intake.held = held;
            return Poll::Ready(Ok(Turn::Again));
        }
        let before = buf.filled().len();
        if ready!(self.poll_more(cx, buf))? == 0 {
            return Poll::Ready(Ok(Turn::Passed));
        }
        let count = self
            .intake
            .advance(body, buf.filled().get(before..).unwrap_or_default());
        self.hold(before + count, buf);
        Poll::Ready(Ok(if count > 0 { Turn::Passed } else { Turn::Again }))
    }

    /// Gets a head, and inspects it.
    fn poll_head(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<Turn>> {
        self.intake.skip_empty_lines();
        if !self.intake.held.is_empty() {
            return self.poll_held_head(cx);
        }
        if self.pace.head_is_late() {
            self.hold_first();
            self.refuse(slow_head());
            return Poll::Ready(Ok(Turn::Again));
        }
        self.intake.scan = Scan::default();
        let before = buf.filled().len();
        let first = self.first.take(buf);
        let read = self.poll_more(cx, buf)?;
        if read.is_pending() && !first {
            // What was noted of a head were empty lines.
            self.pace.head_ended();
            return Poll::Pending;
        }
        let bytes = buf.filled().get(before..).unwrap_or_default();
        if bytes.is_empty() {
            return Poll::Ready(Ok(Turn::Passed));
        }
        let whole = match bytes {
            [b'\r' | b'\n', ..] => Inspected::Partial,
            _ => inspect(
                bytes,
                &mut self.intake.scan,
                &self.settings.limits,
                self.settings.desync,
            ),
        };
        match whole {
            Inspected::Passed(passed) if passed.mended.is_none() => {
                let after = bytes.get(passed.length..).unwrap_or_default();
                self.note(&passed);
                let count = passed.length + self.intake.advance(passed.body, after);
                self.hold(before + count, buf);
                Poll::Ready(Ok(Turn::Passed))
            }
            // Rare: once more, from where it can be rewritten or waited for.
            Inspected::Partial | Inspected::Passed(_) | Inspected::Refused(_) => {
                self.hold(before, buf);
                self.intake.scan = Scan::default();
                Poll::Ready(Ok(Turn::Again))
            }
        }
    }

    /// Goes on with a head that came in pieces, or early, or has to be rewritten.
    fn poll_held_head(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Turn>> {
        // What came early is a head in progress from now on.
        self.pace.read();
        if self.pace.head_is_late() {
            self.refuse(slow_head());
            return Poll::Ready(Ok(Turn::Again));
        }
        match inspect(
            &self.intake.held,
            &mut self.intake.scan,
            &self.settings.limits,
            self.settings.desync,
        ) {
            Inspected::Passed(passed) => self.clear(passed),
            Inspected::Refused(refused) => self.refuse(refused),
            Inspected::Partial => {
                let mut piece = [MaybeUninit::uninit(); PIECE];
                let mut piece = ReadBuf::uninit(&mut piece);
                if ready!(self.poll_more(cx, &mut piece))? == 0 {
                    self.refuse(Refused {
                        cause: Cause::Malformed("the request's head broke off"),
                        reason: Reason::Compliant,
                    });
                } else {
                    self.intake.held.extend_from_slice(piece.filled());
                }
            }
        }
        Poll::Ready(Ok(Turn::Again))
    }

    /// Lets a held head pass.
    fn clear(&mut self, passed: Passed) {
        self.note(&passed);
        let mut held = std::mem::take(&mut self.intake.held);
        let after = held.get(passed.length..).unwrap_or_default();
        let body = self.intake.advance(passed.body, after);
        self.intake.cleared = body + passed.mended.as_ref().map_or(passed.length, Vec::len);
        if let Some(mended) = passed.mended {
            held.splice(..passed.length, mended);
        }
        self.intake.held = held;
    }

    fn note(&mut self, passed: &Passed) {
        self.intake.passed = self.intake.passed.wrapping_add(1);
        self.intake.scan = Scan::default();
        if passed.reason != Reason::Compliant {
            self.pace.handoff.classify(passed.reason);
        }
        if passed.afterwards == Afterwards::Close {
            self.intake.follow = State::Last;
            self.pace.handoff.close_afterwards();
        }
    }

    /// Has the gateway answer instead.
    fn refuse(&mut self, refused: Refused) {
        self.intake.passed = self.intake.passed.wrapping_add(1);
        self.intake.held = stand_in(&self.intake.held);
        self.intake.cleared = self.intake.held.len();
        self.intake.state = State::Refused;
        self.pace.handoff.refuse(refused);
        self.pace.handoff.leave_unread();
    }

    /// Takes back what is in `buf` behind its first `keep` bytes.
    fn hold(&mut self, keep: usize, buf: &mut ReadBuf<'_>) {
        self.intake
            .held
            .extend_from_slice(buf.filled().get(keep..).unwrap_or_default());
        buf.set_filled(keep);
    }

    fn hold_first(&mut self) {
        self.intake.held.extend_from_slice(self.first.rest());
        self.first.from = self.first.to;
    }

    fn poll_more(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<usize>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        let count = buf.filled().len() - before;
        if count > 0 {
            self.pace.read();
        }
        Poll::Ready(Ok(count))
    }
}

fn slow_head() -> Refused {
    Refused {
        cause: Cause::HeaderTooSlow,
        reason: Reason::Compliant,
    }
}

/// What one step came to.
enum Turn {
    /// hyper's buffer has got something, or it is the end.
    Passed,
    /// It goes on.
    Again,
}
