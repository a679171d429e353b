//! The target `qpack_sections`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::qpack::sections(bytes));
