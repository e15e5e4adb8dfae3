use proptest::prelude::*;

use super::*;

/// The definition, word for word.
fn naive(pattern: &[u8], text: &[u8]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some((b'*', rest)) => (0..=text.len()).any(|skipped| naive(rest, &text[skipped..])),
        Some((b'?', rest)) => !text.is_empty() && naive(rest, &text[1..]),
        Some((byte, rest)) => text.first() == Some(byte) && naive(rest, &text[1..]),
    }
}

#[test]
fn a_backslash_makes_wildcards_literal() {
    for (pattern, matching, other) in [
        (r"\*", &["*"][..], &["a", "", r"\*"][..]), // ALB: query strings
        (r"\?", &["?"], &["a", r"\?"]),
        (r"a\**", &["a*", "a*b"], &["ab"]),
        (r"*/\*", &["*/*", "text/*"], &["text/html"]),
        (r"\\*", &[r"\", r"\a"], &["*", "a"]),
        (r"a\b", &[r"a\b"], &["ab"]),
        (r"a\", &[r"a\"], &["a"]),
    ] {
        let glob = Glob::new(pattern, Escapes::Backslash);
        assert!(
            matching
                .iter()
                .all(|text| glob.matches(text.as_bytes(), &Work::default())),
            "{pattern}"
        );
        assert!(
            !other
                .iter()
                .any(|text| glob.matches(text.as_bytes(), &Work::default())),
            "{pattern}"
        );
    }
    assert!(
        !Glob::new(r"\*", Escapes::None).matches(b"*", &Work::default()),
        "paths and hosts have no escapes"
    );
}

#[test]
fn what_every_match_begins_and_ends_with() {
    for (pattern, whole, start, end) in [
        ("/a", true, "/a", ""),
        ("*", false, "", ""),
        ("/a/*", false, "/a/", ""),
        ("*.png", false, "", ".png"),
        ("/a/*/b?c*.x", false, "/a/", ".x"),
        ("?", false, "", ""),
    ] {
        let (start, end) = (start.into(), end.into());
        assert_eq!(
            Glob::new(pattern, Escapes::None).anchors(),
            Anchors { whole, start, end },
            "{pattern}"
        );
    }
}

proptest! {
    #[test]
    fn case_is_all_that_the_two_ways_of_matching_differ_in(pattern in "[ab*?]{0,6}", text in "[aAbB]{0,8}") {
        let glob = Glob::new(&pattern, Escapes::Backslash);
        let lower = text.to_ascii_lowercase();
        let expected = naive(pattern.as_bytes(), lower.as_bytes());
        prop_assert_eq!(glob.matches_any_case(text.as_bytes(), &Work::default()), expected);
        prop_assert_eq!(glob.matches(lower.as_bytes(), &Work::default()), expected);
    }

    #[test]
    fn every_match_has_its_anchors(pattern in "[ab*?]{0,6}", text in "[ab]{0,8}") {
        let glob = Glob::new(&pattern, Escapes::None);
        let Anchors { whole, start, end } = glob.anchors();
        if glob.matches(text.as_bytes(), &Work::default()) {
            prop_assert!(text.as_bytes().starts_with(&start) && text.as_bytes().ends_with(&end));
            prop_assert!(!whole || text.as_bytes() == start);
        }
    }
}
