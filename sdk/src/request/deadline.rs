//! How long a request may take, as the server says it.

use crate::{HeaderMap, host};
use std::time::Duration;

/// The header in which the server tells how much time is left, in milliseconds. It sets it itself, whatever the client
/// sent.
pub(crate) const X_WHARF_TIMEOUT_MS: &str = "x-wharf-timeout-ms";

/// When a request's answer has to be there: its `timeout` in `wharf.toml`, less what it waited before the handler got
/// it. Then the server answers 504, and the handler is dropped.
///
/// As an argument of a handler it is extracted; [`Request::deadline`](crate::Request::deadline) has it too.
///
/// ```
/// use std::time::Duration;
/// use wharf::Deadline;
///
/// async fn search(deadline: Deadline) -> &'static str {
///     if deadline.remaining().is_some_and(|left| left < Duration::from_secs(1)) {
///         return "what is known already";
///     }
///     "what is found by looking everywhere"
/// }
/// # use wharf::test::{Host, get};
/// # assert_eq!(Host::new().timeout(Duration::from_millis(500)).call(search, get("/")).text(), "what is known already");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline(Option<Duration>);

impl Deadline {
    pub(crate) fn of(headers: &HeaderMap, arrived: Duration) -> Self {
        let header = headers.get(X_WHARF_TIMEOUT_MS);
        let milliseconds = header.and_then(|value| value.to_str().ok()?.parse().ok());
        Self(milliseconds.map(|left| arrived + Duration::from_millis(left)))
    }

    /// The time that is left, nothing when it is over. None if there is no limit, or none is known.
    #[must_use]
    pub fn remaining(&self) -> Option<Duration> {
        self.0.map(|end| end.saturating_sub(host::now()))
    }
}
