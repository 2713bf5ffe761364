#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| keyseal_fuzz::laws::keyset_edits::law(data));
