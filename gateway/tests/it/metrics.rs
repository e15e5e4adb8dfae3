//! What is counted, as a scrape reads it.

use std::sync::Arc;

use wharf_gateway::{CohortName, TargetErrorKind};

use crate::support::{Closure, LISTENER, Rig, failure, local, ok, routing, rule};

/// The value of a sample; none when there is none.
fn value(rig: &Rig, sample: &str) -> Option<f64> {
    let text = rig.gateway.metrics();
    let found = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{sample} ")));
    found.map(|value| value.parse().unwrap())
}

fn counted(rig: &Rig, expected: &[(&str, f64)]) {
    for (sample, count) in expected {
        assert_eq!(
            value(rig, sample),
            Some(*count),
            "{sample} in\n{}",
            rig.gateway.metrics()
        );
    }
}

/// What there is after the requests of the first test.
#[rustfmt::skip]
const AFTERWARDS: &[(&str, f64)] = &[
    (r#"wharf_listener_connections_total{listener="main"}"#, 2.0),
    (r#"wharf_listener_connections_rejected_total{listener="main"}"#, 0.0),
    (r#"wharf_listener_responses_total{listener="main",code="2xx"}"#, 4.0),
    (r#"wharf_listener_responses_total{listener="main",code="5xx"}"#, 3.0),
    (r#"wharf_listener_noncompliant_requests_total{listener="main",class="acceptable"}"#, 1.0),
    (r#"wharf_listener_noncompliant_requests_total{listener="main",class="severe"}"#, 1.0),
    (r#"wharf_listener_received_bytes_total{listener="main"}"#, 3.0),
    (r#"wharf_listener_request_duration_seconds_count{listener="main"}"#, 7.0),
    // The refused one met none.
    (r#"wharf_rule_requests_total{rule="all"}"#, 6.0),
    (r#"wharf_rule_request_duration_seconds_count{rule="all"}"#, 6.0),
    (r#"wharf_rule_request_duration_seconds_bucket{le="+Inf",rule="all"}"#, 6.0),
    (r#"wharf_target_group_responses_total{target_group="app",code="2xx"}"#, 4.0),
    (r#"wharf_target_group_responses_total{target_group="app",code="5xx"}"#, 2.0),
    (r#"wharf_target_group_response_seconds_count{target_group="app"}"#, 6.0),
    (r#"wharf_target_group_targets{target_group="app",state="healthy"}"#, 1.0),
    (r#"wharf_target_responses_total{target_group="app",target="t1",code="2xx"}"#, 4.0),
    (r#"wharf_target_response_seconds_count{target_group="app",target="t1"}"#, 6.0),
    (r#"wharf_target_response_seconds_bucket{le="+Inf",target_group="app",target="t1"}"#, 6.0),
    (r#"wharf_target_requests_in_flight{target_group="app",target="t1"}"#, 0.0),
];

#[tokio::test]
async fn requests_are_counted_where_they_went() {
    let rig = Rig::answering(|request| async move {
        match request.uri().path() {
            "/trap" => Err(failure(TargetErrorKind::Trapped)),
            _ => {
                http_body_util::BodyExt::collect(request.into_body())
                    .await
                    .unwrap();
                Ok(ok("12345"))
            }
        }
    });
    let mut client = rig.connect().await;
    for path in ["/", "/?a", "/trap"] {
        client.get(path).await;
    }
    client
        .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc")
        .await;
    client.answer().await;
    client
        .send("GET /a b HTTP/1.1\r\nHost: app.test\r\n\r\nGET / HTTP/9.9\r\n\r\n")
        .await;
    client.answer().await;
    client.answer().await;
    assert!(client.is_closed().await);
    rig.log.lines(6).await;
    let failed = rig.get("/trap").await.body.len();
    rig.log.lines(7).await;
    counted(&rig, AFTERWARDS);
    let sent = value(&rig, r#"wharf_listener_sent_bytes_total{listener="main"}"#).unwrap();
    assert!(sent > 4.0 * 5.0 + failed as f64, "{sent}");
    assert!(rig.gateway.metrics().ends_with("# EOF\n"));
}

/// The request succeeded, and the target that failed it is to be seen all the same.
#[tokio::test]
async fn a_failed_attempt_is_counted_where_it_failed() {
    let rig = Rig::new();
    let member = |id: &str, cohort: &str, target: Arc<Closure>| {
        let cohort: CohortName = cohort.parse().unwrap();
        rig.app.register(id.parse().unwrap(), target, cohort).unwrap();
    };
    let fails = Closure::new(|_| async { Err(failure(TargetErrorKind::Overloaded)) });
    member("fails", "new", fails.clone());
    member("answers", "old", Closure::saying("hello"));
    assert_eq!(rig.get("/").await.status, 200);
    let line = rig.log.line().await;
    assert_eq!((&line["task"], &line["retries"]), (&"answers".into(), &1.into()));
    assert_eq!(line["failedTargets"], serde_json::json!(["fails"]));
    assert_eq!(fails.calls(), 1);
    counted(
        &rig,
        &[
            (
                r#"wharf_target_responses_total{target_group="app",target="fails",code="5xx"}"#,
                1.0,
            ),
            (
                r#"wharf_target_responses_total{target_group="app",target="answers",code="2xx"}"#,
                1.0,
            ),
            (
                r#"wharf_target_group_responses_total{target_group="app",code="2xx"}"#,
                1.0,
            ),
            (
                r#"wharf_target_response_seconds_count{target_group="app",target="fails"}"#,
                0.0,
            ),
            (
                r#"wharf_target_response_seconds_count{target_group="app",target="answers"}"#,
                1.0,
            ),
        ],
    );
    let tallies = rig.app.tallies();
    let figures: Vec<_> = tallies
        .iter()
        .map(|(cohort, tally)| (cohort.as_str(), tally.requests, tally.errors))
        .collect();
    assert_eq!(figures, [("new", 1, 1), ("old", 1, 0)]);
}

#[tokio::test]
async fn what_is_counted_of_a_rule_goes_on_when_rules_are_replaced_and_ends_with_it() {
    let rig = Rig::answering(|_| async { Ok(ok("hello")) });
    let all = r#"wharf_rule_requests_total{rule="all"}"#;
    rig.get("/").await;
    rig.log.lines(1).await;
    rig.gateway
        .apply(routing(vec![
            rule("all", 7, "", "/x*", "app"),
            rule("other", 8, "", "", "app"),
        ]))
        .unwrap();
    counted(
        &rig,
        &[(all, 1.0), (r#"wharf_rule_requests_total{rule="other"}"#, 0.0)],
    );
    let other = r#"wharf_rule_request_duration_seconds_count{rule="other"}"#;
    assert_eq!(value(&rig, other), None, "nobody met it");
    rig.get("/x").await;
    rig.get("/y").await;
    rig.log.lines(3).await;
    counted(
        &rig,
        &[
            (all, 2.0),
            (r#"wharf_rule_requests_total{rule="other"}"#, 1.0),
            (r#"wharf_rule_request_duration_seconds_count{rule="all"}"#, 2.0),
            (other, 1.0),
        ],
    );
    rig.gateway.apply(routing(vec![])).unwrap();
    assert_eq!(value(&rig, all), None);
}

#[tokio::test]
async fn connections_and_listeners_come_and_go() {
    let rig = Rig::new();
    let open = format!("wharf_listener_connections_open{{listener=\"{LISTENER}\"}}");
    let mut client = rig.connect().await;
    client.get("/").await;
    counted(&rig, &[(&open, 1.0)]);
    rig.gateway.open(local("second")).unwrap();
    counted(
        &rig,
        &[(r#"wharf_listener_connections_open{listener="second"}"#, 0.0)],
    );
}
