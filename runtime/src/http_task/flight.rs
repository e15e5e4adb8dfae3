//! One request's books: what it used, and how it failed if it did.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wasmtime_wasi_http::p2::bindings::http::types::ErrorCode;

use crate::failure::{Failure, FailureKind};
use crate::meter::Meter;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Somebody wants the answer.
    Service,
    /// Somebody wants to know whether there is one: how it goes says nothing of how the others go.
    Check,
}

#[derive(Debug)]
pub(super) struct Flight {
    pub(super) purpose: Purpose,
    pub(super) meter: Arc<Meter>,
    pub(super) peak_memory: Arc<AtomicU64>,
    head_sent: AtomicBool,
    failure: OnceLock<Failure>,
}

impl Flight {
    pub(super) fn new(purpose: Purpose, meter: Arc<Meter>) -> Self {
        Self {
            purpose,
            meter,
            peak_memory: Arc::default(),
            head_sent: AtomicBool::new(false),
            failure: OnceLock::new(),
        }
    }

    /// The guest set its response, which may be an error code instead of one. Says whether there is a head.
    pub(super) fn answered<T>(&self, answer: Result<T, ErrorCode>) -> Option<T> {
        match answer {
            Ok(head) => {
                self.head_sent.store(true, Ordering::Relaxed);
                Some(head)
            }
            Err(code) => {
                let reason = format!("the guest answered with the error code {}", name_of(&code));
                self.fail(Failure::new(FailureKind::InvalidResponse, reason));
                None
            }
        }
    }

    pub(super) fn head_sent(&self) -> bool {
        self.head_sent.load(Ordering::Relaxed)
    }

    /// Remembers the first failure.
    pub(super) fn fail(&self, failure: Failure) {
        let _ = self.failure.set(failure);
    }

    /// The failure, where there must be one.
    pub(super) fn failure(&self) -> Failure {
        let missing = || {
            Failure::new(
                FailureKind::NoResponse,
                "the guest returned without setting a response",
            )
        };
        self.failure.get().cloned().unwrap_or_else(missing)
    }
}

/// An error code's name, without the text that some carry: that is the guest's.
fn name_of(code: &ErrorCode) -> String {
    let text = format!("{code:?}");
    let name = text.split(['(', ' ', '{']).next().unwrap_or_default();
    name.rsplit("::").next().unwrap_or_default().to_owned()
}

/// What one request has used; can be asked while it runs and after its end.
#[derive(Debug, Clone)]
pub struct RequestUsage(Arc<Flight>);

impl RequestUsage {
    pub(super) fn new(flight: Arc<Flight>) -> Self {
        Self(flight)
    }

    /// CPU time used on the request's behalf.
    pub fn cpu(&self) -> Duration {
        self.0.meter.used()
    }

    /// The most memory its instance held, in bytes.
    pub fn peak_memory(&self) -> u64 {
        self.0.peak_memory.load(Ordering::Relaxed)
    }

    /// Why the guest failed after it had sent its head, if it did.
    pub fn failure(&self) -> Option<String> {
        self.0
            .failure
            .get()
            .map(|failure| format!("{}: {}", failure.kind.as_str(), failure.reason))
    }
}
