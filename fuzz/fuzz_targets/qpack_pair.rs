//! The target `qpack_pair`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::qpack::pair(bytes));
