//! When a request is tried again, and after how long.

use super::{Error, ErrorKind, Response};
use crate::{Method, StatusCode, host};
use std::time::Duration;

/// The most retries there are, whatever is asked for.
const MAX_RETRIES: u32 = 10;
/// The first pause is up to this long, the second up to twice as long, and so on.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Pauses grow up to this.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// A service that wants to be left alone for longer is not waited for: its answer is the answer.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);

/// How often a request is tried again, and which.
///
/// Again are tried: what got no connection, no answer in time or a broken one, and the answers 429, 502, 503 and 504. Only
/// methods that do no harm when they come twice (GET, HEAD, OPTIONS, PUT, DELETE, TRACE), unless
/// [`any_method`](Self::any_method) says otherwise, and only bodies that are not streams.
///
/// Before each try is a pause: what `Retry-After` says, or a random time of up to 200 ms, doubling up to 5 s. If
/// `Retry-After` says more than 30 s, or more than what is left until the
/// [deadline](super::RequestBuilder::until), the answer is not waited for but given back.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    times: u32,
    methods: Methods,
}

#[derive(Clone, Copy, Debug)]
enum Methods {
    Idempotent,
    Any,
}

/// What becomes of a request that was tried.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Done,
    After(Duration),
}

impl Retry {
    pub(super) fn never() -> Self {
        Self::times(0)
    }

    /// So many more tries, 10 at most.
    #[must_use]
    pub fn times(times: u32) -> Self {
        Self {
            times: times.min(MAX_RETRIES),
            methods: Methods::Idempotent,
        }
    }

    /// Methods such as POST, too: for services that take the same thing only once, by a key in the request or because it
    /// makes no difference.
    #[must_use]
    pub fn any_method(self) -> Self {
        Self {
            methods: Methods::Any,
            ..self
        }
    }

    pub(super) fn covers(self, method: &Method) -> bool {
        matches!(self.methods, Methods::Any) || method.is_idempotent()
    }

    pub(super) fn verdict(self, tries: u32, outcome: &Result<Response, Error>) -> Verdict {
        if tries > self.times {
            return Verdict::Done;
        }
        match outcome {
            Err(error) => match error.kind() {
                ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Answer => {
                    Verdict::After(pause(tries))
                }
                ErrorKind::Invalid | ErrorKind::Denied => Verdict::Done,
            },
            Ok(answer) if may_pass(answer.status()) => match retry_after(answer) {
                None => Verdict::After(pause(tries)),
                Some(wanted) if wanted > MAX_RETRY_AFTER => Verdict::Done,
                Some(wanted) => Verdict::After(wanted),
            },
            Ok(_) => Verdict::Done,
        }
    }
}

fn may_pass(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT
    )
}

/// A random part of the longest, so that those who failed together don't come back together.
fn pause(tries: u32) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << tries.saturating_sub(1).min(MAX_RETRIES));
    let longest = doubled.min(MAX_PAUSE).as_micros();
    // The upper half of the product is evenly from 0 to the longest.
    let part = (u128::from(host::random()) * (longest + 1)) >> 64;
    Duration::from_micros(u64::try_from(part).unwrap_or(u64::MAX))
}

/// In seconds, or as a date: then what counts is the time since the answer's own date, so that the clocks may differ.
fn retry_after(answer: &Response) -> Option<Duration> {
    let wanted = answer.header("retry-after")?;
    if let Ok(seconds) = wanted.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, now) = (seconds_of(wanted)?, seconds_of(answer.header("date")?)?);
    Some(Duration::from_secs(until.saturating_sub(now)))
}

/// Seconds since the year 0 of `Sun, 06 Nov 1994 08:49:37 GMT`, the one form that is written (RFC 9110, 5.6.7).
fn seconds_of(date: &str) -> Option<u64> {
    let parts: Vec<&str> = date.split([' ', ':']).collect();
    let [_, day, month, year, hours, minutes, seconds, "GMT"] = parts.as_slice() else {
        return None;
    };
    let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let month = u64::try_from(months.iter().position(|name| name == month)?).ok()?;
    let number = |text: &str| text.parse::<u64>().ok().filter(|number| *number < 10_000);
    // Counted from March, so that the day that some years have more comes last.
    let (year, month) = match month {
        0 | 1 => (number(year)?.checked_sub(1)?, month + 10),
        _ => (number(year)?, month - 2),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    let days = year * 365 + leap_days + (153 * month + 2) / 5 + number(day)?;
    Some(((days * 24 + number(hours)?) * 60 + number(minutes)?) * 60 + number(seconds)?)
}

#[cfg(test)]
mod tests;
