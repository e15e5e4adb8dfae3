//! What is tried again, and when.

use super::{Retry, seconds_of};
use crate::client::{self, ErrorKind, RequestBuilder};
use crate::test::{Failing, Host, get};
use crate::{Body, Error, IntoResponse, Method, Request, Response, Result, StatusCode, sleep};
use std::cell::Cell;
use std::time::Duration;

const URL: &str = "https://api.test/things";
const ORIGIN: &str = "https://api.test";

/// Answers with these, one after the other, and then with 200.
fn answering(answers: Vec<Response>) -> Host {
    let answers = Cell::new(answers);
    Host::new().upstream(ORIGIN, move || {
        let mut left = answers.take();
        let answer = if left.is_empty() {
            "well".into_response()
        } else {
            left.remove(0)
        };
        answers.set(left);
        std::future::ready(answer)
    })
}

fn busy(retry_after: &str) -> Response {
    let response = StatusCode::SERVICE_UNAVAILABLE.into_response();
    response.with_header("retry-after", retry_after).unwrap()
}

fn status(host: &Host, request: RequestBuilder) -> u16 {
    host.block_on(request.send()).unwrap().status().as_u16()
}

fn failed() -> Response {
    StatusCode::BAD_GATEWAY.into_response()
}

#[test]
fn what_may_pass_is_tried_again() {
    let host = answering(vec![failed(), failed()]);
    assert_eq!(status(&host, client::get(URL).retry(Retry::times(2))), 200);
    assert_eq!(host.sent().len(), 3);
    // The middle of up to 200 and up to 400 ms.
    assert!(host.elapsed().abs_diff(Duration::from_millis(300)) < Duration::from_millis(1));
}

#[test]
fn tries_have_an_end() {
    for (times, expected) in [(0, 1), (1, 2), (1000, 11)] {
        let host = Host::new().failing_upstream(ORIGIN, Failing::Unreachable);
        let error = host
            .block_on(client::get(URL).retry(Retry::times(times)).send())
            .unwrap_err();
        assert_eq!(
            (error.kind(), host.sent().len()),
            (ErrorKind::Unreachable, expected)
        );
    }
}

#[test]
fn only_what_does_no_harm_twice_is_tried_again() {
    let table = [
        (client::put(URL).body("x").retry(Retry::times(1)), 2),
        (client::delete(URL).retry(Retry::times(1)), 2),
        (client::get(URL), 1),
        (client::post(URL).json(&1).retry(Retry::times(1)), 1),
        (client::patch(URL).retry(Retry::times(1)), 1),
        (client::post(URL).json(&1).retry(Retry::times(1).any_method()), 2),
        (
            client::put(URL)
                .body(Body::generate(async |_| Ok(())))
                .retry(Retry::times(1)),
            1,
        ),
    ];
    for (request, expected) in table {
        let described = format!("{request:?}");
        let host = answering(vec![failed()]);
        host.block_on(request.send()).unwrap();
        assert_eq!(host.sent().len(), expected, "{described}");
    }
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for code in [
        StatusCode::NOT_FOUND,
        StatusCode::INTERNAL_SERVER_ERROR,
        StatusCode::UNAUTHORIZED,
    ] {
        let host = answering(vec![code.into_response()]);
        assert_eq!(
            status(&host, client::get(URL).retry(Retry::times(3))),
            code.as_u16()
        );
    }
    let host = Host::new();
    let error = host
        .block_on(client::get(URL).retry(Retry::times(3)).send())
        .unwrap_err();
    assert_eq!((error.kind(), host.sent().len()), (ErrorKind::Denied, 1));
}

#[test]
fn a_service_that_names_its_time_is_left_alone_so_long() {
    let host = answering(vec![busy("7")]);
    assert_eq!(status(&host, client::get(URL).retry(Retry::times(1))), 200);
    assert_eq!(host.elapsed(), Duration::from_secs(7));
    let date = busy("Sun, 01 Mar 2026 00:00:05 GMT").with_header("date", "Sat, 28 Feb 2026 23:59:50 GMT");
    let host = answering(vec![date.unwrap()]);
    assert_eq!(status(&host, client::get(URL).retry(Retry::times(1))), 200);
    assert_eq!(host.elapsed(), Duration::from_secs(15));
    let host = answering(vec![busy("31")]);
    assert_eq!(status(&host, client::get(URL).retry(Retry::times(1))), 503);
    assert_eq!((host.sent().len(), host.elapsed()), (1, Duration::ZERO));
}

#[test]
fn a_deadline_is_over_all_tries() {
    async fn handle(request: Request) -> Result<String> {
        let asked = client::get(URL)
            .retry(Retry::times(5))
            .until(request.deadline())
            .send()
            .await;
        let kind = asked
            .map_err(|error| error.kind())
            .map(|answer| answer.status().as_u16());
        Ok(format!("{kind:?}"))
    }
    let slow = async || sleep(Duration::from_secs(60)).await;
    let host = Host::new()
        .timeout(Duration::from_secs(12))
        .upstream(ORIGIN, slow);
    // 10 s, a pause of 0.1 s, and what is left: the handler's answer comes at the very end, or the 504 does.
    host.call(handle, get("/"));
    assert_eq!((host.sent().len(), host.elapsed()), (2, Duration::from_secs(12)));
    let host = answering(vec![busy("20")]).timeout(Duration::from_secs(12));
    assert_eq!(host.call(handle, get("/")).text(), "Ok(503)");
}

#[test]
fn a_deadline_that_is_nearer_than_the_timeout_counts() {
    let slow = async || sleep(Duration::from_secs(60)).await;
    let host = Host::new().upstream(ORIGIN, slow);
    let error = host.block_on(async {
        let request = Request::from(get("/")).with_timeout(Duration::from_secs(3));
        client::get(URL)
            .until(request.deadline())
            .send()
            .await
            .unwrap_err()
    });
    assert_eq!(
        (error.kind(), host.elapsed()),
        (ErrorKind::Timeout, Duration::from_secs(3))
    );
}

#[test]
fn each_try_has_its_time() {
    let slow = async || sleep(Duration::from_secs(60)).await;
    let host = Host::new().upstream(ORIGIN, slow);
    let error = host
        .block_on(client::get(URL).timeout(Duration::from_secs(2)).send())
        .unwrap_err();
    assert_eq!(
        (error.kind(), host.elapsed()),
        (ErrorKind::Timeout, Duration::from_secs(2))
    );
    assert!(error.to_string().contains("no answer within 2s"), "{error}");
}

#[test]
fn an_answer_that_breaks_the_bargain_is_told_with_its_place() {
    let host = Host::new().upstream(ORIGIN, async || r#"{"stars":"many"}"#);
    #[derive(Debug, serde::Deserialize)]
    #[expect(dead_code, reason = "only whether it can be read matters")]
    struct Repository {
        stars: u64,
    }
    let read =
        host.block_on(async { Ok::<_, Error>(client::get(URL).send().await?.json::<Repository>().await) });
    let error = read.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Answer);
    assert!(error.to_string().contains("`stars`: invalid type"), "{error}");
    assert_eq!(host.sent()[0].method, Method::GET);
}

#[test]
fn dates_are_read_or_left() {
    let day = 24 * 60 * 60;
    let since = |one: &str, other: &str| seconds_of(other).unwrap() - seconds_of(one).unwrap();
    assert_eq!(
        since("Sun, 06 Nov 1994 08:49:37 GMT", "Mon, 07 Nov 1994 08:49:37 GMT"),
        day
    );
    assert_eq!(
        since("Wed, 31 Dec 2025 23:59:59 GMT", "Thu, 01 Jan 2026 00:00:00 GMT"),
        1
    );
    assert_eq!(
        since("Wed, 28 Feb 2024 00:00:00 GMT", "Fri, 01 Mar 2024 00:00:00 GMT"),
        2 * day
    );
    assert_eq!(
        since("Sat, 28 Feb 2026 00:00:00 GMT", "Sun, 01 Mar 2026 00:00:00 GMT"),
        day
    );
    assert_eq!(
        since("Sat, 01 Jan 2000 00:00:00 GMT", "Mon, 01 Jan 2001 00:00:00 GMT"),
        366 * day
    );
    for broken in [
        "",
        "soon",
        "Sun, 06 Nov 1994 08:49:37 CET",
        "Sun, 06 Nix 1994 08:49:37 GMT",
        "a b c d e f g GMT",
    ] {
        assert_eq!(seconds_of(broken), None, "{broken}");
    }
}
