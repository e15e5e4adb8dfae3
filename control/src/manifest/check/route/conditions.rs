//! When a route applies.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::net::IpAddr;

use http::HeaderName;
use ipnet::IpNet;
use wharf_gateway::{
    ConditionError, Conditions, HeaderCondition, HeaderMatch, HostMatch, Match, MethodName, PathMatch,
    QueryCondition, QueryMatch,
};

use crate::manifest::error::FieldPath;
use crate::manifest::text::{QueryText, RouteText};
use crate::manifest::values::Report;

pub(super) fn conditions(text: &RouteText, here: &FieldPath, report: &mut Report) -> Conditions {
    let field = |key: &str| here.key(key);
    let mut host = listed(&text.host, &field("host"), report, HostMatch::pattern);
    let here_too = field("host_regex");
    host.extend(expressions(&text.host_regex, &here_too, report, HostMatch::regex));
    let mut path = listed(&text.path, &field("path"), report, PathMatch::pattern);
    let here_too = field("path_regex");
    path.extend(expressions(&text.path_regex, &here_too, report, PathMatch::regex));
    Conditions {
        host,
        path,
        methods: listed(&text.method, &field("method"), report, MethodName::new),
        headers: headers(text, here, report),
        query: queries(text, here, report),
        source_ip: listed(&text.source_ip, &field("source_ip"), report, network),
    }
}

/// A text each; what is wrong is reported and left out.
pub(in super::super) fn listed<T, E: Display>(
    texts: &[String],
    here: &FieldPath,
    report: &mut Report,
    read: impl Fn(&str) -> Result<T, E>,
) -> Vec<T> {
    let each = texts.iter().enumerate();
    each.filter_map(|(at, text)| report.parsed(here.index(at), Some(read(text))))
        .collect()
}

/// As [`listed`], for values that may be regular expressions. Those after one too many are not looked at.
fn expressions<P>(
    texts: &[String],
    here: &FieldPath,
    report: &mut Report,
    read: impl Fn(&str) -> Result<Match<P>, ConditionError>,
) -> Vec<Match<P>> {
    let mut values = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        if report.expressions.is_full() {
            break;
        }
        let here = here.index(at);
        let Some(value) = report.parsed(here.clone(), Some(read(text))) else {
            continue;
        };
        if let Some(bytes) = value.compiled_bytes() {
            count(bytes, &here, report);
        }
        values.push(value);
    }
    values
}

/// One regular expression more.
pub(super) fn count(compiled_bytes: usize, here: &FieldPath, report: &mut Report) {
    if let Err(error) = report.expressions.add(compiled_bytes) {
        let message = format!("`{here}`: {error}");
        report.refuse(
            here.clone(),
            message,
            "use wildcards where they do, or fewer routes",
        );
    }
}

/// A network, or one address.
pub(in super::super) fn network(text: &str) -> Result<IpNet, String> {
    let address = |text: &str| text.parse::<IpAddr>().ok().map(IpNet::from);
    let network = text.parse().ok().or_else(|| address(text));
    network.ok_or_else(|| {
        format!(
            "`{}` is not a network, such as 10.0.0.0/8 or 2001:db8::/32",
            text.escape_debug()
        )
    })
}

fn headers(text: &RouteText, here: &FieldPath, report: &mut Report) -> Vec<HeaderCondition> {
    let mut values: BTreeMap<&str, Vec<HeaderMatch>> = BTreeMap::new();
    let mut refused: BTreeSet<&str> = BTreeSet::new();
    for (key, texts, read) in [
        (
            "header",
            &text.header,
            HeaderMatch::pattern as fn(&str) -> Result<HeaderMatch, ConditionError>,
        ),
        ("header_regex", &text.header_regex, HeaderMatch::regex),
    ] {
        for (name, texts) in texts {
            let before = report.errors.len();
            let read = expressions(texts, &here.key(key).key(name), report, read);
            values.entry(name).or_default().extend(read);
            if report.errors.len() > before {
                refused.insert(name.as_str());
            }
        }
    }
    // Of one whose values were refused there is nothing more to say.
    let sound = values.into_iter().filter(|(name, _)| !refused.contains(name));
    let conditions = sound.filter_map(|(name, values)| {
        let key = if text.header.contains_key(name) {
            "header"
        } else {
            "header_regex"
        };
        let field = here.key(key).key(name);
        let name = header_name(name, &field, report)?;
        report.parsed(field, Some(HeaderCondition::new(name, values)))
    });
    conditions.collect()
}

pub(super) fn header_name(name: &str, field: &FieldPath, report: &mut Report) -> Option<HeaderName> {
    let parsed = HeaderName::from_bytes(name.as_bytes());
    let not_a_name = |_| format!("`{}` is not a header's name", name.escape_debug());
    report.parsed(field.clone(), Some(parsed.map_err(not_a_name)))
}

/// Any of `query`, and each of `query_all`.
fn queries(text: &RouteText, here: &FieldPath, report: &mut Report) -> Vec<QueryCondition> {
    let mut conditions = query(&text.query, &here.key("query"), report);
    for (at, alone) in text.query_all.iter().enumerate() {
        let here = here.key("query_all").index(at);
        conditions.extend(query(std::slice::from_ref(alone), &here, report));
    }
    conditions
}

/// One condition: any of the parameters meets it.
fn query(texts: &[QueryText], here: &FieldPath, report: &mut Report) -> Vec<QueryCondition> {
    if texts.is_empty() {
        return Vec::new();
    }
    let before = report.errors.len();
    let matches = texts
        .iter()
        .enumerate()
        .filter_map(|(at, QueryText { key, value })| {
            // A key alone is there, whatever its value.
            let any = if key.is_some() { "*" } else { "" };
            let read = QueryMatch::new(key.as_deref(), value.as_deref().unwrap_or(any));
            report.parsed(here.index(at), Some(read))
        });
    let matches = matches.collect();
    if report.errors.len() > before {
        return Vec::new();
    }
    report
        .parsed(here.clone(), Some(QueryCondition::new(matches)))
        .into_iter()
        .collect()
}
