use http::{HeaderName, HeaderValue};

use super::*;

/// `METHOD path?query`, with headers `name: value`.
struct Sample {
    host: &'static str,
    method: Method,
    path: &'static str,
    query: &'static str,
    headers: HeaderMap,
    source: IpAddr,
    work: Work,
}

impl Sample {
    fn new() -> Self {
        Self {
            host: "app.example.com",
            method: Method::GET,
            path: "/v1/items",
            query: "",
            headers: HeaderMap::new(),
            source: [192, 0, 2, 7].into(),
            work: Work::default(),
        }
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers
            .append(HeaderName::from_static(name), HeaderValue::from_static(value));
        self
    }

    fn view(&self) -> RequestView<'_> {
        RequestView {
            host: self.host.as_bytes(),
            path: self.path.as_bytes(),
            query: self.query.as_bytes(),
            method: &self.method,
            headers: &self.headers,
            source: self.source,
            work: &self.work,
        }
    }
}

fn check(conditions: &Conditions, sample: &Sample, expected: bool) {
    let view = sample.view();
    assert_eq!(conditions.hold(&view), expected, "{conditions}: {view:?}");
    assert_eq!(
        conditions.unmet(&view).is_none(),
        expected,
        "{conditions}: {view:?}"
    );
}

#[test]
fn host_header() {
    for (values, host, expected) in [
        ("app.example.com", "app.example.com", true),
        ("APP.example.COM", "app.example.com", true), // ALB: case-insensitive
        ("*.example.com", "app.example.com", true),
        ("*.example.com", "a.b.example.com", true),
        ("*.example.com", "example.com", false), // ALB: says so
        ("app?.example.com", "app1.example.com", true),
        ("app?.example.com", "app.example.com", false), // ALB: `?` is exactly one
        ("a.test app.example.com", "app.example.com", true), // ALB: OR within a condition
        ("a.test b.test", "app.example.com", false),
        ("localhost", "localhost", true), // ALB wants a dot; ours need none
        ("[::1]", "[::1]", true),
        (r"~^app\d*\.example\.com$", "app12.example.com", true),
        (r"~^APP", "app.example.com", true), // ALB: case-insensitive
        (r"~^app\d\.", "app.example.com", false),
        ("*", "", true),
        ("a.test", "", false),
    ] {
        let host_values = values.split(' ').map(|value| match value.strip_prefix('~') {
            Some(regex) => HostMatch::regex(regex).unwrap(),
            None => HostMatch::pattern(value).unwrap(),
        });
        let conditions = Conditions {
            host: host_values.collect(),
            ..Conditions::default()
        };
        check(
            &conditions,
            &Sample {
                host,
                ..Sample::new()
            },
            expected,
        );
    }
}

#[test]
fn path_pattern() {
    for (values, path, expected) in [
        ("/v1/items", "/v1/items", true),
        ("/v1/*", "/v1/items", true),
        ("/V1/*", "/v1/items", false), // ALB: case-sensitive
        ("/v1/*", "/v1", false),
        ("/a /v1/*", "/v1/x", true),          // ALB: OR within a condition
        ("/img/*.png", "/img/a/b.png", true), // ALB: `*` passes slashes
        ("/img/?.png", "/img/ab.png", false),
        ("/a%2Fb", "/a%2Fb", true), // nothing is decoded
        ("/a/b", "/a%2Fb", false),
        ("/package.Service/*", "/package.Service/Method", true), // ALB: gRPC
        (r"~^/v\d+/", "/v1/x", true),
        (r"~^/V\d+/", "/v1/x", false), // ALB: case-sensitive
    ] {
        let path_values = values.split(' ').map(|value| match value.strip_prefix('~') {
            Some(regex) => PathMatch::regex(regex).unwrap(),
            None => PathMatch::pattern(value).unwrap(),
        });
        let conditions = Conditions {
            path: path_values.collect(),
            ..Conditions::default()
        };
        let query = "q=/v1/items"; // ALB: the path only, never the query
        check(
            &conditions,
            &Sample {
                path,
                query,
                ..Sample::new()
            },
            expected,
        );
    }
}

#[test]
fn http_request_method() {
    for (values, method, expected) in [
        ("GET", "GET", true),
        ("GET HEAD", "HEAD", true),
        ("GET", "HEAD", false),   // ALB: HEAD is a method of its own
        ("GET", "get", false),    // ALB: case-sensitive
        ("PURGE", "PURGE", true), // ALB: custom verbs
        ("X_Y-Z", "X_Y-Z", true),
    ] {
        let conditions = Conditions {
            methods: values
                .split(' ')
                .map(|name| MethodName::new(name).unwrap())
                .collect(),
            ..Conditions::default()
        };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        check(
            &conditions,
            &Sample {
                method,
                ..Sample::new()
            },
            expected,
        );
    }
}

#[test]
fn methods_that_no_request_has_are_refused() {
    for (method, error) in [
        ("", "`` is not a method"),
        ("get", "`get` is not a method"),
        ("GET*", "`GET*` is not a method"), // ALB: no wildcards
        (
            "TRACE",
            "a rule cannot match `TRACE`: it is answered 405 before any rule",
        ),
        ("CONNECT", "a rule cannot match `CONNECT`"),
    ] {
        let found = MethodName::new(method).unwrap_err().to_string();
        assert!(found.starts_with(error), "{found}");
    }
    assert!(MethodName::new(&"A".repeat(40)).is_ok());
    assert!(MethodName::new(&"A".repeat(41)).is_err());
}

#[test]
fn http_header() {
    let browser = || {
        Sample::new()
            .header("user-agent", "Mozilla Chrome/120")
            .header("x-env", "a")
            .header("x-env", "Beta*")
    };
    for (name, values, expected) in [
        ("user-agent", "*chrome*", true), // ALB: values are case-insensitive
        ("User-Agent", "*Chrome*", true), // ALB: names are case-insensitive
        ("user-agent", "Chrome", false),
        ("x-env", "beta?", true), // ALB: a repeated header is searched in order until one matches
        ("x-env", r"beta\*", true),
        ("x-env", r"bet\*", false),
        ("x-env", "c d", false),
        ("x-env", "c A", true), // ALB: OR within a condition
        ("x-env", "~^BETA", true),
        ("x-env", "~^eta", false),
        ("x-none", "*", false),
    ] {
        let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
        let header_values = values.split(' ').map(|value| match value.strip_prefix('~') {
            Some(regex) => HeaderMatch::regex(regex).unwrap(),
            None => HeaderMatch::pattern(value).unwrap(),
        });
        let conditions = Conditions {
            headers: vec![HeaderCondition::new(name, header_values.collect()).unwrap()],
            ..Conditions::default()
        };
        check(&conditions, &browser(), expected);
    }
}

#[test]
fn a_header_condition_needs_a_header_and_values() {
    let value = || HeaderMatch::pattern("a").unwrap();
    assert_eq!(
        HeaderCondition::new(http::header::HOST, vec![value()]).unwrap_err(), // ALB: not for `Host`
        ConditionError::HostHeader
    );
    let name = HeaderName::from_static("x-a");
    assert_eq!(
        HeaderCondition::new(name.clone(), vec![])
            .unwrap_err()
            .to_string(),
        "the header condition has no values: name at least one, or leave the condition out"
    );
    assert!(HeaderCondition::new(name.clone(), vec![value(); MAX_CONDITION_VALUES]).is_ok());
    let named = |bytes| {
        let name = HeaderName::from_bytes("x".repeat(bytes).as_bytes()).unwrap();
        HeaderCondition::new(name, vec![value()])
    };
    assert!(named(MAX_HEADER_NAME_BYTES).is_ok()); // ALB: 40
    assert_eq!(
        named(MAX_HEADER_NAME_BYTES + 1).unwrap_err().to_string(),
        "a header's name has at most 256 bytes, this one has 257"
    );
    assert_eq!(
        HeaderCondition::new(name, vec![value(); MAX_CONDITION_VALUES + 1])
            .unwrap_err()
            .to_string(),
        "the header condition has 1001 values, the most is 1000"
    );
    assert_eq!(
        HeaderMatch::pattern("ä").unwrap_err().to_string(),
        "the header pattern `ä` has a 'ä', which no header contains"
    );
}

#[test]
fn query_string() {
    for (key, value, query, expected) in [
        (Some("version"), "v1", "version=v1", true),
        (Some("VERSION"), "V1", "a=b&version=v1", true), // ALB: case-insensitive
        (Some("version"), "v1", "version=v2", false),
        (Some("version"), "v1", "", false),
        (None, "*example*", "a=1&x=an-example", true), // ALB: without a key any will do
        (None, "example", "example=1", false),         // a key is no value
        (Some("v*"), "?", "version=1", true),
        (Some("a"), r"\*", "a=*", true), // ALB: `\*` and `\?` are literal
        (Some("a"), r"\*", "a=b", false),
        (Some("a"), r"b\?", "a=b?", true),
        (Some("debug"), "", "debug", true),
        (Some("debug"), "", "x&debug=&y", true),
        (Some("debug"), "*", "debug=1", true),
        (Some("a"), "b=c", "a=b=c", true),
        (Some("a"), "b c", "a=b%20c", false), // nothing is decoded
        (Some("a"), "b%20c", "a=b%20c", true),
    ] {
        let values = vec![
            QueryMatch::new(Some("never"), "there").unwrap(),
            QueryMatch::new(key, value).unwrap(),
        ];
        let conditions = Conditions {
            query: vec![QueryCondition::new(values).unwrap()],
            ..Conditions::default()
        };
        check(
            &conditions,
            &Sample {
                query,
                ..Sample::new()
            },
            expected,
        );
    }
    assert_eq!(QueryMatch::new(None, "").unwrap_err(), ConditionError::EmptyQuery);
    assert!(QueryCondition::new(vec![]).is_err());
}

#[test]
fn source_ip() {
    for (nets, source, expected) in [
        ("192.0.2.0/24", "192.0.2.7", true),
        ("192.0.2.7/32", "192.0.2.7", true),
        ("192.0.3.0/24", "192.0.2.7", false),
        ("10.0.0.0/8 192.0.2.0/24", "192.0.2.7", true), // ALB: OR within a condition
        ("2001:db8::/32", "2001:db8::1", true),
        ("2001:db8::/32", "192.0.2.7", false),
        ("0.0.0.0/0", "2001:db8::1", false),
    ] {
        let conditions = Conditions {
            source_ip: nets.split(' ').map(|net| net.parse().unwrap()).collect(),
            ..Conditions::default()
        };
        let source = source.parse().unwrap();
        let sample = Sample {
            source,
            ..Sample::new()
        };
        // ALB: the peer of the connection, not what this says.
        check(
            &conditions,
            &sample.header("x-forwarded-for", "10.9.9.9"),
            expected,
        );
    }
}

/// One condition of each kind, all met by the sample.
fn full() -> (Conditions, Sample) {
    let conditions = Conditions {
        host: vec![HostMatch::pattern("*.example.com").unwrap()],
        path: vec![PathMatch::regex("^/v1/").unwrap()],
        methods: vec![MethodName::new("GET").unwrap()],
        headers: vec![
            HeaderCondition::new(
                HeaderName::from_static("x-env"),
                vec![HeaderMatch::pattern("a").unwrap()],
            )
            .unwrap(),
            HeaderCondition::new(
                HeaderName::from_static("x-env"),
                vec![HeaderMatch::pattern("b").unwrap()],
            )
            .unwrap(),
        ],
        query: vec![
            QueryCondition::new(vec![QueryMatch::new(Some("k"), "1").unwrap()]).unwrap(),
            QueryCondition::new(vec![QueryMatch::new(Some("k"), "2").unwrap()]).unwrap(),
        ],
        source_ip: vec!["192.0.2.0/24".parse().unwrap()],
    };
    let sample = Sample {
        query: "k=1&k=2",
        ..Sample::new()
    };
    (conditions, sample.header("x-env", "a").header("x-env", "b"))
}

#[test]
fn every_condition_has_to_hold() {
    let (conditions, sample) = full();
    check(&conditions, &sample, true); // ALB: AND between conditions, any number for headers and queries
    for (change, expected) in [
        (
            (|s| s.host = "a.test") as fn(&mut Sample),
            "host: it is `a.test`; wanted is `*.example.com`",
        ),
        (
            |s| s.host = "",
            "host: the request has none; wanted is `*.example.com`",
        ),
        (|s| s.path = "/v2/x", "path: it is `/v2/x`; wanted is `~^/v1/`"),
        (
            |s| s.method = Method::POST,
            "method: it is `POST`; wanted is `GET`",
        ),
        (|s| s.query = "k=2", "query: it is `k=2`; wanted is `k=1`"),
        (|s| s.query = "", "query: the request has none; wanted is `k=1`"),
        (
            |s| s.source = [10, 0, 0, 1].into(),
            "source-ip: it is `10.0.0.1`; wanted is `192.0.2.0/24`",
        ),
        (
            |s| s.headers.clear(),
            "header x-env: the request has none; wanted is `a`",
        ),
        (
            |s| drop(s.headers.insert("x-env", HeaderValue::from_static("c"))),
            "header x-env: it is `c`; wanted is `a`",
        ),
    ] {
        let (_, mut sample) = full();
        change(&mut sample);
        check(&conditions, &sample, false);
        assert_eq!(conditions.unmet(&sample.view()).unwrap().to_string(), expected);
    }
}

#[test]
fn of_many_values_the_first_are_told() {
    let told = |count: usize| {
        let conditions = Conditions {
            host: (0..count)
                .map(|at| HostMatch::pattern(&format!("{at}.test")).unwrap())
                .collect(),
            ..Conditions::default()
        };
        conditions.unmet(&Sample::new().view()).unwrap().to_string()
    };
    assert!(told(2).ends_with("wanted is `0.test` or `1.test`"), "{}", told(2));
    assert!(told(5).ends_with("`3.test` or `4.test`"), "{}", told(5));
    assert!(
        told(1000).ends_with("`3.test` or `4.test` or one of 995 more"),
        "{}",
        told(1000)
    );
}

#[test]
fn they_read_well_and_compare_by_meaning() {
    let (conditions, _) = full();
    assert_eq!(
        conditions.to_string(),
        "header x-env a and header x-env b and host *.example.com and method GET and path ~^/v1/ and query k=1 and \
         query k=2 and source-ip 192.0.2.0/24"
    );
    let hosts = |hosts: &[&str]| Conditions {
        host: hosts
            .iter()
            .map(|host| HostMatch::pattern(host).unwrap())
            .collect(),
        ..Conditions::default()
    };
    assert!(hosts(&["b.test", "a.test"]).identity() == hosts(&["a.test", "B.test", "a.test"]).identity());
    assert!(hosts(&["a.test"]).identity() != hosts(&["b.test"]).identity());
    let regex = Conditions {
        host: vec![HostMatch::regex("a.test").unwrap()],
        ..Conditions::default()
    };
    assert!(hosts(&["a.test"]).identity() != regex.identity());
}
