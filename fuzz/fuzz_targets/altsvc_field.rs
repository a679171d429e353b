//! The target `altsvc_field`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::altsvc::field(bytes));
