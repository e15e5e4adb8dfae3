//! A guest's timers, and how its sleep ends when the task is asked to stop.
//!
//! Wasm has no signals. What a worker waits for when it should end is often nothing but time, and its closed
//! standard input tells it nothing while it sleeps. So its first sleep after the request ends early, like a
//! `sleep(3)` that meets a signal. Once: a guest that doesn't ask why it was woken goes on at its own pace
//! instead of spinning until it is dropped. And only a sleep: a timer that is waited for beside something
//! else is a time limit, and cutting it short would make what the guest still finishes fail.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use wasmtime::component::{HasData, Resource, ResourceTable};
use wasmtime_wasi::clocks::WasiClocksCtxView;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::{DynPollable, Pollable, subscribe};
use wasmtime_wasi_io::bindings::wasi::io::poll;

/// The timers of one instance.
#[derive(Debug)]
pub(crate) struct Timers {
    /// Cancelled when the task is asked to stop.
    stop: CancellationToken,
    /// The timer behind each pollable of one, by their places in the instance's table. As many as it has handles.
    behind: HashMap<u32, u32>,
    wake: Wake,
}

/// Whether a stop still ends a sleep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wake {
    Due,
    Done,
}

impl Timers {
    /// Timers of a task that is asked to stop by `stop`.
    pub(crate) fn new(stop: CancellationToken) -> Self {
        Self {
            stop,
            behind: HashMap::new(),
            wake: Wake::Due,
        }
    }

    fn start(
        &mut self,
        table: &mut ResourceTable,
        wait: Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let timer = table.push(Timer {
            until: Instant::now().checked_add(wait),
        })?;
        let behind = timer.rep();
        let pollable = subscribe(table, timer)?;
        self.behind.insert(pollable.rep(), behind);
        Ok(pollable)
    }

    /// Whether waiting for these is a sleep that a stop ends.
    fn may_be_cut(&self, pollables: &[Resource<DynPollable>]) -> bool {
        self.wake == Wake::Due
            && pollables
                .iter()
                .all(|pollable| self.behind.contains_key(&pollable.rep()))
    }

    /// Lets the timers behind these run out now.
    fn cut(
        &mut self,
        table: &mut ResourceTable,
        pollables: &[Resource<DynPollable>],
    ) -> wasmtime::Result<()> {
        self.wake = Wake::Done;
        for behind in pollables
            .iter()
            .filter_map(|pollable| self.behind.get(&pollable.rep()))
        {
            table.get_mut(&Resource::<Timer>::new_borrow(*behind))?.until = Some(Instant::now());
        }
        Ok(())
    }
}

/// A time that comes, or is too far away to come.
struct Timer {
    until: Option<Instant>,
}

#[wasmtime_wasi::async_trait]
impl Pollable for Timer {
    async fn ready(&mut self) {
        match self.until {
            Some(until) => tokio::time::sleep_until(until).await,
            None => std::future::pending().await,
        }
    }
}

/// What `wasi:clocks/monotonic-clock` needs of an instance.
pub(crate) struct MonotonicClock<'a> {
    pub(crate) clocks: WasiClocksCtxView<'a>,
    pub(crate) timers: &'a mut Timers,
}

impl HasData for MonotonicClock<'static> {
    type Data<'a> = MonotonicClock<'a>;
}

impl monotonic_clock::Host for MonotonicClock<'_> {
    fn now(&mut self) -> wasmtime::Result<monotonic_clock::Instant> {
        self.clocks.now()
    }

    fn resolution(&mut self) -> wasmtime::Result<monotonic_clock::Duration> {
        self.clocks.resolution()
    }

    fn subscribe_instant(
        &mut self,
        when: monotonic_clock::Instant,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        let wait = when.saturating_sub(self.clocks.now()?);
        self.subscribe_duration(wait)
    }

    fn subscribe_duration(
        &mut self,
        wait: monotonic_clock::Duration,
    ) -> wasmtime::Result<Resource<DynPollable>> {
        match wait {
            // Not a sleep but a look, which the engine makes yield.
            0 => self.clocks.subscribe_duration(0),
            wait => self.timers.start(self.clocks.table, Duration::from_nanos(wait)),
        }
    }
}

/// What `wasi:io/poll` needs of an instance.
pub(crate) struct Polling<'a> {
    pub(crate) table: &'a mut ResourceTable,
    pub(crate) timers: &'a mut Timers,
}

impl HasData for Polling<'static> {
    type Data<'a> = Polling<'a>;
}

impl Polling<'_> {
    /// If waiting for these is a sleep, sleeps until one of them is ready, by itself or because of a stop.
    async fn sleep(&mut self, pollables: &[Resource<DynPollable>]) -> wasmtime::Result<()> {
        if !self.timers.may_be_cut(pollables) {
            return Ok(());
        }
        let same = pollables
            .iter()
            .map(|pollable| Resource::new_borrow(pollable.rep()));
        let same = same.collect();
        tokio::select! {
            // A sleep that is over needs no waking.
            biased;
            over = poll::Host::poll(self.table, same) => over.map(drop),
            () = self.timers.stop.cancelled() => self.timers.cut(self.table, pollables),
        }
    }
}

impl poll::Host for Polling<'_> {
    async fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.sleep(&pollables).await?;
        poll::Host::poll(self.table, pollables).await
    }
}

impl poll::HostPollable for Polling<'_> {
    async fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.sleep(std::slice::from_ref(&pollable)).await?;
        poll::HostPollable::block(self.table, pollable).await
    }

    async fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        poll::HostPollable::ready(self.table, pollable).await
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.timers.behind.remove(&pollable.rep());
        poll::HostPollable::drop(self.table, pollable)
    }
}

#[cfg(test)]
mod tests;
