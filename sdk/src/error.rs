//! What a handler or a job fails with. The text meant for the client and the cause meant for the log are
//! apart, so that an error that was only passed on with `?` tells the client nothing.

use crate::body::Cause;
use crate::{IntoResponse, Response, StatusCode, log};
use serde::Serialize;
use std::error::Error as StdError;
use std::fmt;

/// A result whose error is a [`wharf::Error`](Error).
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure, with the status the client gets.
///
/// Any error of the standard library's kind becomes one with `?`. The client then sees a 500 that says
/// `internal error`; the error's text and its causes go to the task's log. To tell the client more, choose
/// a status and a message with [`Error::new`].
///
/// ```
/// use wharf::{Error, StatusCode};
///
/// fn parse(id: &str) -> wharf::Result<u64> {
///     id.parse().map_err(|error| Error::new(StatusCode::BAD_REQUEST, "the id is a number").with_cause(error))
/// }
///
/// assert_eq!(parse("x").unwrap_err().status(), StatusCode::BAD_REQUEST);
/// ```
pub struct Error {
    status: StatusCode,
    public: Option<String>,
    cause: Option<Cause>,
}

impl Error {
    /// An error whose status and message the client sees.
    #[must_use]
    pub fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            public: Some(message.into()),
            cause: None,
        }
    }

    /// A 500 whose message goes to the log only.
    #[must_use]
    pub fn internal(message: impl Into<String>) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            public: None,
            cause: Some(message.into().into()),
        }
    }

    /// Adds what brought the error about, for the log only.
    #[must_use]
    pub fn with_cause(self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self {
            cause: Some(cause.into()),
            ..self
        }
    }

    /// The status the client gets.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The message the client gets.
    #[must_use]
    pub fn public_message(&self) -> &str {
        self.public.as_deref().unwrap_or("internal error")
    }

    /// Whether the log gets it: a mistake of the client's that it was told in full is not worth a line.
    pub(crate) fn is_for_the_log(&self) -> bool {
        self.status.is_server_error() || self.cause.is_some()
    }

    /// The answer that tells the client what it may know: a JSON object with `error`.
    pub(crate) fn to_response(&self) -> Response {
        let told = Told {
            error: self.public_message(),
        };
        // An object with a text in it has a JSON form.
        let body = serde_json::to_vec(&told).unwrap_or_default();
        Response::typed("application/json", body.into()).with_status(self.status)
    }

    /// As an error of the standard library's kind, for streams.
    pub(crate) fn into_cause(self) -> Cause {
        self.to_string().into()
    }
}

#[derive(Serialize)]
struct Told<'a> {
    error: &'a str,
}

/// What is not the client's to know is in the log.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        if self.is_for_the_log() {
            log::error(&self);
        }
        self.to_response()
    }
}

/// The whole story, for the log: the message and every cause, parted by colons.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        if let Some(public) = &self.public {
            f.write_str(public)?;
            separator = ": ";
        }
        let mut cause = self.cause.as_deref().map(|cause| cause as &dyn StdError);
        while let Some(error) = cause {
            write!(f, "{separator}{error}")?;
            separator = ": ";
            cause = error.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {self}", self.status.as_u16())
    }
}

/// Not an `Error` of the standard library itself, so that this conversion can exist for all that are.
impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            public: None,
            cause: Some(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests;
