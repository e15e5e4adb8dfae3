//! Bodies whole, in chunks and over the limit.

use super::Body;
use crate::test::Host;
use crate::{Bytes, Error, StatusCode};
use futures_core::Stream;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

fn block_on<T>(future: impl Future<Output = T>) -> T {
    Host::new().block_on(future)
}

/// Yields its items, last first.
struct Items(Vec<io::Result<&'static [u8]>>);

impl Stream for Items {
    type Item = io::Result<&'static [u8]>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop())
    }
}

fn streamed() -> Body {
    Body::from_stream(Items(vec![Ok(b"three"), Ok(b"two"), Ok(b"one")]))
}

#[test]
fn a_stream_is_read_chunk_by_chunk() {
    let chunks = block_on(async {
        let mut body = streamed();
        let mut chunks = Vec::new();
        while let Some(chunk) = body.chunk().await? {
            chunks.push(chunk);
        }
        Ok::<_, Error>(chunks)
    });
    assert_eq!(
        chunks.unwrap(),
        [Bytes::from("one"), Bytes::from("two"), Bytes::from("three")]
    );
}

#[test]
fn a_stream_is_collected_up_to_the_limit() {
    assert_eq!(block_on(streamed().bytes_up_to(11)).unwrap(), "onetwothree");
    for limit in [0, 2, 3, 10] {
        let error = block_on(streamed().bytes_up_to(limit)).unwrap_err();
        assert_eq!(error.status(), StatusCode::PAYLOAD_TOO_LARGE, "limit {limit}");
    }
    assert_eq!(block_on(Body::from("exact").bytes_up_to(5)).unwrap(), "exact");
}

#[test]
fn a_read_beginning_leaves_the_rest_to_be_passed_on() {
    let rest = block_on(async {
        let mut body = streamed();
        body.chunk().await?;
        body.text().await
    });
    assert_eq!(rest.unwrap(), "twothree");
}

#[test]
fn a_stream_that_fails_says_so() {
    let broken = Body::from_stream(Items(vec![Err(io::Error::other("cable cut")), Ok(b"one")]));
    let error = block_on(broken.text()).unwrap_err();
    assert_eq!(error.status(), StatusCode::BAD_REQUEST);
    assert_eq!(error.to_string(), "the body ended early: cable cut");
}

#[test]
fn a_length_is_known_or_not() {
    assert_eq!(Body::from("four").length(), Some(4));
    assert_eq!(Body::empty().length(), Some(0));
    assert_eq!(streamed().length(), None);
}

#[test]
fn a_function_makes_a_body_as_it_is_read() {
    let body = Body::generate(async |out| {
        for word in ["one", "two"] {
            out.send(word).await;
            crate::sleep(std::time::Duration::from_secs(1)).await;
        }
        Ok(())
    });
    assert_eq!(block_on(body.text()).unwrap(), "onetwo");
    let failing = Body::generate(async |out| {
        out.send("one").await;
        Err(Error::internal("cable cut"))
    });
    let error = block_on(failing.text()).unwrap_err();
    assert_eq!(error.to_string(), "the body ended early: cable cut");
    assert_eq!(block_on(Body::generate(async |_| Ok(())).text()).unwrap(), "");
}

#[test]
fn a_function_goes_no_faster_than_it_is_read() {
    let sent = std::rc::Rc::new(std::cell::Cell::new(0));
    let count = std::rc::Rc::clone(&sent);
    let mut body = Body::generate(async move |out| {
        loop {
            out.send("x").await;
            count.set(count.get() + 1);
        }
    });
    block_on(async {
        body.chunk().await?;
        body.chunk().await
    })
    .unwrap();
    assert_eq!(sent.get(), 1);
}
