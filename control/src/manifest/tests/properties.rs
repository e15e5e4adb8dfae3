//! Whatever is written: read alike in both forms, never a panic, mistakes with a place.

use proptest::prelude::*;
use proptest::strategy::Strategy;

use super::*;

/// Manifests of values that are legal each on its own.
fn any_text() -> impl Strategy<Value = ManifestText> {
    let task = (
        (
            1i64..100_000,
            1u64..10_000,
            1u64..80_000,
            proptest::option::of(1i64..10_000),
        ),
        proptest::collection::btree_map("[A-V][A-Z0-9_]{0,6}", "[ -~é]{0,12}", 0..4),
        proptest::collection::btree_map("X[A-Z0-9_]{0,6}", "[a-z]{1,6}(:[a-z]{1,4})?(@[1-9])?", 0..4),
        proptest::collection::vec("[ -~]{0,10}", 0..3),
    );
    let routes = proptest::collection::vec(
        (
            proptest::option::of(1i64..12_000),
            "[a-z]{1,9}\\.test",
            "/[a-z]{0,9}\\*?",
        ),
        0..4,
    );
    (
        "[a-z][a-z0-9-]{0,20}",
        task,
        routes,
        proptest::option::of(0i64..1000),
    )
        .prop_map(
            |(name, ((cpu, memory, timeout, concurrency), env, secrets, args), routes, count)| ManifestText {
                name: Some(name),
                task: TaskText {
                    component: Some("a.wasm".to_owned()),
                    cpu: Some(cpu),
                    memory: Some(format!("{memory}MiB")),
                    timeout: Some(format!("{timeout}s")),
                    concurrency,
                    env,
                    secrets,
                    args,
                    ..TaskText::default()
                },
                service: count.map(|count| ServiceText {
                    count: Some(count),
                    ..ServiceText::default()
                }),
                route: routes
                    .into_iter()
                    .enumerate()
                    .map(|(at, (priority, host, path))| RouteText {
                        // Each has its own.
                        priority: priority.map(|priority| priority * 4 + i64::try_from(at).unwrap()),
                        host: vec![format!("r{at}.{host}")],
                        path: vec![path],
                        ..RouteText::default()
                    })
                    .collect(),
                ..ManifestText::default()
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_as_toml_or_json_is_read_as_the_same(text in any_text()) {
        let manifest = Manifest::from_text(&text).unwrap();
        let toml = toml::to_string(&text).unwrap();
        prop_assert_eq!(&Manifest::from_toml("wharf.toml", &toml).unwrap(), &manifest);
        let json = serde_json::to_value(&text).unwrap();
        prop_assert_eq!(&Manifest::from_json(json).unwrap(), &manifest);
    }

    #[test]
    fn no_text_makes_parsing_panic(text in ".{0,200}") {
        let _ = Manifest::from_toml("wharf.toml", &text);
    }

    /// Whatever is cut or doubled in a good manifest, errors have a place in the file.
    #[test]
    fn damaged_manifests_are_refused_with_a_place(cut in 0usize..1200, length in 0usize..80) {
        let mut text: String = WHOLE.chars().take(cut).collect();
        text.extend(WHOLE.chars().skip(cut + length));
        if let Err(errors) = Manifest::from_toml("wharf.toml", &text) {
            prop_assert!(errors.iter().next().is_some());
            for error in &errors {
                let location = error.location().unwrap();
                prop_assert!(location.line >= 1 && location.line <= text.lines().count() + 1);
            }
        }
    }

    #[test]
    fn durations_round_trip(milliseconds in 0u64..1_000_000_000) {
        let duration = Duration::from_millis(milliseconds);
        prop_assert_eq!(values::parse_duration(&values::show_duration(duration)).unwrap(), duration);
    }
}
