//! What the client sees and what the log sees.

use super::Error;
use crate::test::Host;
use crate::{Body, StatusCode};

fn body_of(error: &Error) -> String {
    Host::new()
        .block_on(error.to_response().into_body().text())
        .unwrap()
}

#[test]
fn an_error_passed_on_tells_the_client_nothing() {
    fn read() -> crate::Result<String> {
        Ok(std::fs::read_to_string("/no/such/place/secret-plan.txt")?)
    }
    let error = read().unwrap_err();
    assert_eq!(error.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(body_of(&error), r#"{"error":"internal error"}"#);
    assert!(error.to_string().contains("No such file"), "{error}");
}

#[test]
fn a_chosen_message_reaches_the_client_and_its_cause_the_log() {
    let cause = "x".parse::<u8>().unwrap_err();
    let error = Error::new(StatusCode::BAD_REQUEST, "the id is a \"number\"").with_cause(cause);
    assert_eq!(error.to_response().status(), StatusCode::BAD_REQUEST);
    assert_eq!(body_of(&error), r#"{"error":"the id is a \"number\""}"#);
    assert_eq!(
        error.to_string(),
        "the id is a \"number\": invalid digit found in string"
    );
    assert_eq!(format!("{error:?}"), format!("400 {error}"));
}

#[test]
fn an_internal_message_is_for_the_log() {
    let error = Error::internal("the table is locked");
    assert_eq!(error.to_string(), "the table is locked");
    assert_eq!(error.public_message(), "internal error");
}

#[test]
fn every_cause_is_told_once() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl std::fmt::Display for Outer {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bad row")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let error = Error::from(Outer("x".parse::<u8>().unwrap_err()));
    assert_eq!(error.to_string(), "bad row: invalid digit found in string");
}

#[test]
fn what_the_client_was_told_in_full_is_not_logged() {
    let logged = |error: Error| error.is_for_the_log();
    assert!(!logged(Error::new(StatusCode::NOT_FOUND, "nothing here")));
    assert!(logged(
        Error::new(StatusCode::NOT_FOUND, "nothing here").with_cause("the shard is gone")
    ));
    assert!(logged(Error::new(StatusCode::BAD_GATEWAY, "upstream is down")));
    assert!(logged(Error::internal("the table is locked")));
}

#[test]
fn the_answer_is_json() {
    let response = Error::new(StatusCode::NOT_FOUND, "nothing here").to_response();
    assert_eq!(response.headers()["content-type"], "application/json");
    let _: Body = response.into_body();
}
