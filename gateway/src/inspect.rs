//! The inspector of requests: what stands between a client's bytes and hyper, and a client's HTTP/2 and HTTP/1 targets.
//!
//! hyper repairs some ambiguous framing silently and answers malformed heads with a bare status. So every head is
//! looked at before: where it ends and where its body will ([`framing`]), which class it is of ([`class`], as ALB's
//! desync mitigation has them), and whether it keeps to its bounds. What is let through has one reading only: where it
//! had not, it is written anew without what was ambiguous. The rest is answered in our own form.
//!
//! All of it is pure: bytes in, verdict out. The connection's stream does the reading.

mod bytes;
pub(crate) mod class;
pub(crate) mod framing;
mod head;

pub(crate) use self::{
    class::{Class, Reason},
    framing::Body,
    head::{Afterwards, Inspected, Passed, Refused, Scan, inspect, judge_http2, stand_in},
};

#[cfg(test)]
mod tests;
