//! The target `anarchy`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::machines::anarchy(bytes));
