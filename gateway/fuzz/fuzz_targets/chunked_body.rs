//! See `wharf_gateway::fuzzing::chunked_body`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wharf_gateway::fuzzing::chunked_body(bytes));
