//! The target `h1_pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::pair::http1(bytes));
