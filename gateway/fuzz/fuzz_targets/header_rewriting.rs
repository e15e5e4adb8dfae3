//! See `wharf_gateway::fuzzing::header_rewriting`.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| wharf_gateway::fuzzing::header_rewriting(text));
