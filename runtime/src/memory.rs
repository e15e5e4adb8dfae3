//! The memory envelope: one limit per task, summed over everything its instances hold.
//!
//! Linear memories and tables are charged as they grow. What the host holds for an instance and can't follow byte
//! by byte (its stack, its handles, the buffers of one request) is bounded instead, and the bound is charged as a
//! fixed sum. A growth that doesn't fit fails in the guest, and the refusal is remembered, so that a request that
//! dies of it can be told from one that merely trapped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Notify;
use wasmtime::ResourceLimiter;

use crate::size::Bytes;

/// Charged for every instance, besides the engine's records of it: the stack the host touches for it, its handles, two
/// body chunks on their way in or out, one unfinished log line per stream.
pub(crate) const INSTANCE_CHARGE: Bytes = Bytes::kib(256);

/// Charged for every outgoing request in flight: a connection's read and write buffers.
pub(crate) const UPSTREAM_CHARGE: Bytes = Bytes::kib(64);

/// Bytes a table element takes in the host.
pub(crate) const TABLE_ELEMENT: u64 = 16;

/// One task's limit and what is charged to it.
#[derive(Debug)]
pub(crate) struct Envelope {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    /// Signalled whenever something is given back.
    pub(crate) freed: Notify,
}

impl Envelope {
    pub(crate) fn new(limit: Bytes) -> Self {
        Self {
            limit: limit.get(),
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            freed: Notify::new(),
        }
    }

    /// Charges `bytes` if they fit.
    pub(crate) fn charge(self: &Arc<Self>, bytes: u64) -> Option<Charge> {
        self.add(bytes).then(|| Charge {
            envelope: Arc::clone(self),
            bytes,
        })
    }

    /// Charges as many bytes as `wanted` says each time something was given back, when they fit.
    pub(crate) async fn charge_when_free(self: &Arc<Self>, wanted: impl Fn() -> u64) -> Charge {
        loop {
            let freed = self.freed.notified();
            let mut freed = std::pin::pin!(freed);
            // Registered before the look, so that what is given back in between is not missed.
            freed.as_mut().enable();
            if let Some(charge) = self.charge(wanted()) {
                return charge;
            }
            freed.await;
        }
    }

    fn add(&self, bytes: u64) -> bool {
        let fits = |used: u64| used.checked_add(bytes).filter(|sum| *sum <= self.limit);
        match self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits) {
            Ok(before) => {
                self.peak.fetch_max(before + bytes, Ordering::Relaxed);
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Relaxed)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Relaxed)
    }
}

/// Bytes charged to an envelope, given back when dropped.
#[derive(Debug)]
pub(crate) struct Charge {
    envelope: Arc<Envelope>,
    bytes: u64,
}

impl Charge {
    fn grow(&mut self, by: u64) -> bool {
        let fits = self.envelope.add(by);
        if fits {
            self.bytes += by;
        }
        fits
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.envelope.used.fetch_sub(self.bytes, Ordering::Relaxed);
        self.envelope.freed.notify_waiters();
    }
}

/// A growth that did not fit the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MemoryRefusal {
    /// What the instance asked for on top of what it had, in bytes.
    pub(crate) wanted: u64,
    /// What the task's instances held together, in bytes.
    pub(crate) used: u64,
    /// The task's envelope, in bytes.
    pub(crate) limit: u64,
}

impl fmt::Display for MemoryRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "out of memory: {} more wanted, {} of {} in use by the task",
            Bytes::new(self.wanted),
            Bytes::new(self.used),
            Bytes::new(self.limit)
        )
    }
}

/// What one instance has of its task's envelope.
///
/// It begins with a reservation of what instances usually come to hold, so that requests queue for memory
/// instead of failing half-way; growth beyond the reservation is charged as it happens.
#[derive(Debug)]
pub(crate) struct InstanceMemory {
    charge: Charge,
    used: u64,
    peak: u64,
    /// The peak of the request that runs now, for whoever asks meanwhile.
    shown_peak: Arc<AtomicU64>,
    refusal: Option<MemoryRefusal>,
}

impl InstanceMemory {
    /// An instance that holds `fixed` before it has a memory.
    pub(crate) fn new(reservation: Charge, fixed: Bytes) -> Self {
        let used = fixed.get();
        Self {
            charge: reservation,
            used,
            peak: used,
            shown_peak: Arc::default(),
            refusal: None,
        }
    }

    fn grow(&mut self, by: u64) -> bool {
        let beyond = (self.used.saturating_add(by)).saturating_sub(self.charge.bytes);
        if beyond > 0 && !self.charge.grow(beyond) {
            let envelope = &self.charge.envelope;
            self.refusal = Some(MemoryRefusal {
                wanted: by,
                used: envelope.used(),
                limit: envelope.limit(),
            });
            return false;
        }
        // A guest that grew after a refusal had coped with it: it did not die of that.
        self.refusal = None;
        self.used += by;
        self.peak = self.peak.max(self.used);
        self.shown_peak.store(self.peak, Ordering::Relaxed);
        true
    }

    /// The most this instance has held, in bytes.
    pub(crate) fn peak(&self) -> u64 {
        self.peak
    }

    /// The last growth that was refused.
    pub(crate) fn refusal(&self) -> Option<MemoryRefusal> {
        self.refusal
    }

    /// Begins another request's account on the same instance.
    pub(crate) fn begin_request(&mut self, shown_peak: Arc<AtomicU64>) {
        self.refusal = None;
        shown_peak.store(self.peak, Ordering::Relaxed);
        self.shown_peak = shown_peak;
    }
}

impl ResourceLimiter for InstanceMemory {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        // Beyond the memory's own declared maximum the growth fails anyway and is not the envelope's doing.
        let declared = maximum.is_none_or(|maximum| desired <= maximum);
        Ok(declared && self.grow(desired.saturating_sub(current) as u64))
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let declared = maximum.is_none_or(|maximum| desired <= maximum);
        let bytes = (desired.saturating_sub(current) as u64).saturating_mul(TABLE_ELEMENT);
        Ok(declared && self.grow(bytes))
    }
}

/// Learns what an instance comes to hold, from what the last ones held.
#[derive(Debug)]
pub(crate) struct ExpectedPeak(AtomicU64);

impl ExpectedPeak {
    pub(crate) fn new(first: u64) -> Self {
        Self(AtomicU64::new(first))
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Rises at once and falls by a quarter of the difference per instance: a large request now and then makes
    /// a few others queue, and an envelope that is always full makes all of them.
    pub(crate) fn observe(&self, peak: u64) {
        let expected = self.get();
        let next = if peak >= expected {
            peak
        } else {
            expected - (expected - peak).div_ceil(4)
        };
        // A lost update among concurrent ones only delays what is learnt.
        self.0.store(next, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
