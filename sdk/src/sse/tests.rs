//! Events as they are sent.

use super::{Event, Sse};
use crate::test::{Answer, Host, get};
use crate::{Error, body::Cause, sleep};
use futures_core::Stream;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

fn answered(host: &Host, sse: impl Fn() -> Sse + 'static) -> Answer {
    host.call(move || std::future::ready(sse()), get("/"))
}

#[test]
fn events_have_fields() {
    let answer = answered(&Host::new(), || {
        Sse::generate(async |events| {
            events.send(Event::data("one")).await;
            events.send(Event::data("two\nlines\r\nor\rmore")).await;
            let event = Event::json(&[1])?.with_name("na\nme").with_id("7\r");
            events.send(event.with_retry(Duration::from_secs(2))).await;
            Ok(())
        })
    });
    assert_eq!(answer.header("content-type"), Some("text/event-stream"));
    assert_eq!(answer.header("cache-control"), Some("no-cache"));
    assert_eq!(answer.header("content-length"), None);
    assert_eq!(
        answer.text(),
        "data: one\n\n\
         data: two\ndata: lines\ndata: or\ndata: more\n\n\
         event: name\nid: 7\nretry: 2000\ndata: [1]\n\n"
    );
}

#[test]
fn silence_is_broken_by_comments() {
    let host = Host::new().timeout(Duration::from_secs(3600));
    let answer = answered(&host, || {
        Sse::generate(async |events| {
            sleep(Duration::from_secs(14)).await;
            events.send(Event::data("a")).await;
            sleep(Duration::from_secs(40)).await;
            events.send(Event::data("b")).await;
            Ok(())
        })
    });
    assert_eq!(answer.text(), "data: a\n\n:\n\n:\n\ndata: b\n\n");
    assert_eq!(host.elapsed(), Duration::from_secs(54));
}

#[test]
fn an_answer_that_goes_on_ends_with_the_requests_time() {
    let host = Host::new();
    let answer = answered(&host, || {
        Sse::generate(async |events| {
            loop {
                events.send(Event::data("tick")).await;
                sleep(Duration::from_secs(12)).await;
            }
        })
    });
    assert!(answer.is_cut_short());
    assert_eq!(answer.text(), "data: tick\n\n".repeat(3));
}

#[test]
fn an_error_cuts_it_short_and_is_logged() {
    let host = Host::new();
    let answer = answered(&host, || {
        Sse::generate(async |events| {
            events.send(Event::data("a")).await;
            Err(Error::internal("the source is gone"))
        })
    });
    assert!(answer.is_cut_short());
    assert_eq!((answer.status().as_u16(), answer.text()), (200, "data: a\n\n"));
    assert!(host.log()[0].contains("the source is gone"));
}

/// Yields its events, last first.
struct Events(Vec<Event>);

impl Stream for Events {
    type Item = Result<Event, Cause>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Poll::Ready(self.0.pop().map(Ok))
    }
}

#[test]
fn a_stream_of_events_is_sent() {
    let events = || Sse::new(Events(vec![Event::data("b"), Event::data("a")]));
    assert_eq!(answered(&Host::new(), events).text(), "data: a\n\ndata: b\n\n");
}
