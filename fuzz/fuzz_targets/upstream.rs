//! The target `upstream`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::machines::upstream(bytes));
