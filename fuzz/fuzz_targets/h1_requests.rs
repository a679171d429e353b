//! The target `h1_requests`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::h1::requests(bytes));
