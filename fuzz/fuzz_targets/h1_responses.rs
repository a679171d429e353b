//! The target `h1_responses`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::h1::responses(bytes));
