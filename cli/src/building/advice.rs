//! What to do about a build that failed the first time on a machine.

/// What it says, and what helps.
const KNOWN: &[(&str, &str)] = &[
    (
        "cargo: not found",
        "Rust is not installed: https://rustup.rs says how, then `rustup target add wasm32-wasip2`",
    ),
    (
        "target may not be installed",
        "the compiler's target is missing: `rustup target add wasm32-wasip2`",
    ),
    (
        "can't find crate for `core`",
        "the compiler's target is missing: `rustup target add wasm32-wasip2`",
    ),
    (
        "can't find crate for `std`",
        "the compiler's target is missing: `rustup target add wasm32-wasip2`",
    ),
    (
        "requires rustc",
        "the compiler is too old: `rustup update stable`",
    ),
    (
        "Could not resolve \"node:",
        "a component has nothing of Node's own modules: use what browsers have too (fetch, crypto, TextEncoder), or a package that does",
    ),
    (
        "Could not resolve \"",
        "a package is not installed: `npm install NAME`",
    ),
    (
        "npm error code EAI_AGAIN",
        "npm's registry was not reached: is there a network, or `npm config get registry` another?",
    ),
    (
        "npm error code ENOTFOUND",
        "npm's registry was not reached: is there a network, or `npm config get registry` another?",
    ),
    (
        "npm: not found",
        "Node.js is not installed: version 20 or newer, from https://nodejs.org or your system's packages",
    ),
    (
        "node: not found",
        "Node.js is not installed: version 20 or newer, from https://nodejs.org or your system's packages",
    ),
    (
        "Cannot find module",
        "the packages are not installed: `npm install`",
    ),
    (
        "Cannot find package",
        "the packages are not installed: `npm install`",
    ),
    (
        "componentize-js: not found",
        "the packages are not installed: `npm install`",
    ),
    (
        "python3: not found",
        "Python is not installed: version 3.10 or newer, from https://python.org or your system's packages",
    ),
    (
        "ensurepip is not available",
        "Python's venv module is not installed: your system's package python3-venv has it",
    ),
    (
        "Could not find a version that satisfies",
        "pip's index was not reached or has no such version: is there a network, or `pip config get global.index-url` another?",
    ),
    (
        "componentize-py: not found",
        "componentize-py is not installed: `python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1`",
    ),
    (
        "make: not found",
        "make is not installed: your system's packages have it",
    ),
];

/// What helps against what a failed build has said, if that is known.
pub(super) fn on(said: &str) -> Option<&'static str> {
    let known = KNOWN.iter().find(|(sign, _)| said.contains(sign));
    known.map(|(_, advice)| *advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_the_command_that_brings_it() {
        let said = [
            ("sh: 1: cargo: not found", "rustup.rs"),
            (
                "error[E0463]: can't find crate for `core`\n  |\n  = note: the `wasm32-wasip2` target may not be installed",
                "rustup target add wasm32-wasip2",
            ),
            (
                "error: package `x v0.1.0` cannot be built because it requires rustc 1.95 or newer",
                "rustup update",
            ),
            ("sh: 1: npm: not found", "Node.js"),
            ("sh: 1: componentize-js: not found", "npm install"),
            ("✘ [ERROR] Could not resolve \"node:fs\"", "Node's own modules"),
            ("✘ [ERROR] Could not resolve \"lodash\"", "npm install NAME"),
            ("npm error code ENOTFOUND\n", "registry"),
            ("sh: 1: .venv/bin/componentize-py: not found", "pip install"),
            (
                "ERROR: Could not find a version that satisfies the requirement",
                "pip's index",
            ),
        ];
        for (said, advice) in said {
            assert!(on(said).is_some_and(|found| found.contains(advice)), "{said}");
        }
        assert_eq!(on("error[E0308]: mismatched types"), None);
    }
}
