//! What the fuzz targets run, and what a short run with chosen texts runs in every test.
//!
//! Each takes any text, or any bytes, and panics when something is not as promised. `gateway/fuzz` has the targets.

mod wire;

use std::{net::IpAddr, sync::Arc};

use http::{HeaderMap, HeaderName, HeaderValue, Method};

pub use self::wire::{chunked_body, head_inspection};
use crate::routing::{
    Action, Conditions, FixedResponse, HeaderCondition, HeaderEdits, HeaderMatch, HostMatch, HostPattern,
    ListenerRules, MethodName, PathMatch, PathPattern, Precedence, Priority, QueryCondition, QueryMatch,
    Redirect, RedirectText, RequestSample, Rewrite, Routing, RuleSpec, Scheme, Transforms, ValuePattern,
    Weight, header_edit::FRAMING, snapshot::Snapshot,
};

/// The most rules made of one text.
const MAX_RULES: usize = 64;

/// Anything is a value of a rule or refused, and what is taken says again what it was made of.
pub fn rule_parsing(text: &str) {
    if let Ok(pattern) = HostPattern::new(text) {
        assert_eq!(pattern.as_str(), text.to_ascii_lowercase());
        assert!(pattern.overlaps(&pattern));
    }
    if let Ok(pattern) = PathPattern::new(text) {
        assert_eq!(pattern.as_str(), text);
    }
    if let Ok(pattern) = ValuePattern::new("header", text) {
        assert_eq!(pattern.as_str(), text);
    }
    for made in [
        HostMatch::regex(text).map(|m| m.to_string()),
        PathMatch::regex(text).map(|m| m.to_string()),
    ] {
        assert!(made.is_err() || made.is_ok_and(|made| made == format!("~{text}")));
    }
    let _ = (
        MethodName::new(text),
        QueryMatch::new(Some(text), text),
        HeaderMatch::regex(text),
    );
    let _ = text.parse().map(Weight::new);
    if let Ok(fixed) = FixedResponse::new(200, Some(text), text.to_owned()) {
        assert_eq!(fixed.body(), text.as_bytes());
    }
    let part = Some(text);
    for redirect in [
        RedirectText {
            protocol: part,
            ..RedirectText::default()
        },
        RedirectText {
            host: part,
            ..RedirectText::default()
        },
        RedirectText {
            port: part,
            ..RedirectText::default()
        },
        RedirectText {
            path: part,
            query: part,
            ..RedirectText::default()
        },
    ] {
        let _ = Redirect::new(&RedirectText {
            status: 302,
            ..redirect
        });
    }
}

/// A request, and rules, a line each; the compiled rules find what a look at every rule finds.
///
/// The first line is `METHOD host path query source header-value`; a rule is words like `h:*.test`, `H:^a`, `p:/x*`,
/// `P:^/`, `m:GET`, `v:a*`, `V:^a`, `q:key=value`, `s:10.0.0.0/8`. What is none of these is skipped.
pub fn rule_matching(text: &str) {
    let mut lines = text.lines();
    let Some(sample) = lines.next().and_then(request) else {
        return;
    };
    let mut rules: Vec<Arc<RuleSpec>> = Vec::new();
    for conditions in lines.take(MAX_RULES).map(conditions) {
        let same = |rule: &Arc<RuleSpec>| rule.conditions.to_string() == conditions.to_string();
        if !rules.iter().any(same) {
            rules.extend(rule(rules.len(), conditions));
        }
    }
    let listeners = vec![ListenerRules {
        listener: sample.listener.clone(),
        scheme: Scheme::Http,
        port: None,
        rules,
        default: Action::NotFound,
    }];
    let snapshot = Snapshot::compile(Routing { listeners }, |_| None).expect("rules that differ");
    let explained = snapshot
        .explain(&sample)
        .expect("it is short")
        .expect("the listener has rules");
    let found = snapshot.find_sample(&sample).map(|rule| rule.name().clone());
    assert_eq!(found, explained.matched.map(|matched| matched.rule));
}

fn request(line: &str) -> Option<RequestSample> {
    let mut words = line.split(' ');
    let mut next = || words.next().unwrap_or_default();
    let method = Method::from_bytes(next().as_bytes()).ok()?;
    let (host, path, query) = (next().to_owned(), next().to_owned(), next().to_owned());
    let source: IpAddr = next().parse().unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let mut headers = HeaderMap::new();
    for value in words.filter_map(|word| HeaderValue::from_str(word).ok()) {
        headers.append(HeaderName::from_static("x-a"), value);
    }
    Some(RequestSample {
        listener: "http".parse().ok()?,
        method,
        host,
        path,
        query,
        headers,
        source,
    })
}

fn conditions(line: &str) -> Conditions {
    let mut conditions = Conditions::default();
    for (kind, value) in line.split(' ').filter_map(|word| word.split_once(':')) {
        match kind {
            "h" => conditions.host.extend(HostMatch::pattern(value)),
            "H" => conditions.host.extend(HostMatch::regex(value)),
            "p" => conditions.path.extend(PathMatch::pattern(value)),
            "P" => conditions.path.extend(PathMatch::regex(value)),
            "m" => conditions.methods.extend(MethodName::new(value)),
            "v" => conditions
                .headers
                .extend(HeaderMatch::pattern(value).and_then(header)),
            "V" => conditions
                .headers
                .extend(HeaderMatch::regex(value).and_then(header)),
            "q" => {
                let (key, value) = value.split_once('=').unwrap_or((value, ""));
                let wanted = QueryMatch::new((!key.is_empty()).then_some(key), value);
                conditions
                    .query
                    .extend(wanted.and_then(|wanted| QueryCondition::new(vec![wanted])));
            }
            "s" => conditions.source_ip.extend(value.parse::<ipnet::IpNet>()),
            _ => {}
        }
    }
    conditions
}

fn header(value: HeaderMatch) -> Result<HeaderCondition, crate::routing::ConditionError> {
    HeaderCondition::new(HeaderName::from_static("x-a"), vec![value])
}

fn rule(rank: usize, conditions: Conditions) -> Option<Arc<RuleSpec>> {
    let priority = Priority::new(u32::try_from(rank).ok()? + 1).ok()?;
    let name = format!("r{rank}").parse().ok()?;
    let precedence = Precedence::Explicit(priority);
    let rule = RuleSpec::new(name, precedence, conditions, Action::NotFound);
    // More values than a rule may have are refused when they are compiled, which is not the matter here.
    rule.conditions.check().is_ok().then(|| Arc::new(rule))
}

/// Edits and rewrites, and a head: whatever they say, what frames a message stays, and a URL remains one.
///
/// Lines are `set name value`, `add name value`, `remove name`, `host regex replacement`, `url regex replacement`;
/// the first line is `host path`, and every other line is a header of the head, `name value`.
pub fn header_rewriting(text: &str) {
    let mut lines = text.lines();
    let (host, url) = lines
        .next()
        .unwrap_or_default()
        .split_once(' ')
        .unwrap_or_default();
    let (mut set, mut add, mut remove) = (Vec::new(), Vec::new(), Vec::new());
    let (mut transforms, mut headers) = (Transforms::default(), HeaderMap::new());
    for line in lines.take(MAX_RULES) {
        let mut words = line.splitn(3, ' ');
        let (kind, one, two) = (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        );
        let name = || HeaderName::from_bytes(one.as_bytes()).ok();
        let pair = || Some((name()?, HeaderValue::from_str(two).ok()?));
        match kind {
            "set" => set.extend(pair()),
            "add" => add.extend(pair()),
            "remove" => remove.extend(name()),
            "host" => transforms.host = Rewrite::host(one, two).ok(),
            "url" => transforms.url = Rewrite::url(one, two).ok(),
            other => {
                if let (Ok(name), Ok(value)) = (
                    HeaderName::from_bytes(other.as_bytes()),
                    HeaderValue::from_str(one),
                ) {
                    headers.append(name, value);
                }
            }
        }
    }
    rewrite_url(&transforms, host, url);
    if let Ok(edits) = HeaderEdits::new(set, add, remove) {
        edit(&edits, headers);
    }
}

fn edit(edits: &HeaderEdits, mut headers: HeaderMap) {
    let framing = |headers: &HeaderMap| -> Vec<_> {
        let all = headers.iter().filter(|(name, _)| FRAMING.contains(name));
        all.map(|(name, value)| (name.clone(), value.clone())).collect()
    };
    let mut before = framing(&headers);
    edits.apply(&mut headers);
    let mut after = framing(&headers);
    let by_name = |one: &(HeaderName, HeaderValue), other: &(HeaderName, HeaderValue)| {
        (one.0.as_str(), &one.1).cmp(&(other.0.as_str(), &other.1))
    };
    before.sort_by(by_name);
    after.sort_by(by_name);
    assert_eq!(before, after);
}

fn rewrite_url(transforms: &Transforms, host: &str, url: &str) {
    if let Ok(Some(made)) = transforms.host(host.as_bytes()) {
        assert!(
            made.to_str()
                .is_ok_and(|host| host.parse::<http::uri::Authority>().is_ok()),
            "{made:?}"
        );
    }
    if let Ok(Some(made)) = transforms.url(url) {
        assert!(
            made.as_str().starts_with('/') && !made.as_str().contains(['#', ' ', '\r', '\n']),
            "{made}"
        );
    }
}

#[cfg(test)]
mod tests;
