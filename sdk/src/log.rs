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

use crate::{Error, host};
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

/// Read when there is something to tell: reading the environment costs a fresh instance more than most requests cost.
fn level() -> LevelFilter {
    #[cfg(target_family = "wasm")]
    {
        static LEVEL: std::sync::OnceLock<LevelFilter> = std::sync::OnceLock::new();
        *LEVEL.get_or_init(read_level)
    }
    // Each test has an environment of its own.
    #[cfg(not(target_family = "wasm"))]
    read_level()
}

fn read_level() -> LevelFilter {
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
    /// The headers of the request that is being answered.
    static CURRENT: RefCell<Option<Headers>> = const { RefCell::new(None) };
}

type Headers = Box<dyn Fn(&str) -> Option<String>>;

/// What the gateway calls the request that is being answered, by the names of a line.
fn ids() -> Vec<(&'static str, String)> {
    CURRENT.with_borrow(|current| {
        let Some(header) = current else {
            return Vec::new();
        };
        // Version, trace, parent, flags.
        let trace = header("traceparent").and_then(|parent| Some(parent.split('-').nth(1)?.to_owned()));
        let ids = [("traceId", trace), ("requestId", header("x-request-id"))];
        ids.into_iter().filter_map(|(key, id)| Some((key, id?))).collect()
    })
}

/// As long as this is there, lines tell which request they are of. An instance has one request at a time.
pub(crate) struct Answering(());

impl Answering {
    /// Its headers are asked for when there is a line to write.
    pub(crate) fn new(header: impl Fn(&str) -> Option<String> + 'static) -> Self {
        CURRENT.set(Some(Box::new(header)));
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
