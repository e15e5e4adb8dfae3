//! What the stream of an HTTP/1 connection and its requests tell each other, past hyper.
//!
//! The stream passes one head on at a time and waits until its request has ended, so there is one request at most that
//! these could be about.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
};

use crate::{
    error::Cause,
    inspect::{Reason, Refused},
};

/// Notes in both directions. HTTP/2 leaves them blank.
#[derive(Debug, Default)]
pub(crate) struct Handoff {
    /// Requests that have ended.
    ended: AtomicU32,
    /// The stream waits for that, with bytes in its hands.
    awaited: AtomicBool,
    /// The [`Reason`] for the class of the request passed on.
    reason: AtomicU8,
    /// The request passed on stands in for one that is to be answered with this.
    refused: AtomicBool,
    refusal: Mutex<Option<Cause>>,
    /// The connection is to be closed when the request has been answered.
    last: AtomicBool,
    /// What comes after the request passed on is no longer HTTP.
    tunnel: AtomicBool,
    /// Bytes of the client may be left unread, so that closing at once would destroy the answer on its way.
    unread: AtomicBool,
}

impl Handoff {
    /// How many requests have ended.
    pub(super) fn ended(&self) -> u32 {
        self.ended.load(Relaxed)
    }

    /// Asks for a wake-up when the request ends.
    pub(super) fn await_end(&self) {
        self.awaited.store(true, Relaxed);
    }

    /// A request has ended; tells whether the stream is to be woken.
    pub(super) fn end(&self) -> bool {
        self.ended.fetch_add(1, Relaxed);
        self.awaited.load(Relaxed) && self.awaited.swap(false, Relaxed)
    }

    /// What the inspector found out about the request passed on.
    pub(super) fn classify(&self, reason: Reason) {
        self.reason.store(reason as u8, Relaxed);
    }

    /// For the request that begins.
    pub(crate) fn take_reason(&self) -> Reason {
        match self.reason.load(Relaxed) {
            0 => Reason::Compliant,
            number => {
                self.reason.store(0, Relaxed);
                Reason::from_number(number)
            }
        }
    }

    pub(super) fn refuse(&self, refused: Refused) {
        self.classify(refused.reason);
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(refused.cause);
        self.refused.store(true, Relaxed);
    }

    /// What to answer the request that begins with, if not what it asks for.
    pub(crate) fn take_refusal(&self) -> Option<Cause> {
        if !self.refused.load(Relaxed) {
            return None;
        }
        self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn close_afterwards(&self) {
        self.last.store(true, Relaxed);
    }

    pub(crate) fn is_last(&self) -> bool {
        self.last.load(Relaxed)
    }

    /// The client's wish for another protocol is granted: what it sends from now on is passed on as it is.
    pub(super) fn leave_http(&self) {
        self.tunnel.store(true, Relaxed);
    }

    pub(super) fn has_left_http(&self) -> bool {
        self.tunnel.load(Relaxed)
    }

    pub(crate) fn leave_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    pub(super) fn left_unread(&self) -> bool {
        self.unread.load(Relaxed)
    }
}
