//! The target `h3_requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::h3::requests(bytes));
