//! Rules and listeners that cannot be in force, and what is said of them.

use super::*;

#[test]
fn a_rule_set_at_odds_with_itself_is_refused_naming_the_rules() {
    for (rules, error) in [
        (
            vec![spec("b", Some(1), "b.test"), spec("a", Some(1), "a.test")],
            "listener `http`, rule `b`, priority: rule `a` has priority 1, too: give one of them another",
        ),
        (
            vec![
                spec("a", Some(2), "B.test a.test /x"),
                spec("b", Some(1), "/x a.test b.test a.test"),
            ],
            "listener `http`, rule `a`, conditions: rule `b` comes first and matches host a.test, b.test and path /x, too: \
             change or remove one of them",
        ),
        (
            vec![spec("a", Some(1), ""), spec("b", Some(2), "")],
            "listener `http`, rule `b`, conditions: rule `a` comes first and matches any request, too: change or remove one \
             of them",
        ),
        (
            vec![spec("a", None, "a.localhost"), spec("b", None, "a.localhost")],
            "listener `http`, rule `b`, conditions: rule `a` comes first and matches host a.localhost, too: change or remove \
             one of them",
        ),
        (
            vec![spec("a", Some(1), "a.test"), spec("a", Some(2), "b.test")],
            "listener `http`, rule `a`, name: another rule is named so: a rule's name is unique on its listener",
        ),
        (
            vec![RuleSpec {
                action: Action::forward("gone".parse().unwrap()),
                ..spec("a", Some(1), "a.test")
            }],
            "listener `http`, rule `a`, action: target group `gone` does not exist: create it, or forward to another",
        ),
    ] {
        assert_eq!(compile(rules).unwrap_err().to_string(), error);
    }
}

fn to_http() -> Action {
    let text = RedirectText {
        status: 301,
        protocol: Some("http"),
        host: Some("b.test"),
        ..RedirectText::default()
    };
    Action::Redirect(Box::new(Redirect::new(&text).unwrap()))
}

#[test]
fn a_rule_that_makes_no_sense_is_refused_naming_the_field() {
    let only_forward = "this does something only beside a forward action: remove it";
    for (change, field, fault) in [
        (
            (|r| r.action = to_http()) as fn(&mut RuleSpec),
            "action",
            "the redirect leads from HTTPS back to HTTP",
        ),
        (
            |r| r.name = "default".parse().unwrap(),
            "name",
            "this is what the access log calls the default action",
        ),
        (
            |r| r.timeout = Some(Duration::ZERO),
            "timeout",
            "a timeout of 0 would refuse every request",
        ),
        (
            |r| r.conditions.path = vec![PathMatch::pattern("/a").unwrap(); 1001],
            "path",
            "the path condition has 1001 values, the most is 1000",
        ),
        (
            |r| (r.action, r.timeout) = (fixed(200), Some(Duration::from_secs(1))),
            "timeout",
            only_forward,
        ),
        (
            |r| (r.action, r.body_limit) = (fixed(200), Some(1)),
            "body_limit",
            only_forward,
        ),
        (
            |r| (r.action, r.transforms.url) = (fixed(200), Some(Rewrite::url("a", "b").unwrap())),
            "transforms",
            only_forward,
        ),
        (
            |r| {
                r.action = fixed(200);
                r.request_headers = HeaderEdits::new(vec![], vec![], vec![http::header::COOKIE]).unwrap();
            },
            "request_headers",
            only_forward,
        ),
    ] {
        let mut rule = spec("a", Some(1), "a.test");
        change(&mut rule);
        let expected = format!("listener `https`, rule `{}`, {field}: {fault}", rule.name);
        let https = ListenerRules {
            scheme: Scheme::Https,
            ..on_listener("https", vec![rule])
        };
        let error = snapshot_of(vec![https]).unwrap_err().to_string();
        assert!(error.starts_with(&expected), "{error}");
    }
}

#[test]
fn a_listener_that_makes_no_sense_is_refused_naming_the_field() {
    let twice = vec![on_listener("http", vec![]), on_listener("http", vec![])];
    assert_eq!(
        snapshot_of(twice).unwrap_err().to_string(),
        "listener `http`, name: it is there twice: put all its rules together"
    );
    for (default, error) in [
        (
            to_http(),
            "listener `https`, default: the redirect leads from HTTPS back to HTTP",
        ),
        (
            Action::forward("gone".parse().unwrap()),
            "listener `https`, default: target group `gone` does not exist",
        ),
    ] {
        let https = ListenerRules {
            scheme: Scheme::Https,
            default,
            ..on_listener("https", vec![])
        };
        let found = snapshot_of(vec![https]).unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
}

#[test]
fn more_rules_than_there_may_be_are_refused() {
    let rule = Arc::new(spec("a", Some(1), "a.test"));
    let listener = ListenerRules {
        rules: std::iter::repeat_n(rule, crate::routing::MAX_RULES + 1).collect(),
        ..on_listener("http", vec![])
    };
    assert_eq!(
        snapshot_of(vec![listener]).unwrap_err().to_string(),
        "listener `http`, rules: with its rules there are 100001 on all listeners, the most is 100000"
    );
}
