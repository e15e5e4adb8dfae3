//! What is counted: per listener, rule, target group and target.
//!
//! The counters lie in the objects they are about, so a request finds them without looking anything up; a scrape walks
//! the objects. A rule's counter goes on when rules are replaced, for as long as there is one of its name.

mod scrape;

use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::{counter::Counter, histogram::Histogram};

pub(crate) use self::scrape::Scrape;
use crate::inspect::Class;

/// Bounds of response times, in seconds: from what a guest needs to what a gateway waits for.
const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0,
];

/// Responses by the first digit of their status.
#[derive(Debug, Default)]
pub(crate) struct Responses([Counter; 5]);

/// The labels of [`Responses`].
const CODES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

impl Responses {
    pub(crate) fn count(&self, status: u16) {
        let digit = usize::from(status / 100).saturating_sub(1);
        if let Some(counter) = self.0.get(digit) {
            counter.inc();
        }
    }

    fn by_code(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
        CODES.into_iter().zip(&self.0)
    }
}

/// What is counted of a listener.
#[derive(Debug)]
pub(crate) struct ListenerCounts {
    pub(crate) connections: Counter,
    /// Those that could not be let in. ALB: `RejectedConnectionCount`.
    pub(crate) rejected: Counter,
    pub(crate) failed_handshakes: Counter,
    pub(crate) responses: Responses,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) duration: Histogram,
    desync: [Counter; 3],
}

impl Default for ListenerCounts {
    fn default() -> Self {
        Self {
            connections: Counter::default(),
            rejected: Counter::default(),
            failed_handshakes: Counter::default(),
            responses: Responses::default(),
            received: Counter::default(),
            sent: Counter::default(),
            duration: seconds(),
            desync: Default::default(),
        }
    }
}

impl ListenerCounts {
    /// A request's head was of this class. ALB: `DesyncMitigationMode_NonCompliant_Request_Count`.
    pub(crate) fn classified(&self, class: Class) {
        let [acceptable, ambiguous, severe] = &self.desync;
        match class {
            Class::Compliant => {}
            Class::Acceptable => {
                acceptable.inc();
            }
            Class::Ambiguous => {
                ambiguous.inc();
            }
            Class::Severe => {
                severe.inc();
            }
        }
    }

    fn by_class(&self) -> impl Iterator<Item = (&'static str, &Counter)> {
        ["acceptable", "ambiguous", "severe"]
            .into_iter()
            .zip(&self.desync)
    }
}

/// What is counted of a target group.
#[derive(Debug)]
pub(crate) struct GroupCounts {
    /// To requests that were forwarded to it, the gateway's own answers included.
    pub(crate) responses: Responses,
    /// To the response's head. ALB: `TargetResponseTime`.
    pub(crate) head: Histogram,
    pub(crate) retries: Counter,
}

impl Default for GroupCounts {
    fn default() -> Self {
        Self {
            responses: Responses::default(),
            head: seconds(),
            retries: Counter::default(),
        }
    }
}

/// A request at its end, as far as it is counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counted {
    pub(crate) status: Option<u16>,
    pub(crate) class: Class,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    pub(crate) duration: Duration,
    /// Until the response's head was there.
    pub(crate) head: Option<Duration>,
    pub(crate) retries: u32,
}

impl ListenerCounts {
    pub(crate) fn count(&self, request: &Counted) {
        // One that the gateway's own end cut off has no status; it is none of the client's.
        self.responses
            .count(request.status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE.as_u16()));
        self.classified(request.class);
        self.received.inc_by(request.received);
        self.sent.inc_by(request.sent);
        self.duration.observe(request.duration.as_secs_f64());
    }
}

impl GroupCounts {
    pub(crate) fn count(&self, request: &Counted) {
        if let Some(status) = request.status {
            self.responses.count(status);
        }
        if let Some(head) = request.head {
            self.head.observe(head.as_secs_f64());
        }
        if request.retries > 0 {
            self.retries.inc_by(u64::from(request.retries));
        }
    }
}

fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}
