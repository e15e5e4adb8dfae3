//! A request's hold on a target, and a target's way out: it may go when nothing holds it any more.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use futures_util::future::BoxFuture;

use super::{Member, TargetGroup};

/// A target held for one request, until its response's body has ended.
pub(crate) struct Lease {
    group: Arc<TargetGroup>,
    member: Arc<Member>,
    outcome: Outcome,
    /// Where the member has the request's waker, once it has waited.
    place: Option<usize>,
}

/// What a request has shown of its target.
enum Outcome {
    Unknown,
    Failed,
    /// The target had no room for it.
    TurnedAway,
}

impl Lease {
    /// None when the target drains.
    pub(super) fn take(group: &Arc<TargetGroup>, member: &Arc<Member>) -> Option<Self> {
        member.enter().then(|| Self {
            group: group.clone(),
            member: member.clone(),
            outcome: Outcome::Unknown,
            place: None,
        })
    }

    pub(crate) fn group(&self) -> &Arc<TargetGroup> {
        &self.group
    }

    pub(crate) fn member(&self) -> &Arc<Member> {
        &self.member
    }

    /// Remembers that the target failed its request, so that its condition is looked at.
    pub(crate) fn failed(&mut self) {
        self.outcome = Outcome::Failed;
    }

    /// Lets go of a target that had no room: nobody else need try because of that.
    pub(crate) fn turned_away(mut self) {
        self.outcome = Outcome::TurnedAway;
    }

    /// Ready when the target was deregistered and its time to drain is over; wakes the request then.
    pub(crate) fn poll_cut(&mut self, cx: &Context<'_>) -> Poll<()> {
        self.member.wait_for_cut(&mut self.place, cx.waker());
        if self.member.is_cut() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Only then can the verdict have changed, and asking every time would cost every request.
        if matches!(self.outcome, Outcome::Failed) || !self.member.is_healthy() {
            self.group.settle(&self.member);
        }
        if let Some(place) = self.place {
            self.member.stop_waiting(place);
        }
        self.member.leave();
        if !matches!(self.outcome, Outcome::TurnedAway) {
            self.group.held.one_left();
        }
    }
}

/// How a target's way out ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drained {
    /// All its requests have ended.
    Idle,
    /// Time was up, with this many requests left.
    TimedOut {
        /// Requests that were cut off. ALB: they are answered 502.
        in_flight: u32,
    },
}

/// A target on its way out. It is listed as draining until this ends or is dropped; then whatever it still has is
/// cut off.
#[must_use = "the target is gone as soon as this is dropped"]
pub struct Drain {
    waiting: BoxFuture<'static, Drained>,
}

impl Drain {
    pub(super) fn new(group: Arc<TargetGroup>, member: Arc<Member>, timeout: Duration) -> Self {
        let leaving = Leaving { group, member };
        let waiting = Box::pin(async move {
            match tokio::time::timeout(timeout, leaving.member.idle()).await {
                Ok(()) => Drained::Idle,
                Err(_) => Drained::TimedOut {
                    in_flight: leaving.member.in_flight(),
                },
            }
        });
        Self { waiting }
    }
}

impl Future for Drain {
    type Output = Drained;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Drained> {
        self.waiting.as_mut().poll(cx)
    }
}

impl fmt::Debug for Drain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Drain").finish_non_exhaustive()
    }
}

struct Leaving {
    group: Arc<TargetGroup>,
    member: Arc<Member>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.member.cut();
        self.group.forget(&self.member);
    }
}
