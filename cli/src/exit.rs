//! The one place where what went wrong becomes an exit code: 0 ok, 1 failed, 2 usage (clap says it itself, too),
//! 64 bad config. `wharf run` ends with its job's own code.

use std::process::ExitCode;

use wharf_control::server::ServeError;

use crate::api::{ApiError, Refusal};

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const BAD_CONFIG: u8 = 64;

/// What was configured cannot be used: a manifest, a configuration file, a file either names.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadConfig(pub(crate) String);

/// The server refuses what was configured.
#[derive(Debug, thiserror::Error)]
#[error("{place}")]
pub(crate) struct RefusedConfig {
    /// Where that is written: a file, with line and column if they are known.
    pub(crate) place: String,
    pub(crate) source: ApiError,
}

/// The server refuses what was typed.
#[derive(Debug, thiserror::Error)]
#[error("what was typed cannot be used")]
pub(crate) struct RefusedTyped(#[source] pub(crate) ApiError);

/// What was typed cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Print the error with its causes, once, and what to do about it; say what to exit with.
#[expect(clippy::print_stderr, reason = "where errors go")]
pub(crate) fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {}", told(error));
    ExitCode::from(code(error))
}

/// What was wrong and where, then its causes, and on a line of its own what to do.
pub(crate) fn told(error: &anyhow::Error) -> String {
    match error.chain().find_map(hint) {
        Some(hint) => format!("{error:#}\n  {hint}"),
        None => format!("{error:#}"),
    }
}

fn hint(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let of_api = |error: &ApiError| error.hint().map(str::to_owned);
    let of_server = error.downcast_ref().and_then(ServeError::hint);
    of_server.or_else(|| error.downcast_ref().and_then(of_api))
}

fn code(error: &anyhow::Error) -> u8 {
    let has = |is: fn(&(dyn std::error::Error + 'static)) -> bool| error.chain().any(is);
    if has(|cause| cause.is::<BadConfig>() || cause.is::<RefusedConfig>()) {
        BAD_CONFIG
    } else if has(|cause| {
        cause.is::<Usage>() || cause.is::<RefusedTyped>() || cause.downcast_ref().is_some_and(mistyped)
    }) {
        USAGE
    } else {
        FAILED
    }
}

/// A request that `wharf route test` was asked about, and that there can't be.
fn mistyped(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused(Refusal { detail, .. }) if detail.code == "InvalidSample")
}

/// A job's exit code as this process's: what doesn't fit into a byte is a plain failure, never a success.
pub(crate) fn of_job(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(FAILED))
}

#[cfg(test)]
mod tests;
