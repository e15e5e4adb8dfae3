//! Why a server can't be talked to, in words of its own: what the libraries below say of it names their own
//! parts, and is a chain of five errors where one fact is wanted.

use std::error::Error;
use std::io;
use std::time::Duration;

/// How long connecting may take. The server's machine accepts by itself, so only what is on the way takes time.
pub(super) const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// What happened to a request on its way.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Fault {
    #[error("the connection was refused")]
    Refused,
    #[error("no answer within {} s", CONNECT_PATIENCE.as_secs())]
    TimedOut,
    #[error("there is no way to that address from here")]
    NoRoute,
    #[error("it closed the connection without an answer")]
    HungUp,
    #[error("what answers there does not speak HTTP")]
    NotHttp,
    #[error("what answers there does not speak TLS")]
    NotTls,
    #[error("TLS failed: {0}")]
    Tls(String),
    /// What the system says.
    #[error("{0}")]
    Other(String),
}

impl Fault {
    /// The fact behind an error of the HTTP client's.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let mut last = None;
        let mut next = Some(error);
        while let Some(error) = next {
            if let Some(fault) = Self::known(error) {
                return fault;
            }
            last = Some(error);
            next = cause(error);
        }
        Self::Other(last.map(ToString::to_string).unwrap_or_default())
    }

    fn known(error: &(dyn Error + 'static)) -> Option<Self> {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return Self::of_system(error.kind());
        }
        if let Some(error) = error.downcast_ref::<rustls::Error>() {
            return Some(match error {
                rustls::Error::InvalidMessage(_) => Self::NotTls,
                other => Self::Tls(other.to_string()),
            });
        }
        let error = error.downcast_ref::<hyper::Error>()?;
        match () {
            () if error.is_parse() => Some(Self::NotHttp),
            () if error.is_incomplete_message() => Some(Self::HungUp),
            () => None,
        }
    }

    fn of_system(kind: io::ErrorKind) -> Option<Self> {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable,
            NetworkUnreachable, TimedOut, UnexpectedEof,
        };
        match kind {
            ConnectionRefused => Some(Self::Refused),
            TimedOut => Some(Self::TimedOut),
            HostUnreachable | NetworkUnreachable => Some(Self::NoRoute),
            ConnectionReset | ConnectionAborted | BrokenPipe | UnexpectedEof => Some(Self::HungUp),
            _ => None,
        }
    }

    /// What to do about it.
    pub(super) fn hint(&self) -> &'static str {
        match self {
            Self::NotTls => "its address may begin with http:// instead of https:// (WHARF_API or --api)",
            Self::NotHttp => {
                "is the port the API's? `wharf serve` prints its address, which WHARF_API or --api takes"
            }
            Self::Tls(_) => "its certificate has to be valid for this address, and trusted by this machine",
            Self::HungUp => "see what `wharf serve` says there; WHARF_API or --api names another address",
            Self::Refused | Self::TimedOut | Self::NoRoute | Self::Other(_) => {
                "start the server with `wharf serve`, or say where it is with WHARF_API or --api"
            }
        }
    }
}

/// An I/O error may carry another error, which is not its source.
fn cause<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(carried) => Some(carried),
        None => error.source(),
    }
}

#[cfg(test)]
mod tests;
