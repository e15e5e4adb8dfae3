//! Rules compiled: what a request finds, and how few rules it is compared with.

mod agreement;
mod refused;

use std::time::Duration;

use super::{
    host::{MAX_HOST_BYTES, normalise},
    *,
};
use crate::{
    group::{GroupSpec, Groups},
    routing::{
        Conditions, FixedResponse, Forward, HeaderEdits, HostMatch, ListenerRules, PathMatch, Precedence,
        Priority, RedirectText, Rewrite, Routing, RoutingError, Scheme, Weight, WeightedGroup,
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

/// Rules on a listener without a default action.
fn on_listener(name: &str, rules: Vec<RuleSpec>) -> ListenerRules {
    ListenerRules {
        listener: name.parse().unwrap(),
        scheme: Scheme::Http,
        port: None,
        rules: rules.into_iter().map(Arc::new).collect(),
        default: Action::NotFound,
    }
}

/// Compiles with the groups `group`, `a`, `b` and `c`.
fn snapshot_of(listeners: Vec<ListenerRules>) -> Result<Snapshot, RoutingError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let groups = Groups::new(runtime.handle().clone());
    for name in ["group", "a", "b", "c"] {
        groups.ensure(&name.parse().unwrap(), GroupSpec::default());
    }
    Snapshot::compile(Routing { listeners }, |name| groups.get(name))
}

fn compile(rules: Vec<RuleSpec>) -> Result<Snapshot, RoutingError> {
    snapshot_of(vec![on_listener("http", rules)])
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
        work: &super::Work::default(),
    };
    let rule = snapshot.find(&"http".parse().unwrap(), &request).unwrap();
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
fn a_rule_may_be_taken_over_on_some_of_its_listeners_not_on_all() {
    let shop = Arc::new(spec("shop", Some(20), "shop.test"));
    let first = spec("first", Some(1), "shop.test");
    let listeners = |over_on_both: Vec<RuleSpec>| {
        let mut http = on_listener("http", vec![first.clone()]);
        let mut https = on_listener("https", over_on_both);
        http.rules.push(shop.clone());
        https.rules.push(shop.clone());
        vec![http, https]
    };
    assert!(snapshot_of(listeners(vec![])).is_ok());
    let refused = snapshot_of(listeners(vec![first.clone()])).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "listener `http`, rule `shop`, conditions: rule `first` comes first and matches host shop.test, too: change or remove \
         one of them"
    );
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

fn fixed(status: u16) -> Action {
    Action::Fixed(FixedResponse::new(status, None, "").unwrap())
}

#[test]
fn headers_of_every_response_can_be_edited() {
    let edited = RuleSpec {
        action: fixed(200),
        response_headers: HeaderEdits::new(vec![], vec![], vec![http::header::COOKIE]).unwrap(),
        ..spec("a", Some(1), "a.test")
    };
    assert!(compile(vec![edited]).is_ok());
}

#[test]
fn every_listener_has_its_own_rules_and_default() {
    let shared = Arc::new(spec("shared", Some(1), "/x"));
    let one = ListenerRules {
        rules: vec![shared.clone(), Arc::new(spec("own", Some(2), "/y"))],
        ..on_listener("http", vec![])
    };
    let two = ListenerRules {
        rules: vec![shared],
        default: fixed(503),
        ..on_listener("other", vec![])
    };
    let snapshot = snapshot_of(vec![one, two]).unwrap();
    let on = |listener: &str, path: &str| {
        let request = RequestView {
            host: b"",
            path: path.as_bytes(),
            query: b"",
            method: &http::Method::GET,
            headers: &http::HeaderMap::new(),
            source: [127, 0, 0, 1].into(),
            work: &super::Work::default(),
        };
        snapshot
            .find(&listener.parse().unwrap(), &request)
            .unwrap()
            .cloned()
    };
    let name = |listener, path| on(listener, path).map(|rule| rule.name().to_string());
    assert_eq!(name("http", "/y").as_deref(), Some("own"));
    assert_eq!(name("http", "/z"), None);
    assert_eq!(name("other", "/y").as_deref(), Some("default"));
    assert_eq!(name("unknown", "/x"), None);
    assert!(
        Arc::ptr_eq(&on("http", "/x").unwrap(), &on("other", "/x").unwrap()),
        "a shared rule is compiled once"
    );
}

#[test]
fn requests_are_shared_out_by_weight() {
    let group = |(name, weight): (&str, u32)| WeightedGroup {
        group: name.parse().unwrap(),
        weight: Weight::new(weight).unwrap(),
    };
    let groups = [("a", 0), ("b", 3), ("c", 1)].map(group).to_vec();
    let forward = Action::Forward(Forward::weighted(groups, None).unwrap());
    let rule = RuleSpec {
        action: forward,
        ..spec("r", Some(1), "")
    };
    let snapshot = compile(vec![rule]).unwrap();
    let set = &snapshot.listeners["http"];
    let Decision::Forward(groups) = &set.rules[0].action else {
        panic!("{set:?}");
    };
    let mut counts = HashMap::new();
    for _ in 0..10_000 {
        *counts
            .entry(groups.choose(None).unwrap().name().to_string())
            .or_insert(0) += 1;
    }
    assert_eq!(counts.get("a"), None, "ALB: weight 0 gets nothing");
    // Nine standard deviations to either side of three quarters.
    assert!((7_100..=7_900).contains(&counts["b"]), "{counts:?}");
    let bound = |to| groups.choose(Some(to)).unwrap().name().to_string();
    assert!((0..100).all(|_| bound("c") == "c"));
    assert!(
        (0..100).all(|_| bound("a") != "a"),
        "a group taken out keeps nobody"
    );
    assert!((0..100).all(|_| ["b", "c"].contains(&bound("gone").as_str())));
}

/// Of each kind `count` rules, that differ in one place.
fn mixed(count: u32) -> Vec<RuleSpec> {
    let kinds: [fn(u32) -> String; 8] = [
        |n| format!("h{n}.test"),
        |n| format!("*.w{n}.test"),
        |n| format!("pr-{n}.*.test"),
        |n| format!("*-{n}.test"),
        |n| format!("shared.test /api/{n}/*"),
        |n| format!("shared.test /file-{n}"),
        |n| format!("/any/{n}/*"),
        |n| format!("*.test /wild/*/{n}.png"),
    ];
    let rules = (0..count).flat_map(|n| kinds.map(|kind| kind(n)));
    let numbered = rules.zip(1..);
    numbered
        .map(|(values, n)| spec(&format!("r{n}"), Some(n), &values))
        .collect()
}

#[test]
fn a_request_is_compared_with_few_rules_however_many_there_are() {
    let snapshot = compile(mixed(1000)).unwrap();
    let set = &snapshot.listeners["http"];
    for (host, path, rule) in [
        ("h711.test", "/", "r5689"),
        ("a.w711.test", "/", "r5690"),
        ("pr-711.x.test", "/", "r5691"),
        ("x-711.test", "/", "r5692"),
        ("shared.test", "/api/711/x", "r5693"),
        ("shared.test", "/file-711", "r5694"),
        ("else.where", "/any/711/x", "r5695"),
        ("else.test", "/wild/x/711.png", "r5696"),
    ] {
        assert_eq!(found(&snapshot, host, path), rule, "{host} {path}");
        let candidates = set.index.candidates(host.as_bytes(), path.as_bytes());
        assert!(
            candidates < 10,
            "{host} {path} is compared with {candidates} rules"
        );
    }
}

#[test]
fn rules_with_very_many_hosts_and_paths_are_found() {
    let hosts: Vec<String> = (0..100).map(|n| format!("h{n}.test")).collect();
    let paths: Vec<String> = (0..100).map(|n| format!("/p{n}/*")).collect();
    let values = format!("{} {}", hosts.join(" "), paths.join(" "));
    let snapshot = compile(vec![
        spec("all", Some(1), "/p1/*"),
        spec("many", Some(2), &values),
    ])
    .unwrap();
    assert_eq!(found(&snapshot, "h7.test", "/p99/x"), "many");
    assert_eq!(found(&snapshot, "h7.test", "/p1/x"), "all");
    assert_eq!(found(&snapshot, "h7.test", "/q"), "none");
}

#[test]
fn an_explanation_names_what_kept_each_rule_before() {
    let snapshot = compile(vec![
        spec("first", Some(1), "other.test"),
        spec("second", Some(2), "app.test /v2/*"),
        spec("third", Some(3), "app.test"),
        spec("fourth", Some(4), "/v1/*"),
    ])
    .unwrap();
    let sample = |host: &str| RequestSample {
        listener: "http".parse().unwrap(),
        method: http::Method::GET,
        host: host.to_owned(),
        path: "/v1/x".to_owned(),
        query: String::new(),
        headers: http::HeaderMap::new(),
        source: [127, 0, 0, 1].into(),
    };
    let Explanation {
        matched,
        action,
        tried,
    } = snapshot.explain(&sample("APP.test:8080")).unwrap().unwrap();
    let matched = matched.unwrap();
    assert_eq!(
        (matched.rule.as_str(), matched.precedence.to_string()),
        ("third", "priority 3".to_owned())
    );
    assert_eq!(action.to_string(), "forward to group");
    let tried: Vec<_> = tried
        .iter()
        .map(|(rule, unmet)| format!("{}: {unmet}", rule.rule))
        .collect();
    assert_eq!(
        tried,
        [
            "first: host: it is `app.test`; wanted is `other.test`",
            "second: path: it is `/v1/x`; wanted is `/v2/*`"
        ]
    );
    let nothing = RequestSample {
        path: "/".to_owned(),
        ..sample("none.test")
    };
    let explanation = snapshot.explain(&nothing).unwrap().unwrap();
    assert_eq!((explanation.matched, explanation.tried.len()), (None, 4));
    assert_eq!(explanation.action.to_string(), "answer 404");
    let elsewhere = RequestSample {
        listener: "gone".parse().unwrap(),
        ..nothing
    };
    assert!(snapshot.explain(&elsewhere).unwrap().is_none());
}

#[test]
fn a_request_that_takes_too_much_comparing_meets_no_rule() {
    use crate::routing::{HeaderCondition, HeaderMatch, work::MAX_STEPS};
    let value = "a".repeat(16 * 1024);
    let mut headers = http::HeaderMap::new();
    headers.insert("x-a", value.parse().unwrap());
    let explained = |header: HeaderMatch| {
        let name = http::HeaderName::from_static("x-a");
        let values = vec![header; usize::try_from(MAX_STEPS).unwrap() / value.len() + 1];
        let mut rule = spec("header", Some(1), "/*");
        rule.conditions
            .headers
            .push(HeaderCondition::new(name, values).unwrap());
        // A rule that comes later is no answer either: the first might have been the one.
        let snapshot = compile(vec![rule, spec("later", Some(2), "/x*")]).unwrap();
        let work = super::Work::default();
        let request = RequestView {
            host: b"a.test",
            path: b"/x",
            query: b"",
            method: &http::Method::GET,
            headers: &headers,
            source: [127, 0, 0, 1].into(),
            work: &work,
        };
        snapshot
            .find(&"http".parse().unwrap(), &request)
            .map(|rule| rule.is_some())
    };
    assert!(explained(HeaderMatch::regex("b$").unwrap()).is_err());
    assert!(explained(HeaderMatch::pattern("*aaaaaaaaaab*b").unwrap()).is_err());
    assert_eq!(explained(HeaderMatch::pattern("b*").unwrap()), Ok(true));
}
