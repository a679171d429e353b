//! The target `h3_responses`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::h3::responses(bytes));
