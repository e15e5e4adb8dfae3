//! Requests that go well, streaming, and clients that leave.

use std::convert::Infallible;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody};
use wharf_runtime::{FailureKind, LogStream};

use crate::support::{Bench, get, text, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_answered_and_measured() {
    let (task, _) = Bench::new().http(|_| {}).await;
    let response = get(&task, "/ok").await.unwrap();
    let usage = response
        .extensions()
        .get::<wharf_runtime::RequestUsage>()
        .unwrap()
        .clone();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "ok");
    assert!(!usage.cpu().is_zero());
    assert!(usage.peak_memory() > 256 * 1024, "{}", usage.peak_memory());
    task.idle().await;
    let total = task.usage();
    assert_eq!((total.requests, total.in_flight, total.memory), (1, 0, 0));
    assert!(total.cpu >= usage.cpu());
    assert!(total.memory_peak >= usage.peak_memory());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_is_told_how_much_time_is_left() {
    let limit = Duration::from_secs(3600);
    let told = async |timeout: Option<Duration>| {
        let (task, _) = Bench::new().http(|spec| spec.timeout = timeout).await;
        // What the client claims doesn't count.
        let request = Request::get("/request")
            .header("x-wharf-timeout-ms", "7200000")
            .body(Full::<Bytes>::default())
            .unwrap();
        let body = task.call(request).await.unwrap().into_body();
        let body = body.collect().await.unwrap().to_bytes();
        let body = String::from_utf8_lossy(&body).into_owned();
        let value = body
            .split_once(r#"["x-wharf-timeout-ms",""#)?
            .1
            .split('"')
            .next()?;
        Some(Duration::from_millis(value.parse().unwrap()))
    };
    let left = told(Some(limit)).await.unwrap();
    assert!(left <= limit && !left.is_zero(), "{left:?}");
    assert_eq!(told(None).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_stream_both_ways() {
    let (task, _) = Bench::new().http(|_| {}).await;
    let (send, receive) = tokio::sync::mpsc::channel::<Bytes>(1);
    let frames = stream::unfold(receive, |mut receive| async {
        let bytes = receive.recv().await?;
        Some((Ok::<_, Infallible>(Frame::data(bytes)), receive))
    });
    let request = Request::post("/echo")
        .body(StreamBody::new(Box::pin(frames)))
        .unwrap();
    let mut body = task.call(request).await.unwrap().into_body();
    // Each piece comes back before the next one is sent: nothing waits for the end.
    for piece in ["one", "two", "three"] {
        send.send(piece.into()).await.unwrap();
        let frame = body.frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), piece);
    }
    drop(send);
    assert!(body.frame().await.is_none());
    task.idle().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_pass_whole() {
    let (task, _) = Bench::new().http(|_| {}).await;
    let response = get(&task, "/big?mib=8").await.unwrap();
    assert_eq!(
        response.into_body().collect().await.unwrap().to_bytes().len(),
        8 << 20
    );
    let request = Request::post("/body-length")
        .body(Full::from(vec![7; 3 << 20]))
        .unwrap();
    let body = task
        .call(request)
        .await
        .unwrap()
        .into_body()
        .collect()
        .await
        .unwrap()
        .to_bytes();
    assert!(
        String::from_utf8_lossy(&body).contains(&(3 << 20).to_string()),
        "{body:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_cancels_the_guest() {
    let (task, _) = Bench::new().http(|_| {}).await;
    for path in ["/spin", "/sleep?ms=600000"] {
        let call = tokio::spawn({
            let task = task.clone();
            async move { get(&task, path).await.map(drop) }
        });
        until("in flight", || task.usage().in_flight == 1).await;
        call.abort();
        until("cancelled", || task.usage().in_flight == 0).await;
    }
    for path in ["/never-end", "/spin-after-head"] {
        let response = get(&task, path).await.unwrap();
        assert_eq!(task.usage().in_flight, 1);
        drop(response);
        until("cancelled", || task.usage().in_flight == 0).await;
    }
    assert_eq!(task.usage().memory, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_may_finish_after_its_answer_was_read() {
    let (task, log) = Bench::new().http(|_| {}).await;
    assert_eq!(text(&task, "/after-response?ms=50").await.0, 200);
    until("the guest's last words", || log.contains("after the response")).await;
    assert_eq!(log.lines(LogStream::System), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_bounded_and_moves_on() {
    let (task, _) = Bench::new()
        .http(|spec| {
            spec.concurrency = 1;
            spec.queue = 1;
        })
        .await;
    let holder = get(&task, "/never-end").await.unwrap();
    let waits = tokio::spawn({
        let task = task.clone();
        async move { get(&task, "/ok").await.map(drop) }
    });
    until("one waits", || task.usage().queued == 1).await;
    assert_eq!(
        get(&task, "/ok").await.unwrap_err().kind(),
        FailureKind::QueueFull
    );
    assert_eq!(
        task.usage().requests,
        1,
        "neither who waits nor who was turned away"
    );
    drop(holder);
    waits.await.unwrap().unwrap();
    task.idle().await;
    assert_eq!((task.usage().queued, task.usage().requests), (0, 2));
}

#[tokio::test]
async fn requests_that_wait_too_long_are_told_so() {
    let (task, log) = Bench::new()
        .http(|spec| {
            // No place at all: whoever comes waits until the deadline.
            spec.concurrency = 0;
            spec.timeout = Some(Duration::from_secs(40));
        })
        .await;
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    let late = async {
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(task.usage().queued, 1);
        get(&task, "/ok").await
    };
    let (first, second) = tokio::join!(get(&task, "/ok"), late);
    for error in [first.unwrap_err(), second.unwrap_err()] {
        assert_eq!(error.kind(), FailureKind::QueueDeadline);
    }
    // Each by its own deadline, counted from its arrival.
    assert_eq!(begin.elapsed().as_secs(), 70);
    assert_eq!((task.usage().queued, task.usage().in_flight), (0, 0));
    // The queue's doing, not the guest's.
    assert_eq!(task.usage().failures_in_a_row, 0);
    assert_eq!(log.lines(LogStream::System), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_what_runs_and_what_waits() {
    let (task, _) = Bench::new().http(|spec| spec.concurrency = 1).await;
    let call = |path| {
        let task = task.clone();
        tokio::spawn(async move { get(&task, path).await.map(drop) })
    };
    let runs = call("/spin");
    until("one runs", || task.usage().in_flight == 1).await;
    let waits = call("/ok");
    until("one waits", || task.usage().queued == 1).await;
    task.stop();
    assert_eq!(runs.await.unwrap().unwrap_err().kind(), FailureKind::Stopped);
    assert_eq!(waits.await.unwrap().unwrap_err().kind(), FailureKind::Stopping);
    task.idle().await;
    assert_eq!(get(&task, "/ok").await.unwrap_err().kind(), FailureKind::Stopping);
}
