//! See `wharf_gateway::fuzzing::rule_parsing`.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wharf_gateway::fuzzing::rule_parsing(text));
