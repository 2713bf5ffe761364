#![no_main]

#[allow(dead_code, reason = "each target has one of the laws")]
mod laws;

libfuzzer_sys::fuzz_target!(|data: &[u8]| laws::envelope_is_whole(data));
