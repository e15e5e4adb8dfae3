use proptest::prelude::*;
use tokio::runtime::Handle;

use super::{
    host::{MAX_HOST_BYTES, normalise},
    *,
};
use crate::{
    group::Groups,
    routing::{
        Action, Conditions, HostMatch, ListenerRules, PathMatch, Precedence, Priority, Routing, RoutingError,
        Scheme,
    },
};

/// `priority host… path…` or `- host…` for a default host; hosts first, paths begin with `/` or `*/`.
fn spec(name: &str, priority: Option<u32>, values: &str) -> RuleSpec {
    let is_path = |value: &&str| value.contains('/');
    let (paths, hosts): (Vec<_>, Vec<_>) = values.split_whitespace().partition(is_path);
    let precedence = priority.map_or(Precedence::DefaultHost, |priority| {
        Precedence::Explicit(Priority::new(priority).unwrap())
    });
    let conditions = Conditions {
        host: hosts
            .into_iter()
            .map(|host| HostMatch::pattern(host).unwrap())
            .collect(),
        path: paths
            .into_iter()
            .map(|path| PathMatch::pattern(path).unwrap())
            .collect(),
        ..Conditions::default()
    };
    let action = Action::forward("group".parse().unwrap());
    RuleSpec::new(name.parse().unwrap(), precedence, conditions, action)
}

/// Compiles with one group, `group`.
fn compile(rules: Vec<RuleSpec>) -> Result<Snapshot, RoutingError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let handle: &Handle = runtime.handle();
    let group = Groups::new(handle.clone())
        .create("group".parse().unwrap(), crate::group::GroupSpec::default())
        .unwrap();
    let listeners = vec![ListenerRules {
        listener: "http".parse().unwrap(),
        scheme: Scheme::Http,
        rules: rules.into_iter().map(Arc::new).collect(),
        default: Action::NotFound,
    }];
    Snapshot::compile(Routing { listeners }, |name| {
        (name.as_str() == "group").then(|| group.clone())
    })
}

fn found(snapshot: &Snapshot, host: &str, path: &str) -> String {
    let mut buffer = [0; MAX_HOST_BYTES];
    let request = RequestView {
        host: normalise(host.as_bytes(), &mut buffer),
        path: path.as_bytes(),
        query: b"",
        method: &http::Method::GET,
        headers: &http::HeaderMap::new(),
        source: [127, 0, 0, 1].into(),
    };
    let rule = snapshot.find(&"http".parse().unwrap(), &request);
    rule.map_or_else(|| "none".to_owned(), |rule| rule.name().to_string())
}

#[test]
fn the_first_match_by_priority_wins() {
    let snapshot = compile(vec![
        spec("late", Some(50_000), "/*"),
        spec("api-v1", Some(20), "api.test /v1/* /v1"),
        spec("any-v1", Some(10), "*.wild.test /v1/*"),
        spec("api", Some(30), "api.test *.test"),
        spec("service", None, "svc.localhost"),
        spec("six", Some(40), "[::1]"),
        spec("svc-v1", Some(45), "svc.localhost /v1/*"),
    ])
    .unwrap();
    for (host, path, expected) in [
        ("api.test", "/v1/x", "api-v1"),
        ("api.test", "/v1", "api-v1"),
        ("API.Test:8080", "/v1", "api-v1"),
        ("api.test", "/v2", "api"),
        ("a.wild.test", "/v1/x", "any-v1"),
        ("a.wild.test", "/v2/x", "api"), // by its wildcard, though it has an exact host as well
        ("[::1]:8080", "/", "six"),
        ("[::1]", "/", "six"),
        ("svc.localhost", "/v1/x", "svc-v1"),
        ("svc.localhost", "/", "late"), // default hosts come last
        ("elsewhere", "/", "late"),
        ("", "/", "late"),
        ("elsewhere", "*", "none"), // OPTIONS *
    ] {
        assert_eq!(found(&snapshot, host, path), expected, "{host} {path}");
    }
}

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

#[test]
fn an_explicit_rule_may_take_over_a_default_host() {
    let rules = vec![
        spec("service", None, "a.localhost"),
        spec("own", Some(9), "a.localhost"),
    ];
    assert_eq!(found(&compile(rules).unwrap(), "a.localhost", "/"), "own");
}

#[test]
fn priorities_are_albs() {
    for (priority, valid) in [
        (0, false),
        (1, true),
        (50_000, true),
        (50_001, false),
        (65_537, false),
    ] {
        assert_eq!(Priority::new(priority).is_ok(), valid, "{priority}");
    }
}

/// Every rule in order, every condition in full.
fn naive(rules: &[RuleSpec], host: &str, path: &str) -> String {
    let mut rules: Vec<_> = rules.iter().collect();
    rules.sort_by_key(|rule| rule.precedence);
    let host = host.to_ascii_lowercase();
    let takes = |rule: &&&RuleSpec| {
        let Conditions {
            host: hosts,
            path: paths,
            ..
        } = &rule.conditions;
        (hosts.is_empty() || hosts.iter().any(|pattern| pattern.matches(host.as_bytes())))
            && (paths.is_empty() || paths.iter().any(|pattern| pattern.matches(path.as_bytes())))
    };
    rules
        .iter()
        .find(takes)
        .map_or_else(|| "none".to_owned(), |rule| rule.name.to_string())
}

proptest! {
    #[test]
    fn the_compiled_rules_agree_with_the_plain_ones(
        values in prop::collection::vec(("([ab*?]{1,2} ){0,2}", "(/[ab*?]{0,2} ){0,2}"), 0..12),
        requests in prop::collection::vec(("[aAb]{0,2}(:80)?", "/[ab]{0,2}"), 1..20),
    ) {
        let mut rules: Vec<RuleSpec> = Vec::new();
        for (priority, (hosts, paths)) in values.iter().enumerate() {
            let priority = u32::try_from(priority).unwrap() + 1;
            let rule = spec(&format!("r{priority}"), Some(priority), &format!("{hosts} {paths}"));
            if rules.iter().all(|other| other.conditions.to_string() != rule.conditions.to_string()) {
                rules.insert(0, rule);
            }
        }
        let snapshot = compile(rules.clone()).unwrap();
        for (host, path) in requests {
            let bare = host.trim_end_matches(":80");
            prop_assert_eq!(found(&snapshot, &host, &path), naive(&rules, bare, &path));
        }
    }
}

#[test]
fn only_a_chosen_priority_takes_over_a_default_host() {
    let default = || spec("service", None, "api.localhost");
    let chosen = spec("chosen", Some(5), "api.localhost");
    assert!(compile(vec![default(), chosen]).is_ok());
    let unranked = RuleSpec {
        precedence: Precedence::Unranked { looseness: 0 },
        ..spec("unranked", None, "api.localhost")
    };
    let error = compile(vec![default(), unranked]).unwrap_err().to_string();
    assert!(error.contains("service") && error.contains("unranked"), "{error}");
}
