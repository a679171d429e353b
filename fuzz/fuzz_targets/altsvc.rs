//! The target `altsvc`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::altsvc::ledger(bytes));
