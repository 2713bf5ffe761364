#![no_main]

#[allow(dead_code, reason = "each target has one of the laws")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::keyset_survives(data, keyseal::keyset::Format::Binary));
