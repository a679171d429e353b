//! The target `quic_datagrams`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| regatta_fuzz::quic::datagrams(bytes));
