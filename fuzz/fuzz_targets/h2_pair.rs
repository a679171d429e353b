//! The target `h2_pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::pair::http2(bytes));
