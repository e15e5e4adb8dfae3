//! What is counted: per listener, rule, target group and target.
//!
//! The counters lie in the objects they are about, so a request finds them without looking anything up; a scrape walks
//! the objects. What is counted of a rule goes on when rules are replaced, for as long as there is one of its name.

mod durations;
mod scrape;

use std::time::Duration;

use http::StatusCode;
use prometheus_client::metrics::counter::Counter;

pub(crate) use self::{
    durations::{Durations, RuleCounts},
    scrape::Scrape,
};
use crate::inspect::Class;

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
#[derive(Debug, Default)]
pub(crate) struct ListenerCounts {
    pub(crate) connections: Counter,
    /// Those that could not be let in. ALB: `RejectedConnectionCount`.
    pub(crate) rejected: Counter,
    pub(crate) failed_handshakes: Counter,
    pub(crate) responses: Responses,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
    pub(crate) duration: Durations,
    desync: [Counter; 3],
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
#[derive(Debug, Default)]
pub(crate) struct GroupCounts {
    /// To requests that were forwarded to it, the gateway's own answers included.
    pub(crate) responses: Responses,
    /// To the response's head. ALB: `TargetResponseTime`.
    pub(crate) head: Durations,
    pub(crate) retries: Counter,
}

/// What is counted of a target.
#[derive(Debug, Default)]
pub(crate) struct TargetCounts {
    /// To requests it was given, the gateway's own answers included.
    responses: Responses,
    /// As a group's.
    head: Durations,
}

impl TargetCounts {
    /// A request it was given has ended; without a head where it has failed.
    pub(crate) fn count(&self, status: u16, head: Option<Duration>) {
        self.responses.count(status);
        if let Some(head) = head {
            self.head.observe(head);
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
        self.duration.observe(request.duration);
    }
}

impl GroupCounts {
    pub(crate) fn count(&self, request: &Counted) {
        if let Some(status) = request.status {
            self.responses.count(status);
        }
        if let Some(head) = request.head {
            self.head.observe(head);
        }
        if request.retries > 0 {
            self.retries.inc_by(u64::from(request.retries));
        }
    }
}
