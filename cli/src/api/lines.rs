//! A stream of JSON values, one a line.

use std::marker::PhantomData;

use bytes::{Buf as _, BytesMut};
use http::Uri;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use serde::de::DeserializeOwned;

use super::{ApiError, Fault};

/// The longest line taken: a log line of 16 KiB, escaped, is far below it.
const MAX_LINE: usize = 1 << 20;

/// Values that arrive over time.
pub(crate) struct Lines<T> {
    body: Incoming,
    read: BytesMut,
    api: Uri,
    value: PhantomData<fn() -> T>,
}

impl<T: DeserializeOwned> Lines<T> {
    pub(super) fn new(body: Incoming, api: Uri) -> Self {
        Self {
            body,
            read: BytesMut::new(),
            api,
            value: PhantomData,
        }
    }

    /// The next value; nothing when the stream ended where it should. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Option<T>, ApiError> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line = self.read.split_to(end);
                self.read.advance(1);
                if line.is_empty() {
                    continue; // sent to keep the connection alive
                }
                return serde_json::from_slice(&line)
                    .map(Some)
                    .map_err(|source| self.garbled(source));
            }
            if self.read.len() > MAX_LINE {
                return Err(self.garbled("a line is longer than 1 MiB"));
            }
            match self.body.frame().await {
                None if self.read.is_empty() => return Ok(None),
                None => return Err(self.broken(Fault::HungUp)),
                Some(Err(error)) => return Err(self.broken(Fault::of(&error))),
                Some(Ok(frame)) => frame
                    .into_data()
                    .map_or((), |data| self.read.extend_from_slice(&data)),
            }
        }
    }

    fn garbled(&self, cause: impl Into<super::error::BoxError>) -> ApiError {
        ApiError::Garbled {
            api: self.api.clone(),
            cause: cause.into(),
        }
    }

    fn broken(&self, fault: Fault) -> ApiError {
        ApiError::Broken {
            api: self.api.clone(),
            fault,
        }
    }
}
