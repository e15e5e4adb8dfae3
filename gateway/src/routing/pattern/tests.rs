use proptest::prelude::*;

use super::*;

#[test]
fn wildcards_match_as_albs_do() {
    for (pattern, matching, other) in [
        ("/", &["/"][..], &["", "/a", "//"][..]),
        ("/a", &["/a"], &["/A", "/a/", "/"]), // ALB: paths are case-sensitive
        ("*", &["", "/", "/any/thing"], &[]),
        (
            "/img/*",
            &["/img/", "/img/a", "/img/a/b"],
            &["/img", "/im/g", "/x/img/"],
        ),
        ("*.png", &[".png", "/a.png", "/a.png.png"], &["/a.png/", "/apng"]),
        ("/?", &["/a", "/?"], &["/", "/ab"]), // ALB: exactly one character
        ("/a?c", &["/abc", "/a/c"], &["/ac", "/abbc"]),
        ("/*/b", &["//b", "/a/b", "/a/b/b"], &["/b", "/a/b/"]),
        ("/*a*b", &["/ab", "/xaxb", "/aab", "/abab"], &["/ba", "/abx"]),
        ("/**", &["/", "/a"], &["", "a"]),
        ("*a", &["a", "ba", "aa"], &["", "ab"]),
        ("/a*?", &["/ab", "/abc"], &["/a"]),
        ("/~$-_.\"'@:+&", &["/~$-_.\"'@:+&"], &["/"]),
    ] {
        let compiled = PathPattern::new(pattern).unwrap();
        assert!(
            matching
                .iter()
                .all(|text| compiled.matches(text.as_bytes(), &Work::default())),
            "{pattern} {matching:?}"
        );
        assert!(
            !other
                .iter()
                .any(|text| compiled.matches(text.as_bytes(), &Work::default())),
            "{pattern} {other:?}"
        );
    }
}

#[test]
fn hosts_are_compared_in_lower_case() {
    let pattern = HostPattern::new("*.Example.COM").unwrap();
    assert_eq!(pattern.as_str(), "*.example.com");
    assert!(pattern.matches(b"api.example.com", &Work::default()));
    assert!(
        !pattern.matches(b"example.com", &Work::default()),
        "ALB: the dot is part of the pattern"
    );
    assert_eq!(pattern.literal(), None);
    assert_eq!(HostPattern::new("[::1]").unwrap().literal(), Some("[::1]"));
}

#[test]
fn impossible_patterns_are_refused_saying_why() {
    for (pattern, error) in [
        (
            "",
            "a host pattern cannot be empty; leave the condition out to match any host",
        ),
        (
            "a:80",
            "the host pattern `a:80` has a ':', which no host contains; leave the port out, any port matches",
        ),
        (
            "a.b/c",
            "the host pattern `a.b/c` has a '/', which no host contains; the path has a condition of its own",
        ),
        ("a b", "the host pattern `a b` has a ' ', which no host contains"),
        (
            "ä.de",
            "the host pattern `ä.de` has a 'ä', which no host contains",
        ),
    ] {
        assert_eq!(HostPattern::new(pattern).unwrap_err().to_string(), error);
    }
    for (pattern, error) in [
        ("a", "the path pattern `a` never matches: a path begins with `/`"),
        (
            "/#top",
            "the path pattern `/#top` has a '#', which no path contains",
        ),
        (
            "/a b",
            "the path pattern `/a b` has a ' ', which no path contains; write it percent-encoded",
        ),
        (
            "/\n",
            "the path pattern `/\\n` has a '\\n', which no path contains; write it percent-encoded",
        ),
    ] {
        assert_eq!(PathPattern::new(pattern).unwrap_err().to_string(), error);
    }
    let long = "/".repeat(MAX_PATTERN_BYTES + 1);
    assert!(
        PathPattern::new(&long)
            .unwrap_err()
            .to_string()
            .contains("at most 512 bytes")
    );
}

/// The definition, word for word.
fn naive(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
        Some((b'?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && naive(rest, &text[1..]),
    }
}

proptest! {
    #[test]
    fn the_compiled_pattern_agrees_with_the_definition(pattern in "[/*?][ab*?]{0,7}", text in "/?[ab]{0,9}") {
        let compiled = PathPattern::new(&pattern).unwrap();
        prop_assert_eq!(compiled.matches(text.as_bytes(), &Work::default()), naive(pattern.as_bytes(), text.as_bytes()));
    }

    #[test]
    fn any_text_is_a_pattern_or_refused(text in ".{0,20}") {
        let _ = (HostPattern::new(&text), PathPattern::new(&text));
    }
}

#[test]
fn a_hostile_pattern_takes_no_exponential_time() {
    let pattern = PathPattern::new(&format!("/{}b", "*a".repeat(100))).unwrap();
    // Exponential backtracking would not end in the lifetime of this test.
    assert!(!pattern.matches(format!("/{}", "a".repeat(10_000)).as_bytes(), &Work::default()));
}

proptest! {
    #[test]
    fn patterns_that_share_a_host_overlap(one in "[ab*?]{1,6}", other in "[ab*?]{1,6}", host in "[ab]{1,6}") {
        let (one, other) = (HostPattern::new(&one).unwrap(), HostPattern::new(&other).unwrap());
        let both = one.matches(host.as_bytes(), &Work::default()) && other.matches(host.as_bytes(), &Work::default());
        prop_assert!(!both || one.overlaps(&other), "{} and {}", one.as_str(), other.as_str());
        prop_assert_eq!(one.overlaps(&other), other.overlaps(&one));
    }
}

#[test]
fn patterns_of_different_domains_do_not_overlap() {
    let overlap = |one: &str, other: &str| {
        HostPattern::new(one)
            .unwrap()
            .overlaps(&HostPattern::new(other).unwrap())
    };
    assert!(!overlap("*.example.com", "*.example.org"));
    assert!(!overlap("a.example.com", "b.example.com"));
    assert!(overlap("*.example.com", "a.*"));
}
