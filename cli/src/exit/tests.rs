use http::StatusCode;
use wharf_control::api::types::ErrorDetail;

use super::*;
use crate::api::Refusal;

fn refusal(code: &str) -> ApiError {
    let detail = ErrorDetail {
        code: code.to_owned(),
        message: "no".to_owned(),
        field: None,
        hint: None,
    };
    ApiError::Refused(Refusal {
        status: StatusCode::BAD_REQUEST,
        detail,
    })
}

#[test]
fn every_kind_of_error_has_its_code() {
    assert_eq!(code(&anyhow::anyhow!("plain")), 1);
    assert_eq!(code(&Usage("typed".into()).into()), 2);
    assert_eq!(code(&BadConfig("written".into()).into()), 64);
    let refused = RefusedConfig {
        place: "wharf.toml:3:1".into(),
        source: refusal("TaskTooSmall"),
    };
    assert_eq!(code(&refused.into()), 64);
    assert_eq!(code(&refusal("InvalidSample").into()), 2);
    assert_eq!(code(&refusal("ServiceNotFound").into()), 1);
}

#[test]
fn context_does_not_hide_the_kind() {
    assert_eq!(
        code(&anyhow::Error::from(BadConfig("written".into())).context("while deploying")),
        64
    );
}

#[test]
fn a_job_code_that_does_not_fit_is_not_success() {
    assert_eq!(of_job(0), ExitCode::SUCCESS);
    assert_eq!(of_job(7), ExitCode::from(7));
    assert_eq!(of_job(256), ExitCode::from(1));
    assert_eq!(of_job(-1), ExitCode::from(1));
}
