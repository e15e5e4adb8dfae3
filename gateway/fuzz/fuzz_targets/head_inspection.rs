//! See `wharf_gateway::fuzzing::head_inspection`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| wharf_gateway::fuzzing::head_inspection(bytes));
