//! How long a connection may stay as it is.
//!
//! A connection is idle (no request), in a head (its first byte is here, its last is not) or busy; and its client may
//! have stopped taking bytes. The stream and the requests note what happens, the driver of the connection reads
//! when it is due. All in atomics: HTTP/2 requests run on other threads.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use futures_util::task::AtomicWaker;
use tokio::time::Instant;

use super::handoff::Handoff;
use crate::config::Limits;

/// What a connection has overstepped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overdue {
    /// No request for too long.
    Idle,
    /// A head begun and not ended.
    Head,
    /// Bytes not taken.
    Write,
    /// Nothing yet, but the client may have left unnoticed: it is time to look.
    Look,
    /// It has been open for as long as any may be.
    Age,
}

/// How often to look whether a client has left while what it sent lies unread: its request's body, or what it sent behind
/// a request. Otherwise hyper reads, and notices at once.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// Over which time HTTP/2 requests that were given up are counted: what a browser gives up when its user goes
/// elsewhere is few in ten seconds, what an attack gives up is many in one.
const RESET_WINDOW: Duration = Duration::from_secs(10);

/// The state of one connection, as far as time goes.
#[derive(Debug)]
pub(crate) struct Pace {
    born: Instant,
    requests: AtomicU32,
    /// Over the connection's life.
    total: AtomicU64,
    /// That the connection has reached its age was noticed.
    aged: AtomicBool,
    /// Requests given up since `resets_since`.
    resets: AtomicU32,
    resets_since: AtomicU64,
    /// When the last request ended. All times in milliseconds since `born`.
    idle_since: AtomicU64,
    head_since: Mark,
    write_since: Mark,
    /// The client has taken nothing for too long.
    stuck: AtomicBool,
    /// Since when something that the client sent lies unread, or the last look.
    unread_since: Mark,
    /// The stream is to look whether the client has left.
    look: AtomicBool,
    /// The head came too late: the stream has it answered.
    head_late: AtomicBool,
    pub(crate) handoff: Handoff,
    /// Wakes the driver.
    pub(crate) driver: AtomicWaker,
}

/// A moment that may be set: milliseconds, plus one, so that nought means unset.
#[derive(Debug, Default)]
pub(super) struct Mark(AtomicU64);

impl Mark {
    pub(super) fn set(&self, now: u64) {
        self.0.store(now + 1, Relaxed);
    }

    fn set_once(&self, now: u64) {
        if self.0.load(Relaxed) == 0 {
            self.set(now);
        }
    }

    pub(super) fn clear(&self) {
        if self.0.load(Relaxed) != 0 {
            self.0.store(0, Relaxed);
        }
    }

    pub(super) fn get(&self) -> Option<u64> {
        self.0.load(Relaxed).checked_sub(1)
    }
}

impl Pace {
    pub(crate) fn new() -> Self {
        Self {
            born: Instant::now(),
            requests: AtomicU32::new(0),
            total: AtomicU64::new(0),
            aged: AtomicBool::new(false),
            resets: AtomicU32::new(0),
            resets_since: AtomicU64::new(0),
            idle_since: AtomicU64::new(0),
            head_since: Mark::default(),
            write_since: Mark::default(),
            stuck: AtomicBool::new(false),
            unread_since: Mark::default(),
            look: AtomicBool::new(false),
            head_late: AtomicBool::new(false),
            handoff: Handoff::default(),
            driver: AtomicWaker::new(),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.born.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }

    /// Bytes came in.
    pub(crate) fn read(&self) {
        if self.requests.load(Relaxed) == 0 {
            self.head_since.set_once(self.now());
        }
    }

    /// What looked like a head isn't one to be timed.
    pub(crate) fn head_ended(&self) {
        self.head_since.clear();
    }

    /// The connection was asked to close: it has as long again as it may be idle.
    pub(crate) fn closing(&self) {
        self.idle_since.store(self.now(), Relaxed);
    }

    /// The client takes no bytes.
    pub(crate) fn write_blocked(&self) {
        self.write_since.set_once(self.now());
    }

    /// The client took some.
    pub(crate) fn written(&self) {
        self.write_since.clear();
    }

    /// It took none for too long.
    pub(crate) fn give_up_writing(&self) {
        self.stuck.store(true, Relaxed);
    }

    pub(crate) fn is_stuck(&self) -> bool {
        self.stuck.load(Relaxed)
    }

    /// A request's head is complete.
    pub(crate) fn begin(&self) {
        self.requests.fetch_add(1, Relaxed);
        self.total.fetch_add(1, Relaxed);
        self.head_since.clear();
    }

    /// A request's response has ended.
    pub(crate) fn end(&self) {
        self.idle_since.store(self.now(), Relaxed);
        self.requests.fetch_sub(1, Relaxed);
        if self.handoff.end() {
            self.driver.wake();
        }
    }

    /// How many requests there have been.
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Relaxed)
    }

    /// The client gave an HTTP/2 request up.
    pub(crate) fn reset(&self) {
        let now = self.now();
        if now.saturating_sub(self.resets_since.load(Relaxed)) > RESET_WINDOW.as_millis() as u64 {
            self.resets_since.store(now, Relaxed);
            self.resets.store(0, Relaxed);
        }
        self.resets.fetch_add(1, Relaxed);
        self.driver.wake();
    }

    /// How many it gave up lately.
    pub(crate) fn resets(&self) -> u32 {
        self.resets.load(Relaxed)
    }

    /// The connection's age has been taken note of.
    pub(crate) fn aged(&self) {
        self.aged.store(true, Relaxed);
    }

    /// Something the client sent lies unread, so hyper does not see it leave.
    pub(crate) fn unread(&self) {
        self.unread_since.set_once(self.now());
    }

    /// It has been read, or will not be.
    pub(crate) fn all_read(&self) {
        self.unread_since.clear();
    }

    /// Has the stream look whether the client is there, when it is polled next.
    pub(crate) fn ask_to_look(&self) {
        self.unread_since.set(self.now());
        self.look.store(true, Relaxed);
    }

    /// Whether to look; asked once, answered once.
    pub(crate) fn is_to_look(&self) -> bool {
        self.look.load(Relaxed) && self.look.swap(false, Relaxed)
    }

    /// The head took too long.
    pub(crate) fn give_up_head(&self) {
        self.head_late.store(true, Relaxed);
    }

    pub(crate) fn head_is_late(&self) -> bool {
        self.head_late.load(Relaxed)
    }

    /// What the connection will have overstepped next, and when.
    pub(crate) fn due(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        let silence = self.silence(limits);
        if self.aged.load(Relaxed) {
            return silence;
        }
        let age = (self.born + limits.connection_lifetime, Overdue::Age);
        Some(silence.filter(|(at, _)| *at <= age.0).unwrap_or(age))
    }

    /// None while a request is being answered: target and bodies have bounds of their own, and hyper notices who leaves
    /// unless something unread stands in its way.
    fn silence(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        let at = |since: u64, allowed: Duration| self.born + Duration::from_millis(since) + allowed;
        if let Some(since) = self.write_since.get() {
            return Some((at(since, limits.write_timeout), Overdue::Write));
        }
        if self.requests.load(Relaxed) > 0 {
            return self
                .unread_since
                .get()
                .map(|since| (at(since, LOOK_INTERVAL), Overdue::Look));
        }
        Some(match self.head_since.get() {
            Some(since) => (at(since, limits.header_read_timeout), Overdue::Head),
            None => (
                at(self.idle_since.load(Relaxed), limits.keep_alive_timeout),
                Overdue::Idle,
            ),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(pace: &Pace) -> Option<(u64, Overdue)> {
        let (at, what) = pace.due(&Limits::default())?;
        Some(((at - pace.born).as_secs(), what))
    }

    #[tokio::test(start_paused = true)]
    async fn every_state_has_its_own_bound() {
        let pass = |seconds| tokio::time::advance(Duration::from_secs(seconds));
        let pace = Pace::new();
        assert_eq!(due(&pace), Some((60, Overdue::Idle)), "nothing sent yet");
        pass(10).await;
        pace.read();
        pass(5).await;
        pace.read();
        assert_eq!(
            due(&pace),
            Some((40, Overdue::Head)),
            "counts from the head's first byte"
        );
        pace.begin();
        assert_eq!(due(&pace), Some((3600, Overdue::Age)), "busy");
        pace.read();
        pace.write_blocked();
        assert_eq!(due(&pace), Some((75, Overdue::Write)), "even when busy");
        pace.written();
        pace.unread();
        assert_eq!(due(&pace), Some((16, Overdue::Look)));
        pace.all_read();
        pace.aged();
        assert_eq!(due(&pace), None);
        pass(5).await;
        pace.end();
        assert_eq!(
            due(&pace),
            Some((80, Overdue::Idle)),
            "counts from the last request's end"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn requests_given_up_are_counted_over_ten_seconds() {
        let pace = Pace::new();
        for _ in 0..3 {
            pace.reset();
            tokio::time::advance(Duration::from_secs(3)).await;
        }
        assert_eq!(pace.resets(), 3);
        tokio::time::advance(Duration::from_secs(3)).await;
        pace.reset();
        assert_eq!(pace.resets(), 1);
    }
}
