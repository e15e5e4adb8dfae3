//! Server-Sent Events: an answer that goes on.

use crate::body::{Cause, Generated, Sender};
use crate::{Body, HeaderValue, IntoResponse, Response, Result, host};
use bytes::Bytes;
use futures_core::Stream;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// How long nothing is sent before a comment is, so that nobody on the way takes the connection for dead: as axum.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// An answer of events, sent as they come, with a comment every 15 s in which there are none.
///
/// It lasts as long as the request's `timeout` in `wharf.toml` allows; the browser's `EventSource` then connects again.
///
/// ```
/// use std::time::Duration;
/// use wharf::{Event, Sse};
///
/// async fn count() -> Sse {
///     Sse::generate(async |events| {
///         for n in 1..=3 {
///             events.send(Event::data(n.to_string()).with_id(n.to_string())).await;
///             wharf::sleep(Duration::from_secs(1)).await;
///         }
///         Ok(())
///     })
/// }
/// # let answer = wharf::test::Host::new().call(count, wharf::test::get("/"));
/// # assert_eq!(answer.text(), "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n");
/// ```
pub struct Sse(Pin<Box<dyn Stream<Item = Result<Event, Cause>>>>);

impl Sse {
    /// The events of a stream. An error cuts the answer short.
    pub fn new<S, E>(events: S) -> Self
    where
        S: Stream<Item = Result<Event, E>> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Self(Box::pin(Events(Box::pin(events))))
    }

    /// The events that a function sends. An error cuts the answer short, and is in the log.
    pub fn generate<F>(function: F) -> Self
    where
        F: AsyncFnOnce(Sender<Event>) -> Result<()> + 'static,
    {
        Self(Box::pin(Generated::new(function)))
    }
}

impl IntoResponse for Sse {
    fn into_response(self) -> Response {
        let body = Body::from_stream(KeptAlive {
            events: self.0,
            silence: silence(),
        });
        let mut response = Response::typed("text/event-stream", body);
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        response
    }
}

impl fmt::Debug for Sse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sse")
    }
}

/// A stream of events whatever its errors are.
struct Events<S>(Pin<Box<S>>);

impl<S, E> Stream for Events<S>
where
    S: Stream<Item = Result<Event, E>>,
    E: Into<Cause>,
{
    type Item = Result<Event, Cause>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.as_mut().poll_next(cx).map_err(Into::into)
    }
}

struct KeptAlive {
    events: Pin<Box<dyn Stream<Item = Result<Event, Cause>>>>,
    silence: Pin<Box<dyn Future<Output = ()>>>,
}

fn silence() -> Pin<Box<dyn Future<Output = ()>>> {
    Box::pin(host::sleep(KEEP_ALIVE))
}

impl Stream for KeptAlive {
    type Item = Result<Bytes, Cause>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = match self.events.as_mut().poll_next(cx) {
            Poll::Ready(next) => next.map(|event| event.map(|event| event.into_bytes())),
            Poll::Pending if self.silence.as_mut().poll(cx).is_ready() => {
                Some(Ok(Bytes::from_static(b":\n\n")))
            }
            Poll::Pending => return Poll::Pending,
        };
        self.silence = silence();
        Poll::Ready(next)
    }
}

/// One event. Line breaks in its name and id, which would end them, are left out.
#[derive(Clone, Debug)]
pub struct Event {
    head: String,
    data: String,
}

impl Event {
    /// An event with a text, of one line or several.
    pub fn data(text: impl Into<String>) -> Self {
        Self {
            head: String::new(),
            data: text.into(),
        }
    }

    /// An event with a value as JSON.
    ///
    /// # Errors
    /// 500 if the value has no JSON form.
    pub fn json<T: Serialize + ?Sized>(value: &T) -> Result<Self> {
        Ok(Self::data(serde_json::to_string(value)?))
    }

    /// The event's name: which of the browser's listeners gets it.
    #[must_use]
    pub fn with_name(self, name: &str) -> Self {
        self.with("event", name)
    }

    /// The event's id: after a lost connection the browser sends the last one as `last-event-id`.
    #[must_use]
    pub fn with_id(self, id: impl AsRef<str>) -> Self {
        self.with("id", id.as_ref())
    }

    /// How long the browser waits before it connects again.
    #[must_use]
    pub fn with_retry(self, pause: Duration) -> Self {
        self.with("retry", &pause.as_millis().to_string())
    }

    fn with(mut self, field: &str, value: &str) -> Self {
        self.head.push_str(field);
        self.head.push_str(": ");
        self.head
            .extend(value.chars().filter(|c| !matches!(c, '\n' | '\r' | '\0')));
        self.head.push('\n');
        self
    }

    fn into_bytes(self) -> Bytes {
        let mut text = self.head;
        // Every kind of line break ends a line there.
        for line in self.data.replace("\r\n", "\n").split(['\n', '\r']) {
            text.push_str("data: ");
            text.push_str(line);
            text.push('\n');
        }
        text.push('\n');
        text.into()
    }
}

#[cfg(test)]
mod tests;
