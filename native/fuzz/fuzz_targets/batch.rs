#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mantou_fuzz::batch(data));
