use super::*;

fn regex(pattern: &str, case: Case) -> Result<RegexValue, RegexError> {
    RegexValue::new(pattern, case)
}

#[test]
fn what_alb_has_not_is_refused() {
    // ALB: no lookahead, lookbehind, back-references, subroutines, recursion, Unicode classes.
    for pattern in [
        "a(?=b)", "a(?!b)", "(?<=a)b", "(?<!a)b", r"(a)\1", "(?1)", "(?>a)", r"\p{L}", "(a", "[b-a]", "*",
    ] {
        let error = regex(pattern, Case::Matters).unwrap_err();
        assert!(
            matches!(error, RegexError::Invalid { .. }),
            "{pattern}: {error:?}"
        );
        assert!(!error.to_string().contains('\n'), "{error}");
    }
    assert_eq!(
        regex("(a", Case::Matters).unwrap_err().to_string(),
        "the regular expression `(a` is not valid: unclosed group"
    );
}

#[test]
fn it_is_bounded() {
    assert_eq!(regex("", Case::Matters).unwrap_err(), RegexError::Empty);
    let longest = "a".repeat(MAX_REGEX_BYTES);
    let anchored = format!("^{}", &longest[1..]);
    assert!(regex(&anchored, Case::Matters).is_ok());
    let error = regex(&format!("{longest}a"), Case::Matters).unwrap_err();
    assert_eq!(error, RegexError::TooLong(1025));
    let error = regex("((a{99}){99}){99}", Case::Matters).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("compiles to more than 64 KiB: lower its repetitions"),
        "{error}"
    );
    let deep = format!("{}a{}", "(".repeat(60), ")".repeat(60));
    assert!(regex(&deep, Case::Matters).is_err());
    assert!(matches!(
        regex("a\nb", Case::Matters),
        Err(RegexError::Control(_))
    ));
}

#[test]
fn it_matches_anywhere_unless_it_says_otherwise() {
    let anywhere = regex("/v[0-9]+", Case::Matters).unwrap();
    assert!(
        anywhere.matches(b"/api/v1/x", &Work::default()) && !anywhere.matches(b"/api/V1", &Work::default())
    );
    let whole = regex("^/v[0-9]+$", Case::Matters).unwrap();
    assert!(whole.matches(b"/v12", &Work::default()) && !whole.matches(b"/v1/x", &Work::default()));
    assert!(
        regex("^CHROME", Case::Ignored)
            .unwrap()
            .matches(b"chrome/1", &Work::default())
    );
    // Bytes that are no text are matched all the same.
    assert!(
        regex("^.$", Case::Matters)
            .unwrap()
            .matches(b"\xff", &Work::default())
    );
}

#[test]
fn what_every_match_begins_and_ends_with() {
    for (pattern, case, start, end) in [
        ("^/api/v[0-9]", Case::Matters, "/api/v", ""),
        ("^(/api)/x", Case::Matters, "/api/x", ""),
        ("^/ab*", Case::Matters, "/a", ""),
        ("^/a|/b", Case::Matters, "", ""),
        ("^(?:/a|/b)/c", Case::Matters, "", ""),
        ("/a", Case::Matters, "", ""),
        (r"^/a.*\.png$", Case::Matters, "/a", ".png"),
        ("^/[aA]b$", Case::Matters, "/", "b"),
        ("^(?i)/a", Case::Matters, "/", ""),
        (r"^Api\.example", Case::Ignored, "api.example", ""),
        (r"^[a-z]+\.Example\.com$", Case::Ignored, "", ".example.com"),
        ("^a?b", Case::Matters, "", ""),
        (r"(^/a|^/b)c$", Case::Matters, "", "c"),
    ] {
        let found = regex(pattern, case).unwrap();
        let (start, end) = (start.as_bytes().to_vec(), end.as_bytes().to_vec());
        assert_eq!(
            *found.anchors(),
            Anchors {
                whole: false,
                start,
                end
            },
            "{pattern}"
        );
    }
}

#[test]
fn what_would_take_more_than_a_step_a_byte_is_refused() {
    for pattern in ["(a{60}){35}0", "a.{20}b", "((a{99}){99}){99}", "[ab]*a[ab]{12}c"] {
        let error = regex(pattern, Case::Ignored).unwrap_err();
        assert!(matches!(error, RegexError::TooLarge(_)), "{pattern}: {error:?}");
    }
    let ordinary = [
        r"^/v[0-9]+/users/([a-z0-9-]+)/orders/[0-9]+$",
        r"^(?:www\.)?[a-z0-9-]+\.(?:dev|staging|prod)\.example\.com$",
        "googlebot|bingbot|slurp|duckduckbot|baiduspider|yandexbot|facebot|twitterbot",
        r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
        r"\bMSIE [67]\.",
    ];
    for pattern in ordinary {
        let bytes = regex(pattern, Case::Ignored).unwrap().compiled_bytes();
        assert!(
            (1..=MAX_COMPILED_BYTES / 2).contains(&bytes),
            "{pattern}: {bytes}"
        );
    }
}

#[test]
fn there_are_not_too_many_and_not_too_large_ones() {
    let mut many = Expressions::default();
    for _ in 0..tally::MAX_EXPRESSIONS {
        many.add(1).unwrap();
    }
    let error = many.add(1).unwrap_err().to_string();
    assert!(
        error.contains("2001 regular expressions") && error.contains("up to 2000 with 32768 KiB"),
        "{error}"
    );
    let mut large = Expressions::default();
    large.add(tally::MAX_EXPRESSIONS_BYTES).unwrap();
    assert!(large.add(1).is_err() && large.is_full());
}

#[test]
fn a_step_is_a_byte() {
    let regex = regex("b$", Case::Matters).unwrap();
    let work = Work::of(10);
    assert!(regex.matches(b"aaaab", &work) && regex.matches(b"aaaab", &work));
    assert!(work.check().is_ok());
    assert!(!regex.matches(b"b", &work) && work.check().is_err());
    // What was not compared for want of steps stays unknown, however short the next is.
    assert!(!regex.matches(b"", &work) && work.check().is_err());
}

#[test]
fn a_hostile_one_takes_linear_time() {
    let regex = regex("^(a+)+$", Case::Matters).unwrap();
    let mut text = "a".repeat(16 * 1024);
    text.push('b');
    // Backtracking would not end in the lifetime of this test.
    assert!(!regex.matches(text.as_bytes(), &Work::default()));
}
