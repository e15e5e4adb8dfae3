//! A client that leaves takes its call with it.

use std::sync::Mutex;

use http::Response;

use crate::{
    headers::{get, http2},
    streaming::fed,
    support::{Dropped, Rig, seen},
};

#[tokio::test]
async fn leaving_before_the_response_drops_the_call() {
    let (dropped, gone) = Dropped::new();
    let dropped = Mutex::new(Some(dropped));
    let (called, calls) = tokio::sync::watch::channel(false);
    let rig = Rig::answering(move |_| {
        let dropped = dropped.lock().unwrap().take();
        called.send_replace(true);
        async move {
            let _dropped = dropped;
            std::future::pending().await
        }
    });
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    seen("the call", calls, |called| *called).await;
    drop(client);
    seen("the call's end", gone, |gone| *gone).await;
    let line = rig.log.line().await;
    assert_eq!(
        (&line["status"], &line["clientLeft"]),
        (&460.into(), &true.into())
    );
    assert_eq!((&line["task"], &line["headMs"]), (&"t1".into(), &().into()));
    assert_eq!(rig.app.targets()[0].in_flight, 0);
}

#[tokio::test]
async fn leaving_is_noticed_even_while_the_requests_body_lies_unread() {
    let (dropped, gone) = Dropped::new();
    let dropped = Mutex::new(Some(dropped));
    let (called, calls) = tokio::sync::watch::channel(false);
    let rig = Rig::answering(move |request| {
        let dropped = dropped.lock().unwrap().take();
        called.send_replace(true);
        async move {
            let _held = (dropped, request);
            std::future::pending().await
        }
    });
    let mut client = rig.connect().await;
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\nhello")
        .await;
    seen("the call", calls, |called| *called).await;
    drop(client);
    seen("the call's end", gone, |gone| *gone).await;
    assert_eq!(rig.log.line().await["clientLeft"], true);
}

#[tokio::test]
async fn leaving_is_noticed_even_behind_a_request_that_came_early() {
    for behind in ["GET / HTTP/1.1\r\nHost: app.test\r\n\r\n", "\r\n"] {
        let (dropped, gone) = Dropped::new();
        let dropped = Mutex::new(Some(dropped));
        let (called, calls) = tokio::sync::watch::channel(false);
        let rig = Rig::answering(move |_| {
            let dropped = dropped.lock().unwrap().take();
            called.send_replace(true);
            async move {
                let _dropped = dropped;
                std::future::pending().await
            }
        });
        let mut client = rig.connect().await;
        client
            .send(format!("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n{behind}"))
            .await;
        seen("the call", calls, |called| *called).await;
        drop(client);
        seen("the call's end", gone, |gone| *gone).await;
        assert_eq!(rig.log.line().await["status"], 460);
    }
}

#[tokio::test]
async fn leaving_amid_the_response_drops_its_body() {
    let (feed, body) = fed();
    let body = Mutex::new(Some(body));
    let rig = Rig::answering(move |_| {
        let body = body.lock().unwrap().take().unwrap();
        async { Ok(Response::new(body)) }
    });
    let mut client = rig.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    feed.send(Ok("one")).await.unwrap();
    client.chunk().await;
    drop(client);
    crate::support::within("the body's end", feed.closed()).await;
    let line = rig.log.line().await;
    assert_eq!(
        (&line["status"], &line["clientLeft"]),
        (&200.into(), &true.into())
    );
    assert_eq!(line["responseBytes"], 3);
}

#[tokio::test]
async fn resetting_an_http2_stream_drops_its_call_alone() {
    let (dropped, gone) = Dropped::new();
    let dropped = Mutex::new(Some(dropped));
    let (called, calls) = tokio::sync::watch::channel(false);
    let rig = Rig::answering(move |request| {
        let dropped = if request.uri().path() == "/hang" {
            dropped.lock().unwrap().take()
        } else {
            None
        };
        called.send_replace(true);
        async move {
            match dropped {
                Some(_dropped) => std::future::pending().await,
                None => Ok(crate::support::ok("fine")),
            }
        }
    });
    let mut client = http2(&rig).await;
    let hanging = tokio::spawn(client.send_request(get("/hang")));
    seen("the call", calls, |called| *called).await;
    hanging.abort();
    seen("the call's end", gone, |gone| *gone).await;
    assert_eq!(rig.log.line().await["clientLeft"], true);
    assert_eq!(
        client.send_request(get("/")).await.unwrap().status(),
        200,
        "the connection lives on"
    );
}
