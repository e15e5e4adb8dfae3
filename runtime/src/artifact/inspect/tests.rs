use super::*;

/// A component that exports and imports empty instances of these names.
fn component(imports: &[&str], exports: &[&str]) -> Vec<u8> {
    let mut text = String::from("(component\n");
    for import in imports {
        text.push_str(&format!("(import \"{import}\" (instance))\n"));
    }
    text.push_str("(instance $empty)\n");
    for export in exports {
        text.push_str(&format!("(export \"{export}\" (instance $empty))\n"));
    }
    text.push(')');
    wat::parse_str(text).unwrap()
}

fn refusal(bytes: &[u8]) -> String {
    check(bytes).unwrap_err().to_string()
}

#[test]
fn the_two_worlds_are_told_apart() {
    assert_eq!(
        check(&component(&[], &["wasi:http/incoming-handler@0.2.3"])),
        Ok(World::Http)
    );
    assert_eq!(
        check(&component(&["wasi:io/poll@0.2.12"], &["wasi:cli/run@0.2.0"])),
        Ok(World::Command)
    );
}

#[test]
fn what_cannot_run_is_refused_by_name() {
    let table = [
        (
            component(&["wasi:keyvalue/store@0.2.0-draft2"], &["wasi:cli/run@0.2.0"]),
            "of `wasi:keyvalue/store` only 0.2.0-draft is offered",
        ),
        (
            component(&["wharf:keyvalue/store@0.2.0"], &["wasi:cli/run@0.2.0"]),
            "only 0.1.x is offered",
        ),
        (
            component(&["wasi:keyvalue/watcher@0.2.0-draft"], &["wasi:cli/run@0.2.0"]),
            "`wasi:keyvalue/watcher@0.2.0-draft`, which is not offered",
        ),
        (
            component(&["acme:db/query"], &["wasi:cli/run@0.2.0"]),
            "`acme:db/query`",
        ),
        (
            component(&["wasi:io/poll@0.3.0"], &["wasi:cli/run@0.2.0"]),
            "of WASI 0.3",
        ),
        (
            component(&["wasi:io/poll@0.1.0"], &["wasi:cli/run@0.2.0"]),
            "only 0.2.x is offered",
        ),
        (component(&[], &["wasi:http/handler@0.3.0"]), "of WASI 0.3"),
        (component(&[], &["acme:db/query"]), "exports `acme:db/query`"),
        (component(&[], &[]), "exports nothing"),
        (
            wat::parse_str("(module (func))").unwrap(),
            "core WebAssembly module",
        ),
        (b"#!/bin/sh".to_vec(), "offset 0"),
        (Vec::new(), "offset 0"),
    ];
    for (bytes, expected) in table {
        let refusal = refusal(&bytes);
        assert!(refusal.contains(expected), "{refusal:?} lacks {expected:?}");
    }
}

#[test]
fn damage_is_named_by_its_offset() {
    let whole = component(&["wasi:io/poll@0.2.0"], &["wasi:cli/run@0.2.0"]);
    for cut in [9, whole.len() / 2, whole.len() - 1] {
        let refusal = refusal(&whole[..cut]);
        assert!(refusal.contains("byte offset 0x"), "{refusal}");
    }
    let mut flipped = whole.clone();
    flipped[4] = 0x7f;
    assert!(refusal(&flipped).contains("byte offset 0x"));
}

#[test]
fn a_core_module_nested_in_a_component_is_fine() {
    let text =
        r#"(component (core module (func)) (instance $e) (export "wasi:cli/run@0.2.0" (instance $e)))"#;
    assert_eq!(check(&wat::parse_str(text).unwrap()), Ok(World::Command));
}

#[test]
fn refusals_survive_the_way_from_the_child() {
    for refusal in [
        Refusal::Invalid("x at y".into()),
        Refusal::CoreModule,
        Refusal::Import("the component imports `a`".into()),
        Refusal::World("nothing".into()),
    ] {
        assert_eq!(Refusal::from_words(&refusal.to_words()), refusal);
    }
}
