//! Values that are there, values that aren't, and secrets that don't print.

use super::{Secret, env, secret};
use crate::test::Host;

#[test]
fn a_variable_is_there_or_not() {
    assert_eq!(env("CARGO_PKG_NAME").as_deref(), Some("wharf-sdk"));
    assert_eq!(env("WHARF_NO_SUCH_VARIABLE"), None);
}

#[test]
fn in_a_test_there_is_only_what_it_gives() {
    let host = Host::new().env("GREETING", "hello").secret("KEY", "hunter2");
    let (given, key, process) =
        host.block_on(async { (env("GREETING"), secret("KEY"), env("CARGO_PKG_NAME")) });
    assert_eq!((given.as_deref(), process), (Some("hello"), None));
    assert_eq!(key.unwrap().expose(), "hunter2");
    // And afterwards no more.
    assert_eq!(env("GREETING"), None);
}

#[test]
fn a_missing_secret_says_how_to_grant_it() {
    let error = secret("WHARF_NO_SUCH_SECRET").unwrap_err();
    let log = error.to_string();
    assert!(log.contains("secrets = { WHARF_NO_SUCH_SECRET = "), "{log}");
    assert_eq!(error.public_message(), "internal error");
}

#[test]
fn a_secret_shows_itself_only_when_asked() {
    let found = secret("CARGO_PKG_NAME").unwrap();
    assert_eq!(found.expose(), "wharf-sdk");
    let nested = Some((1, Secret("hunter2".to_owned())));
    assert_eq!(format!("{nested:?}"), "Some((1, Secret(redacted)))");
}
