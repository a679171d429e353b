//! The target `h3_pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::pair::http3(bytes));
