//! See `wharf_gateway::fuzzing::rule_matching`.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wharf_gateway::fuzzing::rule_matching(text));
