//! Answers that go on: NDJSON, one value a line, until there is no more to say or nobody listens.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderValue, header};
use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::refusal::Refusal;

/// The type of such an answer.
const NDJSON: HeaderValue = HeaderValue::from_static("application/x-ndjson");

/// Changes that come closer together are shown as one.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(50);

/// Whether something that is followed may still change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum More {
    /// It may.
    ToCome,
    /// This was the last of it.
    Nothing,
}

/// A line for each value; it ends with the server, too.
pub(super) fn ndjson<T: Serialize + 'static>(
    values: impl Stream<Item = T> + Send + 'static,
    closing: CancellationToken,
) -> Response {
    let lines = values.map(|value| Ok::<_, Infallible>(line(&value)));
    let body = Body::from_stream(lines.take_until(closing.cancelled_owned()));
    let mut response = Response::new(body);
    response.headers_mut().insert(header::CONTENT_TYPE, NDJSON);
    response
}

fn line<T: Serialize>(value: &T) -> Bytes {
    // Structs of texts, numbers and lists of them always serialise.
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line.into()
}

/// Something that can be looked at again and again.
#[async_trait::async_trait]
pub(super) trait Look: Send + 'static {
    /// What is seen.
    type Value: Serialize + PartialEq + Clone + Send + 'static;

    /// How it is now.
    async fn look(&self) -> Result<(Self::Value, More), Refusal>;
}

/// What is seen, each time it is different, until it can't change any more. Only changes after `first` was
/// seen are awaited.
pub(super) fn follow<L: Look>(
    looking: L,
    changes: watch::Receiver<u64>,
    first: (L::Value, More),
) -> impl Stream<Item = L::Value> + Send + 'static {
    let (value, more) = first;
    let rest = stream::unfold((looking, changes, value.clone(), more), next);
    stream::once(std::future::ready(value)).chain(rest)
}

type Following<L> = (L, watch::Receiver<u64>, <L as Look>::Value, More);

async fn next<L: Look>((looking, mut changes, last, more): Following<L>) -> Option<(L::Value, Following<L>)> {
    if more == More::Nothing {
        return None;
    }
    loop {
        changes.changed().await.ok()?;
        // What can't be looked at any more (it was deleted) has ended.
        let (value, more) = looking.look().await.ok()?;
        if value != last {
            return Some((value.clone(), (looking, changes, value, more)));
        }
        if more == More::Nothing {
            return None;
        }
        tokio::time::sleep(SHORTEST_INTERVAL).await;
    }
}
