//! The log: a line of JSON on stderr for each event of the `tracing` crate, and for each error that a client was
//! told nothing of.
//!
//! ```text
//! {"level":"warn","message":"slow upstream","target":"weather","traceId":"4bf9…","requestId":"01J…","fields":{"city":"Oslo","ms":812}}
//! ```
//!
//! `fields` are the event's and those of the spans it is in; the names of these are in `span`. There is no time in it,
//! because the task's log has one for each line. What is printed to stdout is left alone, so a job's output stays what the
//! job prints. `LOG_LEVEL` under `env` in `wharf.toml` (`off`, `error`, `warn`, `info`, `debug`, `trace`; `info` if it isn't
//! set) says how much is told.

mod line;
mod subscriber;

pub(crate) use line::Line;

use crate::{Error, HeaderValue, Request, host};
use std::cell::RefCell;
use std::fmt;
use std::sync::Once;
use tracing_core::LevelFilter;
use tracing_core::dispatcher::{Dispatch, set_global_default};

/// Makes the log what events go to. A subscriber that was there before stays.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = set_global_default(Dispatch::new(subscriber::Lines));
    });
}

fn level() -> LevelFilter {
    let level = host::env_var("LOG_LEVEL").ok();
    level
        .and_then(|level| level.parse().ok())
        .unwrap_or(LevelFilter::INFO)
}

/// An error that nobody else is told.
pub(crate) fn error(error: &Error) {
    error_text(format_args!("{error}"));
}

pub(crate) fn error_text(message: fmt::Arguments<'_>) {
    if level() >= LevelFilter::ERROR {
        let mut line = Line::new("error");
        line.text("message", &message.to_string());
        line.request();
        host::log_line(line.finish());
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Ids>> = const { RefCell::new(None) };
}

/// What the gateway calls a request.
struct Ids {
    traceparent: Option<HeaderValue>,
    request: Option<HeaderValue>,
}

impl Ids {
    /// The second part of a `traceparent`.
    fn trace(&self) -> Option<&str> {
        self.traceparent.as_ref()?.to_str().ok()?.split('-').nth(1)
    }

    fn request(&self) -> Option<&str> {
        self.request.as_ref()?.to_str().ok()
    }
}

/// As long as this is there, lines tell which request they are of. An instance has one request at a time.
pub(crate) struct Answering(());

impl Answering {
    pub(crate) fn new(request: &Request) -> Self {
        let header = |name| request.headers().get(name).cloned();
        let ids = Ids {
            traceparent: header("traceparent"),
            request: header("x-request-id"),
        };
        CURRENT.set(Some(ids));
        Self(())
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        CURRENT.set(None);
    }
}

#[cfg(test)]
mod tests;
