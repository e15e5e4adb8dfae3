//! What rules do with requests, over real sockets.

use std::{
    future::pending,
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

use http::{HeaderMap, Method, header};
use http_body_util::BodyExt as _;
use wharf_gateway::{
    Action, FixedResponse, HeaderEdits, Limits, ListenerRules, Redirect, RedirectText, RequestSample,
    Rewrite, Routing, RuleSpec, Scheme,
};

use crate::support::{Answer, Closure, LISTENER, Rig, local, ok, routing, rule};

/// A rule for one path.
fn at(path: &str, priority: u32, action: Action) -> RuleSpec {
    RuleSpec {
        action,
        ..rule(path, priority, "", path, "app")
    }
}

fn fixed(status: u16, body: &'static str) -> Action {
    Action::Fixed(FixedResponse::new(status, None, body).unwrap())
}

fn redirect(text: &RedirectText<'_>) -> Action {
    Action::Redirect(Box::new(Redirect::new(text).unwrap()))
}

fn edits(set: &[(&str, &str)], remove: &[&str]) -> HeaderEdits {
    let set = set
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    HeaderEdits::new(
        set.collect(),
        vec![],
        remove.iter().map(|name| name.parse().unwrap()).collect(),
    )
    .unwrap()
}

/// A target that answers with what it was asked.
fn mirror() -> Arc<Closure> {
    Closure::new(|request| async move {
        let headers = request.headers();
        let of = |name: &str| {
            headers
                .get(name)
                .map_or("-", |value| value.to_str().unwrap())
                .to_owned()
        };
        let (host, added, agent) = (of("host"), of("x-added"), of("user-agent"));
        let mut response = ok(format!("{host}{} {added} {agent}", request.uri()));
        response
            .headers_mut()
            .insert(header::SERVER, "secret".parse().unwrap());
        Ok(response)
    })
}

pub(crate) async fn ask(rig: &Rig, request: &str) -> Answer {
    let mut client = rig.connect().await;
    client.send(request.replace('\n', "\r\n") + "\r\n\r\n").await;
    client.answer().await
}

#[tokio::test]
async fn a_fixed_response_needs_no_target() {
    let rig = Rig::new();
    let page = FixedResponse::new(503, Some("text/html"), "<p>later").unwrap();
    let rule = RuleSpec {
        response_headers: edits(&[("retry-after", "60")], &["content-type"]),
        ..at("/page", 1, Action::Fixed(page))
    };
    rig.gateway
        .apply(routing(vec![rule, at("/empty", 2, fixed(204, ""))]))
        .unwrap();
    let mut client = rig.connect().await;
    let answer = client.get("/page").await;
    assert_eq!((answer.status, answer.body.as_str()), (503, "<p>later"));
    assert_eq!(answer.header("retry-after"), Some("60"));
    assert_eq!(answer.header("content-type"), None);
    assert!(answer.header("x-request-id").is_some());
    client.send("HEAD /page HTTP/1.1\r\nHost: a.test\r\n\r\n").await;
    assert!(client.until("\r\n\r\n").await.contains("content-length: 8"));
    assert_eq!(client.get("/empty").await.status, 204);
    let line = rig.log.lines(3).await.remove(0);
    assert_eq!(
        (&line["rule"], &line["status"], &line["service"]),
        (&"/page".into(), &503.into(), &().into())
    );
}

#[tokio::test]
async fn a_redirect_leads_where_its_rule_says() {
    let rig = Rig::new();
    let secure = redirect(&RedirectText {
        status: 301,
        protocol: Some("HTTPS"),
        host: Some("www.#{host}"),
        path: Some("/new/#{path}"),
        ..RedirectText::default()
    });
    rig.gateway.apply(routing(vec![at("/old/*", 1, secure)])).unwrap();
    let answer = ask(&rig, "GET /old/x?q=1 HTTP/1.1\nHost: A.test:8080").await;
    assert_eq!(answer.status, 301);
    assert_eq!(
        answer.header("location"),
        Some("https://www.a.test/new/old/x?q=1")
    );
    assert_eq!(
        (answer.header("content-length"), answer.body.as_str()),
        (Some("0"), "")
    );
    let long = ask(
        &rig,
        &format!("GET /old/{} HTTP/1.1\nHost: a.test", "x".repeat(9000)),
    )
    .await;
    assert_eq!(
        (long.status, long.error().as_str()),
        (500, "this request cannot be redirected as its rule says")
    );
    let line = rig.log.lines(2).await.remove(1);
    assert_eq!(
        line["reason"],
        "the rule's redirect made a location of more than 8192 bytes"
    );
}

#[tokio::test]
async fn what_a_target_sees_is_rewritten_after_the_decision() {
    let rig = Rig::new();
    rig.register("t1", &mirror());
    let mut rewriting = rule("v1", 1, "*.example.com", "/api/*", "app");
    rewriting.transforms.host = Some(Rewrite::host(r"^(\w+)\.example\.com$", "$1.internal:81").unwrap());
    rewriting.transforms.url = Some(Rewrite::url("^/api/([^?]*)", "/$1").unwrap());
    rewriting.request_headers = edits(&[("x-added", "yes"), ("user-agent", "wharf")], &[]);
    rewriting.response_headers = edits(&[("x-frame-options", "DENY")], &["server"]);
    // What was rewritten does not meet this one.
    let plain = rule("plain", 2, "", "/*", "app");
    rig.gateway.apply(routing(vec![rewriting, plain])).unwrap();
    let answer = ask(
        &rig,
        "GET /api/x?q=1 HTTP/1.1\nHost: Shop.Example.com\nUser-Agent: curl",
    )
    .await;
    assert_eq!(answer.body, "shop.internal:81/x?q=1 yes wharf");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("server"), None);
    let answer = ask(&rig, "GET /api/x HTTP/1.1\nHost: a.test").await;
    assert_eq!(
        (answer.body.as_str(), answer.header("server")),
        ("a.test/api/x - -", Some("secret"))
    );
    let line = rig.log.lines(2).await.remove(0);
    assert_eq!(
        (&line["path"], &line["host"]),
        (&"/api/x".into(), &"Shop.Example.com".into())
    );
}

#[tokio::test]
async fn errors_of_the_gateways_own_are_not_edited() {
    let rig = Rig::new();
    let mut without_targets = rule("empty", 1, "", "/*", "app");
    without_targets.response_headers = edits(&[("x-frame-options", "DENY")], &["content-type"]);
    rig.gateway.apply(routing(vec![without_targets])).unwrap();
    let answer = rig.get("/").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.header("x-frame-options"), None);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

/// ALB: the peer's address decides, whatever a header says, even one of a proxy that is trusted.
#[tokio::test]
async fn the_source_is_the_peer_and_not_what_a_header_says() {
    let mut spec = local(LISTENER);
    spec.forwarding.trusted = vec!["127.0.0.0/8".parse().unwrap()];
    let rig = Rig::at(spec);
    let mut claimed = at("/*", 1, fixed(200, "claimed"));
    claimed.conditions.source_ip = vec!["10.0.0.0/8".parse().unwrap()];
    let mut peer = at("/*", 2, fixed(200, "peer"));
    peer.name = "peer".parse().unwrap();
    peer.conditions.source_ip = vec!["127.0.0.0/8".parse().unwrap()];
    rig.gateway.apply(routing(vec![claimed, peer])).unwrap();
    let answer = ask(&rig, "GET / HTTP/1.1\nHost: a.test\nX-Forwarded-For: 10.1.2.3").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "peer"));
}

#[tokio::test]
async fn a_transform_that_makes_no_url_is_500() {
    let rig = Rig::new();
    let target = mirror();
    rig.register("t1", &target);
    let mut failing = rule("failing", 1, "", "/x*", "app");
    failing.transforms.url = Some(Rewrite::url("^/x", "x").unwrap());
    rig.gateway.apply(routing(vec![failing])).unwrap();
    let answer = rig.get("/x1").await;
    assert_eq!((answer.status, target.calls()), (500, 0)); // ALB: 500
    assert_eq!(
        answer.error(),
        "this request cannot be rewritten as its rule says"
    );
    assert_eq!(
        rig.log.line().await["reason"],
        "the rule's transform made something that is no URL"
    );
}

#[tokio::test]
async fn a_rules_timeout_is_504() {
    let rig = Rig::answering(|_| pending());
    let hasty = RuleSpec {
        timeout: Some(Duration::from_millis(50)),
        ..rule("hasty", 1, "", "", "app")
    };
    rig.gateway.apply(routing(vec![hasty])).unwrap();
    let answer = rig.get("/").await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (504, "the service took too long to answer")
    );
    assert_eq!(
        rig.log.line().await["reason"],
        "the rule's timeout of 0.05 s was over"
    );
}

#[tokio::test]
async fn a_rule_has_a_body_limit_of_its_own() {
    let rig = Rig::with(Limits {
        request_body: 10,
        ..Limits::default()
    });
    let reading = Closure::new(|request| async move {
        match request.into_body().collect().await {
            Ok(body) => Ok(ok(body.to_bytes().len().to_string())),
            Err(_) => pending().await,
        }
    });
    rig.register("t1", &reading);
    let limited = |path: &str, priority, limit| RuleSpec {
        body_limit: Some(limit),
        ..rule(path, priority, "", path, "app")
    };
    let rules = vec![
        limited("/more", 1, 20),
        limited("/less", 2, 5),
        rule("as-is", 3, "", "", "app"),
    ];
    rig.gateway.apply(routing(rules)).unwrap();
    for (path, length, status) in [
        ("/more", 20, 200),
        ("/more", 21, 413),
        ("/less", 5, 200),
        ("/less", 6, 413),
        ("/", 10, 200),
        ("/", 11, 413),
    ] {
        let body = "x".repeat(length);
        let announced = format!("POST {path} HTTP/1.1\nHost: a\nContent-Length: {length}\n\n{body}");
        let mut client = rig.connect().await;
        client.send(announced.replace('\n', "\r\n")).await;
        assert_eq!(client.answer().await.status, status, "{path} {length}");
        let chunked =
            format!("POST {path} HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n{length:x}\n{body}\n0\n\n");
        let mut client = rig.connect().await;
        client.send(chunked.replace('\n', "\r\n")).await;
        assert_eq!(client.answer().await.status, status, "{path} {length} chunked");
    }
}

#[tokio::test]
async fn the_default_action_is_for_what_no_rule_matches() {
    let rig = Rig::new();
    rig.register("t1", &Closure::saying("app"));
    let with = |default| Routing {
        listeners: vec![ListenerRules {
            default,
            ..routing(vec![at("/rule", 1, fixed(200, "rule"))])
                .listeners
                .remove(0)
        }],
    };
    for (default, expected) in [
        (fixed(410, "gone"), (410, "gone")),
        (Action::forward("app".parse().unwrap()), (200, "app")),
    ] {
        rig.gateway.apply(with(default)).unwrap();
        let answer = rig.get("/other").await;
        assert_eq!((answer.status, answer.body.as_str()), expected);
        assert_eq!(rig.get("/rule").await.body, "rule");
    }
    assert_eq!(rig.log.lines(4).await[0]["rule"], "default");
}

#[tokio::test]
async fn every_listener_has_rules_of_its_own() {
    let rig = Rig::new();
    let rules_of = |listener: &str, body| ListenerRules {
        listener: listener.parse().unwrap(),
        scheme: Scheme::Http,
        port: None,
        rules: vec![],
        default: fixed(200, body),
    };
    // Before the listener is there: it never answers anything else.
    let listeners = vec![rules_of(LISTENER, "main"), rules_of("second", "second")];
    rig.gateway.apply(Routing { listeners }).unwrap();
    let second = rig.gateway.open(local("second")).unwrap();
    assert_eq!(rig.get("/").await.body, "main");
    assert_eq!(
        crate::support::Raw::connect(second).await.get("/").await.body,
        "second"
    );
    let listeners = vec![rules_of(LISTENER, "main")];
    rig.gateway.apply(Routing { listeners }).unwrap();
    assert_eq!(
        crate::support::Raw::connect(second).await.get("/").await.status,
        404
    );
}

#[tokio::test]
async fn rules_that_are_refused_leave_the_old_ones_in_force() {
    let rig = Rig::new();
    rig.gateway
        .apply(routing(vec![at("/", 1, fixed(200, "old"))]))
        .unwrap();
    let rules = vec![at("/", 1, fixed(200, "new")), rule("bad", 2, "", "", "gone")];
    let error = rig.gateway.apply(routing(rules)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "listener `main`, rule `bad`, action: target group `gone` does not exist: create it, or forward to another"
    );
    assert_eq!(rig.get("/").await.body, "old");
}

#[tokio::test]
async fn the_gateway_explains_what_it_would_do() {
    let rig = Rig::new();
    let rules = vec![
        rule("b", 2, "b.test", "", "app"),
        rule("a", 1, "a.test", "/x/*", "app"),
    ];
    rig.gateway.apply(routing(rules)).unwrap();
    let sample = RequestSample {
        listener: LISTENER.parse().unwrap(),
        method: Method::GET,
        host: "b.test".to_owned(),
        path: "/".to_owned(),
        query: String::new(),
        headers: HeaderMap::new(),
        source: IpAddr::V4(Ipv4Addr::LOCALHOST),
    };
    let explanation = rig.gateway.explain(&sample).unwrap().unwrap();
    assert_eq!(explanation.matched.unwrap().rule.as_str(), "b");
    let [(before, unmet)] = explanation.tried.as_slice() else {
        panic!("{:?}", explanation.tried);
    };
    assert_eq!(
        (before.rule.as_str(), unmet.to_string()),
        ("a", "host: it is `b.test`; wanted is `a.test`".to_owned())
    );
    assert_eq!(explanation.action.to_string(), "forward to app");
}
