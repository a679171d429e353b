//! The target `raced_journaled`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::machines::raced_journaled(bytes));
