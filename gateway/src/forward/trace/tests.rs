use std::collections::HashSet;

use super::*;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn applied(lines: &[(&'static str, &str)]) -> (Trace, HeaderMap) {
    let mut headers = headers(lines);
    let trace = Trace::of(&headers, Timestamp::now());
    trace.apply(&mut headers);
    (trace, headers)
}

const ID: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

/// Trace Context 3.2 and 4: continued under a new parent id, flags and state kept.
#[test]
fn a_trace_is_continued() {
    for (version, more) in [("00", ""), ("01", ""), ("cc", "-what-the-future-brings")] {
        let sent = format!("{version}-{ID}-{PARENT}-00{more}");
        let (trace, headers) = applied(&[("traceparent", &sent), ("tracestate", "a=1")]);
        assert_eq!(trace.id.to_string(), ID);
        let parent = headers["traceparent"].to_str().unwrap();
        assert!(
            parent.starts_with(&format!("00-{ID}-")) && parent.ends_with("-00"),
            "{parent}"
        );
        assert!(!parent.contains(PARENT), "{parent}");
        assert!(read_traceparent(parent.as_bytes()).is_some(), "{parent}");
        assert_eq!(headers["tracestate"], "a=1");
    }
}

#[test]
fn what_is_no_traceparent_begins_a_trace_and_its_state_goes() {
    for sent in [
        String::new(),
        "x".repeat(55),
        format!("00-{ID}-{PARENT}-00-more"),
        format!("01-{ID}-{PARENT}-00more"),
        format!("ff-{ID}-{PARENT}-00"),
        format!("00-{}-{PARENT}-00", "0".repeat(32)),
        format!("00-{ID}-{}-00", "0".repeat(16)),
        format!("00-{}-{PARENT}-00", ID.to_uppercase()),
        format!("00-{ID}-{PARENT}-0"),
        format!("00-{ID}-+7ad6b7169203331-00"),
    ] {
        let (trace, headers) = applied(&[("traceparent", &sent), ("tracestate", "a=1")]);
        assert_ne!(trace.id.to_string(), ID, "{sent}");
        let parent = headers["traceparent"].to_str().unwrap();
        assert_eq!(
            read_traceparent(parent.as_bytes()).unwrap().id,
            trace.id,
            "{sent}"
        );
        assert!(parent.ends_with("-01"), "{parent}");
        assert!(!headers.contains_key("tracestate"), "{sent}");
    }
    let good = format!("00-{ID}-{PARENT}-00");
    let (trace, _) = applied(&[("traceparent", &good), ("traceparent", &good)]);
    assert_ne!(trace.id.to_string(), ID, "two are none");
}

#[test]
fn ids_differ() {
    let ids: HashSet<u128> = (0..1000).map(|_| new_id(Timestamp::now())).collect();
    assert_eq!(ids.len(), 1000);
}

fn is_amzn_id(id: &str) -> bool {
    let parts: Vec<_> = id.split('-').collect();
    parts.len() == 3
        && parts[0] == "1"
        && (parts[1].len(), parts[2].len()) == (8, 24)
        && parts[1..].concat().bytes().all(is_lower_hex)
}

/// ALB: request tracing.
#[test]
fn x_amzn_trace_id_gets_a_root_or_a_self() {
    let root = "Root=1-67891233-abcdef012345678912345678";
    let check = |sent: &str, begins: &str, rest: &str| {
        let (trace, headers) = applied(&[("x-amzn-trace-id", sent)]);
        let text = headers["x-amzn-trace-id"].to_str().unwrap().to_owned();
        let id = text.strip_prefix(begins).unwrap_or_else(|| panic!("{text}"));
        let (id, found) = id.split_once(';').map_or((id, ""), |(id, rest)| (id, rest));
        assert!(is_amzn_id(id), "{text}");
        assert_eq!(found, rest, "{sent}");
        (trace.id.to_string(), id.to_owned())
    };
    let (trace, id) = check("", "Root=", "");
    assert_eq!(
        id.replace('-', ""),
        format!("1{trace}"),
        "one id under both names"
    );
    check("CalledFrom=app", "Root=", "CalledFrom=app");
    check(root, "Self=", root);
    check(
        &format!("{root};CalledFrom=app"),
        "Self=",
        &format!("{root};CalledFrom=app"),
    );
    check(
        &format!("Self=1-67891234-12456789abcdef012345678;{root}"),
        "Self=",
        root,
    );
    check(&format!("{root};a={}", "x".repeat(7 * 1024)), "Root=", "");
}
