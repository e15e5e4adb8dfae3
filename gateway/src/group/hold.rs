//! Requests that wait for a target, because their group has none: whoever can bring it one is told.
//!
//! There are as many places as the group's [`Hold`] says, and each request has a place for as long as it says. A place
//! that is given up (its request was served, its time was over, its client has left) is free at once.
//!
//! All who wait go to the first target that comes, which may have no room for so many. Whom it turns away waits on, for
//! somebody to leave it or for another target, as long as the time is not over.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{sync::Notify, time::Instant};

use super::{ChoiceHints, Lease, TargetGroup, spec::Hold};
use crate::{error::Cause, names::GroupName};

/// Who can bring a target to a group that has none.
pub trait WakeUp: Send + Sync + 'static {
    /// A request waits for a target of this group. It is called on the request's way, so it must only take note.
    ///
    /// It is called for every request that comes to wait, and never again for the same one.
    fn wake(&self, group: &GroupName);
}

/// Who is woken, once somebody is there to be; the same for all groups of a gateway.
pub(super) type Waking = Arc<OnceLock<Arc<dyn WakeUp>>>;

/// The requests of one group that wait.
#[derive(Default)]
pub(super) struct Held {
    places: AtomicU32,
    /// Wakes all in the order of their coming. Who is woken and finds nothing waits again, behind the others.
    came: Notify,
    /// Wakes one for each request that ends, of those whom a target turned away.
    left: Notify,
}

/// How often those whom a target turned away try again though nobody left it: what it lacks, it may share with others.
const ROOM_INTERVAL: Duration = Duration::from_millis(250);

/// Until when a request may wait, and among how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    until: Instant,
    most: u32,
}

impl Held {
    pub(super) fn count(&self) -> u32 {
        self.places.load(Ordering::Relaxed)
    }

    /// There may be a target now.
    pub(super) fn release(&self) {
        self.came.notify_waiters();
    }

    /// A target has one request less.
    pub(super) fn one_left(&self) {
        if self.count() > 0 {
            self.left.notify_one();
        }
    }

    fn enter(&self, most: u32) -> Option<Place<'_>> {
        let before = self.places.fetch_add(1, Ordering::Relaxed);
        let place = Place(self);
        (before < most).then_some(place)
    }
}

/// Given back when it is dropped.
struct Place<'h>(&'h Held);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.places.fetch_sub(1, Ordering::Relaxed);
    }
}

impl TargetGroup {
    /// Waits for a target, as the group's [`Hold`] allows; for none, if there is one that only isn't well. Also how long
    /// the request may wait on if that target has no room.
    pub(crate) async fn wait(self: &Arc<Self>, hints: ChoiceHints<'_>) -> Result<(Lease, Patience), Cause> {
        self.count_attempt();
        let Some(hold) = self.rotation.load().all.spec.hold else {
            return Err(self.nobody());
        };
        // Nobody need come who finds them there.
        if self.has_only_ill_targets() {
            return Err(self.nobody());
        }
        let patience = Patience {
            until: Instant::now() + hold.wait(),
            most: hold.most(),
        };
        let too_many = Cause::TooManyHeld { limit: hold.most() };
        let _place = self.held.enter(hold.most()).ok_or(too_many)?;
        if let Some(wake_up) = self.waking.get() {
            wake_up.wake(&self.name);
        }
        let too_long = Cause::HeldTooLong { waited: hold.wait() };
        tokio::time::timeout_at(patience.until, self.next_taker(hints))
            .await
            .unwrap_or_else(|_| self.look_at_last(hints).ok_or(too_long))
            .map(|lease| (lease, patience))
    }

    /// Waits until a target that turned the request away may have room, or there is another; none when the time is over.
    pub(crate) async fn wait_for_room(
        self: &Arc<Self>,
        hints: ChoiceHints<'_>,
        patience: Patience,
    ) -> Option<Lease> {
        let _place = self.held.enter(patience.most)?;
        let room = async {
            tokio::select! {
                () = self.held.left.notified() => {}
                () = self.held.came.notified() => {}
                () = tokio::time::sleep(ROOM_INTERVAL) => {}
            }
            self.next_taker(hints).await.ok()
        };
        tokio::time::timeout_at(patience.until, room).await.ok().flatten()
    }

    async fn next_taker(self: &Arc<Self>, hints: ChoiceHints<'_>) -> Result<Lease, Cause> {
        loop {
            let mut came = std::pin::pin!(self.held.came.notified());
            // Before it is looked, or one that comes in between would go unnoticed.
            came.as_mut().enable();
            if let Some(lease) = self.look(hints) {
                return Ok(lease);
            }
            // Ill targets are nothing to wait for, nor is a group that doesn't let requests wait any more.
            let holds = self.rotation.load().all.spec.hold.is_some();
            if !holds || self.has_only_ill_targets() {
                return Err(self.nobody());
            }
            came.await;
        }
    }

    fn nobody(&self) -> Cause {
        if self.has_targets() {
            Cause::NoHealthyTarget
        } else {
            Cause::NoTarget
        }
    }
}

impl Hold {
    /// As long as this at most.
    #[must_use]
    pub fn wait(self) -> Duration {
        self.wait
    }

    /// As many at once at most.
    #[must_use]
    pub fn most(self) -> u32 {
        self.most
    }
}
