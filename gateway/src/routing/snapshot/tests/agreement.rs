//! The compiled matcher against the plain reading of the rules: every rule in order, every condition in full, with a
//! wildcard matcher and regular expressions that share nothing with the compiled ones.

use std::net::IpAddr;

use http::{HeaderMap, HeaderName, Method};
use proptest::prelude::*;
use regex::bytes::RegexBuilder;

use super::{super::*, on_listener, snapshot_of};
use crate::routing::{
    Conditions, FixedResponse, HeaderCondition, HeaderMatch, HostMatch, MethodName, PathMatch, Precedence,
    Priority, QueryCondition, QueryMatch, condition::Match,
};

/// A rule as somebody would write it down; `~` begins a regular expression.
#[derive(Clone, Debug)]
struct Plain {
    hosts: Vec<String>,
    paths: Vec<String>,
    methods: Vec<String>,
    headers: Vec<(String, Vec<String>)>,
    queries: Vec<Vec<(Option<String>, String)>>,
    nets: Vec<String>,
}

#[derive(Clone, Debug)]
struct Request {
    host: String,
    path: String,
    method: String,
    headers: Vec<(String, String)>,
    query: Vec<(String, String)>,
    source: [u8; 4],
}

/// The definition, word for word.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| glob(rest, &text[skipped..])),
        Some((b'?', rest)) => !text.is_empty() && glob(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && glob(rest, &text[1..]),
    }
}

fn like(value: &str, text: &str, any_case: bool) -> bool {
    if let Some(regex) = value.strip_prefix('~') {
        let regex = RegexBuilder::new(regex)
            .unicode(false)
            .case_insensitive(any_case)
            .build();
        return regex.unwrap().is_match(text.as_bytes());
    }
    let fold = |text: &str| {
        if any_case {
            text.to_ascii_lowercase()
        } else {
            text.to_owned()
        }
    };
    glob(fold(value).as_bytes(), fold(text).as_bytes())
}

/// Nothing asked for, or one of what is asked for.
fn any<T>(values: &[T], holds: impl FnMut(&T) -> bool) -> bool {
    values.is_empty() || values.iter().any(holds)
}

impl Plain {
    fn holds(&self, request: &Request) -> bool {
        let header = |(name, values): &(String, Vec<String>)| {
            request
                .headers
                .iter()
                .any(|(found, text)| found == name && values.iter().any(|value| like(value, text, true)))
        };
        let query = |wanted: &Vec<(Option<String>, String)>| {
            wanted.iter().any(|(key, value)| {
                let key = |text: &str| key.as_ref().is_none_or(|key| like(key, text, true));
                request.query.iter().any(|(k, v)| key(k) && like(value, v, true))
            })
        };
        let net = |net: &String| {
            net.parse::<ipnet::IpNet>()
                .unwrap()
                .contains(&IpAddr::from(request.source))
        };
        any(&self.hosts, |host| {
            like(host, request.host.split(':').next().unwrap(), true)
        }) && any(&self.paths, |path| like(path, &request.path, false))
            && any(&self.methods, |method| *method == request.method)
            && self.headers.iter().all(header)
            && self.queries.iter().all(query)
            && any(&self.nets, net)
    }

    fn conditions(&self) -> Conditions {
        fn values<P>(texts: &[String]) -> Vec<Match<P>>
        where
            Match<P>: Made,
        {
            texts.iter().map(|text| Match::<P>::made(text)).collect()
        }
        let header = |(name, texts): &(String, Vec<String>)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            HeaderCondition::new(name, values(texts)).unwrap()
        };
        let query = |wanted: &Vec<(Option<String>, String)>| {
            let wanted = wanted
                .iter()
                .map(|(key, value)| QueryMatch::new(key.as_deref(), value).unwrap());
            QueryCondition::new(wanted.collect()).unwrap()
        };
        Conditions {
            host: values(&self.hosts),
            path: values(&self.paths),
            methods: self
                .methods
                .iter()
                .map(|method| MethodName::new(method).unwrap())
                .collect(),
            headers: self.headers.iter().map(header).collect(),
            query: self.queries.iter().map(query).collect(),
            source_ip: self.nets.iter().map(|net| net.parse().unwrap()).collect(),
        }
    }
}

/// Made of the text that [`Plain`] has.
trait Made {
    fn made(text: &str) -> Self;
}

macro_rules! made {
    ($type:ty) => {
        impl Made for $type {
            fn made(text: &str) -> Self {
                match text.strip_prefix('~') {
                    Some(regex) => Self::regex(regex).unwrap(),
                    None => Self::pattern(text).unwrap(),
                }
            }
        }
    };
}
made!(HostMatch);
made!(PathMatch);
made!(HeaderMatch);

impl Request {
    fn find(&self, snapshot: &Snapshot) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in &self.headers {
            headers.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                value.parse().unwrap(),
            );
        }
        let query: Vec<_> = self
            .query
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        let sample = RequestSample {
            listener: "http".parse().unwrap(),
            method: Method::from_bytes(self.method.as_bytes()).unwrap(),
            host: self.host.clone(),
            path: self.path.clone(),
            query: query.join("&"),
            headers,
            source: self.source.into(),
        };
        let found = snapshot.find_sample(&sample).map(|rule| rule.name().to_string());
        let explained = snapshot.explain(&sample).unwrap().unwrap();
        assert_eq!(found, explained.matched.map(|matched| matched.rule.to_string()));
        found.unwrap_or_default()
    }
}

fn few<T: std::fmt::Debug>(value: impl Strategy<Value = T>, most: usize) -> impl Strategy<Value = Vec<T>> {
    prop::collection::vec(value, 0..=most)
}

fn plain() -> impl Strategy<Value = Plain> {
    let host = prop_oneof![
        4 => "[abA.*?]{1,4}",
        1 => prop::sample::select(vec!["~^a", "~b$", "~^a.*b$", r"~^[ab]\.", "~A", "~^(a|b)$"]).prop_map(str::to_owned),
    ];
    let path = prop_oneof![
        4 => "[/*][ab/*?]{0,4}",
        1 => prop::sample::select(vec!["~^/a", "~b$", "~^/a.*b$", "~^/(a|b)", "~^/a?b", "~^/a/b$"]).prop_map(str::to_owned),
    ];
    let value = || prop_oneof!["[abA*?]{1,3}", Just("~^a".to_owned())];
    let header = ("x-[ab]", prop::collection::vec(value(), 1..3));
    let key = || prop::option::of("[abA*?]{1,2}");
    let query = prop::collection::vec((key(), "[abA*?]{1,2}"), 1..3);
    let net = prop::sample::select(vec!["10.0.0.0/8", "10.1.0.0/16", "192.0.2.1/32"]).prop_map(str::to_owned);
    let method = prop::sample::select(vec!["GET", "PUT"]).prop_map(str::to_owned);
    (
        few(host, 3),
        few(path, 3),
        few(method, 1),
        few(header, 1),
        few(query, 1),
        few(net, 1),
    )
        .prop_map(|(hosts, paths, methods, headers, queries, nets)| Plain {
            hosts,
            paths,
            methods,
            headers,
            queries,
            nets,
        })
}

fn request() -> impl Strategy<Value = Request> {
    let method = prop::sample::select(vec!["GET", "PUT"]).prop_map(str::to_owned);
    let source = prop::sample::select(vec![[10, 0, 0, 1], [10, 1, 0, 1], [192, 0, 2, 1]]);
    let (headers, query) = (
        few(("x-[ab]", "[abA]{0,3}"), 2),
        few(("[abA]{1,2}", "[abA]{0,2}"), 2),
    );
    (
        "[abA.]{0,4}[ab](:80)?",
        "/[ab/]{0,5}",
        method,
        headers,
        query,
        source,
    )
        .prop_map(|(host, path, method, headers, query, source)| Request {
            host,
            path,
            method,
            headers,
            query,
            source,
        })
}

fn spec(rank: usize, plain: &Plain) -> RuleSpec {
    // Later rules are handed over first: order is precedence's business.
    let priority = Priority::new(u32::try_from(rank).unwrap() + 1).unwrap();
    let action = Action::Fixed(FixedResponse::new(200, None, "").unwrap());
    let name = format!("r{rank}").parse().unwrap();
    RuleSpec::new(name, Precedence::Explicit(priority), plain.conditions(), action)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_compiled_rules_agree_with_the_plain_ones(
        plain in prop::collection::vec(plain(), 0..25),
        requests in prop::collection::vec(request(), 1..20),
    ) {
        let mut seen = std::collections::HashSet::new();
        let kept: Vec<_> = plain.iter().filter(|plain| seen.insert(plain.conditions().to_string())).collect();
        let rules = kept.iter().enumerate().rev().map(|(rank, plain)| spec(rank, plain));
        let snapshot = snapshot_of(vec![on_listener("http", rules.collect())]).unwrap();
        for request in requests {
            let expected = kept.iter().position(|plain| plain.holds(&request));
            let expected = expected.map(|rank| format!("r{rank}")).unwrap_or_default();
            prop_assert_eq!(request.find(&snapshot), expected, "{:?}", request);
        }
    }
}
