//! The target `journaled`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::machines::journaled(bytes));
