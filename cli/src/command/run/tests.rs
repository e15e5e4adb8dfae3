//! What a run comes to, as an exit code.

use serde_json::json;

use super::*;

fn ended(state: &str, code: Option<i32>, reason: Option<&str>) -> Run {
    let mut run = json!({
        "name": "report/1", "jobName": "report", "number": 1, "namespace": "default", "taskDefinition": "report:1",
        "state": state, "count": 5, "parallelism": 1, "retries": 0, "succeededCount": 1, "activeCount": 0,
        "failedAttempts": 0, "createdAt": "2026-01-15T10:00:30Z", "attempts": [],
    });
    run["exitCode"] = code.into();
    run["reason"] = reason.into();
    serde_json::from_value(run).expect("a run")
}

#[test]
fn a_run_that_has_not_succeeded_is_no_success() {
    let outcome = |state, code| match outcome(&ended(state, code, Some("enough"))) {
        Ok(code) => format!("{code:?}"),
        Err(error) => error.to_string(),
    };
    let success = format!("{:?}", ExitCode::SUCCESS);
    assert_eq!(outcome("SUCCEEDED", Some(0)), success);
    assert_eq!(outcome("FAILED", Some(3)), format!("{:?}", exit::of_job(3)));
    assert_eq!(
        outcome("CANCELLED", Some(130)),
        format!("{:?}", exit::of_job(130))
    );
    for state in ["FAILED", "CANCELLED"] {
        assert_eq!(outcome(state, Some(0)), "report/1: enough");
        assert_eq!(outcome(state, None), "report/1: enough");
    }
    assert_ne!(outcome("IN_PROGRESS", Some(0)), success);
}
