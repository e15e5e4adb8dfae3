use super::*;

fn url(regex: &str, replacement: &str, from: &str) -> String {
    let transforms = Transforms {
        host: None,
        url: Some(Rewrite::url(regex, replacement).unwrap()),
    };
    match transforms.url(from) {
        Ok(Some(made)) => made.to_string(),
        Ok(None) => "unchanged".to_owned(),
        Err(TransformFailed::Malformed) => "failed".to_owned(),
        Err(TransformFailed::TooMuchWork) => "too long".to_owned(),
    }
}

fn host(regex: &str, replacement: &str, from: &str) -> String {
    let transforms = Transforms {
        host: Some(Rewrite::host(regex, replacement).unwrap()),
        url: None,
    };
    match transforms.host(from.as_bytes()) {
        Ok(Some(made)) => made.to_str().unwrap().to_owned(),
        Ok(None) => "unchanged".to_owned(),
        Err(TransformFailed::Malformed) => "failed".to_owned(),
        Err(TransformFailed::TooMuchWork) => "too long".to_owned(),
    }
}

#[test]
fn urls_are_rewritten_with_groups() {
    for (regex, replacement, from, expected) in [
        ("^/api/(.*)$", "/$1", "/api/v1/x", "/v1/x"),         // ALB: `$1`
        ("^/api/(.*)$", "/$1", "/api/v1/x?q=1", "/v1/x?q=1"), // ALB: path and query
        (
            r"^/dp/([A-Za-z0-9]+)/?$",
            "/product.php?id=$1",
            "/dp/B01",
            "/product.php?id=B01",
        ),
        ("^/api/(.*)$", "/$1", "/other", "unchanged"), // ALB: no match, no change
        ("^/API", "/x", "/api", "unchanged"),          // case matters
        ("/a", "/b", "/a/a", "/b/a"),                  // the first match
        ("^/(?<name>[a-z]+)", "/${name}s", "/cat", "/cats"),
        ("^/(.)(.)", "/$2x$1y", "/ab", "/bxay"), // `$2x` is group 2 and an x
        ("^/a", "/$$1", "/a", "/$1"),
        ("^/a", "/b$", "/a", "/b$"),
        ("^/a$", "b", "/a", "failed"),     // ALB: 500 where it matches and fails
        ("^/(.*)$", "$1", "/a", "failed"), // no longer a path
        ("^/(.*)$", "/x y", "/a", "refused"),
        ("^(.*)$", "$1$1$1", &format!("/{}", "x".repeat(6000)), "failed"), // too long
    ] {
        if expected == "refused" {
            assert!(Rewrite::url(regex, replacement).is_err(), "{replacement}");
        } else {
            assert_eq!(
                url(regex, replacement, from),
                expected,
                "{regex} {replacement} {from}"
            );
        }
    }
}

#[test]
fn hosts_are_rewritten() {
    for (regex, replacement, from, expected) in [
        (
            r"^(.*)\.example\.com$",
            "$1.internal",
            "api.example.com",
            "api.internal",
        ),
        ("^API", "web", "api.example.com", "web.example.com"), // case does not matter
        (
            "^api.*",
            "api.internal:8080",
            "api.example.com",
            "api.internal:8080",
        ),
        ("^www", "x", "api.example.com", "unchanged"),
        ("^api.*", "a/b", "api.example.com", "failed"),
        ("^api.*", "u@b", "api.example.com", "failed"),
        (".*", "", "api.example.com", "failed"),
    ] {
        assert_eq!(
            host(regex, replacement, from),
            expected,
            "{regex} {replacement} {from}"
        );
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for (regex, replacement, error) in [
        (
            "(a",
            "b",
            "the regular expression `(a` is not valid: unclosed group",
        ),
        (
            "(a)",
            "$2",
            "the replacement names the group `2`, which the regular expression `(a)` does not have",
        ),
        (
            "(a)",
            "${x}",
            "the replacement names the group `x`, which the regular expression `(a)` does not have",
        ),
        (
            "a",
            "/b#c",
            "the replacement `/b#c` has a '#', which no URL contains; write it percent-encoded",
        ),
        (
            "a",
            "/b c",
            "the replacement `/b c` has a ' ', which no URL contains; write it percent-encoded",
        ),
    ] {
        assert_eq!(Rewrite::url(regex, replacement).unwrap_err().to_string(), error);
    }
    assert!(Rewrite::url("a", &"x".repeat(MAX_REPLACEMENT_BYTES)).is_ok()); // ALB: 1024
    assert!(Rewrite::url("a", &"x".repeat(MAX_REPLACEMENT_BYTES + 1)).is_err());
}

#[test]
fn what_is_too_long_for_its_expression_is_not_rewritten() {
    let large = "(?:[a-z]x?){90}";
    assert_eq!(url(large, "/", "/short"), "unchanged");
    assert_eq!(url(large, "/", &format!("/{}", "0".repeat(8000))), "too long");
    let many_groups = "(a)".repeat(100);
    assert!(Rewrite::url(&many_groups, "/").is_err());
}
